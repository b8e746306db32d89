"""A small agency made up for the demo: keys, trust, configuration, directories."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemon.cli.trust import build
from daemon.seal import envelope as envelopes
from daemon.seal.private_keys import load_sign_key, new_pair
from daemon.vault import durable

AGENCY = "portland"
DOCK = "central-1"


@dataclass(frozen=True)
class CastMember:
    """Somebody of the demo's agency."""

    person_id: str
    name: str
    role: str


OFFICER = CastMember("51234", "Officer Lee", "officer")
ROUTINE_OFFICER = CastMember("52345", "Officer Park", "officer")
SUPERVISOR = CastMember("41001", "Sergeant Reyes", "supervisor")
INVESTIGATOR = CastMember("31001", "Investigator Okafor", "internal_affairs")
CHIEF = CastMember("10001", "Chief Day", "chief")
RECORDS = CastMember("20001", "Clerk Silva", "records")
PEOPLE = (OFFICER, ROUTINE_OFFICER, SUPERVISOR, INVESTIGATOR, CHIEF, RECORDS)
CAMERAS = {OFFICER.person_id: "cam-0001", ROUTINE_OFFICER.person_id: "cam-0002"}


@dataclass(frozen=True)
class World:
    """Where everything of one demo lies."""

    root: Path
    port: int

    @property
    def keys(self) -> Path:
        """Where everybody's keys lie."""
        return self.root / "keys"

    @property
    def config(self) -> Path:
        """Where the configuration lies."""
        return self.root / "config"

    @property
    def mounts(self) -> Path:
        """Where bays appear."""
        return self.root / "mounts"

    @property
    def vault(self) -> Path:
        """The dock's vault."""
        return self.root / "vault"

    @property
    def opened(self) -> Path:
        """Where opened clips go."""
        return self.root / "opened"

    @property
    def logs(self) -> Path:
        """Where each process writes its log."""
        return self.root / "logs"

    @property
    def broker(self) -> str:
        """The broker's URL."""
        return f"mqtt://127.0.0.1:{self.port}"

    def key(self, owner: str, use: str, *, public: bool = False) -> Path:
        """The file of somebody's key, private or `public`; `use` is sign or open."""
        return self.keys / f"{owner}.{use}.{'pub.' if public else ''}pem"

    def as_person(self, person: CastMember) -> list[str]:
        """The options that say who runs a command."""
        return [
            *("--as", person.person_id),
            *("--keys", str(self.keys)),
            *("--broker", self.broker),
            *("--agency", AGENCY),
        ]


def make(root: Path, port: int, cameras: dict[str, str] = CAMERAS) -> World:
    """Makes the world in the empty directory `root`; `cameras` are serials by the officers who wear them."""
    world = World(root, port)
    for path in (world.config, world.mounts, world.opened, world.logs):
        path.mkdir(parents=True, exist_ok=True)
    owners = ("root", "policy", "recovery", DOCK, *cameras.values(), *(person.person_id for person in PEOPLE))
    for owner in owners:
        new_pair(world.keys, owner)
    (world.config / "trust.toml").write_text(_trust(cameras))
    (world.config / "dock.toml").write_text(_DOCK.format(agency=AGENCY, dock=DOCK, broker=world.broker))
    (world.config / "policy.toml").write_text(_POLICY.format(agency=AGENCY, broker=world.broker))
    trust = envelopes.sign(build(world.config / "trust.toml"), load_sign_key(world.key("root", "sign")))
    durable.write_replacing(world.config / "trust.json", trust.to_bytes())
    return world


def _trust(cameras: dict[str, str]) -> str:
    lines = ["version = 1", "", "[cameras]"]
    lines += [f'{serial} = "../keys/{serial}.sign.pub.pem"' for serial in cameras.values()]
    lines += ["", "[docks]", f'{DOCK} = "../keys/{DOCK}.sign.pub.pem"', ""]
    lines += ["[services.policy]", *(f'{use} = "../keys/policy.{use}.pub.pem"' for use in ("sign", "open"))]
    lines += ["", "[services.recovery]", 'open = "../keys/recovery.open.pub.pem"']
    for person in PEOPLE:
        lines += [
            "",
            f"[people.{person.person_id}]",
            f'name = "{person.name}"',
            f'roles = ["{person.role}"]',
            *(f'{use} = "../keys/{person.person_id}.{use}.pub.pem"' for use in ("sign", "open")),
        ]
    return "\n".join(lines) + "\n"


_DOCK = """\
agency = "{agency}"
dock_id = "{dock}"
mounts = "../mounts"
vault = "../vault"
state = "../state/dock"
sign_key = "../keys/{dock}.sign.pem"

[trust]
file = "trust.json"
root = "../keys/root.sign.pub.pem"

[broker]
url = "{broker}"

[ingest]
plain_directories = true
scan_seconds = 0.3
reserve_bytes = 16777216
"""

_POLICY = """\
agency = "{agency}"
state = "../state/policy"
sign_key = "../keys/policy.sign.pem"
open_key = "../keys/policy.open.pem"
regime = "portland-negotiated-2023"

[trust]
file = "trust.json"
root = "../keys/root.sign.pub.pem"

[broker]
url = "{broker}"
"""
