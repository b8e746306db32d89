"""How a client and the broker prove to each other who they are: TLS certificates and passwords, read from files."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from daemon.model.config import Broker
from daemon.model.errors import ConfigurationError


@dataclass(frozen=True)
class Credentials:
    """What one connection needs: the TLS context (None without TLS), the username and the password.

    `fingerprint` is a SHA-256 in hex over the files' contents. It changes when a certificate or password changes.
    """

    tls: ssl.SSLContext | None
    username: str | None
    password: str | None
    fingerprint: str


def read_credentials(broker: Broker) -> Credentials:
    """Reads the files that the configuration names. Raises ConfigurationError for one that cannot be read or used."""
    password = _password(broker.password_file)
    digest = hashlib.sha256(repr((broker.username, password)).encode())
    context = None
    if broker.tls:
        for path in (broker.ca, broker.certificate, broker.key):
            digest.update(_content(path))
        context = _context(broker)
    return Credentials(context, broker.username, password, digest.hexdigest())


def _context(broker: Broker) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if broker.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(str(broker.ca))
        if broker.certificate is not None:
            context.load_cert_chain(str(broker.certificate), str(broker.key) if broker.key else None)
    except (OSError, ValueError) as error:
        named = ", ".join(str(path) for path in (broker.ca, broker.certificate, broker.key) if path is not None)
        raise ConfigurationError(f"broker TLS: {error} ({named})") from None
    return context


def _content(path: Path | None) -> bytes:
    if path is None:
        return b"-"
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise ConfigurationError(f"broker TLS: {path}: {(error.strerror or str(error)).lower()}") from None


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"broker password_file {path}: {error}") from None
