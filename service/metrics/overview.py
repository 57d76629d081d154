"""How the service stands, on one screen: frozen facts from the database and the settings.

The same figures as /metrics (`gauges.GAUGES`), grouped by account, and in words what needs attention and what to do.
Never a customer, a text or a score.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Connection

from service import __version__
from service.db.sqlite import log_bytes
from service.humanize import HOUR, MINUTE, age, many
from service.metrics import budgets, served, totals
from service.metrics.gauges import GAUGES
from service.migrations import head
from service.partitions import creation
from service.replica import ReplicaStanding
from service.settings import Settings

ATTENTION_FROM: Mapping[str, float] = {
    "access_log_unsealed": 1000,
    "sweep_behind_seconds": 6 * HOUR,
    "look_ups_day": 20,
    "source_away_seconds": 30 * MINUTE,
    "oldest_due_seconds": 30 * MINUTE,
    "x_away_seconds": 15 * MINUTE,
    "sends_left": 50,
    "sqlite_log_bytes": 256 * 1024 * 1024,
    "events_behind_seconds": 36 * HOUR,
    "webhook_missed": 10,
    "webhook_silent_seconds": HOUR,
    "refresh_oldest_due_seconds": 6 * HOUR,
}
"""From where on a figure needs it; deploy/prometheus/alerts.yml says the same, and a test holds both together."""

Figure = Mapping[tuple[str, ...], float]
"""A figure: a number by the values of its labels."""


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
    replica: ReplicaStanding | None = None
    encrypting: str | None = None
    needs_a_hand: tuple[str, ...] = field(default=())


def overview(
    connection: Connection, settings: Settings, now: datetime, replica: ReplicaStanding | None = None
) -> Overview:
    """Read how everything stands, given the replica. One statement per figure, however many accounts there are."""
    accounts, whom = settings.accounts, served.now_served(connection, settings, now)
    found = {
        each.name: {
            tuple(values): number for values, number in served.figures(connection, each.query(now), each.labels, whom)
        }
        for each in GAUGES
    }
    left = budgets.left(accounts, budgets.taken(connection, accounts, now))
    mine = tuple(_account(name, found, left) for name in accounts)
    builds = tuple(f"{role} {version}, Python {python}" for role, version, python in totals.living(connection, now))
    workers, unsealed = int(found["workers_seen"][()]), int(found["access_log_unsealed"][()])
    day = {
        "deliveries": _counts(found["deliveries_day"]),
        "requests": _counts({(state, reason): n for (_, state, reason), n in found["requests_ended_day"].items()}),
        "answers": _counts(found["results_day"]),
    }
    unserved = _unserved(accounts, served.by_workers(connection, now))
    accounts_said = (said for one in mine for said in _of_account(one, is_served=one.name not in unserved))
    service_says = _of_service(workers, unsealed, day, builds)
    storage_says = (*_of_partitions(creation.unplaced(connection)), *_of_log(log_bytes(connection.engine)))
    hands = (
        *service_says, *_of_values(found), *storage_says, *_of_replica(replica), *_of_sources(found),
        *_of_unserved(unserved), *accounts_said,
    )  # fmt: skip
    said = _encrypting(found)
    return Overview(now, __version__, head(), workers, builds, mine, day, unsealed, replica, said, hands)


def _encrypting(found: Mapping[str, Figure]) -> str | None:
    """How far a change of the encryption key is; None: none is under way."""
    since = found["encryption_under_way_seconds"].get(())
    if since is None:
        return None
    rows = int(found["encryption_rows_rewritten"][()])
    return f"Encryption at rest has been going over for {age(since)}, {rows} rows: `dm-feedback privacy status`."


def _account(name: str, found: Mapping[str, Figure], left: budgets.Sends) -> AccountOverview:
    def one(figure: str) -> float | None:
        return found[figure].get((name,))

    def total(figure: str) -> int:
        return int(sum(number for labels, number in found[figure].items() if labels[0] == name))

    return AccountOverview(
        name=name,
        held=next((reason for account, reason in found["account_held"] if account == name), None),
        open=total("requests_open"),
        oldest_due=one("oldest_due_seconds"),
        unclear=total("sends_unclear"),
        dms_left=left[name, "dm"],
        cards_left=left[name, "card"],
        events_behind=one("events_behind_seconds"),
        webhook_silent=one("webhook_silent_seconds"),
        missed=total("webhook_missed"),
        cards_due=one("refresh_oldest_due_seconds"),
        x_away=one("x_away_seconds"),
        unreadable=total("events_unreadable"),
    )


def _counts(found: Figure) -> dict[str, int]:
    counts: dict[str, int] = {}
    for labels, number in sorted(found.items()):
        name = " ".join(filter(None, labels))
        counts[name] = counts.get(name, 0) + int(number)
    return counts


def _of_service(
    workers: int, unsealed: int, day: Mapping[str, Mapping[str, int]], builds: tuple[str, ...]
) -> Iterator[str]:
    if not workers:
        yield "No worker lives, nobody is asked: start `dm-feedback worker`."
    if unmappable := day["deliveries"].get("unmappable", 0):
        yield f"{many(unmappable, 'item')} of deliveries made no sense: `dm-feedback deliveries list`."
    if unknown := day["requests"].get("unknown", 0):
        yield f"Nobody knows what became of {many(unknown, 'message')}: `dm-feedback requests list --state unknown`."
    if unsealed > ATTENTION_FROM["access_log_unsealed"]:
        waits = many(unsealed, "line")
        yield f"Not sealed in the access log: {waits}; may the worker write it (deploy/roles.sql)?"
    if len({each.split()[1] for each in builds}) > 1:
        yield "Processes of different versions run beside each other: finish the upgrade."


def _of_values(found: Mapping[str, Figure]) -> Iterator[str]:
    if refused := int(found["encryption_rows_refused"].get((), 0)):
        yield f"{refused} rows hold values changed or moved in the database: `dm-feedback privacy check`."


def _of_partitions(unplaced: Mapping[str, int]) -> Iterator[str]:
    if waiting := sorted(table for table, rows in unplaced.items() if rows):
        yield (
            f"No partition was made for rows of {', '.join(waiting)}: a worker does it within the hour; where its log "
            "says not_forgotten, run `dm-feedback db partition`."
        )


def _of_log(size: int | None) -> Iterator[str]:
    if _over("sqlite_log_bytes", size):
        yield (
            f"The log beside the ledger (FILE-wal) holds {(size or 0) // 2**20} MB: somebody reads and does not end (a "
            "sqlite3 shell in a transaction, a copy under way), and it grows until he does."
        )


def _unserved(accounts: Iterable[str], working: served.Served) -> frozenset[str]:
    """The accounts that no worker which lives has in its settings; none where no worker lives."""
    return frozenset(name for name in accounts if working is not None and f"accounts.{name}" not in working)


def _of_unserved(unserved: Iterable[str]) -> Iterator[str]:
    for name in sorted(unserved):
        yield f"{name}: no worker that lives has it in its settings, so nobody is asked: restart the workers."


def _of_replica(found: ReplicaStanding | None) -> Iterator[str]:
    if found is not None and found.sentence is not None:
        yield f"The replica (database.read_url) {found.sentence}."


def _of_sources(found: Mapping[str, Figure]) -> Iterator[str]:
    for source, reason in found["source_held"]:
        waits = int(found["look_ups_waiting"].get((source,), 0))
        yield (
            f"The API of {source} refuses us ({reason}), {many(waits, 'conversation')} waiting: mend "
            f"[sources.{source}.api], restart, then `dm-feedback sources release {source}`."
        )
    for (source, *_), away in found["source_away_seconds"].items():
        if _over("source_away_seconds", away):
            who = many(int(found["look_ups_waiting"].get((source,), 0)), "conversation")
            yield (
                f"{source}: its CRM has told us of nobody for {age(away)}, {who} waiting, each until it is stale: "
                f"`dm-feedback sources lookup {source} --conversation ID` shows what it answers."
            )
    looked = found["look_ups_day"]
    for source, number in sorted((source, n) for (source, outcome), n in looked.items() if outcome == "nobody"):
        if _over("look_ups_day", number) and not looked.get((source, "found")):
            yield (
                f"{source}: its CRM knew none of {int(number)} customers since yesterday: `dm-feedback sources lookup "
                f"{source} --conversation ID` shows what it answers."
            )
    for (source, *_), behind in found["sweep_behind_seconds"].items():
        if _over("sweep_behind_seconds", behind):
            yield f"{source}: its list of what ended is read until {age(behind)} ago: `dm-feedback sources list`."


def _of_account(one: AccountOverview, *, is_served: bool) -> Iterator[str]:
    if one.held is not None:
        yield f"{one.name} is held ({one.held}): mend it, then `dm-feedback accounts release {one.name}`."
    elif is_served and _over("oldest_due_seconds", one.oldest_due):
        yield f"{one.name}: a request has been due for {age(one.oldest_due)}; more workers, or X's limits are used up."
    if _over("x_away_seconds", one.x_away):
        yield (
            f"{one.name}: no call to X has succeeded for {age(one.x_away)}; the worker's log (x_called, reason) says "
            "whether it is X, our way to it or our clock; nothing is lost, it goes on when X answers."
        )
    if min(one.dms_left, one.cards_left) < ATTENTION_FROM["sends_left"]:
        yield f"{one.name}: X's limit of the day leaves {one.dms_left} DMs and {one.cards_left} cards."
    if _over("events_behind_seconds", one.events_behind):
        yield f"{one.name}: feedback/events is read until {age(one.events_behind)} ago; figures end there."
    if _over("webhook_missed", one.missed) and _over("webhook_silent_seconds", one.webhook_silent):
        came = f"{many(one.missed, 'answer')} came by asking"
        yield f"{one.name}: X's webhook is silent for {age(one.webhook_silent)}, {came}."
    if _over("refresh_oldest_due_seconds", one.cards_due):
        yield f"{one.name}: a card has waited {age(one.cards_due)} to be asked about."
    if one.unreadable:
        yield f"{one.name}: {many(one.unreadable, 'event')} of X could not be read."


def _over(figure: str, found: float | None) -> bool:
    return found is not None and found > ATTENTION_FROM[figure]
