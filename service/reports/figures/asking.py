"""One question to the ledger: in, who asks what and when; out, the pieces every figure is made of. Never shows any."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from service.auth.keys import Reader
from service.reports.counting.cells import Cell, Dimension, Value, cells_of, dimensions_of, wanted
from service.reports.counting.counts import Counts, Groups, counted, total
from service.reports.counting.periods import asked_of
from service.reports.disclosure.protection import Question, Selection, select
from service.reports.filters import Filter
from service.reports.visible import View, view_of
from service.settings import Settings

KINDS = ("csat", "nps")


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks what. `score_clock` and `rate_clock` say by which moment answers and rates are dated."""

    connection: Connection
    view: View
    filter: Filter
    now: datetime
    zone: ZoneInfo
    wanted: Mapping[Dimension, frozenset[Value]]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of card asked about; they are never added."""
        return tuple(kind for kind in KINDS if not self.filter.types or kind in self.filter.types)

    @property
    def score_clock(self) -> str:
        """The clock of scores: the filter's, or the day the score was given."""
        return self.filter.date_field or "scored_at"

    @property
    def rate_clock(self) -> str:
        """The clock of response rates: their cohort is what was sent, or ended if the filter says so."""
        return "ended_at" if self.filter.date_field == "ended_at" else "sent_at"

    def cells(self, by: str | None = None) -> Mapping[str, list[Cell]]:
        """Return all answers there are, split by what is asked about."""
        dimensions = dimensions_of(self.wanted, by)
        return cells_of(self.connection, self.view, dimensions, self.kinds, self.score_clock, self.zone)

    def question(self, kind: str, by: str | None = None) -> Question:
        """Return what protection needs to know."""
        asked = asked_of(self.filter, self.view, self.now, self.zone)
        return Question(kind, dimensions_of(self.wanted, by), self.wanted, asked, self.view.thresholds)

    def selections(self, by: str | None = None, known: Collection[tuple[Value, ...]] = ()) -> Mapping[str, Selection]:
        """Return each kind's protected selection."""
        cells = self.cells(by)
        return {kind: select(cells.get(kind, []), self.question(kind, by), known) for kind in self.kinds}

    def counts(self, filter: Filter, clock: str, by: tuple[str, ...] = ()) -> Groups:
        """Count conversations of a cohort."""
        return counted(self.connection, self.view, filter, clock, self.zone, by)

    def count(self, clock: str) -> Counts:
        """Count all conversations of the filter on a clock."""
        return total(self.counts(self.filter, clock))


def asking(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    now: datetime,
    zone: ZoneInfo | None = None,
) -> Asking:
    """Begin. Raises Invalid for a filter that figures do not take."""
    view = view_of(connection, settings, reader, now)
    return Asking(connection, view, filter, now, zone or settings.service.time_zone, wanted(filter))
