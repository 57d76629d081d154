"""Turns profiles from /_control into people of this X, one by one or 20,000 at once. scripts.py says what they do."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from service.sandbox.call import is_long
from service.sandbox.state import Action, Person, World

_PROFILE = {"user_id", "screen_name", "name", "can_dm", "dm_error", "protected", "suspended", "script", "script_any_of"}
_ACTION = {item.name for item in fields(Action)}
#: Also accepted in a script, for the reader: the customer does nothing.
_NEVER = {"never": True}


def create(world: World, profile: Mapping[str, Any]) -> Person:
    """One customer from a profile on top of the default one; a known id is replaced. ValueError says what is wrong."""
    person = _person(world, {**world.default_profile, **profile}, {})
    _enter(world, person)
    return person


def create_many(world: World, profiles: Iterable[Mapping[str, Any]]) -> int:
    """Many customers; nothing is created when one profile is wrong."""
    cache: dict[int, tuple[Action, ...]] = {}
    people = [_person(world, {**world.default_profile, **one}, cache) for one in profiles]
    for person in people:
        _enter(world, person)
    return len(people)


def create_range(world: World, first_id: int, count: int, profile: Mapping[str, Any]) -> int:
    """`count` customers with consecutive ids and one profile; `{n}` in screen_name is the running number from 0."""
    name = str(profile.get("screen_name", "customer_{n}"))
    ids = ({"user_id": str(first_id + n), "screen_name": name.replace("{n}", str(n))} for n in range(count))
    return create_many(world, ({**profile, **each} for each in ids))


def check_profile(profile: Mapping[str, Any]) -> None:
    """ValueError when a profile would not do."""
    _person(None, {**profile, "user_id": "1"}, {})


def _enter(world: World, person: Person) -> None:
    old = world.people.get(person.user_id)
    if old is not None and world.names.get(old.screen_name.lower()) == old.user_id:  # it may be another's by now
        del world.names[old.screen_name.lower()]
    world.people[person.user_id] = person
    world.names[person.screen_name.lower()] = person.user_id


def _person(world: World | None, raw: Mapping[str, Any], cache: dict[int, tuple[Action, ...]]) -> Person:
    unknown = set(raw) - _PROFILE
    if unknown:
        raise ValueError(f"A customer's profile has unknown keys: {', '.join(sorted(unknown))}.")
    user_id = str(raw.get("user_id", ""))
    if not is_long(user_id):
        raise ValueError(f"A customer needs a numeric user_id, not {user_id!r}.")
    if world is not None and user_id in world.accounts:
        raise ValueError(f"{user_id} is a business account, not a customer.")
    can_dm = raw.get("can_dm", True)
    if can_dm not in (True, False, None, "missing"):
        raise ValueError(f'can_dm must be true, false or "missing", not {can_dm!r}.')
    return Person(
        user_id=user_id,
        screen_name=str(raw.get("screen_name", f"user{user_id}"[:15])),
        name=str(raw.get("name", f"Customer {user_id}")),
        can_dm=None if can_dm == "missing" else can_dm,
        dm_error=_error(raw.get("dm_error")),
        protected=bool(raw.get("protected", False)),
        suspended=bool(raw.get("suspended", False)),
        script=_script(world, raw, user_id, cache),
    )


def _error(raw: object) -> str | None:
    if raw is not None and not (isinstance(raw, str) and [p.isdecimal() for p in raw.split("/")] == [True, True]):
        raise ValueError(f'dm_error must look like "403/150", not {raw!r}.')
    return raw if isinstance(raw, str) else None


def _script(
    world: World | None, raw: Mapping[str, Any], user_id: str, cache: dict[int, tuple[Action, ...]]
) -> tuple[Action, ...]:
    chosen = raw.get("script", [])
    variants = raw.get("script_any_of")
    if variants and "script" not in raw:
        # Seeded by the customer, so the same id behaves the same in every run of the same seed.
        seed = 0 if world is None else world.config.seed
        chosen = random.Random(f"{seed}/{user_id}").choice(variants)  # noqa: S311 - dice, not a secret
    if not isinstance(chosen, list):
        raise TypeError("A script is a list of actions.")
    if id(chosen) not in cache:
        cache[id(chosen)] = tuple(_action(one) for one in chosen if one != _NEVER)
    return cache[id(chosen)]


def _action(raw: Mapping[str, Any]) -> Action:
    if not isinstance(raw, Mapping) or set(raw) - _ACTION:
        raise ValueError(f"An action has after_s and score, text, dismiss, dm, tap or page, not {raw!r}.")
    action = Action(**{"after_s": 0.0, **raw})
    if not (isinstance(action.text, str | None) and isinstance(action.dm, str | None)):
        raise TypeError("text and dm of an action are strings.")
    if not isinstance(action.after_s, int | float) or action.after_s < 0:
        raise ValueError("after_s must be a number of seconds, not negative.")
    if not (isinstance(action.score, int | None) or action.score == "random"):
        raise ValueError('score must be an integer or "random".')
    if not (isinstance(action.tap, int | None) or action.tap == "random"):
        raise ValueError('tap must be the number of an option or "random".')
    return action
