"""Who may say and hear what on the broker: Mosquitto's access list, one block for each client certificate.

The rules of each role stand in `config/mosquitto/bwc.acl`, in Mosquitto's own words; this only fills them in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.model.errors import ConfigurationError
from daemon.model.resources import mosquitto_dir

ROLES = ("dock", "policy", "person", "dispatch", "board", "witness")
_ROLE = re.compile(r"^# role ([a-z]+):", re.MULTILINE)
_MADE = """\
# Made by `bwc setup broker` from the certificates it issued: run it again rather than edit this.
# The reasons are in the bwc.acl that ships with bwc-dock. What is not granted here is denied.
"""


@dataclass(frozen=True, order=True)
class Client:
    """Whoever holds a client certificate. `user` is the certificate's common name."""

    role: str
    id: str
    user: str


def access_list(clients: Iterable[Client], agency: str) -> str:
    """The access list that gives each client what its role may do, and nobody else anything."""
    rules = _rules()
    blocks = [_block(rules[client.role], client, agency) for client in sorted(clients)]
    return "\n".join([_MADE, *blocks])


def _rules() -> dict[str, str]:
    """Each role's `user` and `topic` lines. Raises ConfigurationError when the shipped file lacks one."""
    path = mosquitto_dir() / "bwc.acl"
    _, *parts = _ROLE.split(path.read_text(encoding="utf-8"))
    rules = {role: _without_comments(text) for role, text in zip(parts[::2], parts[1::2], strict=True)}
    if set(rules) != set(ROLES):
        raise ConfigurationError(f"{path}: expected the roles {', '.join(ROLES)}")
    return rules


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.startswith(("user ", "topic ")))


def _block(rules: str, client: Client, agency: str) -> str:
    filled = rules.replace("{user}", client.user).replace("{id}", client.id).replace("{agency}", agency)
    return f"# {client.role} {client.id}\n{filled}"
