"""Where a table is cut: bounds, and how long a piece is, from how long rows are kept. Pure.

An id bound is the beginning of an id: `whd_0192f3c1a2b3` sorts before every id of that millisecond.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.db import from_micros, to_micros
from service.db.partitioned import CUT_BY
from service.ids import first_id
from service.settings.sections import Privacy

DAY, WEEK, MONTH = timedelta(days=1), timedelta(days=7), timedelta(days=31)
PIECES = 20
"""A row goes with the last of its piece: at most a twentieth later than its age says, or a day."""

MILLISECOND = timedelta(milliseconds=1)
HEX = 12


@dataclass(frozen=True, slots=True)
class TableCut:
    """How one table is cut. `prefix`: of ids in `column`; None: it holds times.

    `aged_by`: what makes a row due, if that may be later than its place says.
    """

    table: str
    column: str
    prefix: str | None
    aged_by: str | None
    keep: timedelta

    @property
    def width(self) -> timedelta:
        """How long a piece is: a day, a week or a month."""
        return next((each for each in (MONTH, WEEK) if self.keep >= each * PIECES), DAY)

    def bound(self, moment: datetime) -> str:
        """Return what sorts before every row of this moment and after every older one."""
        if self.prefix is None:
            return str(to_micros(moment))
        return first_id(self.prefix, moment)

    def moment(self, bound: str) -> datetime:
        """Return the moment of a bound."""
        if self.prefix is None:
            return from_micros(int(bound))
        start = len(self.prefix) + 1
        return datetime.fromtimestamp(0, UTC) + int(bound[start : start + HEX], 16) * MILLISECOND

    def end_of_piece(self, begin: datetime) -> datetime:
        """Return where a piece that begins then ends: midnight UTC, of a day, a Monday or the first of a month."""
        day = begin.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.width == DAY:
            return day + DAY
        if self.width == WEEK:
            return day + (7 - day.weekday()) * DAY
        return (day.replace(day=1) + MONTH).replace(day=1)


def cuts(privacy: Privacy) -> Mapping[str, TableCut]:
    """Return how each table is cut, by name, in the order of conversion."""
    of: Mapping[str, tuple[str | None, str | None, timedelta]] = {
        "transition": ("fr", "at", privacy.keep_history),
        "access_log": (None, None, privacy.keep_access_log),
        "delivery_item": ("whd", None, privacy.keep_deliveries),
        "webhook_delivery": ("whd", "received_at", privacy.keep_deliveries),
    }
    return {table: TableCut(table, column, *of[table]) for table, column in CUT_BY.items()}
