"""Regimes: the bundled ones are sound, their digest is what the page says, and every bad regime is refused by file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import get_args

import pytest

from daemon.model.errors import ConfigurationError
from daemon.model.resources import policies_dir
from daemon.model.statements import Force, Purpose, Role
from daemon.policy.rules.regime import Regime, bundled, bundled_names, find

GOOD = """// anybody may, for court
@id("ours") @reason("a reason") @source("a source")
permit (principal, action == Action::"court", resource) when { principal.roles.contains(Role::"chief") };
"""


def regime(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.cedar").write_text(text)
    return folder


def body(condition: str) -> str:
    return f'@id("x") @reason("r") @source("s") forbid (principal, action, resource) when {{ {condition} }};'


def test_five_regimes_and_one_schema_are_bundled() -> None:
    assert bundled_names() == (
        "doj-preferred-2023",
        "oregon-state-police",
        "portland-city-offer-2023",
        "portland-negotiated-2023",
        "portland-union-offer-2023",
    )
    for name in bundled_names():
        loaded = bundled(name)
        assert {"unclassified", "supervisors", "internal-affairs-bound"} < loaded.rules.keys()
        assert all(rule.reason and rule.source for rule in loaded.rules.values())
    with pytest.raises(ConfigurationError):
        bundled("common")


def test_the_schema_knows_exactly_the_published_roles_tiers_and_purposes() -> None:
    text = (policies_dir() / "schema.cedarschema").read_text()

    def listed(line: str) -> set[str]:
        return set(line.split("[")[1].split("]")[0].replace('"', "").split(", "))

    role, force = (next(li for li in text.splitlines() if li.startswith(f"entity {n} ")) for n in ("Role", "Force"))
    assert listed(role) == set(get_args(Role))
    assert listed(force) == {*get_args(Force), "unclassified"}
    action = next(li for li in text.splitlines() if li.startswith("action "))
    assert set(action.removeprefix("action ").split(" appliesTo")[0].split(", ")) == set(get_args(Purpose))


def test_the_digest_can_be_computed_with_nothing_but_sha256(tmp_path: Path) -> None:
    loaded = Regime.load(regime(tmp_path, own=GOOD))
    files = {"schema.cedarschema": policies_dir() / "schema.cedarschema", "own.cedar": tmp_path / "ours" / "own.cedar"}
    files |= {f"common/{p.name}": p for p in (policies_dir() / "common").iterdir()}
    lines = sorted(f"{name}\0{hashlib.sha256(p.read_bytes()).hexdigest()}\n".encode() for name, p in files.items())
    assert loaded.sha256 == hashlib.sha256(b"".join(lines)).hexdigest()
    assert loaded.name == "ours"
    assert find(str(tmp_path / "ours")).sha256 == loaded.sha256


def test_a_changed_comment_changes_the_digest(tmp_path: Path) -> None:
    folder = regime(tmp_path, own=GOOD)
    before = Regime.load(folder).sha256
    (folder / "own.cedar").write_text(GOOD.replace("anybody", "somebody"))
    assert Regime.load(folder).sha256 != before


@pytest.mark.parametrize(
    "text",
    [
        "permit (principal, action, resource",
        "",
        GOOD + GOOD.replace("ours", "theirs"),
        GOOD.replace('@id("ours")', ""),
        GOOD.replace('@id("ours")', '@id("no spaces here")'),
        GOOD.replace('@reason("a reason")', ""),
        GOOD.replace('@reason("a reason")', '@reason("  ")'),
        GOOD.replace('@source("a source")', ""),
        GOOD.replace("// anybody may, for court", '@due_hours("soon")'),
        GOOD.replace("// anybody may, for court", '@due_hours("-1")'),
        GOOD.replace("// anybody may, for court", '@due_hours("nan")'),
        GOOD.replace('Role::"chief"', 'Role::"cheif"'),
        GOOD.replace('Action::"court"', 'Action::"curt"'),
        GOOD.replace("principal.roles", "principal.rolls"),
        GOOD.replace('"ours"', '"unclassified"'),
        GOOD.replace("(principal,", "(principal == ?principal,"),
        GOOD + GOOD.replace("(principal,", "(principal == ?principal,"),
        GOOD.replace("(principal,", '(principal == Person::"51234",'),
        body("resource.wearer.roles.isEmpty()"),
        body('Person::"51234".roles.isEmpty()'),
        body('principal == Person::"51234"'),
        body('[Person::"51234"].contains(principal)'),
        body("9223372036854775807 + 1 == 2"),
        body("1 - 1 == 2"),
        body("2 * 2 == 2"),
        body("-(-9223372036854775808) == 2"),
        body('ip("127.0.0.1").isLoopback()'),
        body('datetime("2023-11-29") < datetime("2023-11-30")'),
        body("{a: 1}.a == 1"),
        body('if 1 + 1 == 2 then true else principal.roles.contains(Role::"chief")'),
        body("[1 + 1].contains(2)"),
    ],
)
def test_a_bad_policy_is_refused_naming_its_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Regime.load(regime(tmp_path, good=GOOD.replace("ours", "good"), zbad=text))
    assert "zbad.cedar" in str(caught.value)


def test_ids_may_not_repeat_within_a_regime(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"b\.cedar.*a\.cedar"):
        Regime.load(regime(tmp_path, a=GOOD, b=GOOD))


@pytest.mark.parametrize(
    "condition",
    [
        "principal is Person && principal in [resource.wearer] && principal != resource.wearer",
        "if context.authorized then resource.held else !resource.held",
        'principal has roles && principal.roles == [Role::"chief"]',
        "resource.involved.containsAny(resource.witnesses) || context.told_supervisor.isEmpty()",
    ],
)
def test_every_harmless_way_to_write_a_condition_is_welcome(tmp_path: Path, condition: str) -> None:
    assert "x" in Regime.load(regime(tmp_path, own=body(condition))).rules


def test_a_folder_that_cannot_be_a_regime_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        Regime.load(tmp_path / "missing")
    empty = regime(tmp_path)
    with pytest.raises(ConfigurationError):
        Regime.load(empty)
    (empty / "own.cedar").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"own\.cedar"):
        Regime.load(empty)
    (empty / "own.cedar").write_text(GOOD)
    (empty / "deeper").mkdir()
    (empty / "deeper" / "lost.cedar").write_text(GOOD)
    with pytest.raises(ConfigurationError, match=r"lost\.cedar"):
        Regime.load(empty)
    spaced = tmp_path / "not an id"
    spaced.mkdir()
    (spaced / "own.cedar").write_text(GOOD)
    with pytest.raises(ConfigurationError, match="not an id"):
        Regime.load(spaced)


def test_a_regime_does_not_bring_a_schema_of_its_own(tmp_path: Path) -> None:
    folder = regime(tmp_path, own=GOOD)
    shared = (policies_dir() / "schema.cedarschema").read_text()
    (folder / "schema.cedarschema").write_text(shared)
    Regime.load(folder)
    (folder / "schema.cedarschema").write_text(shared + "// mine\n")
    with pytest.raises(ConfigurationError, match=r"schema\.cedarschema"):
        Regime.load(folder)
