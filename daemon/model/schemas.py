"""JSON Schemas of every statement and document, generated from the models: `python -m daemon.model.schemas DIR`.

They are what the simulator, and anybody else's program, is checked against.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from daemon.model.documents import DOCUMENTS
from daemon.model.query_results import QUERY_DOCUMENTS
from daemon.model.statements import KINDS

_BASE = "urn:bwc:schema:"


def schemas() -> dict[str, dict[str, Any]]:
    """File name to schema (JSON Schema 2020-12). Signed payloads refuse unknown fields, other documents ignore them."""
    models = {f"statement.{kind}": model for kind, model in KINDS.items()} | DOCUMENTS | QUERY_DOCUMENTS
    found = {}
    for name, model in sorted(models.items()):
        schema = model.model_json_schema(by_alias=True)
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{_BASE}{name}/1"}
        found[f"{name}.json"] = head | schema
    return found


def text(schema: dict[str, Any]) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path) -> None:
    """Writes every schema into `folder`, and removes files of schemas that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    current = schemas()
    for path in folder.glob("*.json"):
        if path.name not in current:
            path.unlink()
    for name, schema in current.items():
        (folder / name).write_text(text(schema), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
