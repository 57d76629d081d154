"""Until when the data is complete: the earliest moment up to which X was read without a gap, over the accounts shown.

Poll windows are read in order, so the end of the last finished one is the end of a stretch without gaps. Webhooks do
not move it, because a lost webhook would go unnoticed. Of an account that asks by the page alone X has no answers, and
may not even let it look for some: all are here up to the hour of a worker's last sign of life. Also says how far each
account's releases have come: an existing ledger is walked from its oldest day on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import IS_PROMPTED, account_state, feedback_request, poll_window, refresh, release_walk, worker_seen
from service.reports.filters import Filter
from service.reports.visible import View
from service.x_api.questions import SCORE_RANGE

acct, fr, pw = account_state.c, feedback_request.c, poll_window.c
rw = release_walk.c
ASKED_AT_X = sa.or_(
    sa.exists().where(refresh.c.account == acct.account),
    sa.exists().where(IS_PROMPTED, fr.account == acct.account),
)
"""Whether a card or a quick reply of an account went out, whose answers X has."""

ALIVE = sa.select(sa.func.max(worker_seen.c.seen_at))
OF_ANSWERS = (rw.partition == "day", rw.type.in_(SCORE_RANGE))


@dataclass(frozen=True, slots=True)
class AccountCompleteness:
    """Until when everything X has of one account has been read."""

    account: Annotated[str, "The X account, by its name in the settings"]
    complete_until: Annotated[
        datetime | None, "Every answer given before this time is included. null: not read completely yet"
    ]
    released_until: Annotated[
        date | None,
        "Days before this one are in releases, which analysts' figures are made of. Advances daily. null: "
        "no release yet",
    ]


@dataclass(frozen=True, slots=True)
class Completeness:
    """Until when everything is here."""

    complete_until: Annotated[datetime | None, "The earliest of the accounts' times"]
    visible_until: Annotated[
        datetime | None, "Only answers up to this time are visible, because of the embargo. null: no embargo"
    ]
    accounts: tuple[AccountCompleteness, ...]


def completeness_of(connection: Connection, view: View, filter: Filter) -> Completeness:
    """Look up each account; unknown for one is unknown for all.

    An account that was removed from the settings is no longer read and would hold the moment back for ever: it only
    counts if the filter names it, or if nothing else is shown.
    """
    names = (
        tuple(map(str, filter.of("account")))
        or tuple(name for name in view.accounts if name in view.configured)
        or view.accounts
    )
    query = sa.select(pw.account, sa.func.max(pw.to_time)).where(pw.account.in_(names), pw.done_at.is_not(None))
    known = {row[0]: row[1] for row in connection.execute(query.group_by(pw.account))}
    known |= _by_page_alone(connection, [name for name in names if name not in known])
    released = _released(connection, names)
    ends = tuple(AccountCompleteness(name, known.get(name), released.get(name)) for name in names)
    moments = [each.complete_until for each in ends if each.complete_until is not None]
    until = min(moments) if moments and len(moments) == len(ends) else None
    return Completeness(until, view.cutoff, ends)


def _by_page_alone(connection: Connection, names: Sequence[str]) -> Mapping[str, datetime]:
    alive = connection.scalar(ALIVE) if names else None
    if alive is None:
        return {}
    idle = sa.select(acct.account).where(acct.account.in_(names), ~ASKED_AT_X)
    hour = alive.replace(minute=0, second=0, microsecond=0)  # a moment that moves all the time would spoil each ETag
    return dict.fromkeys(connection.scalars(idle), hour)


def _released(connection: Connection, accounts: Sequence[str]) -> Mapping[str, date]:
    """Up to which day releases are made, for both kinds of card: the slower of the two."""
    query = sa.select(rw.account, sa.func.min(rw.until_day)).where(*OF_ANSWERS)
    rows = connection.execute(query.where(rw.account.in_(accounts)).group_by(rw.account))
    return {row.account: row[1] for row in rows}
