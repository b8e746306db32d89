"""Sealing and opening single files by hand, through exactly the daemon's pipeline."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daemon.dock.camera import byte_path
from daemon.dock.camera.messages import SealedFile, SealTarget
from daemon.dock.camera.sealer import seal_one
from daemon.model import strict_json
from daemon.model.documents import WrappedKeys
from daemon.model.errors import BwcError, CameraReadError, ConfigurationError, SchemaError, TamperedError
from daemon.model.parse import explain, parse_model
from daemon.model.statements import WrappedKey
from daemon.model.types import check_id, is_clip_id
from daemon.seal import stream
from daemon.seal.keys import keyid, load_open_public, public_pem
from daemon.seal.private_keys import load_open_key
from daemon.seal.wrap import data_key_info, unwrap
from daemon.vault import durable
from daemon.vault.writing import write_verified


def seal_file(file: Path, escrow: list[Path], clip_id: str, out: Path, dock_id: str) -> dict[str, Any]:
    """Seals `file` into `out/clip.sealed` and `out/wrapped_keys.json`, both durable.

    Returns clip_sha256, sealed_sha256, bytes, seconds (until durable), read_back_seconds. Raises ConfigurationError for
    arguments that cannot be used, CameraReadError when the file changes while it is read.
    """
    if not is_clip_id(clip_id):
        raise ConfigurationError(f"--clip-id {clip_id!r}: expected a UUID in lowercase with hyphens")
    try:
        check_id(dock_id)
    except ValueError as error:
        raise ConfigurationError(f"--dock-id {dock_id!r}: {error}") from None
    recipients = tuple(public_pem(load_open_public(path)) for path in escrow)
    path = out / "clip.sealed"
    target = SealTarget(str(path), clip_id, dock_id, None, recipients)
    try:
        source = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            raise ConfigurationError(f"{file}: not a regular file")
        _make_directory(out)
        sealed, wrapped_keys = _seal_whole(source, target)
    except CameraReadError as error:
        raise CameraReadError(f"{file}: {error}") from None
    except FileExistsError:
        raise ConfigurationError(f"{path}: exists already", hint="sealed files are never overwritten") from None
    except OSError as error:
        raise BwcError(f"{error.filename or path}: {(error.strerror or '').lower()}", hint=_hint(error)) from None
    finally:
        os.close(source)
    keys = {
        "clip_id": clip_id,
        "dock_id": dock_id,
        "format": stream.FORMAT,
        "clip_sha256": sealed.clip_sha256,
        "sealed_sha256": sealed.sealed_sha256,
        "wrapped_keys": [wrapped.plain() for wrapped in wrapped_keys],
    }
    durable.write_replacing(out / "wrapped_keys.json", strict_json.dump(keys) + b"\n")
    return {
        "clip_sha256": sealed.clip_sha256,
        "sealed_sha256": sealed.sealed_sha256,
        "bytes": sealed.size,
        "seconds": round(sealed.seconds, 6),
        "read_back_seconds": round(sealed.read_back_seconds, 6),
    }


def _seal_whole(source: int, target: SealTarget) -> tuple[SealedFile, tuple[WrappedKey, ...]]:
    """Seals; what fails leaves no part of the target behind, and never touches one that was there before."""
    try:
        return seal_one(source, target, byte_path.make_slots(), lambda _: None)
    except FileExistsError:
        raise
    except BaseException:
        Path(target.path).unlink(missing_ok=True)
        raise


def _make_directory(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{out}: not a directory that can be written ({error.strerror})") from None


def unseal_file(folder: Path, key_path: Path, out: Path) -> dict[str, Any]:
    """Opens `folder/clip.sealed` with a recipient's private key into `out`, which appears only when it is whole.

    Returns clip_sha256 and bytes. Raises TamperedError when anything was changed, ConfigurationError when the key is
    no recipient's.
    """
    document = folder / "wrapped_keys.json"
    try:
        data = document.read_bytes()
        sealed = (folder / "clip.sealed").open("rb")
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {(error.strerror or 'cannot be read').lower()}") from None
    with sealed:
        keys = parse_model(WrappedKeys, data, what=str(document))
        key = load_open_key(key_path)
        recipient = keyid(key.public_key())
        wrapped = next((w for w in keys.wrapped_keys if w.get("recipient") == recipient), None)
        if wrapped is None:
            raise ConfigurationError(f"{key_path}: not one of the keys this clip is wrapped to")
        info = data_key_info(keys.dock_id, keys.clip_id, keys.capture_sha256, recipient)
        data_key = unwrap(_checked(wrapped, document), key, info)
        digest, size = hashlib.sha256(), os.fstat(sealed.fileno()).st_size

        def check() -> None:
            if digest.hexdigest() != keys.clip_sha256:
                raise TamperedError(f"{folder}: the opened clip is not the one that was sealed")

        written = write_verified(out, stream.decrypt(sealed, size, data_key, keys.clip_id), digest.update, check)
    return {"clip_sha256": digest.hexdigest(), "bytes": written}


def _checked(wrapped: dict[str, Any], document: Path) -> WrappedKey:
    try:
        return WrappedKey.model_validate(wrapped)
    except ValidationError as error:
        raise SchemaError(f"{document}: {explain(error)}") from None


def _hint(error: OSError) -> str | None:
    return "free space there and try again" if error.errno == errno.ENOSPC else None
