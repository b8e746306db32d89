"""Checking a vault without its dock: every clip's statements, custody and bytes, and the custody log's files.

It only reads. It needs the vault and the agency's trust, and no secret. `check_store` checks the custody log inside the
dock's database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from daemon.core.pacing import Pace, at_full_speed
from daemon.custody.evidence import Finding, check_tags_and_orders, verify_clip
from daemon.custody.log import CustodyLog
from daemon.custody.record import Proven
from daemon.custody.tree import append, leaf_hash
from daemon.custody.verify import Root, entry_problem
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BwcError, UnavailableError
from daemon.model.statements import Seal
from daemon.model.types import is_clip_id
from daemon.seal import envelope as envelopes
from daemon.seal.note import Checkpoint, parse_checkpoint, verify_checkpoint
from daemon.seal.trust import Trust
from daemon.vault.layout import ClipDirectory, VaultLayout
from daemon.vault.reading import hash_file, read_document, size_of
from daemon.vault.replica.keys import sealed_key
from daemon.vault.replica.objects import Objects

Known = Callable[[int], bytes | None]
"""Returns the leaf hash that an entry must have, by its sequence; None when it is not known."""


@dataclass(frozen=True)
class VaultCheckOptions:
    """What is checked, and against what. `now` is used when the time of a signature is not known.

    `read_data`: read and hash the sealed files. `objects` is the store with the sealed files of evicted clips; with
    `sealed_elsewhere` it has those of all clips. Without `read_objects` it is asked only for their sizes and stored
    digests. `pace` gets the size of each piece of a sealed file that was read, in bytes, and may wait.
    """

    layout: VaultLayout
    agency: str
    trust: Trust
    now: datetime
    read_data: bool
    objects: Objects | None = None
    read_objects: bool = True
    sealed_elsewhere: bool = False
    pace: Pace = at_full_speed


@dataclass
class ClipCheck:
    """The findings about one clip, and its custody if that is valid."""

    findings: list[Finding] = field(default_factory=list)
    custody: Proven | None = None


def clips_of(vault: VaultLayout) -> Iterator[ClipDirectory]:
    """Every directory in `clips` and then in `quarantine`, sorted by name."""
    for place in ("clips", "quarantine"):
        folder = vault.root / place
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            yield ClipDirectory(path)


def check_clip(vault: VaultCheckOptions, clip: ClipDirectory) -> ClipCheck:
    """Checks one clip's directory: its statements, custody, tags, orders, and its sealed file.

    Raises UnavailableError when object storage does not answer.
    """
    clip_id, result, seal = clip.path.name, ClipCheck(), None
    if not is_clip_id(clip_id):
        result.findings.append(Finding(None, str(clip.path), "is not the directory of a clip"))
        return result
    try:
        seal = envelopes.parse(read_document(clip.seal), what=str(clip.seal)).statement(Seal)
    except BwcError as error:
        result.findings.append(Finding(clip_id, str(clip.seal), str(error)))
    else:
        try:
            result.custody = verify_clip(clip, clip_id, vault.agency, vault.trust).custody
        except BwcError as error:  # its message names the file
            result.findings.append(Finding(clip_id, str(clip.path), str(error)))
        result.findings += _check_sealed(vault, clip, clip_id, seal, result.custody)
    sealed_at = seal.ingested_at if seal else vault.now
    result.findings += check_tags_and_orders(clip, clip_id, vault.trust, sealed_at)
    return result


class VaultCheck:
    """One check of a whole vault, or of some of its clips."""

    def __init__(self, vault: VaultCheckOptions) -> None:
        self._vault = vault
        self._proven: dict[int, bytes] = {}  # leaf hashes of entries that a clip's record proves, by sequence
        self._newest: Checkpoint | None = None

    def run(self, clips: set[str] | None, progress: Callable[[str], None]) -> Iterator[Finding]:
        """Yields findings. `clips`: check only these, and not the log. `progress` gets each clip's id before its check.

        Raises UnavailableError when object storage does not answer.
        """
        for clip in clips_of(self._vault.layout):
            if clips is not None and clip.path.name not in clips:
                continue
            progress(clip.path.name)
            checked = check_clip(self._vault, clip)
            yield from checked.findings
            if checked.custody is not None:
                self._remember(checked.custody)
        if clips is None:
            yield from check_log(self._vault, self._proven.get, self._newest)

    def _remember(self, custody: Proven) -> None:
        for entry, line in zip(custody.entries, custody.lines, strict=True):
            self._proven[entry.sequence] = leaf_hash(line)
        if self._newest is None or custody.checkpoint.size > self._newest.size:
            self._newest = custody.checkpoint


def check_log(vault: VaultCheckOptions, known: Known, newest: Checkpoint | None) -> Iterator[Finding]:
    """Checks the log's lines in the vault against known leaf hashes and two signed checkpoints.

    These are `checkpoint.txt` beside the lines, and `newest`, the newest one in a clip's custody record.
    """
    folder, root, named = vault.layout.custody, Root(), False
    paths = sorted(folder.glob("*.jsonl"), key=lambda p: int(p.stem) if p.stem.isdigit() else -1)
    whole = str(paths[0]) if len(paths) == 1 else str(folder)
    checkpoints = {c.size: c for c in (newest,) if c is not None}
    try:
        covering = _covering(vault)
    except BwcError as error:
        yield Finding(None, str(vault.layout.checkpoint), str(error))
    else:
        checkpoints[covering.size] = covering
    for path in paths:
        for line in path.read_bytes().split(b"\n")[:-1]:
            number, leaf = root.size, leaf_hash(line)
            root.add(leaf)
            problem = entry_problem(line, number)
            if leaf != (known(number) or leaf):
                problem = "is not what was logged"
            if problem is not None:
                named = True
                yield Finding(None, str(path), f"entry {number} {problem}")
            covered = checkpoints.pop(root.size, None)
            if covered is not None and not named and root.value != covered.root:
                yield Finding(None, whole, f"some entry below {root.size} is not what was logged")
    for size in checkpoints:
        if size > root.size:
            yield Finding(None, whole, f"the log has {root.size} entries, but a signed checkpoint covers {size}")


def _covering(vault: VaultCheckOptions) -> Checkpoint:
    """The checkpoint beside the log's lines, verified. Raises BwcError."""
    path = str(vault.layout.checkpoint)
    note = read_document(vault.layout.checkpoint).decode("utf-8", "replace")
    origin = parse_checkpoint(note, what=path).origin
    dock_id = origin.removeprefix(f"bwc/{vault.agency}/")
    key = vault.trust.sign_key_of("dock", dock_id)
    if key is None:
        raise BwcError(f"{path}: a checkpoint of {origin!r}, which is of no enrolled dock of {vault.agency}")
    return verify_checkpoint(note, key, what=path, origin=origin)


def check_store(log: CustodyLog, where: str) -> Iterator[Finding]:
    """Checks the custody log inside a dock's database: every row and every stored hash. `where` names the database."""
    left: dict[tuple[int, int], bytes] = {}  # stored hashes of left halves, until their right half comes
    for number, line in enumerate(log.lines()):
        problem = entry_problem(line, number)
        changed = problem is not None or log.node(0, number) != leaf_hash(line)
        if changed:
            yield Finding(None, where, f"custody entry {number} {problem or 'is not what was logged'}")
        for (level, index), value in append(number, leaf_hash(line), lambda level, index: left.pop((level, index))):
            kept = log.node(level, index)
            if kept != value and not changed:
                yield Finding(None, where, f"the custody log's hash at level {level}, index {index} was changed")
            if index % 2 == 0:
                left[level, index] = kept


def _check_sealed(
    vault: VaultCheckOptions, clip: ClipDirectory, clip_id: str, seal: Seal, custody: Proven | None
) -> Iterator[Finding]:
    """Checks the sealed file: in the vault or, when custody says that it was evicted, in object storage."""
    evicted = (
        [entry for entry in custody.entries if entry.action == CustodyAction.EVICTED] if custody is not None else []
    )
    if clip.sealed.exists() or not (vault.sealed_elsewhere or evicted):
        yield from _check_bytes(vault, clip, clip_id, seal)
        return
    key = sealed_key(clip_id, seal.sealed_sha256)
    if vault.objects is None:
        where = evicted[-1].detail.get("url") if evicted else None
        yield Finding(clip_id, str(clip.sealed), f"is at {where} and was not checked: no [replica] is configured")
        return
    try:
        if vault.read_data and vault.read_objects:
            vault.objects.check(key, seal.sealed_bytes, vault.pace)
        else:
            vault.objects.look(key, seal.sealed_bytes)
    except UnavailableError:  # a store that does not answer is no finding about the clip
        raise
    except BwcError as error:
        yield Finding(clip_id, f"{vault.objects.url}/{key}", str(error))


def _check_bytes(vault: VaultCheckOptions, clip: ClipDirectory, clip_id: str, seal: Seal) -> Iterator[Finding]:
    try:
        size = size_of(clip.sealed)
        if size != seal.sealed_bytes:
            yield Finding(clip_id, str(clip.sealed), f"has {size} bytes, and {seal.sealed_bytes} were sealed")
        elif vault.read_data and hash_file(clip.sealed, vault.pace) != seal.sealed_sha256:
            yield Finding(clip_id, str(clip.sealed), "its bytes are not those that were sealed")
    except BwcError as error:
        yield Finding(clip_id, str(clip.sealed), str(error))
