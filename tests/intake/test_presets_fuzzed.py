"""Every preset against nearly valid deliveries: an item is read or set aside, never a crash."""

import copy
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.intake.definition.load import preset_definition
from service.intake.definition.tables import Definition
from service.intake.delivery.inbound import Inbound, parse_request_file
from service.intake.expressions.evaluate import TooCostly
from service.intake.mapping.events import ConversationEnded, ConversationReopened, Ignored, Unmappable
from service.intake.mapping.readings import read
from service.intake.presets import payload, payload_names, preset_names
from tests.fuzz.odd import places
from tests.intake.app import PUBLIC_URL, post

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ODD = st.sampled_from([
    None, True, False, 0, -1, 10**30, 1e308, "", " ", "null", "{{x}}", "\x00", "\ud800", "\ufffd", "x" * 5000, "2026",
    "-", [], {}, [[]], [None], {"a": 1}, [{"id": None}], "_", "a_b", "2026-99-99T99:99:99Z", "/Date(9999999999999999)/",
])  # fmt: skip
READINGS = (ConversationEnded, ConversationReopened, Ignored, Unmappable)
JSON_PRESETS = [name for name in preset_names() if preset_definition(name).grammar.endpoint.body[0] == "json"]


@cache
def tried(preset: str) -> tuple[Definition, list[Inbound]]:
    """What it is compiled to, and its payloads that are right."""
    files = [each for each in payload_names(preset) if not each.startswith("broken")]
    inbound = [parse_request_file(payload(preset, file), PUBLIC_URL, preset) for file in files]
    return preset_definition(preset, as_tried=True), inbound


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    if not path:
        return to
    found = copy.deepcopy(value)
    here = found
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = to
    return found


@pytest.mark.parametrize("preset", JSON_PRESETS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_delivery_that_is_nearly_right_is_read_or_set_aside(preset: str, data: st.DataObject) -> None:
    definition, payloads = tried(preset)
    inbound = data.draw(st.sampled_from(payloads))
    body = json.loads(inbound.body)
    for _ in range(data.draw(st.integers(1, 3))):
        body = changed(body, data.draw(st.sampled_from(places(body))), data.draw(ODD))
    readings = read(definition, post(body, inbound.headers), NOW)
    assert all(isinstance(each, READINGS) for each in readings)
    for each in readings:
        if isinstance(each, ConversationEnded):
            texts = [each.conversation_id, each.agent_id, each.team_id, each.channel, each.customer_ref, *each.tags]
            assert not [text for text in texts if text and ("\x00" in text or "\ud800" in text or len(text) > 256)]
            assert each.x_user_id is None or each.x_user_id.isdigit()


def test_exceeding_the_budget_raises_nothing() -> None:
    definition = preset_definition("token", as_tried=True)
    body = {"event": ["x"] * 30_000, "conversation_id": "c"}
    (reading,) = read(definition, post(body), NOW)
    assert isinstance(reading, Ignored | Unmappable)
    assert issubclass(TooCostly, Exception)
