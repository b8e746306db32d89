"""Putting a question to Cedar.

It takes two steps. First: which officers of this clip does the regime let view it by now, by rule alone (`gate_open`)?
Then the question itself, in which supervisors and investigators wait for those gates.
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
    """Cedar's answer. `decided`: the policies that decided; `gates`: those that opened the involved officers' gates.

    A policy that failed to evaluate never lets anybody in: then `allowed` is False and `errors` says what happened.
    """

    allowed: bool
    decided: tuple[str, ...]
    gates: tuple[str, ...]
    errors: tuple[str, ...] = ()


@functools.lru_cache(maxsize=8192)
def ask(regime: Regime, question: Question) -> CedarResult:
    """What the regime says, now. Never raises."""
    gates = _gates(regime, replace(question, viewer="", roles=_NO_ROLES, purpose="", authorized=False))
    opened = {officer: answer for officer, answer in gates.items() if answer.allowed}
    entities = _entities(regime, _scene(question), ((question.viewer, question.roles),))
    request = _request(question, question.viewer, question.purpose, gate_open=sorted(opened))
    final = cedarpy.is_authorized(request, regime.policy_set, entities, regime.schema)
    errors = tuple(sorted({error for answer in (*gates.values(), final) for error in answer.diagnostics.errors}))
    return CedarResult(
        allowed=final.allowed and not errors,
        decided=_policies(final),
        gates=tuple(sorted({p for officer in question.involved & opened.keys() for p in _policies(opened[officer])})),
        errors=errors,
    )


@functools.lru_cache(maxsize=8192)
def _gates(regime: Regime, asked: Question) -> dict[str, cedarpy.AuthzResult]:
    """For each officer of the clip, whether they may view it for any of the purposes officers ask for.

    `asked` is a question with nobody asking, so that everybody's question about one clip shares it. The answer kept of
    an officer is the first that lets them in, or one with errors, or else any.
    """
    officers = sorted(asked.officers)
    doors = [(officer, purpose) for officer in officers for purpose in OFFICER_PURPOSES]
    answers = cedarpy.is_authorized_batch(
        [_request(asked, officer, purpose, gate_open=[]) for officer, purpose in doors],
        regime.policy_set,
        _entities(regime, _scene(asked), tuple((officer, frozenset({"officer"})) for officer in officers)),
        regime.schema,
    )
    kept: dict[str, cedarpy.AuthzResult] = {}
    for (officer, _), answer in zip(doors, answers, strict=True):
        if officer not in kept or (not kept[officer].diagnostics.errors and not kept[officer].allowed):
            kept[officer] = answer
    return kept


def _scene(question: Question) -> Question:
    """The question reduced to its clip: what was said since does not change that."""
    return replace(question, viewer="", roles=_NO_ROLES, purpose="", authorized=False, said=frozenset())


@functools.lru_cache(maxsize=2048)
def _entities(regime: Regime, scene: Question, people: tuple[tuple[str, frozenset[str]], ...]) -> cedarpy.Entities:
    """The people and the clip, parsed and checked against the schema: most of the cost of asking."""
    entities = [_person(part, sorted(roles)) for part, roles in people] + [_clip(scene)]
    return cedarpy.Entities.from_json_str(json.dumps(entities), regime.schema)


def _policies(answer: cedarpy.AuthzResult) -> tuple[str, ...]:
    return tuple(sorted(answer.diagnostics.id_annotations_by_reason.values()))


def _request(question: Question, principal: str, purpose: str, *, gate_open: list[str]) -> dict[str, Any]:
    context: dict[str, Any] = {
        account.name: [_entity("Person", officer) for officer, name in sorted(question.said) if name == account.name]
        for account in ACCOUNTS
    }
    context["gate_open"] = [_entity("Person", officer) for officer in gate_open]
    context["authorized"] = question.authorized
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
