"""Requests to view, the orders that were issued, and the decisions on record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    case,
    delete,
    false,
    literal,
    not_,
    or_,
    select,
    true,
    union,
    update,
)

from daemon.policy.store import tables
from daemon.policy.store.rows import AnnouncedClipRow, DecisionRow, IssuedOrderRow, RequestRow
from daemon.policy.store.sql import QueryRunner, insert_numbered, row_values, upsert

_R, _O, _D = tables.request.c, tables.release_order.c, tables.decision.c
_PAGE = 1000
_OPEN = _R.state == "open"
_REQUESTS = select(tables.request)
_REQUEST = _REQUESTS.where(_R.digest == bindparam("of"))
_PUT_REQUEST = upsert(tables.request)
_REQUESTS_OF_CLIP = _REQUESTS.where(_R.clip_id == bindparam("clip"), _OPEN).order_by(_R.digest)
_OPENED_BEFORE = _REQUESTS.where(_OPEN, _R.opened_at < bindparam("before")).order_by(_R.digest)
_MARK_ANSWERS = (
    update(tables.request).where(_OPEN, not_(_R.answer.like("-%"))).values(answer=literal("-").concat(_R.answer))
)
_WITH_OPEN_REQUEST = select(_R.clip_id).where(_OPEN).distinct()


def _orders(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(tables.release_order).where(*conditions).order_by(_O.order_id)


_LIVE = _O.state == "live"
_OF_CLIP = _O.clip_id == bindparam("clip")
_OF_DOCK = _O.dock_id == bindparam("dock")
_PUT_ORDER = upsert(tables.release_order)
_ORDERS_OF_CLIP = _orders(_OF_CLIP)
_ORDERS_ON_DOCK = _orders(_OF_CLIP, _OF_DOCK)
_LIVE_ORDERS = _orders(_LIVE)
_LIVE_OF_CLIP = _orders(_OF_CLIP, _LIVE)
_EXPIRED = _orders(_LIVE, _O.expires_at <= bindparam("now"))
_UNLISTED = _orders(_O.listed == false())
_DISPOSALS = _orders(_OF_CLIP, _OF_DOCK, _O.state == "disposal")
_EVER_DISPOSALS = _orders(_OF_CLIP, _OF_DOCK, or_(_O.state == "disposal", _O.state == "taken_back"))
_WAITING_DISPOSALS = _orders(_O.listed == false(), _O.state == "disposal")
_ERASE_ORDERS = (
    update(tables.release_order)
    .where(_OF_CLIP, _OF_DOCK)
    .values(envelope=bindparam("nothing"), listed=true(), state=case((_LIVE, "expired"), else_=_O.state))
)
_ERASE_MESSAGES = delete(tables.outbox).where(tables.outbox.c.topic.like(bindparam("topic")))

_ASKED_BY = union(
    select(_R.clip_id).where(_R.person_id == bindparam("person"), _OPEN),
    select(_O.clip_id).where(_O.person_id == bindparam("person"), _LIVE),
)
_ADD_DECISION = insert_numbered(tables.decision)
_DECISIONS = (
    select(_D.id, *(_D[field.name] for field in fields(DecisionRow)))
    .where(_D.id > bindparam("after"))
    .order_by(_D.id)
    .limit(_PAGE)
)


class Requests(QueryRunner):
    """Who asked for which clip, which orders were issued, and what was decided."""

    # requests

    def put_request(self, request: RequestRow) -> None:
        """Stores a request, in the place of the row with the same digest."""
        self.run(_PUT_REQUEST, **row_values(request))

    def open_requests(self, clip_id: str) -> list[RequestRow]:
        """The open requests for a clip, by digest."""
        return [RequestRow(*row) for row in self.run(_REQUESTS_OF_CLIP, clip=clip_id)]

    def request(self, digest: str) -> RequestRow | None:
        """The request with this digest, or None."""
        row = self.one(_REQUEST, of=digest)
        return RequestRow(*row) if row else None

    def requests_opened_before(self, at: str) -> list[RequestRow]:
        """Requests that are still open and were made before `at`."""
        return [RequestRow(*row) for row in self.run(_OPENED_BEFORE, before=at)]

    def republish_decisions(self) -> set[str]:
        """Marks the decision on every open request to be published again. Returns the clips of these requests."""
        self.run(_MARK_ANSWERS)
        return {row[0] for row in self.run(_WITH_OPEN_REQUEST)}

    def clips_asked_by(self, person_id: str) -> set[str]:
        """The clips for which this person has an open request or a live order."""
        return {row[0] for row in self.run(_ASKED_BY, person=person_id)}

    # orders

    def put_order(self, order: IssuedOrderRow) -> None:
        """Stores an order, in the place of the row with the same id."""
        self.run(_PUT_ORDER, **row_values(order))

    def put_disposal(self, order_id: str, clip: AnnouncedClipRow, envelope: bytes) -> None:
        """Stores a disposal order. It is published again until the dock's notice shows the clip disposed of."""
        self.put_order(
            IssuedOrderRow(
                order_id, "", clip.dock_id, clip.clip_id, "", "9999", "disposal", listed=False, envelope=envelope
            )
        )

    def orders(self, clip_id: str, dock_id: str | None = None) -> list[IssuedOrderRow]:
        """Every order about the clip, of one dock or of all docks."""
        if dock_id is None:
            return self._find_orders(_ORDERS_OF_CLIP, clip=clip_id)
        return self._find_orders(_ORDERS_ON_DOCK, clip=clip_id, dock=dock_id)

    def live_orders(self, clip_id: str | None = None) -> list[IssuedOrderRow]:
        """The release orders in force: for one clip, or all."""
        return self._find_orders(_LIVE_ORDERS) if clip_id is None else self._find_orders(_LIVE_OF_CLIP, clip=clip_id)

    def expired_orders(self, now: str) -> list[IssuedOrderRow]:
        """Orders that are still live in the store, though their time ended at or before `now`."""
        return self._find_orders(_EXPIRED, now=now)

    def unlisted_orders(self) -> list[IssuedOrderRow]:
        """Orders that no notice of their clip shows yet."""
        return self._find_orders(_UNLISTED)

    def disposal_ordered(self, dock_id: str, clip_id: str, *, taken_back: bool = False) -> bool:
        """Whether this dock is ordered to dispose of the clip. `taken_back`: also by an order that was taken back."""
        query = _EVER_DISPOSALS if taken_back else _DISPOSALS
        return bool(self._find_orders(query, clip=clip_id, dock=dock_id))

    def waiting_disposals(self) -> list[IssuedOrderRow]:
        """Disposal orders that their docks have not carried out, as far as it is known."""
        return self._find_orders(_WAITING_DISPOSALS)

    def erase_orders(self, clip_id: str, dock_id: str) -> None:
        """Destroys the wrapped keys in every order for a clip, also in orders that wait in the outbox."""
        self.run(_ERASE_ORDERS, clip=clip_id, dock=dock_id, nothing=b"")
        self.run(_ERASE_MESSAGES, topic=f"%/order/{dock_id}/{clip_id}")

    def _find_orders(self, query: Select[Any], **values: Any) -> list[IssuedOrderRow]:
        return [IssuedOrderRow(*row) for row in self.run(query, **values)]

    # decisions on record

    def add_decision(self, row: DecisionRow) -> None:
        """Puts a decision on record. It is never changed."""
        self.run(_ADD_DECISION, **row_values(row))

    def decisions(self) -> Iterator[DecisionRow]:
        """Every decision on record, oldest first. Reads 1,000 at a time."""
        after = 0
        while rows := self.run(_DECISIONS, after=after).fetchall():
            yield from (DecisionRow(*row[1:]) for row in rows)
            after = rows[-1][0]
