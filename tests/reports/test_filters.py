"""Filters: what a reader may ask, and how a mistake is answered."""

from datetime import UTC, datetime

import pytest
from werkzeug.datastructures import MultiDict

from service.auth import Reader
from service.errors import ServiceError
from service.reports.filters import Filter, parse
from tests.reports.world import ADMIN, settings_of

SETTINGS = settings_of()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read(*pairs: tuple[str, str], reader: Reader = ADMIN) -> Filter:
    return parse(MultiDict(pairs), reader, SETTINGS)


def refused(*pairs: tuple[str, str], reader: Reader = ADMIN) -> str:
    with pytest.raises(ServiceError) as caught:
        read(*pairs, reader=reader)
    return caught.value.code


def test_every_parameter_has_its_place_in_the_filter():
    found = read(
        ("account", "acme"),
        ("campaign", "care"),
        ("source", "crm"),
        ("team_id", "red"),
        ("team_id", ""),
        ("agent_id", "ann"),
        ("type", "csat"),
        ("score", "5"),
        ("score", "4"),
        ("language", "en"),
        ("question_variant_id", "3"),
        ("state", "skipped"),
        ("reason", "cooldown"),
        ("request_id", "fr_1"),
        ("conversation_id", "c-1"),
        ("has_text", "true"),
        ("answered", "false"),
        ("include_test", "true"),
        ("date_field", "sent_at"),
    )
    assert found == Filter(
        chosen={
            "account": ("acme",), "campaign": ("care",), "source": ("crm",), "team": ("red", None), "agent": ("ann",),
            "language": ("en",), "variant": (3,),
        },
        date_field="sent_at", types=("csat",), scores=(5, 4), has_text=True, states=("skipped",), reasons=("cooldown",),
        request_ids=("fr_1",), conversation_ids=("c-1",), answered=False, include_test=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-22T12:00:00Z",
        "2026-11-22t12:00:00z",
        "2026-11-22T13:00:00+01:00",
        "2026-11-22T13:00:00 01:00",  # an unescaped + arrives as a blank
        "1795348800",
        "1795348800000",
    ],
)
def test_times_are_rfc_3339_or_epoch(written):
    assert read(("since", written)).since == NOON


def test_a_date_is_midnight_in_the_services_zone():
    settings = settings_of(service__time_zone="Europe/Berlin")
    assert parse({"since": "2026-07-01"}, ADMIN, settings).since == datetime(2026, 6, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["yesterday", "2026-11-22T12:00:00", "2026-13-01", "", "0001-01-01", "9999-12-31", "1e9", "99999999999999999", "٣"],
)
def test_other_times_are_refused(written):
    assert refused(("since", written)) == "invalid_parameter"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("score", "4.7"),
        ("score", "4e0"),
        ("score", " 4"),
        ("score", "٤"),
        ("question_variant_id", "9999999999999999999999"),
        ("has_text", "perhaps"),
        ("type", "CSAT"),
        ("state", "sent"),
        ("date_field", "created_at"),
        ("agent_id", "a\0b"),
        ("agent_id", "\ud800"),
        ("agent_id", "a" * 257),
        ("reason", "cool_down"),
    ],
)
def test_values_are_taken_strictly(name, written):
    assert refused((name, written)) == "invalid_parameter"


def test_an_unknown_parameter_is_an_error():
    assert refused(("agent", "ann")) == "unknown_parameter"


def test_a_value_given_twice_where_one_is_meant_is_an_error():
    assert refused(("since", "2026-01-01"), ("since", "2026-01-02")) == "invalid_parameter"


def test_since_must_lie_before_until():
    assert refused(("since", "2026-01-02"), ("until", "2026-01-02")) == "since_after_until"


def test_ten_thousand_ids_are_too_many():
    assert refused(*(("request_id", f"fr_{i}") for i in range(10_000))) == "invalid_parameter"


def test_an_account_the_key_does_not_cover_is_refused():
    reader = Reader("k", "n", "supervisor", ("acme",))
    assert refused(("account", "other"), reader=reader) == "account_not_allowed"
    assert read(("account", "acme"), reader=reader).of("account") == ("acme",)


def test_the_access_log_learns_of_words_and_conversations_only_that_they_were_asked_for():
    asked = read(("q", "parcel"), ("conversation_id", "c-1"), ("conversation_id", "c-2"), ("agent_id", "ann"))
    assert asked.logged() == {"agent_id": ["ann"], "searched": True, "conversations": 2}
    assert read(("agent_id", "ann")).logged() == {"agent_id": ["ann"]}


def test_a_logged_filter_contains_only_what_was_asked():
    assert read(("since", "2026-11-22T12:00:00Z"), ("agent_id", "ann")).described() == {
        "since": "2026-11-22T12:00:00Z",
        "agent_id": ["ann"],
    }


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("answered", "false"), {"answered": False}),
        (("has_text", "false"), {"has_text": False}),
        (("done", "false"), {"done": False}),
        (("score_from", "0"), {"score_from": 0}),
        (("score_to", "0"), {"score_to": 0}),
        (("score", "0"), {"score": [0]}),
        (("owner", ""), {"owner": ""}),
        (("include_test", "false"), {}),
    ],
)
def test_false_and_zero_are_values_too(asked, told):
    assert read(asked).described() == told
