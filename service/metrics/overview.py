"""How the service stands, on one screen: frozen facts from the database and the settings.

The same figures as /metrics (`gauges.GAUGES`), grouped by account, and in words what needs attention (`attention.py`).
Never a customer, a text or a score.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from service import __version__
from service.db.sqlite import log_bytes
from service.humanize import age
from service.metrics import attention, budgets, served, totals
from service.metrics.attention import Readings
from service.migrations import head
from service.partitions import creation
from service.replica import ReplicaStanding
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """One account. Ages in seconds; None: there is no such thing."""

    name: str
    held: str | None
    open: int
    oldest_due: float | None
    unclear: int
    dms_left: int
    cards_left: int
    events_behind: float | None
    webhook_silent: float | None
    missed: int
    cards_due: float | None
    x_away: float | None
    unreadable: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one moment. `day`: the last 24 hours, by kind and outcome."""

    at: datetime
    version: str
    schema: str
    workers: int
    builds: tuple[str, ...]
    accounts: tuple[AccountOverview, ...]
    day: Mapping[str, Mapping[str, int]]
    unsealed: int
    replica: ReplicaStanding | None
    encrypting: str | None
    needs_a_hand: tuple[str, ...]


def overview(
    connection: Connection, settings: Settings, now: datetime, replica: ReplicaStanding | None = None
) -> Overview:
    """Read how everything stands, given the replica. One statement per figure, however many accounts there are."""
    read = served.figures(connection, settings, now)
    found = Readings(
        {each.name: {tuple(map(str, labels)): float(number) for *labels, number in rows} for each, rows in read}
    )
    left = budgets.left(settings.accounts, budgets.taken(connection, settings.accounts, now))
    accounts = tuple(_account(name, found, left) for name in settings.accounts)
    builds = tuple(f"{role} {version}, Python {python}" for role, version, python in totals.living(connection, now))
    working = served.by_workers(connection, now)
    of_accounts = (
        sentence
        for one in accounts
        for sentence in attention.of_account(
            one.name, found, one.dms_left, one.cards_left,
            is_served=working is None or f"accounts.{one.name}" in working,
        )
    )  # fmt: skip
    return Overview(
        at=now,
        version=__version__,
        schema=head(),
        workers=found.total("workers_seen"),
        builds=builds,
        accounts=accounts,
        day=_day(found),
        unsealed=found.total("access_log_unsealed"),
        replica=replica,
        encrypting=_encrypting(found),
        needs_a_hand=(
            *attention.of_service(found, builds),
            *attention.of_database(creation.unplaced(connection), log_bytes(connection.engine), replica),
            *attention.of_sources(found),
            *of_accounts,
        ),
    )


def _encrypting(found: Readings) -> str | None:
    """How far a change of the encryption key is; None: none is under way."""
    since = found.one("encryption_under_way_seconds")
    if since is None:
        return None
    rows = found.total("encryption_rows_rewritten")
    return f"Encryption at rest has been converting rows for {age(since)}, {rows} so far: `dm-feedback privacy status`."


def _account(name: str, found: Readings, left: budgets.Sends) -> AccountOverview:
    return AccountOverview(
        name=name,
        held=found.held("account_held", name),
        open=found.total("requests_open", name),
        oldest_due=found.one("oldest_due_seconds", name),
        unclear=found.total("sends_unclear", name),
        dms_left=left[name, "dm"],
        cards_left=left[name, "card"],
        events_behind=found.one("events_behind_seconds", name),
        webhook_silent=found.one("webhook_silent_seconds", name),
        missed=found.total("webhook_missed", name),
        cards_due=found.one("refresh_oldest_due_seconds", name),
        x_away=found.one("x_away_seconds", name),
        unreadable=found.total("events_unreadable", name),
    )


def _day(found: Readings) -> Mapping[str, Mapping[str, int]]:
    requests = [((state, reason), n) for (_, state, reason), n in found.found["requests_ended_day"].items()]
    return {
        "deliveries": _counts(found.found["deliveries_day"].items()),
        "requests": _counts(requests),
        "answers": _counts(found.found["results_day"].items()),
    }


def _counts(found: Iterable[tuple[tuple[str, ...], float]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for labels, number in sorted(found):
        counts[" ".join(filter(None, labels))] += int(number)
    return dict(counts)
