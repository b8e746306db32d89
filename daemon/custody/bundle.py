"""An auditor's bundle: all statements and proofs about one clip in one file, to be checked without the dock.

A ZIP archive with the clip's statements as they lie in the vault (seal, capture, tags, release orders and revocations
with their reasons, custody record with proofs and checkpoint), the agency's signed trust attestation, and its root key.
The footage is not in it.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from daemon.custody.evidence import ClipEvidence, check_tags_and_orders, verify_clip
from daemon.model.errors import ConfigurationError, MalformedError, TamperedError
from daemon.model.types import check_id, is_clip_id
from daemon.seal.keys import keyid, parse_sign_public, public_pem
from daemon.seal.trust import parse_trust
from daemon.vault import durable
from daemon.vault.layout import ClipDirectory
from daemon.vault.reading import read_document

_LIMIT = 256 << 20
"""Most bytes that the files of a bundle may have together, unpacked."""
_MOST_FILES = 20_000
_INSIDE = re.compile(
    r"(bundle\.json|trust\.json|root\.sign\.pub\.pem"
    r"|clip/(seal|capture|custody)\.json|clip/(tags|releases)/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.json)\Z",
    re.ASCII,
)
_PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time, so that the same clip gives the same bundle, byte for byte


@dataclass(frozen=True)
class BundleReport:
    """What a verified bundle contains. `root_keyid` is the agency's root key, on which all signatures rest.

    `root_was_given`: whether the caller gave this key. Otherwise it comes from the bundle itself.
    """

    clip_id: str
    agency: str
    root_keyid: str
    root_was_given: bool
    evidence: ClipEvidence


def write_bundle(clip: ClipDirectory, agency: str, trust: bytes, root: Ed25519PublicKey, out: Path) -> list[str]:
    """Packs a clip's statements into the new file `out`, durably; returns the names of the files inside.

    Raises MissingError when a statement cannot be read, ConfigurationError when `out` exists.
    """
    files = {"trust.json": trust, "root.sign.pub.pem": public_pem(root).encode()}
    files["bundle.json"] = json.dumps({"schema": "bwc.bundle/1", "clip_id": clip.path.name, "agency": agency}).encode()
    for path in _statements(clip):
        files[f"clip/{path.relative_to(clip.path)}"] = read_document(path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    try:
        durable.write_new(out, buffer.getvalue())
    except FileExistsError:
        raise ConfigurationError(f"{out}: exists already") from None
    durable.fsync_directory(out.parent)
    return sorted(files)


def verify_bundle(path: Path, root: Ed25519PublicKey | None) -> BundleReport:
    """Verifies a bundle offline. Without `root`, its own root key is used: compare that key's keyid with the agency's.

    Raises a VerificationError naming the file that is wrong, ConfigurationError when the bundle cannot be read.
    """
    files = _read(path)
    about = _about(files, path)
    inside = parse_sign_public(_text(files, "root.sign.pub.pem", path), what=f"{path}: root.sign.pub.pem")
    if root is not None and keyid(root) != keyid(inside):
        raise TamperedError(f"{path}: its root key ({keyid(inside)[:16]}…) is not the agency's")
    trust = parse_trust(files.get("trust.json", b""), inside, what=f"{path}: trust.json")
    with tempfile.TemporaryDirectory(prefix="bwc-bundle-") as folder:
        clip = ClipDirectory(Path(folder) / about["clip_id"])
        for name, data in files.items():
            if name.startswith("clip/"):
                target = clip.path / name.removeprefix("clip/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        evidence = verify_clip(clip, about["clip_id"], about["agency"], trust)
        sealed_at = evidence.seal.statement.ingested_at
        for finding in check_tags_and_orders(clip, about["clip_id"], trust, sealed_at):
            raise TamperedError(f"{path}: {Path(finding.path).name}: {finding.problem}")
    return BundleReport(about["clip_id"], about["agency"], keyid(inside), root is not None, evidence)


def _statements(clip: ClipDirectory) -> Iterator[Path]:
    yield clip.seal
    if clip.capture.exists():
        yield clip.capture
    yield clip.custody
    yield from clip.tags()
    yield from clip.orders()


def _read(path: Path) -> dict[str, bytes]:
    """The archive's files by name. Raises MalformedError for too many, too large, or wrongly named files."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len(infos) > _MOST_FILES or sum(info.file_size for info in infos) > _LIMIT:
                raise MalformedError(f"{path}: larger than a bundle can be")
            _check_names(infos, path)
            return {info.filename: archive.read(info) for info in infos}
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise MalformedError(f"{path}: not a complete bundle ({error})") from None


def _check_names(infos: list[zipfile.ZipInfo], path: Path) -> None:
    """Allows only a bundle's own files, each once, so that a person who unpacks it gets exactly what was verified."""
    names = {info.filename for info in infos}
    if not all(map(_INSIDE.match, names)):
        raise MalformedError(f"{path}: holds a file that does not belong in a bundle")
    if len(names) != len(infos):
        raise MalformedError(f"{path}: holds a file twice")
    if any(info.compress_type not in _PACKED for info in infos):
        raise MalformedError(f"{path}: a file is packed by a method that bundles do not use")


def _about(files: dict[str, bytes], path: Path) -> dict[str, str]:
    try:
        about = json.loads(_text(files, "bundle.json", path))
        clip_id, agency = about["clip_id"], check_id(about["agency"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MalformedError(f"{path}: bundle.json is malformed") from None
    if not isinstance(clip_id, str) or not is_clip_id(clip_id):
        raise MalformedError(f"{path}: bundle.json does not name a clip")
    return {"clip_id": clip_id, "agency": agency}


def _text(files: dict[str, bytes], name: str, path: Path) -> str:
    if name not in files:
        raise MalformedError(f"{path}: {name} is missing")
    return files[name].decode("utf-8", "replace")
