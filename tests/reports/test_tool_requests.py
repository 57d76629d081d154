"""What dashboards, BI tools and mirrors ask of the API: any window, long lists of ids, repeated POSTs."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from service.app import create_app
from tests.reports.world import NOW, Client, World, settings_of
from tests.support import settings_of as whole_settings

DAY = timedelta(days=1)
REPEATABLE = {"/v1/opt-outs", "/v1/conversations/{source}/{conversation_id}/link"}
"""A POST that comes to the same however often it is sent: whoever is on a list is on it, a link is made once."""


@pytest.fixture
def berlin(quick: World) -> World:
    """Answers of today, yesterday and the weeks before, in a service whose day is not UTC's."""
    quick.settings = settings_of(service__time_zone="Europe/Berlin")
    return quick.begun("days of Berlin", told_in_berlin)


def told_in_berlin(quick: World) -> None:
    quick.add(43, score=5, days_ago=0.4)
    quick.add(20, score=2, days_ago=1.4)
    for week in range(1, 7):
        quick.add(12, score=4, days_ago=7 * week)
    quick.released()


def window(since: datetime, until: datetime) -> dict[str, str]:
    return {"since": since.isoformat().replace("+00:00", "Z"), "until": until.isoformat().replace("+00:00", "Z")}


MIDNIGHT = NOW.replace(hour=0, minute=0)
WINDOWS = {
    "the last day": (NOW - DAY, NOW),
    "until beyond now": (NOW - DAY, NOW + DAY),
    "a day of UTC": (MIDNIGHT, MIDNIGHT + DAY),
    "two days of UTC": (MIDNIGHT - DAY, MIDNIGHT + DAY),
    "to the second": (NOW - DAY - timedelta(seconds=17), NOW - timedelta(hours=5, seconds=3)),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_whatever_window_a_tool_sends_the_figure_is_that_of_the_rows(berlin: World, name: str) -> None:
    client, asked = berlin.client(), window(*WINDOWS[name])
    rows = client.json("/v1/results", **asked, date_field="scored_at", limit=250)["items"]
    csat = client.json("/v1/summary", **asked)["csat"]
    assert csat["n"] == len(rows) > 0
    assert csat["value"] is not None
    assert csat["suppressed"] is None


def test_two_windows_that_begin_at_no_midnight_are_compared(berlin: World) -> None:
    now, before = window(NOW - DAY, NOW), window(NOW - 2 * DAY, NOW - DAY)
    other = {f"other_{name}": value for name, value in before.items()}
    [one] = berlin.client().json("/v1/compare", **now, **other, type="csat")["comparisons"]
    assert (one["a"]["n"], one["b"]["n"]) == (43, 20)
    assert one["change"]["verdict"] == "changed"


@pytest.mark.parametrize("name", WINDOWS)
def test_a_reader_of_releases_never_gets_a_silent_zero(berlin: World, name: str) -> None:
    csat = berlin.client("analyst").json("/v1/summary", **window(*WINDOWS[name]))["csat"]
    assert (csat["n"], csat["value"], csat["suppressed"]) == (None, None, "waits")
    assert berlin.client("analyst").json("/v1/summary")["csat"]["n"] > 50, "what is released is told"


def test_as_many_ids_as_are_documented_can_be_asked_for_and_no_more(berlin: World) -> None:
    made = [f"fr_{number:028x}" for number in range(249)] + berlin.add(1, score=5, days_ago=0.2)
    client = berlin.client()
    assert len(one(client, made)["items"]) == 1
    assert "/v1/results" not in client.refused("/v1/results", 422, request_id=[*made, "fr_more"])


def one(client: Client, ids: list[str]) -> Any:
    return client.json("/v1/results", request_id=ids)


def test_a_repeated_post_is_done_once(sqlite_engine: Engine) -> None:
    app = create_app(whole_settings(), sqlite_engine)
    paths = app.test_client().get("/openapi.json").get_json()["paths"]
    posts = {path: methods["post"] for path, methods in paths.items() if path.startswith("/v1/") and "post" in methods}
    named = {
        path for path, post in posts.items()
        if "Idempotency-Key" in {each.get("name") for each in post.get("parameters", ())}
    }  # fmt: skip
    assert named | REPEATABLE == posts.keys()
    assert not named & REPEATABLE
