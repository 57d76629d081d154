"""What a reader may see at all: the SQL conditions of the key's accounts and the embargo, for every statement.

Under `embargo = "next_day"` an answer appears the day after it came, on every surface alike. Small groups are the
business of `disclosure`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from service.auth.keys import Reader
from service.db import EPOCH
from service.db.transaction_cache import once_per_transaction
from service.errors import Invalid
from service.models import account_state, feedback_request, result
from service.reports.days import midnight
from service.reports.thresholds import DEFAULT, Thresholds, thresholds
from service.requests.rows import CARD
from service.settings import Settings

fr = feedback_request.c
res = result.c
COMMENTED = sa.or_(res.text.is_not(None), res.text_at.is_not(None))
"""There is a comment, or was one; as all below, whatever an embargo holds back."""
ANSWERED = sa.or_(res.score.is_not(None), COMMENTED)
SCORED_AT = sa.func.coalesce(res.score_at, res.first_seen_at, type_=res.score_at.type)
"""When a score was given, or if X did not say, when we first saw it."""


class Unindexed(FunctionElement[str]):
    """A column for which SQLite must not use an index. PostgreSQL knows the distribution of values.

    Given an expression instead, PostgreSQL would assume one row in seventy, and read the whole ledger per page.
    """

    inherit_cache = True
    type = sa.String()


@compiles(Unindexed)
def _as_it_is(element: Unindexed, compiler: SQLCompiler, **how: Any) -> str:
    return compiler.process(element.clauses, **how)


@compiles(Unindexed, "sqlite")
def _as_expression(element: Unindexed, compiler: SQLCompiler, **how: Any) -> str:
    return f"({compiler.process(element.clauses, **how)} || '')"


UNINDEXED_ACCOUNT = Unindexed(fr.account)
ACCOUNTS = sa.bindparam("accounts", expanding=True, type_=fr.account.type)


@dataclass(frozen=True)
class View:
    """What a reader may see: accounts, and answers up to a moment. `cutoff` None: at once.

    Its expressions are built once for a view: one figure is counted by many statements.
    """

    accounts: tuple[str, ...]
    cutoff: datetime | None
    thresholds: Thresholds = DEFAULT
    sees_customers: bool = False  # the CRM's ids of customers are for admins
    configured: frozenset[str] = frozenset()  # accounts of the settings; the others are remembered, and no longer read

    @property
    def values(self) -> dict[str, Any]:
        """What `in_general` leaves open."""
        return {"accounts": self.accounts, "cutoff": self.cutoff}

    @cached_property
    def mine(self) -> sa.ColumnElement[bool]:
        """Requests of the accounts the key covers, without the index of accounts.

        With it SQLite, which has no row counts, would read and sort a whole account instead of following the index
        of the order or of the answers.
        """
        return UNINDEXED_ACCOUNT.in_(self.accounts)

    @cached_property
    def mine_by_index(self) -> sa.ColumnElement[bool]:
        """Requests of the accounts the key covers, by the index of accounts and moments."""
        return fr.account.in_(self.accounts)

    @cached_property
    def from_answers(self) -> sa.ColumnElement[bool]:
        """True for every result, and a range of its index, so that SQLite reads answers and looks up their requests.

        Otherwise it reads the whole ledger, of which few requests have an answer.
        """
        return res.updated_at > EPOCH

    @cached_property
    def join(self) -> sa.FromClause:
        """Requests with their visible results, if any."""
        return feedback_request.outerjoin(result, sa.and_(res.request_id == fr.id, self.came))

    @cached_property
    def came(self) -> sa.ColumnElement[bool]:
        """Results that have come early enough."""
        return sa.true() if self.cutoff is None else res.first_seen_at < self.cutoff

    @cached_property
    def score(self) -> sa.ColumnElement[Any]:
        """The score, once it may be seen."""
        return res.score if self.cutoff is None else sa.case((self._score_came, res.score))

    @cached_property
    def score_at(self) -> sa.ColumnElement[Any]:
        """When the score was given. NULL without a visible score."""
        return sa.case((self.score.is_not(None), SCORED_AT))

    @cached_property
    def score_way(self) -> sa.ColumnElement[Any]:
        """How the score came, once it may be seen. Rows of older versions came by the card."""
        return sa.case((self.score.is_not(None), sa.func.coalesce(res.score_way, CARD)))

    @cached_property
    def text(self) -> sa.ColumnElement[Any]:
        """The comment, once it may be seen. Late arrivals are judged by our own clock."""
        return res.text if self.cutoff is None else sa.case((self._text_came, res.text))

    @cached_property
    def text_at(self) -> sa.ColumnElement[Any]:
        """When the comment was written, once that may be seen; it stays after retention has removed the words."""
        return res.text_at if self.cutoff is None else sa.case((self._text_came, res.text_at))

    @cached_property
    def answered_at(self) -> sa.ColumnElement[Any]:
        """When the comment was written, or else the score given. NULL without an answer."""
        at = sa.func.coalesce(self.text_at, self.score_at, res.first_seen_at, type_=res.first_seen_at.type)
        return sa.case((self.answered, at))

    @cached_property
    def commented(self) -> sa.ColumnElement[bool]:
        """There is a visible comment, or was one."""
        return sa.or_(self.text.is_not(None), self.text_at.is_not(None))

    @cached_property
    def settled(self) -> sa.ColumnElement[bool]:
        """Results whose last change may be known; an erasure may be known at once."""
        return sa.true() if self.cutoff is None else sa.or_(res.updated_at < self.cutoff, fr.erased_at.is_not(None))

    @cached_property
    def changed_at(self) -> sa.ColumnElement[Any]:
        """When a result last changed, as far as that may be known."""
        if self.cutoff is None:
            return res.updated_at
        return sa.case((self.settled, res.updated_at), else_=res.first_seen_at)

    @cached_property
    def held_back(self) -> sa.ColumnElement[bool]:
        """Results of which something may not be known yet. Other changes of today, as by retention, change no count."""
        late_score = sa.and_(res.score.is_not(None), sa.not_(self._score_came))
        return sa.or_(sa.not_(self.came), late_score, sa.and_(COMMENTED, sa.not_(self._text_came)))

    @cached_property
    def answered(self) -> sa.ColumnElement[bool]:
        """A visible score or comment."""
        return sa.or_(self.score.is_not(None), self.commented)

    @cached_property
    def _score_came(self) -> sa.ColumnElement[bool]:
        """Known before the cutoff by our own clock; rows of older versions lack that: given before it by X's clock."""
        older = sa.or_(SCORED_AT < self.cutoff, res.updated_at < self.cutoff)  # noqa: SIM300 - SQL
        return sa.case((res.score_seen_at.is_not(None), res.score_seen_at < self.cutoff), else_=older)

    @cached_property
    def _text_came(self) -> sa.ColumnElement[bool]:
        """Known before the cutoff; what happens to the row later (retention, erasure) does not hide it again."""
        return sa.func.coalesce(res.text_seen_at, res.updated_at, type_=res.updated_at.type) < self.cutoff


@cache
def in_general(*, embargoed: bool) -> View:
    """Everybody's view, for statements that are written once: `View.values` are given with each call."""
    return View(cast("Any", ACCOUNTS), cast("Any", sa.bindparam("cutoff") if embargoed else None))


def view_of(
    connection: Connection, settings: Settings, reader: Reader, now: datetime, asked: Collection[object] = ()
) -> View:
    """Return what this reader may see now. A key for every account also sees those removed from the settings.

    Raises Invalid for an account asked for that never was: misspelt, it would find nothing and look like an answer.
    """
    remembered = once_per_transaction(
        connection, "accounts", lambda: connection.scalars(sa.select(account_state.c.account)).all()
    )
    known = {*settings.accounts, *remembered}
    shown = reader.accounts or tuple(sorted(known))
    customers = reader.role == "admin"
    if not set(asked) <= known:
        told = ", ".join(sorted(known & set(shown))) or "none you may see"
        wrong = next(each for each in asked if each not in known)
        sentence = f"There is no account '{wrong}'; there are {told}."
        raise Invalid("invalid_parameter", sentence, errors={"account": [f"must be one of {told}"]})
    return View(shown, cutoff(settings, now), thresholds(settings), customers, frozenset(settings.accounts))


def told_until(connection: Connection, cutoff: datetime | None, *whose: sa.ColumnElement[bool]) -> int | None:
    """Return the first sealed change (of these requests) that an embargo still holds back; None: there is none.

    An erasure is told at once, except that of an answer of today: what remains of it is told tomorrow.
    """
    if cutoff is None:
        return None
    held = result.join(feedback_request, fr.id == res.request_id)
    waits = sa.or_(fr.erased_at.is_(None), sa.and_(res.score.is_not(None), res.score_seen_at >= cutoff))
    first: int | None = connection.scalar(
        sa.select(sa.func.min(fr.sealed)).select_from(held).where(res.updated_at >= cutoff, waits, *whose)
    )
    return first


def cutoff(settings: Settings, now: datetime) -> datetime | None:
    """Answers that came before this moment are visible; None: all are."""
    if settings.reports.embargo == "none":
        return None
    today = now.astimezone(settings.service.time_zone).date()
    return midnight(today, settings.service.time_zone)
