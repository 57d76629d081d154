"""Advice on sources that work but deserve a thought.

Weak keys, keys of two sources, keys that may not arrive as written, constants nothing uses, sources of whose customers
nobody is known, events that match whatever comes, rules and paths about what no event tells, and campaign filters that
can never match: a source that sets no tags is never held back by a tag. Shows no key.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from service.crm_api.path import GAP
from service.intake.definition.dead_expressions import only_null
from service.intake.definition.proofs import each_of
from service.intake.definition.steps import OF_AN_EVENT
from service.intake.definition.tables import Definition, Grammar
from service.intake.expressions.compiled import NOTHING, Expression, find
from service.intake.values.identity import WHO
from service.intake.values.languages import language_tag
from service.intake.verify.verifier import Key
from service.language_tags import nearest_first
from service.network.addresses import is_open_to_the_road
from service.settings import Campaign, Mistake, Settings
from service.settings.secret_advice import odd
from service.settings.sources import Api
from service.text import folded

FILTERS = {"teams": "team_id", "tags": "tags", "without_tags": "tags", "channels": "channel", "languages": "language"}
"""The filters of a campaign, and the field each looks at."""


def advice(definitions: Mapping[str, Definition], settings: Settings) -> Iterator[Mistake]:
    """Yield a warning for each weak key, each filter that never matches, each source that never says who it was."""
    for name, definition in definitions.items():
        found = _of_source(definition, settings.sources[name].api)
        yield from (Mistake(f"sources.{name}.{where}", sentence) for where, sentence in found)
    yield from _shared_keys(definitions, settings)
    for campaign in settings.campaigns:
        yield from _unknown_languages(campaign)
        for name in campaign.sources or definitions:
            if name in definitions:
                yield from never_fits(definitions[name], campaign)


def _of_source(definition: Definition, api: Api | None) -> Iterator[tuple[str, str]]:
    for verifier in each_of(definition.verifiers):
        yield from (("keys", sentence) for sentence in verifier.advice())
        yield from ((f"verify.{where}", sentence) for where, sentence in odd(verifier))
    yield from only_null(definition)
    for value in unused_values(definition.grammar):
        yield f"values.{value}", "is used by no expression and no path; is it misspelt?"
    yield from untold(definition.grammar)
    yield from _nobody_known(definition, can_ask=api is not None)
    yield from _never_called(api)


def _shared_keys(definitions: Mapping[str, Definition], settings: Settings) -> Iterator[Mistake]:
    """Warn of one key for two sources, also where it is written in two ways."""
    first: dict[bytes, str] = {}
    found: dict[str, str] = {}
    for name, definition in definitions.items():
        for where, secret in _keys(definition, settings.sources[name].keys):
            if first.setdefault(secret, name) != name:
                found[f"sources.{name}.{where}"] = first[secret]
    for path, other in found.items():
        yield Mistake(
            path, f"is also a key of '{other}', so a delivery to one could be replayed to the other; use one each"
        )


def _keys(definition: Definition, written: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The keys of a source, as they are written and as the bytes they stand for."""
    yield from ((f"keys[{i}]", each.encode()) for i, each in enumerate(written))
    for verifier in each_of(definition.verifiers):
        where = "keys" if verifier.keys is None else "verify.keys"
        secrets: Sequence[Key] = getattr(verifier, "secrets", ())
        yield from ((f"{where}[{each.index}]", each.secret) for each in secrets)


def untold(grammar: Grammar) -> Iterator[tuple[str, str]]:
    """Yield where a definition relies on what its events never tell: every end would go the same wrong way."""
    context = {**NOTHING, "v": grammar.values}
    for name in ("ended", "reopened"):
        expression: Expression | None = getattr(grammar.events, name)
        if find(expression, context) is True:
            yield (
                f"events.{name}",
                "is true of an item that holds nothing, so of every other event too; ask for its word",
            )
    over_the_body = grammar.events.split.roots if grammar.events.split else set()
    for root in sorted(over_the_body & {"b", "root"}):
        yield "events.split", f"reads the body, so {root} is a key of it; write data.events for {root}.data.events"
    for position, step in enumerate(grammar.lookup):
        gaps = {each for each in GAP.findall(step.path) if each in OF_AN_EVENT}
        for name in sorted(each for each in gaps if grammar.map.of(each) is None):
            yield f"map.{name}", f"is missing, and lookup[{position}] asks by it: nobody would be looked up"
    rule = grammar.channel
    elsewhere = any(step.find.channel for step in grammar.lookup)
    if grammar.map.channel is None and (rule.allow or rule.missing == "reject" or (rule.on_x and not elsewhere)):
        yield "map.channel", "is missing, and the rules under channel look at it: all ends are alike to them"


def _nobody_known(definition: Definition, *, can_ask: bool) -> Iterator[tuple[str, str]]:
    """Warn where neither the event nor the CRM says who a customer is on X: every end would be skipped."""
    grammar = definition.grammar
    if not any(grammar.map.of(each) for each in WHO) and not (grammar.lookup and can_ask):
        write = f"map it, or write sources.{definition.name}.{'api' if grammar.lookup else 'lookup'}"
        yield "map.x_user_id", f"is missing, and nothing else says who a customer is on X (no_x_identity); {write}"


def _never_called(api: Api | None) -> Iterator[tuple[str, str]]:
    """Warn of addresses to which no call is made: credentials travel by TLS, or do not leave this machine."""
    for key in ("base_url", "token_url"):
        if is_open_to_the_road(getattr(api, key, None) or ""):
            sentence = (
                "is http:// to another machine, where no call is made (credentials could be read): write https://"
            )
            yield f"api.{key}", sentence


def unused_values(grammar: Grammar) -> Iterator[str]:
    """Yield each constant that is used nowhere; any name is allowed, so it is no mistake."""
    paths = (path for each in _expressions(grammar) for path in each.paths)
    used = {path[1] for path in paths if path[0] == "v"} | {
        name for each in _templates(grammar) for name in GAP.findall(each)
    }
    yield from (name for name in grammar.values if name not in used)


def _expressions(value: Any) -> Iterator[Expression]:
    """Every expression of a definition, however deeply nested."""
    if isinstance(value, Expression):
        yield value
        return
    inside: Iterable[Any] = ()
    if is_dataclass(value):
        inside = [getattr(value, each.name) for each in fields(value)]
    elif isinstance(value, Mapping):
        inside = value.values()
    elif isinstance(value, tuple | list):
        inside = value
    for each in inside:
        yield from _expressions(each)


def _templates(grammar: Grammar) -> Iterator[str]:
    yield from (each.path for each in grammar.lookup)
    for each in grammar.staff:
        yield from (each.path, each.further)
    if grammar.sweep is not None:
        yield from (grammar.sweep.path, grammar.sweep.further)


def never_fits(definition: Definition, campaign: Campaign) -> Iterator[Mistake]:
    """Yield a warning for each filter on a field this source never fills."""
    for key, field in FILTERS.items():
        if getattr(campaign, key) and not _fills(definition, field):
            lost = (
                "holds none of its conversations back" if key == "without_tags" else "takes none of its conversations"
            )
            sentence = f"source {definition.name} never fills {field}, so this filter {lost}"
            yield Mistake(
                f"campaigns.{campaign.name}.{key}", f"{sentence}; set [sources.{definition.name}.map] {field}"
            )
    allowed = definition.grammar.channel.allow
    if campaign.channels and allowed and allowed.isdisjoint(map(folded, campaign.channels)):
        sentence = f"source {definition.name} lets none of these channels through; see its channel.allow"
        yield Mistake(f"campaigns.{campaign.name}.channels", sentence)


def _fills(definition: Definition, field: str) -> bool:
    return definition.grammar.map.of(field) is not None or (field == "language" and definition.language is not None)


def _unknown_languages(campaign: Campaign) -> Iterator[Mistake]:
    for each in campaign.languages:
        tag = language_tag(each)
        if tag is None or tag.casefold() not in nearest_first(each)[:1]:
            hint = f"write '{tag}'" if tag else "write one such as 'de' or 'pt-BR'"
            yield Mistake(f"campaigns.{campaign.name}.languages", f"'{each}' is no language tag; {hint}")
