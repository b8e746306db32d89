"""Every forgery is refused by its own name and changes nothing; the genuine thing is accepted."""

from __future__ import annotations

from tests.hostile import forgeries


def test_every_forgery() -> None:
    told = forgeries.run()
    assert told["forgeries_refused"] == told["forgeries"] >= 400
    assert told["controls_accepted"] == told["controls"] >= 10
