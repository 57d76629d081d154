"""What needs attention, in sentences that say what to do: the figures of one moment in, words out. Reads nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from service.humanize import HOUR, MINUTE, age, many
from service.replica import ReplicaStanding
from service.states import State

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


@dataclass(frozen=True, slots=True)
class Readings:
    """All figures of one moment: of each a number by the values of its labels."""

    found: Mapping[str, Mapping[tuple[str, ...], float]]

    def one(self, name: str, *labels: str) -> float | None:
        """A number; None: there is none."""
        return self.found[name].get(labels)

    def total(self, name: str, of: str = "") -> int:
        """The numbers of an account or source (the first label), or all of them, added up."""
        return int(sum(number for labels, number in self.found[name].items() if not of or labels[0] == of))

    def held(self, name: str, of: str) -> str | None:
        """Why an account or source is held; None: it is not."""
        return next((reason for each, reason in self.found[name] if each == of), None)

    def over(self, name: str, *labels: str) -> float | None:
        """A number that needs attention; None: it does not."""
        return beyond(name, self.one(name, *labels))


def beyond(name: str, number: float | None) -> float | None:
    """The number, where it needs attention."""
    return number if number is not None and number > ATTENTION_FROM[name] else None


def of_service(found: Readings, builds: Iterable[str]) -> Iterator[str]:
    """About workers, what became of deliveries and messages, the access log, releases, encryption."""
    if not found.one("workers_seen"):
        yield "No worker is running, so nobody is asked: start `dm-feedback worker`."
    if unmappable := int(found.one("deliveries_day", "unmappable") or 0):
        yield f"{many(unmappable, 'item')} in deliveries could not be understood: `dm-feedback deliveries list`."
    ended = found.found["requests_ended_day"].items()
    if unknown := int(sum(number for (_, state, _), number in ended if state == State.UNKNOWN)):
        yield f"It is unknown whether {many(unknown, 'message')} arrived: `dm-feedback requests list --state unknown`."
    if unsealed := found.over("access_log_unsealed"):
        waits = many(int(unsealed), "line")
        yield f"Not sealed in the access log: {waits}; may the worker write to it (deploy/roles.sql)?"
    if len({each.split()[1] for each in builds}) > 1:
        yield "Processes of different versions are running side by side: finish the upgrade."
    if refused := found.total("encryption_rows_refused"):
        yield f"{refused} rows hold values changed or moved in the database: `dm-feedback privacy check`."


def of_database(unplaced: Mapping[str, int], log: int | None, replica: ReplicaStanding | None) -> Iterator[str]:
    """About partitions, the log beside SQLite's file, the replica."""
    if waiting := sorted(table for table, rows in unplaced.items() if rows):
        yield (
            f"No partition was made for rows of {', '.join(waiting)}: a worker does it within the hour. If its log "
            "says not_forgotten, run `dm-feedback db partition`."
        )
    if size := beyond("sqlite_log_bytes", log):
        yield (
            f"The log beside the ledger (FILE-wal) holds {int(size) // 2**20} MB: somebody keeps a read transaction "
            "open (a sqlite3 shell, a running copy), and it grows until that ends."
        )
    if replica is not None and replica.sentence is not None:
        yield f"The replica (database.read_url) {replica.sentence}."


def of_sources(found: Readings) -> Iterator[str]:
    """About the APIs of sources, each by its name."""
    names = ("source_held", "source_away_seconds", "look_ups_day", "sweep_behind_seconds")
    for source in sorted({labels[0] for name in names for labels in found.found[name]}):
        yield from _of_source(source, found)


def _of_source(source: str, found: Readings) -> Iterator[str]:
    waits = many(int(found.one("look_ups_waiting", source) or 0), "conversation")
    asks = f"`dm-feedback sources lookup {source} --conversation ID` shows what the CRM answers."
    if reason := found.held("source_held", source):
        yield (
            f"The API of {source} refuses dm-feedback ({reason}), {waits} waiting: correct [sources.{source}.api], "
            f"restart, then `dm-feedback sources release {source}`."
        )
    if away := found.over("source_away_seconds", source):
        yield (
            f"{source}: lookups in its CRM have failed for {age(away)}, {waits} waiting, each until it is stale: {asks}"
        )
    if (nobody := found.over("look_ups_day", source, "nobody")) and not found.one("look_ups_day", source, "found"):
        yield f"{source}: lookups in its CRM found none of {int(nobody)} customers since yesterday: {asks}"
    if behind := found.over("sweep_behind_seconds", source):
        yield (
            f"{source}: its list of ended conversations has been read up to {age(behind)} ago: `dm-feedback sources "
            "list`."
        )


def of_account(name: str, found: Readings, dms_left: int, cards_left: int, *, is_served: bool) -> Iterator[str]:
    """About one account; `is_served`: a worker that lives has it in its settings, or none lives."""
    if not is_served:
        yield f"{name}: no running worker has it in its settings, so nobody is asked: restart the workers."
    if reason := found.held("account_held", name):
        yield f"{name} is on hold ({reason}): fix the cause, then `dm-feedback accounts release {name}`."
    elif is_served and (due := found.over("oldest_due_seconds", name)):
        yield f"{name}: a request has been due for {age(due)}; start more workers, or X's limits are used up."
    if away := found.over("x_away_seconds", name):
        yield (
            f"{name}: no call to X has succeeded for {age(away)}; the worker's log (x_called, reason) says whether "
            "the cause is X, the network or this machine's clock. Nothing is lost; it continues when X answers."
        )
    if min(dms_left, cards_left) < ATTENTION_FROM["sends_left"]:
        yield f"{name}: X's 24-hour limit leaves {dms_left} DMs and {cards_left} cards."
    if behind := found.over("events_behind_seconds", name):
        yield f"{name}: feedback/events has been read up to {age(behind)} ago; figures are complete only until then."
    if (missed := found.over("webhook_missed", name)) and (silent := found.over("webhook_silent_seconds", name)):
        yield (
            f"{name}: X's webhook has been silent for {age(silent)}, {many(int(missed), 'answer')} came only by "
            "polling."
        )
    if waited := found.over("refresh_oldest_due_seconds", name):
        yield f"{name}: a card has been due for polling for {age(waited)}."
    if unreadable := found.total("events_unreadable", name):
        yield f"{name}: {many(unreadable, 'event')} of X could not be read."
