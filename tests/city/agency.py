"""A city's agency on this machine: keys, trust, certificates, configuration of many docks, 800 cameras, one broker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemon.cli.setup.broker_files import BrokerFiles
from daemon.model import statements as st
from daemon.seal import envelope as envelopes
from daemon.seal.keys import public_pem
from daemon.seal.private_keys import load_sign_key, new_pair, private_pem

AGENCY = "portland"
SUPERVISOR, CHIEF = "41001", "10001"


@dataclass(frozen=True)
class City:
    """Where everything lies, and who is who. `officers` are those who will ask for footage."""

    root: Path
    docks: tuple[str, ...]
    officers: tuple[str, ...]
    broker: str
    database: str
    replica: str

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def trust(self) -> Path:
        return self.root / "trust.json"

    @property
    def root_key(self) -> Path:
        return self.keys / "root.sign.pub.pem"

    def place(self, dock: str) -> Path:
        return self.root / dock

    def vault(self, dock: str) -> Path:
        return self.place(dock) / "vault"

    def config(self, name: str) -> Path:
        return self.root / f"{name}.toml"

    @property
    def store_settings(self) -> Path:
        """How to get into the object store."""
        return self.root / "store.toml"

    @property
    def store_authority(self) -> Path:
        """The certificate by which the object store is known."""
        return self.root / "store-ca.pem"

    def tls(self, role: str, owner: str) -> dict[str, Path]:
        """The certificate authority, and somebody's certificate and key."""
        pair = self.root / "tls" / "clients" / role / owner
        return {"ca": self.root / "tls" / "ca.pem", "cert": Path(f"{pair}.pem"), "tls-key": Path(f"{pair}.key")}


def make(city: City, host: str, serials: list[str]) -> None:
    """Writes all of it. `host` is the broker's address, as its certificate names it."""
    city.keys.mkdir(parents=True)
    people = {SUPERVISOR: "supervisor", CHIEF: "chief", **dict.fromkeys(city.officers, "officer")}
    for owner in ("root", "policy", "recovery", *city.docks, *people):
        new_pair(city.keys, owner)
    cameras = {serial: _camera(city.keys, serial) for serial in serials}
    statement = st.TrustStatement(
        version=1,
        cameras=cameras,
        docks={dock: _public(city, dock, "sign") for dock in city.docks},
        services=st.Services(
            policy=st.PolicyKeys(sign=_public(city, "policy", "sign"), open=_public(city, "policy", "open")),
            recovery=st.RecoveryKey(open=_public(city, "recovery", "open")),
        ),
        people={
            person: st.PersonKeys(
                name=f"{role} {person}",
                roles=(role,),  # type: ignore[arg-type]
                sign=_public(city, person, "sign"),
                open=_public(city, person, "open"),
            )
            for person, role in people.items()
        },
    )
    city.trust.write_bytes(envelopes.sign(statement, load_sign_key(city.keys / "root.sign.pem")).to_bytes())
    files = BrokerFiles(city.root / "tls", AGENCY, datetime.now(UTC))
    owners = {("dock", dock) for dock in city.docks} | {("person", person) for person in people}
    files.make((host,), owners | {("policy", "policy"), ("dispatch", "cad"), ("board", "city")})
    files.write_access(None)
    for dock in city.docks:
        (city.place(dock) / "mounts").mkdir(parents=True)
        city.config(dock).write_text(_dock(city, dock))
    city.config("policy").write_text(_policy(city))


def _camera(keys: Path, serial: str) -> str:
    """Only a signing pair: cameras open nothing."""
    key = Ed25519PrivateKey.generate()
    (keys / f"{serial}.sign.pem").write_bytes(private_pem(key))
    text = public_pem(key.public_key())
    (keys / f"{serial}.sign.pub.pem").write_text(text)
    return text


def _public(city: City, owner: str, use: str) -> str:
    return (city.keys / f"{owner}.{use}.pub.pem").read_text()


def _broker(city: City, role: str, owner: str) -> str:
    tls = city.tls(role, owner)
    return (
        f'[broker]\nurl = "{city.broker}"\nca = "{tls["ca"]}"\ncertificate = "{tls["cert"]}"\n'
        f'key = "{tls["tls-key"]}"\n'
        f'[trust]\nfile = "{city.trust}"\nroot = "{city.root_key}"\n'
    )


def _dock(city: City, dock: str) -> str:
    place = city.place(dock)
    return (
        f'agency = "{AGENCY}"\ndock_id = "{dock}"\nmounts = "{place}/mounts"\nvault = "{place}/vault"\n'
        f'state = "{place}/state"\nsign_key = "{city.keys}/{dock}.sign.pem"\nlog = "warning"\n'
        f"{_broker(city, 'dock', dock)}[ingest]\nplain_directories = true\nreserve_bytes = 16777216\n"
        f'[replica]\nurl = "{city.replica}"\ncredentials = "{city.store_settings}"\nca = "{city.store_authority}"\n'
        "gather_seconds = 5\n"  # half an hour of this day
        "retry_seconds = 5.0\n"
    )


def _policy(city: City) -> str:
    return (
        f'agency = "{AGENCY}"\nstate = "{city.root}/policy-state"\nsign_key = "{city.keys}/policy.sign.pem"\n'
        f'open_key = "{city.keys}/policy.open.pem"\nregime = "portland-negotiated-2023"\nlog = "warning"\n'
        f'{_broker(city, "policy", "policy")}[store]\nurl = "{city.database}"\n'
    )
