"""Compiles the settings' sources and our presets into frozen `Definition`s, or names every mistake.

A preset is a folder in presets/; what `[sources.NAME]` says overrides it key by key. Everything that can be checked is
checked here, so a delivery can only fail because of its own content.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from service.intake.definition.grammar import load_grammar
from service.intake.definition.kinds import Table
from service.intake.definition.proofs import GROUPS, build_verifiers
from service.intake.definition.tables import About, Definition, Grammar
from service.intake.presets import preset_expected, preset_names, preset_tables
from service.intake.verify import Verifier
from service.settings import Mistake, Settings, SettingsError, Source
from service.settings.declare import reader_of
from service.settings.sources import Api

REPLACES = frozenset({"kind", *GROUPS})  # a table with one of these is a whole of its own


def load_definitions(sources: Mapping[str, Source], known_accounts: Collection[str] = ()) -> dict[str, Definition]:
    """Compile every source. Raises SettingsError with every mistake, each with its path in the settings.

    `known_accounts`, if given, are the accounts a definition's own `accounts` list may name.
    """
    problems: list[Mistake] = []
    found = {name: _definition(source, known_accounts, problems) for name, source in sources.items()}
    if problems:
        raise SettingsError(problems)
    return {name: definition for name, definition in found.items() if definition is not None}


def load_with_api(settings: Settings) -> Iterator[tuple[Definition, Api]]:
    """Yield each source whose API can be asked, and how. Raises SettingsError."""
    apis = {name: source.api for name, source in settings.sources.items() if source.api is not None}
    definitions = load_definitions({name: settings.sources[name] for name in apis}, settings.accounts)
    return ((definition, apis[name]) for name, definition in definitions.items())


def preset_about(name: str) -> About:
    """Return title, certainty and set-up text of a preset. Raises KeyError if there is none."""
    found: About = reader_of(About, Table).load(preset_tables(name).get("about", {}))
    return found


def preset_definition(name: str, *, as_tried: bool = False) -> Definition:
    """Return a preset without any keys, to look at. Raises KeyError if there is none.

    `as_tried`: with the settings its own payloads were written for.
    """
    tables = overlay(preset_tables(name), preset_expected(name)["settings"] if as_tried else {})
    mistakes: list[Mistake] = []
    grammar = load_grammar(tables, f"presets.{name}", mistakes)
    if grammar is None:
        raise SettingsError(mistakes)
    return _with_proof(Source(name, "(yours)", name, (), None, None, {}, None, "none"), grammar, (), ())


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the user's tables over the preset's, key by key; lists and values are replaced as a whole."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping) and not REPLACES & value.keys():
            result[key] = overlay(under, value)
        else:
            result[key] = value
    return result


def _definition(source: Source, known_accounts: Collection[str], problems: list[Mistake]) -> Definition | None:
    path = f"sources.{source.name}"
    try:
        below = preset_tables(source.preset) if source.preset else {}
    except KeyError:
        sentence = f"there is no preset '{source.preset}'; there are {', '.join(preset_names())}"
        problems.append(Mistake(f"{path}.preset", sentence))
        return None
    mistakes: list[Mistake] = []
    grammar = load_grammar(overlay(below, source.definition), path, mistakes)
    built = _built(source, grammar, known_accounts, mistakes) if grammar else None
    origin = f" (preset '{source.preset}', overlaid by this table)" if source.preset else ""
    problems += [Mistake(each.path, each.sentence + origin) for each in mistakes]
    return built


def _built(source: Source, grammar: Grammar, known: Collection[str], mistakes: list[Mistake]) -> Definition:
    path = f"sources.{source.name}"
    mistakes += [
        Mistake(f"{path}.accounts", f"there is no account '{name}'; write one of {', '.join(known)}")
        for name in grammar.accounts
        if known and name not in known
    ]
    test_keys = grammar.handshake.test_keys
    mistakes += [
        Mistake(f"{path}.keys[{i}]", "is the key the vendor signs test requests with; everybody knows it")
        for i, key in enumerate(source.keys)
        if key in test_keys
    ]
    return _with_proof(
        source,
        grammar,
        build_verifiers(grammar.verify, source.keys, mistakes),
        build_verifiers(grammar.verify, test_keys, []) if test_keys else (),
    )


def _with_proof(
    source: Source, grammar: Grammar, verifiers: tuple[Verifier, ...], testers: tuple[Verifier, ...]
) -> Definition:
    return Definition(
        source.name,
        source.account,
        frozenset({source.account, *grammar.accounts}),
        source.language,
        verifiers,
        tuple(key.encode() for key in source.keys),
        testers,
        frozenset().union(*(each.secret_headers for each in verifiers)),
        frozenset().union(*(each.secret_query for each in verifiers)),
        grammar,
    )
