"""What the documents say, in a person's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon.model.custody_actions import CustodyAction
from daemon.model.documents import Need
from daemon.model.times import format_instant

_WHOM = {
    "supervisor": "a supervisor",
    "internal_affairs": "internal affairs",
    "chief": "the chief",
    "records": "the records staff",
}
_FORM = {"unrecorded": "a statement", "audio": "an audio-recorded statement", "video": "a statement on video"}
_CUSTODY: dict[str, str] = {
    CustodyAction.DOCKED: "camera {camera_serial} docked in {bay}",
    CustodyAction.INGESTED: "taken in: hashed, sealed and locked",
    CustodyAction.QUARANTINED: "put in quarantine: {integrity}",
    CustodyAction.ADMITTED: "admitted from quarantine",
    CustodyAction.CORRECTED: "worn by {officer_id}, not by {instead_of}",
    CustodyAction.TAGGED: "tagged with its dispatch calls, revision {revision}",
    CustodyAction.RECEIPTED: "receipt written onto the camera: the dock holds it",
    CustodyAction.RELEASED: "released to {person_id} for {purpose}, until {expires_at}",
    CustodyAction.EXPIRED: "a release ended: its time was over; locked again",
    CustodyAction.REVOKED: "a release was revoked; locked again",
    CustodyAction.OPENED: "opened by {person_id}",
    CustodyAction.ERASED: "erased from the camera",
    CustodyAction.DISPOSED: "disposed of by order",
    CustodyAction.REPLICATED: "copied to object storage: {url}",
    CustodyAction.EVICTED: "its sealed file lies in object storage alone: {url}",
    CustodyAction.REMOVED: "removed from object storage: {objects} objects",
    CustodyAction.ACCEPTED: "a statement was accepted: {kind}",
    CustodyAction.DECIDED: "a request was decided",
    CustodyAction.DISPOSAL_DUE: "its disposal is due",
    CustodyAction.DISPOSAL_REPORTED: "a disposal report was made: {due} clips due, {overdue} overdue",
    CustodyAction.DISPOSAL_ORDERED: "its disposal was ordered",
    CustodyAction.DISPOSAL_WITHHELD: "its disposal was authorized and withheld: {reason}",
    CustodyAction.DAMAGED: "found damaged: {problem}",
    CustodyAction.REFUSED: "refused: {reason}",
    CustodyAction.REBUILT: "the dock's database was made anew from its vault: {clips} clips",
}
TRIGGERS = {
    "button": "the button",
    "dispatch": "dispatch",
    "light_bar": "the light bar",
    "sidearm": "a drawn sidearm",
    "conducted_energy_weapon": "a conducted energy weapon",
    "vehicle": "the vehicle",
    "timeout": "a timeout",
    "battery": "the battery",
    "docked": "docking",
    "unknown": "something unknown",
}
"""What started or stopped a recording."""


class _Given(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def need_words(need: Need) -> str:
    """`an audio-recorded statement to internal affairs from 51234`."""
    whom = _WHOM.get(need.from_ or "", need.from_ or "somebody")
    if need.kind == "statement":
        return f"{_FORM.get(need.form or '', 'a statement')} to {whom} from {need.officer_id}"
    if need.kind == "report":
        return f"the filed report of {need.officer_id}"
    if need.kind == "clip":
        return "the clip announced by its dock"
    if need.kind == "hold_lifted":
        return "the legal hold lifted"
    return f"{need.kind} by {whom}"


def need_sentence(need: Need) -> str:
    """The same, with the time by which it is due: `…, due 2023-12-01T21:40:00.000Z`."""
    text = need_words(need)
    return f"{text}, due {format_instant(need.by)}" if need.by else text


def custody_sentence(action: str, detail: Mapping[str, Any]) -> str:
    """What a custody entry says: `taken in: hashed, sealed and locked`."""
    form = _CUSTODY.get(action)
    return action.replace("_", " ") if form is None else form.format_map(_Given(detail))
