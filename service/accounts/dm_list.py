"""X's DM list, read back to a given moment. Returns a `Listing`, which says what the list proves.

Unclear sends, answers without a webhook and who wrote to us first are all looked up in this list, and its few calls
are shared between them (`MayAsk`). An empty page is not the end; only a missing cursor is, and a repeated cursor proves
nothing. A refusal that concerns the account holds it. Draws no conclusion from what it finds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import structlog
from sqlalchemy.engine import Engine

from service.accounts import holds, list_lease, task_leases, windows
from service.db import writing
from service.settings import Account
from service.x_api import DirectMessage, DmPage, MessageRefused, RateLimited, Unexplained, UnknownToX, XAnswer, XError

ENDPOINT = "list_dms"
EVER = datetime.min.replace(tzinfo=UTC)  # the list was read to its end
OVERLAP = timedelta(minutes=10)
"""The list may show a message this much later than its date says: who reads on from a moment begins earlier."""

CLOCK_SLACK = timedelta(minutes=2)
"""Between X's clock and ours, and between our machines'."""

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
    return account.list_lag + min(CLOCK_SLACK, account.list_lag)


def read_back(
    engine: Engine, account: Account, ask: Ask, back_to: datetime, may_ask: MayAsk, clock: Callable[[], datetime],
    *, pages_at_most: int, start: str | None = None, to_prove: bool = False,
) -> Listing:  # fmt: skip
    """Read the list page by page, from the top or a cursor, until a message is older than `back_to` or the list ends.

    If a message is out of order, one old message proves nothing about the next ones: then a whole page must be older,
    and the pages must be in order. That is not enough `to_prove` an absence: such a list is read to its end.
    """
    read_at, cursor, seen, messages, readable = clock(), start, set[str | None](), list[DirectMessage](), True
    oldest, newest, in_order, pages_fall, problem = NOTHING_YET, NOTHING_YET, True, not to_prove, "many_pages"
    while len(seen) < pages_at_most:
        if cursor in seen:
            problem, cursor = "cursor_repeated", None
            break
        if not may_ask(clock()):
            problem = "endpoint_limit"
            break
        try:
            page = ask(cursor).value
        except XError as error:
            problem, cursor = error.reason, None if isinstance(error, REFUSES_CURSOR) else cursor
            _note(engine, account, error, clock())
            break
        seen.add(cursor)
        messages.extend(page.events)
        times = [each.created_at for each in page.events if each.created_at is not None]
        readable = readable and not page.problems and len(times) == len(page.events)
        in_order = in_order and _falls(oldest, times)
        pages_fall = pages_fall and _falls(newest, [max(times, default=newest)])
        oldest, newest, cursor = min([oldest, *times]), max(times, default=newest), page.next_cursor
        so_far = oldest if in_order else newest if pages_fall and len(seen) > 1 else NOTHING_YET
        if cursor is None:
            return Listing(messages, EVER, readable, read_at, len(seen))
        if so_far < back_to:
            return Listing(messages, so_far, readable and in_order, read_at, len(seen))
    return Listing(messages, oldest if in_order else NOTHING_YET, readable, read_at, len(seen), problem, cursor)


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


def _note(engine: Engine, account: Account, error: XError, now: datetime) -> None:
    log.warning("dm_list_not_read", account=account.name, reason=error.reason, x_code=error.code)
    with writing(engine) as connection:
        holds.hold_if_refused(connection, account.name, error.reason, error.code, now)
        if isinstance(error, RateLimited):
            windows.exhausted(connection, account.name, ENDPOINT, error.reset_at or now + account.window, now)
