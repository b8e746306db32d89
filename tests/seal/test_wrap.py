"""Wrapping data keys: RFC 9180's vectors, a second implementation, and nothing opens where it does not belong."""

from __future__ import annotations

import base64
import json
from typing import Any

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey

from daemon.model.errors import TamperedError
from daemon.model.statements import WrappedKey
from daemon.seal.keys import keyid
from daemon.seal.wrap import SUITE, data_key_info, release_info, release_key_info, seal_info, unwrap, wrap
from tests.kit.agency import CLIP, DIGEST, OTHER_CLIP, open_key, statement

DATA_KEY = bytes(range(100, 132))
INFO = data_key_info("dock-1", CLIP, DIGEST, keyid(open_key("policy").public_key()))
MODE_BASE, KEM_P256, KDF_SHA256, AEAD_AES256 = 0, 0x0010, 0x0001, 0x0002


def _wrapped(ciphertext: bytes) -> WrappedKey:
    return WrappedKey.model_validate(
        {"recipient": DIGEST, "suite": SUITE, "ciphertext": base64.b64encode(ciphertext).decode()}
    )


def _vectors() -> list[dict[str, Any]]:
    with cryptography_vectors.open_vector_file("HPKE/test-vectors.json", "rb") as file:
        vectors: list[dict[str, Any]] = json.load(file)
    wanted = (MODE_BASE, KEM_P256, KDF_SHA256, AEAD_AES256)
    return [v for v in vectors if (v["mode"], v["kem_id"], v["kdf_id"], v["aead_id"]) == wanted]


def test_rfc_9180_vectors() -> None:
    """The published key schedule is ours: what its key and nonce encrypt, without AAD as we do, opens here.

    The RFC's own ciphertexts carry an AAD, so they first confirm that key and nonce are those of the vector.
    """
    vectors = _vectors()
    assert vectors
    for vector in vectors:
        first = vector["encryptions"][0]
        key, nonce = AESGCM(bytes.fromhex(vector["key"])), bytes.fromhex(vector["base_nonce"])
        plain, aad = bytes.fromhex(first["pt"]), bytes.fromhex(first["aad"])
        assert key.encrypt(nonce, plain, aad).hex() == first["ct"]
        number = int(vector["skRm"], 16)
        wrapped = _wrapped(bytes.fromhex(vector["enc"]) + key.encrypt(nonce, DATA_KEY, b""))
        private = ec.derive_private_key(number, ec.SECP256R1())
        assert unwrap(wrapped, private, bytes.fromhex(vector["info"])) == DATA_KEY


def _peer() -> CipherSuite:
    return CipherSuite.new(KEMId.DHKEM_P256_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)


def test_pyhpke_opens_what_we_wrap() -> None:
    wrapped = wrap(DATA_KEY, open_key("policy").public_key(), INFO)
    blob = base64.b64decode(wrapped.ciphertext)
    private = KEMKey.from_pyca_cryptography_key(open_key("policy"))
    assert _peer().create_recipient_context(blob[:65], private, info=INFO).open(blob[65:]) == DATA_KEY


def test_we_open_what_pyhpke_wraps() -> None:
    public = KEMKey.from_pyca_cryptography_key(open_key("policy").public_key())
    enc, sender = _peer().create_sender_context(public, info=INFO)
    assert unwrap(_wrapped(enc + sender.seal(DATA_KEY)), open_key("policy"), INFO) == DATA_KEY


def test_a_wrap_is_113_bytes_and_names_its_recipient() -> None:
    wrapped = wrap(DATA_KEY, open_key("policy").public_key(), INFO)
    assert len(base64.b64decode(wrapped.ciphertext)) == 113
    assert wrapped.recipient == keyid(open_key("policy").public_key())


def test_info_strings_are_the_contracts() -> None:
    assert data_key_info("d", "c", "s", "r") == b"bwc-data-key/1|d|c|s|r"
    assert data_key_info("d", "c", None, "r") == b"bwc-data-key/1|d|c|-|r"
    assert release_key_info("o", "c", "r") == b"bwc-release-key/1|o|c|r"
    assert seal_info(statement("seal"), "r") == f"bwc-data-key/1|dock-1|{CLIP}|{DIGEST}|r".encode()
    assert release_info(statement("release")) == f"bwc-release-key/1|order-1|{CLIP}|{DIGEST}".encode()


@pytest.mark.parametrize(
    "info",
    [
        data_key_info("dock-2", CLIP, DIGEST, keyid(open_key("policy").public_key())),
        data_key_info("dock-1", OTHER_CLIP, DIGEST, keyid(open_key("policy").public_key())),
        data_key_info("dock-1", CLIP, None, keyid(open_key("policy").public_key())),
        data_key_info("dock-1", CLIP, DIGEST, keyid(open_key("recovery").public_key())),
        release_key_info("order-1", CLIP, keyid(open_key("policy").public_key())),
        b"",
    ],
    ids=["another dock", "another clip", "no capture", "another recipient", "a release", "nothing"],
)
def test_a_wrap_opens_only_for_what_it_was_made_for(info: bytes) -> None:
    with pytest.raises(TamperedError):
        unwrap(wrap(DATA_KEY, open_key("policy").public_key(), INFO), open_key("policy"), info)


def test_another_key_does_not_open() -> None:
    with pytest.raises(TamperedError):
        unwrap(wrap(DATA_KEY, open_key("policy").public_key(), INFO), open_key("recovery"), INFO)


def test_a_changed_or_truncated_wrap_does_not_open() -> None:
    blob = base64.b64decode(wrap(DATA_KEY, open_key("policy").public_key(), INFO).ciphertext)
    harmed = [blob[:length] for length in range(1, len(blob), 8)] + [blob + b"\0"]
    for byte in (0, 1, 64, 65, 100, 112):
        harmed.append(blob[:byte] + bytes([blob[byte] ^ 1]) + blob[byte + 1 :])
    for changed in harmed:
        with pytest.raises(TamperedError):
            unwrap(_wrapped(changed), open_key("policy"), INFO)


@pytest.mark.parametrize("ciphertext", ["A", "AAAAA", "AA=A"])
def test_base64_that_is_none(ciphertext: str) -> None:
    wrapped = WrappedKey.model_construct(recipient=DIGEST, suite=SUITE, ciphertext=ciphertext)
    with pytest.raises(TamperedError):
        unwrap(wrapped, open_key("policy"), INFO)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_what_opens_must_be_a_data_key(length: int) -> None:
    with pytest.raises(TamperedError):
        unwrap(wrap(bytes(length), open_key("policy").public_key(), INFO), open_key("policy"), INFO)
