"""Wrapping data keys with HPKE (RFC 9180), base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

The `info` string binds a wrapped key to its clip, dock and recipient, or to its order: it opens for nothing else.
"""

from __future__ import annotations

import base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from daemon.model.errors import TamperedError
from daemon.model.statements import Release, Seal, WrappedKey
from daemon.seal.keys import OpenKey, keyid

SUITE = "P256-SHA256-AES256GCM"
_HPKE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def data_key_info(dock_id: str, clip_id: str, capture_sha256: str | None, recipient: str) -> bytes:
    """The info of a data key wrapped for escrow; `-` stands for a missing capture."""
    return f"bwc-data-key/1|{dock_id}|{clip_id}|{capture_sha256 or '-'}|{recipient}".encode()


def release_key_info(order_id: str, clip_id: str, recipient: str) -> bytes:
    """The info of the data key wrapped in a release order."""
    return f"bwc-release-key/1|{order_id}|{clip_id}|{recipient}".encode()


def seal_info(seal: Seal, recipient: str) -> bytes:
    """The info of a wrapped key in a seal. `seal` must be verified; `recipient` is a keyid."""
    return data_key_info(seal.dock_id, seal.clip_id, seal.capture_sha256, recipient)


def release_info(release: Release) -> bytes:
    """The info of the wrapped key in a release order, which must be verified."""
    return release_key_info(release.order_id, release.clip_id, release.wrapped_key.recipient)


def wrap(data_key: bytes, recipient: ec.EllipticCurvePublicKey, info: bytes) -> WrappedKey:
    """Encrypts `data_key` (32 bytes) to `recipient`. `info` must contain the recipient's keyid."""
    ciphertext = base64.b64encode(_HPKE.encrypt(data_key, recipient, info)).decode()
    return WrappedKey(recipient=keyid(recipient), suite="P256-SHA256-AES256GCM", ciphertext=ciphertext)


def unwrap(wrapped: WrappedKey, key: OpenKey, info: bytes) -> bytes:
    """The data key (32 bytes). Raises TamperedError when it was wrapped for another key, clip, dock or order."""
    try:
        data_key = _HPKE.decrypt(base64.b64decode(wrapped.ciphertext), key, info)
    except (InvalidTag, ValueError):
        raise TamperedError("the wrapped key does not open: it was made for another key, clip, dock or order") from None
    if len(data_key) != 32:
        raise TamperedError("the wrapped key is not a 32-byte data key")
    return data_key
