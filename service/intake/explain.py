"""Tells in words what becomes of one delivery, for `dm-feedback sources explain FILE`.

Shows which bytes should be signed, what each expression found, and the outcome. Shows no key and no expected signature;
stores nothing.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from service.intake.definition.tables import Definition, Map
from service.intake.delivery.decode import unpacked
from service.intake.delivery.formats import BodyProblem
from service.intake.delivery.inbound import Inbound
from service.intake.expressions.compiled import Expression, ExpressionError, find
from service.intake.expressions.evaluate import TooCostly
from service.intake.handshake import signed_answer, unsigned_answer
from service.intake.mapping.events import ConversationEnded, Reading
from service.intake.mapping.readings import base_context, parse_items, read, root_of
from service.intake.nearly import what_would_fit
from service.intake.verify import STALE, Refusal, Refused, Verified, Verifier, verify_either
from service.intake.verify.sns import subscription
from service.settings.declare import declared

SHOWN = 160
KEYS_SHOWN = 8
AT_MOST = 2**24  # as `web.max_body_bytes` may be at most


@dataclass(frozen=True, slots=True)
class ItemExplained:
    """One item: what each expression found in it, and what it was understood to be."""

    found: tuple[tuple[str, str], ...]
    reading: Reading


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything `explain` found out."""

    source: str
    verdict: Verified | Refused
    signed: tuple[tuple[str, str], ...]  # verifier kind, the bytes it covers
    items: tuple[ItemExplained, ...]
    would_fit: str = ""  # other settings with which a refused signature would be right
    question: str = ""  # how it would be answered if it is a question of the CRM's, which is not stored


def explain(definition: Definition, inbound: Inbound, now: datetime) -> Explanation:
    """Walk through one delivery without storing anything. Shows the mapping even if the signature is refused.

    Raises TooLarge and UnknownEncoding.
    """
    verdict, inbound = verify_either(definition.verifiers, inbound, now, AT_MOST)
    signed = tuple((each.kind, _covered(each, inbound)) for each in definition.verifiers)
    wrong = isinstance(verdict, Refused) and verdict.code.startswith("signature_")
    would_fit = what_would_fit(definition, inbound, now) if wrong else ""
    if question := _question(definition, inbound, verdict):
        return Explanation(definition.name, verdict, signed, (), question=question)
    return Explanation(definition.name, verdict, signed, _items(definition, unpacked(inbound, AT_MOST), now), would_fit)


def _question(definition: Definition, inbound: Inbound, verdict: Verified | Refused) -> str:
    """Say how a question is answered, by the names alone: an answer may hold what our key has signed."""
    answer = unsigned_answer(definition, inbound)
    if answer is None and (isinstance(verdict, Verified) or verdict.code in {"no_keys", STALE}):
        if definition.grammar.handshake.subscribe and subscription(inbound):
            return "by calling the address in it"  # which is not done here
        answer = signed_answer(definition, inbound)
    if answer is None:
        return ""
    return f"with {', '.join(answer) or 'nothing but 200'}" if isinstance(answer, dict) else "with its value as text"


def explain_stored(definition: Definition, inbound: Inbound, received_at: datetime) -> Explanation:
    """Walk through one that was taken in: its proof was checked then, and is not kept."""
    proof = Verified(None, "its proof when it came")
    return Explanation(definition.name, proof, (), _items(definition, inbound, received_at))


def _items(definition: Definition, inbound: Inbound, now: datetime) -> tuple[ItemExplained, ...]:
    readings = read(definition, inbound, now)
    try:
        root, items = parse_items(definition, inbound)
    except BodyProblem:
        return tuple(ItemExplained(tuple(_unsplit(definition, inbound)), reading) for reading in readings)
    base = base_context(definition, inbound, root)
    return tuple(
        ItemExplained(tuple(_found(definition, {**base, "b": item})), reading)
        for item, reading in zip(items, readings, strict=True)
    )


def _unsplit(definition: Definition, inbound: Inbound) -> Iterator[tuple[str, str]]:
    """What stands where `events.split` should have found a list, if the body can be read at all."""
    split = definition.grammar.events.split
    with suppress(BodyProblem):
        root = root_of(definition, inbound)
        if split is not None:
            yield (
                "events.split",
                f"{_shown(repr(find(split, root)))} (the body {_shown(_what(root))})   <- {split.text}",
            )


def render(explanation: Explanation) -> str:
    """Write the explanation as lines of text."""
    lines = [f"source {explanation.source}"]
    if isinstance(explanation.verdict, Verified):
        key = explanation.verdict.key_index
        lines.append(f"verified by {explanation.verdict.verifier}" + (f", key {key}" if key is not None else ""))
    elif explanation.verdict.code == "no_keys":
        lines.append("proof not checked: there are no keys to check it with")
    else:
        right = ", though a key of the source signed it" if explanation.verdict.code == STALE else ""
        lines.append(f"REFUSED ({explanation.verdict.code}{right}): {explanation.verdict.sentence}")
    lines += [f"  a key of the source would fit with {explanation.would_fit}"] if explanation.would_fit else []
    lines += [f"  {kind} covers {covered}" for kind, covered in explanation.signed]
    if explanation.question:
        lines.append(f"a question of the CRM's: answered {explanation.question}, and not stored")
    for position, item in enumerate(explanation.items):
        lines.append(f"item {position}: {_outcome(item.reading)}")
        lines += [f"  {name:<26}{value}" for name, value in item.found]
        lines += [f"  = {name:<24}{value}" for name, value in _fields(item.reading)]
    return "\n".join(lines)


def _covered(verifier: Verifier, inbound: Inbound) -> str:
    try:
        return _shown(verifier.covered(inbound))
    except Refusal as refusal:
        return f"nothing yet: {refusal.sentence}"


def _found(definition: Definition, context: dict[str, Any]) -> Iterable[tuple[str, str]]:
    grammar = definition.grammar
    named: list[tuple[str, Expression | None]] = [
        ("events.ended", grammar.events.ended),
        ("events.reopened", grammar.events.reopened),
        *((f"map.{name}", grammar.map.of(name)) for name in declared(Map)),
    ]
    for name, expression in named:
        if expression is not None:
            yield name, f"{_result(expression, context)}   <- {expression.text}"


def _result(expression: Expression, context: dict[str, Any]) -> str:
    try:
        found = expression.read(context)
        return _shown(repr(found)) + ("" if found else _instead(expression, context))
    except (ExpressionError, TooCostly) as error:
        return f"fails: {error}"


def _instead(expression: Expression, context: dict[str, Any]) -> str:
    """Say what is where the first path stops, if all of an expression lead nowhere."""
    stops = [_stop(path, context) for path in sorted(expression.paths)]
    return f" ({_shown(stops[0])})" if stops and all(stops) else ""


def _stop(path: tuple[str, ...], context: dict[str, Any]) -> str:
    at: Any = context
    for place, name in enumerate(path):
        if not isinstance(at, dict) or name not in at:
            return f"{'.'.join(path[:place])} {_what(at)}" if at is not None else ""
        at = at[name]
    return ""


def _what(value: Any) -> str:
    if isinstance(value, dict):
        keys = [f"{key} (a list)" if isinstance(each, list) else str(key) for key, each in value.items()]
        return f"has {', '.join([*keys[:KEYS_SHOWN], *['…'][: len(keys) > KEYS_SHOWN]])}" if keys else "is empty"
    return (
        "is a list: events.split takes its items, [0] its first" if isinstance(value, list) else "has nothing below it"
    )


def _outcome(reading: Reading) -> str:
    words = {"ConversationEnded": "conversation ended", "ConversationReopened": "conversation reopened"}
    name = type(reading).__name__
    return words.get(name, f"{name.lower()}, {getattr(reading, 'reason', '')}")


def _fields(reading: Reading) -> Iterable[tuple[str, str]]:
    for each in fields(reading):
        value = getattr(reading, each.name)
        if value not in (None, (), "") or (isinstance(reading, ConversationEnded) and each.name.startswith("x_")):
            yield each.name, _shown(str(value))


def _shown(text: str) -> str:
    """A text of somebody else's, shortened and harmless to a terminal."""
    text = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[: SHOWN + 1]) + text[SHOWN + 1 :]
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"
