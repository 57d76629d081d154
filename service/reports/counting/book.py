"""Which generation of roll-ups is in force, and how far it has come.

Another time zone or set of dimensions starts a new generation: the ledger is walked from its beginning in the
background, and figures are counted from the ledger until that is done. Damage is repaired the same way.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import tally, tally_book
from service.reports.counting.facts import HELD
from service.reports.counting.tally import GRAINS

tb = tally_book.c
tl = tally.c
BOOK = sa.select(tb.generation, tb.zone, tb.shape, tb.walked).where(tb.id == 1)
SHAPE = ",".join((*HELD, *GRAINS))[:512]
DROPPED_AT_ONCE = 5000
NOTE = sa.update(tally_book).where(tb.id == 1).values(walked=sa.bindparam("until"))


@dataclass(frozen=True, slots=True)
class TallyBook:
    """The roll-ups in force. `walked`: the last request counted; None: every one is."""

    generation: int
    zone: str
    shape: str
    walked: str | None

    @property
    def is_walked(self) -> bool:
        """Whether the ledger is being walked for these."""
        return self.walked is not None and self.generation > 0

    def holds(self, zone: ZoneInfo) -> bool:
        """Whether figures in days of this zone can be read from the roll-ups."""
        return self.walked is None and self.is_for(zone)

    def is_for(self, zone: ZoneInfo) -> bool:
        """Whether these are the days and dimensions we count."""
        return self.zone == zone.key and self.shape == SHAPE


def book_of(connection: Connection) -> TallyBook:
    """Return what is in force."""
    row = connection.execute(BOOK).one()
    return TallyBook(row.generation, row.zone, row.shape, row.walked)


def begin(connection: Connection, zone: ZoneInfo, now: datetime) -> TallyBook:
    """Count everything anew. Only who holds the counter may."""
    generation = book_of(connection).generation + 1
    values = {"generation": generation, "zone": zone.key, "shape": SHAPE, "walked": "", "begun_at": now}
    connection.execute(sa.update(tally_book).where(tb.id == 1).values(values))
    return TallyBook(generation, zone.key, SHAPE, "")


def note_walked(connection: Connection, walked: str | None) -> None:
    """Record how far the ledger has been counted; None: to its end."""
    connection.execute(NOTE, {"until": walked})


def drop_old(connection: Connection, generation: int) -> int:
    """Delete some rows of earlier generations; return how many."""
    old = sa.select(tl.id).where(tl.generation < generation).limit(DROPPED_AT_ONCE)
    return connection.execute(sa.delete(tally).where(tl.id.in_(old))).rowcount
