"""Key pairs on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from daemon.model.errors import ConfigurationError
from daemon.seal.keys import keyid, load_open_public, load_sign_public
from daemon.seal.private_keys import load_open_key, load_sign_key, new_pair
from tests.kit.agency import sign_key

LOADERS = [load_sign_key, load_open_key, load_sign_public, load_open_public]


def test_a_new_pair(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    names = [path.name for path in new_pair(folder, "chief")]
    assert names == ["chief.sign.pem", "chief.sign.pub.pem", "chief.open.pem", "chief.open.pub.pem"]
    assert keyid(load_sign_key(folder / names[0]).public_key()) == keyid(load_sign_public(folder / names[1]))
    assert keyid(load_open_key(folder / names[2]).public_key()) == keyid(load_open_public(folder / names[3]))
    for private in (names[0], names[2]):
        assert (folder / private).stat().st_mode & 0o777 == 0o600
        assert (folder / private).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize("use", ["sign", "open"])
def test_a_key_is_never_overwritten(tmp_path: Path, use: str) -> None:
    (tmp_path / f"chief.{use}.pub.pem").write_text("mine")
    with pytest.raises(ConfigurationError):
        new_pair(tmp_path, "chief")
    assert os.listdir(tmp_path) == [f"chief.{use}.pub.pem"]


@pytest.mark.parametrize("load", LOADERS)
def test_keys_of_another_sort(tmp_path: Path, load: Callable[[Path], object]) -> None:
    paths = new_pair(tmp_path, "a")
    loaders: list[Callable[[Path], object]] = [load_sign_key, load_sign_public, load_open_key, load_open_public]
    fits = loaders.index(load)
    for number, path in enumerate(paths):
        if number == fits:
            load(path)
        else:
            with pytest.raises(ConfigurationError):
                load(path)


def _private(kind: ec.EllipticCurve, password: bytes | None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    key = ec.generate_private_key(kind)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"-----BEGIN PRIVATE KEY-----\n",
        _private(ec.SECP384R1(), None),
        _private(ec.SECP256R1(), b"x"),
    ],
    ids=["empty", "binary", "torn", "another curve", "encrypted"],
)
def test_what_is_no_key(tmp_path: Path, load: Callable[[Path], object], content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    with pytest.raises(ConfigurationError):
        load(tmp_path / "missing.pem")


def test_keyid_is_over_the_subject_public_key_info() -> None:
    import hashlib

    prefix = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 section 4
    public = sign_key("chief").public_key()
    assert keyid(public) == hashlib.sha256(prefix + public.public_bytes_raw()).hexdigest()
