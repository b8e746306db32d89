"""What an attacker hands in: camera mounts, swapped files, documents, forgeries. Whatever it is, it is refused by name.

`mounts.run`, `swaps.run` and `forgeries.run` count in full; the tests beside them run a quick share. `fuzz.py` looks
further with atheris, and what it found lies in `regressions/`.
"""
