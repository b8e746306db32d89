"""Forgeries of everything that anybody signs, each offered to the code of whoever would receive it.

    run() -> {"forgeries": n, "forgeries_refused": n, "controls": n, "controls_accepted": n}

Refused means: with its own error, and nothing changed. Each party is offered the genuine thing last, and must take it:
a party that refuses everything proves nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.hostile import forged_facts, forged_orders, forged_papers
from tests.hostile.forging import ACCEPTED, Forgery, Party
from tests.hostile.targets import folder


@contextmanager
def parties() -> Iterator[Iterator[Party]]:
    """Everybody who verifies something, one after the other."""
    with folder() as root, ExitStack() as stack:
        yield _all(root, stack)


def _all(root: Path, stack: ExitStack) -> Iterator[Party]:
    for number, made in enumerate((forged_orders, forged_facts, forged_papers)):
        yield from made.parties(root / str(number), stack)


def wrong(forgery: Forgery) -> str | None:
    """Offers it; what is wrong with how it was met, None when it was refused as it should be."""
    before = forgery.state()
    try:
        met = forgery.offer()
    except Exception as error:  # noqa: BLE001 - counted as what it is
        return f"{type(error).__name__}: {error}"
    if met != forgery.error:
        return f"{met}, where {forgery.error} was expected"
    return None if forgery.state() == before else "refused, but something changed"


def run() -> dict[str, int]:
    """Everything, in some seconds."""
    told = {"forgeries": 0, "forgeries_refused": 0, "controls": 0, "controls_accepted": 0}
    logging.disable(logging.CRITICAL)
    try:
        with parties() as found:
            for party in found:
                _offer_all(party, told)
    finally:
        logging.disable(logging.NOTSET)
    return told


def _offer_all(party: Party, told: dict[str, int]) -> None:
    for forgery in party.forgeries:
        told["forgeries"] += 1
        problem = wrong(forgery)
        told["forgeries_refused"] += problem is None
        if problem is not None:
            print(f"{party.name}: {forgery.name}: {problem}", flush=True)
    told["controls"] += 1
    met = party.genuine()
    told["controls_accepted"] += met == ACCEPTED
    if met != ACCEPTED:
        print(f"{party.name}: the genuine one: {met}", flush=True)


if __name__ == "__main__":
    print(json.dumps(run()))
