"""Reading and writing public keys. A key's keyid is SHA-256 of its DER SubjectPublicKeyInfo, in lowercase hex.

Ed25519 keys sign. P-256 keys open: data keys are wrapped to them. For private keys see daemon.seal.private_keys.
"""

from __future__ import annotations

import hashlib
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


def keyid(key: PublicKey) -> str:
    """SHA-256 of the DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), lowercase hex."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def public_pem(key: PublicKey) -> str:
    """The public key as a PEM SubjectPublicKeyInfo."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def parse_public(pem: str, *, what: str) -> PublicKey:
    """An Ed25519 or P-256 public key from PEM. Raises MalformedError naming `what`."""
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
    """An Ed25519 public key from PEM, which verifies signatures. Raises MalformedError naming `what`."""
    key = parse_public(pem, what=what)
    if not isinstance(key, Ed25519PublicKey):
        raise MalformedError(f"{what}: expected an Ed25519 signing key")
    return key


def parse_open_public(pem: str, *, what: str) -> ec.EllipticCurvePublicKey:
    """A P-256 public key from PEM, to which data keys are wrapped. Raises MalformedError naming `what`."""
    key = parse_public(pem, what=what)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise MalformedError(f"{what}: expected a P-256 opening key")
    return key


def read_key_file(path: Path) -> bytes:
    """The first 64 KiB of a key file. Raises ConfigurationError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(65536)
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


def load_sign_public(path: Path) -> Ed25519PublicKey:
    """The public Ed25519 key in `path`. Raises ConfigurationError."""
    return _as_configuration(lambda: parse_sign_public(read_key_file(path).decode("utf-8", "replace"), what=str(path)))


def load_open_public(path: Path) -> ec.EllipticCurvePublicKey:
    """The public P-256 key in `path`. Raises ConfigurationError."""
    return _as_configuration(lambda: parse_open_public(read_key_file(path).decode("utf-8", "replace"), what=str(path)))


def _as_configuration(load: Callable[[], K]) -> K:
    try:
        return load()
    except MalformedError as error:
        raise ConfigurationError(str(error)) from None
