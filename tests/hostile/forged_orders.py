"""What a dock is handed: orders, acknowledgements, corrections and captures that are not what they claim."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from daemon.model import statements as st
from tests.hostile.forging import ACCEPTED, ELSEWHERE, Forgery, Party, in_any_envelope, later
from tests.kit import agency
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house

UNKNOWN_CLIP = "00000000-0000-4000-8000-000000000000"


def parties(root: Path, stack: ExitStack) -> Iterator[Party]:
    house = stack.enter_context(open_house(root / "dock"))
    house.record(CLIP, b"footage" * 100)
    house.record(OTHER_CLIP, b"other footage", sha256="0" * 64)  # goes to quarantine
    house.look()
    yield Party("the dock's orders: release", tuple(_releases(house)), lambda: _genuine_release(house))
    yield Party("the dock's orders: revocation", tuple(_revocations(house)), lambda: _genuine_revocation(house))
    yield Party("the dock's acknowledgements", tuple(_acknowledgements(house)), lambda: _genuine_ack(house))
    yield Party("the dock's corrections", tuple(_corrections(house)), lambda: _genuine_correction(house))
    yield Party("the dock's orders: disposal", tuple(_disposals(house)), lambda: _genuine_disposal(house))
    gone = agency.trust_bytes(revoked=[agency.revoked("policy", agency.EARLIER), agency.revoked("cam-1", NOW)])
    rotated = stack.enter_context(open_house(root / "rotated", trust=gone))
    rotated.record(CLIP, b"footage")
    rotated.look()
    captures = stack.enter_context(open_house(root / "captures"))
    captures.acknowledge()
    yield Party("the dock's captures", tuple(_captures(captures)), lambda: _genuine_capture(captures))
    yield Party(
        "a dock that knows of revoked keys",
        (
            _capture_forgery(rotated, "the camera's key is revoked", "BadSignatureError", {}, "cam-1"),
            _order(
                rotated,
                "the policy key is revoked",
                "BadSignatureError",
                rotated.release(rotated.id_of(CLIP)),
                "policy",
                rotated.id_of(CLIP),
            ),
        ),
        lambda: ACCEPTED,
    )


def _state(house: House) -> object:
    """All that an order could change."""
    dock = house.dock
    rows = [dock.store.clip(clip_id) for clip_id in (CLIP, OTHER_CLIP)]
    orders = [order for clip_id in (CLIP, OTHER_CLIP) for order in dock.store.orders(clip_id)]
    files = sorted(str(path) for path in dock.vault.root.rglob("*") if path.suffix == ".json")
    other = [len(house.custody(action)) for action in ("released", "revoked", "disposed", "corrected", "admitted")]
    return (
        rows,
        orders,
        [path for path in files if "custody" not in path],
        dock.store.acknowledged_through,
        dock.store.proven_recipients,
        other,
    )


def _offer(house: House, topic: str, data: bytes) -> str:
    before = len(house.custody("refused"))
    house.service.state.refusals.clear()  # repeats are recorded once: each of these shall be heard
    house.hear(topic, data)
    refused = house.custody("refused")[before:]
    return str(refused[0]["detail"]["error"]) if refused else ACCEPTED


def _raw(house: House, name: str, error: str, data: bytes, topic: str) -> Forgery:
    return Forgery(name, error, lambda: _offer(house, topic, data), lambda: _state(house))


def _order(house: House, name: str, error: str, order: st.Statement, by: str, clip: str = CLIP) -> Forgery:
    return _raw(house, name, error, agency.signed(order, by).to_bytes(), house.dock.topics.order("dock-1", clip))


def _releases(house: House) -> Iterator[Forgery]:
    good, topic = house.release(CLIP), house.dock.topics.order("dock-1", CLIP)

    def changed(**fields: Any) -> st.Statement:
        return st.Release.model_validate(good.plain() | fields)

    for name, error, data in in_any_envelope(good, "policy"):
        yield _raw(house, f"release: {name}", error, data, topic)
    for owner in ("chief", "supervisor", "cam-1", "dock-1", "officer"):
        yield _order(house, f"release signed by {owner}", "SignerNotAllowedError", good, owner)
    wrong = "InconsistentError"
    yield _order(house, "release of another clip", wrong, changed(clip_id=OTHER_CLIP), "policy")
    yield _order(house, "release on another clip's topic", wrong, good, "policy", OTHER_CLIP)
    yield _order(house, "release of other footage", wrong, changed(clip_sha256="0" * 64), "policy")
    yield _order(house, "release for another dock", wrong, changed(dock_id="dock-2"), "policy")
    yield _order(house, "release that has run out", wrong, changed(expires_at=NOW - timedelta(seconds=1)), "policy")
    yield _order(house, "release dated ahead", wrong, later(good, "granted_at"), "policy")
    absent = changed(clip_id=UNKNOWN_CLIP)
    yield _order(house, "release of a clip not here", wrong, absent, "policy", UNKNOWN_CLIP)
    quarantined = house.release(OTHER_CLIP)
    yield _order(house, "release out of quarantine", "IllegalMoveError", quarantined, "policy", OTHER_CLIP)
    yield _order(house, "a request as an order", "MalformedError", agency.statement("request"), "officer")
    yield _order(
        house, "an acknowledgement as an order", "MalformedError", agency.statement("acknowledgement"), "policy"
    )


def _genuine_release(house: House) -> str:
    return _genuine_order(house, house.release(CLIP))


def _genuine_order(house: House, order: st.Statement) -> str:
    before = _state(house)
    heard = _offer(house, house.dock.topics.order("dock-1", CLIP), agency.signed(order, "policy").to_bytes())
    return heard if _state(house) != before else "nothing changed"


def _revocations(house: House) -> Iterator[Forgery]:
    good, topic = agency.statement("revocation"), house.dock.topics.order("dock-1", CLIP)
    for name, error, data in in_any_envelope(good, "policy"):
        yield _raw(house, f"revocation: {name}", error, data, topic)
    yield _order(house, "revocation signed by chief", "SignerNotAllowedError", good, "chief")
    for name, fields in (("dock", {"dock_id": "dock-2"}), ("clip", {"clip_id": OTHER_CLIP})):
        order = agency.statement("revocation", **fields)
        yield _order(house, f"revocation for another {name}", "InconsistentError", order, "policy")
    other = agency.statement("revocation", clip_id=OTHER_CLIP)
    yield _order(house, "revocation of another clip's order", "InconsistentError", other, "policy", OTHER_CLIP)
    yield _order(house, "revocation dated ahead", "InconsistentError", later(good, "revoked_at"), "policy")


def _genuine_revocation(house: House) -> str:
    heard = _genuine_order(house, agency.statement("revocation"))
    again = _order(house, "", "", house.release(CLIP, purpose="court"), "policy").offer()
    return heard if again == "ReplayedError" else f"a revoked order id was {again}"


def _disposals(house: House) -> Iterator[Forgery]:
    sha = house.evidence(CLIP).seal.statement.clip_sha256
    good, topic = agency.statement("disposal", clip_sha256=sha), house.dock.topics.order("dock-1", CLIP)
    for name, error, data in in_any_envelope(good, "policy"):
        yield _raw(house, f"disposal: {name}", error, data, topic)
    for owner in ("chief", "records", "dock-1"):
        yield _order(house, f"disposal signed by {owner}", "SignerNotAllowedError", good, owner)
    for name, fields in (("dock", {"dock_id": "dock-2"}), ("footage", {"clip_sha256": "0" * 64})):
        order = agency.statement("disposal", **({"clip_sha256": sha} | fields))
        yield _order(house, f"disposal of another {name}", "InconsistentError", order, "policy")
    yield _order(house, "disposal on another clip's topic", "InconsistentError", good, "policy", OTHER_CLIP)
    yield _order(house, "disposal dated ahead", "InconsistentError", later(good, "ordered_at"), "policy")


def _genuine_disposal(house: House) -> str:
    sha = house.evidence(CLIP).seal.statement.clip_sha256
    heard = _genuine_order(house, agency.statement("disposal", clip_sha256=sha))
    late = agency.statement("revocation", order_id="order-9")
    again = _order(house, "", "", late, "policy").offer()
    return heard if again == "InconsistentError" else f"a revocation of what is gone was {again}"


def _acknowledgements(house: House) -> Iterator[Forgery]:
    good, topic = agency.statement("acknowledgement", through=1), house.dock.topics.ack("dock-1")
    for name, error, data in in_any_envelope(good, "policy"):
        yield _raw(house, f"acknowledgement: {name}", error, data, topic)

    def of(name: str, error: str, ack: st.Statement, by: str = "policy") -> Forgery:
        return _raw(house, f"acknowledgement {name}", error, agency.signed(ack, by).to_bytes(), topic)

    for owner in ("chief", "dock-1", "dock-2"):
        yield of(f"signed by {owner}", "SignerNotAllowedError", good, owner)
    yield of("of another dock", "InconsistentError", good.model_copy(update={"dock_id": "dock-2"}))
    yield of("dated ahead", "InconsistentError", later(good, "at"))


def _genuine_ack(house: House) -> str:
    ack = agency.statement("acknowledgement", through=1, recipients=[house.dock.trust.get().policy_keyid()])
    heard = _offer(house, house.dock.topics.ack("dock-1"), agency.signed(ack, "policy").to_bytes())
    return heard if house.dock.store.acknowledged_through == 1 else "nothing changed"


def _corrections(house: House) -> Iterator[Forgery]:
    good = agency.statement("correction", clip_id=OTHER_CLIP, officer_id="witness", admit=True)
    topic = house.dock.topics.attestation("records", "correction", "0")
    for name, error, data in in_any_envelope(good, "records"):
        yield _raw(house, f"correction: {name}", error, data, topic)

    def of(name: str, error: str, correction: st.Statement, by: str) -> Forgery:
        return _raw(house, f"correction {name}", error, agency.signed(correction, by).to_bytes(), topic)

    for owner in ("officer", "chief", "affairs", "policy", "cam-1"):
        yield of(f"signed by {owner}", "SignerNotAllowedError", good, owner)
    own = good.model_copy(update={"officer_id": "records"})
    yield of("about oneself", "SignerNotAllowedError", own, "records")
    yield of("dated ahead", "InconsistentError", later(good, "at"), "records")


def _genuine_correction(house: House) -> str:
    before = _state(house)
    good = agency.statement("correction", clip_id=OTHER_CLIP, officer_id="witness")
    topic = house.dock.topics.attestation("records", "correction", "0")
    heard = _offer(house, topic, agency.signed(good, "records").to_bytes())
    return heard if _state(house) != before else "nothing changed"


def _captures(house: House) -> Iterator[Forgery]:
    mismatch: tuple[tuple[str, str, dict[str, Any], str], ...] = (
        ("by another camera's key", "SignerNotAllowedError", {}, "cam-2"),
        ("by nobody's key", "BadSignatureError", {}, "nobody"),
        ("by another agency's camera", "BadSignatureError", {}, ELSEWHERE + "cam-1"),
        ("by an officer", "SignerNotAllowedError", {}, "officer"),
        ("by the dock", "SignerNotAllowedError", {}, "dock-1"),
        ("of another camera's clip, replayed", "InconsistentError", {"camera_serial": "cam-2"}, "cam-2"),
        ("of another clip, replayed", "InconsistentError", {"clip_id": OTHER_CLIP}, "cam-1"),
        ("of other footage", "", {"sha256": "0" * 64}, "cam-1"),
    )
    for name, error, changes, owner in mismatch:
        yield _capture_forgery(house, f"capture {name}", error, changes, owner)


def _capture_forgery(house: House, name: str, error: str, changes: dict[str, Any], owner: str) -> Forgery:
    def offer() -> str:
        stem = _fresh()
        house.record(stem, stem.encode(), owner, **changes)
        house.look()
        clip_id = house.id_of(stem)
        (entry,) = [one for one in house.custody("ingested") if one["clip_id"] == clip_id]
        held = house.dock.store.clip(clip_id)
        for suffix in ("mp4", "capture.json"):
            (house.mount.path / "clips" / f"{stem}.{suffix}").unlink()
        receipt = house.mount.path / "receipts" / f"{stem}.receipt.json"
        if held is None or held.state != "quarantined" or receipt.exists():
            return ACCEPTED
        return str(entry["detail"].get("problem", "")).partition(":")[0]

    return Forgery(name, error, offer, lambda: None)


def _genuine_capture(house: House) -> str:
    stem = _fresh()
    house.record(stem, stem.encode())
    house.look()
    held = house.dock.store.clip(stem)
    receipts = os.listdir(house.mount.path / "receipts")
    return ACCEPTED if held and held.state == "locked" and f"{stem}.receipt.json" in receipts else "not taken in"


def _numbers() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012x}"


_fresh = _numbers()
