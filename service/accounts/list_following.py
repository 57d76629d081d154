"""Following X's DM list: what is new in it since the last reading, and where to continue.

A task has few calls. When they run out before the list is read back far enough, its cursor is kept and the next reading
continues there, after looking at what is new. So every list is read in time and nothing is missed. Draws no conclusion
from what it finds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.engine import Connection, Engine

from service.accounts import task_leases
from service.accounts.dm_list import CLOCK_SLACK, OVERLAP, Ask, DmListReader, Listing, a_share, settled_in
from service.clock import Clock
from service.db import reading
from service.settings import Account
from service.x_api import DirectMessage

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """Who follows the list: the name of its lease, and names for what is stored of its readings."""

    name: str
    pages_at_most: int

    @property
    def read(self) -> str:
        """The name under which the start of the last complete reading is stored."""
        return f"{self.name}_read"

    @property
    def back_to(self) -> str:
        """The name under which is stored since when complete readings left no gap."""
        return f"{self.name}_back_to"

    @property
    def rest(self) -> str:
        """The name under which the cursor of an incomplete reading is stored."""
        return f"{self.name}_rest"


@dataclass(frozen=True, slots=True)
class ReadOn:
    """What one reading found. `gapless`: since when readings leave no gap, if this one is whole."""

    parts: Sequence[Listing]
    since: datetime
    gapless: datetime

    @property
    def messages(self) -> Sequence[DirectMessage]:
        """What it showed, some of it twice."""
        return [message for part in self.parts for message in part.messages]

    @property
    def whole(self) -> bool:
        """Whether the last part reaches back to what was read before."""
        return self.parts[-1].reaches(self.since)

    def surely(self, account: Account) -> tuple[datetime, datetime]:
        """Return since when and until when X's messages must be among these, if it is whole.

        What an earlier reading showed lies between the parts, and is in neither.
        """
        return max(self.since, self.parts[0].back_to) + CLOCK_SLACK, self.parts[0].read_at - settled_in(account)

    @property
    def pages(self) -> int:
        """How many calls it took."""
        return sum(part.pages for part in self.parts)

    @property
    def problem(self) -> str | None:
        """Why it was not read further."""
        return self.parts[-1].problem


def read_on(
    engine: Engine, account: Account, task: Task, token: str, ask: Ask, oldest: datetime, clock: Clock
) -> ReadOn:
    """Read what is new, then what was left over, back to `oldest` or to where earlier readings leave no gap since."""
    overlap = max(OVERLAP, account.list_lag * 2)
    with reading(engine) as connection:
        since, gapless = _back_to(connection, account, task, oldest, overlap)
        left = task_leases.cursor(connection, account.name, task.rest)
    reader = DmListReader(engine, account, a_share(engine, account, task.name, token), clock)
    new_since = since if left is None else max(since, left[0] - overlap)
    new = reader.read_back(ask, new_since, pages_at_most=task.pages_at_most)
    if left is None or new.reaches(since) or not new.reaches(new_since):  # else what was left lies behind its end
        return ReadOn([new], since, gapless)
    more = reader.read_back(ask, since, pages_at_most=task.pages_at_most - new.pages, start=left[1])
    return ReadOn([new, more], since, gapless)


def _back_to(
    connection: Connection, account: Account, task: Task, oldest: datetime, overlap: timedelta
) -> tuple[datetime, datetime]:
    """How far back to read, and since when there is no gap then."""
    whole_at = task_leases.moment(connection, account.name, task.read)
    gapless = task_leases.moment(connection, account.name, task.back_to)
    if whole_at is None or gapless is None or not gapless <= oldest <= whole_at - overlap:
        return oldest, oldest
    return whole_at - overlap, gapless


def keep(connection: Connection, account: Account, task: Task, found: ReadOn, must_show: str | None) -> None:
    """Store how far it came, in the same transaction as what it found.

    `must_show`: X's id of a message of ours that lies surely within it. A list without it came out empty or cut.
    """
    began, whole = found.parts[0].read_at, found.whole
    if not found.pages:
        return
    if whole and must_show is not None and must_show not in {each.id for each in found.messages}:
        log.warning("dm_list_hides", account=account.name, task=task.name, messages=len(found.messages))
        whole = False
    if whole:
        task_leases.set_moment(connection, account.name, task.read, began)
        task_leases.set_moment(connection, account.name, task.back_to, found.gapless)
    task_leases.set_moment(connection, account.name, task.rest, began, None if whole else found.parts[-1].goes_on)
