"""How many conversations groups had, by whole weeks (teams) or four weeks (agents) that are over.

Nothing here comes from answers. But a group without conversations cannot have answers either, and such zeros help
somebody who subtracts: so they are published for the same spans as answers, and no finer. Conversations whose rows do
not say whose they are when a span closes are in one group of their own: who lists the other rows would subtract them.
Dated by the day we heard of the end.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request, result
from service.reports.days import midnight
from service.reports.disclosure import store
from service.reports.disclosure.days import ReleaseTerms
from service.reports.disclosure.naming import HIDDEN, named
from service.reports.disclosure.pools import Label
from service.reports.disclosure.store import Leaf, Release
from service.states import OPEN_STATES, State

fr = feedback_request.c
WEEKS: Mapping[str, int] = {"team_work": 1, "agent_work": 4}
GROUPS: Mapping[str, tuple[sa.ColumnElement[Any], ...]] = {
    "team_work": (fr.team_id,),
    "agent_work": (fr.team_id, fr.agent_id),
}
DECIDED_AFTER = timedelta(days=3)
"""So long a span stays open after its end: nearly every request has ended by then."""
OPEN = frozenset(state.value for state in OPEN_STATES)
HEARD = (
    fr.account == sa.bindparam("account"),
    fr.received_at >= sa.bindparam("since"),
    fr.received_at < sa.bindparam("until"),
    fr.test.is_(False),
)
"""Requests of an account that we heard of within these days."""


def _ask(split: Sequence[sa.ColumnElement[Any]], which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    columns = (*split, fr.state, fr.reason)
    rows = named(feedback_request.outerjoin(result, result.c.request_id == fr.id))
    return sa.select(*columns, sa.func.count()).select_from(rows).where(*HEARD, which).group_by(*columns)


ASK_NAMED = {partition: _ask(split, sa.not_(HIDDEN)) for partition, split in GROUPS.items()}
ASK_HIDDEN = _ask((), HIDDEN)


def due(today: date) -> date:
    """Return the day up to which spans may be closed."""
    return today - DECIDED_AFTER


def close(connection: Connection, terms: ReleaseTerms, partition: str, first: date, end: date) -> None:
    """Write the release of a span, if there were any conversations in it."""
    theirs = heard(terms, first, end)
    groups = _counted(connection, ASK_NAMED[partition], theirs)
    nobodys = _counted(connection, ASK_HIDDEN, theirs)
    leaves = tuple(Leaf(label, False, groups[label]) for label in sorted(groups, key=repr))
    without = (None,) * len(GROUPS[partition])  # as long as the others: the release before looks into each
    leaves += tuple(Leaf(without, True, counts) for counts in nobodys.values())
    if leaves:
        store.put(connection, terms.series, partition, Release(first, end, leaves), terms.now)


def _counted(connection: Connection, query: sa.Select[Any], theirs: Mapping[str, Any]) -> Mapping[Label, Counter[str]]:
    """What became of conversations, by group."""
    groups: dict[Label, Counter[str]] = defaultdict(Counter)
    for *label, state, reason, n in connection.execute(query, theirs):
        groups[tuple(label)].update(became(state, reason, n))
    return groups


def heard(terms: ReleaseTerms, first: date, end: date) -> dict[str, Any]:
    """The values of HEARD: which requests of the account belong to these days."""
    since, until = midnight(first, terms.zone), midnight(end, terms.zone)
    return {"account": terms.series.account, "since": since, "until": until}


def became(state: str, reason: str | None, n: int) -> Mapping[str, int]:
    """Return what `n` requests in a state count as."""
    if state == State.CARD_SENT:
        return {"ended": n, "delivered": n}
    if state in OPEN:
        return {"ended": n, "pending": n}
    return {"ended": n, state if state == State.UNKNOWN else f"{state}:{reason or 'unsaid'}": n}
