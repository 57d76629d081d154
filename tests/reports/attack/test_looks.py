"""Attacks by hand over HTTP (windows, clocks, a minute later, two keys): each is answered by whole releases only."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from tests.filled_ledgers import poured
from tests.reports.attack.http import Analysts
from tests.reports.attack.ledgers import BEGIN, Spoken, ledger
from tests.reports.attack.play import Lived, database
from tests.reports.world import Client

DAY = timedelta(days=1)


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[Lived]:
    """Five weeks of a ledger with small groups."""
    with database(tmp_path) as engine:
        found = Lived(engine)
        found.now, found.spoken = poured(engine, "five weeks", lambda: five_weeks(found))
        yield found


def five_weeks(lived: Lived) -> tuple[datetime, dict[str, Spoken]]:
    lived.live(ledger(2)[1], BEGIN + 36 * DAY)
    return lived.now, lived.spoken


@pytest.fixture
def analyst(lived: Lived) -> Client:
    return Analysts(lived).world.client("analyst")


def test_between_two_releases_answers_are_identical(lived: Lived) -> None:
    """Whatever came meanwhile: conversations, answers, somebody erased; from the API, its ETags and the dashboard."""
    analysts = Analysts(lived)
    before, rows = analysts.everything(), _n(analysts.world.client("supervisor"))
    assert {status for status, *_ in before.values()} == {200}
    today = lived.now.date()
    new = Spoken(today, today, 1, "red", "ann", "care", "en", 1)
    for number in ("x1", "x2", "x3"):
        lived.arrive(number, new)
    lived.erase_score(next(iter(lived.leaf_of_day())))
    after = analysts.everything()
    assert [name for name in before if before[name] != after[name]] == []
    assert _n(analysts.world.client("supervisor")) == rows + 2, "who sees rows is told of three more and one less"


def test_windows_that_end_a_day_apart_differ_by_a_whole_release(analyst: Client) -> None:
    """All teams up to a day, red up to that day, blue up to the day before: blue's one answer of that day."""
    for day in range(8, 34):
        until, earlier = ((BEGIN + n * DAY).isoformat() for n in (day, day - 1))
        whole, shorter = _n(analyst, until=until), _n(analyst, until=earlier)
        assert whole == shorter or whole - shorter >= 5
        for team in ("red", "blue", "green"):
            rest = [_n(analyst, until=until, team_id=each) for each in ("red", "blue", "green") if each != team]
            last = _n(analyst, until=earlier, team_id=team)
            assert whole - sum(rest) - last not in range(1, 5), (day, team)


@pytest.mark.parametrize("clock", ["scored_at", "sent_at", "ended_at", "updated_at"])
def test_only_one_clock_is_offered(analyst: Client, clock: str) -> None:
    assert analyst.refused("/v1/summary", 422, date_field=clock) == "one_clock"


def test_response_rates_are_of_whole_days_whatever_moment_is_asked(analyst: Client) -> None:
    told = set()
    for minute in range(0, 60, 7):
        summary = analyst.json("/v1/summary", until=f"2026-09-01T12:{minute:02}:00Z")
        told.add((summary["delivered"], summary["response_rate_of_delivered"]["successes"]))
    assert len(told) == 1


def test_two_keys_get_the_same_answers_about_an_account(lived: Lived) -> None:
    """All accounts by campaign, minus one account by campaign, are the releases of the other."""
    world = Analysts(lived).world
    both, one, other = (_campaigns(world.client("analyst", *accounts)) for accounts in ((), ("acme",), ("other",)))
    assert all(both[name] == one.get(name, 0) + other.get(name, 0) for name in both)
    assert all(n == 0 or n >= 5 for table in (both, one, other) for n in table.values())


def test_an_account_of_three_answers_waits(tmp_path: Path) -> None:
    with database(tmp_path) as engine:
        lived = Lived(engine)
        lived.live(
            [Spoken(BEGIN + n * DAY, BEGIN + n * DAY, 9, "red", "ann", "care", "en", 5) for n in range(3)], _later()
        )
        summary = Analysts(lived).world.client("analyst").json("/v1/summary")
        assert (summary["csat"]["n"], summary["csat"]["suppressed"]) == (None, "waits")
        assert summary["response_rate_of_delivered"]["successes"] is None


def _later() -> date:
    return BEGIN + 90 * DAY


def _n(client: Client, **asked: str) -> int:
    return client.json("/v1/summary", **asked)["csat"]["n"] or 0


def _campaigns(client: Client) -> dict[str | None, int]:
    [csat] = [each for each in client.json("/v1/breakdown", by="campaign")["items"] if each["type"] == "csat"]
    return {row["key"]: row["score"]["n"] for row in csat["rows"]}
