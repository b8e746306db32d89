"""Who gets in at all: only whoever holds a certificate of the broker's own authority, made for a client, still good."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.seal.tls_certificates import Authority, Issued
from tests.broker.caller import NOT_AUTHORIZED, Caller, RefusedError
from tests.broker.conftest import AGENCY, Yard
from tests.kit.promise import until

pytestmark = pytest.mark.xdist_group("acl")

NOW = datetime.now(UTC)


def own(yard: Yard) -> Authority:
    """The broker's authority, as whoever stole its key would use it."""
    files = (yard.out / "ca.pem").read_bytes(), (yard.out / "ca.key").read_bytes()
    return Authority.load(*files, what="ca")


def another(_: Yard) -> Authority:
    return Authority.make("bwc-dock broker authority", NOW)


def good(authority: Authority) -> Issued:
    return authority.client("dock", "central-1", NOW)


def expired(authority: Authority) -> Issued:
    return authority.client("dock", "central-1", NOW - timedelta(days=826))


def not_yet(authority: Authority) -> Issued:
    return authority.client("dock", "central-1", NOW + timedelta(days=1))


def a_server(authority: Authority) -> Issued:
    return authority.server(["localhost"], NOW)


def keep(issued: Issued, folder: Path) -> Path:
    (folder / "mine.pem").write_bytes(issued.certificate)
    (folder / "mine.key").write_bytes(issued.key)
    return folder / "mine"


@pytest.mark.parametrize(
    ("whose", "what", "reason"),
    [
        (another, good, "certificate verify failed"),
        (own, expired, "certificate verify failed"),
        (own, not_yet, "certificate verify failed"),
        (own, a_server, "certificate verify failed"),
    ],
)
def test_not_with_such_a_certificate(
    yard: Yard,
    tmp_path: Path,
    whose: Callable[[Yard], Authority],
    what: Callable[[Authority], Issued],
    reason: str,
) -> None:
    before = yard.broker.log.count(reason)
    with pytest.raises(RefusedError):
        Caller(yard.broker.port, yard.out / "ca.pem", keep(what(whose(yard)), tmp_path))
    assert until(lambda: yard.broker.log.count(reason) == before + 1, 10), "and for this reason"


def test_not_without_a_certificate(yard: Yard) -> None:
    reason = "peer did not return a certificate"
    before = yard.broker.log.count(reason)
    for username in (None, "policy:policy:00000000"):
        with pytest.raises(RefusedError):
            Caller(yard.broker.port, yard.out / "ca.pem", None, username=username)
    assert until(lambda: yard.broker.log.count(reason) == before + 2, 10)


def test_not_without_tls(yard: Yard) -> None:
    with socket.create_connection(("127.0.0.1", yard.broker.port), 10) as plain:
        plain.settimeout(10)
        plain.sendall(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc")
        try:
            answer = plain.recv(100)
        except ConnectionResetError:
            answer = b""
    assert answer[:1] != b"\x20", "no CONNACK"


def test_not_with_an_old_tls(yard: Yard) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(yard.out / "ca.pem")
    pair = yard.out / "clients" / "dock" / "central-1"
    context.load_cert_chain(f"{pair}.pem", f"{pair}.key")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", yard.broker.port), 10) as plain,
        pytest.raises((ssl.SSLError, ConnectionResetError)),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("mistaken", ["authority", "name"])
def test_a_client_knows_its_broker(yard: Yard, tmp_path: Path, mistaken: str) -> None:
    """Neither another authority's broker, nor one under another name."""
    trusted, name = yard.out / "ca.pem", "localhost"
    if mistaken == "authority":
        trusted = tmp_path / "other.pem"
        trusted.write_bytes(another(yard).to_pem().certificate)
    else:
        name = "elsewhere.example"
    context = ssl.create_default_context(cafile=str(trusted))
    with (
        socket.create_connection(("127.0.0.1", yard.broker.port), 10) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname=name)


def test_a_good_certificate_without_a_block_may_do_nothing(yard: Yard, tmp_path: Path) -> None:
    """Signed by our authority behind the administrator's back: whatever it calls itself, it is not on the list."""
    root = f"bwc/v1/{AGENCY}/"
    for role, owner in (("policy", "policy"), ("dock", "central-1"), ("person", "51234")):
        pair = keep(own(yard).client(role, owner, NOW), tmp_path)
        with Caller(yard.broker.port, yard.out / "ca.pem", pair) as stranger:
            for topic in ("order/central-1/c", "dock/central-1/clip/c", "attestation/51234/request/d", "cad/1"):
                assert stranger.publish(root + topic) == NOT_AUTHORIZED
            stranger.subscribe("#")
            with yard.caller("dispatch", "cad") as cad, yard.caller("dock", "central-1") as dock:
                cad.publish(f"{root}cad/1")
                dock.publish(f"{root}dock/central-1/clip/c")
            stranger.barrier()
            assert stranger.heard == []
