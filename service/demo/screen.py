"""What a person sees of the play on a terminal. Decides nothing.

Lines scroll by while four bars fill up; the tables come at the end. Without a terminal both are plain text.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from service.demo import troubles
from service.demo.play import Play, Run, Scene
from service.demo.reconcile import Check
from service.demo.script import Script
from service.demo.supervisor import FigureInWords
from service.states import State, sentence_of

MOODS = {"trouble": "yellow", "mended": "green", "plain": "dim"}
SHOWN_MISTAKES = 6
SENT_SENTENCE = "The opening DM and the feedback card were sent."


class Screen:
    """One run on one console."""

    def __init__(self, console: Console, script: Script) -> None:
        self._console, self._script, self._began = console, script, time.monotonic()
        columns = (
            TextColumn("  {task.description:34}"),
            BarColumn(bar_width=34, complete_style="cyan", finished_style="green"),
            MofNCompleteColumn(),
        )
        self._bars = Progress(*columns, console=console)
        self._doing = Progress(TextColumn("[bold]{task.description}"), TimeElapsedColumn(), console=console)
        self._now = self._doing.add_task("Starting the sandbox and the service (web, worker, SQLite)")
        self._tasks = list(self._made())

    def opening(self) -> None:
        """Say what is about to happen."""
        said = self._script.posts
        self._console.print(
            Panel(
                "A CRM reports to this service that conversations have ended. The service asks each customer over X: "
                "first an opening Direct Message, then a Customer Feedback card with a score. Accounts that may not "
                "send cards use quick replies or a link to the service's own page. Answers arrive by webhook, or by "
                "polling if the webhook is lost. Supervisors see the results, agents never do.\n\n"
                f"[dim]Here a script simulates the CRM ({said} deliveries) and the customers. [/dim]dm-feedback "
                "sandbox[dim] simulates X: it checks signatures and limits, and causes errors on purpose. The service "
                "runs as in production: gunicorn, a worker process, a database. Nothing leaves this machine.[/dim]",
                title="[bold]dm-feedback: the whole product in half a minute",
                border_style="cyan",
                width=min(110, self._console.width),
            ),
            highlight=False,
        )

    def live(self) -> Live:
        """Return the context in which the bars are kept up to date."""
        return Live(Group(self._doing, self._bars), console=self._console, refresh_per_second=8, transient=True)

    def watch(self, moment: Scene) -> None:
        """Show how far it has come, and what is new."""
        for line in moment.lines:
            since = time.monotonic() - self._began
            style = MOODS[line.mood]
            self._console.print(
                Text.assemble((f"{since:5.1f} s  ", "dim"), (f"{line.who:6} ", "bold"), (line.what, style)),
                soft_wrap=not self._console.is_terminal,
            )
        self._doing.update(self._now, description=moment.doing)
        standing = moment.standing
        values = (moment.posted, standing.ended, standing.cards, standing.answers)
        for task, value in zip(self._tasks, values, strict=True):
            self._bars.update(task, completed=value)

    def _made(self) -> Iterator[TaskID]:
        customers = [customer for customer, fate in self._script.ends.values() if fate[0] == State.CARD_SENT]
        answers = sum(sum(each.answers) for each in customers)
        yield self._bars.add_task("Deliveries from the CRM", total=self._script.posts)
        yield self._bars.add_task("Conversations with an outcome", total=len(self._script.ends))
        yield self._bars.add_task("Cards received by customers", total=len(customers))
        yield self._bars.add_task("Scores and comments received", total=answers)

    def closing(self, run: Run, play: Play, csv: Path, *, kept: bool) -> None:
        """Show everything that came of it."""
        console = self._console
        tables = {
            "Every ended conversation has exactly one outcome": _outcomes(run, self._script),
            "What supervisors see: figures with interval and n. Test traffic is left out, small groups are "
            "hidden": _figures(run.read.figures),
            "Three ways of asking: X's card, quick replies under a DM, a link to our page": _figures(run.read.ways),
            "What went wrong, and how it was resolved": _troubles(run),
            "Records of the CRM, of X and of this service, compared one by one": _checks(run.checks),
        }
        for title, table in tables.items():
            console.print(f"\n[bold cyan]{title}", highlight=False)
            console.print(table, highlight=False)
        _where(console, run, play, csv, kept=kept)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        right = heading in RIGHT
        table.add_column(
            heading, header_style="dim", overflow="fold", justify="right" if right else "left", no_wrap=right
        )
    return table


RIGHT = ("conversations", "times", "records", "n")


def _outcomes(run: Run, script: Script) -> Table:
    requests, people = run.memories.ledger.requests, {end[1]: customer for end, (customer, _) in script.ends.items()}
    counts = Counter((each.state, each.reason) for each in requests)
    examples = {(each.state, each.reason): people[each.conversation_id] for each in requests}
    table = _table("conversations", "outcome", "in words", "for instance")
    for (state, reason), count in sorted(counts.items(), key=lambda item: (item[0][0] != State.CARD_SENT, -item[1])):
        sentence = SENT_SENTENCE if reason is None else sentence_of(reason)
        colour = "green" if state == State.CARD_SENT else "default" if state == State.SKIPPED else "red"
        customer = examples[state, reason]
        outcome = f"[{colour}]{state}{': ' if reason else ''}{reason or ''}"
        table.add_row(str(count), outcome, sentence, f"[dim]{customer.name}: {customer.why}")
    return table


def _figures(figures: Sequence[FigureInWords]) -> Table:
    table = _table("figure", "value", "95 % interval", "n", "how")
    for each in figures:
        table.add_row(each.name, f"[bold]{each.value}", each.interval, each.n, each.how)
    return table


def _troubles(run: Run) -> Table:
    table = _table("times", "what", "how it was resolved")
    for each in troubles.told(run.memories):
        table.add_row(str(each.times), f"[yellow]{each.what}", f"[green]{each.became}")
    return table


def _checks(checks: Sequence[Check]) -> Table:
    table = _table("records", "check", "result")
    for each in checks:
        table.add_row(
            str(each.records), each.promise, "[green]✓ all" if each.holds else f"[bold red]✗ {len(each.wrong)} not"
        )
        for wrong in each.wrong[:SHOWN_MISTAKES]:
            table.add_row("", f"[red]  {escape(wrong)}", "")
    return table


def _where(console: Console, run: Run, play: Play, csv: Path, *, kept: bool) -> None:
    key = play.supervisor_key if kept else "KEY"
    console.print("\n[bold cyan]Where to look")
    lines = {
        "CSV file": f"{csv}  ({len(run.memories.told.csv)} rows)",
        "settings, database, logs": f"{play.stage.folder}/",
        "API call of a supervisor": f"curl -H 'Authorization: Bearer {key}' '{run.read.call}'",
        "its response": run.read.answered,
    }
    for name, value in lines.items():
        # unwrapped, so that it can be copied
        console.print(f"[dim]{name:26}[/]{escape(value)}", highlight=False, soft_wrap=True)


def verdict(console: Console, run: Run, seconds: float) -> None:
    """The last line: whether all promises were kept."""
    kept = sum(each.holds for each in run.checks)
    if run.holds:
        records = sum(each.records for each in run.checks)
        console.print(
            f"\n[bold green]All {kept} checks passed[/] with {records} comparisons, in {seconds:.0f} s.",
            highlight=False,
        )
    else:
        console.print(
            f"\n[bold red]{len(run.checks) - kept} of {len(run.checks)} checks failed[/], see above.", highlight=False
        )


def kept_running(console: Console, play: Play) -> None:
    """Say where everything is while it is left running."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    rows = {
        "dashboard": f"{play.stage.service_url}/dashboard",
        "API documentation": f"{play.stage.service_url}/docs",
        "health": f"{play.stage.service_url}/readyz",
        "sandbox of X": f"{play.stage.x_url}/_control",
        "supervisor's key": play.supervisor_key,
        "admin key": play.admin_key,
        "settings": str(play.stage.settings_file),
    }
    for name, value in rows.items():
        grid.add_row(name, escape(value))
    console.print(Panel(grid, title="[bold]Still running. Ctrl-C stops everything", border_style="cyan", expand=False))
