"""Looking further with atheris (`pip install bwc-dock[fuzz]`): every parser that faces the outside, guided by coverage.

    python -m tests.hostile.fuzz TARGET|all [--seconds N] [--corpus DIR]

`--seconds` is for each target. What escapes is kept in `regressions/<target>/`, named by its digest, and replayed by
`test_regressions.py` ever after.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import logging
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.hostile.mutate import mutate

REGRESSIONS = Path(__file__).with_name("regressions")
_LONGEST = 20_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("target", help="a target's name, or all")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="kept between runs; by default a new one each time")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside is not None:
        _fuzz(given.target, given.seconds, given.corpus, given.inside)
    names = _names() if given.target == "all" else [given.target]
    return 1 if any([_in_a_process(name, given.seconds, given.corpus) for name in names]) else 0


def _names() -> list[str]:
    from tests.hostile.targets import targets

    with targets() as made:
        return list(made)


def _in_a_process(name: str, seconds: int, corpus: Path | None) -> bool:
    """libFuzzer ends its process without a word to Python: what is left lying is cleared from here."""
    from tests.hostile.targets import folder

    with folder() as inside, tempfile.TemporaryDirectory(prefix="bwc-corpus-") as fresh:
        command = [sys.executable, "-m", "tests.hostile.fuzz", name, "--seconds", str(seconds)]
        command += ["--inside", str(inside), "--corpus", str(corpus / name if corpus else fresh)]
        return subprocess.run(command, check=False).returncode != 0


def _fuzz(name: str, seconds: int, corpus: Path, inside: Path) -> None:
    """Does not return."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["daemon", "device_sim"]):
        from tests.hostile.targets import REFUSALS, Targets

    logging.disable(logging.CRITICAL)
    kept = REGRESSIONS / name
    target = Targets(inside).all()[name]
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)

    def once(data: bytes) -> None:
        try:
            target.take(data)
        except REFUSALS:
            pass
        except Exception:
            kept.mkdir(parents=True, exist_ok=True)
            (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
            raise

    def change(data: bytes, longest: int, seed: int) -> bytes:
        """Half the time by somebody who knows what JSON is."""
        if seed % 2:
            return bytes(atheris.Mutate(data, longest))
        return mutate(random.Random(seed), data)[:longest]

    options = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-timeout=10", "-rss_limit_mb=2048"]
    options += [f"-artifact_prefix={inside}/", str(corpus)]
    atheris.Setup([sys.argv[0], *options], once, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    raise SystemExit(main())
