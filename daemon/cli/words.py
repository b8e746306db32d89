"""What the documents say, in a person's words."""

from __future__ import annotations

from daemon.model.documents import Need
from daemon.model.times import format_instant

_WHOM = {
    "supervisor": "a supervisor",
    "internal_affairs": "internal affairs",
    "chief": "the chief",
    "records": "the records staff",
}
_FORM = {"unrecorded": "a statement", "audio": "an audio-recorded statement", "video": "a statement on video"}


def need_sentence(need: Need) -> str:
    """`an audio-recorded statement to internal affairs from 51234, due 2023-12-01T21:40:00.000Z`."""
    whom = _WHOM.get(need.from_ or "", need.from_ or "somebody")
    if need.kind == "statement":
        text = f"{_FORM.get(need.form or '', 'a statement')} to {whom} from {need.officer_id}"
    elif need.kind == "report":
        text = f"the filed report of {need.officer_id}"
    elif need.kind == "clip":
        text = "the clip announced by its dock"
    elif need.kind == "hold_lifted":
        text = "the legal hold lifted"
    else:
        text = f"{need.kind} by {whom}"
    return f"{text}, due {format_instant(need.by)}" if need.by else text
