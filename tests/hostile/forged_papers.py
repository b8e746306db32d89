"""What cameras, viewers and everybody who reads a trust attestation are handed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from daemon.model import strict_json
from daemon.model.errors import BwcError
from daemon.review.opening import Viewer, open_clip
from daemon.seal.envelope import Envelope
from daemon.seal.trust import parse_trust, refuse_rollback
from daemon.vault.sources import Directory
from device_sim.camera.receipts import ReceiptError, erase_after
from tests.hostile.forging import (
    ACCEPTED,
    ELSEWHERE,
    Forgery,
    Party,
    in_any_envelope,
    payload_of,
    signed_bytes,
    spelled,
)
from tests.kit import agency
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.dock_fixture import AGENCY, House, open_house


def parties(root: Path, stack: ExitStack) -> Iterator[Party]:
    good = agency.signed(agency.statement("receipt"), "dock-1").to_bytes()
    yield Party("a camera's receipts", tuple(_receipts()), lambda: _erase(good))
    yield Party("whoever reads the trust", tuple(_trusts()), lambda: _trust(agency.trust_bytes(version=2)))
    house = stack.enter_context(open_house(root / "vault"))
    for clip_id in (CLIP, OTHER_CLIP):
        house.record(clip_id, clip_id.encode() * 100)
    house.look()
    for clip_id in (CLIP, OTHER_CLIP):
        order = house.release(clip_id, order_id=f"order-{clip_id[:4]}")
        house.hear(house.dock.topics.order("dock-1", clip_id), agency.signed(order, "policy").to_bytes())
    viewing = _Viewing(house, root / "copy", root / "out.mp4")
    yield Party("a viewer", tuple(_viewings(viewing)), lambda: viewing.open(lambda clip: None))


# receipts


def _erase(data: bytes) -> str:
    key = agency.sign_key("dock-1").public_key()
    try:
        erase_after(data, serial="cam-1", sha256=agency.DIGEST, dock_keys=[key])
    except ReceiptError as error:
        return type(error).__name__
    return ACCEPTED


def _receipts() -> Iterator[Forgery]:
    def of(name: str, data: bytes) -> Forgery:
        return Forgery(f"receipt {name}", "ReceiptError", lambda: _erase(data), lambda: None)

    good = agency.statement("receipt")
    for name, _, data in in_any_envelope(good, "dock-1"):
        yield of(name, data)
    for owner in ("dock-2", "cam-1", "policy", ELSEWHERE + "dock-1"):
        yield of(f"signed by {owner}", agency.signed(good, owner).to_bytes())
    for field, value in (("camera_serial", "cam-2"), ("clip_sha256", "0" * 64)):
        yield of(
            f"for another {field}", agency.signed(agency.statement("receipt", **{field: value}), "dock-1").to_bytes()
        )
    plain = good.plain()
    odd: tuple[dict[str, Any], ...] = (
        {"sequence": True},
        {"sequence": -1},
        {"erase_after": "soon"},
        {"sealed_sha256": "x"},
    )
    for changes in odd:
        payload = spelled(plain | changes)
        yield of(f"that says {changes}", spelled(signed_bytes("receipt", payload, "dock-1")))
    far = spelled(plain | {"erase_after": "9999-12-31T23:59:59-23:00"})
    yield of("beyond the calendar", spelled(signed_bytes("receipt", far, "dock-1")))


# trust


def _trust(data: bytes) -> str:
    """As a service that has version 1 in force."""
    force = agency.trust()
    try:
        trust = parse_trust(data, agency.sign_key("root").public_key(), what="trust.json")
        refuse_rollback(trust, force.version, force.digest, "trust.json")
    except BwcError as error:
        return type(error).__name__
    return ACCEPTED


def _trusts() -> Iterator[Forgery]:
    def of(name: str, error: str, data: bytes) -> Forgery:
        return Forgery(f"trust {name}", error, lambda: _trust(data), lambda: None)

    good = agency.trust_statement(version=2)
    for name, error, data in in_any_envelope(good, "root"):
        yield of(name, error, data)
    for owner in ("chief", "policy", ELSEWHERE + "root"):
        yield of(f"signed by {owner}", "BadSignatureError", agency.signed(good, owner).to_bytes())
    yield of("of the same version, but another", "ConfigurationError", agency.trust_bytes(revoked=[_revoked()]))
    shared: dict[str, Any] = {"cam-1": agency.sign_pem("cam-1"), "cam-2": agency.sign_pem("cam-1")}
    yield of("with one key for two cameras", "InconsistentError", agency.trust_bytes(version=2, cameras=shared))
    chief: dict[str, Any] = {"dock-1": agency.sign_pem("chief")}
    yield of("with a dock that is the chief", "InconsistentError", agency.trust_bytes(version=2, docks=chief))
    wrong: dict[str, Any] = {"cam-1": agency.open_pem("cam-1")}
    yield of("with a camera that cannot sign", "MalformedError", agency.trust_bytes(version=2, cameras=wrong))
    old = agency.trust_statement(version=2).plain() | {"version": 0}
    yield of("of a version before the first", "SchemaError", spelled(signed_bytes("trust", spelled(old), "root")))


def _revoked() -> dict[str, Any]:
    return agency.revoked("chief", agency.EARLIER)


# viewers


class _Viewing:
    """A viewer in front of a vault that others can write to: every forgery gets a copy of its own."""

    def __init__(self, house: House, copy: Path, out: Path) -> None:
        self.house, self._copy, self._out = house, copy, out
        self.attested: list[Envelope] = []

    def open(
        self, forge: Callable[[Path], object], person: str = "officer", at: datetime = NOW, agency_name: str = AGENCY
    ) -> str:
        """Forges in a copy of the vault, and opens the clip from it."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self.house.dock.vault.root, self._copy)
        forge(self._copy / "clips" / CLIP)
        self._out.unlink(missing_ok=True)
        viewer = Viewer(person, agency.sign_key(person), agency.open_key(person))
        self.attested.clear()
        source = Directory(self._copy)
        try:
            open_clip(source, CLIP, viewer, agency_name, agency.trust(), at, self._out, self.attested.append)
        except BwcError as error:
            return type(error).__name__
        return ACCEPTED if self._out.read_bytes() == CLIP.encode() * 100 else "opened to other bytes"

    def untouched(self) -> object:
        """A refused opening leaves neither file nor word. (The state before the first is the same.)"""
        return self._out.exists(), len(self.attested)

    def release(self, **changes: Any) -> Callable[[Path], object]:
        """Puts a release of the attacker's making beside the clip."""
        owner = changes.pop("owner", "policy")
        order = self.house.release(CLIP, **changes)
        data = agency.signed(order, owner).to_bytes()
        return lambda clip: self._only(clip, f"{order.order_id}.release.json", data)

    def raw(self, data: bytes) -> Callable[[Path], object]:
        return lambda clip: self._only(clip, "order-2d9f.release.json", data)

    @staticmethod
    def _only(clip: Path, name: str, data: bytes) -> None:
        for path in (clip / "releases").iterdir():
            path.unlink()
        (clip / "releases" / name).write_bytes(data)


def _viewings(viewing: _Viewing) -> Iterator[Forgery]:
    def of(name: str, error: str, forge: Callable[[Path], object], **who: Any) -> Forgery:
        return Forgery(f"viewing {name}", error, lambda: viewing.open(forge, **who), viewing.untouched)

    mine = {"order_id": "order-2d9f"}
    good = viewing.house.release(CLIP, **mine)
    for name, error, data in in_any_envelope(good, "policy"):
        if name == "another kind by its type":
            error = "SchemaError"  # the file's name says what it is to be
        if name == "changed after signing":
            error = "LockedError"  # all its times moved with it: it has run out, before anything is verified
        yield of(f"by a release: {name}", error, viewing.raw(data))
    yield of("by a release of the chief's", "SignerNotAllowedError", viewing.release(owner="chief", **mine))
    yield of("by a release the dock never honoured", "TamperedError", viewing.release(order_id="order-x"))
    longer = viewing.release(expires_at=NOW + timedelta(days=99), **mine)
    yield of("by a release that lasts longer than the honoured one", "TamperedError", longer)
    yield of("by another person's release", "LockedError", lambda clip: None, person="detective")
    named = viewing.release(person="detective", **mine)
    yield of("by a release made out to somebody else later", "TamperedError", named, person="detective")
    yield of("after the release ran out", "LockedError", lambda clip: None, at=NOW + timedelta(days=8))
    yield of("as another agency's clip", "BadSignatureError", lambda clip: None, agency_name="elsewhere")
    revocation = agency.signed(agency.statement("revocation", order_id="order-2d9f"), "policy").to_bytes()
    revoked = "releases/order-2d9f.revocation.json"
    yield of("after a revocation", "LockedError", lambda clip: (clip / revoked).write_bytes(revocation))
    for name, error in (
        ("seal.json", "InconsistentError"),
        ("capture.json", "TamperedError"),
        ("custody.json", "TamperedError"),
        ("clip.sealed", "TamperedError"),
    ):
        yield of(f"with another clip's {name}", error, partial(_take, name))
    yield of("of a clip cut short", "TamperedError", lambda clip: _cut(clip / "clip.sealed"))
    yield of("with a seal of the attacker's", "SignerNotAllowedError", lambda clip: _reseal(clip, "dock-2"))
    yield of("with a seal of nobody's", "BadSignatureError", lambda clip: _reseal(clip, "nobody"))
    yield of("with a second seal of the dock's", "TamperedError", lambda clip: _reseal(clip, "dock-1"))
    yield of("with a custody entry less", "TamperedError", lambda clip: _forget(clip / "custody.json"))


def _take(name: str, clip: Path) -> None:
    shutil.copy(clip.parent / OTHER_CLIP / name, clip / name)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _reseal(clip: Path, owner: str) -> None:
    payload = json.loads(payload_of(json.loads((clip / "seal.json").read_bytes()))) | {"bay": "bay-9"}
    (clip / "seal.json").write_bytes(strict_json.dump(signed_bytes("seal", strict_json.dump(payload), owner)))


def _forget(path: Path) -> None:
    """Drops the entry that shows the order honoured."""
    record = json.loads(path.read_bytes())
    record["entries"] = [entry for entry in record["entries"] if '"released"' not in entry["line"]]
    path.write_bytes(strict_json.dump(record))
