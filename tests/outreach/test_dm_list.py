"""X's DM list: what a reading of it proves, and that its reader keeps the lease."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import Engine

from service.accounts import dm_list, task_leases
from service.accounts.dm_list import EVER, DmListReader, Listing
from service.accounts.list_following import ReadOn, Task, keep, read_on
from service.db import reading, writing
from service.x_api import DirectMessage, DmPage, XAnswer
from service.x_api.facts import ParseProblem
from tests.support import settings_of

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR_AGO = NOON - timedelta(hours=1)
ACCOUNT = settings_of().accounts["acme"]


def message(minutes_ago: float, **facts: object) -> DirectMessage:
    return DirectMessage(**{"id": str(minutes_ago), "created_at": NOON - timedelta(minutes=minutes_ago), **facts})  # type: ignore[arg-type]


@dataclass
class List:
    """Pages in their order, each asked for by the cursor of the one before."""

    pages: list[DmPage]
    asked: list[str | None] = field(default_factory=list)
    dated: datetime | None = None

    def __call__(self, cursor: str | None) -> XAnswer[DmPage]:
        self.asked.append(cursor)
        return XAnswer(self.pages[len(self.asked) - 1], None, dated=self.dated)


def read(engine: Engine, pages: list[DmPage], back_to: datetime, most: int = 10, *, to_prove: bool = True) -> Listing:
    reader = DmListReader(engine, ACCOUNT, lambda _: True, lambda: NOON)
    return reader.read_back(List(pages), back_to, pages_at_most=most, to_prove=to_prove)


def test_it_is_read_to_a_moment_or_to_its_end(sqlite_engine: Engine) -> None:
    far = read(sqlite_engine, [DmPage((message(5),), "b"), DmPage((), "c"), DmPage((message(90),), "d")], HOUR_AGO)
    assert (far.pages, far.back_to, far.proves_absence_since(HOUR_AGO)) == (3, NOON - timedelta(minutes=90), True)
    end = read(sqlite_engine, [DmPage((message(5),), "b"), DmPage((), None)], HOUR_AGO)
    assert (end.back_to, end.problem, end.proves_absence_since(HOUR_AGO)) == (EVER, None, True)


@pytest.mark.parametrize(
    ("sender", "recipient", "ours"),
    [
        (ACCOUNT.user_id, "501", True),
        ("501", ACCOUNT.user_id, True),
        ("501", None, True),
        (None, "501", True),
        ("501", "502", False),
    ],
)
def test_a_page_between_others_is_somebody_elses_list(
    sqlite_engine: Engine, sender: str | None, recipient: str | None, ours: bool
) -> None:
    """Nothing of it counts, and nothing is proven."""
    found = read(sqlite_engine, [DmPage((message(5, sender_id=sender, recipient_id=recipient),), None)], HOUR_AGO)
    assert (found.pages, found.problem) == ((1, None) if ours else (0, "not_our_list"))
    assert (len(found.messages), found.proves_absence_since(HOUR_AGO)) == ((1, True) if ours else (0, False))


@pytest.mark.parametrize(("dated", "read_at"), [(None, 0), (-1, 0), (0, 0), (239, 0), (-2, -1), (-240, -239)])
def test_it_is_as_new_as_x_dates_it_and_no_newer_than_our_clock(
    sqlite_engine: Engine, dated: int | None, read_at: int
) -> None:
    """Our clock may be ahead, a cache may hand out what X said some time ago; a date has no parts of a second."""
    pages = List([DmPage((), None)], dated=None if dated is None else NOON + timedelta(seconds=dated))
    reader = DmListReader(sqlite_engine, ACCOUNT, lambda _: True, lambda: NOON)
    assert reader.read_back(pages, HOUR_AGO, pages_at_most=1).read_at == NOON + timedelta(seconds=read_at)


@pytest.mark.parametrize(
    "odd",
    [
        DmPage((message(5),), None, (ParseProblem("events[1]", "id is missing"),)),
        DmPage((message(5), message(6, created_at=None)), None),
    ],
)
def test_an_unreadable_or_undated_message_may_be_any_message(sqlite_engine: Engine, odd: DmPage) -> None:
    found = read(sqlite_engine, [odd], HOUR_AGO)
    assert found.reaches(HOUR_AGO)
    assert not found.proves_absence_since(HOUR_AGO)


@pytest.mark.parametrize(
    ("pages", "most", "problem"),
    [
        ([DmPage((message(5),), "b"), DmPage((message(6),), "b")], 10, "cursor_repeated"),
        ([DmPage((message(5),), "b"), DmPage((message(6),), "c")], 2, "many_pages"),
    ],
)
def test_a_list_that_repeats_or_never_ends_proves_nothing(
    sqlite_engine: Engine, pages: list[DmPage], most: int, problem: str
) -> None:
    found = read(sqlite_engine, pages, HOUR_AGO, most)
    assert (found.problem, found.pages) == (problem, 2)
    assert not found.proves_absence_since(HOUR_AGO)


@pytest.mark.parametrize(
    "pages",
    [
        [DmPage((message(90), message(80)), "b"), DmPage((message(5),), "c"), DmPage((message(4),), None)],
        [DmPage((message(5), message(9000), message(6)), "b"), DmPage((message(7),), "c"), DmPage((message(8),), None)],
    ],
    ids=["oldest first", "an old one among them"],
)
def test_an_unordered_list_proves_nothing_before_its_end(sqlite_engine: Engine, pages: list[DmPage]) -> None:
    cut = read(sqlite_engine, pages, HOUR_AGO, most=2)
    assert (cut.pages, cut.proves_absence_since(HOUR_AGO)) == (2, False)
    whole = read(sqlite_engine, pages, HOUR_AGO)
    assert (whole.pages, whole.back_to, whole.proves_absence_since(HOUR_AGO)) == (3, EVER, True)


STRAY = [
    DmPage((message(5), message(9000), message(6)), "b"), DmPage((message(50), message(70)), "c"),
    DmPage((message(80), message(90)), "d"), DmPage((message(95),), None),
]  # fmt: skip


def test_a_message_out_of_order_does_not_end_a_reading(sqlite_engine: Engine) -> None:
    found = read(sqlite_engine, STRAY, HOUR_AGO, to_prove=False)
    assert (found.pages, found.reaches(HOUR_AGO), found.proves_absence_since(HOUR_AGO)) == (3, True, False)


def test_an_old_first_page_does_not_end_an_unordered_list(sqlite_engine: Engine) -> None:
    pages = [DmPage((message(90), message(80)), "b"), DmPage((message(5), message(4)), None)]
    assert read(sqlite_engine, pages, HOUR_AGO, to_prove=False).back_to == EVER


def turn(engine: Engine, task: Task, pages: List, now: datetime, must_show: str | None = None) -> ReadOn:
    with writing(engine) as connection:
        token = task_leases.begin(connection, "acme", task.name, now, timedelta(minutes=5))
    found = read_on(engine, ACCOUNT, task, str(token), pages, HOUR_AGO, lambda: now)
    with writing(engine) as connection:
        assert task_leases.end(connection, "acme", task.name, str(token), now)
        keep(connection, ACCOUNT, task, found, must_show)
    return found


@pytest.mark.parametrize(("shown", "read"), [(message(20, id="9"), True), (message(20), False)])
def test_a_list_without_what_must_be_in_it_counts_as_unread(engine: Engine, shown: DirectMessage, read: bool) -> None:
    task = Task("inbox", 3)
    found = turn(engine, task, List([DmPage((shown,), None)]), NOON, "9")
    assert found.whole
    assert found.surely(ACCOUNT) == (HOUR_AGO + timedelta(minutes=2), NOON - timedelta(minutes=5))
    with reading(engine) as connection:
        assert task_leases.moment(connection, "acme", task.read) == (NOON if read else None)


def test_one_message_out_of_order_does_not_stop_following_the_list(engine: Engine) -> None:
    """The calls end before the list does: the next turn goes on there, whatever stands at the top."""
    task, pages = Task("inbox", 3), List([*STRAY[:2], DmPage((message(55),), "e"), *STRAY[:3]])
    found = [turn(engine, task, pages, NOON), turn(engine, task, pages, NOON + timedelta(minutes=20))]
    assert [(each.pages, each.whole) for each in found] == [(3, False), (3, True)]
    assert pages.asked == [None, "b", "c", None, "b", "e"]


def test_small_differences_between_ids_and_dates_are_in_order(sqlite_engine: Engine) -> None:
    near = DmPage((message(5), message(5.5), message(5.1), message(90)), "b")
    assert read(sqlite_engine, [near], HOUR_AGO).proves_absence_since(HOUR_AGO)


def ticking(by: timedelta) -> Iterator[datetime]:
    now = NOON
    while True:
        yield now
        now += by


def test_ten_slow_pages_do_not_outlast_the_turn(engine: Engine) -> None:
    with writing(engine) as connection:
        token = task_leases.begin(connection, "acme", "confirm", NOON, timedelta(minutes=1))
    assert token is not None
    times = ticking(timedelta(seconds=40))
    pages = [DmPage((message(n),), f"c{n}") for n in range(4)] + [DmPage((), None)]
    reader = DmListReader(engine, ACCOUNT, dm_list.a_share(engine, ACCOUNT, "confirm", token), lambda: next(times))
    listing = reader.read_back(List(pages), HOUR_AGO, pages_at_most=9)
    later = next(times)
    assert (listing.pages, later - NOON > task_leases.LEASE) == (5, True)
    with reading(engine) as connection:
        assert not task_leases.may_begin(connection, "acme", "confirm", later, timedelta(minutes=1))
    with writing(engine) as connection:
        assert task_leases.end(connection, "acme", "confirm", token, later)


def test_a_reader_that_lost_its_lease_stops(engine: Engine) -> None:
    with writing(engine) as connection:
        slept = task_leases.begin(connection, "acme", "confirm", NOON, timedelta(minutes=1))
        taken = task_leases.begin(connection, "acme", "confirm", NOON + 2 * task_leases.LEASE, timedelta(minutes=1))
    assert (slept is not None, taken is not None) == (True, True)
    reader = DmListReader(engine, ACCOUNT, dm_list.a_share(engine, ACCOUNT, "confirm", str(slept)), lambda: NOON)
    pages = List([DmPage((), None)])
    found = reader.read_back(pages, NOON, pages_at_most=10)
    assert (found.pages, found.messages, pages.asked) == (0, [], [])
