"""`bwc review`: what clips there are, asking for one, and opening one that was released."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from daemon.cli.attest.facts import validated
from daemon.cli.attest.sign import KEPT_SECONDS, sign_and_publish
from daemon.cli.shared.options import JSON, STORE
from daemon.cli.shared.output import print_json
from daemon.cli.shared.person import Caller, as_person
from daemon.cli.shared.vault_options import source_at
from daemon.core.words import need_told
from daemon.link.session import Session
from daemon.model.documents import Decision, Notice
from daemon.model.errors import LockedError, UnavailableError
from daemon.model.parse import parse_model
from daemon.model.statements import Purpose, Request
from daemon.model.times import format_instant, truncate
from daemon.review.known import read_notices
from daemon.review.opening import OpenedClip, Viewer, open_clip
from daemon.seal.envelope import LIMIT, Envelope
from daemon.seal.keys import load_sign_public
from daemon.seal.trust import load_trust
from daemon.vault import durable

_WAIT = click.option("--wait", default=15.0, show_default=True, help="Seconds to wait for the decision.")


@click.group()
def review() -> None:
    """View footage: list clips, request one, follow the decision, open what is released."""


@review.command("list")
@JSON
@as_person
def list_clips(person: Caller, as_json: bool) -> None:
    """List the clips that docks have announced, and whether each is locked.

    \b
    Example:  bwc review list --as 51234 --broker mqtt://127.0.0.1:1883 --agency portland
    """
    with Session(person.broker, (person.topics.clip("+", "+"),)) as session:
        messages = session.retained()
    refused: list[str] = []
    rows = [_row(notice) for notice in read_notices(messages, refused)]
    for words in refused:
        click.echo(f"bwc: {words}", err=True)
    rows.sort(key=lambda row: (str(row["started_at"]), row["clip_id"]))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['clip_id']}  {row['lock']:8}  {row['officer_id']:10}  {row['started_at']:24}  {row['incidents']}"
        )
    click.echo(f"{len(rows)} clips")


@review.command()
@click.option("--clip", required=True, help="The clip's id.")
@click.option("--purpose", required=True, type=click.Choice(get_args(Purpose)), help="What you need it for.")
@_WAIT
@JSON
@as_person
def request(person: Caller, clip: str, purpose: str, wait: float, as_json: bool) -> None:
    """Ask to view a clip. Exit 0 when it is released to you, 3 when it stays locked (and what would open it).

    A refused request stays open for 14 days and is decided again whenever a fact changes.

    \b
    Example:  bwc review request --as 51234 --clip 0b5f… --purpose report
    """
    request_id = str(uuid.uuid4())
    topic = person.topics.decision(person.person_id, request_id)
    payload = {
        "request_id": request_id,
        "clip_id": clip,
        "purpose": purpose,
        "requested_at": format_instant(datetime.now(UTC)),
    }
    with Session(person.broker, (topic,)) as session:
        sign_and_publish(person, [validated(Request, payload, "request")])
        message = session.wait(lambda received: received.topic == topic, wait)
    if message is None:
        raise UnavailableError(
            f"requested as {request_id}, but no decision within {wait:g} s", hint="ask later: bwc review status"
        )
    _report(_decision(message.payload), as_json)


@review.command()
@click.option("--request", "request_id", help="One request; all of yours without it.")
@click.option("--wait", default=0.0, show_default=True, help="Seconds to wait until the request is released.")
@JSON
@as_person
def status(person: Caller, request_id: str | None, wait: float, as_json: bool) -> None:
    """Show how your requests stand. With --request: exit 0 when released, 3 when not.

    \b
    Example:  bwc review status --as 51234 --broker mqtt://127.0.0.1:1883 --agency portland
    """
    topic = person.topics.decision(person.person_id, request_id or "+")
    with Session(person.broker, (topic,)) as session:
        if request_id is not None and wait > 0:
            message = session.wait(lambda m: _decision(m.payload).outcome == "released", wait)
            messages = [message] if message else []
        else:
            messages = session.retained()
    found = [_decision(message.payload) for message in messages]
    if request_id is not None:
        if not found:
            raise LockedError(f"request {request_id} is not released")
        _report(found[-1], as_json)
    elif as_json:
        print_json([decision.plain() for decision in found])
    else:
        for decision in sorted(found, key=lambda d: d.decided_at):
            click.echo(f"{decision.request_id}  clip {decision.clip_id}  {decision.outcome}")
        click.echo(f"{len(found)} requests")


@review.command("open")
@click.option("--clip", required=True, help="The clip's id.")
@click.option("--vault", required=True, help="The vault, a read-only share of it, or its replica: s3://…/DOCK.")
@STORE
@click.option("--trust", required=True, type=click.Path(path_type=Path), help="The agency's signed trust attestation.")
@click.option("--root", required=True, type=click.Path(path_type=Path), help="The agency's root.sign.pub.pem.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The MP4 to write.")
@click.option("--certificate", is_flag=True, help="Also write a certificate of authenticity (HTML and JSON) beside it.")
@JSON
@as_person
def open_(
    person: Caller,
    clip: str,
    vault: str,
    store: Path | None,
    trust: Path,
    root: Path,
    out: Path,
    certificate: bool,
    as_json: bool,
) -> None:
    """Open a clip that is released to you: decrypted, verified, and only then written. The opening is recorded.

    Exit 3 when it is locked, 4 when anything about it does not hold.

    \b
    Example:  bwc review open --as 51234 --clip 0b5f… --vault /srv/bwc/vault
                --trust trust.json --root root.sign.pub.pem --out clip.mp4
              bwc review open --as 51234 --clip 0b5f… --vault s3://evidence/central-1 --store store.toml
                --trust trust.json --root root.sign.pub.pem --out clip.mp4
    """
    loaded = load_trust(trust, load_sign_public(root))
    viewer = Viewer(person.person_id, person.sign_key, person.open_key)
    with source_at(vault, store) as source, Session(person.broker, ()) as session:

        def attest(opened: Envelope) -> None:
            topic = person.topics.attestation(person.person_id, "opened", opened.digest)
            session.publish(topic, opened.to_bytes(), retain=True, keep_seconds=KEPT_SECONDS)

        now = truncate(datetime.now(UTC))
        result = open_clip(source, clip, viewer, person.topics.agency, loaded, now, out, attest)
    seal = result.evidence.seal.statement
    report: dict[str, Any] = {
        "path": str(result.path),
        "bytes": result.size,
        "clip_sha256": seal.clip_sha256,
        "order_id": result.release.statement.order_id,
        "camera_signature": "holds" if result.evidence.capture else "none",
        "dock_seal": "holds",
        "custody": f"holds ({len(result.evidence.custody.entries)} entries)",
    }
    if certificate:
        report["certificate"] = _write_certificate(result, now)
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            click.echo(f"{name.replace('_', ' '):17} {value}")


def _write_certificate(opened: OpenedClip, now: datetime) -> list[str]:
    from daemon.review.certificate import as_html, certificate

    document = certificate(opened, now)
    texts = {".certificate.json": json.dumps(document, indent=2) + "\n", ".certificate.html": as_html(document)}
    written = []
    for suffix, text in texts.items():
        path = opened.path.with_name(opened.path.stem + suffix)
        durable.write_replacing(path, text.encode())
        written.append(str(path))
    return written


def _report(decision: Decision, as_json: bool) -> None:
    """Prints a decision. Raises LockedError unless the clip is released."""
    needs = [need_told(need) for need in decision.needs]
    if as_json:
        print_json(decision.plain())
    else:
        click.echo(f"request {decision.request_id}: {decision.outcome}")
        for because in decision.because:
            click.echo(f"  because: {because.reason} [{because.policy_id}]")
        for need in needs:
            click.echo(f"  needs: {need}")
    if decision.outcome != "released":
        hint = None if needs else "nothing would open it now"
        raise LockedError(f"clip {decision.clip_id} stays locked", hint=hint)


def _decision(data: bytes) -> Decision:
    return parse_model(Decision, data, what="decision", limit=LIMIT)


def _row(notice: Notice) -> dict[str, Any]:
    capture, activation = notice.capture or {}, notice.activation or {}
    incidents = [str(a.get("incident_id")) for a in activation.get("assignments", [])]
    return {
        "clip_id": notice.clip_id,
        "dock_id": notice.dock_id,
        "lock": notice.lock.state,
        "reason": notice.lock.reason,
        "integrity": notice.integrity,
        "officer_id": str(capture.get("officer_id", "unknown")),
        "started_at": str(capture.get("started_at", "")),
        "incidents": ", ".join(incidents),
    }
