"""Items to events: everything that can be read, set aside or not understood."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.intake.mapping.events import ConversationEnded, ConversationReopened, Ignored, Unmappable
from service.intake.mapping.readings import read
from service.intake.values import fields
from service.settings import SettingsError
from tests.intake.app import define, post

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKEN = define("token")
AT = "2026-11-22T11:00:00Z"


def event(**more: Any) -> dict[str, Any]:
    return {"event": "conversation.ended", "conversation_id": "c-1", "ended_at": AT, **more}


def read_one(body: Any, definition: Any = TOKEN, headers: dict[str, str] | None = None) -> Any:
    readings = read(definition, post(body, headers), NOW)
    assert len(readings) == 1
    return readings[0]


def reason(body: Any, definition: Any = TOKEN) -> str:
    reading = read_one(body, definition)
    assert isinstance(reading, Unmappable)
    assert reading.detail
    return reading.reason


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "empty_body"),
        (b"   \n", "empty_body"),
        (b"{", "not_json"),
        (b'{"a": 1} trailing', "not_json"),
        (b"<xml/>", "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b'{"a": Infinity}', "not_json"),
        (b'{"a": -Infinity}', "not_json"),
        (b'{"a": "raw \x00 byte"}', "not_json"),
        (b'{"a": "\xff\xfe" "b"}', "not_utf8"),
        (b"\xff\xfe{}", "not_json"),
        (b"[" * 5000 + b"]" * 5000, "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "too_deep"),
    ],
)
def test_a_body_that_cannot_be_read_has_a_reason(body: bytes, expected: str) -> None:
    assert reason(body) == expected


def test_newline_separated_json_is_refused_with_advice() -> None:
    line = json.dumps(event()).encode()
    reading = read_one(line + b"\n" + line, headers={"content-type": "application/x-ndjson"})
    assert reading.reason == "not_json"
    assert reading.detail.endswith("Extra data; several events in one body are a JSON list, with events.split")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (event(conversation_id=None), "no_conversation_id"),
        (event(conversation_id=""), "no_conversation_id"),
        (event(conversation_id="null"), "no_conversation_id"),
        (event(conversation_id="undefined"), "no_conversation_id"),
        (event(conversation_id="{{ticket.id}}"), "bad_conversation_id"),
        (event(conversation_id="${id}"), "bad_conversation_id"),
        (event(conversation_id="a\x00b"), "bad_conversation_id"),
        (event(conversation_id="\ud800"), "bad_conversation_id"),
        (event(conversation_id="x" * 257), "bad_conversation_id"),
        (event(conversation_id=["c"]), "bad_conversation_id"),
        (event(conversation_id={}), "bad_conversation_id"),
        (event(conversation_id=1.5), "bad_conversation_id"),
        (event(conversation_id=True), "bad_conversation_id"),
        (event(ended_at=None), "no_ended_at"),
        (event(ended_at=""), "no_ended_at"),
        (event(ended_at="yesterday"), "bad_ended_at"),
        (event(ended_at="2026-11-22T11:00:00"), "bad_ended_at"),
        (event(ended_at=[AT]), "bad_ended_at"),
        (event(ended_at=True), "bad_ended_at"),
        (event(ended_at="1999-01-01T00:00:00Z"), "bad_ended_at"),
        (event(account="nobody"), "unknown_account"),
        (event(account=["acme"]), "unknown_account"),
    ],
)
def test_an_end_without_what_it_needs_has_a_reason(body: Any, expected: str) -> None:
    assert reason(body) == expected


def test_a_time_that_cannot_be_read_is_told_with_what_can_be() -> None:
    body, zone = event(ended_at="27.11.2026 10:00"), {"times": {"zone": "Europe/Berlin"}}
    for more, asks in (({}, True), (zone, False)):
        found = read_one(body, define("token", **more))
        assert isinstance(found, Unmappable)
        assert "2026-11-30T10:00:00Z" in found.detail
        assert ("needs times.zone" in found.detail) == asks


@pytest.mark.parametrize("conversation_id", ["c", 7, 0, 10**18, "x" * 256, "ünïcödé", "a b"])
def test_a_conversation_s_id_is_text_or_a_whole_number(conversation_id: Any) -> None:
    assert read_one(event(conversation_id=conversation_id)).conversation_id == str(conversation_id)


def test_a_float_with_a_zero_fraction_is_an_integer() -> None:
    reading = read_one(event(conversation_id=5158.0, agent_id=7.0, team_id=7.5, tenant=float(2**53), channel=1e300))
    assert (reading.conversation_id, reading.agent_id, reading.tenant) == ("5158", "7", str(2**53))
    assert (reading.team_id, reading.channel) == (None, None)


def test_a_number_beyond_any_database_stays_exact_as_text() -> None:
    body = b'{"event": "conversation.ended", "conversation_id": ' + b"9" * 40 + b', "ended_at": "2026-11-22T11:00:00Z"}'
    assert read_one(body).conversation_id == "9" * 40


def test_a_huge_number_in_an_unused_field_does_no_harm() -> None:
    body = json.dumps(event()).encode()[:-1] + b', "n": ' + b"9" * 5000 + b"}"
    assert isinstance(read_one(body), ConversationEnded)


def test_a_nul_or_lone_surrogate_in_an_unused_field_does_no_harm() -> None:
    assert isinstance(read_one(event(message="a\x00b\ud800")), ConversationEnded)


@pytest.mark.parametrize(
    "field", ["agent_id", "team_id", "language", "channel", "customer_ref", "tenant", "x_user_id", "x_handle", "tags"]
)
@pytest.mark.parametrize("value", ["a\x00b", "\ud800", {"a": 1}, "x" * 5000, [["x"]], 1.5, True])
def test_a_bad_field_is_set_aside_with_a_note_and_the_event_stays(field: str, value: Any) -> None:
    reading = read_one(event(**{field: value}))
    assert isinstance(reading, ConversationEnded)
    assert getattr(reading, field) in (None, ())
    assert [note for note in reading.notes if note.startswith(field)]
    assert "x" * 20 not in str(reading.notes)


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (["vip", "vip", " refund "], ("vip", "refund")),
        ("vip, refund,", ("vip", "refund")),
        ([1, None, "a"], ("1", "a")),
        ([], ()),
        (None, ()),
        (["t"] * 1000, ("t",)),
        (["a\x00b", "no-survey", {"a": 1}, "x" * 257], ("no-survey",)),
        (["x" * 256], ("x" * 256,)),
        ("vip;no-survey; refund\nsocial", ("vip", "no-survey", "refund", "social")),
        ('["vip", "no-survey", 7]', ("vip", "no-survey", "7")),
        (' ["kein Fragebogen, bitte"]', ("kein Fragebogen, bitte",)),
        ("[vip, no-survey", ("[vip", "no-survey")),
        ("[" * 100_000, ()),
        ([str(i) for i in range(1100)], tuple(str(i) for i in range(1000))),
    ],
)
def test_tags_are_a_list_or_words_in_a_text(value: Any, tags: tuple[str, ...]) -> None:
    assert read_one(event(tags=value)).tags == tags


def test_tags_that_are_set_aside_are_noted_without_their_words() -> None:
    notes: list[str] = []
    assert fields.tags(["vip", "a\x00secret", *(str(i) for i in range(1100))], notes)[0] == "vip"
    assert [note.partition(":")[0] for note in notes] == ["tags", "tags"]
    assert "secret" not in str(notes)
    fields.tags(["vip"], notes)
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("value", "language"),
    [("de", "de"), ("pt_BR", "pt-BR"), ("zh-Hant-TW", "zh-Hant-TW"), ("iw_IL", "he-IL"), ("", None)],
)
def test_a_language_is_a_tag(value: str, language: str | None) -> None:
    assert read_one(event(language=value)).language == language


def test_the_field_decides_what_an_identity_is() -> None:
    reading = read_one(event(x_handle="1234567"))
    assert (reading.x_user_id, reading.x_handle) == (None, "1234567")
    reading = read_one(event(x_user_id="@acme_fan"))
    assert (reading.x_user_id, reading.x_handle) == (None, None)
    assert "x_user_id is no X user id" in reading.notes[0]


def test_the_id_s_trust_counts_before_the_handle_s_and_the_handle_s_before_the_address_s() -> None:
    trusts = {"x_user_id": "vendor_verified", "x_handle": "bridge", "x_profile_url": "crm_entered"}
    definition = define("token", identity=trusts)
    url = {"x_profile_url": "https://x.com/other"}
    assert read_one(event(x_user_id="1", x_handle="a", **url), definition).identity_trust == "vendor_verified"
    assert read_one(event(x_handle="a", **url), definition).identity_trust == "bridge"
    found = read_one(event(**url), definition)
    assert (found.x_handle, found.identity_trust) == ("other", "crm_entered")


def test_the_id_of_whichever_network_it_was_counts_only_of_a_conversation_on_x() -> None:
    rule = {"on_x": ["twitter"], "own_id": True}
    for channel, found in (("Twitter", "501"), ("whatsapp", None), (None, None)):
        reading = read_one(event(x_user_id="501", x_handle="ann", channel=channel), define("token", channel=rule))
        assert (reading.x_user_id, reading.x_handle) == (found, "ann" if found else None)
        assert [note.partition(" ")[0] for note in reading.notes] == ([] if found else ["x_user_id", "x_handle"])
    x_s_own = define("token", channel={"on_x": ["twitter"]})
    assert read_one(event(x_user_id="501", channel="whatsapp"), x_s_own).x_user_id == "501"
    with pytest.raises(SettingsError, match="by which words does the CRM say that it was X"):
        define("token", channel={"own_id": True})


def test_an_x_id_as_a_number_above_2_to_the_53_is_set_aside_as_it_may_be_rounded() -> None:
    reading = read_one(event(x_user_id=2**53 + 2))
    assert reading.x_user_id is None
    assert "sent as a text" in reading.notes[0]


def test_an_end_ahead_of_our_clock_counts_from_its_arrival() -> None:
    reading = read_one(event(ended_at="2026-11-22T12:00:30Z"))
    assert reading.ended_at == NOW
    assert "ahead of our clock" in reading.notes[0]


def test_the_time_of_arrival_stands_only_where_the_definition_says_so() -> None:
    definition = define("token", map={"ended_at": "received"})
    assert read_one(event(ended_at=None), definition).ended_at == NOW


def test_a_reopening_without_a_usable_time_counts_from_its_arrival() -> None:
    for given_time in (None, "soon", "2030-01-01T00:00:00Z"):
        reading = read_one({"event": "conversation.reopened", "conversation_id": "c", "reopened_at": given_time})
        assert isinstance(reading, ConversationReopened)
        assert reading.reopened_at == NOW
        assert reading.notes


def test_a_reopening_falls_back_to_the_expression_of_the_end() -> None:
    definition = define("token", map={"reopened_at": ""})
    reading = read_one({"event": "conversation.reopened", "conversation_id": "c", "ended_at": AT}, definition)
    assert reading.reopened_at == datetime(2026, 11, 22, 11, tzinfo=UTC)


def test_another_event_is_ignored() -> None:
    assert read_one({"event": "other"}) == Ignored("other_event", None, None)


@pytest.mark.parametrize("body", [{}, [], "text", 7, None, True, {"type": "conversation.ended"}, {"event": None}])
def test_an_item_of_unknown_shape_is_unmappable_not_ignored(body: Any) -> None:
    assert reason(body) == "not_understood"
    assert "b.event" in read_one(body).detail


def test_an_ignored_item_keeps_its_conversation_for_erasing() -> None:
    assert read_one({"event": "message", "conversation_id": "c-9"}) == Ignored("other_event", "c-9", None)


def test_a_filter_that_fails_on_an_item_makes_it_unmappable() -> None:
    definition = define("token", events={"ended": "starts_with(b.event, 'conversation.e')"})
    assert reason({"event": 5}, definition) == "filter_failed"


def test_ended_and_reopened_at_once_is_a_mistake_of_the_definition() -> None:
    definition = define("token", events={"reopened": "b.event=='conversation.ended'"})
    assert reason(event(), definition) == "ended_and_reopened"


@pytest.mark.parametrize(
    ("rule", "channel", "outcome"),
    [
        ({"allow": ["X_DM"]}, "x_dm", ConversationEnded),
        ({"allow": ["x_dm"]}, "email", "other_channel"),
        ({"allow": ["x_dm"]}, None, ConversationEnded),
        ({"allow": ["x_dm"], "missing": "reject"}, None, "no_channel"),
        ({}, "anything", ConversationEnded),
    ],
)
def test_only_allowed_channels_are_asked_about(rule: dict[str, Any], channel: str | None, outcome: Any) -> None:
    reading = read_one(event(channel=channel), define("token", channel=rule))
    assert reading.reason == outcome if isinstance(outcome, str) else isinstance(reading, outcome)


def test_a_reopening_is_taken_whatever_its_channel() -> None:
    definition = define("token", channel={"allow": ["x_dm"], "missing": "reject"})
    body = {"event": "conversation.reopened", "conversation_id": "c", "reopened_at": AT}
    assert isinstance(read_one(body, definition), ConversationReopened)


def test_an_event_may_choose_among_the_accounts_of_its_source() -> None:
    definition = define("token", accounts=["acme_de"])
    assert read_one(event(account="acme_de"), definition).account == "acme_de"
    assert read_one(event(), definition).account == "acme"


def test_expressions_cannot_see_credentials() -> None:
    definition = define("token", map={"tenant": "h.authorization", "customer_ref": "q.token"})
    inbound = post(event(), {"authorization": "Bearer secret-secret"}, "token=secret-secret")
    reading = read(definition, inbound, NOW)[0]
    assert isinstance(reading, ConversationEnded)
    assert (reading.tenant, reading.customer_ref) == (None, None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [({"list": {}}, "not_a_list"), ({}, "not_a_list"), ({"list": [{}] * 1001}, "too_many_items")],
)
def test_a_split_that_finds_no_list_is_not_understood(body: Any, expected: str) -> None:
    assert reason(body, define("token", events={"split": "list"})) == expected


def test_a_split_that_fails_is_not_understood() -> None:
    assert reason({"list": 5}, define("token", events={"split": "sort(list)"})) == "split_failed"


def test_an_empty_list_gives_no_items() -> None:
    assert read(define("token", events={"split": "list"}), post({"list": []}), NOW) == ()


def test_items_are_read_in_order_and_one_bad_one_costs_only_itself() -> None:
    definition = define("token", events={"split": "@"})
    readings = read(
        definition, post([event(), event(ended_at="no"), {"event": "note"}, event(conversation_id="c-2")]), NOW
    )
    assert [type(each) for each in readings] == [ConversationEnded, Unmappable, Ignored, ConversationEnded]


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"event=conversation.ended&conversation_id=c-1&ended_at=1763830800", ConversationEnded),
        (b"", Unmappable),
        (b"\xff\xfe", Unmappable),
        (b"a=%FF", Unmappable),
        (b"&".join(b"a=1" for _ in range(1001)), Unmappable),
    ],
)
def test_a_form_is_read_like_json(body: bytes, outcome: type) -> None:
    definition = define("token", endpoint={"body": ["form"]})
    assert isinstance(read_one(body, definition), outcome)


def test_a_source_may_take_both_kinds_by_content_type() -> None:
    definition = define("token", endpoint={"body": ["json", "form"]})
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert isinstance(
        read_one(b"event=conversation.ended&conversation_id=c&ended_at=1763830800", definition, form), ConversationEnded
    )
    assert isinstance(read_one(event(), definition), ConversationEnded)


@settings(max_examples=150)
@given(body=st.binary(max_size=200))
def test_no_bytes_make_a_reading_raise(body: bytes) -> None:
    assert len(read(TOKEN, post(body), NOW)) == 1


@settings(max_examples=100)
@given(
    values=st.dictionaries(
        st.sampled_from(["conversation_id", "ended_at", "x_user_id", "x_handle", "tags", "language", "agent_id"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text())),
    )
)
def test_no_values_make_a_reading_raise(values: dict[str, Any]) -> None:
    body = json.dumps(event(**values)).encode()
    assert isinstance(read_one(body), ConversationEnded | Unmappable)


@pytest.mark.parametrize(("said", "read"), [("AI", "ai"), (" Human ", "human"), ("NOBODY", "nobody"), ("robot", None)])
def test_who_handled_it_is_one_word_however_it_is_written(said: str, read: str | None) -> None:
    reading = read_one(event(who=said), define("token", map={"handled_by": "b.who"}))
    assert reading.handled_by == read
    assert bool(reading.notes) == (read is None)
