"""Asking Cedar a question under a regime.

This takes two steps. First Cedar says for each officer of the clip whether the regime's rules alone let that officer
view it by now; the officers for whom they do are `gate_open`. Then Cedar answers the question itself. Rules for
supervisors and investigators may wait until the gate of each involved officer is open.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from typing import Any

import cedarpy

from daemon.policy.rules.question import ACCOUNTS, OFFICER_PURPOSES, Question
from daemon.policy.rules.regime import Regime

_NO_ROLES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CedarResult:
    """What Cedar says to a question.

    `policies`: the ids of the policies that decided. `gate_policies`: the ids of those that opened the involved
    officers' gates. When any policy failed to evaluate, `allowed` is False and `errors` says what happened.
    """

    allowed: bool
    policies: tuple[str, ...]
    gate_policies: tuple[str, ...]
    errors: tuple[str, ...] = ()


@functools.lru_cache(maxsize=8192)
def ask(regime: Regime, question: Question) -> CedarResult:
    """What the regime says to a question. Never raises; a failure is in the result's `errors`."""
    gates = _gates(regime, _of_anybody(question))
    opened = {officer: result for officer, result in gates.items() if result.allowed}
    entities = _entities(regime, _clip_alone(question), ((question.viewer, question.roles),))
    request = _request(question, question.viewer, question.purpose, gate_open=sorted(opened))
    final = cedarpy.is_authorized(request, regime.policy_set, entities, regime.schema)
    errors = tuple(sorted({error for result in (*gates.values(), final) for error in result.diagnostics.errors}))
    return CedarResult(
        allowed=final.allowed and not errors,
        policies=_policies(final),
        gate_policies=tuple(
            sorted({name for officer in question.involved & opened.keys() for name in _policies(opened[officer])})
        ),
        errors=errors,
    )


@functools.lru_cache(maxsize=8192)
def _gates(regime: Regime, question: Question) -> dict[str, cedarpy.AuthzResult]:
    """For each officer of the clip, what Cedar says to their viewing it for the purposes that officers have.

    `question` is without a viewer, so that all questions about one clip share what is remembered here. For each
    officer one result is kept: the first that allows it or has errors, otherwise any. Those who are only claimed to be
    involved have a gate like the others.
    """
    question = replace(question, claimed=frozenset())
    officers = sorted(question.officers)
    pairs = [(officer, purpose) for officer in officers for purpose in OFFICER_PURPOSES]
    results = cedarpy.is_authorized_batch(
        [_request(question, officer, purpose, gate_open=[]) for officer, purpose in pairs],
        regime.policy_set,
        _entities(regime, _clip_alone(question), tuple((officer, frozenset({"officer"})) for officer in officers)),
        regime.schema,
    )
    kept: dict[str, cedarpy.AuthzResult] = {}
    for (officer, _), result in zip(pairs, results, strict=True):
        if officer not in kept or (not kept[officer].diagnostics.errors and not kept[officer].allowed):
            kept[officer] = result
    return kept


def _of_anybody(question: Question) -> Question:
    """The question without who asks, what for, and what was decided about them."""
    return replace(question, viewer="", roles=_NO_ROLES, purpose="", authorized=False, court_ordered=False)


def _clip_alone(question: Question) -> Question:
    """The question reduced to its clip, whose entity does not depend on who asks or on what officers stated since."""
    return replace(_of_anybody(question), accounts=frozenset())


@functools.lru_cache(maxsize=2048)
def _entities(regime: Regime, clip: Question, people: tuple[tuple[str, frozenset[str]], ...]) -> cedarpy.Entities:
    """The people and the clip as Cedar's entities. Parsing and checking them is most of the cost of a question."""
    entities = [_person(part, sorted(roles)) for part, roles in people] + [_clip(clip)]
    return cedarpy.Entities.from_json_str(json.dumps(entities), regime.schema)


def _policies(result: cedarpy.AuthzResult) -> tuple[str, ...]:
    return tuple(sorted(result.diagnostics.id_annotations_by_reason.values()))


def _request(question: Question, principal: str, purpose: str, *, gate_open: list[str]) -> dict[str, Any]:
    context: dict[str, Any] = {
        account.name: [
            _entity("Person", officer) for officer, name in sorted(question.accounts) if name == account.name
        ]
        for account in ACCOUNTS
    }
    context["gate_open"] = [_entity("Person", officer) for officer in gate_open]
    context["authorized"] = question.authorized
    context["court_ordered"] = question.court_ordered
    return {
        "principal": {"type": "Person", "id": principal},
        "action": {"type": "Action", "id": purpose},
        "resource": {"type": "Clip", "id": "clip"},
        "context": context,
    }


def _person(part: str, roles: list[str]) -> dict[str, Any]:
    return {
        "uid": {"type": "Person", "id": part},
        "attrs": {"roles": [_entity("Role", role) for role in roles]},
        "parents": [],
    }


def _clip(question: Question) -> dict[str, Any]:
    def people(parts: frozenset[str]) -> list[dict[str, Any]]:
        return [_entity("Person", part) for part in sorted(parts)]

    return {
        "uid": {"type": "Clip", "id": "clip"},
        "attrs": {
            "wearer": _entity("Person", question.wearer),
            "involved": people(question.involved),
            "witnesses": people(question.witnesses),
            "officers": people(question.officers),
            "force": _entity("Force", question.force),
            "in_custody_death": question.in_custody_death,
            "held": question.held,
        },
        "parents": [],
    }


def _entity(kind: str, name: str) -> dict[str, Any]:
    return {"__entity": {"type": kind, "id": name}}
