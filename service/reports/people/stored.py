"""The names we were given, by file or settings: what people are called, and who said so.

Names in the settings hold from the beginning and for every account; an imported name with the same beginning wins over
them. A new name never erases an old one: the old one holds until the new one begins.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.columns import encrypting
from service.auth.keys import LONGEST_ACTOR
from service.db import EPOCH, insert
from service.models import person_name
from service.reports.people.name_at import EVERY_ACCOUNT, NameIndex, NameLine
from service.settings import Settings

pn = person_name.c
KEY = ("account", "kind", "person_id", "since")


@dataclass(frozen=True, slots=True)
class StoredName:
    """A stored name. `told`: every row that shows it has been marked as changed."""

    account: str
    kind: str
    person_id: str
    since: datetime
    name: str | None
    given_by: str
    told: bool


def called_of(
    connection: Connection, settings: Settings, ids: Collection[str | None], kinds: Collection[str] | None = None
) -> NameIndex:
    """Return the names of these agents and teams; makes no query if there are none."""
    wanted = sorted({each for each in ids if each is not None})
    if not wanted:
        return NameIndex(())
    query = sa.select(pn.kind, pn.person_id, pn.name, pn.since, pn.account).where(pn.person_id.in_(wanted))
    if kinds is not None:
        query = query.where(pn.kind.in_(kinds))
    found = [NameLine(*row) for row in connection.execute(query)]
    return NameIndex([*_of_settings(settings, set(wanted), found), *found])


def listed(connection: Connection, settings: Settings) -> list[StoredName]:
    """Return every name, including those of the settings, by kind and id."""
    found = [
        StoredName(row.account, row.kind, row.person_id, row.since, row.name, row.given_by, row.told_at is not None)
        for row in connection.execute(sa.select(person_name))
    ]
    ours = _of_settings(settings, None, found)
    found += [StoredName(EVERY_ACCOUNT, each.kind, each.person_id, EPOCH, each.name, "settings", True) for each in ours]
    named = {(each.kind, each.person_id) for each in found if each.name is not None}
    found = [each for each in found if (each.kind, each.person_id) in named]
    return sorted(found, key=lambda each: (each.kind, each.person_id, each.account, each.since))


def keep(connection: Connection, lines: Sequence[NameLine], by: str, now: datetime) -> int:
    """Store names; return how many were new. The worker updates their rows."""
    known = {
        (row.account, row.kind, row.person_id, row.since): row.name
        for row in connection.execute(sa.select(pn.account, pn.kind, pn.person_id, pn.since, pn.name))
    }
    new = [each for each in lines if known.get(_key(each), "") != each.name]
    if new:
        says = {"given_at": now, "given_by": by[:LONGEST_ACTOR], "told_at": None, "told_id": None}
        rows = [_row(each, says) for each in new]
        row = insert(connection, person_name)
        held = {name: row.excluded[name] for name in ("name", *says)}
        connection.execute(row.on_conflict_do_update(index_elements=KEY, set_=held), rows)
    return len(new)


def forget(connection: Connection, kind: str, person_id: str, by: str, now: datetime) -> int:
    """Delete every name of somebody; return how many there were. The id stays on rows."""
    gone = {"name": None, "given_at": now, "given_by": by[:LONGEST_ACTOR], "told_at": None, "told_id": None}
    theirs = sa.update(person_name).where(pn.kind == kind, pn.person_id == person_id, pn.name.is_not(None))
    return connection.execute(theirs.values(gone)).rowcount


def _row(line: NameLine, says: Mapping[str, Any]) -> dict[str, Any]:
    named = {**dict(zip(KEY, _key(line), strict=True)), "name": line.name, **says}
    return encrypting(person_name, named, *_key(line))


def _key(line: NameLine) -> tuple[str, str, str, datetime]:
    return line.account, line.kind, line.person_id, line.since


def _of_settings(
    settings: Settings, wanted: Collection[str] | None, given: Iterable[NameLine | StoredName]
) -> Iterable[NameLine]:
    """The settings' names, except those that an import replaced from the beginning on."""
    said = {(each.kind, each.person_id) for each in given if each.account == EVERY_ACCOUNT and each.since == EPOCH}
    named: dict[str, Any] = {"agent": settings.people.agents, "team": settings.people.teams}
    return [
        NameLine(kind, person_id, name)
        for kind, names in named.items()
        for person_id, name in names.items()
        if (kind, person_id) not in said and (wanted is None or person_id in wanted)
    ]
