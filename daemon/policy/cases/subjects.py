"""What an attestation is about, and which clips its word touches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.model import statements as st
from daemon.policy.store.store import PolicyDatabase


@dataclass(frozen=True)
class Subject:
    """What an attestation is about: an incident, a clip, and the clips that a classification names.

    A withdrawal is about what it takes back is about.
    """

    incident_id: str | None = None
    clip_id: str | None = None
    named: tuple[str, ...] = ()

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """The clips that it is about by themselves."""
        return (*((self.clip_id,) if self.clip_id else ()), *self.named)


def subject_of(store: PolicyDatabase, statement: st.Statement) -> Subject:
    """What a statement is about."""
    if isinstance(statement, st.Withdrawal):
        target = statement.attestation_sha256
        _, incident_id, clip_id = next(iter(store.find(target)), (None, None, None))
        return Subject(incident_id, clip_id, tuple(store.clips_named(target)))
    return Subject(
        getattr(statement, "incident_id", None),
        getattr(statement, "clip_id", None),
        tuple(getattr(statement, "clip_ids", ())),
    )


def clips_of(store: PolicyDatabase, subject: Subject) -> Iterable[str]:
    """The clips that it is about, each once: those by themselves first, then the incident's."""
    of_incident = store.clips_of_incident(subject.incident_id) if subject.incident_id else ()
    return dict.fromkeys((*subject.clip_ids, *of_incident))


def touched(store: PolicyDatabase, subject: Subject) -> set[str]:
    """The clips whose rulings a word about this may change, where it may say who was there.

    Who was in one clip was in its incident, so the other clips of the same incidents are touched as well.
    """
    return {*clips_of(store, subject), *store.clips_beside(subject.clip_ids)}
