"""How each X account stands: in, the rows outreach keeps; out, one line an account with what a person can do about it.

Reads only. Shows no customer and no figure made of answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import account_state, worker_seen
from service.reports.dashboard import words

acct, ws = account_state.c, worker_seen.c


@dataclass(frozen=True, slots=True)
class Standing:
    """One account. `status` is sending, paused or held."""

    account: str
    screen_name: str
    status: str
    since: datetime | None
    until: datetime | None
    why: str
    advice: str


def standings(connection: Connection, accounts: Iterable[tuple[str, str]], now: datetime) -> list[Standing]:
    """Return how each of the accounts (name, screen name) stands."""
    rows = {row.account: row for row in connection.execute(sa.select(account_state))}
    return [_standing(name, screen_name, rows.get(name), now) for name, screen_name in accounts]


def last_worker(connection: Connection) -> datetime | None:
    """Return when a worker was last alive."""
    return connection.scalar(sa.select(sa.func.max(ws.seen_at)))


def _standing(name: str, screen_name: str, row: sa.Row[tuple[object, ...]] | None, now: datetime) -> Standing:
    if row is not None and row.hold_reason is not None:
        code = f" (X's code {row.hold_code})" if row.hold_code is not None else ""
        first = (
            "Mend it (at X, or the keys in the settings, then restart)"
            if row.hold_code is not None
            else "See to the reason"
        )  # no code: held by a person
        return Standing(
            name,
            screen_name,
            "held",
            row.held_at,
            None,
            f"{words.heading(row.hold_reason)}{code}. Nothing is sent; requests wait, and those that grow too old are "
            "skipped (stale).",
            f"{first}, then an operator runs: dm-feedback accounts release {name}",
        )
    if row is not None and row.paused_until is not None and row.paused_until > now:
        why = "X asked to slow down; requests wait."
        return Standing(name, screen_name, "paused", None, row.paused_until, why, "Nothing to do: it ends by itself.")
    return Standing(name, screen_name, "sending", None, None, "Cards are sent as conversations end.", "")
