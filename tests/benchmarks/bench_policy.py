"""How many decisions the policy service makes: each a fresh signed request about another clip, verified, decided,
recorded in the custody log, answered, and (for those released) turned into a signed order with the key wrapped anew.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from daemon.model import statements as st
from daemon.policy import attestations
from tests import agency
from tests.policy.office import INCIDENT, Office, open_office

CLIPS = 500
BATCH = 50


def run() -> dict[str, Any]:
    """Figures: decisions a second on one core, of a routine incident (released) and a deadly one (refused)."""
    found: dict[str, Any] = {}
    for name, force in (("released", "none"), ("refused", "deadly")):
        with tempfile.TemporaryDirectory() as folder:
            office = open_office(Path(folder))
            found[f"{name}_a_second"] = _rate(office, force)
            office.desk.store.close()
    found["target_a_second"] = 500.0
    return found


def _rate(office: Office, force: str) -> float:
    clips = [str(uuid.UUID(int=number, version=4)) for number in range(CLIPS)]
    for clip_id in clips:
        office.announce(office.notice(clip_id))
    office.classify(force)
    requests = [
        agency.signed(
            st.Request(request_id=f"r{n}", clip_id=clip, purpose="report", requested_at=office.clock.now()), "officer"
        )
        for n, clip in enumerate(clips)
    ]
    started = time.perf_counter()
    for start in range(0, len(requests), BATCH):  # the service handles what has come in as one transaction
        with office.desk.store.transaction():
            for envelope in requests[start : start + BATCH]:
                attestations.receive(office.desk, envelope.to_bytes(), "officer", "request", envelope.digest)
    seconds = time.perf_counter() - started
    decided = office.desk.store.db.execute("SELECT count(*) FROM decision").fetchone()[0]
    assert decided == CLIPS, (decided, INCIDENT)
    return CLIPS / seconds
