"""How much of an endpoint's rate limit an account has used: go ahead, or come back at a given time.

One row per account and endpoint, changed by a single statement, so any number of workers share it. The count is ours;
X's own word (a 429, or nothing remaining) overrules it through `exhausted`. Never calls X. A clock that is set back
neither reopens a used-up window nor keeps it shut for longer than one window.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import Micros, insert_of, upsert
from service.models import allowance

SPENT = 2**31 - 1
"""More than any limit, and still an Integer of PostgreSQL."""

UNSAID = timedelta(minutes=15)
"""X's usual window: how long we stay away when a refusal does not say."""

SHORTEST = timedelta(seconds=5)
"""X's clock may be ahead of ours: a window that is "over already" still gets this long."""

SHARES = 3
"""Of a window: who looks for unclear sends, who reads answers, and who asks whether somebody wrote."""

alw = allowance.c


def take(
    connection: Connection, account_name: str, endpoint: str, limit: int, window: timedelta, now: datetime
) -> datetime | None:
    """Count one call to `endpoint`. None: go ahead; otherwise when to come back."""
    this = {"this": account_name, "called": endpoint, "fresh": now + window, "now": now, "most": limit}
    row = connection.execute(_take(connection.dialect.name), this).one()
    # A refusal still counts one, up to one past the limit: that is what tells it from the last call allowed.
    return None if row.used <= limit else row.window_until


@cache
def _take(dialect: str) -> Any:
    """The statement, built once: building it takes longer than running it."""
    param = sa.bindparam
    fresh, now = param("fresh", type_=Micros), param("now", type_=Micros)
    first = insert_of(dialect, allowance).values(
        account=param("this"), endpoint=param("called"), window_until=fresh, used=1
    )
    over = alw.window_until <= now
    used = sa.case((over, 1), (alw.used > param("most"), alw.used), else_=alw.used + 1)
    until = sa.case((over | (alw.window_until > fresh), first.excluded.window_until), else_=alw.window_until)
    return first.on_conflict_do_update(
        index_elements=[alw.account, alw.endpoint], set_={"used": used, "window_until": until}
    ).returning(alw.used, alw.window_until)


def take_share(
    connection: Connection, account_name: str, endpoint: str, by: str, limit: int, window: timedelta, now: datetime
) -> datetime | None:
    """Count one call of a task that may use a third of a window, so that no task takes another's share.

    The last third stays for whoever takes whole windows. Returns what `take` does.
    """
    third = max(1, limit // SHARES)
    again = take(connection, account_name, f"{endpoint} for {by}", third, window, now)
    return again or take(connection, account_name, endpoint, max(1, limit - third), window, now)


def exhausted(
    connection: Connection, account_name: str, endpoint: str, reset_at: datetime | None, now: datetime
) -> datetime:
    """Note that X allows no more calls until `reset_at`, if given. Returns when `take` will allow calls again."""
    until = max(reset_at or now + UNSAID, now + SHORTEST)
    key = {"account": account_name, "endpoint": endpoint}
    upsert(connection, allowance, key, {"used": SPENT, "window_until": until})
    return until
