"""A page of a list and where it ends; `cursor.py` writes that place for clients."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from service.reports.rows.row import SAYS, Columns, Row, rows_of


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the sort key and id of its last row."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Erased:
    """A tombstone: this answer is gone, delete what you hold of it."""

    request_id: Annotated[str, SAYS["request_id"]]
    erased_at: Annotated[datetime, SAYS["erased_at"]]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows and where the next page begins; `next` None: the end, however many rows there are.

    `withheld`: rows of small groups were left out, because the filter names agents, teams or conversations.
    `left`: changed rows that are not, or no longer, in the list.
    """

    columns: Columns
    next: Position | None
    withheld: bool = False
    erased: tuple[Erased, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The page as rows."""
        return rows_of(self.columns)
