"""A few power cuts on each file system. The long share: python -m tests.crash.power"""

from __future__ import annotations

import pytest

from tests.crash import power

pytestmark = pytest.mark.xdist_group("loop devices")


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_what_has_a_receipt_survives_power_cuts(filesystem: str) -> None:
    why = power.why_not(filesystem)
    if why is not None:
        pytest.skip(why)
    result = power.run(6, 7, filesystem, clips=4)
    assert result["problems"] == []
    assert (result["power_cuts"], result["lost"]) == (6, 0)
