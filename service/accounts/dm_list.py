"""X's DM list, read back to a given moment. Returns a `Listing`, which says what the list proves.

Unclear sends, answers without a webhook and who wrote to us first are all looked up in this list, and its few calls
are shared between them (`MayAsk`). An empty page is not the end; only a missing cursor is, and a repeated cursor proves
nothing. A refusal that concerns the account holds it. Draws no conclusion from what it finds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import structlog
from sqlalchemy.engine import Engine

from service.accounts import holds, list_lease, task_leases, windows
from service.clock import Clock
from service.db import writing
from service.settings import Account
from service.x_api import (
    DirectMessage,
    DmPage,
    MessageRefused,
    RateLimited,
    Temporary,
    Unexplained,
    UnknownToX,
    XAnswer,
    XError,
)

ENDPOINT = "list_dms"
EVER = datetime.min.replace(tzinfo=UTC)  # the list was read to its end
OVERLAP = timedelta(minutes=10)
"""The list may show a message this much later than its date says: who reads on from a moment begins earlier."""

CLOCK_SLACK = timedelta(minutes=2)
"""Between X's clock and ours, and between our machines'."""

A_SECOND = timedelta(seconds=1)
"""What the date of an answer leaves out."""

DISORDER = timedelta(minutes=1)
"""X lists by its ids; a message newer by more than this than one before it stands in no order of time."""

NOTHING_YET = datetime(9999, 1, 1, tzinfo=UTC)
REFUSES_CURSOR = MessageRefused, UnknownToX, Unexplained

log = structlog.get_logger(__name__)
Ask = Callable[[str | None], XAnswer[DmPage]]
MayAsk = Callable[[datetime], bool]
"""Whether one more page may be asked for now; extends the reader's lease."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the list showed from `read_at` on: every message back to `back_to`, newest first where X keeps its order.

    `readable`: every message on the way could be read and dated, and stood in its place. `problem` says why it was not
    read further, and `goes_on` by which cursor it can be.
    """

    messages: Sequence[DirectMessage]
    back_to: datetime
    readable: bool
    read_at: datetime
    pages: int = 0
    problem: str | None = None
    goes_on: str | None = None

    def reaches(self, moment: datetime) -> bool:
        """Whether it was read back beyond a moment."""
        return self.back_to < moment

    def proves_absence_since(self, moment: datetime) -> bool:
        """Whether a message missing here has been missing from X's list since then; an unreadable one might be it."""
        return self.readable and self.reaches(moment)


def settled_in(account: Account) -> timedelta:
    """How long after a send X's list is sure to show it, whichever machine reads it."""
    return account.list_lag + clock_slack(account)


def clock_slack(account: Account) -> timedelta:
    """How far apart clocks may be for that; where a list lags little, not two minutes are waited for them."""
    return min(CLOCK_SLACK, account.list_lag)


@dataclass(frozen=True, slots=True)
class DmListReader:
    """Reads an account's list as long as `may_ask` allows one more page."""

    engine: Engine
    account: Account
    may_ask: MayAsk
    clock: Clock

    def read_back(
        self, ask: Ask, back_to: datetime, *, pages_at_most: int, start: str | None = None, to_prove: bool = False
    ) -> Listing:
        """Read page by page, from the top or a cursor, until a message is older than `back_to` or the list ends.

        `to_prove`: an absence is to be proven, which takes more (see `_PagesRead`).
        """
        read, cursor, seen = _PagesRead(self.clock(), to_prove=to_prove), start, set[str | None]()
        while len(seen) < pages_at_most:
            if cursor in seen:
                return read.cut_short("cursor_repeated", None)
            if not self.may_ask(self.clock()):
                return read.cut_short("endpoint_limit", cursor)
            try:
                answer = self._ours(ask(cursor))
            except XError as error:
                self._note(error)
                return read.cut_short(error.reason, None if isinstance(error, REFUSES_CURSOR) else cursor)
            seen.add(cursor)
            read.add(answer.value, answer.dated)
            cursor = answer.value.next_cursor
            if cursor is None:
                return read.to_its_end()
            if read.surely_back_to < back_to:
                return read.far_enough()
        return read.cut_short("many_pages", cursor)

    def _ours(self, answer: XAnswer[DmPage]) -> XAnswer[DmPage]:
        """Return the page, unless it has messages between others.

        Every account asks by the same address, and a cache may take one for another. v2 names the sender alone, and has
        a list with each person. Raises XError.
        """
        both = [{each.sender_id, each.recipient_id} for each in answer.value.events]
        if not all(self.account.user_id in each for each in both if None not in each):
            raise Temporary("This is somebody else's DM list.", reason="not_our_list")
        return answer

    def _note(self, error: XError) -> None:
        now, name = self.clock(), self.account.name
        log.warning("dm_list_not_read", account=name, reason=error.reason, x_code=error.code)
        with writing(self.engine) as connection:
            holds.hold_if_refused(connection, name, error, now)
            if isinstance(error, RateLimited):
                until = error.back_at(now) or now + self.account.window
                windows.exhausted(connection, name, ENDPOINT, until, now)


@dataclass(slots=True)
class _PagesRead:
    """What the pages read so far show.

    If a message is out of order, one old message proves nothing about the next ones: then a whole page must be older,
    and the pages must be in order. That is not enough `to_prove` an absence: such a list is read to its end.
    """

    read_at: datetime
    to_prove: bool
    messages: list[DirectMessage] = field(default_factory=list)
    pages: int = 0
    readable: bool = True
    oldest: datetime = NOTHING_YET  # of all messages
    newest: datetime = NOTHING_YET  # of the last page
    in_order: bool = True
    pages_in_order: bool = True

    def add(self, page: DmPage, dated: datetime | None) -> None:
        """Take in the next page. If X, or a cache, dates it before our clock, the list is not as new as that says."""
        if dated is not None:
            self.read_at = min(self.read_at, dated + A_SECOND)
        times = [each.created_at for each in page.events if each.created_at is not None]
        newest = max(times, default=self.newest)
        self.messages.extend(page.events)
        self.pages += 1
        self.readable = self.readable and not page.problems and len(times) == len(page.events)
        self.in_order = self.in_order and _falls(self.oldest, times)
        self.pages_in_order = self.pages_in_order and _falls(self.newest, [newest])
        self.oldest, self.newest = min([self.oldest, *times]), newest

    @property
    def surely_back_to(self) -> datetime:
        """The moment from which on every message is here."""
        if self.in_order:
            return self.oldest
        return self.newest if self.pages_in_order and self.pages > 1 and not self.to_prove else NOTHING_YET

    def to_its_end(self) -> Listing:
        """Return the list as a whole."""
        return Listing(self.messages, EVER, self.readable, self.read_at, self.pages)

    def far_enough(self) -> Listing:
        """Return the list as far as it was wanted."""
        readable = self.readable and self.in_order
        return Listing(self.messages, self.surely_back_to, readable, self.read_at, self.pages)

    def cut_short(self, problem: str, goes_on: str | None) -> Listing:
        """Return the list as far as it could be read, and by which cursor it goes on."""
        back_to = self.oldest if self.in_order else NOTHING_YET
        return Listing(self.messages, back_to, self.readable, self.read_at, self.pages, problem, goes_on)


def _falls(oldest: datetime, times: Sequence[datetime]) -> bool:
    """Whether no message is newer than those listed before it, the last of which dates from `oldest`."""
    before = accumulate(times, min, initial=oldest)
    return all(each <= earlier + DISORDER for each, earlier in zip(times, before, strict=False))


def whole_window(engine: Engine, account: Account, token: str, lease: timedelta) -> MayAsk:
    """For the holder of the list lease: all calls that X allows."""

    def may_ask(now: datetime) -> bool:
        with writing(engine) as connection:
            free = windows.take(connection, account.name, ENDPOINT, account.lookups_per_window, account.window, now)
            return free is None and list_lease.extend(connection, account.name, token, lease, now)

    return may_ask


def a_share(engine: Engine, account: Account, task: str, token: str) -> MayAsk:
    """For the holder of a task lease: a third of the calls."""

    def may_ask(now: datetime) -> bool:
        limit, window = account.lookups_per_window, account.window
        with writing(engine) as connection:
            free = windows.take_share(connection, account.name, ENDPOINT, task, limit, window, now)
            return free is None and task_leases.extend(connection, account.name, task, token, now)

    return may_ask
