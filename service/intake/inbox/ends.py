"""Is this end of a conversation new? Returns nothing, or whose repeat it is. Pure, and the only place that decides it.

However many ends a delivery reports, each costs a search in two sorted lists: no statement, and no look at the others.
"""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.db.leases import CLOCKS_DIFFER
from service.intake.inbox.records import SAME_CONVERSATION

AT_ONCE = timedelta(microseconds=1)  # the least by which two moments are two


@dataclass(frozen=True, slots=True)
class Repeat:
    """An end that repeats another: why, and the request it belongs to."""

    reason: str
    request_id: str


@dataclass(slots=True)
class Timeline:
    """A conversation's ends and reopenings in order of time. Grows while a delivery about it is judged."""

    requests: dict[datetime, str] = field(default_factory=dict)  # of each end, by its time
    ended: list[datetime] = field(default_factory=list)
    reopened: list[datetime] = field(default_factory=list)

    def add_end(self, at: datetime, request_id: str) -> None:
        """Add an end that has a request."""
        self.requests[at] = request_id
        insort(self.ended, at)

    def add_reopening(self, at: datetime) -> bool:
        """Add a reopening; False if it is known."""
        place = bisect_left(self.reopened, at)
        if place < len(self.reopened) and self.reopened[place] == at:
            return False
        self.reopened.insert(place, at)
        return True

    def after_its_ends(self, arrived: datetime) -> datetime:
        """Place a reopening timed by its arrival after all ends that arrived before, whatever our clock did."""
        return max(arrived, self.ended[-1]) if self.ended else arrived

    def where_it_stands(self, arrived: datetime) -> datetime:
        """Find a reopening timed by its arrival that was placed after an end, whose time is then its own."""
        later = bisect_right(self.reopened, arrived), bisect_right(self.reopened, arrived + CLOCKS_DIFFER)
        return next((at for at in self.reopened[slice(*later)] if at in self.requests), arrived)

    def after_its_reopenings(self, arrived: datetime) -> datetime:
        """Place an end timed by its arrival after every reopening that arrived before, by whichever clock.

        The margin is how far clocks may differ: a reopening further ahead did not arrive before.
        """
        ahead = bisect_right(self.reopened, arrived + CLOCKS_DIFFER)
        latest = self.reopened[ahead - 1] if ahead else arrived
        return latest + AT_ONCE if latest > arrived else arrived

    def repeat(self, at: datetime, again_after: timedelta | None) -> Repeat | None:
        """Return which end an end at `at` repeats; None if it is new."""
        if at in self.requests:
            return Repeat("same_end", self.requests[at])
        place = bisect_left(self.ended, at)
        for neighbour in self.ended[max(place - 1, 0) : place + 1]:
            if not self._lie_apart(min(neighbour, at), max(neighbour, at), again_after):
                return Repeat(SAME_CONVERSATION, self.requests[neighbour])
        return None

    def _lie_apart(self, first: datetime, second: datetime, again_after: timedelta | None) -> bool:
        """Whether two ends are distinct: reopened in between, or far enough apart in time."""
        place = bisect_left(self.reopened, first)
        if place < len(self.reopened) and self.reopened[place] < second:
            return True
        return again_after is not None and second - first > again_after
