"""Notices from docks: verified, stored with proof that our key opens the clip, and then acknowledged.

An acknowledgement covers every notice up to `through`, which moves only over notices of which every part verifies. A
dock whose notice is refused gets no acknowledgement, and announces it again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from daemon.custody.log import NewEntry
from daemon.model import statements as st
from daemon.model.custody_actions import CustodyAction
from daemon.model.documents import Notice, NoticeRelease
from daemon.model.errors import InconsistentError, SignerNotAllowedError, VerificationError
from daemon.model.parse import parse_model
from daemon.model.times import format_instant, put_right
from daemon.model.types import is_clip_id
from daemon.policy.cases import orders
from daemon.policy.cases.clip_case import UNKNOWN_OFFICER
from daemon.policy.cases.disposal import clocks
from daemon.policy.cases.disposal import orders as disposals
from daemon.policy.context import PolicyContext
from daemon.policy.store.rows import AnnouncedClipRow, IssuedOrderRow
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import LIMIT
from daemon.seal.verify import Verified, verify
from daemon.seal.wrap import seal_info, unwrap

S = TypeVar("S", bound=st.Statement)


class OtherFootageError(InconsistentError):
    """A dock announced other footage under a clip id that another dock announced before."""


_NO_RECORD = st.Because(
    policy_id="no-record", reason="the policy service has no record of this order; it was restored from a backup"
)


def receive(context: PolicyContext, data: bytes, dock_id: str, clip_id: str, *, whole: bool = True) -> str | None:
    """Takes in one notice. Returns the clip to reconsider, or None when the notice was refused or says nothing new.

    A notice as the broker retains it is not `whole`: it has neither seal nor capture. For a known clip these are stored
    already. For an unknown clip nothing is stored, and the acknowledgement that goes no further than before asks the
    dock to announce it again.
    """
    if not data:
        return None  # an empty payload clears what the broker retained, and says nothing
    try:
        notice = parse_model(Notice, data, what=f"notice of clip {clip_id}", limit=LIMIT)
        if (notice.dock_id, notice.clip_id) != (dock_id, clip_id):
            raise InconsistentError(f"the notice names clip {notice.clip_id} of {notice.dock_id}, its topic another")
        known = context.store.clip(clip_id, dock_id)
        if known is None and context.store.is_refused(dock_id, clip_id):
            _refuse_clip(context, notice)
            return None
        if known is None and notice.seal_envelope is None and not whole:
            context.docks_to_acknowledge.add(dock_id)
            return None
        if known is None or notice.sequence > known.sequence:
            accept = _accept_disposed if notice.lock.state == "disposed" else _accept
            accept(context, notice, known)
            clocks.heard(context, dock_id, notice.published_at)
        elif notice.sequence == known.sequence and notice.previous < known.previous:
            # the same notice with an earlier predecessor: those between were replaced by newer ones and never come
            context.store.put_clip(replace(known, previous=notice.previous))
        else:
            context.docks_to_acknowledge.add(dock_id)
            return None
    except OtherFootageError as error:
        _refuse_clip(context, notice)
        context.refuse("notice", error, hashlib.sha256(data).hexdigest(), clip_id)
        return None
    except VerificationError as error:
        context.refuse("notice", error, hashlib.sha256(data).hexdigest(), clip_id if is_clip_id(clip_id) else None)
        return None
    context.docks_to_acknowledge.add(dock_id)
    _compare_orders(context, notice)
    return clip_id


def acknowledge(context: PolicyContext) -> None:
    """Publishes an acknowledgement to each dock whose notices came in this transaction.

    It says that every notice up to `through` is stored, and that our key opens the clips they announce.
    """
    for dock_id in sorted(context.docks_to_acknowledge):
        through = context.store.advance_through(dock_id)
        ack = st.Acknowledgement(dock_id=dock_id, through=through, recipients=(context.open_keyid,), at=context.now())
        context.store.enqueue(
            context.topics.ack(dock_id), envelopes.sign(ack, context.sign_key).to_bytes(), retain=True
        )
    context.docks_to_acknowledge.clear()


def _accept_disposed(context: PolicyContext, notice: Notice, known: AnnouncedClipRow | None) -> None:
    """A dock has carried out a disposal that we ordered: destroys our own wrapped keys as well."""
    if known is None or not disposals.was_ordered(context, notice.dock_id, notice.clip_id):
        raise InconsistentError(f"clip {notice.clip_id} is announced as disposed of without an order")
    disposals.complete(context, replace(known, sequence=notice.sequence, previous=notice.previous, disposed=True))


@dataclass(frozen=True)
class _Part(Generic[S]):
    """One of a notice's attestations. `fresh` is the verified one if it is not stored yet, otherwise None."""

    statement: S
    digest: str
    fresh: Verified[S] | None


def _accept(context: PolicyContext, notice: Notice, known: AnnouncedClipRow | None) -> None:
    """Verifies and stores a notice of a clip that is not disposed of."""
    now = context.now()
    if known is not None and known.disposed:
        raise InconsistentError(f"clip {notice.clip_id} was disposed of; nothing of it can come back")
    seal = _read_part(context, notice.seal_envelope, st.Seal, known.seal_sha256 if known else None, now)
    _check_agrees(notice, seal.statement)
    if known is None:
        _prove_key_opens(context, seal.statement)
    if known is not None and known.seal_sha256 != seal.digest:
        raise InconsistentError(f"dock {notice.dock_id} sealed clip {notice.clip_id} twice; its first seal stands")
    capture = _read_capture(context, notice, seal.statement, known)
    _refuse_other_footage(context, notice, seal.statement, capture)
    tag = _read_part(context, notice.tag_envelope, st.Tag, None, now)
    if (tag.statement.clip_id, tag.statement.dock_id) != (notice.clip_id, notice.dock_id):
        raise InconsistentError("the tag is another clip's")
    wearers = _wearers(context, notice.clip_id, tag.statement)
    _store_new(context, notice.clip_id, seal.fresh, tag.fresh, capture.fresh if capture else None)
    context.store.put_clip(
        AnnouncedClipRow(
            dock_id=notice.dock_id,
            clip_id=notice.clip_id,
            sequence=notice.sequence,
            previous=notice.previous,
            officer_id=capture.statement.officer_id if capture else UNKNOWN_OFFICER,
            seal_sha256=seal.digest,
            capture_sha256=capture.digest if capture else None,
            tag_sha256=tag.digest,
            clip_sha256=seal.statement.clip_sha256,
            integrity=seal.statement.integrity,
            recorded_at=format_instant(_began(seal.statement, capture)),
        )
    )
    for assignment in tag.statement.activation.assignments:
        context.store.add_incident(notice.clip_id, assignment.incident_id)
    _reconsider_beside(context, notice.clip_id, wearers)


def _began(seal: st.Seal, capture: _Part[st.Capture] | None) -> datetime:
    """When the recording began, by the dock's clock; without a capture, when it was ingested."""
    if capture is None:
        return seal.ingested_at
    return put_right(capture.statement.started_at, seal.clock_skew_seconds)


def _wearers(context: PolicyContext, clip_id: str, tag: st.Tag) -> dict[str, frozenset[str]]:
    """Who wore cameras in the incidents that the clip belongs to, or will by its tag, as far as that is known now."""
    names = {*context.store.incidents(clip_id), *(one.incident_id for one in tag.activation.assignments)}
    return {name: context.store.captured_by(name) for name in sorted(names)}


def _reconsider_beside(context: PolicyContext, clip_id: str, before: dict[str, frozenset[str]]) -> None:
    """Has the other clips of an incident reconsidered once somebody else turns out to have worn a camera there."""
    for name, wearers in before.items():
        if context.store.captured_by(name) != wearers:
            beside = [other for other in context.store.clips_of_incident(name) if other != clip_id]
            context.store.add_pending(beside, format_instant(context.now()))


def _refuse_other_footage(
    context: PolicyContext, notice: Notice, seal: st.Seal, capture: _Part[st.Capture] | None
) -> None:
    """Refuses a clip whose id another dock announced for other footage. The same verified capture is a copy.

    Raises OtherFootageError.
    """
    for other in context.store.copies(notice.clip_id):
        if other.dock_id == notice.dock_id:
            continue
        if capture is not None and other.capture_sha256 is None:
            context.store.demote(other)  # an id is only ever given to footage whose capture verified
            continue
        same = capture is not None and capture.digest == other.capture_sha256 and seal.clip_sha256 == other.clip_sha256
        if not same:
            raise OtherFootageError(
                f"dock {notice.dock_id} announces other footage under clip {notice.clip_id}, which dock"
                f" {other.dock_id} announced first; the first stands"
            )


def _refuse_clip(context: PolicyContext, notice: Notice) -> None:
    """Acknowledges a notice as refused: nothing of it counts, and the dock need not announce it again."""
    context.store.refuse_clip(notice.dock_id, notice.clip_id, notice.sequence, notice.previous)
    context.docks_to_acknowledge.add(notice.dock_id)


def _read_part(
    context: PolicyContext, envelope: dict[str, Any] | None, kind: type[S], stored: str | None, at: datetime
) -> _Part[S]:
    """Verifies one of the notice's envelopes. Without an envelope, reads the `stored` one, which verifies it again."""
    if envelope is None and stored is not None:
        return _Part(context.store.statement(stored, kind), stored, None)
    parsed = envelopes.from_dict(envelope or {}, what=f"the notice's {kind.kind}")
    if context.store.has(parsed.digest):
        return _Part(context.store.statement(parsed.digest, kind), parsed.digest, None)
    verified = verify(parsed, kind, context.trust, at=at)
    return _Part(verified.statement, verified.digest, verified)


def _check_agrees(notice: Notice, seal: st.Seal) -> None:
    """Refuses a notice whose plain fields do not repeat those of its seal."""
    for field in ("clip_id", "dock_id", "clip_sha256", "sealed_sha256", "sealed_bytes", "integrity"):
        if getattr(notice, field) != getattr(seal, field):
            raise InconsistentError(f"the notice's {field} is not its seal's")


def _read_capture(
    context: PolicyContext, notice: Notice, seal: st.Seal, known: AnnouncedClipRow | None
) -> _Part[st.Capture] | None:
    """The camera's capture. None when the dock itself found none that verifies: then the clip is in quarantine."""
    if seal.integrity not in {"verified", "unplayable"}:
        return None
    stored = known.capture_sha256 if known else None
    if (notice.capture_envelope is None and stored is None) or seal.capture_sha256 is None:
        raise InconsistentError(f"integrity {seal.integrity} without a capture")
    capture = _read_part(context, notice.capture_envelope, st.Capture, stored, seal.ingested_at)
    if capture.digest != seal.capture_sha256:
        raise InconsistentError("the capture is not the one that the seal names")
    if capture.statement.sha256 != seal.clip_sha256:
        raise InconsistentError("the capture's footage is not what was sealed")
    return capture


def _prove_key_opens(context: PolicyContext, seal: st.Seal) -> None:
    """Opens the data key that is wrapped to us, so that an acknowledgement proves we can.

    Refuses a clip whose data key is also wrapped to somebody who is no escrow.
    """
    ours = context.open_keyid
    strangers = {wrapped.recipient for wrapped in seal.wrapped_keys} - context.trust.escrow_ids()
    if strangers:
        raise SignerNotAllowedError(f"clip {seal.clip_id} is wrapped to a key that is no escrow: {min(strangers)[:16]}")
    for wrapped in seal.wrapped_keys:
        if wrapped.recipient == ours:
            unwrap(wrapped, context.open_key, seal_info(seal, ours))
            return
    raise InconsistentError(f"clip {seal.clip_id} is not wrapped to the policy service")


def _store_new(context: PolicyContext, clip_id: str, *fresh: Verified[Any] | None) -> None:
    now, accepted = context.now(), [verified for verified in fresh if verified is not None]
    for verified in accepted:
        context.store.add(verified, format_instant(now), context.trust.version)
    context.custody.append_all(
        [NewEntry(CustodyAction.ACCEPTED, clip_id, {"kind": v.statement.kind}, (v.digest,)) for v in accepted], now
    )


def _compare_orders(context: PolicyContext, notice: Notice) -> None:
    """Compares the orders that the notice shows with ours.

    An order shown as we issued it is published no more. A live order that we have no record of is revoked.
    """
    shown = {release.order_id: release for release in notice.lock.releases}
    ours = context.store.orders(notice.clip_id, notice.dock_id)
    for order in ours:
        if not order.listed and order.order_id in shown and shown[order.order_id].state == order.state:
            context.store.put_order(replace(order, listed=True))
    for order_id in shown.keys() - {order.order_id for order in ours}:
        if shown[order_id].state == "live":
            _revoke_unknown(context, notice, shown[order_id])


def _revoke_unknown(context: PolicyContext, notice: Notice, shown: NoticeRelease) -> None:
    """Revokes an order that was issued after the backup from which this service was restored.

    We do not know what it rested on, so no later fact would revoke it. Its request is decided when it comes again.
    """
    who = (notice.dock_id, notice.clip_id, shown.person_id)
    until = format_instant(shown.expires_at)
    order = IssuedOrderRow(shown.order_id, "", *who, until, "live", listed=False, envelope=b"")
    orders.revoke(context, order, (_NO_RECORD,), because=_NO_RECORD.policy_id)
