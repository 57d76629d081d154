"""Expressions that can never find anything are reported; those that might are not."""

from typing import Any

import pytest

from service.intake.definition.dead_expressions import only_null
from service.intake.definition.load import load_definitions
from service.intake.presets import preset_expected, preset_names
from tests.intake.app import define, settings_with
from tests.intake.signers import SENDERS


def found(**definition: Any) -> dict[str, str]:
    return dict(only_null(define("token", **definition)))


@pytest.mark.parametrize(
    "text",
    [
        'h."X-Name"', "h.authorization", "h.cookie", "q.token", "v.misspelt", "v.words.first", "'abc'.x",
        "to_string(b.id).x",
        "lower(b.a)[0]", "(b.a=='x').b", "length(b.a)[?x]", "b.list[*].a | keys(@).b", "`null`", "v.nested.other",
        "[b.a, b.c].x", "{x: b.a}[0]", "v.number.x || v.misspelt",
    ],
)  # fmt: skip
def test_an_expression_that_only_finds_null_is_reported(text: str) -> None:
    values = {"words": ["a"], "nested": {"a": 1}, "number": 5}
    named = found(map={"agent_id": text}, values=values)
    assert list(named) == ["map.agent_id"]
    assert "can only find null" in named["map.agent_id"]


@pytest.mark.parametrize(
    "text",
    [
        'h."x-name"', "q.other", "v.words[0]", "v.nested.a", "b.a.b[0].c", "b.*.x | [0]", "b.list[?a=='x'].b | [0]",
        "b.a && b.b || `null`", "split(b.a, '_')[1]", "from_json(b.a).x", "(b.a || b.c).x",
        "b.a=='x' && 'ai' || 'human'",
        "sort_by(b.list, &at)[-1].id", "max_by(b.list, &at).id", "merge(b.a, b.c).x", "not_null(b.a, b.c).x", "b.a[]",
        "{x: b.a}.x", "to_array(b.a)[0].x", "first_non_empty(b.a).x", "root.a", "b",
    ],
)  # fmt: skip
def test_an_expression_that_might_find_something_is_accepted(text: str) -> None:
    assert found(map={"agent_id": text}, values={"words": ["a"], "nested": {"a": 1}}) == {}


@pytest.mark.parametrize("text", ["b.event && 'yes'", "v.misspelt", "'closed'", "to_string(b.event)"])
def test_a_filter_that_is_never_true_is_reported(text: str) -> None:
    assert "can never be true" in found(events={"ended": text})["events.ended"]


def test_no_preset_has_one() -> None:
    for name in preset_names():
        written = {"preset": name, "keys": [SENDERS[name].key()], **preset_expected(name)["settings"]}
        (definition,) = load_definitions(settings_with({name: written}).sources).values()
        assert list(only_null(definition)) == [], name
