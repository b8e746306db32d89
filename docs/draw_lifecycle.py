"""Draws a clip's states into docs/architecture.md, from the table that production runs: `make docs`."""

from __future__ import annotations

from pathlib import Path

from daemon.core.lifecycle import MOVES, State

PAGE = Path(__file__).with_name("architecture.md")
_BEGIN, _END = "<!-- drawn by docs/draw_lifecycle.py -->\n", "<!-- end of drawing -->\n"
_OUTSIDE = "[*]"


def drawing() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    {_OUTSIDE} --> {State.STAGED}"]
    lines += [f"    {before} --> {after}: {event}" for (before, event), after in MOVES.items()]
    lines += [f"    {state} --> {_OUTSIDE}" for state in State if not any(before == state for before, _ in MOVES)]
    return "\n".join([*lines, "```", ""])


def drawn(page: str) -> str:
    """The page with the drawing in its place. Raises ValueError when it has none."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{PAGE}: has no place for the drawing; it stands between {_BEGIN!r} and {_END!r}")
    return f"{before}{_BEGIN}{drawing()}{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
