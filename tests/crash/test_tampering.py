"""The quick share of the flips that `make test-long` makes."""

from __future__ import annotations

from tests.crash import tampering


def test_every_flipped_bit_is_found_and_named() -> None:
    result = tampering.run(150, seed=7)
    assert result["bit_flips_found"] == 150, result["missed"]
