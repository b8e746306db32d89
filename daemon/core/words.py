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
_ABOUT_INCIDENT = frozenset({"classification", "statement", "report"})
"""Needs that are about one incident, or about the clip itself."""
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
EXCUSALS = {
    "equipment_failure": "the equipment failed",
    "relieved": "relieved by others",
    "training": "training",
    "other": "another reason",
}
"""Why a camera was not on as it should have been."""
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
    return _need(need, "")


def need_sentence(need: Need) -> str:
    """The same, with the incident and when it is due: `… from 51234 about incident 23-1, due 2023-12-01…`."""
    text = _need(need, _where(need))
    return f"{text}, due {format_instant(need.by)}" if need.by else text


def need_told(need: Need) -> str:
    """The sentence, and what stands in the way: `…; but nobody enrolled who … is outside the incident`."""
    return f"{need_sentence(need)}; but {need.note}" if need.note else need_sentence(need)


def _where(need: Need) -> str:
    if need.kind not in _ABOUT_INCIDENT:
        return ""
    about = "of" if need.kind == "classification" else "about"
    return f" {about} {f'incident {need.incident_id}' if need.incident_id else 'the clip itself'}"


def _need(need: Need, where: str) -> str:
    whom = _WHOM.get(need.from_ or "", need.from_ or "somebody")
    match need.kind:
        case "classification":
            return f"classification{where} by {whom}"
        case "statement":
            return f"{_FORM.get(need.form or '', 'a statement')} to {whom} from {need.officer_id}{where}"
        case "report":
            return f"the filed report of {need.officer_id}{where}"
        case "clip":
            return "the clip announced by its dock"
        case "hold_lifted":
            return "the legal hold lifted"
        case "court_order":
            return "a court's order on record, signed by the records staff and by the chief or counsel"
        case _:
            return f"{need.kind} by {whom}"


def custody_sentence(action: str, detail: Mapping[str, Any]) -> str:
    """What a custody entry says: `taken in: hashed, sealed and locked`."""
    form = _CUSTODY.get(action)
    return action.replace("_", " ") if form is None else form.format_map(_Given(detail))
