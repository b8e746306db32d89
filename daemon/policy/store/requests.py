"""Requests, the orders and decisions that came of them, and what the board was told of each clip."""

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
    exists,
    false,
    func,
    literal,
    not_,
    select,
    true,
    union,
    update,
)

from daemon.policy.store import tables
from daemon.policy.store.clips import AnnouncedClips
from daemon.policy.store.rows import AnnouncedClipRow, DecisionRow, IssuedOrderRow, RequestRow
from daemon.policy.store.sql import append, put, row_values

_R, _O, _D, _S = tables.request.c, tables.release_order.c, tables.decision.c, tables.standing.c
_PAGE = 1000
_OPEN = _R.state == "open"
_REQUESTS = select(tables.request)
_REQUEST = _REQUESTS.where(_R.digest == bindparam("of"))
_PUT_REQUEST = put(tables.request)
_REQUESTS_OF_CLIP = _REQUESTS.where(_R.clip_id == bindparam("clip"), _OPEN).order_by(_R.digest)
_STALE = _REQUESTS.where(_OPEN, _R.opened_at < bindparam("before")).order_by(_R.digest)


def _orders(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(tables.release_order).where(*conditions).order_by(_O.order_id)


_LIVE = _O.state == "live"
_OF_CLIP = _O.clip_id == bindparam("clip")
_OF_DOCK = _O.dock_id == bindparam("dock")
_PUT_ORDER = put(tables.release_order)
_ORDERS_OF_CLIP = _orders(_OF_CLIP)
_ORDERS_ON_DOCK = _orders(_OF_CLIP, _OF_DOCK)
_LIVE_ORDERS = _orders(_LIVE)
_LIVE_OF_CLIP = _orders(_OF_CLIP, _LIVE)
_RUN_OUT = _orders(_LIVE, _O.expires_at <= bindparam("now"))
_UNLISTED = _orders(_O.listed == false())
_DISPOSALS = _orders(_OF_CLIP, _OF_DOCK, _O.state == "disposal")
_FORGET = (
    update(tables.release_order)
    .where(_OF_CLIP, _OF_DOCK)
    .values(envelope=bindparam("nothing"), listed=true(), state=case((_LIVE, "expired"), else_=_O.state))
)
_FORGET_POSTS = delete(tables.outbox).where(tables.outbox.c.topic.like(bindparam("topic")))

_ADD_DECISION = append(tables.decision)
_DECISIONS = (
    select(_D.id, *(_D[field.name] for field in fields(DecisionRow)))
    .where(_D.id > bindparam("after"))
    .order_by(_D.id)
    .limit(_PAGE)
)
_STANDING = select(_S.fingerprint).where(_S.dock_id == bindparam("dock"), _S.clip_id == bindparam("clip"))
_PUT_STANDING = put(tables.standing)
_OVERDUE = select(_S.clip_id).where(_S.overdue == false(), _S.due.is_not(None), _S.due < bindparam("now"))
_ANSWER_AGAIN = (
    update(tables.request).where(_OPEN, not_(_R.answer.like("-%"))).values(answer=literal("-").concat(_R.answer))
)
_STAND_AGAIN = update(tables.standing).values(fingerprint="")
_SAID_AGAIN = union(select(_R.clip_id).where(_OPEN), select(_S.clip_id))

_DISPOSED = exists().where(
    tables.clip.c.dock_id == _S.dock_id, tables.clip.c.clip_id == _S.clip_id, tables.clip.c.disposed == true()
)
_COUNTS = {
    "open_requests": select(func.count()).select_from(tables.request).where(_OPEN),
    "live_orders": select(func.count()).select_from(tables.release_order).where(_LIVE),
    "overdue_clips": select(func.count()).select_from(tables.standing).where(_S.overdue == true(), ~_DISPOSED),
    "outbox_messages": select(func.count()).select_from(tables.outbox),
}


class Requests(AnnouncedClips):
    """Who asked for which clip, and what was answered."""

    # requests

    def put_request(self, request: RequestRow) -> None:
        self.run(_PUT_REQUEST, **row_values(request))

    def open_requests(self, clip_id: str) -> list[RequestRow]:
        return [RequestRow(*row) for row in self.run(_REQUESTS_OF_CLIP, clip=clip_id)]

    def request(self, digest: str) -> RequestRow | None:
        row = self.one(_REQUEST, of=digest)
        return RequestRow(*row) if row else None

    def stale_requests(self, before: str) -> list[RequestRow]:
        return [RequestRow(*row) for row in self.run(_STALE, before=before)]

    # orders

    def put_order(self, order: IssuedOrderRow) -> None:
        self.run(_PUT_ORDER, **row_values(order))

    def put_disposal(self, order_id: str, clip: AnnouncedClipRow, envelope: bytes) -> None:
        """A disposal order; repeated until its dock's notice shows the clip disposed of."""
        self.put_order(
            IssuedOrderRow(
                order_id, "", clip.dock_id, clip.clip_id, "", "9999", "disposal", listed=False, envelope=envelope
            )
        )

    def orders(self, clip_id: str, dock_id: str | None = None) -> list[IssuedOrderRow]:
        """Every order about the clip, of one dock or of all."""
        if dock_id is None:
            return self._found(_ORDERS_OF_CLIP, clip=clip_id)
        return self._found(_ORDERS_ON_DOCK, clip=clip_id, dock=dock_id)

    def live_orders(self, clip_id: str | None = None) -> list[IssuedOrderRow]:
        return self._found(_LIVE_ORDERS) if clip_id is None else self._found(_LIVE_OF_CLIP, clip=clip_id)

    def run_out(self, now: str) -> list[IssuedOrderRow]:
        """Live orders whose time is over."""
        return self._found(_RUN_OUT, now=now)

    def unlisted_orders(self) -> list[IssuedOrderRow]:
        """Orders that no notice of their clip shows yet."""
        return self._found(_UNLISTED)

    def disposal_ordered(self, dock_id: str, clip_id: str) -> bool:
        return bool(self._found(_DISPOSALS, clip=clip_id, dock=dock_id))

    def _found(self, statement: Select[Any], **values: Any) -> list[IssuedOrderRow]:
        return [IssuedOrderRow(*row) for row in self.run(statement, **values)]

    def forget_orders(self, clip_id: str, dock_id: str) -> None:
        """Destroys the wrapped keys in orders that were issued for a clip."""
        self.run(_FORGET, clip=clip_id, dock=dock_id, nothing=b"")
        self.run(_FORGET_POSTS, topic=f"%/order/{dock_id}/{clip_id}")

    # decisions on record, standings

    def add_decision(self, row: DecisionRow) -> None:
        self.run(_ADD_DECISION, **row_values(row))

    def decisions(self) -> Iterator[DecisionRow]:
        """Every decision on record, oldest first, read a page at a time."""
        after = 0
        while rows := self.run(_DECISIONS, after=after).fetchall():
            yield from (DecisionRow(*row[1:]) for row in rows)
            after = rows[-1][0]

    def standing_fingerprint(self, dock_id: str, clip_id: str) -> str | None:
        row = self.one(_STANDING, dock=dock_id, clip=clip_id)
        return row[0] if row else None

    def put_standing(self, dock_id: str, clip_id: str, fingerprint: str, due: str | None, overdue: bool) -> None:
        self.run(_PUT_STANDING, dock_id=dock_id, clip_id=clip_id, fingerprint=fingerprint, due=due, overdue=overdue)

    def newly_overdue(self, now: str) -> list[str]:
        """AnnouncedClips whose statements have come due since their standing was published."""
        return [row[0] for row in self.run(_OVERDUE, now=now)]

    def say_again(self) -> set[str]:
        """Marks what was published and is to be published again; returns the clips it is about."""
        self.run(_ANSWER_AGAIN)
        self.run(_STAND_AGAIN)
        return {row[0] for row in self.run(_SAID_AGAIN)}

    # how things stand, in numbers

    def counts(self) -> dict[str, int]:
        """Open requests, live orders, clips with an overdue statement, messages not yet published."""
        return {name: int(self.one(query)[0]) for name, query in _COUNTS.items()}
