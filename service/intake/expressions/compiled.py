"""Compiles an expression into something that reads one item, or says what is wrong with it.

All checks happen when the settings are read: syntax, function names, root names, and two traps that would be silently
wrong for ever. Evaluation stays within a budget and raises only ExpressionError and TooCostly.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jmespath
from jmespath import exceptions
from jmespath.lexer import Lexer

from service.intake.expressions.evaluate import Budget, Run, TooCostly, build
from service.intake.expressions.functions import FUNCTIONS, OurFunctions

MAX_LENGTH = 512
MAX_RESULT = 4096
PER_EXPRESSION = 20_000  # steps
PER_DELIVERY, PER_ITEM = 200_000, 1_000  # an item has its share of the delivery's, and at least so many
ROOT_NAMES = frozenset({"h", "q", "b", "root", "v"})
ONLY_FIRST_CHILD_AT_ROOT = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "flatten", "filter_projection", "pipe"}
)
COMPARATORS = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
IN_QUOTES = "a name with other letters in double quotes, and so the whole in single ones:"
OTHER_LANGUAGES = {
    "Unknown token '='": "write == to compare",
    "Unknown token $": "what JSONPath calls $ is b here: b.id",
    "Unknown token ?": "write b.a || b.c, or b.a && b.b || b.c",
    "Unknown token +": "write join('', [b.a, b.b])",
    "Unknown token '-'": f"write {IN_QUOTES} 'b.\"case-id\"'",
    "got: current": f"write {IN_QUOTES} 'b.\"@type\"'",
    "Expecting: star": f"write b.id, and {IN_QUOTES} 'b.\"user[id]\"'",
    "lbrace'], got: number": "write the third of a list as b.list[2]",
    "got: lbrace": "write b.id, without braces",
    "Expecting: colon": "write b.id, without braces",
    "Unexpected token: b:": "join two by && or ||; write !(b.x) for not",
    'token "and"': "write && for and",
    'token "or"': "write || for or",
    'token "in"': "write contains(['a', 'b'], b.x)",
    "(NUMBER)": "write a number in backticks, as `4`",
}
OTHER_ROOTS = {"body": "b", "headers": "h", "header": "h", "query": "q", "params": "q", "values": "v"}
BARE_WORDS = frozenset({"true", "false", "null"})
NOTHING: dict[str, Any] = {name: {} for name in ROOT_NAMES}


class ExpressionError(Exception):
    """An expression that cannot be compiled, or failed on this item. Its text is a sentence."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression over `{h, q, b, root, v}`."""

    text: str
    tree: Mapping[str, Any] = field(repr=False, compare=False)
    run: Run = field(repr=False, compare=False)
    places: frozenset[tuple[str, ...]] = field(repr=False, compare=False)  # every chain of names, from a root on
    names: tuple[str, ...] | None = field(default=None, repr=False, compare=False)  # where it is no more than a path

    def read(self, context: Any, budget: Budget | None = None) -> Any:
        """Return what the expression finds, or null. Raises ExpressionError and TooCostly.

        `budget` is the item's; an expression may take PER_EXPRESSION of it.
        """
        if self.names is not None and _is_small(found := at_path(context, self.names)):
            if budget is not None:
                budget.left -= 1
            return found
        purse = Budget(PER_EXPRESSION if budget is None else min(PER_EXPRESSION, budget.left))
        before = purse.left
        try:
            return self._found(context, purse)
        except TooCostly as error:
            raise TooCostly(f"'{self.text}' takes more steps than one delivery may cost") from error
        except (exceptions.JMESPathError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise ExpressionError(f"'{self.text}' cannot read this item ({type(error).__name__})") from error
        finally:
            if budget is not None:
                budget.left -= before - purse.left + 1

    def _found(self, context: Any, purse: Budget) -> Any:
        found = self.run(context, purse)
        if isinstance(found, list | dict):
            purse.pay_for(found)  # one list in a thousand places is small here, and large wherever it is written
        if isinstance(found, str) and len(found) > MAX_RESULT:
            raise ExpressionError(f"'{self.text}' finds more than {MAX_RESULT} characters")
        return found

    def matches(self, context: Any, budget: Budget | None = None) -> bool:
        """Whether the expression is true itself: `&&` and `||` return operands, and a non-empty text is not true."""
        return self.read(context, budget) is True

    @property
    def roots(self) -> set[str]:
        """The roots the expression looks at."""
        return {place[0] for place in self.places}

    @property
    def paths(self) -> set[tuple[str, ...]]:
        """The places below the roots the expression looks at, as far as they are plain names."""
        return {place for place in self.places if len(place) > 1}


def find(expression: Expression | None, context: Any, notes: list[str] | None = None, name: str = "") -> Any:
    """Return what an expression finds; null where there is none, or where it fails, as `notes` then say of `name`."""
    if expression is None:
        return None
    try:
        return expression.read(context)
    except (ExpressionError, TooCostly) as error:
        if notes is not None:
            notes.append(f"{name}: {error}" if name else str(error))
        return None


def at_path(context: Any, names: Iterable[str]) -> Any:
    """Return the value at the end of a path. Most expressions are no more than that, so it has a shortcut."""
    for name in names:
        context = context.get(name) if isinstance(context, dict) else None
    return context


def compile_expression(text: Any, *, root_names: frozenset[str] | None = ROOT_NAMES) -> Expression:
    """Compile `text`. `root_names` None: any name may stand at the root. Raises ExpressionError with a sentence."""
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError("must be a JMESPath expression, such as \"b.event == 'closed'\"")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH} characters; do less, or map fewer fields")
    return _compiled(text, root_names)


@cache
def _compiled(text: str, root_names: frozenset[str] | None) -> Expression:
    """Compile it once: many sources may come from one preset."""
    try:
        tree = jmespath.compile(text).parsed
        mistakes = [*_quoted_as_names(text), *_mistakes(tree, root_names)]
        found = Expression(text, tree, build(tree, FUNCTIONS), frozenset(_places(tree)), _plain_names(tree))
    except exceptions.JMESPathError as error:
        raise ExpressionError(_sentence(error)) from error
    except RecursionError as error:
        raise ExpressionError("nests too deep; do less, or map fewer fields") from error
    for mistake in mistakes:
        raise ExpressionError(mistake)
    _try_it(found)
    return found


def _is_small(value: Any) -> bool:
    """Whether it costs nothing: a word, a number or null."""
    return len(value) <= MAX_RESULT if isinstance(value, str) else not isinstance(value, list | dict)


def _plain_names(tree: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of an expression such as `b.data.id`; None where it is anything else."""
    if tree["type"] == "field":
        return (tree["value"],)
    if tree["type"] != "subexpression":
        return None
    parts = [_plain_names(each) for each in tree["children"]]
    return None if None in parts else tuple(name for part in parts for name in part or ())


def _try_it(expression: Expression) -> None:
    """Try it on an empty item: an expression that is too costly even then always is."""
    try:
        expression.read(NOTHING)
    except TooCostly as error:
        raise ExpressionError("takes more steps than one delivery may cost, whatever comes") from error
    except ExpressionError:
        pass


def _sentence(error: exceptions.JMESPathError) -> str:
    position = getattr(error, "lex_position", None)
    what = str(error).splitlines()[0].rstrip(":").split(", for expression")[0]
    where = f" at character {position + 1}" if isinstance(position, int) else ""
    hint = next((f"; {says}" for sign, says in OTHER_LANGUAGES.items() if sign.lower() in what.lower()), "")
    return f"is no JMESPath{where}: {what}{hint}"


def _quoted_as_names(text: str) -> Iterator[str]:
    """Find comparisons such as `b.event == "closed"`, which JMESPath reads as a field of that name: always null."""
    tokens = list(Lexer().tokenize(text))
    for sign, name, behind in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if sign["type"] in COMPARATORS and name["type"] == "quoted_identifier" and behind["type"] != "dot":
            said = f"\"{name['value']}\" in double quotes is a name; write a text in single ones: '{name['value']}'"
            yield f'{said} (and for the name @."{name["value"]}")'


def _children(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in node.get("children", []) if isinstance(each, Mapping)]


def _mistakes(node: Mapping[str, Any], root_names: frozenset[str] | None) -> list[str]:
    kind, children = node["type"], _children(node)
    found = []
    if kind == "function_expression":
        found += _function_mistakes(node["value"], len(children))
    if kind == "subexpression" and children[0]["type"] == "not_expression":
        # `!b.x` reads as `(!b).x`, which is null for ever
        found.append("'!' binds tighter than '.': write !(b.x) or b.x == `null`")
    if kind == "comparator":
        # a bare null is harmless there: what has no field of that name has null
        bare = [each["value"] for each in children if each["type"] == "field" and each["value"] in ("true", "false")]
        found += map(_bare, bare)
    if kind == "field" and root_names is not None and node["value"] not in root_names:
        found.append(_no_root(node["value"], root_names))
    for index, child in enumerate(children):
        inner = kind in ONLY_FIRST_CHILD_AT_ROOT and index > 0
        found += _mistakes(child, None if inner or kind == "expref" else root_names)
    return found


def _bare(word: str) -> str:
    """Say that a word is read as a name: `b.closed == b.true` would be true of whatever has neither."""
    return f"'{word}' is a name here; write it in backticks: `{word}`"


def _no_root(name: str, root_names: frozenset[str]) -> str:
    if name in BARE_WORDS:
        return _bare(name)
    first = next(each for each in "bai" if each in root_names)
    likely = OTHER_ROOTS[name] if OTHER_ROOTS.get(name) in root_names else f"{first}.{name}"
    roots = ", ".join(sorted(root_names))
    return f"'{name}' is no root; write {likely}, or a text in single quotes (roots are {roots})"


def _function_mistakes(name: str, given: int) -> list[str]:
    known = OurFunctions.FUNCTION_TABLE.get(name)
    if known is None:
        return [f"there is no function '{name}'; there are {', '.join(sorted(OurFunctions.FUNCTION_TABLE))}"]
    wanted = len(known["signature"])
    variadic = bool(known["signature"]) and known["signature"][-1].get("variadic")
    if given < wanted or (given > wanted and not variadic):
        return [f"{name}() takes {'at least ' if variadic else ''}{wanted} values, not {given}"]
    return []


def _places(node: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    children = _children(node)
    if node["type"] == "field":
        yield (node["value"],)
    elif node["type"] in ONLY_FIRST_CHILD_AT_ROOT:
        rest: tuple[str, ...] = ()
        if node["type"] == "subexpression":
            names = [each["value"] if each["type"] == "field" else None for each in children[1:]]
            rest = tuple(names[: names.index(None)] if None in names else names)  # type: ignore[arg-type]
        yield from ((*place, *rest) for place in _places(children[0]))
    elif node["type"] != "expref":
        for child in children:
            yield from _places(child)
