"""Every parser that faces the outside, as a function that takes bytes, with valid documents to begin from.

A target returns, or raises the project's own errors; what is verified inside a service is refused there, recorded, and
rolled back here, so that a million documents later the service is as it was.
"""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from daemon.core import mp4
from daemon.core.dispatch import eido
from daemon.custody.bundle import verify_bundle, write_bundle
from daemon.custody.proof import check_consistency, check_inclusion
from daemon.custody.record import read_entry, verify_record
from daemon.custody.tree import leaf_hash
from daemon.custody.verify import entry_problem
from daemon.dock.camera.mounts import mounted
from daemon.dock.ingest import captures
from daemon.link.mqtt import Received
from daemon.model import strict_json
from daemon.model.documents import Camera
from daemon.model.errors import BwcError
from daemon.model.parse import parse_model
from daemon.model.statements import BY_PEOPLE, KINDS
from daemon.policy.cases import attestations, notices, reconsideration
from daemon.policy.queries.handler import QueryHandler
from daemon.policy.rules.facts import load_facts
from daemon.seal import envelope as envelopes
from daemon.seal import stream
from daemon.seal.keys import parse_public
from daemon.seal.note import verify_checkpoint
from daemon.seal.trust import parse_trust
from daemon.seal.verify import verify
from daemon.seal.wrap import unwrap
from device_sim.camera import mp4 as made_mp4
from device_sim.camera import receipts
from tests.kit import agency
from tests.kit.agency import CLIP, NOW
from tests.kit.dock_fixture import AGENCY, House, open_house
from tests.kit.policy_fixture import Office, make_notice, open_office

REFUSALS = (BwcError, receipts.ReceiptError)
"""What a parser may raise: the project's error tree, and the simulated camera's."""
_NEW = ["excusal", "query"]
_SIGNED = [*sorted(agency.SIGNERS.keys() - {*_NEW}), *_NEW]
"""Each by its place, which what was found names too: so new ones come last."""


@dataclass(frozen=True)
class Target:
    """One way in. `seeds` are valid."""

    name: str
    take: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


class Targets:
    """All of them, around one dock and one policy service."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._house: House = self._stack.enter_context(open_house(folder / "dock"))
        self._office: Office = open_office(folder / "policy")
        self._stack.callback(self._office.context.store.close)
        self._house.record(CLIP, b"footage " * 50)
        self._house.look()
        self._office.announce(self._office.notice())
        self._house.dock.trust.replace(self._office.context.trust)
        self._trust = agency.trust()
        self._key = self._trust.sign_key_of("dock", "dock-1")
        self._held = self._house.dock.vault.find(CLIP)
        assert self._held is not None and self._key is not None
        self._bundle = folder / "made.zip"
        write_bundle(self._held, AGENCY, agency.trust_bytes(), agency.sign_key("root").public_key(), self._bundle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def all(self) -> dict[str, Target]:
        """By name."""
        return {target.name: target for target in self._made()}

    def _made(self) -> Iterator[Target]:
        held = self._house.evidence(CLIP).seal.statement
        real = {
            "release": self._house.release(CLIP),
            "disposal": agency.statement("disposal", clip_sha256=held.clip_sha256),
        }
        every = {kind: agency.signed(real.get(kind) or agency.statement(kind), o) for kind, o in agency.SIGNERS.items()}
        whole = {kind: envelope.to_bytes() for kind, envelope in every.items()}
        assert self._held is not None
        custody = self._held.custody.read_bytes()
        record = json.loads(custody)
        yield Target("statement", _statement, (*whole.values(), agency.trust_bytes()))
        yield Target("payload", self._payload, tuple(bytes([_SIGNED.index(k)]) + e.payload for k, e in every.items()))
        people = tuple(bytes([_SIGNED.index(kind.kind)]) + every[kind.kind].payload for kind in BY_PEOPLE)
        yield Target("attestation", self._attestation, (*people, *(b"\xff" + whole[kind.kind] for kind in BY_PEOPLE)))
        heard = (
            "acknowledgement",
            "release",
            "revocation",
            "disposal",
            "opened",
            "correction",
            "excusal",
            "withdrawal",
        )
        inbox = tuple(bytes([_SIGNED.index(kind)]) + every[kind].payload for kind in heard)
        asked = (bytes([_SIGNED.index("query")]) + every["query"].payload, b"\xff" + whole["query"])
        yield Target("question", self._question, asked)
        yield Target("inbox", self._inbox, (*inbox, *(b"\xff" + whole[kind] for kind in heard)))
        notice = make_notice(CLIP, "dock-1", 2, NOW)
        new = make_notice(agency.OTHER_CLIP, "dock-1", 3, NOW)
        yield Target("notice", self._notice, tuple(strict_json.dump(one.plain()) for one in (notice, new)))
        signed = tuple(b"\xff" + strict_json.dump(one.plain()) for one in (notice, new))
        yield Target("signed-notice", self._signed_notice, signed)
        yield Target("eido", _eido, (EIDO,))
        yield Target("dispatch", self._dispatch, (EIDO,))
        yield Target("camera", _camera, ((self._house.mount.path / "camera.json").read_bytes(),))
        yield Target("capture", self._capture, (whole["capture"],))
        yield Target("trust", _trust, (agency.trust_bytes(), agency.trust_statement().plain().__repr__().encode()))
        yield Target("signed-trust", _signed_trust, (strict_json.dump(agency.trust_statement().plain()),))
        yield Target("custody-line", _line, tuple(entry["line"].encode() for entry in record["entries"]))
        yield Target("custody-record", self._record, (custody,))
        yield Target("proof", _proof, (bytes(range(8)) + bytes(32 * 4),))
        yield Target("note", self._note, (record["checkpoint"].encode(),))
        yield Target("bundle", self._verify_bundle, (self._bundle.read_bytes(),))
        yield Target("mp4", _mp4, (made_mp4.STAND_IN + made_mp4.box_header(b"mdat", 16) + bytes(8),))
        yield Target("facts", self._facts, (FACTS_TOML, b"\x00" + FACTS_JSON))
        yield Target("receipt", _receipt, (whole["receipt"],))
        yield Target("sealed", _sealed, (self._held.sealed.read_bytes(),))
        yield Target("wrap", _wrap, (base64.b64encode(bytes(113)),))
        yield Target("key", _key, (agency.sign_pem("chief").encode(), agency.open_pem("chief").encode()))
        yield Target(
            "mountinfo", _mountinfo, (Path("/proc/self/mountinfo").read_bytes(), b"36 35 98:0 / /m/b\\040ay rw")
        )

    @contextmanager
    def _undone(self, store: Any) -> Iterator[None]:
        """A transaction that ends as if it had never been."""
        store.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            store.db.execute("ROLLBACK")

    def _payload(self, data: bytes) -> None:
        """Signed by who may sign it: what a member of the agency could make."""
        envelope = _sign(data)
        verify(envelope, KINDS[envelope.kind], self._trust, at=NOW)

    def _attestation(self, data: bytes) -> None:
        context = self._office.context
        if data[:1] == b"\xff":
            data, kind, person, digest = data[1:], "request", "officer", "0" * 64
            try:
                envelope = envelopes.parse(data, what="attestation")
                kind, digest = envelope.kind, envelope.digest
                person = agency.SIGNERS.get(kind, person)
            except BwcError:
                pass
        else:
            envelope = _sign(data)
            data, kind, digest, person = envelope.to_bytes(), envelope.kind, envelope.digest, _owner(envelope.kind)
        with self._undone(context.store):
            for clip_id in attestations.receive(context, data, person, kind, digest):
                reconsideration.reconsider(context, clip_id)

    def _question(self, data: bytes) -> None:
        payload = data[1:] if data[:1] == b"\xff" else _sign(data).to_bytes()
        handler = QueryHandler(self._office.context)
        handler.receive(payload, "chief", "query-1")
        with self._office.context.store.transaction():
            handler.answer_some()

    def _inbox(self, data: bytes) -> None:
        if data[:1] == b"\xff":
            data, kind = data[1:], "release"
            try:
                kind = envelopes.parse(data, what="order").kind
            except BwcError:
                pass
        else:
            envelope = _sign(data)
            data, kind = envelope.to_bytes(), envelope.kind
        dock, topics = self._house.dock, self._house.dock.topics
        topic = {
            "acknowledgement": topics.ack("dock-1"),
            "opened": topics.attestation("officer", "opened", "0"),
            "correction": topics.attestation("records", "correction", "0"),
            "excusal": topics.attestation("supervisor", "excusal", "0"),
            "withdrawal": topics.attestation("chief", "withdrawal", "0"),
        }.get(kind, topics.order("dock-1", CLIP))
        self._hear(topic, data)
        for path in (dock.vault.clip(CLIP).path / "releases").glob("*"):
            path.unlink()

    def _hear(self, topic: str, data: bytes) -> None:
        from daemon.dock.context import LoopState, Transaction
        from daemon.dock.dispatch import documents
        from daemon.dock.inbox import router

        dock = self._house.dock
        tx = Transaction(dock, LoopState())
        with self._undone(dock.store):
            message = Received("consumer", topic, data, retained=False, mid=0, qos=1)
            router.receive(tx, message, lambda _: None, lambda: None)
            documents.apply_pending(tx)
            self._house.service.connections.announcer.acknowledged(0)

    def _notice(self, data: bytes) -> None:
        context = self._office.context
        clip_id, dock_id = CLIP, "dock-1"
        try:
            document = json.loads(data)
            clip_id, dock_id = str(document["clip_id"]), str(document["dock_id"])
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        with self._undone(context.store):
            changed = notices.receive(context, data, dock_id, clip_id)
            if changed is not None:
                reconsideration.reconsider(context, changed)
            notices.acknowledge(context)

    def _signed_notice(self, data: bytes) -> None:
        """A notice whose envelopes are signed anew: what an enrolled dock could make."""
        try:
            document = json.loads(data[1:] if data[:1] == b"\xff" else data)
            for field, owner in (
                ("seal_envelope", "dock-1"),
                ("tag_envelope", "dock-1"),
                ("capture_envelope", "cam-1"),
            ):
                kind = field.removesuffix("_envelope")
                payload = base64.b64decode(document[field]["payload"])
                document[field] = _envelope(kind, payload, owner).to_dict()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        else:
            data = json.dumps(document).encode()
        self._notice(data)

    def _dispatch(self, data: bytes) -> None:
        self._hear(self._house.dock.topics.cad("x"), data)

    def _capture(self, data: bytes) -> None:
        read = captures.read_capture(self._house.dock.trust.get(), data, "cam-1", CLIP, NOW)
        assert (read.state == "verified") == (read.problem is None)

    def _record(self, data: bytes) -> None:
        assert self._key is not None
        verify_record(data, CLIP, f"bwc/{AGENCY}/dock-1", self._key, what="custody.json")

    def _note(self, data: bytes) -> None:
        assert self._key is not None
        verify_checkpoint(data.decode("utf-8", "replace"), self._key, what="note")

    def _verify_bundle(self, data: bytes) -> None:
        path = self._folder / "bundle.zip"
        path.write_bytes(data)
        verify_bundle(path, agency.sign_key("root").public_key())

    def _facts(self, data: bytes) -> None:
        path = self._folder / ("facts.json" if data[:1] == b"\x00" else "facts.toml")
        path.write_bytes(data.removeprefix(b"\x00"))
        load_facts(path)


EIDO = json.dumps(
    {
        "$id": "e@police.example",
        "lastUpdateTimeStamp": "2023-11-29T13:10:00.000-08:00",
        "incidentComponent": [
            {
                "$id": "i@police.example",
                "internalIncidentId": "23-310001",
                "incidentTypeCommonRegistryText": "Disturbance",
                "incidentCommonPriorityNumber": 2,
                "lastUpdateTimeStamp": "2023-11-29T13:00:00.000-08:00",
            }
        ],
        "emergencyResourceComponent": [
            {
                "$id": "711@police.example",
                "agentReference": [{"$ref": "officer@police.example"}],
                "secondaryUnitStatusRegistryText": ["Dispatched"],
                "lastUpdateTimeStamp": "2023-11-29T13:01:00.000-08:00",
            }
        ],
        "mergeComponent": [
            {"incidentMergeDirectionCode": "REPLACING", "incidentTrackingIdentifier": "23-310002@police.example"}
        ],
    }
).encode()
FACTS_TOML = b"""now = 2023-11-29T22:00:00Z
purpose = "report"
viewer = { person_id = "officer", roles = ["officer"] }
[clip]
clip_id = "c"
officer_id = "officer"
incident_id = "i"
started_at = 2023-11-29T21:00:00Z
[incident]
incident_id = "i"
force = "deadly"
involved = ["officer"]
[[statements]]
officer_id = "officer"
to = "internal_affairs"
form = "audio"
given_at = 2023-11-29T21:30:00Z
"""
FACTS_JSON = json.dumps(
    {
        "now": "2023-11-29T22:00:00.000Z",
        "purpose": "court",
        "viewer": {"person_id": "detective", "roles": ["detective"]},
        "clip": {"clip_id": "c", "officer_id": "officer", "started_at": "2023-11-29T21:00:00.000Z"},
        "holds": ["h"],
    }
).encode()


def _statement(data: bytes) -> None:
    envelope = envelopes.parse(data, what="statement")
    _respelled(envelope)
    verify(envelope, KINDS[envelope.kind], agency.trust(), at=NOW)


def _respelled(envelope: envelopes.Envelope) -> None:
    again = envelopes.parse(envelope.to_bytes(), what="statement")
    assert (again, again.digest) == (envelope, envelope.digest), "an envelope kept is the envelope that came"


def _owner(kind: str) -> str:
    return agency.SIGNERS[kind]


def _envelope(kind: str, payload: bytes, owner: str) -> envelopes.Envelope:
    unsigned = envelopes.Envelope(kind, payload, agency.sign_id(owner), b"")
    return envelopes.Envelope(kind, payload, unsigned.keyid, agency.sign_key(owner).sign(unsigned.pae))


def _sign(data: bytes) -> envelopes.Envelope:
    """The first byte picks the kind; its usual signer signs the rest."""
    kind = _SIGNED[data[0] % len(_SIGNED)] if data else _SIGNED[0]
    return _envelope(kind, data[1:], _owner(kind))


def _eido(data: bytes) -> None:
    eido.parse(strict_json.parse_object(data, what="dispatch document", limit=eido.LIMIT))


def _camera(data: bytes) -> None:
    parse_model(Camera, data, what="camera.json")


def _trust(data: bytes) -> None:
    parse_trust(data, agency.sign_key("root").public_key(), what="trust.json")


def _signed_trust(data: bytes) -> None:
    _trust(_envelope("trust", data, "root").to_bytes())


def _line(data: bytes) -> None:
    problem = entry_problem(data, 1)
    assert problem is None or problem.isprintable() or data
    read_entry(data, what="entry")


def _proof(data: bytes) -> None:
    """index, size (2 bytes each), old, new (2 bytes each), then hashes."""
    index, size, old, new = (int.from_bytes(data[at : at + 2], "big") for at in (0, 2, 4, 6))
    hashes = [data[at : at + 32] for at in range(8, len(data), 32)]
    root = hashes[-1] if hashes else b""
    try:
        check_inclusion(leaf_hash(b"line"), index, size, hashes, root)
    except BwcError:
        check_consistency(old, new, root, root[::-1], hashes)


def _mp4(data: bytes) -> None:
    mp4.playable(lambda offset, count: data[offset : offset + count], len(data))


def _receipt(data: bytes) -> None:
    key = agency.sign_key("dock-1").public_key()
    receipts.erase_after(data, serial="cam-1", sha256=agency.DIGEST, dock_keys=[key])


def _sealed(data: bytes) -> None:
    for _ in stream.decrypt(BytesIO(data), len(data), bytes(32), CLIP):
        raise AssertionError("bytes under another key are opened")


def _wrap(data: bytes) -> None:
    from daemon.model.statements import WrappedKey

    wrapped = {"recipient": agency.DIGEST, "suite": "P256-SHA256-AES256GCM", "ciphertext": data.decode("latin-1")}
    made = parse_model(WrappedKey, json.dumps(wrapped).encode(), what="wrap")
    unwrap(made, agency.open_key("policy"), b"info")


def _key(data: bytes) -> None:
    parse_public(data.decode("utf-8", "replace"), what="key")


def _mountinfo(data: bytes) -> None:
    mounted(Path("/mnt"), data.decode("utf-8", "surrogateescape"))


@contextmanager
def targets() -> Iterator[dict[str, Target]]:
    """Every target, in a folder of its own."""
    with folder() as made, Targets(made) as found:
        yield found.all()


@contextmanager
def folder() -> Iterator[Path]:
    """A scratch folder, in memory where there is one."""
    shm = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="bwc-hostile-", dir=shm if shm.is_dir() else None))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
