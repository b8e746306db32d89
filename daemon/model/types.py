"""Field types shared by every document: ids, digests, keys, and their JSON Schema forms."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}\Z", re.ASCII)
_CLIP_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.ASCII)
_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_DISPATCH_FORM = rf"^[^\s{_CONTROLS}]([^{_CONTROLS}]*[^\s{_CONTROLS}])?$"
_DIGEST_FORM = r"^[0-9a-f]{64}$"


def check_id(text: str) -> str:
    """`[A-Za-z0-9._-]{1,64}`, and never `.` or `..`: ids become file names and topic levels."""
    if not _ID.match(text) or text in {".", ".."}:
        raise ValueError("expected 1 to 64 letters, digits, dots, underscores or hyphens")
    return text


def check_dispatch_id(text: str) -> str:
    """An id as a dispatch system gives it: 1 to 128 bytes of UTF-8 without control characters or space around it.

    Where a topic level or a file name is needed, daemon.model.safe_names makes one of it.
    """
    if not is_dispatch_id(text):
        raise ValueError("expected 1 to 128 bytes of text without control characters, and no space around it")
    return text


def is_dispatch_id(text: str) -> bool:
    """Whether `text` can be an id of dispatch's."""
    if _ID.match(text):
        return True
    if not text or len(text) > 128 or text != text.strip() or _CONTROL.search(text):
        return False
    try:
        return len(text.encode()) <= 128
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def check_clip_id(text: str) -> str:
    """A UUID in its canonical lowercase form (RFC 9562 section 4), so that it names one directory only."""
    if not is_clip_id(text):
        raise ValueError("expected a UUID in lowercase with hyphens")
    return text


def is_clip_id(text: str) -> bool:
    """Whether `text` is a UUID in canonical lowercase form."""
    return _CLIP_ID.match(text) is not None


Id = Annotated[
    str,
    AfterValidator(check_id),
    WithJsonSchema({"type": "string", "pattern": r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$"}),
]
DispatchId = Annotated[
    str,
    AfterValidator(check_dispatch_id),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128, "pattern": _DISPATCH_FORM}),
]
"""What a dispatch system calls an incident or a unit."""
ClipId = Annotated[
    str,
    AfterValidator(check_clip_id),
    WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}),
]
Digest = Annotated[str, StringConstraints(pattern=_DIGEST_FORM)]
"""Lowercase hex SHA-256."""

Text = Annotated[str, StringConstraints(max_length=2000)]
LARGEST = 2**53 - 1
"""The largest whole number that is exact in JSON everywhere (RFC 7493 section 2.2)."""
Size = Annotated[int, Field(ge=0, le=LARGEST)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Seconds = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
"""As long as between any two instants that can be written, and longer."""
PublicKeyPem = Annotated[str, StringConstraints(max_length=1000, pattern=r"^-----BEGIN PUBLIC KEY-----\n")]


class Signed(BaseModel):
    """Base of everything inside a signed payload: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    def plain(self) -> dict[str, Any]:
        """As JSON-ready values, without absent optional fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Document(BaseModel):
    """Base of unsigned documents: frozen, and unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def plain(self) -> dict[str, Any]:
        """As JSON-ready values, without absent optional fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
