"""Names a CRM told: those that are new are kept as if they had been handed in.

A first name holds from the beginning; a changed one from the day we heard of it, so no earlier report changes. Names
given by hand, by another source or by the settings are never replaced.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import EPOCH
from service.models import person_name
from service.reports.days import midnight
from service.reports.people.name_at import NameLine
from service.reports.people.names_csv import CONTROL, LONGEST_ID, LONGEST_NAME
from service.reports.people.stored import StoredName, keep
from service.settings import Settings

AT_ONCE = 500
pn = person_name.c
Known = Mapping[tuple[str, str], Sequence[StoredName]]


@dataclass(frozen=True, slots=True)
class ToldName:
    """What a CRM calls somebody."""

    kind: str
    person_id: str
    name: str


def learn(
    connection: Connection, settings: Settings, found: Sequence[ToldName], account: str, by: str, now: datetime
) -> int:
    """Store what is new; return how many names that were. The worker updates their rows."""
    today = midnight(now.astimezone(settings.service.time_zone).date(), settings.service.time_zone)
    fit = [each for each in found if _fits(each) and not _is_settings(settings, each)]
    total = 0
    for begin in range(0, len(fit), AT_ONCE):
        some = fit[begin : begin + AT_ONCE]
        total += keep(connection, [*_new(some, _known(connection, some), account, by, today)], by, now)
    return total


def _new(found: Sequence[ToldName], known: Known, account: str, by: str, today: datetime) -> Iterator[NameLine]:
    for each in found:
        theirs = known.get((each.kind, each.person_id), ())
        if any(line.given_by != by for line in theirs):
            continue
        last = max(theirs, key=lambda line: line.since, default=None)
        if last is None or last.name != each.name:
            since = EPOCH if last is None else today
            yield NameLine(each.kind, each.person_id, each.name, since, account)


def _known(connection: Connection, some: Sequence[ToldName]) -> Known:
    ids = [each.person_id for each in some]
    known: dict[tuple[str, str], list[StoredName]] = defaultdict(list)
    columns = (pn.account, pn.kind, pn.person_id, pn.since, pn.name, pn.given_by, pn.told_at)
    for row in connection.execute(sa.select(*columns).where(pn.person_id.in_(ids))):
        line = StoredName(*row[:6], told=row.told_at is not None)
        known[line.kind, line.person_id].append(line)
    return known


def _fits(each: ToldName) -> bool:
    """Whether it can be kept at all: a name of a CRM is anybody's text."""
    lengths = 0 < len(each.person_id) <= LONGEST_ID and 0 < len(each.name) <= LONGEST_NAME
    return lengths and not re.search(CONTROL, each.person_id + each.name)


def _is_settings(settings: Settings, each: ToldName) -> bool:
    own = settings.people.agents if each.kind == "agent" else settings.people.teams
    return each.person_id in own
