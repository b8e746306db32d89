"""What `bwc setup` writes, and where. Nothing that is somebody's own is ever replaced.

DIR                          /etc/bwc: what the services read
  dock.toml  policy.toml     from the shipped examples, the answers filled in
  board.toml                 the status page's, likewise
  trust.toml  trust.json     who is enrolled, and that signed by the root key
  keys/                      everybody's public keys
  tls/                       the broker's authority, and the services' certificates
  credentials/<service>/     the services' private keys, for root alone
DIR/secrets/                 what must leave this machine, for root alone
  offline/                   the root and the recovery key
  people/  cameras/          each owner's private keys, to be handed over
  broker/                    the broker's authority, its files, and every client's certificate
  policy/                    as DIR, for the policy service's machine, when that is another
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemon.cli.setup import toml_edit
from daemon.cli.setup.answers import Answers
from daemon.cli.setup.broker_files import BrokerFiles
from daemon.cli.trust import build
from daemon.model.config import Broker, DockConfig, PolicyConfig, load_config
from daemon.model.errors import ConfigurationError
from daemon.model.resources import example
from daemon.model.statements import TrustStatement as TrustStatement
from daemon.seal import envelope as envelopes
from daemon.seal.keys import load_sign_public, public_pem
from daemon.seal.private_keys import load_open_key, load_sign_key, private_pem
from daemon.seal.trust import load_trust
from daemon.vault import durable

Use = Literal["sign", "open"]
_USES: tuple[Use, ...] = ("sign", "open")


@dataclass(frozen=True)
class Places:
    """Where things lie; see above."""

    to: Path
    root_key: Path
    mounts: str | None = None
    vault: str | None = None
    state: str | None = None

    @property
    def secrets(self) -> Path:
        """Where private keys wait to be taken away."""
        return self.to / "secrets"

    @property
    def broker(self) -> Path:
        """The broker's own files."""
        return self.secrets / "broker"

    def policy(self, *, here: bool) -> Path:
        """What the policy service's machine is given."""
        return self.to if here else self.secrets / "policy"

    def public(self, owner: str, use: Use) -> Path:
        """What everybody may read."""
        return self.to / "keys" / f"{owner}.{use}.pub.pem"


class Files:
    """Makes what is missing. `tell` hears of each file that was written, and of what could not be."""

    def __init__(self, places: Places, answers: Answers, tell: Callable[[str], None]) -> None:
        self._places, self._tell = places, tell
        self._agency, self._dock, self._broker = str(answers.agency), str(answers.dock), str(answers.broker)
        self._answers = answers
        self._policy = places.policy(here=bool(answers.policy_here))

    def refuse_early(self) -> None:
        """Before anything is written: ConfigurationError when what is there says other than the answers, or when there
        is something to sign and no root key.
        """
        self._agree()
        trust, wanted = self._places.to / "trust.json", {*self._answers.people, *self._answers.cameras}
        enrolled = _enrolled(self._places.to / "trust.toml")
        if self._places.public("root", "sign").exists() and (wanted - enrolled or not trust.exists()):
            try:
                load_sign_key(self._places.root_key)
            except ConfigurationError as error:
                hint = "who is enrolled is signed by the agency's root key: bring it, --root-key FILE"
                raise ConfigurationError(str(error), hint=hint) from None

    def make_keys(self) -> None:
        """A pair for each owner that has no public key yet; one that lies in keys/ already is taken as it is."""
        places, offline = self._places, self._places.secrets / "offline"
        self._pair("root", "sign", places.root_key)
        self._pair("recovery", "open", offline / "recovery.open.pem")
        self._pair(self._dock, "sign", places.to / "credentials" / "dock" / "sign.pem")
        for use in _USES:
            self._pair("policy", use, self._policy / "credentials" / "policy" / f"{use}.pem")
        for serial in self._answers.cameras:
            self._pair(serial, "sign", places.secrets / "cameras" / f"{serial}.sign.pem")
        for person in self._answers.people:
            for use in _USES:
                self._pair(person, use, places.secrets / "people" / person / f"{person}.{use}.pem")

    def enrol(self) -> bool:
        """Adds to `trust.toml` who is not in it, signs it when it says more than `trust.json`. Whether it did."""
        path, signed = self._places.to / "trust.toml", self._places.to / "trust.json"
        text = path.read_text() if _is_own(path) else toml_edit.new_trust(self._dock, recovery=True)
        new = self._with_newcomers(text, _enrolled(path))
        if new != text or not _is_own(path):
            self._replace(path, new)
        statement, before = build(path), self._signed_before(signed)
        if statement == before:
            return False
        if before is not None and statement.version <= before.version:
            self._replace(path, toml_edit.raise_version(path.read_text(), before.version + 1))
            statement = build(path)
        envelope = envelopes.sign(statement, load_sign_key(self._places.root_key))
        self._replace(signed, envelope.to_bytes().decode() + "\n")
        return True

    def make_broker(self) -> None:
        """Certificates for the broker and whoever is enrolled, and the access list; the services get theirs."""
        if not self._tls:
            return
        if (self._places.to / "tls" / "ca.pem").exists() and not (self._places.broker / "ca.key").exists():
            self._tell(f"no certificate is made: the broker's authority is not in {self._places.broker}, bring it back")
            return
        statement = build(self._places.to / "trust.toml")
        enrolled = {("dock", dock) for dock in statement.docks} | {("person", person) for person in statement.people}
        files = BrokerFiles(self._places.broker, self._agency, datetime.now(UTC))
        owners = {("policy", "policy"), ("board", self._dock)} | enrolled
        for made in files.make([Broker(url=self._broker).address[0]], owners):
            self._tell(str(made))
        files.write_access(enrolled)
        for where, role, owner, name in (
            (self._places.to, "dock", self._dock, self._dock),
            (self._places.to, "board", self._dock, "board"),
            (self._policy, "policy", "policy", "policy"),
        ):
            pair = self._places.broker / "clients" / role / owner
            self._copy(self._places.broker / "ca.pem", where / "tls" / "ca.pem", 0o644)
            self._copy(Path(f"{pair}.pem"), where / "tls" / f"{name}.pem", 0o644)
            self._copy(Path(f"{pair}.key"), where / "credentials" / role / "tls.key", 0o600)

    def configure(self) -> None:
        """The services' configuration. Raises ConfigurationError for one that says other than the answers."""
        places, to = self._places, str(self._places.to)
        broker = {
            "agency": self._agency,
            "broker.url": self._broker,
            "broker.ca": f"{to}/tls/ca.pem" if self._tls else None,
        }
        own = {"dock_id": self._dock, "broker.certificate": f"{to}/tls/{self._dock}.pem" if self._tls else None}
        own |= {name: getattr(places, name) for name in ("mounts", "vault") if getattr(places, name)}
        if not self._tls:
            broker["broker.key"] = None
        trust = {"trust.file": f"{to}/trust.json", "trust.root": f"{to}/keys/root.sign.pub.pem"}
        common = broker | trust
        if places.state:
            own["state"] = f"{places.state}/dock"
        self._service("dock", places.to, common | own)
        shown = {"dock_id": self._dock, "broker.certificate": f"{to}/tls/board.pem" if self._tls else None}
        self._service("board", places.to, broker | shown)
        own = {"broker.certificate": f"{to}/tls/policy.pem" if self._tls else None}
        if places.state:
            own["state"] = f"{places.state}/policy"
        self._service("policy", self._policy, common | own)
        if self._policy != places.to:
            for name in ("trust.json", "keys/root.sign.pub.pem"):
                self._copy(places.to / name, self._policy / name, 0o644, anew=True)
        self._agree()  # and they can be loaded

    def _agree(self) -> None:
        """That the configurations there are say what was answered."""
        dock, policy = self._places.to / "dock.toml", self._policy / "policy.toml"
        if _is_own(dock):
            _agree(load_config(DockConfig, dock), self._answers, dock)
        if _is_own(policy):
            _agree(load_config(PolicyConfig, policy), self._answers, policy)

    @property
    def _tls(self) -> bool:
        return self._broker.startswith("mqtts://")

    def _service(self, name: str, where: Path, values: dict[str, str | None]) -> None:
        path = where / f"{name}.toml"
        if not _is_own(path):
            self._replace(path, toml_edit.fill(example(path.name).read_text(encoding="utf-8"), values))

    def _pair(self, owner: str, use: Use, private: Path) -> None:
        """The public half comes last: it makes the pair complete."""
        public = self._places.public(owner, use)
        if public.exists():
            return
        if not private.exists():
            key = Ed25519PrivateKey.generate() if use == "sign" else ec.generate_private_key(ec.SECP256R1())
            self._new(private, private_pem(key), 0o600)
        loaded = load_sign_key(private) if use == "sign" else load_open_key(private)
        self._new(public, public_pem(loaded.public_key()).encode(), 0o644)

    def _with_newcomers(self, text: str, enrolled: set[str]) -> str:
        text = toml_edit.enrol_cameras(text, (serial for serial in self._answers.cameras if serial not in enrolled))
        for person_id, person in self._answers.people.items():
            if person_id not in enrolled:
                text = toml_edit.enrol_person(text, person_id, person.name, person.roles)
        return text

    def _signed_before(self, signed: Path) -> TrustStatement | None:
        if not signed.exists():
            return None
        return load_trust(signed, load_sign_public(self._places.public("root", "sign"))).statement

    def _copy(self, source: Path, target: Path, mode: int, *, anew: bool = False) -> None:
        if not target.exists():
            self._new(target, source.read_bytes(), mode)
        elif anew and target.read_bytes() != source.read_bytes():
            self._replace(target, source.read_text())

    def _new(self, path: Path, data: bytes, mode: int) -> None:
        self._folder(path.parent)
        durable.write_new(path, data, mode)
        durable.fsync_directory(path.parent)
        self._tell(str(path))

    def _replace(self, path: Path, text: str) -> None:
        self._folder(path.parent)
        durable.write_replacing(path, text.encode())
        self._tell(str(path))

    def _folder(self, path: Path) -> None:
        """Private keys' folders are for root alone."""
        secret = self._places.secrets in (path, *path.parents) or "credentials" in path.parts
        durable.make_directories(self._places.to)
        durable.make_directories(path, mode=0o700 if secret else 0o755)


def _is_own(path: Path) -> bool:
    """Whether it is somebody's work: there, and not the example as it ships."""
    return path.exists() and path.read_bytes() != example(path.name).read_bytes()


def _enrolled(path: Path) -> set[str]:
    if not _is_own(path):
        return set()
    statement = build(path)
    return {*statement.cameras, *statement.people}


def _agree(config: DockConfig | PolicyConfig, answers: Answers, path: Path) -> None:
    said = {"agency": config.agency, "broker": config.broker.url}
    if isinstance(config, DockConfig):
        said["dock"] = config.dock_id
    for name, value in said.items():
        if value != getattr(answers, name):
            raise ConfigurationError(
                f"{path}: says {name} {value}, the answer was {getattr(answers, name)}",
                hint="it is kept as it is: change it there, or answer as it says",
            )


def configured(places: Places) -> Answers:
    """What is set up already, as answers."""
    found = Answers()
    if _is_own(places.to / "dock.toml"):
        dock = load_config(DockConfig, places.to / "dock.toml")
        found = Answers(dock.agency, dock.dock_id, dock.broker.url)
    if _is_own(places.to / "policy.toml"):
        policy = load_config(PolicyConfig, places.to / "policy.toml")
        found = found.over(Answers(policy.agency, None, policy.broker.url, policy_here=True))
    if found.policy_here is None and (places.secrets / "policy" / "policy.toml").exists():
        found = found.over(Answers(policy_here=False))
    return found


def services(to: Path) -> Iterator[str]:
    """The services that are set up on this machine."""
    return (name for name in ("dock", "policy", "board") if _is_own(to / f"{name}.toml"))


def enrolled(to: Path) -> int:
    """How many people and cameras are enrolled."""
    return len(_enrolled(to / "trust.toml"))
