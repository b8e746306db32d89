"""The outbox: messages that were decided on in a transaction and that the broker has not taken yet."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select, true

from daemon.policy.store import tables
from daemon.policy.store.sql import QueryRunner, insert_numbered

_O = tables.outbox.c
_DROP_OLDER = delete(tables.outbox).where(_O.topic == bindparam("on"), _O.retain == true())
_ADD = insert_numbered(tables.outbox)
_SAME = select(_O.id).where(_O.topic == bindparam("on"), _O.payload == bindparam("message")).limit(1)
_WAITING = select(tables.outbox).where(_O.id > bindparam("after")).order_by(_O.id).limit(bindparam("most"))
_REMOVE = delete(tables.outbox).where(_O.id == bindparam("of"))


class Outbox(QueryRunner):
    """Messages to publish, in the order in which they were decided on."""

    def enqueue(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Adds a message. It is published after this transaction is durable, and stays until the broker has taken it.

        Of the retained messages on one topic only the newest is kept.
        """
        if retain:
            self.run(_DROP_OLDER, on=topic)
        self.run(_ADD, topic=topic, payload=payload, retain=retain)

    def enqueue_once(self, topic: str, payload: bytes) -> None:
        """As `enqueue` without `retain`, unless the same message waits already."""
        if self.one(_SAME, on=topic, message=payload) is None:
            self.enqueue(topic, payload, retain=False)

    def waiting_messages(self, after: int, limit: int) -> list[tuple[int, str, bytes, bool]]:
        """At most `limit` messages with a number above `after`: number, topic, payload, whether it is retained."""
        rows = self.run(_WAITING, after=after, most=limit)
        return [(row[0], row[1], bytes(row[2]), bool(row[3])) for row in rows]

    def remove_message(self, number: int) -> None:
        """Removes a message that the broker has taken."""
        self.run(_REMOVE, of=number)
