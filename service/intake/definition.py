"""A source, ready to use: in, the settings' sources and our presets; out, frozen `Definition`s, or every mistake.

A preset is a TOML file beside this one; what the user writes in `[sources.NAME]` overrides it key by key. Everything
that can be checked is checked here, so that a delivery can fail only because of what is in it.
"""

import tomllib
from collections.abc import Collection, Mapping
from importlib import resources
from typing import Any

from service.intake.grammar import load_grammar
from service.intake.keys import build_verifiers, secret_names
from service.intake.shapes import About, Definition, Grammar
from service.settings import Problem, SettingsError, Source

PRESETS = resources.files("service.intake") / "presets"
REPLACES = frozenset({"kind", "any_of", "all_of"})  # a table with one of these is a whole of its own


def load_definitions(sources: Mapping[str, Source], known_accounts: Collection[str] = ()) -> dict[str, Definition]:
    """Compile every source. Raises SettingsError with every mistake, each with its path in the settings.

    `known_accounts`, where given, are the accounts a definition's own `accounts` list may name.
    """
    problems: list[Problem] = []
    found = {name: _definition(source, known_accounts, problems) for name, source in sources.items()}
    if problems:
        raise SettingsError(problems)
    return {name: definition for name, definition in found.items() if definition is not None}


def preset_names() -> list[str]:
    """The presets that come with us, in order of name."""
    return sorted(each.name.removesuffix(".toml") for each in PRESETS.iterdir() if each.name.endswith(".toml"))


def preset_text(name: str) -> str:
    """Return a preset as written, comments and all. Raises KeyError where there is none."""
    if name not in preset_names():
        raise KeyError(name)
    return (PRESETS / f"{name}.toml").read_text("utf-8")


def preset_about(name: str) -> About:
    """Return title, certainty and set-up text of a preset. Raises KeyError where there is none."""
    return About(**tomllib.loads(preset_text(name)).get("about", {}))


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the user's tables over the preset's, key by key; lists and values are replaced as a whole."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping) and not REPLACES & value.keys():
            result[key] = overlay(under, value)
        else:
            result[key] = value
    return result


def _definition(source: Source, known_accounts: Collection[str], problems: list[Problem]) -> Definition | None:
    path = f"sources.{source.name}"
    try:
        below = tomllib.loads(preset_text(source.preset)) if source.preset else {}
    except KeyError:
        sentence = f"there is no preset '{source.preset}'; there are {', '.join(preset_names())}"
        problems.append(Problem(f"{path}.preset", sentence))
        return None
    mistakes: list[Problem] = []
    grammar = load_grammar(overlay(below, source.definition), path, mistakes)
    built = _built(source, grammar, known_accounts, mistakes) if grammar else None
    origin = f" (preset '{source.preset}', overlaid by this table)" if source.preset else ""
    problems += [Problem(each.path, each.sentence + origin) for each in mistakes]
    return built


def _built(source: Source, grammar: Grammar, known: Collection[str], mistakes: list[Problem]) -> Definition:
    path = f"sources.{source.name}"
    mistakes += [
        Problem(f"{path}.accounts", f"there is no account '{name}'; write one of {', '.join(known)}")
        for name in grammar.accounts
        if known and name not in known
    ]
    verifiers = build_verifiers(grammar.verify, source.keys, grammar.endpoint.body, f"{path}.verify", mistakes)
    headers, query = secret_names(verifiers)
    accounts = frozenset({source.account, *grammar.accounts})
    return Definition(source.name, source.account, accounts, source.language, verifiers, headers, query, grammar)
