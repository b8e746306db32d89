"""Object storage (S3-compatible, Azure or Google), through obstore.

Every key ends in the SHA-256 of its object, so nothing is ever replaced: an object that is there already is the same,
or somebody has changed it. An object counts as stored only after it was read back and hashed.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from daemon.core.pacing import Pace, at_full_speed
from daemon.model.errors import BwcError, ConfigurationError, TamperedError, UnavailableError
from daemon.vault.reading import MissingError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_PART = 8 << 20
_MOST_PARTS = 9_000
_AT_ONCE = 3
_READ = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_SIGNED_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class Stored:
    """An object in the store: its key, without the store's prefix, and its size in bytes."""

    key: str
    size: int

    @property
    def digest(self) -> str | None:
        """The SHA-256 that its key names; None for an object that is not ours."""
        named = self.key[-64:]
        return named if _DIGEST.match(named) else None


@dataclass(frozen=True)
class Kept:
    """How a store protects an object: the time until which it cannot be removed, and whether old versions are kept."""

    until: datetime | None
    versions: bool


def open_objects(url: str, settings: Path | None = None, ca: Path | None = None, **more: str | None) -> Objects:
    """The store at `url` (s3://bucket/prefix, az://container/prefix, gs://bucket/prefix). Does not connect to it yet.

    `settings` is a TOML file with obstore's settings for that kind of store (access_key_id, secret_access_key,
    endpoint, …); `more` are further ones. Others come from the environment (AWS_…, AZURE_…, GOOGLE_…). `ca` is a PEM
    file with the authority of the store's certificate. Raises ConfigurationError.
    """
    try:
        from obstore import store as stores
        from obstore.exceptions import BaseError
    except ImportError:
        hint = "pip install 'bwc-dock[objects]'"
        raise ConfigurationError(f"{url}: object storage needs obstore", hint=hint) from None
    build: Any = stores.from_url  # obstore's types list the settings; ours come from a file
    config: dict[str, Any] = {name: value for name, value in more.items() if value is not None}
    config |= _read_settings(settings) if settings is not None else {}
    scheme = urlsplit(url).scheme
    if scheme == "s3":
        config.setdefault("checksum_algorithm", "sha256")  # the store checks each part when it arrives
    endpoint = str(config.get("endpoint", config.get("aws_endpoint", "https:")))
    client: dict[str, Any] = {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "30min"}
    if endpoint.startswith("http:"):
        if urlsplit(endpoint).hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ConfigurationError(f"endpoint {endpoint}: without TLS the store must be on this machine")
        client["allow_http"] = True
    try:
        if ca is not None:
            client["root_certificate"] = ca.read_bytes()
        store = build(
            url,
            config=config,
            client_options=client,
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
        )
    except (BaseError, OSError, ValueError) as error:
        raise ConfigurationError(f"{url}: {_first_line(error)}") from None
    return Objects(store, url)


def _read_settings(path: Path) -> dict[str, str]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):  # the parser's message could show a secret
        raise ConfigurationError(f"{path}: not valid TOML", hint='expected lines like access_key_id = "…"') from None
    if not all(isinstance(value, str) for value in found.values()):
        raise ConfigurationError(f"{path}: every value must be text in quotes")
    return found


class Objects:
    """One store. Every method raises UnavailableError when the store does not answer, refuses, or misbehaves."""

    def __init__(self, store: ObjectStore, url: str) -> None:
        self._store = store
        self.url = url
        self._refuses = False  # whether this store is known to refuse a key that exists already

    def put(self, key: str, source: bytes | Path, size: int, pace: Pace = at_full_speed) -> None:
        """Stores `size` bytes under a key that ends in their SHA-256. On return they were read back and hashed.

        An existing object is never overwritten. Raises TamperedError when it, or `source`, does not have the digest
        that the key names; MissingError when `source` cannot be read.
        """
        if self._refuses and size <= _PART:
            self._send(key, source, size, pace)  # no need to ask first: the store refuses an existing key
        elif not self.has(key):
            self._send(key, source, size, pace)
            if isinstance(source, bytes) and size <= _PART:
                self._refuses = not self._send(key, source, size, pace)
        self.check(key, size, pace)

    def has(self, key: str) -> bool:
        """Whether there is an object with this key."""
        import obstore

        with self._asking(key):
            try:
                obstore.head(self._store, key)
            except FileNotFoundError:
                return False
            return True

    def look(self, key: str, size: int) -> None:
        """Compares the object's size and stored digest, without reading it. Raises MissingError, TamperedError."""
        import obstore

        with self._asking(key):
            answer = obstore.get(self._store, key, options={"head": True})
            self._compare(key, answer.meta["size"], answer.attributes.get("sha256"), size)

    def check(self, key: str, size: int, pace: Pace = at_full_speed) -> None:
        """Reads and hashes the whole object. Raises MissingError; TamperedError when it is not what its key names."""
        for _ in self.read(key, size, pace):
            pass

    def read(self, key: str, size: int | None = None, pace: Pace = at_full_speed) -> Iterator[bytes]:
        """The object's bytes, in pieces of about 1 MiB. `size`: how many bytes it must have, if known.

        Raises MissingError before the first, and TamperedError: for a wrong size or stored digest before the first
        piece, for wrong bytes only after the last.
        """
        import obstore

        digest, found = hashlib.sha256(), 0
        with self._asking(key):
            answer = obstore.get(self._store, key)
            self._compare(key, answer.meta["size"], answer.attributes.get("sha256"), size)
            for piece in answer.stream(min_chunk_size=_READ):
                data = bytes(piece)
                digest.update(data)
                found += len(data)
                pace(len(data))
                yield data
        if digest.hexdigest() != key[-64:] or found != answer.meta["size"]:
            raise TamperedError(f"{self.url}/{key}: its bytes are not those that were stored")

    def list(self, prefix: str) -> Iterator[Stored]:
        """All objects whose keys begin with `prefix/`."""
        import obstore

        with self._asking(prefix):
            for page in obstore.list(self._store, f"{prefix}/"):
                for found in page:
                    yield Stored(found["path"], found["size"])

    def remove(self, key: str) -> None:
        """Removes the object, if there is one."""
        import obstore

        with self._asking(key):
            obstore.delete(self._store, key)

    def kept(self, key: str) -> Kept:
        """How the store protects an object (S3 object lock and versions). Other kinds of stores count as unprotected.

        Raises MissingError.
        """
        from obstore import sign
        from obstore.store import S3Store

        if not isinstance(self._store, S3Store):
            return Kept(None, versions=False)
        with self._asking(key):
            url = sign(self._store, "HEAD", key, _SIGNED_FOR)
            try:
                with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=30) as answer:  # noqa: S310
                    headers = answer.headers
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    raise MissingError(f"{self.url}/{key}: is not there") from None
                raise
            until = headers.get("x-amz-object-lock-retain-until-date")
            versions = headers.get("x-amz-version-id") not in {None, "null"}
            return Kept(datetime.fromisoformat(until) if until else None, versions)

    def _send(self, key: str, source: bytes | Path, size: int, pace: Pace) -> bool:
        """Sends it. False when the store refuses because the key exists."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        attributes = {"Content-Type": "application/octet-stream", "sha256": key[-64:]}
        pieces = _Pieces(key, source, pace)
        with self._asking(key):
            try:
                if size <= _PART:
                    obstore.put(self._store, key, b"".join(pieces), mode="create", attributes=attributes)
                else:  # a multipart upload cannot be create-only; `put` has asked
                    part = max(_PART, -(-size // _MOST_PARTS))
                    options: dict[str, Any] = {"use_multipart": True, "chunk_size": part, "max_concurrency": _AT_ONCE}
                    obstore.put(self._store, key, iter(pieces), attributes=attributes, **options)
            except (AlreadyExistsError, PreconditionError):
                return False  # reading it back will show what it is
            except Exception:
                if pieces.error is not None:
                    raise pieces.error from None
                raise
        return True

    def _compare(self, key: str, size: int, noted: str | None, expected: int | None) -> None:
        if expected is not None and size != expected:
            raise TamperedError(f"{self.url}/{key}: has {size} bytes, and {expected} were stored")
        if noted != key[-64:]:
            raise TamperedError(f"{self.url}/{key}: its stored digest is {noted or 'missing'}, not its key's")

    @contextmanager
    def _asking(self, key: str) -> Iterator[None]:
        """Turns the errors of obstore and HTTP into MissingError or UnavailableError."""
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError:
            raise MissingError(f"{self.url}/{key}: is not there") from None
        except (BaseError, HTTPException, OSError, ValueError) as error:
            raise UnavailableError(f"{self.url}/{key}: {_first_line(error)}") from error


class _Pieces:
    """The pieces that are sent, hashed on the way. The last is given out only when the digest of all is right."""

    def __init__(self, key: str, source: bytes | Path, pace: Pace) -> None:
        self._key, self._source, self._pace = key, source, pace
        self.error: BwcError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._checked()
        except BwcError as error:
            self.error = error
            raise

    def _checked(self) -> Iterator[bytes]:
        digest, last = hashlib.sha256(), b""
        for piece in self._read():
            digest.update(piece)
            self._pace(len(piece))
            if last:
                yield last
            last = piece
        if digest.hexdigest() != self._key[-64:]:
            name = self._source if isinstance(self._source, Path) else self._key
            raise TamperedError(f"{name}: its bytes are not those that were sealed; it is not copied")
        yield last

    def _read(self) -> Iterator[bytes]:
        if isinstance(self._source, bytes):
            yield self._source
            return
        try:
            with self._source.open("rb") as file:
                while piece := file.read(_READ):
                    yield piece
        except OSError as error:
            raise MissingError(f"{self._source}: {(error.strerror or 'cannot be read').lower()}") from None


def _first_line(error: BaseException) -> str:
    """The first line of a store's error message: the others are for debugging."""
    return " ".join(str(error).split("\n", 1)[0].split())[:300] or type(error).__name__
