"""Reads a definition's TOML table, or names every mistake with its path.

Follows what tables.py declares. A misspelt key is a mistake, because it would silently have no effect for ever.
`verify` has a grammar of its own, in proofs.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError

from service.intake.definition.crm_lists import staff_mistakes, sweep_mistakes
from service.intake.definition.kinds import Table
from service.intake.definition.proofs import load_verify
from service.intake.definition.steps import step_mistakes
from service.intake.definition.tables import Grammar, Handshake
from service.settings.declare import reader_of, wrong
from service.settings.sections import Mistake

UNPROVEN_ROOTS = {"h", "q"}


def load_grammar(tree: Mapping[str, Any], path: str, problems: list[Mistake]) -> Grammar | None:
    """Load one definition. If it has mistakes, appends to `problems` and returns None."""
    before = len(problems)
    try:
        grammar: Grammar | None = reader_of(Grammar, Table).load(tree)
    except ValidationError as error:
        problems += [Mistake(*each) for each in wrong(error.messages, path, "is missing")]
        grammar = None
    verify = load_verify(tree["verify"], f"{path}.verify", problems) if "verify" in tree else None
    if grammar is not None:
        problems += [Mistake(f"{path}.{where}", says) for where, says in _mistakes(grammar)]
    return replace(grammar, verify=verify) if grammar and len(problems) == before else None


def _mistakes(grammar: Grammar) -> Iterator[tuple[str, str]]:
    """What is contradictory within a table, and where."""
    constants = frozenset(name for name, value in grammar.values.items() if isinstance(value, str))  # of paths
    yield from ((f"handshake.{where}", says) for where, says in _handshake_mistakes(grammar.handshake))
    yield from ((f"channel.{key}", says) for key, says in grammar.channel.mistakes())
    yield from ((f"lookup{where}", says) for where, says in step_mistakes(grammar.lookup))
    if grammar.sweep is not None:
        found = sweep_mistakes(grammar.sweep, constants, grammar.endpoint.body)
        yield from ((f"sweep{where}", says) for where, says in found)
    yield from ((f"staff{where}", says) for where, says in staff_mistakes(grammar.staff, constants))


def _handshake_mistakes(handshake: Handshake) -> Iterator[tuple[str, str]]:
    """An unverified body is not even parsed, so nothing may look at it; and who asks unproven gets nothing signed."""
    for position, answer in enumerate(handshake.answers):
        roots = {root for each in (answer.when, answer.value, answer.token) if each for root in each.roots}
        if not answer.signed and roots - UNPROVEN_ROOTS:
            yield f"answers[{position}]", "is not signed, so it may look at h and q only, never at the body"
        if answer.proof and not (answer.signed and answer.key):
            sentence = "needs a key beside it, and a signed question: anybody else could have a text of theirs signed"
            yield f"answers[{position}].proof", sentence
    if "*" in handshake.cloudevents_origins:
        yield "cloudevents_origins", "name the origins; '*' would be anybody"
