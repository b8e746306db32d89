"""Reading a configuration file: every mistake in it is named at once."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import (
    ValidationError,
)

from daemon.model.config.sections import Section
from daemon.model.errors import ConfigurationError
from daemon.model.parse import explain

C = TypeVar("C", bound=Section)


def load_config(model: type[C], path: Path) -> C:
    """The configuration in a TOML file. Raises ConfigurationError naming the file and every bad key."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid TOML ({error})") from None
    return check_config(model, data, base=path.parent, what=str(path))


def check_config(model: type[C], data: dict[str, Any], *, base: Path, what: str) -> C:
    """`data` as `model`, relative paths below `base`. Raises ConfigurationError."""
    try:
        return model.model_validate(data, context={"base": base})
    except ValidationError as error:
        raise ConfigurationError(f"{what}: {explain(error)}") from None
