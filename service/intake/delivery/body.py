"""The body of a verified `Inbound`, parsed and split into items, or BodyProblem with a stable code.

JSON, forms, XML, and CloudEvents in its three modes. Never reads a body that was not verified, never nests deeper than
MAX_DEPTH, and never accepts NaN or a number of ten thousand digits.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn
from urllib.parse import unquote

from service.errors import UnknownEncoding
from service.intake.delivery.decode import charset_of, xml_charset_of
from service.intake.delivery.formats import BROKEN, FORM, MAX_DEPTH, MULTIPART, BodyProblem, form, multipart, xml
from service.intake.delivery.inbound import Inbound

MAX_ITEMS = 1000
MAX_WHOLE_DIGITS = 19
HINTS = {
    "delimiter": "is a quotation mark inside a text left unescaped?",
    "Extra data": "several events in one body are a JSON list, with events.split",
}
REQUIRED_ATTRIBUTES = ("id", "source", "specversion", "type")


def parse_root(inbound: Inbound, kinds: Sequence[str], *, cloudevents: bool = False) -> Any:
    """Return the whole body as plain values, parsed as its content type says. Raises BodyProblem."""
    if cloudevents:
        return _cloudevents(inbound)
    named = [each for each in kinds if inbound.content_type in CONTENT_TYPES[each]]
    return READ[(named or [*kinds])[0]](inbound)


def _read_form(inbound: Inbound) -> dict[str, str]:
    return form(_text(inbound), charset_of(inbound))


def parse_json(inbound: Inbound) -> Any:
    """Parse strict JSON. Raises BodyProblem."""
    if not inbound.body.strip():
        raise BodyProblem("empty_body", "The body is empty; send the event as JSON.")
    text = _text(inbound)
    try:
        root = json.loads(text, parse_constant=_constant, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise _no_json(text, error) from error
    except RecursionError as error:
        raise BodyProblem("too_deep", f"The body nests deeper than {MAX_DEPTH} levels.") from error
    if _is_too_deep(root):
        raise BodyProblem("too_deep", f"The body nests deeper than {MAX_DEPTH} levels.")
    return root


def _text(inbound: Inbound, charset: Callable[[Inbound], str] = charset_of) -> str:
    """Return the body in its charset; a broken character costs itself, not the delivery."""
    try:
        return inbound.body.decode(charset(inbound), errors="replace")
    except UnknownEncoding as error:
        raise BodyProblem(error.code, error.sentence) from error


def _no_json(text: str, error: json.JSONDecodeError) -> BodyProblem:
    if BROKEN in text:
        return BodyProblem("not_utf8", "The body is not UTF-8, and its Content-Type declares no other charset.")
    hint = next((f"; {hint}" for what, hint in HINTS.items() if what in error.msg), "")
    return BodyProblem("not_json", f"The body is not JSON at character {error.pos + 1}: {error.msg}{hint}")


def _constant(name: str) -> NoReturn:
    raise BodyProblem("not_json", f"{name} is not JSON; leave the field out or send null.")


def _whole(digits: str) -> int | str:
    """Keep an integer beyond any database's range as text, which is exact for an id."""
    return int(digits) if len(digits.lstrip("-")) <= MAX_WHOLE_DIGITS else digits


def _is_too_deep(root: Any) -> bool:
    level = [root]
    for _ in range(MAX_DEPTH):
        children = (
            each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)
        )
        level = [child for group in children for child in group]
        if not level:
            return False
    return True


def _cloudevents(inbound: Inbound) -> Any:
    """Return one event object or a list of them, whichever of the three modes the sender chose."""
    content_type = inbound.content_type
    if content_type.startswith("application/cloudevents") and not content_type.endswith("json"):
        raise BodyProblem("cloudevents_format", "CloudEvents are read as JSON: application/cloudevents+json.")
    binary = "ce-specversion" in inbound.headers and not content_type.startswith("application/cloudevents")
    root = _binary_event(inbound) if binary else parse_json(inbound)
    for event in root if isinstance(root, list) else [root]:
        missing = [n for n in REQUIRED_ATTRIBUTES if not isinstance(event, dict) or not isinstance(event.get(n), str)]
        if missing:
            raise BodyProblem("cloudevents_attribute", f"The CloudEvent has no text in {', '.join(missing)}.")
    return root


def _binary_event(inbound: Inbound) -> dict[str, Any]:
    attributes = {n[3:]: _header_value(v) for n, v in inbound.headers.items() if n.startswith("ce-") and len(n) > 3}  # noqa: PLR2004 - the length of "ce-"
    if not inbound.body.strip():
        return {**attributes, "data": None}
    if inbound.content_type == FORM:
        return {**attributes, "data": _read_form(inbound)}
    return {**attributes, "data": parse_json(inbound)}


def _header_value(value: str) -> str:
    """Undo quoting and then one round of percent-encoding, as the HTTP binding demands."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise BodyProblem("not_utf8", "A ce- header is not percent-encoded UTF-8.") from error


CONTENT_TYPES = {
    "json": frozenset({"application/json"}),
    "form": frozenset({FORM}),
    "multipart": frozenset({MULTIPART}),
    "xml": frozenset({"text/xml", "application/xml", "application/soap+xml"}),
}
READ: dict[str, Callable[[Inbound], Any]] = {
    "json": parse_json,
    "form": _read_form,
    "multipart": lambda inbound: multipart(inbound.body, inbound.parameter("boundary") or ""),
    "xml": lambda inbound: xml(_text(inbound, xml_charset_of)),
}
