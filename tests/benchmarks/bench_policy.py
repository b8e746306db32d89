"""How many decisions the policy service makes: each a fresh signed request about another clip, verified, decided,
recorded in the custody log, answered, and (for those released) turned into a signed order with the key wrapped anew.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from daemon.model import statements as st
from daemon.policy.cases import attestations
from tests.kit import agency
from tests.kit.policy_fixture import Office, open_office

ROUNDS = 5
CLIPS = 500
BATCH = 50


def run() -> dict[str, Any]:
    """Decisions a second on one core, medians of interleaved rounds: all released, all refused, and mixed as in the
    demo's story (4 of 7 refused).
    """
    rates: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, deadly in (("released", ()), ("refused", range(7)), ("mixed", range(4))):
            with tempfile.TemporaryDirectory() as folder:
                office = open_office(Path(folder))
                rates.setdefault(f"{name}_a_second", []).append(_rate(office, set(deadly)))
                office.context.store.close()
    return {name: statistics.median(found) for name, found in rates.items()} | {"target_a_second": 500.0}


def _rate(office: Office, deadly: set[int]) -> float:
    """Of seven clips those numbered in `deadly` are of an incident with deadly force, the others of a routine one."""
    clips = [str(uuid.UUID(int=number, version=4)) for number in range(CLIPS)]
    for number, clip_id in enumerate(clips):
        office.announce(office.notice(clip_id, incidents=("deadly" if number % 7 in deadly else "routine",)))
    office.classify("deadly", incident_id="deadly")
    office.classify("none", incident_id="routine")
    requests = []
    for n, clip in enumerate(clips):
        request = st.Request(request_id=f"r{n}", clip_id=clip, purpose="report", requested_at=office.clock.now())
        envelope = agency.signed(request, "officer")
        requests.append((envelope.to_bytes(), envelope.digest))  # as they come from the broker
    started = time.perf_counter()
    for start in range(0, len(requests), BATCH):  # the service handles what has come in as one transaction
        with office.context.store.transaction():
            for data, digest in requests[start : start + BATCH]:
                attestations.receive(office.context, data, "officer", "request", digest)
    seconds = time.perf_counter() - started
    decided = office.context.store.db.execute("SELECT count(*) FROM decision").fetchone()[0]
    assert decided == CLIPS, decided
    return CLIPS / seconds
