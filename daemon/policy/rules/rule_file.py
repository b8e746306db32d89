"""Reading one Cedar file, and refusing what must not be in a regime.

Cedar skips a `forbid` whose condition fails to evaluate, and the clip would be released. So a policy may contain only
what cannot fail. Cedar's own validation against the schema covers types and missing attributes. We also refuse:
arithmetic, because it can overflow; extension functions, because they parse at run time; tags; templates; and reading
an attribute of anything but the principal, the resource and the context, because Cedar may not know that entity.

A policy names no person and no clip, only roles and parts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cedarpy

from daemon.model.errors import ConfigurationError

_ID = re.compile(r"[A-Za-z0-9._-]{1,200}\Z")
_NAMED_TYPES = {"Action", "Role", "Force"}
_CANNOT_FAIL = {
    "Value", "Var", "Set", ".", "has", "like", "is", "in", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "!",
    "if-then-else", "contains", "containsAll", "containsAny", "isEmpty",
}  # fmt: skip
_MAX_HOURS = 24 * 365


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy. `reason` and `source` say why it exists and where it comes from; `path` is its place in the regime.

    `due_hours`: how many hours after the incident the statement is due that this policy waits for. A deadline unlocks
    nothing. `mentions`: the context attributes that the policy reads.
    """

    policy_id: str
    effect: str
    reason: str
    source: str
    due_hours: float | None
    mentions: frozenset[str]
    path: str


def read_rule(text: str, schema: cedarpy.Schema, *, path: str, where: str) -> Rule:
    """Reads the one policy in `text`. `path` is its place in the regime; `where` names the file in errors.

    Raises ConfigurationError when there is not exactly one policy, when it has no `@id`, `@reason` or `@source`, when
    it is not valid under the schema, or when it can fail while a decision is made.
    """
    policy = _only_policy(text, where)
    found = cedarpy.validate_policies(text, schema)
    if not found.validation_passed:
        problems = "; ".join(_plain(error.error) for error in found.errors)
        raise ConfigurationError(f"{where}: {problems}")
    for part in ("principal", "action", "resource", "conditions"):
        _names_nobody(policy[part], where)
    for condition in policy["conditions"]:
        _cannot_fail(condition["body"], where)
    notes = policy.get("annotations", {})
    return Rule(
        policy_id=_identifier(notes, where),
        effect=policy["effect"],
        reason=_sentence(notes, "reason", where),
        source=_sentence(notes, "source", where),
        due_hours=_hours(notes, where),
        mentions=frozenset(_mentions(policy["conditions"])),
        path=path,
    )


def _only_policy(text: str, where: str) -> dict[str, Any]:
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        raise ConfigurationError(f"{where}: {_plain(str(error))}") from None
    if parsed["templates"]:
        raise ConfigurationError(f"{where}: a template (?principal, ?resource) has no place in a regime")
    policies = list(parsed["staticPolicies"].values())
    if len(policies) != 1:
        raise ConfigurationError(f"{where}: holds {len(policies)} policies", hint="write one policy per file")
    policy: dict[str, Any] = policies[0]
    return policy


def _identifier(notes: dict[str, str | None], where: str) -> str:
    text = notes.get("id") or ""
    if not _ID.match(text):
        raise ConfigurationError(f'{where}: needs @id("...") of letters, digits, dots, underscores and hyphens')
    return text


def _sentence(notes: dict[str, str | None], name: str, where: str) -> str:
    text = (notes.get(name) or "").strip()
    if not 1 <= len(text) <= 1000:
        raise ConfigurationError(f'{where}: needs @{name}("...") of 1 to 1000 characters')
    return text


def _hours(notes: dict[str, str | None], where: str) -> float | None:
    if "due_hours" not in notes:
        return None
    try:
        hours = float(notes["due_hours"] or "")
    except ValueError:
        hours = math.nan
    if not 0 < hours <= _MAX_HOURS:
        raise ConfigurationError(f'{where}: @due_hours("...") must be a number of hours, at most {_MAX_HOURS}')
    return hours


def _cannot_fail(expression: dict[str, Any], where: str) -> None:
    for operator, operands in expression.items():
        if operator not in _CANNOT_FAIL:
            raise ConfigurationError(
                f"{where}: uses {operator!r}, which can fail while a decision is made",
                hint="a policy that fails is skipped, and a skipped forbid lets everybody in",
            )
        if operator == "." and set(operands["left"]) != {"Var"}:
            raise ConfigurationError(
                f"{where}: reads .{operands['attr']} of something other than principal, resource or context,"
                " which can fail while a decision is made"
            )
        if operator in {"Value", "Var"}:
            continue
        for operand in operands.values() if isinstance(operands, dict) else operands:
            if isinstance(operand, dict):
                _cannot_fail(operand, where)


def _names_nobody(node: object, where: str) -> None:
    for item in _dicts(node):
        if {"type", "id"} <= item.keys() and item["type"] not in _NAMED_TYPES:
            raise ConfigurationError(
                f'{where}: names {item["type"]}::"{item["id"]}"; a rule is about roles and parts, never about somebody',
                hint="the chief's authorization is how one person may view one clip",
            )


def _mentions(node: object) -> Iterator[str]:
    for item in _dicts(node):
        for operator in (".", "has"):
            access = item.get(operator)
            if isinstance(access, dict) and access.get("left") == {"Var": "context"}:
                yield access["attr"]


def _dicts(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _dicts(item)


def _plain(message: str) -> str:
    """Cedar's message in the form of our own: lowercase, on one line, without Cedar's numbering of policies."""
    text = " ".join(re.sub(r"for policy `policy\d+`[:,]? ?", "", message).split()).rstrip(".")
    return text[:1].lower() + text[1:]
