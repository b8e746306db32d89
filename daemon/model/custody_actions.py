"""Every kind of entry that a custody log of ours holds, a dock's or the policy service's.

A reader of a log takes any action that is well formed: a later version may write more.
"""

from __future__ import annotations

from enum import StrEnum


class CustodyAction(StrEnum):
    """What an entry records. daemon.core.words says each in a sentence."""

    DOCKED = "docked"
    INGESTED = "ingested"
    QUARANTINED = "quarantined"
    ADMITTED = "admitted"
    CORRECTED = "corrected"
    TAGGED = "tagged"
    RECEIPTED = "receipted"
    ERASED = "erased"
    RELEASED = "released"
    EXPIRED = "expired"
    REVOKED = "revoked"
    OPENED = "opened"
    DISPOSED = "disposed"
    REPLICATED = "replicated"
    EVICTED = "evicted"
    REMOVED = "removed"
    DAMAGED = "damaged"
    REFUSED = "refused"
    REBUILT = "rebuilt"
    ACCEPTED = "accepted"
    DECIDED = "decided"
    DISPOSAL_DUE = "disposal_due"
    DISPOSAL_REPORTED = "disposal_reported"
    DISPOSAL_ORDERED = "disposal_ordered"
    DISPOSAL_WITHHELD = "disposal_withheld"
