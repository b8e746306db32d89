"""On SQLite one service uses the store, and leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.model.errors import ConfigurationError
from daemon.policy.store.lead import FileLockLead


def test_a_second_service_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    first = FileLockLead(tmp_path)
    assert first.try_lead() and not first.shared and first.members() == frozenset()
    with pytest.raises(ConfigurationError, match="another policy service") as refused:
        FileLockLead(tmp_path)
    assert "PostgreSQL" in str(refused.value.hint)
    first.close()
    FileLockLead(tmp_path).close()
