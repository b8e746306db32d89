"""The store, started once for all tests that need it; a bucket of its own for each."""

from __future__ import annotations

import os
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import ObjectStore, from_url

from daemon.vault.replica.objects import Objects
from tests.kit.swift import Swift, install


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Swift]:
    assert pytestconfig.cache is not None
    try:
        programs = install(Path(pytestconfig.cache.mkdir("swift")))
    except OSError as error:
        assert not os.environ.get("CI"), "CI must have Swift"
        pytest.skip(f"swift cannot be installed: {error}")
    store = Swift(programs, tmp_path_factory.mktemp("swift"))
    store.start()
    yield store
    store.kill()


@dataclass(frozen=True)
class Bucket:
    """An empty bucket, and one dock's replica in it."""

    swift: Swift
    name: str
    folder: Path

    @property
    def objects(self) -> Objects:
        return self.swift.objects(self.name, self.folder)

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, data: bytes, noted: str | None = None) -> None:
        """Puts any bytes at a key of the replica, as somebody with the store's credentials can.

        `noted` is the digest that is noted with them; as the key says when not given.
        """
        obstore.put(self._store, key, data, attributes={"sha256": key[-64:] if noted is None else noted})

    def get(self, key: str) -> bytes:
        """What lies at a key of the replica, whatever it is."""
        return bytes(obstore.get(self._store, key).bytes())

    @property
    def _store(self) -> ObjectStore:
        settings: Any = tomllib.loads(self.swift.settings)
        return from_url(f"{self.url}/dock-1", config=settings, client_options={"allow_http": True})


@pytest.fixture
def bucket(swift: Swift, tmp_path_factory: pytest.TempPathFactory) -> Bucket:
    name = f"evidence-{uuid.uuid4().hex[:12]}"
    swift.make_bucket(name)
    return Bucket(swift, name, tmp_path_factory.mktemp("store"))
