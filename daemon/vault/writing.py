"""Writing plaintext that a person may have: nothing appears under its name before everything about it is verified."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from daemon.model.errors import BwcError, ConfigurationError
from daemon.vault import durable


def write_verified(
    out: Path, chunks: Iterable[memoryview], update: Callable[[memoryview], object], check: Callable[[], None]
) -> int:
    """Writes `chunks` to the new file `out`; returns its size in bytes.

    The bytes go to a file without a name (O_TMPFILE). `update` sees each chunk; `check`, called after the last, raises
    when they are not what they should be. Only then the file gets its name. Raises ConfigurationError when `out` exists
    or its directory cannot be written.
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
            os.link(f"/proc/self/fd/{fd}", out, src_dir_fd=fd)  # a dir_fd makes Python follow the link (linkat)
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
