"""What arrives for this dock over MQTT: acknowledgements, orders, dispatch documents, openings."""

from __future__ import annotations

import logging
from collections.abc import Callable

from daemon.custody.log import Event
from daemon.dock.context import Dock
from daemon.dock.dispatch import tags
from daemon.dock.inbox import corrections, orders
from daemon.link.mqtt import Received
from daemon.model.errors import InconsistentError, VerificationError
from daemon.model.statements import Acknowledgement, Opened
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.verify import verify

log = logging.getLogger(__name__)


def subscriptions(dock: Dock) -> tuple[str, ...]:
    topics = dock.topics
    return (
        topics.ack(dock.dock_id),
        topics.order(dock.dock_id, "+"),
        topics.cad("+"),
        topics.attestation("+", "opened", "+"),
        topics.attestation("+", "correction", "+"),
    )


def can_wait(dock: Dock, message: Received) -> bool:
    """Whether a message may be handled some moments later, together with others: a dispatch document."""
    return message.topic.startswith(dock.topics.cad(""))


def receive(dock: Dock, message: Received, acknowledged: Callable[[int], None], wake: Callable[[], None]) -> None:
    """Handles one message inside the service's transaction. Bad input is refused and recorded, never raised."""
    match dock.topics.split(message.topic):
        case ("ack", _):
            _acknowledgement(dock, message.payload, acknowledged)
        case ("order", _, clip_id):
            orders.receive(dock, message.payload, clip_id)
        case ("cad", incident_id):
            tags.receive(dock, message.payload, f"cad/{incident_id}")
        case ("attestation", _, "opened", _):
            _opened(dock, message.payload)
        case ("attestation", _, "correction", _):
            _correction(dock, message.payload, wake)
        case _:
            pass


def _correction(dock: Dock, data: bytes, wake: Callable[[], None]) -> None:
    if not data:
        return
    tags.settle(dock)  # what is corrected here is tagged anew
    try:
        if corrections.receive(dock, data):
            wake()  # the clip's camera may have its receipt now
    except VerificationError as error:
        _refuse(dock, "correction", error)


def _acknowledgement(dock: Dock, data: bytes, acknowledged: Callable[[int], None]) -> None:
    if not data:
        return  # an empty retained payload never means anything
    try:
        ack = verify(
            envelopes.parse(data, what="acknowledgement"), Acknowledgement, dock.trust, at=dock.now()
        ).statement
        if ack.dock_id != dock.dock_id:
            raise InconsistentError(f"the acknowledgement is for dock {ack.dock_id}, this is {dock.dock_id}")
    except VerificationError as error:
        _refuse(dock, "acknowledgement", error)
        return
    before = dock.through
    dock.store.set("through", str(ack.through))
    dock.store.set("recipients", " ".join(sorted({*ack.recipients, *dock.proven_recipients})))
    acknowledged(before)


def _opened(dock: Dock, data: bytes) -> None:
    """Somebody opened a clip of this dock: it belongs in the clip's custody."""
    if not data:
        return
    try:
        envelope = envelopes.parse(data, what="opened")
        if dock.store.seen(envelope.digest):
            return
        opened = verify(envelope, Opened, dock.trust, at=dock.now()).statement
    except VerificationError as error:
        _refuse(dock, "opened", error)
        return
    order = dock.store.order(opened.order_id)
    if order is None or (order.clip_id, order.person_id) != (opened.clip_id, opened.person_id):
        return  # another dock's clip
    dock.store.remember(envelope.digest, format_instant(dock.now()))
    detail = {"order_id": opened.order_id, "person_id": opened.person_id}
    dock.record(Event("opened", opened.clip_id, detail, (envelope.digest,)))


def _refuse(dock: Dock, what: str, error: VerificationError) -> None:
    if dock.first_refusal(f"{what} {type(error).__name__} {error}"):
        dock.record(Event("refused", None, {"what": what, "error": type(error).__name__, "reason": str(error)[:500]}))
        dock.metrics.refused(what, type(error).__name__)
        log.warning("refused: %s: %s", what, error)
