"""How far around a moment things are looked at, in one place: bounds of searches by time.

None of them decides a verdict. Each is wide enough to find everything that does.
"""

from __future__ import annotations

from datetime import timedelta

SHIFT = timedelta(hours=12)
"""How long somebody who was named on a unit is taken to be its crew."""
LONGEST_RECORDING = timedelta(days=3)
"""No recording is longer."""
LARGEST_SKEW = timedelta(days=1)
"""A camera's clock that is further off is never corrected."""
LONGEST_CALL = timedelta(days=2)
"""A call that is still open after so long is not looked for any more."""
AROUND_A_RECORDING = timedelta(days=1)
"""Within it, an officer's clips may change each other's verdicts."""
