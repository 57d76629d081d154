"""Evaluates JMESPath's syntax tree within a budget: a parsed expression becomes a function of value and `Budget`.

The library parses, we evaluate, because its interpreter has no limits and forty characters can ask for gigabytes. Every
list walked, text built and list compared is paid for first. The meaning is exactly the library's; a test compares the
two. Never changes a value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

Run = Callable[[Any, "Budget"], Any]
Node = Mapping[str, Any]
TEXT_PER_STEP = 64  # letters a text costs a step for
COMPARE = TreeInterpreter.COMPARATOR_FUNC
EQUALITY = frozenset({"eq", "ne"})
EMPTY: tuple[Any, ...] = ("", [], {})
DEEP = frozenset({"to_string", "contains", "join"})  # functions that look into what they are given


class TooCostly(Exception):
    """The work asked for is more than one delivery may cost."""


@dataclass(slots=True)
class Budget:
    """Steps left. One step is about a microsecond."""

    left: int

    def spend(self, steps: int) -> None:
        """Pay for steps before they are made. Raises TooCostly."""
        self.left -= steps
        if self.left < 0:
            raise TooCostly

    def pay_for(self, value: Any) -> None:
        """Pay for looking at every part of a value. A part that occurs twice is paid for twice."""
        level = [value]
        while level:
            self.spend(len(level) + sum(len(each) // TEXT_PER_STEP for each in level if isinstance(each, str)))
            level = [part for each in level if isinstance(each, list | dict) for part in _parts(each)]


def _parts(value: list[Any] | dict[str, Any]) -> Sequence[Any]:
    return value if isinstance(value, list) else list(value.values())


class _Expression:
    """What `&expr` passes to a function. Named like the library's own class, whose type check goes by name."""

    def __init__(self, run: Run, budget: Budget) -> None:
        self.expression = run
        self.budget = budget

    def visit(self, run: Run, value: Any) -> Any:
        self.budget.spend(1)
        return run(value, self.budget)


def build(node: Node, functions: Functions) -> Run:
    """Return the function that evaluates a parsed expression."""
    kind = node["type"]
    if kind == "function_expression":
        return _function(node["value"], [build(each, functions) for each in node["children"]], functions)
    if kind in LEAVES:
        return LEAVES[kind](node)
    if kind in {"multi_select_dict", "comparator"}:
        runs = [build(each, functions) for each in node["children"]]
        return _select_dict(node, runs) if kind == "multi_select_dict" else _comparator(node["value"], *runs)
    return BRANCHES[kind](*(build(each, functions) for each in node["children"]))


def truth(value: Any) -> bool:
    """JMESPath's own rule: 0 is true, empty values are not."""
    return not (value is None or value is False or value in EMPTY)


def _field(node: Node) -> Run:
    name = node["value"]
    return lambda value, _: value.get(name) if isinstance(value, dict) else None


def _index(node: Node) -> Run:
    position = node["value"]
    return lambda value, _: (
        value[position] if isinstance(value, list) and -len(value) <= position < len(value) else None
    )


def _slice(node: Node) -> Run:
    cut = slice(*node["children"])

    def run(value: Any, budget: Budget) -> Any:
        if not isinstance(value, list):
            return None
        budget.spend(len(value))
        return value[cut]

    return run


def _literal(node: Node) -> Run:
    constant = node["value"]
    return lambda _value, _: constant


def _itself(_node: Node) -> Run:
    return lambda value, _: value


def _chain(*runs: Run) -> Run:
    def run(value: Any, budget: Budget) -> Any:
        for each in runs:
            value = each(value, budget)
        return value

    return run


def _either(left: Run, right: Run) -> Run:
    def run(value: Any, budget: Budget) -> Any:
        found = left(value, budget)
        return found if truth(found) else right(value, budget)

    return run


def _both(left: Run, right: Run) -> Run:
    def run(value: Any, budget: Budget) -> Any:
        found = left(value, budget)
        return right(value, budget) if truth(found) else found

    return run


def _not(inner: Run) -> Run:
    return lambda value, budget: not truth(inner(value, budget))


def _comparator(name: str, left: Run, right: Run) -> Run:
    compare = COMPARE[name]

    def run(value: Any, budget: Budget) -> Any:
        one, other = left(value, budget), right(value, budget)
        if name in EQUALITY:
            if isinstance(one, list | dict) and isinstance(other, list | dict):
                budget.pay_for([one, other])
            return compare(one, other)
        return compare(one, other) if _orders(one) and _orders(other) else None

    return run


def _orders(value: Any) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def _over(items: Callable[[Any], list[Any] | None]) -> Callable[..., Run]:
    """A projection: the rest of the expression for every item of a list, without nulls."""

    def make(base: Run, rest: Run, only: Run | None = None) -> Run:
        def run(value: Any, budget: Budget) -> Any:
            found = items(base(value, budget))
            if found is None:
                return None
            budget.spend(len(found))
            kept = found if only is None else [each for each in found if truth(only(each, budget))]
            results = [rest(each, budget) for each in kept]
            return [each for each in results if each is not None]

        return run

    return make


def _flatten(base: Run) -> Run:
    def run(value: Any, budget: Budget) -> Any:
        found = base(value, budget)
        if not isinstance(found, list):
            return None
        budget.spend(sum(len(each) if isinstance(each, list) else 1 for each in found))
        return [part for each in found for part in (each if isinstance(each, list) else [each])]

    return run


def _select_list(*runs: Run) -> Run:
    return lambda value, budget: None if value is None else [each(value, budget) for each in runs]


def _select_dict(node: Node, runs: Sequence[Run]) -> Run:
    named = [(each["value"], run) for each, run in zip(node["children"], runs, strict=True)]
    return lambda value, budget: None if value is None else {name: run(value, budget) for name, run in named}


def _reference(inner: Run) -> Run:
    return lambda _value, budget: _Expression(inner, budget)


def _function(name: str, runs: Sequence[Run], functions: Functions) -> Run:
    deep = name in DEEP

    def run(value: Any, budget: Budget) -> Any:
        given = [each(value, budget) for each in runs]
        if deep:
            budget.pay_for(given)
        else:
            budget.spend(1 + sum(_width(each) for each in given))
        found = functions.call_function(name, given)
        budget.spend(_width(found))
        return found

    return run


def _width(value: Any) -> int:
    if isinstance(value, str):
        return len(value) // TEXT_PER_STEP
    return len(value) if isinstance(value, list | dict) else 0


LEAVES: dict[str, Callable[[Node], Run]] = {
    "field": _field,
    "index": _index,
    "slice": _slice,
    "literal": _literal,
    "identity": _itself,
    "current": _itself,
}
BRANCHES: dict[str, Callable[..., Run]] = {
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "key_val_pair": _chain,
    "or_expression": _either,
    "and_expression": _both,
    "not_expression": _not,
    "projection": _over(lambda found: found if isinstance(found, list) else None),
    "filter_projection": _over(lambda found: found if isinstance(found, list) else None),
    "value_projection": _over(lambda found: list(found.values()) if isinstance(found, dict) else None),
    "flatten": _flatten,
    "multi_select_list": _select_list,
    "expref": _reference,
}
