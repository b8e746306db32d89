"""`bwc setup broker`: what it makes, and that it never overwrites."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from daemon.cli.setup.broker_access import ROLES, Client, access_list
from daemon.cli.setup.broker_files import BrokerFiles
from daemon.model.errors import ConfigurationError
from daemon.seal import tls_certificates
from tests.broker.conftest import setup_broker

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
NAMES = ("--name", "broker.example", "--name", "192.0.2.7")


def everything(out: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def load(path: Path) -> x509.Certificate:
    return tls_certificates.parse(path.read_bytes(), what=str(path))


def test_what_it_makes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    printed = setup_broker(out, *NAMES, "--dock", "central-1", "--person", "51234")
    assert {str(path) for path in everything(out)} == set(printed["written"])
    assert len(printed["users"]) == 3, "policy, dock, person"
    for path in everything(out):
        assert path.stat().st_mode & 0o777 == (0o600 if path.suffix == ".key" else 0o644), path
    for folder in (out, *(path for path in out.rglob("*") if path.is_dir())):
        assert folder.stat().st_mode & 0o777 == 0o700, folder
    assert (out / "ca.key") not in (out / "broker").iterdir()
    assert (out / "broker" / "ca.pem").read_bytes() == (out / "ca.pem").read_bytes()


def test_what_the_certificates_say(tmp_path: Path) -> None:
    files = BrokerFiles(tmp_path, "portland", NOW)
    files.make(["broker.example", "192.0.2.7"], {("dock", "central-1")})
    authority, server = load(tmp_path / "ca.pem"), load(tmp_path / "broker" / "server.pem")
    dock = load(tmp_path / "clients" / "dock" / "central-1.pem")
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert tls_certificates.host_names(server) == {"broker.example", "192.0.2.7"}
    for certificate, purpose in ((server, ExtendedKeyUsageOID.SERVER_AUTH), (dock, ExtendedKeyUsageOID.CLIENT_AUTH)):
        certificate.verify_directly_issued_by(authority)
        assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose]
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc < NOW + timedelta(days=826)
    assert tls_certificates.common_name(dock) == f"dock:central-1:{dock.serial_number:040x}"[:23]


def test_a_second_run_keeps_what_is_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    setup_broker(out, *NAMES, "--dock", "central-1")
    conf = out / "broker" / "bwc.conf"
    conf.write_text("# the administrator's own\n")
    before = everything(out)
    printed = setup_broker(out, "--person", "51234", "--witness", "auditor")
    after = everything(out)
    acl = out / "broker" / "bwc.acl"
    assert {path: data for path, data in after.items() if path in before and path != acl} == {
        path: data for path, data in before.items() if path != acl
    }
    assert len(after) == len(before) + 4
    assert {user.split(":")[0] for user in printed["users"]} == {"dock", "policy", "person", "witness"}


def test_a_certificate_made_anew_is_another_user(tmp_path: Path) -> None:
    [before] = [u for u in setup_broker(tmp_path, *NAMES, "--dock", "d")["users"] if u.startswith("dock")]
    for end in ("pem", "key"):
        (tmp_path / "clients" / "dock" / f"d.{end}").unlink()
    [after] = [u for u in setup_broker(tmp_path, "--dock", "d")["users"] if u.startswith("dock")]
    assert before != after
    assert before not in (tmp_path / "broker" / "bwc.acl").read_text()


@pytest.mark.parametrize(
    ("spoil", "more"),
    [
        (lambda out: None, ("--dock", "a/b")),
        (lambda out: None, ("--dock", "d" * 60)),
        (lambda out: None, ("--name", "elsewhere.example")),
        (lambda out: None, ("--trust", "missing.json")),
        (lambda out: None, ("--trust", "missing.json", "--root", "missing.pem")),
        (lambda out: (out / "ca.pem").write_text("none"), ()),
        (lambda out: (out / "ca.key").unlink(), ()),
        (lambda out: (out / "clients" / "policy" / "policy.key").unlink(), ()),
        (lambda out: (out / "clients" / "policy" / "policy.pem").rename(out / "clients" / "policy" / "x.pem"), ()),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, spoil: object, more: tuple[str, ...]) -> None:
    setup_broker(tmp_path / "out", *NAMES)
    spoil(tmp_path / "out")  # type: ignore[operator]
    before = everything(tmp_path / "out")
    assert "hint" in setup_broker(tmp_path / "out", *more, expect=2)["error"] or more
    assert everything(tmp_path / "out") == before


def test_the_first_run_needs_a_host(tmp_path: Path) -> None:
    assert "--name" in setup_broker(tmp_path, expect=2)["error"]


@pytest.mark.parametrize("name", ["", "a b", "mqtts://broker.example", "broker.example:8883", "brökér"])
def test_no_host(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        BrokerFiles(tmp_path, "portland", NOW).make([name], set())


def test_another_authoritys_certificate_is_not_listed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        BrokerFiles(tmp_path / name, "portland", NOW).make(["h"], {("dock", "d")})
    for end in ("pem", "key"):
        (tmp_path / "two" / "clients" / "dock" / f"d.{end}").rename(tmp_path / "one" / "clients" / "dock" / f"d.{end}")
    with pytest.raises(ConfigurationError):
        BrokerFiles(tmp_path / "one", "portland", NOW).write_access(None)


def test_who_is_not_enrolled_is_left_out(tmp_path: Path) -> None:
    files = BrokerFiles(tmp_path, "portland", NOW)
    files.make(["h"], {("dock", "d"), ("person", "p"), ("person", "q"), ("board", "b"), ("policy", "policy")})
    listed, left_out = files.write_access({("dock", "d"), ("person", "p")})
    assert [(client.role, client.id) for client in left_out] == [("person", "q")]
    assert {client.role for client in listed} == {"dock", "person", "board", "policy"}
    assert "person:q" not in (tmp_path / "broker" / "bwc.acl").read_text()


def test_what_expires_soon_is_named(tmp_path: Path) -> None:
    BrokerFiles(tmp_path, "portland", NOW).make(["h"], {("dock", "d")})
    assert BrokerFiles(tmp_path, "portland", NOW + timedelta(days=700)).expiring() == []
    later = BrokerFiles(tmp_path, "portland", NOW + timedelta(days=800)).expiring()
    assert {path.name for path, _ in later} == {"d.pem", "server.pem"}


def test_every_role_is_filled_in_whole() -> None:
    text = access_list([Client(role, "x", f"{role}:x:1") for role in ROLES], "portland")
    assert "{" not in text
    assert text.count("\nuser ") == len(ROLES)
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(line.startswith(("user ", "topic ")) for line in rules)
    assert {line.rpartition("/portland/")[2] for line in rules if "#" in line} == {"cad/+/#"}
