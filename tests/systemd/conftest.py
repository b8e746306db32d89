"""One booted machine with everything installed, for all tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.systemd.machine import Machine, possible
from tests.systemd.station import Station, install


@pytest.fixture(scope="session")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    possible()
    with Machine(tmp_path_factory.mktemp("machine") / "m") as machine:
        yield install(machine)


@pytest.fixture(autouse=True)
def console(station: Station, request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails says what the machine's services said last."""
    failed: int = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        said = station.machine.run("journalctl", "--lines=60", "--no-pager", "--output=short-precise", check=False)
        print(said)
