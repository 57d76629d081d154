"""Finds expressions that can never find anything, and says why.

Evaluates an expression with kinds of values instead of values: a header name in capitals, a token we do not keep, a
missing constant, a field of a text. Says nothing unless it is sure.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.intake.definition.tables import Definition, Map
from service.intake.delivery.inbound import CREDENTIAL_HEADERS
from service.intake.expressions.compiled import Expression
from service.settings.declare import declared

Kinds = frozenset[str]
NULL, TEXT, NUMBER = (frozenset({each}) for each in ("null", "string", "number"))
TRUE, FALSE = frozenset({"true"}), frozenset({"false"})
TRUTH = TRUE | FALSE
LIST, OBJECT = frozenset({"array"}), frozenset({"object"})
ANY = NULL | TEXT | NUMBER | TRUTH | LIST | OBJECT
RESULTS = {
    "lower": TEXT | NULL, "split": LIST | NULL, "substring": TEXT | NULL, "replace": TEXT | NULL, "join": TEXT,
    "to_string": TEXT, "x_handle_from_url": TEXT | NULL, "contains": TRUTH, "starts_with": TRUTH, "ends_with": TRUTH,
    "length": NUMBER, "keys": LIST, "values": LIST, "map": LIST, "sort": LIST, "sort_by": LIST, "type": TEXT,
    "to_number": NUMBER | NULL, "to_array": LIST, "merge": OBJECT, "abs": NUMBER, "ceil": NUMBER, "floor": NUMBER,
    "sum": NUMBER, "avg": NUMBER | NULL,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """An object whose names and their values are known."""

    under: Callable[[str], Any]


Seen = Kinds | Named


def only_null(definition: Definition) -> Iterator[tuple[str, str]]:
    """Yield each expression that can never find anything (or, of the filters, never be true), and a sentence."""
    root = Named(lambda name: _roots(definition).get(name, NULL))
    events = definition.grammar.events
    for name, filter_ in (("events.ended", events.ended), ("events.reopened", events.reopened)):
        if filter_ is not None and not TRUE & _kinds(_see(filter_.tree, root)):
            yield name, f"'{filter_.text}' can never be true, whatever comes"
    for name in declared(Map):
        expression: Expression | None = definition.grammar.map.of(name)
        if expression is not None and _kinds(_see(expression.tree, root)) == NULL:
            yield f"map.{name}", f"'{expression.text}' can only find null, whatever comes"


def _roots(definition: Definition) -> dict[str, Seen]:
    secret = definition.secret_headers | CREDENTIAL_HEADERS
    return {
        "b": ANY,
        "root": ANY,
        "h": Named(lambda name: NULL if name != name.lower() or name in secret else TEXT | NULL),
        "q": Named(lambda name: NULL if name in definition.secret_query else TEXT | NULL),
        "v": _known(definition.grammar.values),
    }


def _known(value: Any) -> Seen:
    if isinstance(value, Mapping):
        return Named(lambda name: _known(value[name]) if name in value else NULL)
    if isinstance(value, bool):
        return TRUE if value else FALSE
    kinds = {int: NUMBER, float: NUMBER, str: TEXT, list: LIST, type(None): NULL}
    return kinds.get(type(value), ANY)


def _kinds(seen: Seen) -> Kinds:
    return OBJECT if isinstance(seen, Named) else seen


def _see(node: Mapping[str, Any], here: Seen) -> Seen:
    leaf = LEAVES.get(node["type"])
    return leaf(node.get("value"), here) if leaf else _see_inside(node["type"], node["children"], here)


def _field(name: str, here: Seen) -> Seen:
    return here.under(name) if isinstance(here, Named) else _inside(here, OBJECT, ANY)


LEAVES: dict[str, Callable[[Any, Seen], Seen]] = {
    "identity": lambda _value, here: here,
    "current": lambda _value, here: here,
    "literal": lambda value, _here: _known(value),
    "field": _field,
    "index": lambda _value, here: _inside(_kinds(here), LIST, ANY),
    "slice": lambda _value, here: _inside(_kinds(here), LIST, LIST),
    "comparator": lambda value, _here: TRUTH if value in {"eq", "ne"} else TRUTH | NULL,
    "not_expression": lambda _value, _here: TRUTH,
    "function_expression": lambda value, _here: RESULTS.get(value, ANY),
}


def _see_inside(kind: str, children: list[Any], here: Seen) -> Seen:
    if kind in {"subexpression", "index_expression", "pipe"}:
        for child in children:
            here = _see(child, here)
        return here
    if kind in {"projection", "filter_projection", "flatten"}:
        return _inside(_kinds(_see(children[0], here)), LIST, LIST)
    if kind == "value_projection":
        return _inside(_kinds(_see(children[0], here)), OBJECT, LIST)
    if kind in {"or_expression", "and_expression"}:
        passed_over = NULL | FALSE if kind == "or_expression" else TRUE | NUMBER
        return (_kinds(_see(children[0], here)) - passed_over) | _kinds(_see(children[1], here))
    if kind in {"multi_select_list", "multi_select_dict"}:
        return _inside(_kinds(here), ANY - NULL, LIST if kind == "multi_select_list" else OBJECT)
    return ANY


def _inside(kinds: Kinds, wanted: Kinds, found: Kinds) -> Kinds:
    """What a step into a value finds: null if the value is of another kind."""
    if not kinds & wanted:
        return NULL
    return found if kinds <= wanted else found | NULL
