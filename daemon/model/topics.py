"""The MQTT topics, built and taken apart in one place. Root: `bwc/v1/<agency>`."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.model.safe_names import read_safe_name, safe_name


@dataclass(frozen=True)
class Topics:
    """Topic names below one agency's root. Ids are checked where they enter, so none holds `/`, `+` or `#`; those of
    dispatch may, and stand here by their safe names.
    """

    agency: str

    @property
    def root(self) -> str:
        """The prefix of every topic of this agency's."""
        return f"bwc/v1/{self.agency}"

    def status(self, dock_id: str) -> str:
        """A dock's status; retained."""
        return f"{self.root}/dock/{dock_id}/status"

    def bay(self, dock_id: str, bay: str) -> str:
        """How one bay of a dock stands; retained."""
        return f"{self.root}/dock/{dock_id}/bay/{bay}"

    def clip(self, dock_id: str, clip_id: str) -> str:
        """A clip's current notice; retained."""
        return f"{self.root}/dock/{dock_id}/clip/{clip_id}"

    def announcement(self, dock_id: str, clip_id: str) -> str:
        """A clip's whole notice, for the policy service; not retained."""
        return f"{self.root}/dock/{dock_id}/announcement/{clip_id}"

    def checkpoint(self, dock_id: str) -> str:
        """A dock's newest checkpoint (C2SP); retained."""
        return f"{self.root}/dock/{dock_id}/checkpoint"

    def custody(self, dock_id: str, sequence: int | str) -> str:
        """One entry of a dock's custody log."""
        return f"{self.root}/dock/{dock_id}/custody/{sequence}"

    def ack(self, dock_id: str) -> str:
        """The policy service's acknowledgement for a dock; retained."""
        return f"{self.root}/ack/{dock_id}"

    def order(self, dock_id: str, clip_id: str) -> str:
        """Orders about a clip, for its dock."""
        return f"{self.root}/order/{dock_id}/{clip_id}"

    def cad(self, incident_id: str) -> str:
        """Dispatch documents about an incident (NENA EIDO)."""
        return f"{self.root}/cad/{safe_name(incident_id)}"

    @property
    def every_cad(self) -> str:
        """The filter for all dispatch documents, also from a dispatch system that writes its ids as they are."""
        return f"{self.root}/cad/+/#"

    def incident_of(self, topic: str) -> str | None:
        """The incident that a dispatch document's topic names; None for any other topic."""
        match self.split(topic):
            case ("cad", *levels) if levels:
                name = "/".join(levels)
            case _:
                return None
        try:
            return read_safe_name(name)
        except ValueError:
            return name

    def attestation(self, person_id: str, kind: str, digest: str) -> str:
        """What a person attests, by its kind and digest."""
        return f"{self.root}/attestation/{person_id}/{kind}/{digest}"

    def answer(self, person_id: str, digest: str) -> str:
        """The policy service's answer to what a person attested."""
        return f"{self.root}/answer/{person_id}/{digest}"

    def decision(self, person_id: str, request_id: str) -> str:
        """What was decided on a person's request; retained."""
        return f"{self.root}/decision/{person_id}/{request_id}"

    def query(self, person_id: str, query_id: str) -> str:
        """A person's question to the policy service."""
        return f"{self.root}/query/{person_id}/{query_id}"

    def result(self, person_id: str, query_id: str, page: int | str) -> str:
        """One page of the policy service's answer to a question."""
        return f"{self.root}/result/{person_id}/{query_id}/{page}"

    @property
    def policy_status(self) -> str:
        """How the policy service is; retained."""
        return f"{self.root}/policy/status"

    def standing(self, dock_id: str, clip_id: str) -> str:
        """A clip's standing, for supervisors; retained."""
        return f"{self.root}/standing/{dock_id}/{clip_id}"

    def split(self, topic: str) -> tuple[str, ...]:
        """The levels below the root; an empty tuple for a topic that is not below it."""
        prefix = self.root + "/"
        return tuple(topic[len(prefix) :].split("/")) if topic.startswith(prefix) else ()
