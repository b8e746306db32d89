"""The trust attestation: who is enrolled, and that nothing doubtful is loaded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from daemon.model.errors import BadSignatureError, ConfigurationError, InconsistentError, MalformedError, SchemaError
from daemon.seal import envelope as envelopes
from daemon.seal.keys import keyid
from daemon.seal.trust import load_trust, parse_trust
from tests.kit.agency import (
    NOW,
    open_key,
    open_pem,
    revoked,
    sign_id,
    sign_key,
    sign_pem,
    signed,
    statement,
    trust,
    trust_bytes,
    trust_statement,
)

ROOT = sign_key("root").public_key()
MS = timedelta(milliseconds=1)


def person(sign: str, opens: str | None = None, roles: tuple[str, ...] = ("officer",)) -> dict[str, Any]:
    return {"name": "A Person", "roles": roles, "sign": sign, "open": opens}


def test_lookups() -> None:
    enrolled = trust()
    owner, key = enrolled.signer(sign_id("chief"), NOW)
    assert (owner.kind, owner.id, set(owner.roles)) == ("person", "chief", {"chief"})
    assert keyid(key) == sign_id("chief")
    assert enrolled.signer(sign_id("cam-1"), NOW)[0].kind == "camera"
    assert enrolled.signer(sign_id("dock-1"), NOW)[0].kind == "dock"
    assert enrolled.signer(sign_id("policy"), NOW)[0].kind == "policy"
    assert enrolled.roles("officer") == {"officer"}
    assert enrolled.roles("nobody") == frozenset()
    assert enrolled.opener("person", "nobody", NOW) is None
    assert [keyid(k) for k in enrolled.escrow(NOW)] == [
        enrolled.policy_keyid(),
        keyid(open_key("recovery").public_key()),
    ]
    assert enrolled.escrow_ids() == {keyid(open_key(name).public_key()) for name in ("policy", "recovery")}
    with pytest.raises(BadSignatureError):
        enrolled.signer(sign_id("root"), NOW)  # the root key signs trust, and nothing else
    with pytest.raises(BadSignatureError):
        enrolled.signer(keyid(open_key("chief").public_key()), NOW)


def test_recovery_is_optional() -> None:
    services = {"policy": {"sign": sign_pem("policy"), "open": open_pem("policy")}}
    assert [keyid(key) for key in trust(services=services).escrow(NOW)] == [trust().policy_keyid()]


def test_revocation_counts_from_its_instant() -> None:
    enrolled = trust(revoked=[revoked("chief", NOW)])
    enrolled.signer(sign_id("chief"), NOW - MS)
    for at in (NOW, NOW + MS):
        with pytest.raises(BadSignatureError):
            enrolled.signer(sign_id("chief"), at)
    assert enrolled.sign_key_of("person", "chief") is not None, "what was signed long ago can still be checked"


@pytest.mark.parametrize("order", [1, -1])
def test_revoked_twice_the_earlier_time_counts(order: int) -> None:
    twice = [revoked("chief", NOW), revoked("chief", NOW + timedelta(days=99))][::order]
    with pytest.raises(BadSignatureError):
        trust(revoked=twice).signer(sign_id("chief"), NOW)


def test_nothing_is_wrapped_to_a_revoked_key() -> None:
    gone = {"keyid": keyid(open_key("policy").public_key()), "from": NOW}
    with pytest.raises(BadSignatureError):
        trust(revoked=[gone]).escrow(NOW)
    assert len(trust(revoked=[gone]).escrow(NOW - MS)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"cameras": {"cam-1": sign_pem("same"), "cam-2": sign_pem("same")}},
        {"cameras": {"cam-1": sign_pem("dock-1")}},
        {"docks": {"dock-1": sign_pem("policy")}},
        {"people": {"one": person(sign_pem("one")), "two": person(sign_pem("one"))}},
        {"people": {"one": person(sign_pem("one"), open_pem("x")), "two": person(sign_pem("two"), open_pem("x"))}},
        {"people": {"one": person(sign_pem("one"), open_pem("recovery"))}},
        {"people": {"one": person(sign_pem("cam-1"))}},
    ],
    ids=[
        "two cameras",
        "camera and dock",
        "dock and policy",
        "two people signing",
        "two people opening",
        "person and recovery",
        "person and camera",
    ],
)
def test_no_key_has_two_owners(changes: dict[str, Any]) -> None:
    with pytest.raises(InconsistentError):
        trust(**changes)


def _pem(key: Any) -> str:
    from cryptography.hazmat.primitives import serialization as s

    return str(key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.mark.parametrize(
    "pem",
    [
        open_pem("cam-1"),
        _pem(rsa.generate_private_key(65537, 2048)),
        _pem(ec.generate_private_key(ec.SECP384R1())),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n\u00e4\u0000\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n",
    ],
    ids=["P-256", "RSA", "P-384", "no DER", "no base64", "no end"],
)
def test_a_key_that_cannot_sign_is_not_enrolled(pem: str) -> None:
    with pytest.raises(MalformedError):
        trust(cameras={"cam-1": pem})


def test_only_the_root_key_enrols() -> None:
    with pytest.raises(BadSignatureError):
        parse_trust(signed(trust_statement(), "chief").to_bytes(), ROOT, what="trust")
    with pytest.raises(BadSignatureError):
        parse_trust(trust_bytes(), sign_key("chief").public_key(), what="trust")
    document = envelopes.parse(trust_bytes(), what="trust").to_dict()
    document["payload"] = envelopes.sign(trust_statement(version=2), sign_key("root")).to_dict()["payload"]
    from daemon.model import strict_json

    with pytest.raises(BadSignatureError):
        parse_trust(strict_json.dump(document), ROOT, what="trust")
    with pytest.raises(SchemaError):
        parse_trust(signed(statement("hold"), "root").to_bytes(), ROOT, what="trust")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", trust_bytes()[:-1], signed(trust_statement(), "chief").to_bytes()]
)
def test_a_file_that_cannot_be_loaded_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trust.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_trust(path, ROOT)
    assert str(path) in str(caught.value)


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    with pytest.raises(ConfigurationError):
        load_trust(path, ROOT)
    path.write_bytes(trust_bytes(version=7))
    assert load_trust(path, ROOT).version == 7
