"""The demo's story, step by step. Each step does it for real and notes what came of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.cli.demo import world as cast
from daemon.cli.demo.shift import DEADLY, ROUTINE, DemoShift
from daemon.cli.demo.stage import Ran, Stage, StoryError
from daemon.cli.demo.teller import Teller
from daemon.cli.demo.world import AGENCY, DOCK, CastMember, World
from daemon.core.words import need_sentence
from daemon.link.mqtt import Received
from daemon.link.session import Session
from daemon.model.config import Broker
from daemon.model.documents import Bay, Need, Notice
from daemon.model.parse import parse_model
from daemon.model.times import format_instant
from daemon.model.topics import Topics
from daemon.seal.envelope import LIMIT

_SECONDS = 20.0
_PLACES = ("vault", "mounts", "config", "keys", "opened", "logs")


class Story:
    """One telling. `steps` collects what `story.json` holds."""

    def __init__(self, world: World, stage: Stage, teller: Teller, *, kept: bool) -> None:
        """`kept`: the world stays when the story is told."""
        self._world = world
        self._kept = kept
        self._stage = stage
        self._teller = teller
        self._topics = Topics(AGENCY)
        self.steps: list[dict[str, Any]] = []
        self._now = datetime.now(UTC)
        self._shift = DemoShift(world, stage, self._now)
        self._requests: dict[str, str] = {}
        self._orders: dict[str, str] = {}

    def tell(self) -> None:
        """All steps. Raises StoryError when one does not go as it must."""
        self._stage.start_services()
        topics = (self._topics.status(DOCK), self._topics.bay(DOCK, "+"), self._topics.clip(DOCK, "+"))
        with Session(Broker(url=self._world.broker), topics) as watch:
            self._dispatch_and_dock(watch)
            self._classify(watch)
            self._insist()
            self._hear_statement()
            self._open(watch)
        self._tamper()
        self._close()

    # 1

    def _dispatch_and_dock(self, watch: Session) -> None:
        title = "two cameras dock after the shift: one with a use of deadly force, one with a routine stop"
        self._teller.step(1, title)
        self._await_dock(watch)
        self._expect(self._shift.send_dispatch(), "bwc-sim dispatch")
        self._teller.say(f"dispatch sent two incidents, {DEADLY} and {ROUTINE}")
        cameras = self._shift.dock_cameras()
        while any(process.poll() is None for process in cameras):
            message = watch.wait(lambda received: "/bay/" in received.topic, 0.1)
            if message is not None:
                self._teller.bay(parse_model(Bay, message.payload, what=message.topic))
        outcomes = [self._expect(self._stage.finish(process), "bwc-sim camera") for process in cameras]
        self._teller.bays_done()
        clips = [clip for outcome in outcomes for clip in outcome["clips"]]
        for clip in clips:
            self._must(clip["erased"], f"the camera did not erase clip {clip['clip_id']}: {clip['receipt']}")
            self._teller.say(f"clip {clip['clip_id']}: sealed, receipted, erased from its camera", "✓")
        self._note(1, title, {"clips": clips})

    def _await_dock(self, watch: Session) -> None:
        """Dispatch does not repeat itself: it may speak only once the dock's subscription stands."""
        online = watch.wait(lambda m: m.topic.endswith("/status") and b'"online"' in m.payload, _SECONDS)
        self._stage.check_alive()
        self._must(online is not None, "the dock did not come online")

    # 2

    def _classify(self, watch: Session) -> None:
        title = "a supervisor has classified both incidents; the routine clip is released, the other stays locked"
        self._teller.step(2, title)
        notices = self._wait_for_notices(watch)
        for notice in notices:
            self._must(notice.lock.state == "locked", f"clip {notice.clip_id} was not announced locked")
            self._teller.say(f"clip {notice.clip_id}: locked ({notice.lock.reason})", "🔒")
        begun = self._now - timedelta(hours=3)
        entries = [
            {"incident_id": DEADLY, "force": "deadly", "in_custody_death": False, "involved": [cast.OFFICER.person_id]},
            {"incident_id": ROUTINE, "force": "none", "in_custody_death": False},
        ]
        for entry, minutes in zip(entries, (4, 34), strict=True):
            entry["occurred_at"] = format_instant(begun + timedelta(minutes=minutes))
        path = self._world.config / "classifications.json"
        path.write_text(json.dumps(entries, indent=2))
        self._attest(cast.SUPERVISOR, "classification", "--from", path)
        self._teller.say(f"{cast.SUPERVISOR.name} classified {DEADLY} as deadly force, {ROUTINE} as none", "✓")
        routine = self._request(cast.ROUTINE_OFFICER, self._shift.routine_clip, "report", "released")
        deadly = self._request(cast.OFFICER, self._shift.deadly_clip, "report", "refused")
        locks = [{"clip_id": n.clip_id, "lock": n.lock.state, "activation": n.activation} for n in notices]
        self._note(2, title, {"announced": locks, "routine": routine, "deadly": deadly})

    def _wait_for_notices(self, watch: Session) -> list[Notice]:
        wanted = {self._shift.deadly_clip: DEADLY, self._shift.after_clip: DEADLY, self._shift.routine_clip: ROUTINE}
        found: dict[str, Notice] = {}

        def tagged(message: Received) -> bool:
            if "/clip/" in message.topic:
                notice = parse_model(Notice, message.payload, what=message.topic, limit=LIMIT)
                incidents = {a["incident_id"] for a in (notice.activation or {}).get("assignments", [])}
                if wanted.get(notice.clip_id) in incidents:
                    found[notice.clip_id] = notice
            return found.keys() == wanted.keys()

        self._must(watch.wait(tagged, _SECONDS) is not None, "not every clip was announced with its incident")
        return list(found.values())

    # 3

    def _insist(self) -> None:
        title = "internal affairs asks and is refused as well; the chief's authorization opens it to nobody"
        self._teller.step(3, title)
        asked = self._request(cast.INVESTIGATOR, self._shift.deadly_clip, "investigation", "refused")
        expires = format_instant(self._now + timedelta(days=2))
        after = {}
        for person, purpose in ((cast.INVESTIGATOR, "investigation"), (cast.OFFICER, "report")):
            options = ("--person-id", person.person_id, "--incident-id", DEADLY, "--purposes", purpose)
            self._attest(cast.CHIEF, "authorization", *options, "--expires-at", expires)
            after[person.person_id] = self._status(person, 3)["outcome"]
            self._must(after[person.person_id] == "refused", f"the authorization opened the clip to {person.name}")
            self._teller.say(f"{cast.CHIEF.name} authorizes {person.name}: still refused", "✗")
        self._note(3, title, {"internal_affairs": asked, "after_authorization": after})

    # 4

    def _hear_statement(self) -> None:
        title = "the officer gives internal affairs an audio-recorded statement: both open requests are released"
        self._teller.step(4, title)
        recording = hashlib.sha256(b"the interview's recording, kept by internal affairs").hexdigest()
        options = ("--incident-id", DEADLY, "--officer-id", cast.OFFICER.person_id, "--to", "internal_affairs")
        self._attest(cast.INVESTIGATOR, "statement", *options, "--form", "audio", "--recording-sha256", recording)
        self._teller.say(f"{cast.INVESTIGATOR.name} attests the statement of {cast.OFFICER.name}", "✓")
        decisions = {}
        for person in (cast.OFFICER, cast.INVESTIGATOR):
            decision = self._status(person, 0)
            self._must(decision["outcome"] == "released", f"the request of {person.name} was not released")
            decisions[person.person_id] = decision
            self._orders[person.person_id] = _order_id(decision)
            self._teller.say(f"released to {person.name}: order {self._orders[person.person_id]}", "🔓")
        self._must(len(set(self._orders.values())) == 2, "both releases share one order")
        self._note(4, title, {"decisions": decisions, "orders": self._orders})

    # 5

    def _open(self, watch: Session) -> None:
        title = "the officer opens the clip: decrypted, verified, written as an MP4 that plays"
        self._teller.step(5, title)
        order = self._orders[cast.OFFICER.person_id]

        def honoured(message: Received) -> bool:
            if not message.topic.endswith(self._shift.deadly_clip):
                return False
            notice = parse_model(Notice, message.payload, what=message.topic, limit=LIMIT)
            return order in {release.order_id for release in notice.lock.releases if release.state == "live"}

        self._must(watch.wait(honoured, _SECONDS) is not None, "the dock did not show the release order")
        world, out = self._world, self._world.opened / f"{self._shift.deadly_clip}.mp4"
        who = ("review", "open", *world.as_person(cast.OFFICER), "--clip", self._shift.deadly_clip)
        trust = ("--trust", world.config / "trust.json", "--root", world.key("root", "sign", public=True))
        opened = self._stage.bwc(*who, "--vault", world.vault, *trust, "--out", out).document
        same = out.read_bytes() == (world.root / "recorded" / f"{self._shift.deadly_clip}.mp4").read_bytes()
        self._must(same, "what was opened is not what the camera recorded")
        frames = _count_frames(out)
        self._must(frames >= 30, f"only {frames} frames play")
        for name in ("camera_signature", "dock_seal", "custody"):
            self._teller.say(f"{name.replace('_', ' ')}: {opened[name]}", "✓")
        self._teller.say(f"{out}: {frames} frames, byte for byte what the camera recorded", "✓")
        self._note(5, title, {"opened": opened, "frames": frames, "identical": same})

    # 6

    def _tamper(self) -> None:
        title = "on copies, someone edits a sealed file and a custody entry: both are named"
        self._teller.step(6, title)
        world, config = self._world, self._world.config / "dock.toml"
        self._stage.bwc("custody", "export", "--config", config, "--out", world.root)
        copy = world.root / "tampered"
        shutil.copytree(world.vault, copy / "vault")
        sealed = copy / "vault" / "clips" / self._shift.deadly_clip / "clip.sealed"
        _flip_byte(sealed, sealed.stat().st_size // 2)
        checked = self._stage.bwc("dock", "check", "--config", config, "--vault", copy / "vault", expect=4)
        self._must(str(sealed) in checked.words, f"the changed file was not named: {checked.words}")
        self._teller.say(checked.words.splitlines()[0], "✗")
        for name in ("custody.jsonl", "custody.leaves", "checkpoint.txt"):
            shutil.copy(world.root / name, copy / name)
        lines = (copy / "custody.jsonl").read_text().splitlines(keepends=True)
        number = next(i for i, line in enumerate(lines) if '"action":"ingested"' in line)
        lines[number] = lines[number].replace('"integrity":"verified"', '"integrity":"unsigned"')
        (copy / "custody.jsonl").write_text("".join(lines))
        key = world.key(DOCK, "sign", public=True)
        verified = self._stage.bwc("custody", "verify", copy / "custody.jsonl", "--key", key, expect=4)
        self._must(f"entry {number} " in verified.words, f"the changed entry was not named: {verified.words}")
        self._teller.say(verified.words.splitlines()[0], "✗")
        untouched = self._stage.bwc("custody", "verify", world.root / "custody.jsonl", "--key", key).document
        self._teller.say(f"the originals hold: {untouched['entries']} custody entries", "✓")
        words = {"dock_check": checked.words, "custody_verify": verified.words}
        self._note(6, title, words | {"sealed_file": str(sealed), "entry": number, "original": untouched})

    # 7

    def _close(self) -> None:
        title = "where everything lies, and what to try next"
        self._teller.step(7, title)
        commands = self._commands(self._world.root)
        paths = {name: str(self._world.root / name) for name in _PLACES}
        self._note(7, title, {"paths": paths, "commands": commands})
        if self._kept:
            lines = [f"{name:8} {path}" for name, path in paths.items()]
            self._teller.end("the world", [*lines, "", "try next:", *commands])
        else:
            keep = "bwc demo --keep DIR"
            shown = self._commands(Path("DIR"))
            self._teller.end("the world", [f"all of it is cleaned up now; {keep} leaves it in DIR. then try:", *shown])

    def _commands(self, root: Path) -> list[str]:
        """What to try next on a world in `root`."""
        config, keys = root / "config", root / "keys"
        return [
            f"bwc dock check --config {config / 'dock.toml'}",
            f"bwc custody verify {root / 'custody.jsonl'} --key {keys / f'{DOCK}.sign.pub.pem'}",
            f"bwc custody log --config {config / 'dock.toml'} --last 10",
            f"bwc policy replay --regime doj-preferred-2023 --config {config / 'policy.toml'}",
            f"bwc trust show {config / 'trust.json'} --root {keys / 'root.sign.pub.pem'}",
        ]

    # helpers

    def _attest(self, person: CastMember, kind: str, *options: str | Path) -> None:
        self._stage.bwc("attest", kind, *self._world.as_person(person), *options)

    def _request(self, person: CastMember, clip_id: str, purpose: str, expected: str) -> dict[str, Any]:
        command = ("review", "request", *self._world.as_person(person), "--clip", clip_id, "--purpose", purpose)
        ran = self._stage.bwc(*command, expect=0 if expected == "released" else 3)
        decision: dict[str, Any] = ran.document
        self._requests[person.person_id] = decision["request_id"]
        self._must(decision["outcome"] == expected, f"{person.name} was {decision['outcome']}, expected {expected}")
        needs = "; ".join(need_sentence(Need.model_validate(need)) for need in decision.get("needs", []))
        words = f": needs {needs}" if needs else ""
        self._teller.say(
            f"{person.name} asks for {clip_id}: {expected}{words}", "🔓" if expected == "released" else "🔒"
        )
        return decision

    def _status(self, person: CastMember, expect: int) -> dict[str, Any]:
        request = ("review", "status", *self._world.as_person(person), "--request", self._requests[person.person_id])
        decision: dict[str, Any] = self._stage.bwc(*request, expect=expect).document
        return decision

    def _expect(self, ran: Ran, what: str) -> Any:
        self._must(ran.code == 0, f"{what} ended with {ran.code}: {ran.words}")
        return ran.document

    def _must(self, held: bool, otherwise: str) -> None:
        if not held:
            raise StoryError(otherwise)

    def _note(self, number: int, title: str, details: dict[str, Any]) -> None:
        self.steps.append({"step": number, "title": title, "outcome": "done", "at": time.time(), **details})


def _order_id(decision: dict[str, Any]) -> str:
    from daemon.model.statements import Release
    from daemon.seal import envelope as envelopes

    return envelopes.from_dict(decision["release"], what="release").statement(Release).order_id


def _count_frames(path: Path) -> int:
    import av

    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _flip_byte(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))
