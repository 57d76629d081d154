"""Readers of rows get figures that equal a recount of /v1/results and /v1/requests."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from service.reports.counting.sealing import seal
from tests.reports.world import NOW, Client, World, settings_of

FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"agent_id": "ann"},
    {"agent_id": ["bob", "cat", "dan"]},
    {"team_id": "red"},
    {"agent_id": ""},
    {"campaign": "care", "team_id": "blue"},
    {"account": "acme"},
    {"channel": "chat"},
    {"language": ["en", ""]},
)


def windows(draw: random.Random) -> tuple[dict[str, Any], ...]:
    since = NOW - timedelta(hours=draw.randrange(24 * 60))
    until = since + timedelta(minutes=draw.randrange(60 * 24 * 50))
    return {}, {"since": since.isoformat()}, {"since": since.isoformat(), "until": until.isoformat()}


def filled(world: World, draw: random.Random) -> None:
    for _ in range(90):
        sent = draw.random() < 0.8
        kind = draw.choice(["csat", "csat", "nps"])
        answered = sent and draw.random() < 0.6
        agent, team = draw.choice(
            [
                ("ann", "red"),
                ("ann", "red"),
                ("bob", "blue"),
                ("cat", "blue"),
                ("dan", "red"),
                (None, "red"),
                (None, None),
            ]
        )
        few = agent in {"cat", "dan"} and draw.random() < 0.8
        world.add(
            score=draw.randrange(1, 6) if answered and not few and draw.random() < 0.9 else None,
            text="words" if answered and draw.random() < 0.5 else None,
            days_ago=draw.randrange(60 * 24) / 24 + 0.01,
            state="card_sent" if sent else draw.choice(["skipped", "received"]),
            kind=kind if sent else None,
            agent_id=agent,
            team_id=team,
            campaign=draw.choice(["care", "vip"]),
            account=draw.choice(["acme", "acme", "other"]),
            channel=draw.choice(["chat", None]),
            language=draw.choice(["en", "de", None]),
        )  # fmt: skip


def every(client: Client, path: str, **query: Any) -> list[dict[str, Any]]:
    found, cursor = [], ""
    while True:
        page = client.json(path, limit=250, sort="ended_at", cursor=cursor, **query)
        found += page["items"]
        if not (cursor := page["next_cursor"]):
            return found


def recounted(rows: list[dict[str, Any]], kind: str) -> dict[int, int]:
    return dict(Counter(row["score"] for row in rows if row["type"] == kind and row["score"] is not None))


def told(score: dict[str, Any]) -> dict[int, int]:
    assert score["n"] == sum(each["n"] for each in score["distribution"])
    return {each["score"]: each["n"] for each in score["distribution"] if each["n"]}


@pytest.mark.parametrize("embargo", ["none", "next_day"])
@pytest.mark.parametrize("seed", range(2))
def test_every_figure_is_a_recount_of_the_rows(world: World, seed: int, embargo: str) -> None:
    draw = random.Random(seed)
    world.settings = settings_of(service__time_zone="Europe/Berlin", reports__embargo=embargo)
    filled(world, draw)
    world.told()
    filled(world, draw)
    world.untold.clear()
    seal(world.engine, world.settings, NOW, limit=30)
    client = world.client()
    for narrowed in FILTERS:
        for window in windows(draw):
            asked = {**narrowed, **window}
            summary = client.json("/v1/summary", **asked)
            rows = every(client, "/v1/results", date_field="scored_at", **asked)
            assert told(summary["csat"]) == recounted(rows, "csat"), asked
            assert told(summary["nps"]) == recounted(rows, "nps"), asked
            ended = every(client, "/v1/requests", date_field="ended_at", **asked)
            assert summary["ended"] == len(ended), asked
            sent = every(client, "/v1/requests", date_field="sent_at", **asked)
            assert summary["delivered"] == sum(row["state"] == "card_sent" for row in sent), asked
            funnel = client.json("/v1/funnel", **asked)
            assert funnel["ended"] == len(ended)
            assert funnel["delivered"] == sum(row["state"] == "card_sent" for row in ended)


@pytest.mark.parametrize("by", ["agent", "team", "campaign", "account"])
def test_a_breakdown_is_a_recount_of_the_rows_by_the_name_they_bear(world: World, by: str) -> None:
    client = world.begun("ninety conversations", lambda one: filled(one, random.Random(7))).client()
    rows = every(client, "/v1/results", date_field="scored_at")
    name = {"agent": "agent_id", "team": "team_id"}.get(by, by)
    for group in client.json("/v1/breakdown", by=by)["items"]:
        there = [row for row in rows if row["type"] == group["type"] and row["score"] is not None]
        hidden = [row for row in there if row["suppressed"] and row["conversation_id"] is None]
        whose = Counter(row[name] for row in there if by in {"campaign", "account"} or row not in hidden)
        found = {row["key"]: row["score"]["n"] for row in group["rows"] if row["rest"] is None and row["score"]["n"]}
        assert found == dict(whose)
        rest = [row["score"]["n"] for row in group["rows"] if row["rest"] == "not_named"]
        assert sum(rest) == (len(hidden) if by in {"agent", "team"} else 0)


@pytest.mark.parametrize("by", ["agent", "team", "campaign", "account", "hour"])
def test_a_trend_by_group_adds_up_to_the_breakdown(world: World, by: str) -> None:
    client = world.begun("ninety conversations", lambda one: filled(one, random.Random(7))).client()
    rows = {
        (group["type"], row["key"], row["rest"]): row
        for group in client.json("/v1/breakdown", by=by)["items"]
        for row in group["rows"]
        if row["score"]["n"] or row["delivered"]
    }
    trends = client.json("/v1/trend", by=by, period="week")["items"]
    told = {(each["type"], each["key"], each["rest"]): each for each in trends}
    assert rows
    assert set(rows) <= set(told)
    for name, each in told.items():
        assert each["by"] == by
        row = rows.get(name)
        assert each["total"]["n"] == (row["score"]["n"] if row else 0), name
        assert sum(point["score"]["n"] for point in each["points"]) == each["total"]["n"]
        assert sum(point["delivered"] for point in each["points"]) == (row["delivered"] if row else 0)
    assert len({tuple(point["label"] for point in each["points"]) for each in trends}) == 1, "side by side"


def test_a_trend_of_more_points_than_anybody_reads_is_refused(world: World) -> None:
    for number in range(30):
        world.add(1, score=5, days_ago=390, agent_id=f"a{number}", campaign=f"c{number}")
    client = world.client()
    assert client.refused("/v1/trend", 422, by="campaign") == "too_many_points"
    assert len(client.json("/v1/trend", by="campaign", period="month")["items"]) == 60


@pytest.mark.parametrize("told", [True, False], ids=["rolled up", "not yet rolled up"])
def test_a_language_whose_tag_has_changed_stays_one_language(world: World, told: bool) -> None:
    """Who has asked since before `no` became `nb` reads no break in their figures, and rewrites no row."""
    for tag, n in (("no", 3), ("nb", 4), ("no-NO", 2), (None, 1)):
        world.add(n, score=5, text="takk", language=tag)
    if not told:
        world.untold.clear()
    client = world.client()
    (group,) = client.json("/v1/breakdown", by="language", type="csat")["items"]
    assert {row["key"]: row["score"]["n"] for row in group["rows"]} == {"nb": 7, "nb-NO": 2, None: 1}
    (trend,) = (each for each in client.json("/v1/trend", by="language", type="csat")["items"] if each["key"] == "nb")
    assert trend["total"]["n"] == 7
    for asked in ("nb", "no"):
        rows = every(client, "/v1/results", language=asked)
        assert sorted(row["language"] for row in rows) == ["nb"] * 4 + ["no"] * 3
        assert client.json("/v1/summary", language=asked)["csat"]["n"] == len(rows)
    assert len(every(client, "/v1/results", language=["nb", ""])) == 8
