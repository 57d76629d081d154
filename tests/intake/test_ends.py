"""Is an end new? Decided from the sorted times of one conversation, without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from service.db.leases import CLOCKS_DIFFER
from service.intake.inbox.ends import Timeline

T = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LEAST = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("reopened", "counts_at"),
    [
        ([], timedelta()),
        ([-LEAST], timedelta()),
        ([timedelta()], timedelta()),  # told in one breath: which came first nobody knows
        ([LEAST], 2 * LEAST),
        ([timedelta(seconds=30), timedelta(seconds=90)], timedelta(seconds=90) + LEAST),
        ([CLOCKS_DIFFER], CLOCKS_DIFFER + LEAST),
        ([CLOCKS_DIFFER + LEAST], timedelta()),  # no clock is so far ahead: it came after
        ([timedelta(seconds=30), timedelta(days=1)], timedelta(seconds=30) + LEAST),
    ],
)
def test_an_end_timed_by_arrival_follows_what_arrived_before(reopened: list[timedelta], counts_at: timedelta) -> None:
    known = Timeline()
    for each in reopened:
        known.add_reopening(T + each)
    assert known.after_its_reopenings(T) == T + counts_at
