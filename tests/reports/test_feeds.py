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
from structlog.testing import capture_logs

from service.db import reading, writing
from service.models import access_log, feed, metadata
from service.reports.figures import saved
from service.reports.report_query import ReportQuery
from service.telemetry import logs
from tests.floor.app import App
from tests.reports.world import World, settings_of


@pytest.fixture
def app(engine: Engine) -> App:
    """Six weeks of answers, old enough to be released, and some that are not."""
    world = World(engine)
    world.begun("six weeks of feeds", six_weeks)
    return App(engine, settings_of(web__requests_per_minute=5), world.clock)


def six_weeks(world: World) -> None:
    for week in range(6):
        world.add(40, score=5, days_ago=7 * week + 4)
        world.add(20, score=1, days_ago=7 * week + 4, team_id="blue", agent_id="=cmd")
    world.released()
    world.add(7, score=5, days_ago=0.1)


def made(app: App, key: str, name: str = "board", **question: Any) -> Any:
    answer = app.call("POST", "/v1/feeds", key, {"name": name, "question": question})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def read(app: App, address: str) -> Any:
    """As IMPORTDATA does: an address, and no header of ours."""
    return app.client.get(address.removeprefix("http://127.0.0.1:8000"))


def table(app: App, address: str) -> list[dict[str, str]]:
    answer = read(app, address)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_an_address_alone_reads_what_an_analyst_reads(app: App) -> None:
    feed_ = made(app, app.key("supervisor"), figure="trend", period="week", type=["csat"])
    analyst = app.call("GET", "/v1/trend?period=week&type=csat", app.key("analyst")).get_json()["items"][0]
    lines = table(app, feed_["address"])
    assert [(each["label"], each["n"]) for each in lines] == [
        (point["label"], str(point["score"]["n"])) for point in analyst["points"]
    ]
    assert sum(int(each["n"]) for each in lines) > 200
    supervisor = app.call("GET", "/v1/trend?period=week&type=csat", app.key("supervisor")).get_json()["items"][0]
    assert supervisor["total"]["n"] > analyst["total"]["n"], "what is not released yet is not in it"


def test_it_is_never_cached_and_sends_no_referrer(app: App) -> None:
    answer = read(app, made(app, app.key(), figure="summary")["address"])
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
def test_every_figure_is_a_table(app: App, question: dict[str, Any], columns: set[str]) -> None:
    lines = table(app, made(app, app.key("supervisor"), **question)["address"])
    assert lines
    assert columns <= set(lines[0])
    if question.get("by") == "team":
        assert {each["key"] for each in lines if not each.get("rest")} == {"red", "blue"}


def test_the_last_days_are_whole_days(app: App) -> None:
    """The last release has the days since the 12th, ten days ago."""
    of_ten, of_nine = (table(app, made(app, app.key(), figure="summary", last_days=n)["address"])[0] for n in (10, 9))
    assert (of_ten["n"], of_ten["since"]) == ("60", "2026-11-12T00:00:00.000000Z")
    assert of_nine["suppressed"] == "waits"


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
    app = App(quick.engine, settings_of(), quick.clock)
    lines = table(app, made(app, app.key(), **question)["address"])
    assert lines
    if question["figure"] != "coverage":
        assert {each["suppressed"] for each in lines} <= {"waits", "releases_being_made"}


def test_a_name_is_no_formula(app: App) -> None:
    text = read(app, made(app, app.key(), figure="coverage", by="agent")["address"]).text
    assert '"\'=cmd"' in text


def test_a_feed_sees_the_accounts_of_the_key_it_was_made_with_and_no_others(app: App) -> None:
    theirs, all_ = app.key("supervisor", "other"), app.key("supervisor")
    not_theirs = {"name": "x", "question": {"figure": "funnel", "account": ["acme"]}}
    feed_ = made(app, theirs, figure="summary")
    assert [each["n"] for each in table(app, feed_["address"]) if each["figure"] == "csat"] == [""]
    assert app.refused(403, "POST", "/v1/feeds", theirs, not_theirs) == "account_not_allowed"
    mine = app.key("supervisor", "acme")
    assert app.call("GET", "/v1/feeds", mine).get_json()["items"] == []
    assert app.refused(404, "DELETE", f"/v1/feeds/{feed_['id']}", mine) == "no_such_feed"
    assert [each["id"] for each in app.call("GET", "/v1/feeds", all_).get_json()["items"]] == [feed_["id"]]


def test_a_feed_is_listed_with_its_last_use_and_ends_at_once(app: App) -> None:
    key = app.key("supervisor")
    feed_ = made(app, key, figure="summary")
    [before] = app.call("GET", "/v1/feeds", key).get_json()["items"]
    assert before["last_used_at"] is None
    assert "address" not in before
    app.clock.now += timedelta(hours=1)
    read(app, feed_["address"])
    [after] = app.call("GET", "/v1/feeds", key).get_json()["items"]
    assert after["last_used_at"].startswith(app.clock.now.strftime("%Y-%m-%dT%H:%M"))
    assert app.call("DELETE", f"/v1/feeds/{feed_['id']}", key).status_code == 204
    with capture_logs() as said:
        assert read(app, feed_["address"]).get_json()["code"] == "no_such_feed"
    [told] = said
    assert (told["event"], told["surface"], told["key_id"]) == ("key_refused", "feed", feed_["id"])
    assert feed_["address"].rpartition("/")[2].removesuffix(".csv") not in str(told)
    assert app.call("GET", "/v1/feeds", key).get_json()["items"][0]["revoked_at"]
    assert [row[1] for row in app.audit()] == ["feed.create", "feed.revoke"]


def test_analysts_make_none_and_an_address_does_nothing_else(app: App) -> None:
    assert app.refused(403, "POST", "/v1/feeds", app.key("analyst"), {}) == "role_not_allowed"
    address = made(app, app.key(), figure="summary")["address"].removeprefix("http://127.0.0.1:8000")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert app.client.open(address, method=method).status_code == 405
    secret = address.rpartition("/")[2].removesuffix(".csv")
    assert app.refused(401, "GET", "/v1/summary", secret) == "key_invalid"


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
        ({"figure": "trend", "last_days": 7, "until": "2099-01-01"}, 422),
        ({"figure": "summary", "channel": ["chat"]}, 422),
        ({"figure": "summary", "date_field": "sent_at"}, 422),
        ({"figure": "summary", "account": ["nobody"]}, 422),
        ({"figure": "summary", "q": "words"}, 422),
    ],
)
def test_an_invalid_question_is_not_saved(engine: Engine, question: dict[str, Any], status: int) -> None:
    app = App(engine, settings_of())
    app.refused(status, "POST", "/v1/feeds", app.key(), {"name": "x", "question": question})
    assert app.rows(feed) == []


def test_a_feed_is_computed_before_anything_is_written(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds_there: list[int] = []
    told = saved.answer

    def answer(query: ReportQuery, question: Any) -> bytes:
        with writing(app.engine) as another:  # on SQLite it would wait in vain, were a feed being written
            feeds_there.append(another.scalar(sa.select(sa.func.count()).select_from(feed)) or 0)
        return told(query, question)

    key = app.key()
    monkeypatch.setattr("service.reports.figures.saved.answer", answer)
    made(app, key, figure="summary")
    assert feeds_there == [0]


def test_a_reading_is_one_commit_and_touches_no_key(app: App) -> None:
    address, seen = made(app, app.key(), figure="summary")["address"], []
    sa.event.listen(app.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    read(app, address)
    changes = [each.split()[:2] for each in seen if each.split()[0] in {"INSERT", "UPDATE", "DELETE"}]
    assert changes == [["INSERT", "INTO"], ["DELETE", "FROM"], ["UPDATE", "feed"]]


def test_all_wrong_addresses_get_the_same_answer(app: App) -> None:
    feed_ = made(app, app.key(), figure="summary")
    right = feed_["address"].rpartition("/")[2]
    told = {
        read(app, path).get_json()["detail"]
        for path in (
            f"/v1/feeds/{feed_['id']}/wrong.csv",
            f"/v1/feeds/{'0' * 12}/{right}",
            f"/v1/feeds/x/{right}",
            "/v1/feeds/%F0%9F%98%80/%ED%A0%80.csv",
        )
    }
    assert len(told) == 1


def test_a_minute_has_its_limit_for_each_feed(app: App) -> None:
    address = made(app, app.key(), figure="funnel")["address"]
    assert [read(app, address).status_code for _ in range(6)] == [200] * 5 + [429]


def test_a_repeated_post_makes_one_feed_and_its_secret_is_kept_nowhere(app: App) -> None:
    key = app.key()
    body = {"name": "once", "question": {"figure": "summary"}}
    headers = {"Idempotency-Key": "abc"}
    first = app.call("POST", "/v1/feeds", key, body, headers=headers)
    again = app.call("POST", "/v1/feeds", key, body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 409)
    secret = first.get_json()["address"].rpartition("/")[2].removesuffix(".csv")
    assert len(app.rows(feed)) == 1
    for each in metadata.sorted_tables:
        assert secret not in repr(app.rows(each)), each.name


@pytest.fixture
def configured() -> Iterator[None]:
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_secret_is_in_no_log(
    app: App, configured: None, form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure(form)
    address = made(app, app.key(), figure="summary")["address"]
    secret = address.rpartition("/")[2].removesuffix(".csv")
    read(app, address)
    monkeypatch.setattr("service.reports.figures.saved.answer", lambda *_: 1 / 0)
    assert read(app, address).status_code == 500
    told = capsys.readouterr()
    assert "/v1/feeds/<feed_id>/<secret>.csv" in told.out + told.err
    assert secret not in told.out + told.err
    with reading(app.engine) as connection:
        assert secret not in json.dumps([row.detail for row in connection.execute(sa.select(access_log))])
