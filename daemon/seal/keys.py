"""Key pairs on disk: `<owner>.sign.pem` (Ed25519) and `<owner>.open.pem` (P-256), PKCS#8.

Each has its public half beside it (`.pub.pem`). A key is known by its keyid: SHA-256 of its DER
SubjectPublicKeyInfo, in lowercase hex.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from daemon.model.errors import ConfigurationError, MalformedError

SignKey = Ed25519PrivateKey
OpenKey = ec.EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey
PrivateKey = SignKey | OpenKey
K = TypeVar("K", Ed25519PublicKey, ec.EllipticCurvePublicKey)


def forget_in_core_dumps() -> None:
    """Keeps keys out of core dumps and out of other processes' reach (prctl(2) PR_SET_DUMPABLE)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0)


def keyid(key: PublicKey) -> str:
    """SHA-256 of the DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), lowercase hex."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def public_pem(key: PublicKey) -> str:
    """The public key as a PEM SubjectPublicKeyInfo."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: PrivateKey) -> bytes:
    """The private key as PEM PKCS#8, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def parse_public(pem: str, *, what: str) -> PublicKey:
    """An Ed25519 or P-256 public key. Raises MalformedError naming `what`."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise MalformedError(f"{what}: not a PEM public key") from None
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise MalformedError(f"{what}: expected an Ed25519 or P-256 public key")


def parse_sign_public(pem: str, *, what: str) -> Ed25519PublicKey:
    """A key that verifies signatures. Raises MalformedError."""
    key = parse_public(pem, what=what)
    if not isinstance(key, Ed25519PublicKey):
        raise MalformedError(f"{what}: expected an Ed25519 signing key")
    return key


def parse_open_public(pem: str, *, what: str) -> ec.EllipticCurvePublicKey:
    """A key that data keys are wrapped to. Raises MalformedError."""
    key = parse_public(pem, what=what)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise MalformedError(f"{what}: expected a P-256 opening key")
    return key


def load_sign_key(path: Path) -> SignKey:
    """The private Ed25519 key in `path`. Raises ConfigurationError."""
    key = _load_private(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path}: expected an Ed25519 private key", hint="signing keys end in .sign.pem")
    return key


def load_open_key(path: Path) -> OpenKey:
    """The private P-256 key in `path`. Raises ConfigurationError."""
    key = _load_private(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError(f"{path}: expected a P-256 private key", hint="opening keys end in .open.pem")
    return key


def load_sign_public(path: Path) -> Ed25519PublicKey:
    """The public Ed25519 key in `path`. Raises ConfigurationError."""
    return _as_configuration(lambda: parse_sign_public(_read(path).decode("utf-8", "replace"), what=str(path)))


def load_open_public(path: Path) -> ec.EllipticCurvePublicKey:
    """The public P-256 key in `path`. Raises ConfigurationError."""
    return _as_configuration(lambda: parse_open_public(_read(path).decode("utf-8", "replace"), what=str(path)))


def new_pair(folder: Path, owner: str) -> list[Path]:
    """Make both key pairs of `owner` in `folder`; the private files are mode 600.

    Returns the four paths. Raises ConfigurationError when one exists: a key is never overwritten.
    """
    made: list[Path] = []
    pairs: list[tuple[str, PrivateKey]] = [
        ("sign", Ed25519PrivateKey.generate()),
        ("open", ec.generate_private_key(ec.SECP256R1())),
    ]
    for use, _ in pairs:
        for path in (folder / f"{owner}.{use}.pem", folder / f"{owner}.{use}.pub.pem"):
            if path.exists():
                raise ConfigurationError(
                    f"{path}: exists already", hint="keys are never overwritten; move it away first"
                )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for use, key in pairs:
        made.append(_write_new(folder / f"{owner}.{use}.pem", private_pem(key), 0o600))
        made.append(_write_new(folder / f"{owner}.{use}.pub.pem", public_pem(key.public_key()).encode(), 0o644))
    return made


def _load_private(path: Path) -> object:
    try:
        return serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{path}: not an unencrypted PKCS#8 PEM private key") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(65536)
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


def _as_configuration(load: Callable[[], K]) -> K:
    try:
        return load()
    except MalformedError as error:
        raise ConfigurationError(str(error)) from None


def _write_new(path: Path, data: bytes, mode: int) -> Path:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
    return path
