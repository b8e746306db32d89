"""Every system call of the ingest path fails once: the Nth of each kind, with each error it can give, and a SIGKILL.

    python -m tests.crash.faults --count 2500 --seed 1        (--count 0: all there are)

A run takes three clips in (driver.py) under strace, which makes just one call fail on the dock's own files or on the
camera's. Then it runs again undisturbed, and the promise is checked.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from daemon.model.clock import SystemClock
from daemon.model.config import DockConfig, load_config
from daemon.model.errors import BwcError
from tests.kit.inline_dock import CLOSING, InlineService
from tests.kit.patience import PATIENCE
from tests.kit.promise import Camera, Nursery, Promise, make_world, scratch

NAMES = tuple(f"{number}0000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
SIZES = (3000, 5000, 4_300_000)  # two small ones together, and one over several of the pipeline's buffers
_IO = ("EIO",)
_SPACE = ("EIO", "ENOSPC", "EDQUOT")
ERRORS: dict[str, tuple[str, ...]] = {
    "openat": ("EIO", "ENOSPC", "EACCES", "EMFILE"),
    "read": _IO,
    "pread64": _IO,
    "preadv": _IO,
    "write": _SPACE,
    "pwrite64": _SPACE,
    "fsync": _SPACE,
    "fdatasync": _SPACE,
    "syncfs": _IO,
    "rename": (*_SPACE, "EACCES"),
    "renameat": (*_SPACE, "EACCES"),
    "ftruncate": _SPACE,
    "fallocate": _SPACE,
    "close": _SPACE,
    "mkdir": (*_SPACE, "EACCES"),
    "mkdirat": (*_SPACE, "EACCES"),
    "unlink": (*_IO, "EACCES"),
    "unlinkat": (*_IO, "EACCES"),
    "rmdir": (*_IO, "EACCES"),
    "getdents64": _IO,
    "flock": ("ENOLCK",),
    "fcntl": ("ENOLCK",),
    "newfstatat": (*_IO, "EACCES"),
    "lseek": _IO,
    "statfs": _IO,
    "fstatfs": _IO,
}
KILL = "SIGKILL"
_SYNCS = {"fsync", "fdatasync", "syncfs"}


def why_not() -> str | None:
    """Why calls cannot be made to fail here; None when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    ran = subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, text=True)
    return None if ran.returncode == 0 else f"strace may not trace here: {ran.stderr.strip()[:200]}"


@dataclass(frozen=True)
class Fault:
    """The `number`th call of a kind (counted a thread) gives an error, or the process is killed at it."""

    call: str
    error: str
    number: int

    @property
    def inject(self) -> str:
        what = "signal=SIGKILL" if self.error == KILL else f"error={self.error}"
        return f"inject={self.call}:{what}:when={self.number}"


@dataclass
class Bench:
    """A dock, clips on a camera, and the state before: put back before every fault."""

    root: Path
    nursery: Nursery
    erase: str = "receipt"
    problems: list[str] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.disk = self.root / "disk"
        self.world = make_world(self.root / "world", 1, self.disk, settle_seconds=0, erase=f'"{self.erase}"')
        self.config = self.world.config / "dock.toml"
        self.camera = Camera(self.world, 0, random.Random(1))
        self.promise = Promise(self.world, self.disk / "vault")
        settings = load_config(DockConfig, self.config)
        service = InlineService(settings, SystemClock())
        store = service.dock.store
        store.set("recipients", service.dock.trust.get().policy_keyid())  # the policy service's proof came long ago
        service.finish()
        self.camera.record(1000)
        self._run()  # one clip is held already: a dock that has worked before
        self.held = self.camera.harvest()
        for name, size in zip(NAMES, SIZES, strict=True):
            self.camera.record(size, name)
        self._keep("before")

    def _keep(self, name: str) -> None:
        shutil.copytree(self.disk, self.root / name / "disk", copy_function=shutil.copy)
        for folder in ("clips", "receipts"):
            shutil.copytree(self.camera.folder / folder, self.root / name / folder)

    def reset(self) -> None:
        shutil.rmtree(self.disk)
        shutil.copytree(self.root / "before" / "disk", self.disk, copy_function=shutil.copy)
        for folder in ("clips", "receipts"):
            shutil.rmtree(self.camera.folder / folder)
            shutil.copytree(self.root / "before" / folder, self.camera.folder / folder)

    def _run(self) -> tuple[int, str]:
        """Undisturbed; exit code and words."""
        log = self.root / "log"
        log.unlink(missing_ok=True)
        pid = self.nursery.ask(do="drive", config=str(self.config), log=str(log), checkpoint_pages=30)
        return self.nursery.wait(pid), log.read_text()

    def traced(self, *expressions: str, only: list[Path] | None = None, pages: int = 30) -> tuple[int, str, list[str]]:
        """Under strace with these expressions, on the paths that matter: exit code, words, the trace's lines."""
        log, trace = self.root / "log", self.root / "trace"
        log.unlink(missing_ok=True)
        pid = self.nursery.ask(do="drive", config=str(self.config), log=str(log), traced=True, checkpoint_pages=pages)
        command = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", str(trace), "-p", str(pid)]
        for path in self._paths() if only is None else [*map(str, only), CLOSING]:
            command += ["-P", path]
        for expression in expressions:
            command += ["-e", expression]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        code = self.nursery.wait(pid)
        words = tracer.communicate(timeout=PATIENCE)[1]
        assert tracer.returncode in (0, -9) or code == -9, words
        return code, log.read_text(), trace.read_text().splitlines()

    def _paths(self) -> list[str]:
        vault, state, camera = self.disk / "vault", self.disk / "state", self.camera.folder
        found = [vault, vault / "dock.lock", vault / "custody", vault / "custody/0.jsonl", state]
        found += [state / f"dock.sqlite{end}" for end in ("", "-wal", "-shm", "-journal")]
        found += [camera, camera / "receipts", camera / "clips", camera / "camera.json"]
        for place in ("incoming", "clips", "quarantine"):
            found.append(vault / place)
            for name in NAMES:
                clip = vault / place / name
                files = ("clip.sealed", "seal.json", "capture.json", "custody.json", ".custody.json.new")
                found += [clip, clip / "tags", clip / "tags/1.json", *(clip / file for file in files)]
        for name in NAMES:
            found += [camera / "clips" / f"{name}.mp4", camera / "clips" / f"{name}.capture.json"]
        return [*(str(path) for path in found), CLOSING]

    def calls(self) -> dict[str, int]:
        """How often the busiest thread makes each kind of call, in a run where nothing fails."""
        self.reset()
        code, words, lines = self.traced(f"trace={','.join(ERRORS)}")
        assert code == 0, words
        by_thread: Counter[tuple[str, str]] = Counter()
        for line in lines:
            match = re.match(r"(\d+) +(\w+)\(", line)
            if match is not None:
                by_thread[match[1], match[2]] += 1
        most: dict[str, int] = {}
        for (_, call), times in by_thread.items():
            most[call] = max(most.get(call, 0), times)
        return most

    def fail(self, fault: Fault, only: list[Path] | None = None) -> bool:
        """Makes it happen, then looks at what came of it. Whether the run made such a call at all (on these paths)."""
        self.reset()
        # of the syncs, EIO is for commits alone; the others also fall into checkpoints, whose failure loses nothing
        pages = 0 if fault.call in _SYNCS and fault.error == "EIO" else 30
        code, words, lines = self.traced(
            f"trace={fault.call},access,faccessat,faccessat2", fault.inject, only=only, pages=pages
        )
        hit = [line for line in lines if "(INJECTED)" in line] if fault.error != KILL else lines if code == -9 else []
        if not hit:
            if code != 0:
                self._wrong(fault, f"nothing failed, but it ended with {code}: {words[-300:]}")
            return False
        self.tally[fault.call] += 1
        owed = self._receipts(fault)
        for name in set(NAMES) - owed.keys() - self.camera.pending:
            self._wrong(fault, f"{name}: gone from its camera, and there is no receipt")
        if fault.call in _SYNCS and fault.error != KILL and code == 0 and _must_stop(fault, lines):
            self._wrong(fault, f"went on after a failed {fault.call}: {hit[0]}")
        if fault.call in _SYNCS and code == 1 and not re.search(r"(fsync|syncfs|commit) failed|I/O error|disk", words):
            self._wrong(fault, f"stopped without naming it: {words[-300:]}")
        self._recover(fault, owed)
        return True

    def _receipts(self, fault: Fault) -> dict[str, str]:
        owed = {}
        for name in NAMES:
            path = self.camera.folder / "receipts" / f"{name}.receipt.json"
            if path.exists():
                try:
                    owed[name] = self.promise.verified(path.read_bytes()).sealed_sha256
                except BwcError as error:
                    self._wrong(fault, f"a receipt that does not hold: {error}")
        return owed

    def _recover(self, fault: Fault, owed: dict[str, str]) -> None:
        """Starts again, undisturbed: what was owed holds, the rest comes in, nothing twice."""
        with self._no_waiting_for_captures():
            code, words = self._run()
        if code != 0:
            self._wrong(fault, f"the next run ended with {code}: {words[-400:]}")
            return
        after = self._receipts(fault)
        if after.keys() != set(NAMES):
            self._wrong(fault, f"receipts only for {sorted(after)}")
        for name, sealed in (after | owed | {n: r.sealed_sha256 for n, r in self.held.items()}).items():
            problem = self.promise.broken(name, self.camera.recorded[name], sealed)
            if problem is not None:
                self._wrong(fault, f"{name}: {problem}")
        for problem in self.promise.findings():
            self._wrong(fault, problem)
        left = sorted(path.name for path in (self.camera.folder / "clips").iterdir())
        if self.erase == "dock" and left:
            self._wrong(fault, f"the dock did not erase {left}")

    @contextmanager
    def _no_waiting_for_captures(self) -> Iterator[None]:
        """A clip whose capture the dock had deleted already is known again at once, not in ten minutes."""
        text = self.config.read_text()
        self.config.write_text(f"{text}orphan_seconds = 0.001\n")
        yield
        self.config.write_text(text)

    def _wrong(self, fault: Fault, what: str) -> None:
        self.problems.append(f"{fault.call} {fault.error} {fault.number}: {what}")


def _must_stop(fault: Fault, lines: list[str]) -> bool:
    """Whether a failed sync was one to stop for.

    Not a checkpoint's: SQLite moves on from a write-ahead log only once that has succeeded, and tries again. Not its
    own of the directory: the dock syncs that itself. Nor the camera's (its receipt is written again), nor any once all
    is done.
    """
    for line in lines:
        if CLOSING in line:
            return False
        if "(INJECTED)" in line:
            database = "dock.sqlite>" in line or (fault.error != "EIO" and "dock.sqlite-wal>" in line)
            return not database and "/state>" not in line and "/mounts/" not in line
    return False


def plan(calls: dict[str, int]) -> Iterator[Fault]:
    """Every call of every kind, with every error, and a kill at each."""
    for call, times in calls.items():
        for error in (*ERRORS[call], KILL):
            for number in range(1, times + 1):
                yield Fault(call, error, number)


@contextmanager
def bench(root: Path, erase: str = "receipt") -> Iterator[Bench]:
    root.mkdir()
    with Nursery() as nursery:
        yield Bench(root, nursery, erase)


def run(count: int, seed: int, workers: int = 2, erase: str = "receipt") -> dict[str, object]:
    """`erase` says who erases.

    `count` faults, chosen at random out of all there are; with 0 each of them, and on until a run hits none.
    """
    started = time.monotonic()
    problems: list[str] = []
    tally: Counter[str] = Counter()
    lock = threading.Lock()
    failures: list[BaseException] = []
    with scratch() as root:
        with bench(root / "count", erase) as first:
            calls = first.calls()
        faults = list(plan(calls))
        everything = len(faults)
        random.Random(seed).shuffle(faults)
        todo = faults if count == 0 else faults[:count]

        def work(number: int) -> None:
            try:
                with bench(root / str(number), erase) as own:
                    try:
                        while not failures:
                            with lock:
                                if not todo:
                                    break
                                fault = todo.pop()
                            if own.fail(fault) and fault.number == calls[fault.call] and count == 0:
                                with lock:  # a run that failed early may make more calls than one that did not
                                    todo.append(Fault(fault.call, fault.error, fault.number + 1))
                                    calls[fault.call] = max(calls[fault.call], fault.number)
                    finally:
                        with lock:
                            problems.extend(own.problems)
                            tally.update(own.tally)
            except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
    return {
        "faults": sum(tally.values()),
        "lost": len(problems),
        "possible": everything,
        "calls": dict(tally),
        "problems": problems[:20],
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--erase", default="receipt", choices=["receipt", "dock"])
    given = parser.parse_args()
    why = why_not()
    if why is not None:
        sys.exit(why)
    print(json.dumps(run(given.count, given.seed, given.workers, given.erase), indent=1))


if __name__ == "__main__":
    main()
