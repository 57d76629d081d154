"""Whose answer a row may say it is: in, all answers a key covers; out, the groups too small to be named on any row.

Individual rows carry a score beside an agent, so they follow the breakdowns: an agent (in a team, for one kind of card)
whose answers are too few is not named on a row that was sent to a customer, nor is its team, its conversation or its
comment shown, and nobody can ask for it by name. The rule looks at everything the key covers, never at what was
filtered, or a reader could filter until one row is left. The score stays: it belongs to nobody then.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request, result
from service.reports.visible import View

f = feedback_request.c
r = result.c
Key = tuple[str, str, str, str]
"""Account, team, agent, kind of card; empty where there is none."""

BETWEEN = "\x1f"
KEPT = "dm_feedback_attribution"


@dataclass(frozen=True, slots=True)
class Attribution:
    """The groups that are not named, and those whose comments may be read."""

    hidden: frozenset[Key] = frozenset()
    readable: frozenset[tuple[str, str, str]] = frozenset()

    @property
    def hides(self) -> bool:
        """Whether there is any group that is not named."""
        return bool(self.hidden)

    def may_show(self, account: str, team: str | None, agent: str | None, type: str | None) -> bool:
        """Whether a row may say whose it is."""
        return (account, team or "", agent or "", type or "") not in self.hidden

    def may_read(self, account: str, team: str | None, agent: str | None) -> bool:
        """Whether the comment of a row may be read: nobody's, or of somebody with enough answers."""
        return not (team or agent) or _person(account, team or "", agent or "") in self.readable

    def shown(self) -> sa.ColumnElement[bool]:
        """As SQL: rows that may say whose they are."""
        key: sa.ColumnElement[str] = f.account
        for column in (f.team_id, f.agent_id, f.type):
            key = key.concat(BETWEEN).concat(sa.func.coalesce(column, ""))
        return key.not_in([BETWEEN.join(each) for each in sorted(self.hidden)]) if self.hidden else sa.true()


def attribution_of(connection: Connection, view: View) -> Attribution:
    """Say which groups are too small to name, counting all visible answers of the key's accounts.

    Kept with the database connection as long as no answer came, changed or went: a page of a list would otherwise
    cost as much as a figure.
    """
    version = (view, *connection.execute(sa.select(sa.func.max(r.updated_at), sa.func.count(r.updated_at))).one())
    kept = connection.info.get(KEPT)
    if kept is None or kept[0] != version:
        kept = (version, _counted(connection, view))
        connection.info[KEPT] = kept
    attribution: Attribution = kept[1]
    return attribution


def _counted(connection: Connection, view: View) -> Attribution:
    scores, answers = _counts(connection, view)
    hidden = {key for key, n in scores.items() if n < view.thresholds.score}
    readable = frozenset(person for person, n in answers.items() if n >= view.thresholds.comments)
    return Attribution(frozenset(hidden), readable)


def _counts(connection: Connection, view: View) -> tuple[Mapping[Key, int], Mapping[tuple[str, str, str], int]]:
    """Answers with a score of each group, and all answers of each person."""
    columns = (f.account, f.team_id, f.agent_id, f.type, view.score.is_not(None).label("scored"))
    inner = result.join(feedback_request, f.id == r.request_id)
    query = sa.select(*columns, sa.func.count()).select_from(inner).group_by(*columns)
    scores: Counter[Key] = Counter()
    answers: Counter[tuple[str, str, str]] = Counter()
    ours = (view.from_answers, view.mine, view.came, view.answered, f.test.is_(False))
    for account, team, agent, kind, scored, n in connection.execute(query.where(*ours)):
        if team is None and agent is None:
            continue  # nobody's: there is no name to hide
        answers[_person(account, team or "", agent or "")] += n
        if scored:
            scores[account, team or "", agent or "", kind or ""] += n
    return scores, answers


def _person(account: str, team: str, agent: str) -> tuple[str, str, str]:
    """An agent is one person in whatever team; where there is no agent the team stands for it."""
    return (account, "", agent) if agent else (account, team, "")
