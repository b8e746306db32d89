"""Checkpoints: signed notes as C2SP writes them, made here and verified by a few lines that know nothing of us."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as hs

from daemon.model.errors import BadSignatureError, MalformedError, VerificationError
from daemon.seal.note import Checkpoint, key_hash, parse_checkpoint, sign_checkpoint, verify_checkpoint
from tests.kit.agency import sign_key

ORIGIN = "bwc/agency/dock-1"
CHECKPOINT = Checkpoint(ORIGIN, 42, hashlib.sha256(b"a root").digest())
KEY = sign_key("dock-1").public_key()
ROOT = base64.b64encode(CHECKPOINT.root).decode()
NOTE = sign_checkpoint(CHECKPOINT, sign_key("dock-1"))


def independent(note: str, raw_key: bytes) -> tuple[str, int, bytes]:
    """C2SP signed-note and tlog-checkpoint, from their text. Raises InvalidSignature or AssertionError."""
    text, tail = note[: note.rindex("\n\n") + 1], note[note.rindex("\n\n") + 2 :]
    origin, size, root = text.split("\n")[:3]
    expected = hashlib.sha256(origin.encode() + b"\n\x01" + raw_key).digest()[:4]
    blobs = [
        base64.b64decode(line.removeprefix(f"\u2014 {origin} "))
        for line in tail.splitlines()
        if line.startswith(f"\u2014 {origin} ")
    ]
    [signature] = [blob[4:] for blob in blobs if blob[:4] == expected]
    Ed25519PublicKey.from_public_bytes(raw_key).verify(signature, text.encode())
    return origin, int(size), base64.b64decode(root)


def test_an_independent_reader_verifies_our_checkpoint() -> None:
    raw = KEY.public_bytes_raw()
    assert independent(NOTE, raw) == (CHECKPOINT.origin, CHECKPOINT.size, CHECKPOINT.root)
    with pytest.raises(InvalidSignature):
        independent(NOTE.replace("\n42\n", "\n43\n"), raw)


def test_key_hash_and_signature_of_a_note_signed_by_others() -> None:
    """The example in the documentation of golang.org/x/mod/sumdb/note."""
    name, hash_hex, key = ["PeterNeumann", "c74f20a3", "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"]
    signer = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    assert key_hash(name, signer).hex() == hash_hex
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    blob = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert blob[:4] == key_hash(name, signer)
    signer.verify(blob[4:], text.encode())


def test_reads_what_it_wrote() -> None:
    assert verify_checkpoint(NOTE, KEY, what="note", origin=ORIGIN) == CHECKPOINT
    assert parse_checkpoint(NOTE, what="note") == CHECKPOINT
    assert NOTE.startswith(f"{ORIGIN}\n42\n{base64.b64encode(CHECKPOINT.root).decode()}\n\n\u2014 {ORIGIN} ")


def test_other_signatures_are_passed_over() -> None:
    """A witness may add its own line; an unknown key's signature says nothing."""
    text, _, line = NOTE.rpartition("\n\n")
    witness = f"\u2014 witness {base64.b64encode(b'1234' + bytes(64)).decode()}\n"
    assert verify_checkpoint(f"{text}\n\n{witness}{line}{witness}", KEY, what="note") == CHECKPOINT
    with pytest.raises(BadSignatureError):
        verify_checkpoint(f"{text}\n\n{witness}", KEY, what="note")


def test_a_line_more_in_the_text_is_signed_too() -> None:
    text, _, line = NOTE.rpartition("\n\n")
    extended = f"{text}\nextension\n\n{line}"
    assert parse_checkpoint(extended, what="note") == CHECKPOINT
    with pytest.raises(BadSignatureError):
        verify_checkpoint(extended, KEY, what="note")


def test_another_key_or_origin() -> None:
    with pytest.raises(BadSignatureError):
        verify_checkpoint(NOTE, sign_key("dock-2").public_key(), what="note")
    with pytest.raises(BadSignatureError):
        verify_checkpoint(NOTE, KEY, what="note", origin="bwc/agency/dock-2")


@pytest.mark.parametrize("place", ["\n42\n", ORIGIN, ROOT])
def test_a_change_in_the_signed_text(place: str) -> None:
    changed = NOTE.replace(place, place.replace("4", "5").replace("c", "d"), 1)
    assert changed != NOTE
    with pytest.raises(VerificationError):
        verify_checkpoint(changed, KEY, what="note")


SIGNED = f"\u2014 {ORIGIN} {base64.b64encode(bytes(68)).decode()}\n"


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        f"{ORIGIN}\n42\n{ROOT}\n",
        f"{ORIGIN}\n42\n{ROOT}\n{SIGNED}",
        f"{ORIGIN}\n42\n{ROOT}\n\n{SIGNED[:-1]}",
        f"{ORIGIN}\n42\n\n{SIGNED}",
        f"\n42\n{ROOT}\n\n{SIGNED}",
        f"{ORIGIN}\n042\n{ROOT}\n\n{SIGNED}",
        f"{ORIGIN}\n-1\n{ROOT}\n\n{SIGNED}",
        f"{ORIGIN}\n+1\n{ROOT}\n\n{SIGNED}",
        f"{ORIGIN}\n1_0\n{ROOT}\n\n{SIGNED}",
        f"{ORIGIN}\n\u0664\n{ROOT}\n\n{SIGNED}",
        f"{ORIGIN}\n{'9' * 5000}\n{ROOT}\n\n{SIGNED}",
        f"{ORIGIN}\n42\nnot base64\n\n{SIGNED}",
        f"{ORIGIN}\n42\nAAAA\n\n{SIGNED}",
        f"{ORIGIN}\n42\n{ROOT}\n\n- {ORIGIN} AAAA\n",
        f"{ORIGIN}\n42\n{ROOT}\n\n\u2014 {ORIGIN}\n",
        f"{ORIGIN}\n42\n{ROOT}\n\n\u2014 {ORIGIN} \u00e4\n",
        f"{ORIGIN}\n42\n{ROOT}\n{'x' * 20000}\n\n{SIGNED}",
    ],
)
def test_what_is_no_checkpoint(note: str) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(note, what="note")
    with pytest.raises(MalformedError):
        verify_checkpoint(note, KEY, what="note")


@given(hs.text(max_size=300) | hs.text(alphabet="\u2014\n 0123456789abcXYZ+/=", max_size=300))
def test_any_text_is_refused_by_a_verification_error(note: str) -> None:
    with pytest.raises(VerificationError):
        verify_checkpoint(note, KEY, what="note")


@given(hs.integers(0, len(NOTE) - 1), hs.characters())
def test_any_character_replaced_is_refused(at: int, other: str) -> None:
    changed = NOTE[:at] + other + NOTE[at + 1 :]
    try:
        assert verify_checkpoint(changed, KEY, what="note") == CHECKPOINT
    except VerificationError:
        return
    assert base64.b64decode(changed.split(" ")[-1]) == base64.b64decode(NOTE.split(" ")[-1]), "only a respelling holds"
