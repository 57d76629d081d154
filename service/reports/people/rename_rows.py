"""A changed name is a visible change: moves `updated_at` of the rows that show it.

A few rows at a time, so no writer waits for a team with half a million conversations; if a worker dies, another
continues. Rows that must not say whose they are stay where they are, because moving them together would say it. Names
in the settings move nothing; a mirror learns them with the row's next change.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import MICROSECOND, reading, writing
from service.models import account_state, feedback_request, person_name, result
from service.reports.disclosure.naming import HIDDEN, named
from service.reports.people.name_at import EVERY_ACCOUNT
from service.reports.visible import cutoff
from service.requests.seals import regroup
from service.settings import Settings

fr = feedback_request.c
pn = person_name.c
AT_ONCE = 500
LOOKED_THROUGH = 20_000
COLUMN = {"agent": fr.agent_id, "team": fr.team_id}


@dataclass(frozen=True, slots=True)
class PendingRename:
    """A name that some rows say and some readers do not know."""

    account: str
    kind: str
    person_id: str
    since: datetime
    given_at: datetime
    told_id: str | None


def tell(engine: Engine, settings: Settings, now: datetime, limit: int = AT_ONCE) -> int:
    """Update up to `limit` rows of one name; return 0 once nothing is left. Safe for concurrent callers."""
    with reading(engine) as connection:
        untold = _next(connection)
        if untold is None:
            return 0
        ids, on = _rows(connection, settings, untold, limit)
    with writing(engine) as connection:
        if ids:
            held_from = cutoff(settings, now)
            rows = named(feedback_request.outerjoin(result, result.c.request_id == fr.id))
            shown = sa.select(fr.id).select_from(rows).where(fr.id.in_(ids), sa.not_(HIDDEN))
            # under an embargo what changed today would be told tomorrow: it counts as the day before's
            regroup(connection, shown, now if held_from is None else held_from - MICROSECOND)
        done = {"told_at": now} if on is None else {"told_id": on}
        connection.execute(sa.update(person_name).where(*_is(untold)).values(done))
    return len(ids) or 1


def _next(connection: Connection) -> PendingRename | None:
    columns = (pn.account, pn.kind, pn.person_id, pn.since, pn.given_at, pn.told_id)
    found = sa.select(*columns).where(pn.told_at.is_(None)).order_by(pn.given_at, *columns[:4]).limit(1)
    row = connection.execute(found).first()
    return None if row is None else PendingRename(*row)


def _rows(
    connection: Connection, settings: Settings, untold: PendingRename, limit: int
) -> tuple[Sequence[str], str | None]:
    """Some of its rows, and the id to continue after; None: those were the last.

    There is an index of agents but none of teams, so a limited part of the ledger is scanned at a time.
    """
    here = fr.id > (untold.told_id or "")
    last = connection.scalar(_far(here)) if untold.kind == "team" else None
    near = sa.true() if last is None else fr.id <= last
    accounts = fr.account.in_(_accounts(connection, settings, untold))
    theirs = sa.and_(accounts, COLUMN[untold.kind] == untold.person_id, fr.ended_at >= untold.since)
    ids = connection.scalars(sa.select(fr.id).where(here, near, theirs).order_by(fr.id).limit(limit)).all()
    return ids, ids[-1] if len(ids) == limit else last


def _far(here: sa.ColumnElement[bool]) -> sa.Select[str]:
    return sa.select(fr.id).where(here).order_by(fr.id).offset(LOOKED_THROUGH - 1).limit(1)


def _accounts(connection: Connection, settings: Settings, untold: PendingRename) -> Collection[str]:
    """Every account a name may apply to, including those no longer in the settings."""
    if untold.account != EVERY_ACCOUNT:
        return {untold.account}
    return {*settings.accounts, *connection.scalars(sa.select(account_state.c.account))}


def _is(untold: PendingRename) -> tuple[sa.ColumnElement[bool], ...]:
    """This name, unless it was given anew meanwhile."""
    same = (pn.account == untold.account, pn.kind == untold.kind, pn.person_id == untold.person_id)
    return (*same, pn.since == untold.since, pn.given_at == untold.given_at)
