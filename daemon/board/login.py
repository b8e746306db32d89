"""Who may look: what a reverse proxy, which alone logs people in, tells the board in the headers of each request.

The board keeps no passwords. On loopback without `[login]`, everybody who can use this machine sees all of it.
Otherwise a proxy (with OIDC or client certificates) must, on every request,

- remove both headers from what the client sent;
- set `user_header` to the id of the person who has logged in (a request without it is refused with 401);
- set `groups_header` to their groups, separated by commas. The bays are for everybody who has logged in. Clips,
  statements and compliance are for members of one of the groups in `supervisors` (others get 403);
- beyond loopback, connect with TLS and a client certificate of `[tls] client_ca`, so that all requests pass the proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.model.config import Login

_LONGEST = 200


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page. `user` is None where nobody logs in. `supervisor`: may see clips, statements, compliance."""

    user: str | None
    supervisor: bool


def visitor(login: Login | None, headers: Mapping[str, str]) -> Visitor | None:
    """Who sent a request, or None when the proxy named nobody. `headers` must ignore the case of names."""
    if login is None:
        return Visitor(None, supervisor=True)
    user = headers.get(login.user_header, "").strip()
    if not user or len(user) > _LONGEST or not user.isprintable():
        return None
    groups = {group.strip() for group in headers.get(login.groups_header, "").split(",")}
    return Visitor(user, supervisor=not groups.isdisjoint(login.supervisors))
