"""Signing, publishing, and hearing what the policy service answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from daemon.cli.shared.person import Caller
from daemon.link.session import Session
from daemon.model import statements as st
from daemon.model.documents import Answer
from daemon.model.errors import BwcError, UnavailableError
from daemon.model.parse import parse_model
from daemon.seal import envelope as envelopes

KEPT_SECONDS = 30 * 24 * 3600
"""How long an attestation stays retained: a policy service restored from a backup hears it again."""


class RefusedError(BwcError):
    """The policy service did not accept an attestation."""


@dataclass(frozen=True)
class Accepted:
    """What the policy service has accepted. `note` says what such a word cannot do."""

    kind: str
    digest: str
    note: str | None


def sign_and_publish(
    person: Caller, statements: Sequence[st.Statement], told: Callable[[Accepted], None] = lambda _: None
) -> list[Accepted]:
    """Signs all, then publishes each and waits for its answer; `told` hears of each at once.

    Raises ConfigurationError without a key, RefusedError with the policy service's reason, UnavailableError when no
    answer came: what was told before has been accepted all the same.
    """
    key = person.sign_key
    signed = [(statement.kind, envelopes.sign(statement, key)) for statement in statements]
    accepted = []
    with Session(person.broker, (person.topics.answer(person.person_id, "+"),)) as session:
        for kind, envelope in signed:
            topic = person.topics.attestation(person.person_id, kind, envelope.digest)
            session.publish(topic, envelope.to_bytes(), retain=True, keep_seconds=KEPT_SECONDS)
            answer = _await_answer(session, person, envelope.digest)
            accepted.append(Accepted(kind, envelope.digest, answer.note))
            told(accepted[-1])
    return accepted


def _await_answer(session: Session, person: Caller, digest: str, seconds: float = 15.0) -> Answer:
    topic = person.topics.answer(person.person_id, digest)
    message = session.wait(lambda received: received.topic == topic, seconds)
    if message is None:
        raise UnavailableError(
            f"published, but the policy service did not answer within {seconds:g} s",
            hint="it stays published and will be decided when the service is back",
        )
    answer = parse_model(Answer, message.payload, what="answer")
    if not answer.accepted:
        raise RefusedError(f"not accepted: {answer.reason}")
    return answer
