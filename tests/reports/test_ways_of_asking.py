"""Ways of asking in the figures: kept apart, never added silently, compared like any two groups."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.db import reading, writing
from service.models import tally, tally_book
from service.reports.counting.recount import differences
from service.reports.disclosure.closing import close_due
from service.reports.disclosure.partitions import PARTITIONS
from service.reports.disclosure.spans import over_at, span_of
from service.reports.disclosure.store import ReleaseSeries, walks
from tests.reports.world import World


@pytest.fixture
def three(world: World) -> World:
    """Three ways, asked and answered differently. What older versions wrote says nothing: it was the card."""
    world.add(30, score=5)
    world.add(10)
    world.add(12, score=2, way="page")
    world.add(8, way="page")
    world.add(6, score=4, way="quick_reply")
    world.add(9, state="skipped", reason="no_campaign", campaign=None, kind=None)
    return world


def test_every_surface_tells_ways_apart(three: World) -> None:
    client = three.client()
    [csat] = client.json("/v1/breakdown", by="way", type="csat")["items"]
    rows = {row["key"]: row for row in csat["rows"]}
    assert {key: (row["score"]["n"], row["delivered"]) for key, row in rows.items()} == {
        "card": (30, 40), "page": (12, 20), "quick_reply": (6, 6),
    }  # fmt: skip
    assert rows["page"]["response_rate"]["value"] == 60
    assert client.json("/v1/summary", way="page")["response_rate_of_delivered"]["n"] == 20
    assert client.json("/v1/funnel", way="card")["answered"] == 30
    coverage = {row["key"]: row["ended"] for row in client.json("/v1/coverage", by="way")["rows"]}
    assert coverage == {"card": 40, "page": 20, "quick_reply": 6, None: 9}
    assert len(client.json("/v1/results", way="page", limit=50)["items"]) == 12
    assert {row["way"] for row in client.json("/v1/requests", limit=100)["items"]} == {
        "card", "page", "quick_reply", None,
    }  # fmt: skip


def test_conversations_without_a_campaign_are_not_compared(three: World) -> None:
    """They have no way, and their share is nought by what they are."""
    three.add(200, state="skipped", reason="no_campaign", kind=None, campaign=None)
    rows = {row["key"]: row for row in three.client().json("/v1/coverage", by="way")["rows"]}
    assert (rows[None]["share"], rows[None]["place"], rows[None]["limit_low"]) == (0, None, None)
    assert {rows[way]["place"] for way in ("card", "page", "quick_reply")} == {"inside"}


def test_a_figure_over_more_than_one_way_names_each_with_its_n(three: World) -> None:
    client = three.client()
    found = client.json("/v1/summary")["csat"]
    assert found["ways"] == [{"way": "card", "n": 30}, {"way": "page", "n": 12}, {"way": "quick_reply", "n": 6}]
    assert found["ways_pooled"] is True
    one = client.json("/v1/summary", way="card")["csat"]
    assert (one["ways"], one["ways_pooled"]) == ([{"way": "card", "n": 30}], False)


def test_compare_tests_the_mode_effect_and_says_where_one_may_hide(three: World) -> None:
    client = three.client()
    [csat] = client.json("/v1/compare", by="way", a="card", b="page", type="csat")["comparisons"]
    assert (csat["a"]["n"], csat["b"]["n"], csat["change"]["verdict"]) == (30, 12, "changed")
    assert csat["ways_differ"] is True
    three.add(20, score=5, agent_id="bob")
    [csat] = client.json("/v1/compare", by="agent", a="ann", b="bob", type="csat")["comparisons"]
    assert csat["ways_differ"] is True, "bob's customers were asked by the card alone"
    [csat] = client.json("/v1/compare", by="agent", a="ann", b="bob", type="csat", way="card")["comparisons"]
    assert csat["ways_differ"] is False


def test_a_row_says_how_its_score_came(three: World) -> None:
    [beside] = three.add(1, score=3, agent_id="bob")
    three.set_result(beside, score_way="page")
    [row] = [row for row in three.client().json("/v1/results", limit=100)["items"] if row["request_id"] == beside]
    assert (row["way"], row["score_way"]) == ("card", "page"), "a link beside the card was answered"
    [mute] = three.add(1, text="words only")
    [row] = [row for row in three.client().json("/v1/results", limit=100)["items"] if row["request_id"] == mute]
    assert row["score_way"] is None


def test_roll_ups_hold_ways_and_agree_with_the_ledger(three: World) -> None:
    with reading(three.engine) as connection:
        assert list(differences(connection)) == []
        held = set(connection.scalars(sa.select(tally.c.way).where(tally.c.grain == "account")))
    assert held == {"card", "page", "quick_reply", None}


def test_roll_ups_of_a_version_without_ways_are_counted_anew(three: World) -> None:
    """As after the migration: the column is empty, and the book says which dimensions it holds."""
    with writing(three.engine) as connection:
        connection.execute(sa.update(tally).values(way=None))
        connection.execute(sa.update(tally_book).values(shape="team,agent"))
    n = {row["key"]: row["score"]["n"] for row in three.client().json("/v1/breakdown", by="way")["items"][0]["rows"]}
    assert n["page"] == 12, "from the ledger, until the roll-ups are there"
    three.tell()
    with reading(three.engine) as connection:
        assert list(differences(connection)) == []
    assert three.client().json("/v1/summary", way="page")["csat"]["n"] == 12


def test_analysts_are_told_ways_by_whole_releases_and_no_mode_effect(three: World) -> None:
    three.clock.now += timedelta(days=90)
    three.released()
    analyst = three.client("analyst")
    [csat] = analyst.json("/v1/breakdown", by="way", type="csat")["items"]
    assert {row["key"]: row["score"]["n"] for row in csat["rows"]} == {"card": 30, "page": 12, "quick_reply": 6}
    assert analyst.refused("/v1/compare", 422, by="way", a="card", b="page") == "mode_effect_not_released"
    assert analyst.refused("/v1/breakdown", 422, by="way", team_id="red") == "one_at_a_time"
    assert analyst.refused("/v1/coverage", 422, by="way") == "by_people_only"


def test_a_partition_of_a_later_version_begins_with_the_next_whole_span(quick: World) -> None:
    """Cells frozen before it do not say the way."""
    quick.add(40, score=5)
    quick.released()
    acme = ReleaseSeries("acme", "csat")
    with writing(quick.engine) as connection:
        connection.exec_driver_sql("DELETE FROM release_walk WHERE partition = 'way'")
    close_due(quick.engine, quick.settings, quick.clock.now)
    today = over_at(quick.clock.now, quick.settings.service.time_zone)
    with reading(quick.engine) as connection:
        assert walks(connection)[acme]["way"] == span_of(today, PARTITIONS["way"].weeks)[1]
