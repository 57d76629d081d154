"""Feeds: an address with a secret answers one question by an analyst's rules until it is revoked; no log has it."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.models import access_log, feed, metadata
from service.reports.figures import saved
from service.reports.report_query import ReportQuery
from service.telemetry import logs
from tests.floor.house import House
from tests.reports.world import World, settings_of


@pytest.fixture
def house(engine: Engine) -> House:
    """Six weeks of answers, old enough to be released, and some that are not."""
    world = World(engine)
    world.begun("six weeks of feeds", six_weeks)
    return House(engine, settings_of(web__requests_per_minute=5), world.clock)


def six_weeks(world: World) -> None:
    with world.at_once():
        for week in range(6):
            world.add(40, score=5, days_ago=7 * week + 4)
            world.add(20, score=1, days_ago=7 * week + 4, team_id="blue", agent_id="=cmd")
    world.released()
    world.add(7, score=5, days_ago=0.1)


def made(house: House, key: str, name: str = "board", **question: Any) -> Any:
    answer = house.call("POST", "/v1/feeds", key, {"name": name, "question": question})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def read(house: House, address: str) -> Any:
    """As IMPORTDATA does: an address, and no header of ours."""
    return house.client.get(address.removeprefix("http://127.0.0.1:8000"))


def table(house: House, address: str) -> list[dict[str, str]]:
    answer = read(house, address)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_an_address_alone_reads_what_an_analyst_reads(house: House) -> None:
    feed_ = made(house, house.key("supervisor"), figure="trend", period="week", type=["csat"])
    analyst = house.call("GET", "/v1/trend?period=week&type=csat", house.key("analyst")).get_json()["items"][0]
    lines = table(house, feed_["address"])
    assert [(each["label"], each["n"]) for each in lines] == [
        (point["label"], str(point["score"]["n"])) for point in analyst["points"]
    ]
    assert sum(int(each["n"]) for each in lines) > 200
    supervisor = house.call("GET", "/v1/trend?period=week&type=csat", house.key("supervisor")).get_json()["items"][0]
    assert supervisor["total"]["n"] > analyst["total"]["n"], "what is not released yet is not in it"


def test_it_is_never_cached_and_sends_no_referrer(house: House) -> None:
    answer = read(house, made(house, house.key(), figure="summary")["address"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("question", "columns"),
    [
        ({"figure": "summary"}, {"figure", "value", "n"}),
        ({"figure": "funnel"}, {"stage", "n"}),
        ({"figure": "coverage", "by": "team"}, {"key", "ended", "offered", "share"}),
        ({"figure": "breakdown", "by": "team"}, {"key", "value", "n", "rest"}),
        ({"figure": "trend", "by": "team", "period": "week", "last_days": 60}, {"key", "label", "value", "n"}),
    ],
)
def test_every_figure_is_a_table(house: House, question: dict[str, Any], columns: set[str]) -> None:
    lines = table(house, made(house, house.key("supervisor"), **question)["address"])
    assert lines
    assert columns <= set(lines[0])
    if question.get("by") == "team":
        assert {each["key"] for each in lines if not each.get("rest")} == {"red", "blue"}


@pytest.mark.parametrize(
    "question",
    [
        {"figure": "trend", "period": "week"},
        {"figure": "trend", "by": "team", "period": "week"},
        {"figure": "breakdown", "by": "team"},
        {"figure": "coverage", "by": "team"},
    ],
)
def test_an_empty_feed_says_what_it_waits_for(quick: World, question: dict[str, Any]) -> None:
    quick.add(20, score=5, days_ago=0.1)
    house = House(quick.engine, settings_of(), quick.clock)
    lines = table(house, made(house, house.key(), **question)["address"])
    assert lines
    if question["figure"] != "coverage":
        assert {each["suppressed"] for each in lines} <= {"waits", "releases_being_made"}


def test_a_name_is_no_formula(house: House) -> None:
    text = read(house, made(house, house.key(), figure="coverage", by="agent")["address"]).text
    assert '"\'=cmd"' in text


def test_a_feed_sees_the_accounts_of_the_key_it_was_made_with_and_no_others(house: House) -> None:
    theirs, all_ = house.key("supervisor", "other"), house.key("supervisor")
    not_theirs = {"name": "x", "question": {"figure": "funnel", "account": ["acme"]}}
    feed_ = made(house, theirs, figure="summary")
    assert [each["n"] for each in table(house, feed_["address"]) if each["figure"] == "csat"] == [""]
    assert house.refused(403, "POST", "/v1/feeds", theirs, not_theirs) == "account_not_allowed"
    mine = house.key("supervisor", "acme")
    assert house.call("GET", "/v1/feeds", mine).get_json()["items"] == []
    assert house.refused(404, "DELETE", f"/v1/feeds/{feed_['id']}", mine) == "no_such_feed"
    assert [each["id"] for each in house.call("GET", "/v1/feeds", all_).get_json()["items"]] == [feed_["id"]]


def test_a_feed_is_listed_with_its_last_use_and_ends_at_once(house: House) -> None:
    key = house.key("supervisor")
    feed_ = made(house, key, figure="summary")
    [before] = house.call("GET", "/v1/feeds", key).get_json()["items"]
    assert before["last_used_at"] is None
    assert "address" not in before
    house.clock.now += timedelta(hours=1)
    read(house, feed_["address"])
    [after] = house.call("GET", "/v1/feeds", key).get_json()["items"]
    assert after["last_used_at"].startswith(house.clock.now.strftime("%Y-%m-%dT%H:%M"))
    assert house.call("DELETE", f"/v1/feeds/{feed_['id']}", key).status_code == 204
    assert read(house, feed_["address"]).get_json()["code"] == "no_such_feed"
    assert house.call("GET", "/v1/feeds", key).get_json()["items"][0]["revoked_at"]
    assert [row[1] for row in house.audit()] == ["feed.create", "feed.revoke"]


def test_analysts_make_none_and_an_address_does_nothing_else(house: House) -> None:
    assert house.refused(403, "POST", "/v1/feeds", house.key("analyst"), {}) == "role_not_allowed"
    address = made(house, house.key(), figure="summary")["address"].removeprefix("http://127.0.0.1:8000")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert house.client.open(address, method=method).status_code == 405
    secret = address.rpartition("/")[2].removesuffix(".csv")
    assert house.refused(401, "GET", "/v1/summary", secret) == "key_invalid"


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ({}, 422),
        ({"figure": "results"}, 422),
        ({"figure": "breakdown"}, 422),
        ({"figure": "summary", "by": "team"}, 422),
        ({"figure": "summary", "period": "day"}, 422),
        ({"figure": "trend", "by": "agent", "period": "day"}, 422),
        ({"figure": "trend", "last_days": 7, "since": "2026-01-01"}, 422),
        ({"figure": "summary", "channel": ["chat"]}, 422),
        ({"figure": "summary", "date_field": "sent_at"}, 422),
        ({"figure": "summary", "account": ["nobody"]}, 422),
        ({"figure": "summary", "q": "words"}, 422),
    ],
)
def test_an_invalid_question_is_not_saved(engine: Engine, question: dict[str, Any], status: int) -> None:
    house = House(engine, settings_of())
    house.refused(status, "POST", "/v1/feeds", house.key(), {"name": "x", "question": question})
    assert house.rows(feed) == []


def test_a_feed_is_computed_before_anything_is_written(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds_there: list[int] = []
    told = saved.answer

    def answer(query: ReportQuery, question: Any) -> bytes:
        with writing(house.engine) as another:  # on SQLite it would wait in vain, were a feed being written
            feeds_there.append(another.scalar(sa.select(sa.func.count()).select_from(feed)) or 0)
        return told(query, question)

    key = house.key()
    monkeypatch.setattr("service.reports.figures.saved.answer", answer)
    made(house, key, figure="summary")
    assert feeds_there == [0]


def test_a_reading_is_one_commit_and_touches_no_key(house: House) -> None:
    address, seen = made(house, house.key(), figure="summary")["address"], []
    sa.event.listen(house.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    read(house, address)
    changes = [each.split()[:2] for each in seen if each.split()[0] in {"INSERT", "UPDATE", "DELETE"}]
    assert changes == [["INSERT", "INTO"], ["DELETE", "FROM"], ["UPDATE", "feed"]]


def test_all_wrong_addresses_get_the_same_answer(house: House) -> None:
    feed_ = made(house, house.key(), figure="summary")
    right = feed_["address"].rpartition("/")[2]
    told = {
        read(house, path).get_json()["detail"]
        for path in (
            f"/v1/feeds/{feed_['id']}/wrong.csv",
            f"/v1/feeds/{'0' * 12}/{right}",
            f"/v1/feeds/x/{right}",
            "/v1/feeds/%F0%9F%98%80/%ED%A0%80.csv",
        )
    }
    assert len(told) == 1


def test_a_minute_has_its_limit_for_each_feed(house: House) -> None:
    address = made(house, house.key(), figure="funnel")["address"]
    assert [read(house, address).status_code for _ in range(6)] == [200] * 5 + [429]


def test_a_repeated_post_makes_one_feed_and_its_secret_is_kept_nowhere(house: House) -> None:
    key = house.key()
    body = {"name": "once", "question": {"figure": "summary"}}
    headers = {"Idempotency-Key": "abc"}
    first = house.call("POST", "/v1/feeds", key, body, headers=headers)
    again = house.call("POST", "/v1/feeds", key, body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 409)
    secret = first.get_json()["address"].rpartition("/")[2].removesuffix(".csv")
    assert len(house.rows(feed)) == 1
    for each in metadata.sorted_tables:
        assert secret not in repr(house.rows(each)), each.name


@pytest.fixture
def configured() -> Iterator[None]:
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_secret_is_in_no_log(
    house: House, configured: None, form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure(form)
    address = made(house, house.key(), figure="summary")["address"]
    secret = address.rpartition("/")[2].removesuffix(".csv")
    read(house, address)
    monkeypatch.setattr("service.reports.figures.saved.answer", lambda *_: 1 / 0)
    assert read(house, address).status_code == 500
    told = capsys.readouterr()
    assert "/v1/feeds/<feed_id>/<secret>.csv" in told.out + told.err
    assert secret not in told.out + told.err
    with reading(house.engine) as connection:
        assert secret not in json.dumps([row.detail for row in connection.execute(sa.select(access_log))])
