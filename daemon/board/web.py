"""The pages as HTML, and a stream of events that says when to fetch them again. Every request is a GET."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.board import history, login, views
from daemon.board.picture import Picture
from daemon.core.words import need_words
from daemon.model.clock import Clock
from daemon.model.config import BoardConfig
from daemon.model.times import format_instant, parse_instant
from daemon.model.types import check_clip_id, check_id

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_AT_MOST_EVERY = {"bays": 0.5, "clips": 2.0}
"""Seconds between two calls to fetch a page again."""
_PING = 10
_RECONNECT_MS = 2000


class Changes:
    """Tells those who wait that the picture has changed. Used on the server's event loop only."""

    def __init__(self, picture: Picture) -> None:
        """`picture` has the versions."""
        self._picture = picture
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """The picture has changed: wakes all who wait."""
        self._changed.set()
        self._changed = asyncio.Event()

    def version(self, of: str) -> int:
        """The picture's version: for "bays" of the bays, otherwise of everything."""
        return self._picture.bays_version if of == "bays" else self._picture.version

    async def after(self, of: str, seen: int) -> int:
        """Waits until the version is no longer `seen`, and returns it."""
        while self.version(of) == seen:
            await self._changed.wait()
        return self.version(of)


class _Guard:
    """Adds the security headers to every response, and refuses whom the proxy has not named."""

    def __init__(self, app: ASGIApp, config: BoardConfig) -> None:
        self._app = app
        self._login = config.login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        visitor = login.visitor(self._login, Headers(scope=scope))
        if visitor is None and scope["path"] != "/healthz":
            refusal = PlainTextResponse("log in first: the proxy in front of this page named nobody\n", 401)
            await refusal(scope, receive, guarded)
            return
        scope["visitor"] = visitor
        await self._app(scope, receive, guarded)


@dataclass(frozen=True)
class Pages:
    """The pages, and what they are made of. Each public method answers the requests of one route."""

    config: BoardConfig
    picture: Picture
    changes: Changes
    clock: Clock
    templates: Environment

    def dock_room(self, request: Request) -> Response:
        """The bays, for the screen in a dock room: of one dock if board.toml names it, otherwise of all."""
        dock_id = self.config.dock_id
        docks = [dock for dock in self.picture.docks() if dock_id in {None, dock.status.dock_id}]
        cards = [views.bay_card(bay) for bay in self.picture.bays(dock_id)]
        away = [dock.status for dock in docks if dock.status.state == "offline"]
        return self._page(request, "bays.html", title=dock_id or "All docks", docks=docks, away=away, cards=cards)

    def clips(self, request: Request) -> Response:
        """Docks, missing statements, the shift, and a page of locked clips. For supervisors.

        Raises HTTPException: 403 for others, 400 for a page that is no number.
        """
        _supervisors_only(request)
        search = request.query_params.get("q", "").strip()[:64]
        number = _whole(request.query_params.get("page", "0"))
        now = self.clock.now()
        docks = self.picture.docks()
        locked, more = self.picture.locked_clips(search, number)
        since = views.shift_since(docks)
        return self._page(
            request,
            "clips.html",
            title="Clips",
            health=[views.dock_health(dock, self.picture.checkpoint(dock.status.dock_id)) for dock in docks],
            due=views.owed_lines(self.picture.owed_statements(), now),
            shift=views.shift_summary(docks, self.picture.assignment_verdicts(since) if since else []),
            lines=[views.clip_line(clip) for clip in locked],
            search=search,
            number=number,
            more=more,
        )

    def clip(self, request: Request) -> Response:
        """One clip with its history. For supervisors.

        Raises HTTPException: 403 for others, 404 for a clip that is not known.
        """
        _supervisors_only(request)
        dock_id, clip_id = request.path_params["dock_id"], request.path_params["clip_id"]
        try:
            check_id(dock_id)
            check_clip_id(clip_id)
        except ValueError:
            raise HTTPException(404, "no such clip") from None
        clip = self.picture.clip(dock_id, clip_id)
        if clip is None:
            raise HTTPException(404, f"no dock {dock_id} has announced a clip {clip_id}")
        return self._page(
            request,
            "clip.html",
            title="Clip",
            clip=clip,
            line=views.clip_line(clip),
            needs=[(need, need_words(need)) for need in (clip.standing.needs if clip.standing else ())],
            history=history.history(clip, self.config.vault),
        )

    def health(self, _: Request) -> Response:
        """Whether the board receives anything: "ok", or a sentence on what is wrong. 503 without a broker."""
        wrong = views.link_words(self.picture.link)
        return PlainTextResponse(f"{wrong or 'ok'}\n", 503 if self.picture.link.lost else 200)

    async def events(self, request: Request) -> Response:
        """A stream with an event for each new version of what `of` names, "bays" or "clips" (for supervisors).

        Raises HTTPException: 400 for another name, 403 for others.
        """
        of = request.query_params.get("of", "")
        if of not in _AT_MOST_EVERY:
            raise HTTPException(400, "of: bays or clips")
        if of == "clips":
            _supervisors_only(request)
        return EventSourceResponse(self._versions(of), ping=_PING, ping_message_factory=_ping_event)

    async def _versions(self, of: str) -> AsyncIterator[dict[str, Any]]:
        seen = self.changes.version(of)
        yield {"data": str(seen), "retry": _RECONNECT_MS}
        while True:
            seen = await self.changes.after(of, seen)
            yield {"data": str(seen)}
            await asyncio.sleep(_AT_MOST_EVERY[of])

    def error(self, request: Request, error: Exception) -> Response:
        """The page for a request that failed."""
        status, problem = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
        return self._page(request, "error.html", status, title="Not here", problem=problem)

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        link = self.picture.link
        now = self.clock.now()
        shown = self.templates.get_template(template).render(
            visitor=request.scope["visitor"],
            path=request.url.path,
            agency=self.config.agency,
            wrong=views.link_words(link),
            last_message_at=link.last_message_at,
            now=now,
            **values,
        )
        return HTMLResponse(shown, status)


def application(config: BoardConfig, picture: Picture, changes: Changes, clock: Clock) -> Starlette:
    """The ASGI application: routes, templates, the guard, and the hosts that it answers to."""
    templates = Environment(loader=PackageLoader("daemon.board"), autoescape=True, undefined=StrictUndefined)
    templates.filters |= {
        "clock": _clock,
        "day": _day,
        "seconds": _seconds,
        "utc": _utc,
        "verdict": views.verdict_words,
    }
    pages = Pages(config, picture, changes, clock, templates)
    return Starlette(
        routes=[
            Route("/", pages.dock_room),
            Route("/clips", pages.clips),
            Route("/clips/{dock_id}/{clip_id}", pages.clip),
            Route("/events", pages.events),
            Route("/healthz", pages.health),
            Mount("/static", StaticFiles(packages=[("daemon.board", "static")])),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[*_LOOPBACK, *config.hosts], www_redirect=False),
            Middleware(_Guard, config=config),
        ],
        exception_handlers={HTTPException: pages.error},
    )


def _ping_event() -> ServerSentEvent:
    return ServerSentEvent(data="", event="alive")


def _supervisors_only(request: Request) -> None:
    if not request.scope["visitor"].supervisor:
        raise HTTPException(403, "this page is for supervisors: your login is in none of their groups")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise HTTPException(400, "page: a number")
    return int(text)


def _instant(at: datetime | str) -> datetime:
    return parse_instant(at)


def _clock(at: datetime | str) -> str:
    """`13:45:02`, on this machine's clock."""
    return _instant(at).astimezone().strftime("%H:%M:%S")


def _day(at: datetime | str) -> str:
    """`Wed 29 Nov 13:45`, on this machine's clock."""
    return _instant(at).astimezone().strftime("%a %d %b %H:%M")


def _seconds(at: datetime | str) -> str:
    """The seconds after `_day`'s minutes: `:02`."""
    return _instant(at).astimezone().strftime(":%S")


def _utc(at: datetime | str) -> str:
    """For machines: RFC 3339."""
    return format_instant(_instant(at).astimezone(UTC))
