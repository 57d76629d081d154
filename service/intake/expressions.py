"""The JMESPath of definitions: in, an expression as text; out, something that reads one item, or a sentence why not.

Compiled and checked when the settings are read: syntax, names of functions, names at the root, and two traps that
would be silently wrong for ever. Never runs longer than the item is big, never raises anything but ExpressionError.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath import exceptions, functions
from jmespath.parser import ParsedResult

from service.intake.identity import handle_from_url

MAX_LENGTH = 512
MAX_RESULT = 4096
ROOT_NAMES = frozenset({"h", "q", "b", "root", "v"})
ONLY_FIRST_CHILD_AT_ROOT = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "flatten", "filter_projection", "pipe"}
)


class ExpressionError(Exception):
    """An expression that cannot be compiled, or that could not read this item. Its text is a sentence."""


class OurFunctions(functions.Functions):
    """JMESPath's functions and three of ours."""

    @functions.signature({"types": ["string", "null"]})
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()

    @functions.signature({"types": ["string", "null"]})
    def _func_x_handle_from_url(self, url: str | None) -> str | None:
        return handle_from_url(url)

    @functions.signature({"types": [], "variadic": True})
    def _func_first_non_empty(self, *values: Any) -> Any:
        return next((value for value in values if value not in (None, "", [], {})), None)


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression over `{h, q, b, root, v}`."""

    text: str
    compiled: ParsedResult = field(repr=False, compare=False)

    def read(self, context: Any) -> Any:
        """Return what the expression finds; null where there is nothing. Raises ExpressionError."""
        try:
            found = self.compiled.search(context, options=OPTIONS)
        except (exceptions.JMESPathError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise ExpressionError(f"'{self.text}' cannot read this item ({type(error).__name__})") from error
        if isinstance(found, str) and len(found) > MAX_RESULT:
            raise ExpressionError(f"'{self.text}' finds more than {MAX_RESULT} characters")
        return found

    def matches(self, context: Any) -> bool:
        """Whether the expression is literally true: `&&` and `||` return operands, and a string is no yes."""
        return self.read(context) is True


OPTIONS = jmespath.Options(custom_functions=OurFunctions())


def compile_expression(text: Any, *, root_names: frozenset[str] | None = ROOT_NAMES) -> Expression:
    """Compile `text`. `root_names` None: any name may stand at the root. Raises ExpressionError with a sentence."""
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError("must be a JMESPath expression, such as \"b.event == 'closed'\"")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH} characters; do less, or map fewer fields")
    try:
        compiled = jmespath.compile(text)
    except exceptions.JMESPathError as error:
        raise ExpressionError(_sentence(error)) from error
    for mistake in _mistakes(compiled.parsed, root_names):
        raise ExpressionError(mistake)
    return Expression(text, compiled)


def _sentence(error: exceptions.JMESPathError) -> str:
    position = getattr(error, "lex_position", None)
    what = str(error).splitlines()[0].rstrip(":").split(", for expression")[0]
    where = f" at character {position + 1}" if isinstance(position, int) else ""
    return f"is no JMESPath{where}: {what}"


def _mistakes(node: Mapping[str, Any], root_names: frozenset[str] | None) -> list[str]:
    kind, children = node["type"], [c for c in node.get("children", []) if isinstance(c, Mapping)]
    found = []
    if kind == "function_expression":
        found += _function_mistakes(node["value"], len(children))
    if kind == "subexpression" and children[0]["type"] == "not_expression":
        # `!b.x` reads as `(!b).x`, which is null for ever
        found.append("'!' binds tighter than '.': write !(b.x) or b.x == `null`")
    if kind == "field" and root_names is not None and node["value"] not in root_names:
        found.append(f"'{node['value']}' is no root; write b.{node['value']} (roots are h, q, b, root, v)")
    for index, child in enumerate(children):
        inner = kind in ONLY_FIRST_CHILD_AT_ROOT and index > 0
        found += _mistakes(child, None if inner or kind == "expref" else root_names)
    return found


def _function_mistakes(name: str, given: int) -> list[str]:
    known = OurFunctions.FUNCTION_TABLE.get(name)
    if known is None:
        return [f"there is no function '{name}'; there are {', '.join(sorted(OurFunctions.FUNCTION_TABLE))}"]
    wanted = len(known["signature"])
    variadic = bool(known["signature"]) and known["signature"][-1].get("variadic")
    if given < wanted or (given > wanted and not variadic):
        return [f"{name}() takes {'at least ' if variadic else ''}{wanted} values, not {given}"]
    return []
