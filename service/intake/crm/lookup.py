"""Looks a customer up in the CRM, step by step, until somebody is found. Returns a `LookUpResult`.

"No such customer" is an answer; a refused key, a rate limit or silence is a problem and says nothing about the
customer. Neither keeps nor logs what the CRM answers.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from service.crm_api.client import Client
from service.crm_api.get import OK, CrmResponse, NoAnswer
from service.crm_api.look_up_result import CrmCall, LookUpResult
from service.crm_api.path import Unaskable, filled
from service.crm_api.wait import wait
from service.intake.definition.steps import Step
from service.intake.definition.tables import Definition
from service.intake.expressions.compiled import find
from service.intake.values import fields, identity
from service.text import folded

NOBODY = frozenset({204, 404, 410})
REFUSED = frozenset({401, 403})
LIMITED = frozenset({429, 503})
MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class _Walk:
    """A look-up in progress."""

    known: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)
    asked: list[CrmCall] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    trust: str = "crm_entered"

    @property
    def somebody(self) -> bool:
        """Whether the customer is found."""
        return any(self.facts.get(name) for name in identity.WHO)

    @property
    def context(self) -> dict[str, Any]:
        """What expressions see as `k`."""
        return {**self.known, **self.facts}


def look_up(
    definition: Definition, api: Client, known: Mapping[str, str | None], now: datetime, *, show: bool = False
) -> LookUpResult:
    """Ask the CRM, step by step. `known` is what the event said; `show` keeps the bodies, for people who ask."""
    walk = _Walk({name: value for name, value in known.items() if value})
    for step in definition.grammar.lookup:
        if walk.somebody or not _wanted(step, walk):
            continue
        problem, again_in = _take(step, definition, api, walk, now, show=show)
        if problem:
            return _looked(definition, walk, problem, again_in)
    return _looked(definition, walk, None, None)


def _wanted(step: Step, walk: _Walk) -> bool:
    return step.when is None or find(step.when, {"a": None, "k": walk.context}, walk.notes, "when") is True


def _take(
    step: Step, definition: Definition, api: Client, walk: _Walk, now: datetime, *, show: bool
) -> tuple[str | None, timedelta | None]:
    """Take one step. Returns a problem that ends the look-up, and when to try again."""
    began = time.monotonic()
    try:
        path = filled(step.path, walk.known)
    except Unaskable as error:
        walk.asked.append(CrmCall(step.path, step.path, None, timedelta(), note=str(error)))
        return None, None
    try:
        got = api.get(path, step.headers)
    except NoAnswer as error:
        walk.asked.append(CrmCall(path, step.path, None, _since(began), note=str(error)))
        return ("refused" if error.reason in {"refused", "forbidden"} else "away"), None
    found = _read_answer(step, got.value, walk) if got.status == OK else ()
    body = got.value if show else None
    walk.asked.append(CrmCall(path, step.path, got.status, _since(began), found, _sent_on(got), body))
    problem = problem_of(definition, got)
    return problem, None if problem in {None, "refused"} else wait(got.headers, now)


def problem_of(definition: Definition, got: CrmResponse) -> str | None:
    """Name the problem if an answer says nothing about the customer: refused, limited or away; else None."""
    if got.status in {OK, *NOBODY}:
        return None
    used_up = find(definition.grammar.limits.used_up, {"a": got.value, "k": {}})
    if got.status in LIMITED or used_up is True:
        return "limited"
    return "refused" if got.status in REFUSED else "away"


def _sent_on(got: CrmResponse) -> str | None:
    """Where the CRM sends us on to, by its host alone. Nobody is followed: the credentials would go along."""
    if got.status not in MOVED:
        return None
    place = urlsplit(got.headers.get("location", ""))
    if not place.hostname:
        return "it sends us on within its own address; is that the path?"
    return f"it sends us on to {place.scheme}://{place.hostname}; is that its address (api.base_url)?"


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - began)


def _read_answer(step: Step, answer: Any, walk: _Walk) -> tuple[str, ...]:
    context = {"a": answer, "k": walk.context}
    found = []
    for name, expression in step.find.each():
        if name in walk.facts:
            continue
        value = _fact(name, find(expression, context, walk.notes, name), walk.notes)
        if value:
            walk.facts[name] = value
            found.append(name)
            walk.trust = step.trust if name.startswith("x_") else walk.trust
    for name, expression in step.keep.items():
        value = _converted(name, find(expression, context, walk.notes, name), fields.text, walk.notes)
        if value:
            walk.known[name] = value
    return tuple(found)


def _fact(name: str, value: Any, notes: list[str]) -> Any:
    if name in identity.WHO:
        return identity.read(name, value, notes)
    more: dict[str, Callable[[Any], Any]] = {"language": fields.language, "tags": partial(fields.tags, notes=notes)}
    return _converted(name, value, more.get(name, fields.text), notes)


def _converted(name: str, value: Any, convert: Callable[[Any], Any], notes: list[str]) -> Any:
    try:
        return convert(value)
    except fields.NotText as error:
        notes.append(f"{name} {error}")
        return None


def _looked(definition: Definition, walk: _Walk, problem: str | None, again_in: timedelta | None) -> LookUpResult:
    facts, on_x = walk.facts, definition.grammar.channel.on_x
    channel = facts.get("channel") or walk.known.get("channel")
    was_on_x = folded(channel) in on_x if on_x and channel else None
    handle = facts.get("x_handle") or facts.get("x_profile_url")
    if handle and was_on_x is False:
        walk.notes.append("x_handle does not count: the CRM says that the conversation was elsewhere")
        handle = None
    nobody = definition.grammar.people.nobody
    people = {name: facts.get(name) for name in ("agent_id", "team_id")}
    return LookUpResult(
        x_user_id=facts.get("x_user_id"),
        x_handle=handle,
        trust=walk.trust,
        channel=channel,
        on_x=was_on_x,
        language=facts.get("language"),
        tags=facts.get("tags", ()),
        asked=tuple(walk.asked),
        problem=problem,
        again_in=again_in,
        notes=tuple(walk.notes),
        **{name: None if value is None or folded(value) in nobody else value for name, value in people.items()},
    )
