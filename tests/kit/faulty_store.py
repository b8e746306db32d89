"""A proxy before the real store that makes up the answers no store gives on demand; all others are the store's own.

(`moto` would make up the whole store; here everything but the one answer is real, signatures included.)
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.kit.patience import PATIENCE

Answer = tuple[int, bytes]
_FRAMING = {"content-length", "transfer-encoding", "connection"}


@dataclass
class Faults:
    """What goes wrong: asked for each request with its method and path, before the store hears of it.

    `answer` gives an answer of its own, or None; `deaf` loses the store's answer after the store has done it;
    `flip` changes a byte of what is fetched; `cut` ends a body early.
    """

    answer: Callable[[str, str], Answer | None] = lambda method, path: None
    deaf: Callable[[str, str], bool] = lambda method, path: False
    flip: Callable[[str, str], bool] = lambda method, path: False
    cut: Callable[[str, str], bool] = lambda method, path: False
    seen: list[tuple[str, str]] = field(default_factory=list)
    waiting: Callable[[str, str], None] = lambda method, path: None


@contextmanager
def proxy(endpoint: str, faults: Faults) -> Iterator[str]:
    """Runs it; its own endpoint."""
    behind = urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            faults.seen.append((self.command, self.path))
            faults.waiting(self.command, self.path)
            made_up = faults.answer(self.command, self.path)
            if made_up is not None:
                self._send(made_up[0], [], made_up[1], len(made_up[1]))
                return
            with closing(http.client.HTTPConnection(behind, timeout=PATIENCE)) as connection:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                data = answer.read()
            headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _FRAMING]
            length = int(answer.getheader("Content-Length") or 0) if self.command == "HEAD" else len(data)
            if faults.deaf(self.command, self.path):
                self.close_connection = True
                return
            if faults.flip(self.command, self.path) and data:
                data = data[:-1] + bytes([data[-1] ^ 1])
            if faults.cut(self.command, self.path):
                self.close_connection = True
                data = data[: len(data) // 2]
            self._send(answer.status, headers, data, length)

        def _send(self, status: int, headers: list[tuple[str, str]], data: bytes, length: int) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="faulty")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
