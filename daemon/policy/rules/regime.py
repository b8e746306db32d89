"""A regime: one folder of Cedar policies, read and checked.

    <policies>/schema.cedarschema     what rules can see, the same for every regime
    <policies>/common/*.cedar         the rules common to every regime
    <policies>/<regime>/*.cedar       the regime's own, one policy per file

An agency's own regime can be in any folder. The common rules and the schema always belong to it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import cedarpy

from daemon.model.errors import ConfigurationError
from daemon.model.resources import policies_dir
from daemon.model.types import check_id
from daemon.policy.rules.rule_file import Rule, read_rule

DEFAULT = "portland-negotiated-2023"
"""The regime that the commands use when none is named."""
_COMMON = "common"
_SCHEMA = "schema.cedarschema"
_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Regime:
    """A checked regime.

    `files` are pairs of path and SHA-256, as they enter `sha256`, the regime's identity. `rules` are by policy id.
    `mentions` are the context attributes that any rule reads. `policy_set` and `schema` are what Cedar is given.
    """

    name: str
    sha256: str
    files: tuple[tuple[str, str], ...]
    rules: dict[str, Rule]
    mentions: frozenset[str]
    policy_set: cedarpy.PolicySet = field(repr=False)
    schema: cedarpy.Schema = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads the regime in `folder`, with the common rules and the schema.

        Raises ConfigurationError, which names the file and what is wrong: there are no policies; a policy is not valid,
        has no id or one that is taken, has no reason or source, or could fail while a decision is made.
        """
        texts = _texts(folder)
        schema = _schema(texts[_SCHEMA], policies_dir() / _SCHEMA)
        rules: dict[str, Rule] = {}
        common_first = sorted(texts.keys() - {_SCHEMA}, key=lambda path: (not path.startswith(f"{_COMMON}/"), path))
        for path in common_first:
            text, where = texts[path]
            rule = read_rule(text, schema, path=path, where=str(where))
            if rule.policy_id in rules:
                taken_by = texts[rules[rule.policy_id].path][1]
                raise ConfigurationError(f"{where}: @id {rule.policy_id} is taken by {taken_by}")
            rules[rule.policy_id] = rule
        files = tuple((path, hashlib.sha256(text.encode()).hexdigest()) for path, (text, _) in sorted(texts.items()))
        return cls(
            name=_name(folder),
            sha256=digest(files),
            files=files,
            rules=rules,
            mentions=frozenset[str]().union(*(rule.mentions for rule in rules.values())),
            policy_set=cedarpy.PolicySet.from_str("\n".join(texts[path][0] for path in common_first)),
            schema=schema,
        )


def bundled_names() -> tuple[str, ...]:
    """The names of the regimes that come with the package, sorted."""
    return tuple(sorted(p.name for p in policies_dir().iterdir() if p.is_dir() and p.name != _COMMON))


def bundled(name: str) -> Regime:
    """The regime of that name that comes with the package. Raises ConfigurationError when there is none."""
    if name not in bundled_names():
        raise ConfigurationError(f"no regime called {name}", hint="there are " + ", ".join(bundled_names()))
    return Regime.load(policies_dir() / name)


def find(name_or_folder: str) -> Regime:
    """A regime that comes with the package, by its name, or an agency's own, by its folder.

    Raises ConfigurationError when there is none, or when it cannot be used.
    """
    if name_or_folder not in bundled_names() and Path(name_or_folder).is_dir():
        return Regime.load(Path(name_or_folder))
    return bundled(name_or_folder)


def digest(files: tuple[tuple[str, str], ...]) -> str:
    """The SHA-256 over the sorted lines `<path> NUL <sha256> LF` of the regime's files, as hex."""
    lines = sorted(f"{path}\0{sha256}\n".encode() for path, sha256 in files)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _texts(folder: Path) -> dict[str, tuple[str, Path]]:
    """Every file of the regime in `folder`: from its path in the digest to its text and its real path."""
    own = _own_files(folder)
    paths = {_SCHEMA: policies_dir() / _SCHEMA}
    paths |= {f"{_COMMON}/{path.name}": path for path in (policies_dir() / _COMMON).glob("*.cedar")}
    paths |= {path.name: path for path in own}
    texts = {name: (_read(path), path) for name, path in paths.items()}
    their_schema = folder / _SCHEMA
    if their_schema.exists() and _read(their_schema) != texts[_SCHEMA][0]:
        raise ConfigurationError(
            f"{their_schema}: differs from the schema every regime shares ({policies_dir() / _SCHEMA})",
            hint="remove it: a regime brings policies only",
        )
    return texts


def _name(folder: Path) -> str:
    name = folder.resolve().name
    try:
        return check_id(name)
    except ValueError as error:
        raise ConfigurationError(
            f"{folder}: the folder's name is the regime's, and {name!r} cannot be: {error}"
        ) from None


def _own_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such folder")
    in_subfolders = sorted(path for path in folder.rglob("*.cedar") if path.parent != folder)
    if in_subfolders:
        raise ConfigurationError(f"{in_subfolders[0]}: would be overlooked", hint=f"policies lie directly in {folder}")
    own = sorted(folder.glob("*.cedar"))
    if not own:
        raise ConfigurationError(f"{folder}: holds no policies (*.cedar)")
    return own


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > _LIMIT:
            raise ConfigurationError(f"{path}: larger than {_LIMIT} bytes")
        return data.decode("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: not UTF-8 text") from None


def _schema(found: tuple[str, Path], where: Path) -> cedarpy.Schema:
    try:
        return cedarpy.Schema.from_str(found[0])
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from None
