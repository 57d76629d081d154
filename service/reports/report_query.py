"""A question to the reports as one value: who asks what, when, of which ledger. Figures and lists take it."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from service.auth.keys import Reader
from service.reports.filters import Filter
from service.reports.roles import sees_rows
from service.reports.visible import View, view_of
from service.settings import Settings


@dataclass(frozen=True)
class ReportQuery:
    """A reader's filter at a moment, over a connection that reads."""

    connection: Connection
    settings: Settings
    reader: Reader
    filter: Filter
    now: datetime

    @property
    def sees_rows(self) -> bool:
        """Whether this reader may list rows; all others read whole releases."""
        return sees_rows(self.reader)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the organisation's days."""
        return self.settings.service.time_zone

    @cached_property
    def view(self) -> View:
        """What this reader may see. Raises Invalid for an account that never was."""
        return view_of(self.connection, self.settings, self.reader, self.now, self.filter.of("account"))

    def filtered(self, filter: Filter) -> "ReportQuery":
        """The same question with another filter."""
        return replace(self, filter=filter)
