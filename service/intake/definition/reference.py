"""The grammar in words, one line per key, for `dm-feedback sources grammar`."""

import inspect
from collections.abc import Iterator

from service.intake.definition.proofs import KINDS
from service.intake.definition.tables import Grammar, Map
from service.intake.expressions.functions import OurFunctions
from service.settings.declare import declared
from service.settings.reference import SettingDoc, docs


def grammar_reference() -> list[SettingDoc]:
    """Every key a definition may have, and those of each kind of proof."""
    tables = {"": Grammar} | {f"verify[kind={name}].": kind for name, kind in KINDS.items()}
    return [doc for path, shape in tables.items() for doc in docs(shape, path)]


def functions_of() -> Iterator[tuple[str, str]]:
    """Every function an expression may call: ours with what it gives, and the names of JMESPath's own."""
    ours = {name.removeprefix("_func_"): each for name, each in vars(OurFunctions).items() if name.startswith("_func_")}
    for name, each in ours.items():
        given = [str(one).partition(":")[0] for one in list(inspect.signature(each).parameters.values())[1:]]
        yield f"{name}({', '.join(given)})", inspect.cleandoc(each.__doc__ or "").partition("\n")[0]
    yield "JMESPath's own", ", ".join(sorted(OurFunctions.FUNCTION_TABLE.keys() - ours.keys()))


def facts_of(grammar: Grammar) -> Iterator[tuple[str, str, str]]:
    """Each fact a definition reads, from where, and what it means; then how it treats channels and non-persons."""
    for name, what in declared(Map).items():
        expression = grammar.map.of(name)
        if expression is not None:
            yield name, expression.text, what.sentence or ""
        elif grammar.map.is_arrival(name):
            yield name, "(the moment of arrival)", what.sentence or ""
    if grammar.channel.on_x:
        yield "handles count on", ", ".join(sorted(grammar.channel.on_x)), "channels that are X"
    if grammar.people.nobody:
        yield "nobody is", ", ".join(sorted(grammar.people.nobody)), "ids of no agent and no team"
    for name, value in grammar.values.items():
        yield f"v.{name}", repr(value), "a constant you may set: [sources.NAME.values]"
    yield from _asked(grammar)
    if grammar.about.token:
        yield "token to make", grammar.about.token, "the least scope a look-up needs"


def _asked(grammar: Grammar) -> Iterator[tuple[str, str, str]]:
    """What the CRM's own API is asked."""
    for position, step in enumerate(grammar.lookup):
        finds = ", ".join(name for name, _ in step.find.each()) or "only what the next step needs"
        yield f"look-up {position + 1}", f"GET {step.path}", f"{finds} (trust {step.trust})"
    if grammar.sweep is not None:
        how = "POST" if grammar.sweep.body else "GET"
        yield "ended, by list", f"{how} {grammar.sweep.path.partition('?')[0]}", "ends whose webhook never came"
    for each in grammar.staff:
        yield f"names of {each.kind}s", f"GET {each.path.partition('?')[0]}", "their names, read once a day"
