"""From bytes to one of our models, with errors that name the source and every bad field."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from daemon.model import strict_json
from daemon.model.errors import SchemaError

M = TypeVar("M", bound=BaseModel)


def parse_model(model: type[M], data: bytes, *, what: str, limit: int = 65536) -> M:
    """`data` as `model`, strictly typed.

    Raises MalformedError (not JSON, too large, ambiguous) or SchemaError (fields missing, unknown, of a wrong type).
    """
    strict_json.parse_object(data, what=what, limit=limit)
    try:
        return model.model_validate_json(data, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise SchemaError(f"{what}: {explain(error)}") from None


def check_model(model: type[M], value: object, *, what: str) -> M:
    """As `parse_model`, of a part of a document that is parsed already. Raises SchemaError."""
    try:
        return model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        raise SchemaError(f"{what}: {explain(error)}") from None


def explain(error: ValidationError) -> str:
    """Every mistake of a validation, as `field: what is wrong`, in one line. What it shows keeps its case."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'document'}: {_lowered(item['msg'])}"
        for item in error.errors(include_url=False, include_input=False)[:20]
    )


def _lowered(message: str) -> str:
    """pydantic begins with a capital, and names the type of an error of ours."""
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
