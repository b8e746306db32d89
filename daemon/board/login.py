"""Who may look. The header contract with a reverse proxy, which alone logs people in.

The board keeps no passwords. On loopback without `[login]`, whoever can use this machine sees it. Otherwise a proxy
(with OIDC or client certificates) must, on every request,

- remove both headers from what the client sent;
- set `user_header` to the id of whoever has logged in (a request without it is refused, 401);
- set `groups_header` to their groups, separated by commas. The dock room's bays are for everybody who has logged in;
  clips, statements and compliance for members of one of `supervisors` (others get 403);
- beyond loopback, connect with TLS and a client certificate of `[tls] client_ca`: nobody reaches the board around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.model.config import Login

_LONGEST = 200


@dataclass(frozen=True)
class Viewer:
    """Who looks: `user` is None where nobody logs in."""

    user: str | None
    supervisor: bool


def viewer(login: Login | None, headers: Mapping[str, str]) -> Viewer | None:
    """Who sent a request; None when the proxy named nobody. `headers` must find names whatever their case."""
    if login is None:
        return Viewer(None, supervisor=True)
    user = headers.get(login.user_header, "").strip()
    if not user or len(user) > _LONGEST or not user.isprintable():
        return None
    groups = {group.strip() for group in headers.get(login.groups_header, "").split(",")}
    return Viewer(user, supervisor=not groups.isdisjoint(login.supervisors))
