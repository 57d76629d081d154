"""The JMESPath of definitions: what it finds, and that no item makes it fail."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.intake.expressions.compiled import ExpressionError, compile_expression

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "item", "expected"),
    [
        ("lower(b.a)", {"a": "ÄB"}, "äb"),
        ("lower(b.a)", {}, None),
        ("x_handle_from_url(b.a)", {"a": "https://x.com/Acme"}, "Acme"),
        ("x_handle_from_url(b.a)", {}, None),
        ("first_non_empty(b.a, b.c, b.d)", {"a": "", "c": [], "d": 0}, 0),
        ("first_non_empty(b.a, b.c)", {"a": None}, None),
        ("first_non_empty(b.a)", {"a": False}, False),
        ("b.list[?kind=='x'].id | [0]", {"list": [{"kind": "y", "id": 1}, {"kind": "x", "id": 2}]}, 2),
        ("b.a.b.c", {"a": 5}, None),
        ('h."x-name"', {}, "value"),
        ("v.words", {}, ["a"]),
    ],
)
def test_an_expression_finds(text: str, item: Any, expected: Any) -> None:
    context = {"b": item, "h": {"x-name": "value"}, "q": {}, "root": item, "v": {"words": ["a"]}}
    assert compile_expression(text).read(context) == expected


@pytest.mark.parametrize("found", ["yes", 1, [1], {"a": 1}, None, False, "true"])
def test_only_literal_true_is_a_match(found: Any) -> None:
    assert not compile_expression("b.a").matches({"b": {"a": found}})
    assert compile_expression("b.a").matches({"b": {"a": True}})


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("lower(b.a)", {"a": 5}),
        ("join(':', [b.a])", {}),
        ("starts_with(b.a, 'x')", {}),
        ("join('', b.a)", {"a": ["x" * 5000]}),
        ("sort(b.a)", {"a": [1, "x"]}),
    ],
)
def test_an_expression_that_cannot_read_an_item_says_so(text: str, item: Any) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text).read({"b": item})


@settings(max_examples=60, deadline=None)
@given(item=JSON)
def test_no_item_makes_an_expression_raise_anything_else(item: Any) -> None:
    for text in ("join(':', [b.a, to_string(b.b)])", "b.a[?c=='d'].e | [0]", "sort_by(b.a, &c)", "max(b.a)", "keys(b)"):
        try:
            compile_expression(text).read({"b": item})
        except ExpressionError:
            continue


@pytest.mark.parametrize(
    "text", ["b.a || root.c", "contains(v.words, b.a)", "b.list[?kind=='x' && other].id", "sort_by(b.l, &at)[0].id"]
)
def test_names_inside_projections_are_the_item_s_own(text: str) -> None:
    assert compile_expression(text).text == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('b.event == "closed"', "write a text in single ones: 'closed'"),
        ('b.tags[?name != "no survey"]', "write a text in single ones: 'no survey' .and for the name @."),
        ("b.event = 'closed'", "write == to compare"),
        ("b.event == 'a' and b.open", "write && for and"),
        ("b.event == 'a' or b.event == 'b'", r"write \|\| for or"),
        ("b.event IN ['a']", "write contains"),
        ("b.count > 3", "a number in backticks"),
        ("b.list.0.id", r"write the third of a list as b.list\[2\]"),
        ("b.case-id", "in single ones: 'b.\"case-id\"'"),
        ("b.@type", "in single ones: 'b.\"@type\"'"),
        ("b.auth[token]", r"write b.id, and a name .* in single ones: 'b\.\"user\[id\]\"'"),
        ("b['id']", "write b.id, and"),
        ("{{b.id}}", "without braces"),
        ("{b.id}", "without braces"),
        ("b.id ?? b.key", r"write b.a \|\| b.c"),
        ("b.id + b.key", r"write join\('', \[b.a, b.b\]\)"),
        ("not b.open", r"write !\(b.x\) for not"),
        ("body.event == 'x'", "'body' is no root; write b, or"),
        ("headers.x", "'headers' is no root; write h, or"),
        ("b.closed == true", "write it in backticks: `true`"),
        ("b.closed || false", "write it in backticks: `false`"),
        ("b.merged == null && b.a == 'x'", "write it in backticks: `null`"),
        ("b.parts[?open==false].id", "write it in backticks: `false`"),
        ("b.event == closed", "write b.closed, or a text in single quotes"),
    ],
)
def test_syntax_of_other_languages_is_reported(text: str, says: str) -> None:
    with pytest.raises(ExpressionError, match=says):
        compile_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "b.parts[?closed_at != null].id",
        'h."x-a" == h."x-b"',
        'b.event == `"closed"`',
        'b.a[?x == "y-z".name]',
        'b.a[?x == @."y-z"]',
        "b.e == '\"q\"'",
    ],
)
def test_a_name_may_stand_in_double_quotes_and_null_for_one_that_is_absent(text: str) -> None:
    assert compile_expression(text).text == text
