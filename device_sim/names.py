"""An incident's number as a topic level and a file name."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

_LONGEST = 200


def topic_level(incident_id: str) -> str:
    """Percent-encoded, as the protocol has it (section 1): letters, digits, `.`, `_` and `-` stay."""
    return "%2E" * len(incident_id) if incident_id in {".", ".."} else quote(incident_id, safe="").replace("~", "%7E")


def file_stem(incident_id: str) -> str:
    """The same, shortened where a filesystem would refuse it."""
    name = topic_level(incident_id)
    return name if len(name) <= _LONGEST else name[:_LONGEST] + hashlib.sha256(name.encode()).hexdigest()[:16]
