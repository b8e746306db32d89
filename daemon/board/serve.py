"""The board as a service: one thread listens to the broker, and the main thread is a web server."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from daemon.board.listener import Listener
from daemon.board.picture import Picture
from daemon.board.web import Changes, application
from daemon.model.clock import Clock
from daemon.model.config import BoardConfig
from daemon.model.errors import ConfigurationError
from daemon.model.topics import Topics

log = logging.getLogger(__name__)
_MOST_CONNECTIONS = 500
_SHUTDOWN_SECONDS = 3


class BoardService:
    """One board. `run` serves until `stop` is called."""

    def __init__(self, config: BoardConfig, clock: Clock) -> None:
        """Opens nothing yet."""
        self._config = config
        self._clock = clock
        self._failure: BaseException | None = None
        self._server: uvicorn.Server | None = None

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serves until `stop` is called. Calls `ready` when it has begun to serve.

        Raises ConfigurationError for an address or certificates that cannot be used, and the error that ended the
        listener, if one did.
        """
        picture = Picture(Topics(self._config.agency), self._clock)
        changes = Changes(picture)
        loop: list[asyncio.AbstractEventLoop] = []

        def changed() -> None:
            if loop:
                loop[0].call_soon_threadsafe(changes.wake)

        listener = Listener(self._config.broker, picture, self._clock, changed, self._end)

        @asynccontextmanager
        async def serving(_: Starlette) -> AsyncIterator[None]:
            loop.append(asyncio.get_running_loop())
            listener.start()
            listener.ready()
            ready()
            try:
                yield
            finally:
                loop.clear()
                await asyncio.to_thread(listener.stop)

        app = application(self._config, picture, changes, self._clock)
        app.router.lifespan_context = serving
        server_socket = _open_socket(self._config)
        try:
            self._server = uvicorn.Server(_server_config(self._config, app))
            log.info("the board answers on %s", address(self._config))
            self._server.run(sockets=[server_socket])
        finally:
            server_socket.close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends `run`. May be called from a signal handler or another thread."""
        if self._server is not None:
            self._server.should_exit = True

    def reload(self) -> None:
        """Does nothing but say so in the log: there is no trust file, and new certificates need a restart."""
        log.info("nothing to reload; restart the board for new settings")

    def _end(self, failure: BaseException) -> None:
        self._failure = failure
        self.stop()


def address(config: BoardConfig) -> str:
    """The address of the page, as a URL."""
    host, port = config.listen
    return f"{'https' if config.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"


def _open_socket(config: BoardConfig) -> socket.socket:
    host, port = config.listen
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(where[:2], family=family, backlog=128)
    except OSError as error:
        raise ConfigurationError(
            f"listen {host}:{port}: {(error.strerror or str(error)).lower()}",
            hint="is another board running? choose another port in board.toml",
        ) from None


def _server_config(config: BoardConfig, app: Starlette) -> uvicorn.Config:
    tls = config.tls
    found = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        lifespan="on",
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        ssl_ca_certs=str(tls.client_ca) if tls else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if tls else ssl.CERT_NONE,
    )
    try:
        found.load()
    except OSError as error:  # SSLError is one
        raise ConfigurationError(f"[tls]: {error} (certificate, key, client_ca)") from None
    return found
