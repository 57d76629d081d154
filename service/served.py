"""Whom living processes serve: in, what each says of its settings; out, names, and figures of those alone.

Of an account or a source that nobody has in his settings nothing is told: how it stood as it left is nothing to mend.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.encrypting.in_force import is_alive
from service.models import process_count
from service.settings import Settings

SECTIONS = {"account": "accounts", "source": "sources"}
"""The first label of a figure that is of somebody, and where the settings name them."""

pct = process_count.c
Served = Collection[str] | None
"""As in accounts.acme; None: a process does not say whom it serves."""


def of(settings: Settings) -> list[str]:
    """Return the accounts and sources of the settings: who moves one asks for it."""
    return [f"accounts.{name}" for name in settings.accounts] + [f"sources.{name}" for name in settings.sources]


def now_served(connection: Connection, ours: Settings, now: datetime) -> Served:
    """Return whom living processes serve, and whom these settings do."""
    said = connection.scalars(sa.select(pct.serves).where(is_alive(now))).all()
    if any(each is None for each in said):
        return None
    return frozenset(of(ours)).union(*(each or [] for each in said))


def figures(
    connection: Connection, query: sa.Select[*tuple[Any, ...]], labels: Sequence[str], served: Served
) -> Iterator[tuple[list[str], float]]:
    """Ask for a figure; yield the values of its labels and the number of each, of those who are served."""
    section = SECTIONS.get(labels[0]) if labels and served is not None else None
    for *values, number in connection.execute(query):
        if section is None or f"{section}.{values[0]}" in (served or ()):
            yield [str(value) for value in values], float(number)
