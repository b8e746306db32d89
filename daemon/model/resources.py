"""Where the files that travel with the package lie: regimes, schemas, the broker's configuration, examples."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def policies_dir() -> Path:
    """The folder with the bundled regimes, the rules common to them, and the Cedar schema."""
    return _config() / "policies"


def schemas_dir() -> Path:
    """The folder with the JSON Schemas of everything that crosses a boundary."""
    return _config() / "schemas"


def mosquitto_dir() -> Path:
    """The folder with the broker's configuration and the rules of its access list."""
    return _config() / "mosquitto"


def example(name: str) -> Path:
    """The example of a configuration file that ships: dock.toml, policy.toml, trust.toml."""
    return _config() / name


def _config() -> Path:
    installed = _PACKAGE / "_data"  # a wheel carries the repository's config/ there
    return installed if installed.is_dir() else _PACKAGE.parent / "config"
