"""Excusals by supervisors, and withdrawals that may be about them, for the report on activation.

No clip opens or stays closed by one, so nothing of it goes into a clip's custody: the policy service records it.
"""

from __future__ import annotations

from daemon.dock.context import Transaction
from daemon.model.statements import Excusal, Withdrawal
from daemon.seal import envelope as envelopes
from daemon.seal.verify import verify

_MAY_TAKE_BACK = frozenset({"supervisor", "chief"})
"""An excusal is taken back by the supervisor who signed it, or by a chief."""


def receive(tx: Transaction, data: bytes) -> None:
    """One excusal. Raises VerificationError's subclasses."""
    verified = verify(envelopes.parse(data, what="excusal"), Excusal, tx.trust, at=tx.now())
    tx.dock.dispatch.excusals.add(verified.digest, verified.signer.id, verified.statement, tx.now())


def withdraw(tx: Transaction, data: bytes) -> None:
    """One withdrawal, of whatever; who can take no excusal back is not heard. Raises VerificationError's subclasses."""
    verified = verify(envelopes.parse(data, what="withdrawal"), Withdrawal, tx.trust, at=tx.now())
    if not _MAY_TAKE_BACK & verified.signer.roles:
        return
    tx.dock.dispatch.excusals.withdraw(
        verified.statement.attestation_sha256,
        verified.signer.id,
        chief="chief" in verified.signer.roles,
        received_at=tx.now(),
    )
