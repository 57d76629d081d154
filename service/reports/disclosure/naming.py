"""Who may be named: goes through changes in sealing order and records since when rows may say whose they are.

A person is an agent, in whatever team; where there is no agent the team stands in. It is named once its scored answers
reach `min_score_n`, and its comments are readable from `min_comments_n`. Both are facts of the account, never of a key
or a filter, or a reader could filter until one row is left. Until then no row that was asked about, or still may be,
says whose it is: who read it before the answer came would know whose the answer is. Nor does one lead to its
conversation while a look-up in the CRM may find the agent. What was shown once is never taken back, so no mirror holds
what the API hides. Naming somebody changes that person's rows and moves their `updated_at` in the same commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import MICROSECOND, insert_missing, reading, writing
from service.models import feedback_request, naming, naming_answer, naming_place, result
from service.reports.visible import ACCOUNTS, ANSWERED, UNINDEXED_ACCOUNT, cutoff, told_until
from service.requests.rows import ASKED_OR_MAY_BE, MAY_BE_ASKED_YET
from service.requests.seals import regroup
from service.settings import Settings
from service.states import State

fr = feedback_request.c
res = result.c
nm = naming.c
na = naming_answer.c
np = naming_place.c
AT_ONCE = 500
KIND = sa.case((fr.agent_id.is_not(None), "agent"), else_="team")
NAME = sa.func.coalesce(fr.agent_id, fr.team_id, type_=fr.agent_id.type)
PERSON = (na.account, na.kind, na.name)
TO_ANSWER = sa.or_(ASKED_OR_MAY_BE, ANSWERED)
"""What was asked about or still may be, and what was answered however it ended: a name could be paired with it.

What failed is of these: its customer may have the opening with the link to our page, or a card X took all the same.
"""

OURS = sa.and_(nm.account == fr.account, nm.kind == KIND, nm.name == NAME)
HIDDEN = sa.and_(NAME.is_not(None), nm.named_at.is_(None), TO_ANSWER)
"""Rows that may not say whose they are. Asked of requests joined with their results."""

LEARNING = sa.and_(fr.state == State.RECEIVED, fr.agent_id.is_(None), fr.x_user_id.is_(None), fr.x_handle.is_(None))
UNLINKED = sa.or_(HIDDEN, LEARNING)
"""Rows that may not lead to their conversation: also those whose customer is looked up, which may find an agent."""

UNREAD = sa.and_(NAME.is_not(None), sa.or_(HIDDEN, nm.readable_at.is_(None)))
"""Rows whose comment may not be read."""


PLACE = sa.select(np.sealed)
ANSWERS_OF = sa.select(*PERSON, sa.func.count().label("answers")).group_by(*PERSON).subquery()
HAVE_ENOUGH = (
    sa.select(naming, ANSWERS_OF.c.answers)
    .join_from(ANSWERS_OF, naming, sa.and_(*(nm[each.key] == ANSWERS_OF.c[each.key] for each in PERSON)))
    .where(ANSWERS_OF.c.answers >= sa.bindparam("least"))
)
KNOWN = sa.select(nm.account, nm.kind, nm.name, nm.named_at).where(nm.account.in_(ACCOUNTS))
THEIRS = (UNINDEXED_ACCOUNT.in_(ACCOUNTS), fr.test.is_(False), NAME.is_not(None))
UNFOLLOWED = tuple(
    sa.select(fr.account, KIND, NAME).distinct().where(*THEIRS, since)
    for since in (fr.sealed.is_(None), fr.sealed > sa.bindparam("place"))
)


def is_over(state: str, reason: str | None) -> bool:
    """Whether nobody was asked, and nobody will be unless a person intervenes."""
    return state == State.SKIPPED and reason not in MAY_BE_ASKED_YET


def named(rows: sa.FromClause) -> sa.FromClause:
    """Requests joined with what is known of whose they are, for HIDDEN and UNREAD."""
    return rows.outerjoin(naming, OURS)


@dataclass(frozen=True, slots=True)
class Names:
    """Who is named, for code that adds rows up: account, agent or team, and name."""

    named: frozenset[tuple[str, str, str]]
    few: frozenset[str | None]  # agents who are not named; None among them: a team is not, in rows without an agent

    @property
    def hides(self) -> bool:
        """Whether there is anybody who is not named."""
        return bool(self.few)

    def may_show(self, account: str, team: str | None, agent: str | None) -> bool:
        """Whether rows of these people say whose they are."""
        if team is None and agent is None:
            return True
        who = (account, "team", str(team)) if agent is None else (account, "agent", agent)
        return who in self.named


def names_of(connection: Connection, accounts: Sequence[str]) -> Names:
    """Return who is named in these accounts."""
    found = connection.execute(KNOWN, {"accounts": accounts}).all()
    named = frozenset((row.account, row.kind, row.name) for row in found if row.named_at is not None)
    known = [(row.account, row.kind, row.name) for row in found]
    everybody = {*known, *_unfollowed(connection, accounts)}
    return Names(named, frozenset(name if kind == "agent" else None for _, kind, name in everybody - named))


def _unfollowed(connection: Connection, accounts: Sequence[str]) -> set[tuple[str, str, str]]:
    """People whose conversations `follow` has not seen yet: somebody new counts as not named from the start."""
    place = connection.execute(PLACE).scalar_one()  # no planner can estimate a subquery
    asked = {"accounts": accounts, "place": place}
    return {(account, kind, name) for each in UNFOLLOWED for account, kind, name in connection.execute(each, asked)}


def hides_somebody(connection: Connection, accounts: Sequence[str]) -> bool:
    """Whether there is anybody in these accounts who is not named."""
    found = sa.select(nm.name).where(nm.account.in_(accounts), nm.named_at.is_(None)).limit(1)
    return connection.execute(found).first() is not None


def follow(engine: Engine, settings: Settings, now: datetime, limit: int = AT_ONCE) -> int:
    """Process up to `limit` sealed changes; return how many. Concurrent callers take turns."""
    with reading(engine) as connection:
        place = connection.execute(PLACE).scalar_one()
        if not _news(connection, place, told_until(connection, cutoff(settings, now)), 1):
            return 0
    with writing(engine) as connection:
        last = connection.execute(PLACE.with_for_update()).scalar_one()
        held_from = cutoff(settings, now)
        rows = _news(connection, last, told_until(connection, held_from), limit)
        if rows:
            _take_in(connection, rows)
            # a row that changed today would be told tomorrow: under an embargo naming counts as the day before's
            _name(connection, settings, now if held_from is None else held_from - MICROSECOND)
            connection.execute(sa.update(naming_place).values(sealed=rows[-1].sealed))
    return len(rows)


def _news(connection: Connection, last: int, until: int | None, most: int) -> Sequence[sa.Row[Any]]:
    """Sealed rows after `last`, with whose they are and what became of them. Test traffic belongs to nobody."""
    return connection.execute(_ask_news(ends=until is not None), {"last": last, "until": until, "most": most}).all()


@cache
def _ask_news(*, ends: bool) -> sa.Select[Any]:
    whose, scored = sa.case((fr.test.is_(False), NAME)), res.score.is_not(None)
    columns = (fr.id, fr.sealed, fr.account, KIND.label("kind"), whose.label("name"), scored.label("scored"))
    query = sa.select(*columns, nm.readable_at, nm.named_at).select_from(
        named(feedback_request.outerjoin(result, res.request_id == fr.id))
    )
    query = query.where(fr.sealed > sa.bindparam("last")).order_by(fr.sealed)
    query = query.limit(sa.bindparam("most", type_=sa.Integer()))
    return query.where(fr.sealed < sa.bindparam("until")) if ends else query


def _take_in(connection: Connection, rows: Sequence[sa.Row[Any]]) -> None:
    """Remember who there is and whose scores these are, while too few; forget scores that are gone."""
    open_ones = [row for row in rows if row.name is not None and (row.named_at is None or row.readable_at is None)]
    persons = {(row.account, row.kind, row.name) for row in open_ones}
    values = [{"account": account, "kind": kind, "name": name} for account, kind, name in sorted(persons)]
    insert_missing(connection, naming, values)
    came = [row for row in open_ones if row.scored]
    answers = [{"account": row.account, "kind": row.kind, "name": row.name, "request_id": row.id} for row in came]
    insert_missing(connection, naming_answer, answers)
    went = [row.id for row in open_ones if not row.scored]
    if went:
        connection.execute(sa.delete(naming_answer).where(na.request_id.in_(went)))


def _name(connection: Connection, settings: Settings, now: datetime) -> None:
    """Name whoever now has enough answers, and open their comments."""
    enough = {"named_at": settings.reports.min_score_n, "readable_at": settings.reports.min_comments_n}
    for row in connection.execute(HAVE_ENOUGH, {"least": min(enough.values())}).all():
        since = {"named_at": row.named_at, "readable_at": row.readable_at}
        given = {each: now for each, least in enough.items() if row.answers >= least and since[each] is None}
        if given:
            _give(connection, row, given, now)
        if row.answers >= max(enough.values()):
            connection.execute(sa.delete(naming_answer).where(*_is(na, row)))


def _give(connection: Connection, row: sa.Row[Any], given: dict[str, datetime], now: datetime) -> None:
    if row.named_at is not None or "named_at" in given:  # else the rows show nothing new, and would move together
        _move(connection, row, now)
    connection.execute(sa.update(naming).where(*_is(nm, row)).values(given))


def _move(connection: Connection, row: sa.Row[Any], now: datetime) -> None:
    theirs = fr.agent_id == row.name if row.kind == "agent" else sa.and_(fr.agent_id.is_(None), fr.team_id == row.name)
    rows = sa.select(fr.id).select_from(feedback_request.outerjoin(result, res.request_id == fr.id))
    whose = rows.where(fr.account == row.account, theirs, TO_ANSWER)
    regroup(connection, whose, now)


def _is(columns: Any, row: sa.Row[Any]) -> tuple[sa.ColumnElement[bool], ...]:
    return columns.account == row.account, columns.kind == row.kind, columns.name == row.name
