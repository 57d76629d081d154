"""What one X account says, read until told to stop: may we, what became of unclear sends, what customers answered.

Runs in a thread of its own, so that a slow account holds up no other.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from queue import SimpleQueue

import structlog
from structlog.contextvars import bind_contextvars

from service.accounts import holds
from service.accounts.holds import Hold
from service.clock import Clock
from service.db import reading, writing
from service.loops import UNWELL, each_step, keeping_on
from service.outreach import handle_check, thanks, unclear
from service.outreach.context import Workplace
from service.results.inbox import read_once as read_inbox
from service.results.poll import poll_once
from service.results.refresh import refresh_once
from service.settings import Account
from service.x_api import AccountProblem, XClient, XError

log = structlog.get_logger(__name__)

READ_EVERY = timedelta(seconds=1)
READS_PER_SECOND = 10  # of all accounts together: a worker of many accounts must not spend its time on looking around
TURNS_AT_ONCE, COLLECT_FOR = 20, timedelta(seconds=30)  # of results, before unclear sends are looked at again


@dataclass(frozen=True, slots=True)
class AccountReader:
    """The reader of one account."""

    place: Workplace
    account: Account
    client: XClient
    clock: Clock
    stop: threading.Event

    def run(self, checked: "SimpleQueue[str]") -> None:
        """Check the account's access; then look up unclear sends, refresh cards and poll events until told to stop.

        `checked` is told the account's name once X has confirmed its access.
        """
        bind_contextvars(account=self.account.name)  # for every line of this thread: X is called for several at once
        self._check_at_start()
        checked.put(self.account.name)
        every = max(READ_EVERY, timedelta(seconds=len(self.place.settings.accounts) / READS_PER_SECOND))
        rest = every
        while not self.stop.wait(rest.total_seconds()):
            rest = every if self._read_once() else UNWELL

    def _check_at_start(self) -> None:
        rest = timedelta(0)
        while not self.stop.wait(rest.total_seconds()):
            rest = UNWELL
            with keeping_on("access_not_checked", account=self.account.name):
                self.check_access()
                break

    def check_access(self) -> None:
        """Hold an account whose token or key is wrong, at the start: that shows now, not with the first customer."""
        why = holds.for_token(self.account) or self._refused()
        if why is not None:
            with writing(self.place.engine) as connection:
                holds.hold(connection, self.account.name, why, self.clock())

    def _refused(self) -> Hold | None:
        """Ask X who we are. If it just does not let our app ask that, which few may, it says nothing about sending.

        Nor does a refusal without a code, which may be of something before X: several customers in a row tell. Over v2
        no refusal has one, and a wrong key must show now.
        """
        try:
            return holds.for_access(self.account, self.client.verify_credentials().value)
        except XError as error:
            in_doubt = error.row.few_may or (error.row.may_pass and self.account.api != "v2")
            if isinstance(error, AccountProblem) and not in_doubt:
                return Hold(error.code, error.reason)
            log.warning("access_not_checked", account=self.account.name, reason=error.reason)
            return None

    def _read_once(self) -> bool:
        """Do what is slow for the account; False if something of it failed."""
        name, this = self.account.name, (self.place, self.account, self.client, self.clock)
        steps: dict[str, Callable[[], object]] = {"unclear": partial(unclear.look_up_once, *this)}
        with keeping_on("reading_failed", account=name, step="standing"), reading(self.place.engine) as connection:
            if not holds.is_refused(connection, name):
                steps |= {"thanks": partial(thanks.send_due, *this), "collect": self.collect}
                if self.account.client_id is None:
                    steps["confirming"] = partial(handle_check.read_once, *this)
        return each_step("reading_failed", steps, account=name)

    def collect(self) -> None:
        """Refresh and poll page by page until there is no more for now, but not for long: look-ups must not wait."""
        if self.account.client_id is not None:  # X accepts OAuth 2.0 nowhere on v1.1, where cards and the DM list are
            return
        until = self.clock() + COLLECT_FOR
        for _ in range(TURNS_AT_ONCE):
            if self.stop.is_set() or self.clock() >= until:  # an X that answers slowly is one that leaves sends unclear
                return
            if not self._collect_page():
                return

    def _collect_page(self) -> bool:
        """Read one page of everything; whether there is more."""
        place, account, client, clock = self.place, self.account, self.client, self.clock
        window = place.settings.reports.answer_window
        cards = refresh_once(place.engine, account, client, clock, answer_window=window)
        page = poll_once(place.engine, account, client, clock())
        read_inbox(place.engine, place.settings, account, client, clock)
        return cards.more or page.more
