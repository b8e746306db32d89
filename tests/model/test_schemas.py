"""The published JSON Schemas: current, valid, and of one mind with the models and with the simulator."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as hs
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from daemon.model import strict_json
from daemon.model.documents import DOCUMENTS, Camera, EnvelopeDocument
from daemon.model.errors import SchemaError, VerificationError
from daemon.model.parse import parse_model
from daemon.model.query_results import QUERY_DOCUMENTS
from daemon.model.resources import schemas_dir
from daemon.model.schemas import schemas, text, write
from daemon.model.statements import KINDS, Capture
from daemon.seal import envelope as envelopes
from device_sim.camera import memory
from device_sim.camera.recording import Clip, ClipSpec, Wearer, signed_capture
from tests.kit import query_strategies, strategies
from tests.kit.agency import CLIP, DIGEST, sign_key

MODELS: dict[str, type[BaseModel]] = {f"statement.{kind}": model for kind, model in KINDS.items()}
MODELS |= DOCUMENTS | QUERY_DOCUMENTS
EXAMPLES = (
    {f"statement.{kind}": made for kind, made in strategies.BY_KIND.items()}
    | strategies.DOCUMENTS
    | query_strategies.ANSWERS
)
few = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@cache
def validator(name: str) -> Draft202012Validator:
    schema = json.loads((schemas_dir() / f"{name}.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_files_are_current() -> None:
    made = {name: text(schema) for name, schema in schemas().items()}
    assert made == {path.name: path.read_text(encoding="utf-8") for path in schemas_dir().iterdir()}


def test_writing_them_removes_what_is_no_more(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == schemas().keys()


@pytest.mark.parametrize("name", MODELS)
def test_each_is_a_schema_with_a_name(name: str) -> None:
    schema = validator(name).schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:bwc:schema:{name}/1"
    assert (schema.get("additionalProperties") is False) == name.startswith("statement.")


@pytest.mark.parametrize("name", MODELS)
def test_what_the_model_writes_fits_the_schema_and_reads_back(name: str) -> None:
    @few
    @given(EXAMPLES[name])
    def holds(made: Any) -> None:
        document = made.plain()
        validator(name).validate(document)
        assert parse_model(MODELS[name], strict_json.dump(document), what=name) == made

    holds()


@pytest.mark.parametrize("name", MODELS)
def test_unknown_fields(name: str) -> None:
    """A signed payload refuses them wherever they stand, another document ignores them."""

    @few
    @given(EXAMPLES[name])
    def holds(made: Any) -> None:
        document = made.plain() | {"surprise": {"any": "thing"}}
        if name.startswith("statement."):
            assert not validator(name).is_valid(document)
            with pytest.raises(SchemaError):
                parse_model(MODELS[name], strict_json.dump(document), what=name)
        else:
            validator(name).validate(document)
            assert parse_model(MODELS[name], strict_json.dump(document), what=name) == made

    holds()


ODD: list[Any] = [
    None,
    True,
    -1,
    0.5,
    2**53,
    "",
    "x" * 3000,
    "../x",
    "2023-11-29",
    "NaN",
    [],
    [None],
    {},
    {"a": 1},
    ["x"] * 2,
]


def mutate(value: Any, dice: random.Random) -> Any:
    """The document with something odd in one place, or something missing."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(sorted(value))
        rest = {k: v for k, v in value.items() if k != key}
        return rest if dice.random() < 0.2 else rest | {key: mutate(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.7:
        at = dice.randrange(len(value))
        return [*value[:at], mutate(value[at], dice), *value[at + 1 :]]
    return dice.choice(ODD)


@pytest.mark.parametrize("name", MODELS)
def test_the_schema_takes_whatever_the_model_takes(name: str) -> None:
    """A program that checks against the schema never refuses what ours accept (which also check how fields agree)."""

    @few
    @given(EXAMPLES[name], hs.integers(0, 2**32))
    def holds(made: Any, seed: int) -> None:
        document = mutate(made.plain(), random.Random(seed))
        data = strict_json.dump(document)
        try:
            parse_model(MODELS[name], data, what=name, limit=1 << 20)
        except VerificationError:
            return
        validator(name).validate(document)

    holds()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_the_schema_calls_required_is_required(name: str) -> None:
    @settings(max_examples=5)
    @given(EXAMPLES[name])
    def holds(made: Any) -> None:
        document = made.plain()
        for field in validator(name).schema.get("required", []):
            missing = {key: value for key, value in document.items() if key != field}
            assert not validator(name).is_valid(missing)
            with pytest.raises(SchemaError):
                parse_model(MODELS[name], strict_json.dump(missing), what=name)

    holds()


WEARER = Wearer(serial="cam-1", officer_id="51234", key=sign_key("cam-1"), skew_seconds=-2.5)


@given(
    hs.floats(0.1, 36_000),
    hs.floats(0, 120),
    strategies.instants,
    hs.lists(hs.tuples(strategies.texts, hs.floats(0, 100)), max_size=3).map(tuple),
    hs.sampled_from(["button", "dispatch", "sidearm"]),
)
def test_the_simulators_captures(
    length: float, pre_event: float, at: datetime, markers: tuple[tuple[str, float], ...], trigger: str
) -> None:
    spec = ClipSpec(at, length + pre_event, pre_event, trigger, "timeout", CLIP, 1, 1.0, markers=markers)
    times = (WEARER.clock(at) for _ in range(3))
    clip = Clip(CLIP, 5, DIGEST, *times)
    raw = signed_capture(WEARER, spec, clip, frozenset())
    assert raw is not None
    document = json.loads(raw)
    validator("envelope").validate(document)
    parse_model(EnvelopeDocument, raw, what="capture.json")
    validator("statement.capture").validate(json.loads(base64.b64decode(document["payload"])))
    envelope = envelopes.parse(raw, what="capture.json")
    envelope.check(sign_key("cam-1").public_key())
    assert envelope.statement(Capture).camera_serial == "cam-1"


def test_the_simulators_camera_json(tmp_path: Path) -> None:
    memory.lay_out(tmp_path)
    (tmp_path / "clips" / "a.mp4").write_bytes(b"12345")
    memory.introduce(tmp_path, WEARER, WEARER.clock(datetime(2023, 11, 29, tzinfo=UTC)))
    data = (tmp_path / "camera.json").read_bytes()
    validator("camera").validate(json.loads(data))
    camera = parse_model(Camera, data, what="camera.json")
    assert (camera.serial, camera.officer_id, camera.docked_at.second) == ("cam-1", "51234", 57)
