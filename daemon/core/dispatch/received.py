"""A dispatch document as it arrives: bytes, and perhaps several documents in one notification."""

from __future__ import annotations

from codecs import BOM_UTF8

from daemon.core.dispatch.eido import LIMIT, MAX_STATUSES, Snapshot, bounded, parse, together
from daemon.core.dispatch.eido_fields import EidoError, listed
from daemon.model import strict_json


def read(data: bytes) -> Snapshot:
    """The snapshot in a document as it arrives, or in a notification (NENA-STA-024.1) with several.

    A byte order mark may stand before it. Raises MalformedError when it is no JSON, else as `parse`.
    """
    document = strict_json.parse_object(data.removeprefix(BOM_UTF8), what="dispatch document", limit=LIMIT)
    event = document.get("event")
    if isinstance(event, dict) and "notification" in event:
        return _notified(event["notification"])
    return parse(document)


def _notified(notification: object) -> Snapshot:
    snapshots, aside, unread = [], list[str](), False
    for number, document in enumerate(listed(notification, "event.notification")):
        where = f"event.notification[{number}]"
        try:
            found = parse(document if isinstance(document, dict) else {})
            snapshots.append(found)
            aside += [f"{where}.{part}" for part in found.set_aside]
        except EidoError as error:
            aside.append(f"{where}: {error}")
            unread = True
    if not snapshots:
        raise EidoError(aside[0] if aside else "event.notification: empty")
    found = together(snapshots)
    if len(found.statuses) > MAX_STATUSES:
        raise EidoError(f"event.notification: more than {MAX_STATUSES} statuses")
    firsts = [one.earliest for one in snapshots if one.earliest is not None]
    lasts = [one.latest for one in snapshots if one.set_aside]
    dated = [at for at in lasts if at is not None]
    latest = max(dated) if dated and len(dated) == len(lasts) and not unread else None
    return found._replace(set_aside=bounded(aside), earliest=min(firsts, default=None), latest=latest)
