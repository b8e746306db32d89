"""Everything that counts about one clip at one moment, weighed.

Who is a party depends on which classifications stand, and which stand depends on who is a party: a classification is
taken back, or replaced by its signer's later one, only by somebody who is none. So it is worked out in rounds. At first
every classification stands. In each round those fall that somebody has taken back who is no party by what stood before;
fewer stand, so fewer are parties, so more may fall. When nothing more falls, the rest stands. A word of somebody who is
still a party then never made anything fall, and the order in which words came never matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from daemon.model import statements as st
from daemon.policy.testimony.parties import Parties
from daemon.policy.testimony.withdrawals import Withdrawals
from daemon.policy.testimony.words import AnyWord, Word, of_kind


@dataclass(frozen=True, slots=True)
class OtherClips:
    """The clips of one incident, as far as they say who was there.

    `captured_by`: the officers that the captures of clips tagged with it name. `attached`: the same, by clip id, for
    clips that a classification attached to it. `words`: what was said to correct that, by clip id. `beside`: what was
    said of these clips by themselves; who is involved in one of them was in the incident.
    """

    captured_by: frozenset[str]
    attached: Mapping[str, str]
    words: Mapping[str, list[AnyWord]]
    beside: list[AnyWord]


@dataclass(frozen=True, slots=True)
class StandingClassification:
    """A classification that stands. `opens`: its signer is unconflicted and nobody has taken it back."""

    word: Word[st.Classification]
    opens: bool

    @property
    def scope(self) -> str | None:
        """The incident it is about, or None when it classifies clips by themselves."""
        return self.word.statement.incident_id


@dataclass(frozen=True, slots=True)
class Testimony:
    """What counts about one clip.

    `incidents`: those it was tagged with, and those that a standing classification attaches it to. `vouched`: those of
    them that a dock's tag or an unconflicted signer's word says so of; the others only close. `classifications` are
    those of these incidents and of the clip itself. `words` are the ones whose moment has come.
    """

    clip_id: str
    captured_by: str
    incidents: tuple[str, ...]
    vouched: frozenset[str]
    classifications: tuple[StandingClassification, ...]
    parties: Parties
    words: list[AnyWord]
    withdrawals: Withdrawals

    def corrections(self) -> list[Word[st.Correction]]:
        """Corrections by somebody unconflicted, oldest first. (Somebody conflicted may have withdrawn one.)"""
        named = {correction.statement.officer_id for correction in of_kind(self.words, st.Correction)}
        may_have_worn = named | {self.captured_by}
        found = [
            word
            for word in of_kind(self.words, st.Correction)
            if word.trusted
            and self.parties.may_act(word.signer)
            and word.signer not in may_have_worn
            and not self.withdrawals.unconflicted_of(word, self.parties.may_act)
        ]
        return sorted(found, key=lambda word: (word.statement.at, word.digest, word.signer))

    def withdrawn(self, word: AnyWord) -> bool:
        """Whether anybody entitled took it back."""
        return self.withdrawals.any_of(word)

    def accounts(self, kind: type[st.OfficerStatement] | type[st.Report], scope: str | None) -> list[AnyWord]:
        """The statements or reports about an incident (None: about the clip itself) that count for opening."""
        return [
            word
            for word in of_kind(self.words, kind)
            if word.statement.incident_id == scope
            and word.trusted
            and self.parties.may_take_account(word.signer, word.statement.officer_id)
            and not self.withdrawn(word)
        ]

    def declared_by(self, person: str) -> bool:
        """Whether this person has declared that no force was used, and nobody entitled took that back."""
        return any(
            word.signer == person and word.trusted and not self.withdrawn(word)
            for word in of_kind(self.words, st.Declaration)
        )

    def authorizations(self) -> list[Word[st.Authorization]]:
        """Authorizations by somebody unconflicted that nobody took back, about the clip or a vouched incident of it."""
        return [
            word
            for word in of_kind(self.words, st.Authorization)
            if (word.statement.clip_id == self.clip_id or word.statement.incident_id in self.vouched)
            and word.trusted
            and self.parties.may_act(word.signer)
            and not self.withdrawn(word)
        ]

    def labels(self) -> list[Word[st.Label]]:
        """Labels that stand, oldest first: whoever signed them, for a label only keeps a clip longer."""
        found = [
            word
            for word in of_kind(self.words, st.Label)
            if not self.withdrawals.together_of(word, self.parties.may_act)
        ]
        return sorted(found, key=lambda word: (word.statement.at, word.digest, word.signer))

    def holds(self) -> dict[str, datetime]:
        """The legal holds in force, by their id, with the time they were placed.

        A hold is lifted by somebody unconflicted, later than it was placed. Placed and lifted at one instant, it holds.
        """
        placed: dict[str, datetime] = {}
        lifted: dict[str, datetime] = {}
        for word in of_kind(self.words, st.Hold):
            hold = word.statement
            if hold.state == "placed":
                if not self.withdrawals.unconflicted_of(word, self.parties.may_act):
                    placed[hold.hold_id] = max(hold.at, placed.get(hold.hold_id, hold.at))
            elif word.trusted and self.parties.may_act(word.signer) and not self.withdrawn(word):
                lifted[hold.hold_id] = max(hold.at, lifted.get(hold.hold_id, hold.at))
        return {name: at for name, at in placed.items() if name not in lifted or lifted[name] <= at}


def weigh(
    clip_id: str,
    captured_by: str,
    tagged: Iterable[str],
    words: list[AnyWord],
    others: Mapping[str, OtherClips],
    now: datetime,
) -> Testimony:
    """Weighs what was said about a clip and its incidents by `now`.

    `tagged`: the incidents of the dock's tags. `words`: every word about the clip, about those incidents, and about
    every incident that any classification attaches the clip to. `others`: the clips of each of these incidents.
    """
    words = [word for word in words if word.moment <= now]
    withdrawals = Withdrawals(words)
    every = of_kind(words, st.Classification)
    own = frozenset(tagged)
    incidents = own | {word.statement.incident_id for word in every if word.statement.incident_id is not None}
    while True:
        about = [word for word in every if _is_about(word.statement, clip_id, incidents)]
        there = [others[name] for name in sorted(incidents) if name in others]
        parties = _settle(about, captured_by, words, there, withdrawals)
        standing = _standing(about, parties, withdrawals)
        attached = own | attached_by(standing, clip_id)
        if attached == incidents:
            break
        incidents = attached  # it only shrinks: what was attached by a word that fell is no incident of the clip
    return Testimony(
        clip_id=clip_id,
        captured_by=captured_by,
        incidents=tuple(sorted(incidents)),
        vouched=own | attached_by([word for word in standing if _opens(word, parties, withdrawals)], clip_id),
        classifications=tuple(StandingClassification(word, _opens(word, parties, withdrawals)) for word in standing),
        parties=parties,
        words=words,
        withdrawals=withdrawals,
    )


def attached_by(standing: list[Word[st.Classification]], clip_id: str) -> frozenset[str]:
    """The incidents that these classifications attach a clip to."""
    return frozenset(
        word.statement.incident_id
        for word in standing
        if word.statement.incident_id is not None and clip_id in word.statement.clip_ids
    )


def _is_about(classification: st.Classification, clip_id: str, incidents: frozenset[str]) -> bool:
    if classification.incident_id is None:
        return clip_id in classification.clip_ids
    return classification.incident_id in incidents


def _settle(
    about: list[Word[st.Classification]],
    captured_by: str,
    words: list[AnyWord],
    others: list[OtherClips],
    withdrawals: Withdrawals,
) -> Parties:
    """The parties by what stands in the end."""
    corrections = of_kind(words, st.Correction)
    standing = about
    beside = [word for clips in others for word in of_kind(clips.beside, st.Classification)]
    there = Withdrawals([word for clips in others for word in clips.beside])
    while True:
        named = _named([*standing, *beside])
        may_act = Parties(*named, frozenset(), _all_named(captured_by, corrections)).may_act
        clip_wearers = {captured_by} | {
            word.statement.officer_id
            for word in corrections
            if word.statement.officer_id is not None and not withdrawals.unconflicted_of(word, may_act)
        }
        wearers = _other_wearers(others, named, standing)
        parties = Parties(*named, wearers, frozenset(clip_wearers))
        kept = _standing(standing, parties, withdrawals), _standing(beside, parties, there, _each_clip)
        if kept == (standing, beside):
            return parties
        standing, beside = kept


def _named(standing: list[Word[st.Classification]]) -> tuple[frozenset[str], frozenset[str]]:
    involved = frozenset(officer for word in standing for officer in word.statement.involved)
    return involved, frozenset(officer for word in standing for officer in word.statement.witnesses)


def _all_named(captured_by: str, corrections: list[Word[st.Correction]]) -> frozenset[str]:
    return frozenset({captured_by} | {w.statement.officer_id for w in corrections if w.statement.officer_id})


def _other_wearers(
    others: list[OtherClips],
    named: tuple[frozenset[str], frozenset[str]],
    standing: list[Word[st.Classification]],
) -> frozenset[str]:
    """Who wore the other clips' cameras, by captures and by corrections that nobody unconflicted took back."""
    found = {officer for clips in others for officer in clips.captured_by}
    still_attached = {clip_id for word in standing for clip_id in word.statement.clip_ids}
    found |= {officer for clips in others for name, officer in clips.attached.items() if name in still_attached}
    for words in (words for clips in others for words in clips.words.values()):
        corrections, withdrawals = of_kind(words, st.Correction), Withdrawals(words)
        may_act = Parties(*named, frozenset(), _all_named("", corrections)).may_act
        found |= {
            word.statement.officer_id
            for word in corrections
            if word.statement.officer_id and not withdrawals.unconflicted_of(word, may_act)
        }
    return frozenset(found)


def _the_incident(word: Word[st.Classification]) -> tuple[str | None, ...]:
    """What a word about one clip speaks of: its incident, or (None) that clip itself."""
    return (word.statement.incident_id,)


def _each_clip(word: Word[st.Classification]) -> tuple[str | None, ...]:
    """What a word about other clips by themselves speaks of: each of them. A later word about one leaves the others."""
    return word.statement.clip_ids


def _standing(
    about: list[Word[st.Classification]],
    parties: Parties,
    withdrawals: Withdrawals,
    scopes: Callable[[Word[st.Classification]], tuple[str | None, ...]] = _the_incident,
) -> list[Word[st.Classification]]:
    """Those that nobody unconflicted withdrew, and that no later one of their unconflicted signer's replaces.

    A word is replaced once later ones speak of everything that it speaks of.
    """
    newest: dict[tuple[str, str | None], datetime] = {}
    for word in about:
        if _opens(word, parties, withdrawals):
            for scope in scopes(word):
                key, at = (word.signer, scope), word.statement.classified_at
                newest[key] = max(at, newest.get(key, at))

    def is_replaced(word: Word[st.Classification]) -> bool:
        at = word.statement.classified_at
        return all(newest.get((word.signer, scope), at) > at for scope in scopes(word))

    return [word for word in about if not withdrawals.unconflicted_of(word, parties.may_act) and not is_replaced(word)]


def _opens(word: Word[st.Classification], parties: Parties, withdrawals: Withdrawals) -> bool:
    return word.trusted and parties.may_classify(word.signer) and not withdrawals.any_of(word)
