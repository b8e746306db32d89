"""Each message that arrives over MQTT, to whoever handles it; acknowledgements and openings are handled here."""

from __future__ import annotations

from collections.abc import Callable

from daemon.custody.log import NewEntry
from daemon.dock.context import DockContext, Transaction
from daemon.dock.dispatch import documents
from daemon.dock.inbox import corrections, excusals, orders
from daemon.dock.store.meta import MetaKey
from daemon.link.mqtt import Received
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import InconsistentError, VerificationError
from daemon.model.statements import Acknowledgement, Opened
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.verify import verify


def subscriptions(dock: DockContext) -> tuple[str, ...]:
    """The topics that a dock listens to."""
    topics = dock.topics
    return (
        topics.ack(dock.dock_id),
        topics.order(dock.dock_id, "+"),
        topics.every_cad,
        topics.attestation("+", "opened", "+"),
        topics.attestation("+", "correction", "+"),
        topics.attestation("+", "excusal", "+"),
        topics.attestation("+", "withdrawal", "+"),
    )


def can_wait(dock: DockContext, message: Received) -> bool:
    """Whether a message may be handled some moments later, together with others: a dispatch document."""
    return dock.topics.incident_of(message.topic) is not None


def receive(
    tx: Transaction, message: Received, acknowledged: Callable[[int], None], wake_bays: Callable[[], None]
) -> None:
    """Handles one message. Bad input is refused and recorded, never raised.

    `acknowledged` is told up to which notice the policy service had acknowledged before.
    """
    match tx.dock.topics.split(message.topic):
        case ("ack", _):
            _acknowledgement(tx, message.payload, acknowledged)
        case ("order", _, clip_id):
            orders.receive(tx, message.payload, clip_id)
        case ("cad", *levels) if levels:
            documents.receive(tx, message.payload, "/".join(("cad", *levels)))
        case ("attestation", _, "opened", _):
            _opened(tx, message.payload)
        case ("attestation", _, "correction", _):
            _correction(tx, message.payload, wake_bays)
        case ("attestation", _, "excusal", _):
            _about_cameras(tx, message.payload, "excusal", excusals.receive)
        case ("attestation", _, "withdrawal", _):
            _about_cameras(tx, message.payload, "withdrawal", excusals.withdraw)
        case _:
            pass


def _correction(tx: Transaction, data: bytes, wake_bays: Callable[[], None]) -> None:
    if not data:
        return
    documents.apply_pending(tx)  # what is corrected here is tagged anew
    try:
        if corrections.receive(tx, data):
            wake_bays()  # the clip's camera may have its receipt now
    except VerificationError as error:
        _refuse(tx, "correction", error)


def _about_cameras(tx: Transaction, data: bytes, what: str, act: Callable[[Transaction, bytes], None]) -> None:
    if not data:
        return
    try:
        act(tx, data)
    except VerificationError as error:
        _refuse(tx, what, error)


def _acknowledgement(tx: Transaction, data: bytes, acknowledged: Callable[[int], None]) -> None:
    if not data:
        return  # an empty retained payload never means anything
    try:
        envelope = envelopes.parse(data, what="acknowledgement")
        ack = verify(envelope, Acknowledgement, tx.trust, at=tx.now()).statement
        if ack.dock_id != tx.dock.dock_id:
            raise InconsistentError(f"the acknowledgement is for dock {ack.dock_id}, this is {tx.dock.dock_id}")
    except VerificationError as error:
        _refuse(tx, "acknowledgement", error)
        return
    before = tx.store.acknowledged_through
    tx.store.set(MetaKey.THROUGH, str(ack.through))
    tx.store.set(MetaKey.RECIPIENTS, " ".join(sorted({*ack.recipients, *tx.store.proven_recipients})))
    acknowledged(before)


def _opened(tx: Transaction, data: bytes) -> None:
    """Somebody opened a clip of this dock: it belongs in the clip's custody."""
    if not data:
        return
    try:
        envelope = envelopes.parse(data, what="opened")
        if tx.store.seen(envelope.digest):
            return
        opened = verify(envelope, Opened, tx.trust, at=tx.now()).statement
    except VerificationError as error:
        _refuse(tx, "opened", error)
        return
    order = tx.store.order(opened.order_id)
    if order is None or (order.clip_id, order.person_id) != (opened.clip_id, opened.person_id):
        return  # another dock's clip
    tx.store.remember(envelope.digest, format_instant(tx.now()))
    detail = {"order_id": opened.order_id, "person_id": opened.person_id}
    tx.record(NewEntry(CustodyAction.OPENED, opened.clip_id, detail, (envelope.digest,)))


def _refuse(tx: Transaction, what: str, error: VerificationError) -> None:
    kind, reason = type(error).__name__, str(error)
    detail = {"what": what, "error": kind, "reason": reason[:500]}
    tx.refuse(what, kind, reason, repeat=f"{kind} {error}", detail=detail)
