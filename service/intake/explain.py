"""The walk of one delivery, told in words: in, a definition and an `Inbound`; out, an `Explanation` for people.

For `dm-feedback sources explain FILE`: shows which bytes were to be signed, what each expression found and what came
of it. Shows no key and no expected signature; stores nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from service.intake.body import BodyProblem
from service.intake.events import ConversationEnded, Reading
from service.intake.expressions import Expression, ExpressionError
from service.intake.inbound import Inbound, make_inbound
from service.intake.mapping import base_context, parse_items, read
from service.intake.shapes import Definition
from service.intake.verify import AllOf, Verifier, verify
from service.intake.verify_keyed import Hmac
from service.intake.verify_parts import Refusal, Refused, Verified, signed_bytes
from service.intake.verify_public import PublicKeys

SHOWN = 160


@dataclass(frozen=True, slots=True)
class ItemExplained:
    """One item: what each expression found in it, and what was read out of it."""

    found: tuple[tuple[str, str], ...]
    reading: Reading


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything `explain` found out."""

    source: str
    verdict: Verified | Refused
    signed: tuple[tuple[str, str], ...]  # verifier kind, the bytes it covers
    items: tuple[ItemExplained, ...]


def explain(definition: Definition, inbound: Inbound, now: datetime) -> Explanation:
    """Walk one delivery without storing anything. The mapping is shown even where the signature is refused."""
    signed = tuple((each.kind, _covered(each, inbound)) for each in _flat(definition.verifiers))
    readings = read(definition, inbound, now)
    try:
        root, items = parse_items(definition, inbound)
    except (BodyProblem, ExpressionError):
        root, items = None, [None] * len(readings)
    base = base_context(definition, inbound, root)
    explained = tuple(
        ItemExplained(tuple(_found(definition, {**base, "b": item})), reading)
        for item, reading in zip(items, readings, strict=True)
    )
    return Explanation(definition.name, verify(definition, inbound, now), signed, explained)


def render(explanation: Explanation) -> str:
    """Write the explanation as lines of text."""
    lines = [f"source {explanation.source}"]
    if isinstance(explanation.verdict, Verified):
        key = explanation.verdict.key_index
        lines.append(f"verified by {explanation.verdict.verifier}" + (f", key {key}" if key is not None else ""))
    else:
        lines.append(f"REFUSED ({explanation.verdict.code}): {explanation.verdict.sentence}")
    lines += [f"  {kind} covers {covered}" for kind, covered in explanation.signed]
    for position, item in enumerate(explanation.items):
        lines.append(f"item {position}: {_outcome(item.reading)}")
        lines += [f"  {name:<26}{value}" for name, value in item.found]
        lines += [f"  = {name:<24}{value}" for name, value in _fields(item.reading)]
    return "\n".join(lines)


def parse_request_file(content: bytes, public_url: str, source: str) -> Inbound:
    """Read a delivery from a file: header lines, an empty line, the body; or the body alone.

    A first line such as `POST /webhooks/crm/NAME?key=1` gives method and query. One newline at the very end is the
    editor's, not the sender's.
    """
    gap = re.search(rb"\r?\n\r?\n", content)
    if gap is None or content.lstrip()[:1] in {b"{", b"["}:
        head, body = b"", content
    else:
        head, body = content[: gap.start()], content[gap.end() :]
    body = body.removesuffix(b"\n")
    lines = head.decode("latin-1").splitlines()
    method, path = "POST", f"/webhooks/crm/{source}"
    if lines and ":" not in lines[0].split("?", maxsplit=1)[0]:
        method, _, target = lines.pop(0).partition(" ")
        path = target.split(" ")[0]
    address, _, query = path.partition("?")
    pairs = [line.partition(":") for line in lines]
    return make_inbound(method, public_url, address, query, [(name.strip(), value) for name, _, value in pairs], body)


def _flat(verifiers: Iterable[Verifier]) -> list[Verifier]:
    nested = [_flat(each.verifiers) if isinstance(each, AllOf) else [each] for each in verifiers]
    return [each for group in nested for each in group]


def _covered(verifier: Verifier, inbound: Inbound) -> str:
    if not isinstance(verifier, Hmac | PublicKeys):
        return "no bytes of the body" if verifier.kind != "twilio" else "the address and the form's fields"
    try:
        return _shown(signed_bytes(verifier.signed, inbound).decode("utf-8", "backslashreplace"))
    except Refusal as refusal:
        return f"nothing yet: {refusal.sentence}"


def _found(definition: Definition, context: dict[str, Any]) -> Iterable[tuple[str, str]]:
    grammar = definition.grammar
    named: list[tuple[str, Expression | None]] = [
        ("events.ended", grammar.events.ended),
        ("events.reopened", grammar.events.reopened),
        *((f"map.{name}", each) for name, each in grammar.map.items()),
    ]
    for name, expression in named:
        if expression is not None:
            yield name, f"{_result(expression, context)}   <- {expression.text}"


def _result(expression: Expression, context: dict[str, Any]) -> str:
    try:
        return _shown(repr(expression.read(context)))
    except ExpressionError as error:
        return f"fails: {error}"


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
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"
