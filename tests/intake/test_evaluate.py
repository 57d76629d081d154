"""Our evaluation of JMESPath against the library's, and its cost."""

from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.intake.expressions.compiled import NOTHING, PER_EXPRESSION, ExpressionError, compile_expression
from service.intake.expressions.evaluate import Budget, TooCostly
from service.intake.expressions.functions import FUNCTIONS

NAMES = st.sampled_from(["a", "b", "c", "kind", "id"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "x", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=14,
)
SHAPES = (
    "b.a", "b.a.b", "b.*.a", "b[*].a", "b[].a", "b[0]", "b[-1].a", "b[::-1]", "b[1:]", "b[?a].id", "b[?a=='x'].b | [0]",
    "b.a || b.b", "b.a && b.b", "!(b.a)", "b.a == b.b", "b.a != `1`", "b.a < `2`", "b.a >= b.b", "{x: b.a, y: b.b}",
    "[b.a, b.b]", "b.a | [0]", "b[*][0]", "b[].a[]", "@", "b[?!(a)]", "b.a[?kind=='x' && id].id", "`[1]`", "'x'",
    "b.*.*", "b[*].{i: id}", "(b.a || b.b).id", "b[?contains(['x','a'], a)]",
)  # fmt: skip
FUNCTION_SHAPES = (
    "length(b)", "keys(b)", "to_string(b)", "join('-', b)", "sort_by(b, &a)[0].a", "max_by(b, &a).id", "map(&a, b)",
    "contains(b, 'a')", "reverse(b)", "not_null(b.a, b.b)", "merge(b, b)", "type(b.a)", "sort(b)", "to_number(b.a)",
)  # fmt: skip


def ours(text: str, context: Any) -> Any:
    try:
        return compile_expression(text, root_names=None).read(context)
    except ExpressionError:
        return "refused"


def theirs(text: str, context: Any) -> Any:
    try:
        return jmespath.search(text, context, options=jmespath.Options(custom_functions=FUNCTIONS))
    except (jmespath.exceptions.JMESPathError, TypeError, ValueError):
        return "refused"


@settings(max_examples=150, deadline=None)
@given(b=JSON)
def test_expressions_evaluate_as_in_the_library(b: Any) -> None:
    for text in SHAPES + FUNCTION_SHAPES:
        assert ours(text, {"b": b}) == theirs(text, {"b": b}), text


DOUBLING = "|".join(["[@,@]"] * 30)
COSTLY = (
    f"length(to_string(b|{DOUBLING}))", f"b|{DOUBLING}", f"(b|{DOUBLING}) == (b|{DOUBLING})",
    f"contains(b|{DOUBLING}, 'x')", "b" + "|[@,@][]" * 40, "b" + "|to_string([@,@])" * 25,
)  # fmt: skip


@pytest.mark.parametrize("text", COSTLY)
def test_an_expression_too_costly_for_any_item_is_refused_with_the_settings(text: str) -> None:
    with pytest.raises(ExpressionError, match="more steps than one delivery may cost"):
        compile_expression(text)


@pytest.mark.parametrize(
    ("text", "b"),
    [
        ("join('', [b,b,b,b,b,b,b,b])", "x" * 1_000_000),
        ("b[*].a[]", [{"a": list(range(3000))}] * 10),
        ("b[?contains(@, 'x')]", ["y" * 1000] * 3000),
        ("length(b|to_string(@)|[@,@,@,@]|to_string(@))", "x" * 300_000),
        ("sort_by(b, &to_string(@))", [["x" * 500] * 4] * 3000),
    ],
)
def test_an_expression_too_costly_for_an_item_is_stopped(text: str, b: Any) -> None:
    with pytest.raises(TooCostly, match="takes more steps"):
        compile_expression(text).read({**NOTHING, "b": b})


def test_a_long_conversation_is_within_the_budget() -> None:
    parts = [{"author": {"type": "admin", "id": str(n)}, "body": "x" * 200} for n in range(4000)]
    found = compile_expression("b.parts[?author.type=='admin'] | [-1].author.id").read({"b": {"parts": parts}})
    assert found == "3999"


def test_the_budget_is_shared_by_all_expressions_of_a_delivery() -> None:
    purse = Budget(PER_EXPRESSION)
    many = {"b": [1] * (PER_EXPRESSION // 2 - 10)}
    expression = compile_expression("b[*]")
    assert len(expression.read(many, purse)) == len(many["b"])
    with pytest.raises(TooCostly):
        expression.read(many, purse)


@pytest.mark.parametrize("text", ["[" * 510, "(" * 250, "!" * 500 + "b", "b" + "|@" * 200 + "[" * 90])
def test_nesting_too_deep_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text)


@pytest.mark.parametrize(
    ("text", "b", "expected"),
    [
        ("split(b, '_')[1]", "TWITTER_22", "22"),
        ("split(b, '_')", None, None),
        ("substring(b, `0`, `2`)", "en_us", "en"),
        ("substring(b, `-2`, `9`)", "en_us", "us"),
        ("substring(b, `9`, `2`)", "en", ""),
        ("substring(b, `0`, `-1`)", "en", ""),
        ("replace(b, '-', '')", "a-b-c", "abc"),
        ("replace(b, '', 'x')", "abc", "abc"),
        ("replace(b, 'a', 'b')", None, None),
        ("from_json(b).id", '{"id": 7}', 7),
        ("from_json(b)", "{", None),
        ("from_json(b)", "[" * 100_000, None),
        ("from_json(b)", "9" * 5000, None),
        ("from_json(b)", None, None),
    ],
)
def test_texts_are_taken_apart(text: str, b: Any, expected: Any) -> None:
    assert compile_expression(text).read({"b": b}) == expected


@pytest.mark.parametrize("text", ["split(b, '_')", "split(b, '')", "replace(b, 'a', 'b')", "substring(b, `0`, `1`)"])
def test_texts_that_cannot_be_split_are_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text).read({"b": 7 if "''" not in text else "x"})


def test_the_length_of_a_text_is_limited() -> None:
    with pytest.raises(ExpressionError):
        compile_expression("replace(b, 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')").read({"b": "a" * 4000})
