"""What docks announce: verified, proven to open, stored, and then covered by the acknowledgement.

`through` advances only over notices whose every part held; a dock whose notice is refused hears nothing, and says
it again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from daemon.custody.log import Event
from daemon.model import statements as st
from daemon.model.documents import Notice, NoticeRelease
from daemon.model.errors import InconsistentError, SignerNotAllowedError, VerificationError
from daemon.model.parse import parse_model
from daemon.model.times import format_instant
from daemon.model.types import is_clip_id
from daemon.policy.cases import decisions, disposal
from daemon.policy.context import PolicyContext
from daemon.policy.store.rows import AnnouncedClipRow, IssuedOrderRow
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import LIMIT
from daemon.seal.verify import Verified, verify
from daemon.seal.wrap import seal_info, unwrap

S = TypeVar("S", bound=st.Statement)
_NO_RECORD = st.Because(
    policy_id="no-record", reason="the policy service has no record of this order; it was restored from a backup"
)
UNKNOWN_OFFICER = "unknown"
"""The wearer of footage without a capture that holds, until a correction names one."""


def receive(context: PolicyContext, data: bytes, dock_id: str, clip_id: str, *, whole: bool = True) -> str | None:
    """One notice. Returns the clip to reconsider, None when it says nothing new or was refused.

    One that is not `whole`, as the broker retains it, has neither seal nor capture: of a clip that is known here they
    are known as well. The acknowledgement asks the dock to announce the others again, by going no further.
    """
    if not data:
        return None  # an empty retained payload never means anything
    try:
        notice = parse_model(Notice, data, what=f"notice of clip {clip_id}", limit=LIMIT)
        if (notice.dock_id, notice.clip_id) != (dock_id, clip_id):
            raise InconsistentError(f"the notice names clip {notice.clip_id} of {notice.dock_id}, its topic another")
        known = context.store.clip(clip_id, dock_id)
        if known is None and notice.seal_envelope is None and not whole:
            context.heard.add(dock_id)
            return None
        if known is None or notice.sequence > known.sequence:
            accept = _accept_disposed if notice.lock.state == "disposed" else _accept
            accept(context, notice, known)
        elif notice.sequence == known.sequence and notice.previous < known.previous:
            # said again: what came between was superseded since, and will never be heard
            context.store.put_clip(replace(known, previous=notice.previous))
        else:
            context.heard.add(dock_id)
            return None
    except VerificationError as error:
        context.refuse("notice", error, hashlib.sha256(data).hexdigest(), clip_id if is_clip_id(clip_id) else None)
        return None
    context.heard.add(dock_id)
    _note_listed(context, notice)
    return clip_id


def acknowledge(context: PolicyContext) -> None:
    """Tells every dock heard in this transaction what it may rely on: everything up to `through` is stored, and its
    wraps open with our key.
    """
    for dock_id in sorted(context.heard):
        through = context.store.advance_through(dock_id)
        ack = st.Acknowledgement(dock_id=dock_id, through=through, recipients=(context.open_keyid,), at=context.now())
        context.store.enqueue(
            context.topics.ack(dock_id), envelopes.sign(ack, context.sign_key).to_bytes(), retain=True
        )
    context.heard.clear()


def _accept_disposed(context: PolicyContext, notice: Notice, known: AnnouncedClipRow | None) -> None:
    """A dock has carried out a disposal that we ordered: our own wraps go as well."""
    if known is None or not disposal.ordered(context, notice.dock_id, notice.clip_id):
        raise InconsistentError(f"clip {notice.clip_id} is announced as disposed of without an order")
    disposal.forget(context, replace(known, sequence=notice.sequence, previous=notice.previous, disposed=True))


@dataclass(frozen=True)
class _Part(Generic[S]):
    """One of a notice's attestations; `fresh` when it was not stored before."""

    statement: S
    digest: str
    fresh: Verified[S] | None


def _accept(context: PolicyContext, notice: Notice, known: AnnouncedClipRow | None) -> None:
    now = context.now()
    if known is not None and known.disposed:
        raise InconsistentError(f"clip {notice.clip_id} was disposed of; nothing of it can come back")
    seal = _part(context, notice.seal_envelope, st.Seal, known.seal_sha256 if known else None, now)
    _agree(notice, seal.statement)
    if known is not None and known.seal_sha256 != seal.digest:
        raise InconsistentError(f"dock {notice.dock_id} sealed clip {notice.clip_id} twice; its first seal stands")
    capture = _capture(context, notice, seal.statement, known)
    tag = _part(context, notice.tag_envelope, st.Tag, None, now)
    if (tag.statement.clip_id, tag.statement.dock_id) != (notice.clip_id, notice.dock_id):
        raise InconsistentError("the tag is another clip's")
    if known is None:
        _prove_wraps(context, seal.statement)
    _keep(context, notice.clip_id, seal.fresh, tag.fresh, capture.fresh if capture else None)
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
            recorded_at=format_instant(capture.statement.started_at if capture else seal.statement.ingested_at),
        )
    )
    for assignment in tag.statement.activation.assignments:
        context.store.add_incident(notice.clip_id, assignment.incident_id)


def _part(
    context: PolicyContext, envelope: dict[str, Any] | None, kind: type[S], stored: str | None, at: datetime
) -> _Part[S]:
    """Verifies one of the notice's envelopes, or takes the `stored` one; that is verified as it is read back."""
    if envelope is None and stored is not None:
        return _Part(context.store.statement(stored, kind), stored, None)
    parsed = envelopes.from_dict(envelope or {}, what=f"the notice's {kind.kind}")
    if context.store.has(parsed.digest):
        return _Part(context.store.statement(parsed.digest, kind), parsed.digest, None)
    verified = verify(parsed, kind, context.trust, at=at)
    return _Part(verified.statement, verified.digest, verified)


def _agree(notice: Notice, seal: st.Seal) -> None:
    """The plain fields of a notice repeat its seal; one that says otherwise is refused."""
    for field in ("clip_id", "dock_id", "clip_sha256", "sealed_sha256", "sealed_bytes", "integrity"):
        if getattr(notice, field) != getattr(seal, field):
            raise InconsistentError(f"the notice's {field} is not its seal's")


def _capture(
    context: PolicyContext, notice: Notice, seal: st.Seal, known: AnnouncedClipRow | None
) -> _Part[st.Capture] | None:
    """The camera's capture, unless the dock itself found none that holds: then the clip is in quarantine."""
    if seal.integrity not in {"verified", "unplayable"}:
        return None
    stored = known.capture_sha256 if known else None
    if (notice.capture_envelope is None and stored is None) or seal.capture_sha256 is None:
        raise InconsistentError(f"integrity {seal.integrity} without a capture")
    capture = _part(context, notice.capture_envelope, st.Capture, stored, seal.ingested_at)
    if capture.digest != seal.capture_sha256:
        raise InconsistentError("the capture is not the one that the seal names")
    if capture.statement.sha256 != seal.clip_sha256:
        raise InconsistentError("the capture's footage is not what was sealed")
    return capture


def _prove_wraps(context: PolicyContext, seal: st.Seal) -> None:
    """Opens our wrap, so that an acknowledgement proves we can; refuses wraps to anybody else."""
    ours = context.open_keyid
    strangers = {wrapped.recipient for wrapped in seal.wrapped_keys} - context.trust.escrow_ids()
    if strangers:
        raise SignerNotAllowedError(f"clip {seal.clip_id} is wrapped to a key that is no escrow: {min(strangers)[:16]}")
    for wrapped in seal.wrapped_keys:
        if wrapped.recipient == ours:
            unwrap(wrapped, context.open_key, seal_info(seal, ours))
            return
    raise InconsistentError(f"clip {seal.clip_id} is not wrapped to the policy service")


def _keep(context: PolicyContext, clip_id: str, *fresh: Verified[Any] | None) -> None:
    now, accepted = context.now(), [verified for verified in fresh if verified is not None]
    for verified in accepted:
        context.store.add(verified, format_instant(now), context.trust.version)
    context.custody.append_all(
        [Event("accepted", clip_id, {"kind": v.statement.kind}, (v.digest,)) for v in accepted], now
    )


def _note_listed(context: PolicyContext, notice: Notice) -> None:
    """Orders that the dock shows as we issued them need no repeating; live ones that we never issued are revoked."""
    shown = {release.order_id: release for release in notice.lock.releases}
    ours = context.store.orders(notice.clip_id, notice.dock_id)
    for order in ours:
        if not order.listed and order.order_id in shown and shown[order.order_id].state == order.state:
            context.store.put_order(replace(order, listed=True))
    for order_id in shown.keys() - {order.order_id for order in ours}:
        if shown[order_id].state == "live":
            _revoke_unknown(context, notice, shown[order_id])


def _revoke_unknown(context: PolicyContext, notice: Notice, shown: NoticeRelease) -> None:
    """An order issued after the backup we were restored from. No change of facts would ever revoke it: we do not know
    what it rested on. Its request, heard again, is decided again.
    """
    who = (notice.dock_id, notice.clip_id, shown.person_id)
    until = format_instant(shown.expires_at)
    order = IssuedOrderRow(shown.order_id, "", *who, until, "live", listed=False, envelope=b"")
    decisions.revoke(context, order, (_NO_RECORD,), because=_NO_RECORD.policy_id)
