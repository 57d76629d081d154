"""Figures from roll-ups equal the ledger's: random ledgers, late answers, erasures, embargo, zones, DST."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection, Engine

from service.db import reading, writing
from service.models import feedback_request, result, tally, tally_book
from service.reports.counting import live, recount
from service.reports.counting.book import book_of
from service.reports.counting.from_ledger import ledger_lines
from service.reports.counting.lines import Line, Slice
from service.reports.counting.live import lines
from service.reports.counting.sealing import seal, walk
from service.reports.counting.tally import month_of
from service.reports.thresholds import Thresholds
from service.reports.visible import View
from service.requests import seals
from service.settings import Settings
from tests.support import request_row, settings_of

f = feedback_request.c
BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
NOW = datetime.fromisoformat("2026-11-05T12:00:00+00:00")  # the clocks went back on 25 October
SETTINGS = settings_of(service__time_zone="Europe/Berlin")
SENT = {"card_sent", "unknown"}
STATES = (
    ("received", None),
    ("dm_sent", "waits"),
    ("card_sent", None),
    ("skipped", "stale"),
    ("unknown", "unclear_send"),
)

edges = [datetime(2026, 10, 1), datetime(2026, 10, 25), datetime(2026, 11, 1), datetime(2026, 11, 2)]  # noqa: DTZ001
near = st.builds(
    lambda edge, minutes: edge.replace(tzinfo=BERLIN) + timedelta(minutes=minutes),
    st.sampled_from(edges),
    st.sampled_from([-61, -1, 0, 1, 61]),
)
hours = near | st.integers(-24 * 45, 24 * 3).map(lambda hour: NOW + timedelta(hours=hour, minutes=hour % 60))
quarters = st.integers(-24 * 45 * 4, 24 * 4).map(lambda quarter: NOW + timedelta(minutes=15 * quarter))
scores = st.none() | st.integers(0, 10)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    state, reason = draw(st.sampled_from(STATES))
    ended = draw(hours)
    return {
        "state": state, "reason": reason, "ended_at": ended,
        "card_sent_at": ended + timedelta(hours=draw(st.integers(0, 30))) if state in SENT else None,
        "account": draw(st.sampled_from(["acme", "other", "third"])),
        "team_id": draw(st.sampled_from(["red", None])), "agent_id": draw(st.sampled_from(["ann", "bob", None])),
        "campaign": draw(st.sampled_from(["care", None])), "language": draw(st.sampled_from(["en", None])),
        "channel": draw(st.sampled_from(["chat", None])), "type": draw(st.sampled_from(["csat", "nps", None])),
        "question_variant_id": draw(st.sampled_from([1, 2, None])), "test": draw(st.integers(0, 9)) == 0,
    }  # fmt: skip


answers = st.fixed_dictionaries(
    {
        "score": scores, "score_at": st.none() | hours, "text": st.sampled_from(["slow", None]),
        "text_at": st.none() | hours, "first_seen_at": hours, "later": st.integers(0, 200),
    }
)  # fmt: skip
which = st.integers(0, 30)
changes_ = st.one_of(
    st.tuples(st.just("add"), requests()),
    st.tuples(st.just("answer"), which, answers),
    st.tuples(st.just("answer"), which, answers),
    st.tuples(st.just("move"), which, st.sampled_from(STATES)),
    st.tuples(st.just("erase"), which, st.booleans()),
)
steps = st.lists(
    st.one_of(
        changes_,
        changes_,
        st.tuples(st.just("seal"), st.integers(1, 3)),
        st.tuples(st.just("walk"), st.integers(1, 3)),
        st.tuples(st.just("anew"), st.just(0)),
    ),
    max_size=12,
)
BYS = ((), ("team",), ("agent", "team"), ("campaign",), ("hour",), ("account", "team"), ("variant",), ("hour", "agent"))


@st.composite
def questions(draw: st.DrawFn) -> Slice:
    since, until = draw(st.none() | quarters), draw(st.none() | quarters)
    if since is not None and until is not None and since > until:
        since, until = until, since
    chosen: dict[str, Any] = {
        "team": ["red"], "agent": ["ann", None], "account": ["acme"], "campaign": [None], "variant": [1],
        "channel": ["chat"],
    }  # fmt: skip
    narrowed = draw(st.lists(st.sampled_from(sorted(chosen)), max_size=1))
    return Slice(
        clock=draw(st.sampled_from(["scored_at", "sent_at", "ended_at", "updated_at"])),
        zone=draw(st.sampled_from([BERLIN, BERLIN, BERLIN, KOLKATA])),
        since=since,
        until=until,
        by=draw(st.sampled_from(BYS)),
        chosen={name: frozenset(chosen[name]) for name in narrowed},
        types=draw(st.sampled_from([(), ("csat",)])),
        daily=draw(st.booleans()),
        monthly=draw(st.booleans()),
        wanted=draw(st.sampled_from(["everything", "scores", "work"])),
    )


def added_up(found: Iterable[Line], q: Slice) -> dict[Any, list[int]]:
    """As groups: zeros are no groups, and without days a line is of its month."""
    groups: dict[Any, Counter[str]] = {}
    for line in found:
        day = line.day if q.daily or line.day is None else month_of(line.day)
        key = (line.values, day, line.type, line.variant, line.state, line.reason)
        counts = {f"s{score}": n for score, n in enumerate(line.scores)}
        if q.wanted != "scores":
            counts |= {"n": line.n, "answered": line.answered, "commented": line.commented}
        if q.wanted == "work":
            counts = {name: n for name, n in counts.items() if name[0] != "s"} | {"scored": sum(line.scores)}
        groups.setdefault(key, Counter()).update(counts)
    return {key: dict(counts) for key, counts in groups.items() if any(counts.values())}


def differences(connection: Connection) -> list[recount.Difference]:
    return list(recount.differences(connection))


class Ledger:
    """A ledger that changes as its writers change it."""

    def __init__(self, engine: Engine, settings: Settings = SETTINGS) -> None:
        self.engine, self.settings, self.ids = engine, settings, list[str]()
        with writing(engine) as connection:
            for table in (result, feedback_request, tally):
                connection.execute(sa.delete(table))
            connection.execute(sa.update(tally_book).values(generation=0, zone="", walked=""))

    def run(self, step: tuple[Any, ...]) -> None:
        name, *rest = step
        if name == "seal":
            seal(self.engine, self.settings, NOW, limit=rest[0])
        elif name == "walk":
            walk(self.engine, limit=rest[0])
        elif name == "anew":
            recount.begin_anew(self.engine, self.settings, NOW)
        elif name == "add":
            self.add(rest[0])
        elif self.ids:
            with writing(self.engine) as connection:
                getattr(self, name)(connection, self.ids[rest[0] % len(self.ids)], rest[1])

    def add(self, columns: dict[str, Any]) -> None:
        row = request_row(NOW, conversation_id=f"c-{len(self.ids)}", **columns)
        with writing(self.engine) as connection:
            connection.execute(sa.insert(feedback_request).values(row))
        self.ids.append(row["id"])

    def answer(self, connection: Connection, request_id: str, given: dict[str, Any]) -> None:
        seals.touch(connection, [request_id])
        seen = given["first_seen_at"]
        values = {
            **{name: value for name, value in given.items() if name != "later"}, "x_updated_at": seen,
            "updated_at": seen + timedelta(hours=given["later"]), "feedback_id": request_id[-20:],
            "first_channel": "show", "update_count": 1, "anomalies": 0,
        }  # fmt: skip
        known = connection.scalar(sa.select(result.c.request_id).where(result.c.request_id == request_id))
        if known is None:
            connection.execute(sa.insert(result).values(request_id=request_id, **values))
        else:
            connection.execute(sa.update(result).where(result.c.request_id == request_id).values(values))

    def move(self, connection: Connection, request_id: str, to: tuple[str, str | None]) -> None:
        state, reason = to
        sent = NOW if state == "card_sent" else None
        values = {"state": state, "reason": reason, "card_sent_at": sent, **seals.UNSEALED}
        connection.execute(sa.update(feedback_request).where(f.id == request_id).values(values))

    def erase(self, connection: Connection, request_id: str, scores: bool) -> None:
        seals.touch(connection, [request_id])
        gone: dict[str, Any] = {"text": None, "text_at": None, **({"score": None, "score_at": None} if scores else {})}
        theirs = sa.update(result).where(result.c.request_id == request_id)
        connection.execute(theirs.values(**gone, updated_at=NOW))


ACCOUNTS = ("acme", "other")
TODAY = NOW.replace(hour=0) - timedelta(hours=1)  # in Berlin
VIEWS = [View(ACCOUNTS, None, Thresholds()), View(ACCOUNTS, TODAY, Thresholds())]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    first=st.lists(requests(), min_size=4, max_size=10),
    early=st.lists(changes_, min_size=4, max_size=10),
    late=st.lists(changes_, min_size=1, max_size=8),
    then=st.none() | steps,
    asked=st.lists(questions(), min_size=10, max_size=14),
)
def test_roll_ups_give_what_the_ledger_gives(
    engine: Engine, first: Any, early: Any, late: Any, then: Any, asked: list[Slice]
) -> None:
    ledger = Ledger(engine)
    for each in first:
        ledger.add(each)
    for step in early:
        ledger.run(step)
    while seal(engine, SETTINGS, NOW):
        pass
    for step in (*late, *(then or ())):  # some of it is told to nobody yet
        ledger.run(step)
    with reading(engine) as connection:
        for q in asked:
            for view in VIEWS:
                assert added_up(lines(connection, view, q), q) == added_up(ledger_lines(connection, view, q), q)
        assert differences(connection) == []


def test_the_roll_ups_are_used(engine: Engine) -> None:
    """Else the test above would compare the ledger with itself."""
    ledger = Ledger(engine)
    for each in range(7):
        ledger.run(("add", {"state": "card_sent", "card_sent_at": NOW - timedelta(days=each)}))
    while seal(engine, SETTINGS, NOW, limit=3):
        pass
    with writing(engine) as connection:
        assert book_of(connection).holds(BERLIN)
        connection.execute(sa.update(tally).values(n=tally.c.n * 100))
        [told] = lines(connection, VIEWS[0], Slice("sent_at", BERLIN))
        assert told.n == 700
        assert len(differences(connection)) > 0
    recount.begin_anew(engine, SETTINGS, NOW)
    while walk(engine):
        pass
    with reading(engine) as connection:
        assert differences(connection) == []
        [told] = lines(connection, VIEWS[0], Slice("sent_at", BERLIN))
        assert told.n == 7


def test_what_retention_empties_under_an_embargo_is_not_held_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a day it may be more than anybody answers, and the roll-ups hold what may be told of it."""
    ledger, seen = Ledger(engine), NOW - timedelta(days=3)
    given = {"score": 5, "score_at": seen, "text": "slow", "text_at": seen, "first_seen_at": seen, "later": 0}
    for each in range(5):
        ledger.run(("add", {"state": "card_sent", "card_sent_at": seen}))
        ledger.run(("answer", each, {**given, "score_seen_at": seen, "text_seen_at": seen}))
        ledger.run(("answer", each, {**given, "text": None, "score_seen_at": seen, "text_seen_at": seen, "later": 70}))
    while seal(engine, SETTINGS, NOW):
        pass
    monkeypatch.setattr(live, "MOST_CHANGED", 3)
    with writing(engine) as connection:
        connection.execute(sa.update(tally).values(n=tally.c.n * 100))
        [told] = lines(connection, VIEWS[1], Slice("sent_at", BERLIN))
    assert (told.n, told.commented) == (500, 5)


def test_another_zone_is_recounted_and_correct_meanwhile(engine: Engine) -> None:
    ledger = Ledger(engine)
    for each in range(5):
        ledger.run(("add", {"ended_at": NOW - timedelta(days=each, hours=-11)}))
    while seal(engine, SETTINGS, NOW):
        pass
    moved = settings_of(service__time_zone="Asia/Kolkata")
    q = Slice("ended_at", KOLKATA, daily=True)
    seal(engine, moved, NOW, limit=1)
    with reading(engine) as connection:
        numbers = sorted(connection.scalars(sa.select(f.sealed)))
        assert added_up(lines(connection, VIEWS[0], q), q) == added_up(ledger_lines(connection, VIEWS[0], q), q)
    while seal(engine, moved, NOW):
        pass
    with reading(engine) as connection:
        assert book_of(connection).holds(KOLKATA)
        assert not book_of(connection).holds(BERLIN)
        assert sorted(connection.scalars(sa.select(f.sealed))) == numbers, "to a mirror nothing has changed"
        assert added_up(lines(connection, VIEWS[0], q), q) == added_up(ledger_lines(connection, VIEWS[0], q), q)
        assert connection.scalar(sa.select(sa.func.count(tally.c.generation.distinct()))) == 1


@pytest.mark.parametrize("at", ["2026-10-25T00:30:00+00:00", "2026-10-24T22:00:00+00:00", "2026-10-25T23:00:00+00:00"])
def test_a_day_of_25_hours_is_one_day(engine: Engine, at: str) -> None:
    moment = datetime.fromisoformat(at)
    ledger = Ledger(engine)
    ledger.run(("add", {"ended_at": moment}))
    while seal(engine, SETTINGS, NOW):
        pass
    whole = Slice("ended_at", BERLIN, datetime(2026, 10, 25, tzinfo=BERLIN), datetime(2026, 10, 26, tzinfo=BERLIN))
    with reading(engine) as connection:
        assert sum(line.n for line in lines(connection, VIEWS[0], whole)) == (moment.hour != 23)
