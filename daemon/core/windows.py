"""How far around a moment things are looked at, in one place: bounds of searches by time.

None of them decides a verdict; each is wide enough that nothing that does is missed.
"""

from __future__ import annotations

from datetime import timedelta

SHIFT = timedelta(hours=12)
"""How long somebody who was named on a unit is taken to be its crew."""
LONGEST_RECORDING = timedelta(days=3)
"""No recording is longer."""
LARGEST_SKEW = timedelta(days=1)
"""No camera's clock that is corrected is further off."""
LONGEST_CALL = timedelta(days=2)
"""A call that is still open after so long is not looked for any more."""
AROUND_A_RECORDING = timedelta(days=1)
"""An officer's other clips within it may change a clip's verdict, and the clip theirs."""
