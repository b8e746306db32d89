"""The directory that `bwc setup broker` fills: authority, certificates, configuration, access list.

    ca.pem  ca.key                      the authority; its key stays off the broker's machine
    broker/                             what goes to the broker's machine: bwc.conf bwc.acl ca.pem server.pem server.key
    clients/<role>/<id>.pem  .key       one certificate and private key for each client

The directory is the record: the access list follows from the certificates that lie in it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from daemon.cli.setup.broker_access import ROLES, Client, access_list
from daemon.model.errors import ConfigurationError, MalformedError
from daemon.model.resources import mosquitto_dir
from daemon.seal import tls_certificates
from daemon.seal.tls_certificates import Authority, Issued
from daemon.vault import durable

_SOON = timedelta(days=60)
_SPOILT = "restore it from a copy, or move it and its other half away to have both made anew"


class BrokerFiles:
    """Makes what is missing, and never overwrites a key, a certificate or a configuration."""

    def __init__(self, out: Path, agency: str, now: datetime) -> None:
        self._out, self._agency, self._now = out, agency, now
        self._made: list[Path] = []

    def make(self, names: Sequence[str], owners: set[tuple[str, str]]) -> list[Path]:
        """Returns what was written. `names` are the broker's hosts, `owners` pairs of role and id.

        Raises ConfigurationError when something there does not fit.
        """
        durable.make_directories(self._out, mode=0o700)
        authority = self._authority()
        self._server(authority, names)
        for role, owner in sorted(owners):
            self._pair(
                self._out / "clients" / role / owner, functools.partial(authority.client, role, owner, self._now)
            )
        return self._made

    def write_access(self, enrolled: set[tuple[str, str]] | None) -> tuple[list[Client], list[Client]]:
        """Writes the access list; returns who is in it, and who was left out for not being enrolled."""
        authority = self._authority()
        listed: list[Client] = []
        left_out: list[Client] = []
        for path, certificate in self._clients():
            client = _client(path, certificate)
            if not authority.issued(certificate):
                raise ConfigurationError(f"{path}: not issued by {self._out / 'ca.pem'}", hint="move it away")
            known = enrolled is None or client.role not in {"dock", "person"} or (client.role, client.id) in enrolled
            (listed if known else left_out).append(client)
        path = self._out / "broker" / "bwc.acl"
        durable.write_replacing(path, access_list(listed, self._agency).encode())
        self._made.append(path)
        return listed, left_out

    def expiring(self) -> list[tuple[Path, datetime]]:
        """Certificates that end soon, or have ended."""
        found = [(path, certificate.not_valid_after_utc) for path, certificate in self._clients()]
        for path in (self._out / "ca.pem", self._out / "broker" / "server.pem"):
            found.append((path, _load(path).not_valid_after_utc))
        return sorted((path, at) for path, at in found if at < self._now + _SOON)

    def _authority(self) -> Authority:
        path = self._out / "ca"
        self._pair(path, lambda: Authority.make("bwc-dock broker authority", self._now).to_pem())
        certificate, key = path.with_name("ca.pem"), path.with_name("ca.key")
        try:
            return Authority.load(certificate.read_bytes(), key.read_bytes(), what=str(certificate))
        except MalformedError as error:
            raise ConfigurationError(str(error), hint=_SPOILT) from None

    def _server(self, authority: Authority, names: Sequence[str]) -> None:
        """The broker's own certificate, its configuration, and the authority's certificate beside them."""
        folder = self._out / "broker"
        certificate = folder / "server.pem"
        if not certificate.exists() and not names:
            raise ConfigurationError("no host name for the broker", hint="--name HOST, as clients will write it")
        self._pair(folder / "server", lambda: authority.server(names, self._now))
        missing = set(names) - tls_certificates.host_names(_load(certificate))
        if missing:
            raise ConfigurationError(
                f"{certificate}: is not for {', '.join(sorted(missing))}",
                hint="move server.pem and server.key away and run again with every --name",
            )
        for path, data in (
            (folder / "ca.pem", (self._out / "ca.pem").read_bytes()),
            (folder / "bwc.conf", (mosquitto_dir() / "bwc.conf").read_bytes()),
        ):
            if not path.exists():
                self._write(path, data, 0o644)

    def _pair(self, path: Path, issue: Callable[[], Issued]) -> None:
        """A certificate and its key, unless both are there. The certificate comes last: it makes the pair complete."""
        certificate, key = path.with_name(f"{path.name}.pem"), path.with_name(f"{path.name}.key")
        if certificate.exists() != key.exists():
            there, missing = (certificate, key) if certificate.exists() else (key, certificate)
            raise ConfigurationError(f"{there}: exists, but {missing.name} beside it does not", hint="move it away")
        if certificate.exists():
            return
        issued = issue()
        durable.make_directories(path.parent, mode=0o700)
        self._write(key, issued.key, 0o600)
        self._write(certificate, issued.certificate, 0o644)

    def _write(self, path: Path, data: bytes, mode: int) -> None:
        try:
            durable.write_new(path, data, mode)
        except FileExistsError:
            raise ConfigurationError(f"{path}: exists already", hint="nothing is overwritten; move it away") from None
        durable.fsync_directory(path.parent)
        self._made.append(path)

    def _clients(self) -> Iterator[tuple[Path, x509.Certificate]]:
        for role in ROLES:
            for path in sorted((self._out / "clients" / role).glob("*.pem")):
                yield path, _load(path)


def _client(path: Path, certificate: x509.Certificate) -> Client:
    """Who a certificate is for: what its name says must be what its place says."""
    role, _, rest = tls_certificates.common_name(certificate).partition(":")
    owner, _, tail = rest.rpartition(":")
    if (role, owner) != (path.parent.name, path.stem) or not tail:
        raise ConfigurationError(f"{path}: is the certificate of {role or 'nobody'} {owner}", hint="move it away")
    return Client(role, owner, tls_certificates.common_name(certificate))


def _load(path: Path) -> x509.Certificate:
    try:
        return tls_certificates.parse(path.read_bytes(), what=str(path))
    except MalformedError as error:
        raise ConfigurationError(str(error), hint=_SPOILT) from None
