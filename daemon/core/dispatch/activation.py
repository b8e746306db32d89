"""Clips and dispatch assignments → verdicts: was the camera on when its officer was dispatched?

An assignment is the half-open interval [dispatched_at, cleared_at), a clip [started_at, stopped_at), times corrected
for the camera's skew by the caller. They belong together when they overlap; what has no length overlaps nothing.
Reckoned in whole milliseconds.

on_time  already recording at dispatch, or triggered within the grace period, inclusive
late     the first trigger came after that
partial  on time, but the last recording stopped more than the grace period before the call was cleared
absent   no clip, though the officer's camera has docked since
pending  no clip yet
excused  cancelled within the grace period: there is no verdict, with or without a clip

A pre-event buffer covers time but triggers nothing. An open call is never partial, and lasts until the last stop of the
clips that overlap it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from daemon.model.statements import Verdict

ClipVerdict = Literal["on_time", "late", "partial", "absent", "pending", "excused", "ambiguous", "undispatched"]
GRACE_SECONDS = 60.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording. `started_at` includes the pre-event buffer."""

    clip_id: str
    officer_id: str
    started_at: datetime
    triggered_at: datetime
    stopped_at: datetime

    def corrected(self, skew_seconds: float) -> Clip:
        """The same clip by the dock's clock. Skew is camera minus dock."""
        skew = timedelta(milliseconds=round(skew_seconds * 1000))
        return Clip(
            self.clip_id, self.officer_id, self.started_at - skew, self.triggered_at - skew, self.stopped_at - skew
        )


def newest_stops(clips: Iterable[Clip]) -> dict[str, datetime]:
    """For each officer the end of the newest clip: what was recorded later may still be on the camera."""
    until: dict[str, datetime] = {}
    for clip in clips:
        until[clip.officer_id] = max(until.get(clip.officer_id, clip.stopped_at), clip.stopped_at)
    return until


@dataclass(frozen=True, slots=True)
class Assignment:
    """One officer's part in one incident. `cleared_at` None: still open.

    `matched_by` says whether dispatch named the officer, or only the unit that officer alone was on. `cancelled`: it
    ended by being cancelled.
    """

    incident_id: str
    incident_type: str
    unit_id: str
    officer_id: str
    dispatched_at: datetime
    cleared_at: datetime | None = None
    matched_by: Literal["officer", "unit"] = "officer"
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class AssignmentVerdict:
    """An assignment's verdict over all of its officer's clips.

    `triggered_after_seconds` is the first trigger minus the dispatch: negative or zero when the camera was recording
    already, None without a clip. Covered seconds count once where clips overlap; covered and uncovered make up the
    assignment's length (an open one's: up to the last stop).
    """

    assignment: Assignment
    verdict: Verdict
    triggered_after_seconds: float | None
    covered_seconds: float
    uncovered_seconds: float
    clip_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One clip's part in an assignment: the assignment's verdict, and how much of its length this clip alone covers."""

    judged: AssignmentVerdict
    covered_seconds: float
    uncovered_seconds: float


@dataclass(frozen=True, slots=True)
class ClipActivation:
    """A clip's verdict and the assignments it overlaps, by time of dispatch."""

    verdict: ClipVerdict
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    """Every clip by its id, and every assignment by time of dispatch."""

    clips: dict[str, ClipActivation]
    assignments: tuple[AssignmentVerdict, ...]


def match(
    clips: Iterable[Clip],
    assignments: Iterable[Assignment],
    docked_until: Mapping[str, datetime],
    grace_seconds: float = GRACE_SECONDS,
) -> Matching:
    """Which clips belong to which assignments, and the verdicts. Neither order nor repetition of the input matters.

    A clip_id names one clip. `docked_until[officer_id]`: everything that officer recorded before has been taken in.
    """
    worn: dict[str, list[_ClipSpan]] = defaultdict(list)
    called: dict[str, list[_Call]] = defaultdict(list)
    for clip in {clip.clip_id: clip for clip in clips}.values():
        worn[clip.officer_id].append(
            _ClipSpan(_ms(clip.started_at), _ms(clip.triggered_at), _ms(clip.stopped_at), clip.clip_id)
        )
    for assignment in set(assignments):
        end = _NEVER if assignment.cleared_at is None else _ms(assignment.cleared_at)
        called[assignment.officer_id].append(_Call(_ms(assignment.dispatched_at), end, assignment))
    judged: list[AssignmentVerdict] = []
    activations: dict[str, ClipActivation] = {}
    for officer_id in worn.keys() | called.keys():
        recordings = sorted(worn.get(officer_id, ()), key=_ClipSpan.order)
        calls = sorted(called.get(officer_id, ()), key=_Call.order)
        until = docked_until.get(officer_id)
        _pair(recordings, calls)
        judged += [call.judge(-_NEVER if until is None else _ms(until), grace_seconds * 1000) for call in calls]
        activations.update((recording.clip_id, recording.activation()) for recording in recordings)
    judged.sort(key=lambda item: _assignment_order(item.assignment))
    return Matching(activations, tuple(judged))


@dataclass(slots=True)
class _ClipSpan:
    """A clip in milliseconds, and the calls it overlaps with the milliseconds it covers of each."""

    begin: int
    trigger: int
    end: int
    clip_id: str
    calls: list[tuple[_Call, int]] = field(default_factory=list)

    def order(self) -> tuple[int, int, str]:
        return self.begin, self.end, self.clip_id

    def activation(self) -> ClipActivation:
        parts = tuple(Part(call.done(), ms / 1000, (call.length - ms) / 1000) for call, ms in self.calls)
        return ClipActivation(self._verdict(), parts)

    def _verdict(self) -> ClipVerdict:
        """Its one assignment's; of several, that of the only one holding more than half of the clip's time."""
        if not self.calls:
            return "undispatched"
        holders = [call for call, ms in self.calls if len(self.calls) == 1 or 2 * ms > self.end - self.begin]
        return holders[0].done().verdict if len(holders) == 1 else "ambiguous"


@dataclass(slots=True)
class _Call:
    """An assignment in milliseconds, and the recordings that overlap it, by start."""

    begin: int
    end: int
    assignment: Assignment
    recordings: list[_ClipSpan] = field(default_factory=list)
    length: int = 0
    judged: AssignmentVerdict | None = None

    def order(self) -> tuple[int, str, str, int]:
        return self.begin, self.assignment.incident_id, self.assignment.unit_id, self.end

    def done(self) -> AssignmentVerdict:
        assert self.judged is not None  # noqa: S101 (calls are judged before their recordings)
        return self.judged

    def judge(self, docked_until: int, grace: float) -> AssignmentVerdict:
        last_stop = max((recording.end for recording in self.recordings), default=self.begin)
        end = last_stop if self.end == _NEVER else self.end
        self.length = max(0, end - self.begin)
        covered = _covered(self.recordings, self.begin, end)
        delay = min((recording.trigger for recording in self.recordings), default=0) - self.begin
        verdict: Verdict
        if self.assignment.cancelled and end - self.begin <= grace:
            verdict = "excused"
        elif not self.recordings:
            verdict = "absent" if docked_until > end else "pending"
        elif delay > grace:
            verdict = "late"
        else:
            verdict = "on_time" if end - last_stop <= grace else "partial"
        self.judged = AssignmentVerdict(
            self.assignment,
            verdict,
            delay / 1000 if self.recordings else None,
            covered / 1000,
            (self.length - covered) / 1000,
            tuple(recording.clip_id for recording in self.recordings),
        )
        return self.judged


def _pair(recordings: Sequence[_ClipSpan], calls: Sequence[_Call]) -> None:
    """Tells each recording its calls and each call its recordings, in one sweep over both, sorted by their begin."""
    for recording, call in _overlaps(
        [recording for recording in recordings if recording.begin < recording.end],
        [call for call in calls if call.begin < call.end],
    ):
        recording.calls.append((call, min(recording.end, call.end) - max(recording.begin, call.begin)))
        call.recordings.append(recording)
    for recording in recordings:
        recording.calls.sort(key=lambda pair: pair[0].order())
    for call in calls:
        call.recordings.sort(key=_ClipSpan.order)


def _overlaps(recordings: Sequence[_ClipSpan], calls: Sequence[_Call]) -> Iterator[tuple[_ClipSpan, _Call]]:
    """Each overlapping pair once: of two that overlap, the later begins before the earlier ends."""
    i = j = 0
    while i < len(recordings) and j < len(calls):
        recording, call = recordings[i], calls[j]
        if recording.begin <= call.begin:
            k = j
            while k < len(calls) and calls[k].begin < recording.end:
                yield recording, calls[k]
                k += 1
            i += 1
        else:
            k = i
            while k < len(recordings) and recordings[k].begin < call.end:
                yield recordings[k], call
                k += 1
            j += 1


def _covered(recordings: Sequence[_ClipSpan], begin: int, end: int) -> int:
    """Milliseconds of [begin, end) that recordings, sorted by begin, cover; overlaps count once."""
    covered = 0
    for recording in recordings:
        covered += max(0, min(recording.end, end) - max(recording.begin, begin))
        begin = max(begin, recording.end)
    return covered


def _assignment_order(assignment: Assignment) -> tuple[datetime, str, str, str]:
    return assignment.dispatched_at, assignment.incident_id, assignment.unit_id, assignment.officer_id


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND
