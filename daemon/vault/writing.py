"""Writing decrypted footage for a person: the file gets its name only after everything is verified."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from daemon.model.errors import BwcError, ConfigurationError
from daemon.vault import durable


def write_verified(
    out: Path, chunks: Iterable[memoryview], update: Callable[[memoryview], object], check: Callable[[], None]
) -> int:
    """Writes `chunks` to the new file `out`, durably; returns its size in bytes.

    The bytes go to a file without a name (O_TMPFILE), or with a temporary one where the filesystem has no such files.
    `update` gets each chunk. `check` is called after the last and raises when they are wrong; then `out` never appears.
    Raises ConfigurationError when `out` exists or its directory cannot be written, BwcError when writing fails.
    """
    if out.exists():
        raise ConfigurationError(f"{out}: exists already", hint="choose another name; nothing is overwritten")
    try:
        fd, temporary = _open(out)
    except OSError as error:
        raise ConfigurationError(f"{out.parent}: {(error.strerror or 'cannot be written').lower()}") from None
    size = 0
    try:
        for chunk in chunks:
            update(chunk)
            durable.write_all(fd, chunk)
            size += len(chunk)
        check()
        durable.fsync(fd, str(out))
        if temporary is None:
            os.link(f"/proc/self/fd/{fd}", out, src_dir_fd=fd)  # with a dir_fd Python follows the link (linkat(2))
        else:
            os.link(temporary, out)
        durable.fsync_directory(out.parent)
    except FileExistsError:
        raise ConfigurationError(f"{out}: exists already") from None
    except OSError as error:
        raise BwcError(f"{out}: {(error.strerror or 'cannot be written').lower()}") from error
    finally:
        os.close(fd)
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return size


def _open(out: Path) -> tuple[int, Path | None]:
    try:
        return os.open(out.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), None
    except (IsADirectoryError, OSError) as error:
        if isinstance(error, (FileNotFoundError, PermissionError, NotADirectoryError)):
            raise
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), temporary
