"""Opening the policy service's parts: regime, keys, trust and store. Putting a trust version in force."""

from __future__ import annotations

import logging

from daemon.custody.log import CustodyLog
from daemon.model.clock import Clock
from daemon.model.config import PolicyConfig
from daemon.model.errors import ConfigurationError
from daemon.model.times import format_instant
from daemon.model.topics import Topics
from daemon.policy.cases.trust_changes import reconsider_touched
from daemon.policy.context import PolicyContext
from daemon.policy.rules.regime import find as find_regime
from daemon.policy.store.store import open_store
from daemon.seal.keys import keyid, load_sign_public
from daemon.seal.private_keys import load_open_key, load_sign_key
from daemon.seal.trust import Trust, load_trust, parse_trust, refuse_rollback

log = logging.getLogger(__name__)


def open_context(config: PolicyConfig, clock: Clock, *, serve: bool = False) -> PolicyContext:
    """Opens and checks the service's parts. `serve`: they are to serve, not to look only.

    Raises ConfigurationError, which names what cannot be used, and UnavailableError for a database server that does not
    answer.
    """
    regime = find_regime(config.regime)
    root = load_sign_public(config.trust.root)
    trust = load_trust(config.trust.file, root)
    sign_key, open_key = load_sign_key(config.sign_key), load_open_key(config.open_key)
    if keyid(open_key.public_key()) != trust.policy_keyid():
        raise ConfigurationError(f"{config.open_key}: not the policy service's open key in {config.trust.file}")
    store = open_store(config, serve=serve)
    custody = CustodyLog(store.db, f"bwc/{config.agency}/policy", "policy", create=False)
    context = PolicyContext(config, clock, store, custody, regime, trust, sign_key, open_key, Topics(config.agency))
    with context.store.transaction():
        put_in_force(context, trust, config.trust.file.read_bytes())
    return context


def put_in_force(context: PolicyContext, trust: Trust, envelope: bytes) -> None:
    """Puts a trust version in force, in the current transaction. `envelope` is the version as it is signed.

    Earlier versions stay known, so that what was signed under them can still be verified.
    Raises ConfigurationError for a version older than the one in force.
    """
    root = load_sign_public(context.config.trust.root)
    known = [parse_trust(data, root, what="stored trust") for _, data in context.store.trusts()]
    newest = known[-1] if known else trust
    refuse_rollback(trust, newest.version, newest.digest, str(context.config.trust.file))
    for version in (*known, trust):
        context.store.remember_trust(version)
    context.store.add_trust(trust, envelope, format_instant(context.now()))
    context.trust = trust
    context.store.forget_remembered()
    if trust.version > newest.version:
        reconsider_touched(context, newest, trust)


def reread_trust(context: PolicyContext) -> None:
    """Reads the trust file again and puts it in force. Raises ConfigurationError or OSError when it cannot be used."""
    files = context.config.trust
    put_in_force(context, load_trust(files.file, load_sign_public(files.root)), files.file.read_bytes())


def follow_trust(context: PolicyContext) -> None:
    """Puts a trust version in force here that another service put in force: keys revoked there count here no longer."""
    if context.store.newest_trust() > context.trust.version:
        _, envelope = context.store.trusts()[-1]
        root = load_sign_public(context.config.trust.root)
        put_in_force(context, parse_trust(envelope, root, what="stored trust"), envelope)
        log.info("trust version %d is in force, as another service read it", context.trust.version)
