"""Who may look: the header contract, over HTTP as a proxy speaks it; and no way around the proxy."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.board.serve import BoardService, address
from daemon.cli.demo.stage import free_port
from daemon.cli.setup.broker_files import BrokerFiles
from daemon.model.clock import SystemClock
from daemon.model.config import BoardConfig, check_config, load_config
from daemon.model.errors import ConfigurationError
from tests.kit.patience import PATIENCE

LOGIN = '[login]\nsupervisors = ["sergeants", "command"]\n'
BROKER = '[broker]\nurl = "mqtt://127.0.0.1:1"\n'  # nobody listens there: the page answers all the same


@contextmanager
def board(folder: Path, more: str) -> Iterator[BoardConfig]:
    """A board of this text, answering; it ends with the block."""
    settings = folder / "board.toml"
    settings.write_text(f'agency = "portland"\nlisten = "127.0.0.1:{free_port()}"\n{BROKER}{more}')
    config = load_config(BoardConfig, settings)
    service, ready = BoardService(config, SystemClock()), threading.Event()
    thread = threading.Thread(target=service.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield config
    finally:
        service.stop()
        thread.join(15)
        assert not thread.is_alive()


def get(config: BoardConfig, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[int, str]:
    host, port = config.listen
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    status, text = answer.status, answer.read().decode()
    connection.close()
    return status, text


def test_without_a_login_whoever_uses_this_machine_sees_everything(tmp_path: Path) -> None:
    with board(tmp_path, "") as config:
        assert get(config, "/")[0] == get(config, "/clips")[0] == 200
        assert get(config, "/healthz")[0] == 503  # no broker


@pytest.mark.parametrize(
    "headers, bays, clips",
    [
        ({}, 401, 401),
        ({"X-Forwarded-Groups": "sergeants"}, 401, 401),
        ({"X-Forwarded-User": " "}, 401, 401),
        ({"X-Forwarded-User": "x" * 201}, 401, 401),
        ({"X-Forwarded-User": "lee"}, 200, 403),
        ({"X-Forwarded-User": "lee", "X-Forwarded-Groups": "officers,sergeants-to-be"}, 200, 403),
        ({"X-Forwarded-User": "reyes", "X-Forwarded-Groups": "officers, sergeants"}, 200, 200),
        ({"x-forwarded-user": "day", "x-forwarded-groups": "command"}, 200, 200),
    ],
)
def test_the_header_contract(tmp_path: Path, headers: dict[str, str], bays: int, clips: int) -> None:
    with board(tmp_path, LOGIN) as config:
        assert get(config, "/", headers)[0] == bays
        for path in ("/clips", "/clips/central-1/00000000-0000-4000-8000-000000000001", "/events?of=clips"):
            if path == "/clips" or clips != 200:
                assert get(config, path, headers)[0] == clips, path
        assert get(config, "/static/board.css", headers)[0] == (200 if bays == 200 else 401)


def test_only_get_and_only_known_hosts(tmp_path: Path) -> None:
    with board(tmp_path, "") as config:
        for method in ("POST", "PUT", "DELETE"):
            assert get(config, "/clips", method=method)[0] == 405
        assert get(config, "/", {"Host": "evil.example"})[0] == 400
        for path in ("/static/../web.py", "/static/%2e%2e/web.py", "/clips/x/y", "/clips/../etc", "/nothing"):
            assert get(config, path)[0] == 404, path
        for path in ("/clips?page=-1", "/clips?page=x", "/clips?page=1e9", "/events", "/events?of=keys"):
            assert get(config, path)[0] == 400, path


@pytest.mark.parametrize("listen", ["0.0.0.0:8460", "[::]:8460", "192.0.2.1:8460", "board.example:8460"])
@pytest.mark.parametrize("more", [{}, {"login": {"supervisors": ["x"]}}])
def test_beyond_loopback_only_with_tls_and_a_login(listen: str, more: dict[str, object]) -> None:
    data = {"agency": "portland", "listen": listen, "broker": {"url": "mqtt://x"}, **more}
    with pytest.raises(ConfigurationError, match="needs \\[tls\\] and \\[login\\]"):
        check_config(BoardConfig, data, base=Path(), what="board.toml")


@pytest.mark.parametrize("listen", ["8460", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:70000", ":80"])
def test_an_address_that_is_none(listen: str) -> None:
    data = {"agency": "portland", "listen": listen, "broker": {"url": "mqtt://x"}}
    with pytest.raises(ConfigurationError, match="listen"):
        check_config(BoardConfig, data, base=Path(), what="board.toml")


def test_an_address_in_use_is_an_error_that_names_it(tmp_path: Path) -> None:
    with board(tmp_path, "") as config, pytest.raises(ConfigurationError, match=f"listen 127.0.0.1:{config.listen[1]}"):
        BoardService(config, SystemClock()).run()


def test_tls_asks_for_the_proxys_certificate(tmp_path: Path) -> None:
    BrokerFiles(tmp_path, "portland", datetime.now(UTC)).make(("127.0.0.1",), {("board", "proxy")})
    ca, (client,), (client_key,) = tmp_path / "ca.pem", *(tmp_path.glob(f"clients/*/*.{end}") for end in ("pem", "key"))
    tls = f'[tls]\ncertificate = "broker/server.pem"\nkey = "broker/server.key"\nclient_ca = "{ca}"\n'
    with board(tmp_path, LOGIN + tls) as config:
        assert address(config).startswith("https://")
        headers = {"X-Forwarded-User": "reyes"}

        def ask(context: ssl.SSLContext) -> int:
            connection = http.client.HTTPSConnection("127.0.0.1", config.listen[1], context=context, timeout=PATIENCE)
            with closing(connection):
                connection.request("GET", "/", headers=headers)
                return connection.getresponse().status

        stranger = ssl.create_default_context(cafile=str(ca))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(stranger)
        proxy = ssl.create_default_context(cafile=str(ca))
        proxy.load_cert_chain(client, client_key)
        assert ask(proxy) == 200


def test_certificates_that_cannot_be_used_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "junk.pem").write_text("junk")
    tls = '[tls]\ncertificate = "junk.pem"\nkey = "junk.pem"\nclient_ca = "missing.pem"\n'
    settings = tmp_path / "board.toml"
    settings.write_text(f'agency = "portland"\nlisten = "127.0.0.1:{free_port()}"\n{BROKER}{LOGIN}{tls}')
    with pytest.raises(ConfigurationError, match=r"\[tls\]"):
        BoardService(load_config(BoardConfig, settings), SystemClock()).run()
