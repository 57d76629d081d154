"""X's DM list read on: in, a task that follows the list; out, what is new in it, and what was left unread of it.

A task has few calls. Where they end before the list is read back far enough, its cursor is kept, and the next reading
goes on there once it has seen what is new: so a task gets through any list in time, and misses nothing of it. Concludes
nothing from what it finds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from service.accounts import turns
from service.accounts.dm_list import OVERLAP, Ask, Listing, a_share, read_back
from service.db import reading
from service.settings import Account
from service.x_api import DirectMessage


@dataclass(frozen=True, slots=True)
class Task:
    """Who follows the list: the name of its turns, and of what is kept of its readings."""

    name: str
    pages_at_most: int

    @property
    def read(self) -> str:
        """Under which name the moment is kept at which the last whole reading began."""
        return f"{self.name}_read"

    @property
    def rest(self) -> str:
        """Under which name the cursor is kept of a reading that was cut short."""
        return f"{self.name}_rest"


@dataclass(frozen=True, slots=True)
class ReadOn:
    """What one reading found. `whole`: nothing is left unread since `since`."""

    parts: Sequence[Listing]
    since: datetime

    @property
    def messages(self) -> Sequence[DirectMessage]:
        """What it showed, some of it twice."""
        return [message for part in self.parts for message in part.messages]

    @property
    def whole(self) -> bool:
        """Whether the last part reaches back to what was read before."""
        return self.parts[-1].reaches(self.since)

    @property
    def pages(self) -> int:
        """How many calls it took."""
        return sum(part.pages for part in self.parts)

    @property
    def problem(self) -> str | None:
        """Why it was not read further."""
        return self.parts[-1].problem


def read_on(
    engine: Engine, account: Account, task: Task, token: str, ask: Ask, oldest: datetime, clock: Callable[[], datetime]
) -> ReadOn:
    """Read what is new, then what was left, back to where the last whole reading began and no further than `oldest`."""
    with reading(engine) as connection:
        whole_at = turns.moment(connection, account.name, task.read)
        left = turns.cursor(connection, account.name, task.rest)
    since = max(oldest, (whole_at or oldest) - OVERLAP)
    may_ask, pages = a_share(engine, account, task.name, token), task.pages_at_most
    new_since = since if left is None else max(since, left[0] - OVERLAP)
    new = read_back(engine, account, ask, new_since, may_ask, clock, pages_at_most=pages)
    if left is None or new.reaches(since) or not new.reaches(new_since):  # else what was left lies behind its end
        return ReadOn([new], since)
    more = read_back(engine, account, ask, since, may_ask, clock, pages_at_most=pages - new.pages, start=left[1])
    return ReadOn([new, more], since)


def keep(connection: Connection, account: Account, task: Task, found: ReadOn) -> None:
    """Keep how far it came: in the transaction that keeps what it brought."""
    began, last = found.parts[0].read_at, found.parts[-1]
    if not found.pages:
        return
    if found.whole:
        turns.set_moment(connection, account.name, task.read, began)
    turns.set_moment(connection, account.name, task.rest, began, None if found.whole else last.goes_on)
