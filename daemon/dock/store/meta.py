"""The keys of the dock's `meta` table: single values that outlive the process."""

from __future__ import annotations

from enum import StrEnum


class MetaKey(StrEnum):
    """Each with what its value is. Times are RFC 3339 in UTC; numbers are decimal."""

    TRUST_VERSION = "trust_version"  # of the trust file in force
    TRUST_DIGEST = "trust_digest"  # SHA-256 of that trust file's payload
    LATEST = "latest"  # the latest time the clock was trusted to read
    SEQUENCE = "sequence"  # the highest notice sequence given
    THROUGH = "through"  # up to which notice sequence the policy service has acknowledged
    RECIPIENTS = "recipients"  # keyids that the policy service has shown it can open, separated by spaces
    ANNOUNCED = "announced"  # up to which notice sequence the broker has taken everything
    CUSTODY_SENT = "custody_sent"  # how many custody entries the broker has taken
    CUSTODY_SYNCED = "custody_settled"  # up to which entry the clips' custody records are durable in the vault
    DISPATCH_AS_OF = "dispatch_as_of"  # time of the newest dispatch document
    DISPATCH_SINCE = "dispatch_since"  # from when on dispatch was heard; none when nothing heard was ever lost
    SCRUB_CURSOR = "scrub_cursor"  # the clip that the round under way has come to
    SCRUB_FOUND = "scrub_found"  # findings of the round under way
    SCRUBBED_AT = "scrubbed_at"  # when the last round ended
    SCRUBBED_FOUND = "scrubbed_found"  # findings of the last round
    REPLICA_URL = "replica_url"  # where the replica is
    REPLICA_AWAY = "replica_away"  # set while no replica is configured though there was one
    REPLICA_LOG = "replica_log"  # how many custody lines the replica holds
    REPLICA_CHANGE = "replica_change"  # the number of the last change noted for the replica
