"""Output for people: a table while it runs, the figures at the end."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests.chaos.verdict import Verdict

LINE_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Figures:
    """A whole run in numbers."""

    database: str
    workers: int
    conversations: int
    seed: int
    verdict: Verdict
    mirrored: dict[str, int]
    kills: dict[str, int]
    pauses: int
    outages: int
    outage: str
    faults: int
    looked_up: dict[str, int]
    deliveries: int
    answers: dict[str, int]
    next_progress_s: list[float]
    all_taken_up_s: list[float]
    load_s: float
    total_s: float
    exit_codes: dict[str, int]
    complaints: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        shown = asdict(self)
        shown["next_progress_s"] = _spread(self.next_progress_s)
        shown["all_taken_up_s"] = _spread(self.all_taken_up_s)
        shown["holds"] = self.verdict.holds
        shown["per_second"] = round(self.conversations / self.total_s, 1)
        return shown


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {"n": len(seconds), "p50": round(statistics.median(seconds), 2), "max": round(max(seconds), 2)}


@contextmanager
def live(console: Console, title: str, facts: Callable[[], dict[str, object]]) -> Iterator[Callable[[], None]]:
    """A table that is redrawn on request; without a terminal a line now and then."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as screen:
            yield lambda: screen.update(_table(title, facts()))
        return
    last = [time.monotonic()]

    def line() -> None:
        if time.monotonic() - last[0] >= LINE_EVERY_S:
            last[0] = time.monotonic()
            console.print(" | ".join(f"{name} {value}" for name, value in facts().items()), soft_wrap=True)

    yield line


def show(console: Console, figures: Figures) -> None:
    """The figures, the promises first."""
    verdict = figures.verdict
    console.print(_table(f"{figures.database}, {figures.workers} workers, seed {figures.seed}", _rows(figures)))
    for each in (*verdict.contradictions, *verdict.mirrors)[:20]:
        console.print(f"[red]{each}[/red]", soft_wrap=True)
    word = "[green]Nothing lost, nothing twice.[/green]" if verdict.holds else "[red]A promise is broken.[/red]"
    console.print(f"{word}  Repeat it with --seed {figures.seed}", soft_wrap=True)


def _rows(figures: Figures) -> dict[str, object]:
    verdict, kills = figures.verdict, figures.kills
    return {
        "accepted and lost": verdict.lost,
        "opening DMs sent twice": verdict.openings_twice,
        "cards sent twice": verdict.cards_twice,
        "quick replies and links sent twice": verdict.prompts_twice,
        "requests without outcome": verdict.without_outcome,
        "ledger against X: contradictions": len(verdict.contradictions),
        "rows that a mirror has wrong": len(verdict.mirrors),
        "ended unknown": verdict.unknown,
        "mirrored": _listed(figures.mirrored),
        "conversations": figures.conversations,
        "deliveries": f"{figures.deliveries}  {_listed(figures.answers)}",
        "opening DMs, cards, other prompts at X": f"{verdict.openings}, {verdict.cards}, {verdict.prompts}",
        "kills survived": f"{sum(kills.values())}  {_listed(kills)}",
        "workers paused past their lease": figures.pauses,
        figures.outage: figures.outages,
        "faults of X": figures.faults,
        "kill to next progress, s": _listed(_spread(figures.next_progress_s)),
        "kill to all in flight taken up, s": _listed(_spread(figures.all_taken_up_s)),
        "states": _listed(verdict.states),
        "sends": _listed(verdict.evidence),
        "load, total, s": f"{figures.load_s:.0f}, {figures.total_s:.0f}",
        "conversations a second": round(figures.conversations / figures.total_s, 1),
        "exit codes of the last SIGTERM": _listed(figures.exit_codes),
        "errors in the logs": _listed(figures.complaints) or 0,
    }


def _listed(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _table(title: str, facts: dict[str, object]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, str(value))
    return table
