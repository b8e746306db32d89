"""Private keys on disk: `<owner>.sign.pem` (Ed25519) and `<owner>.open.pem` (P-256), PKCS#8, mode 600.

Each public key is beside its private key (`.pub.pem`). The code of a camera's reader process may not import this.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemon.model.errors import ConfigurationError
from daemon.seal.keys import OpenKey, PrivateKey, SignKey, public_pem, read_key_file


def private_pem(key: PrivateKey) -> bytes:
    """The private key as PEM, PKCS#8 (RFC 5958), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


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


def new_pair(folder: Path, owner: str) -> list[Path]:
    """Makes both key pairs of `owner` in `folder`; the private files have mode 600.

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
        return serialization.load_pem_private_key(read_key_file(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{path}: not an unencrypted PKCS#8 PEM private key") from None


def _write_new(path: Path, data: bytes, mode: int) -> Path:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
    return path
