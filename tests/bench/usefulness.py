"""How many answers analysts get to see, and how late: half a year of releases, closed day by day.

    python -m tests.bench usefulness --answers 100

Four teams of five agents with very unequal load (teams 4 : 3 : 2 : 1, within a team each agent half of the one before).
Everybody is new on the first day, and in no team's release before the fifth answer. Half of the customers answer, most
on the same day, fewer on weekends. Prints one table; asserts nothing.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table

from service.db import reading
from service.reports.disclosure.asked import PeriodQuestion, Pooled, PublishedFigures
from service.reports.disclosure.published import published, trend
from tests.reports.attack.ledgers import BEGIN, Spoken
from tests.reports.attack.play import Lived, database

WEEKS = 24
TEAMS = {"t0": 4, "t1": 3, "t2": 2, "t3": 1}
PEOPLE = [(team, f"{team}a{a}", load * 2.0**-a) for team, load in TEAMS.items() for a in range(5)]
DAYS = (1.0, 1.0, 1.0, 1.0, 1.0, 0.6, 0.6)
LANGUAGES = {"en": 70, "de": 25, "fr": 5}
LATE = (0, 0, 0, 0, 0, 0, 1, 1, 2, 5)
ASKED = PeriodQuestion(("acme",), "csat")


@click.command()
@click.option("--answers", default=100, show_default=True, help="answers a week")
@click.option("--ledgers", default=3, show_default=True)
def main(answers: int, ledgers: int) -> None:
    """How much of what was answered analysts are told, and by when."""
    table = Table(title=f"{answers} answers a week, 20 agents, {WEEKS} weeks, {ledgers} ledgers", box=None)
    table.add_column("told to analysts")
    rows = [_measured(answers, seed) for seed in range(ledgers)]
    for seed in range(ledgers):
        table.add_column(f"ledger {seed}", justify="right")
    for name in rows[0]:
        table.add_row(name, *(row[name] for row in rows))
    Console().print(table)


def _measured(answers: int, seed: int) -> dict[str, str]:
    with TemporaryDirectory(prefix="dmf-useful-") as folder, database(Path(folder)) as engine:
        lived, spoken = Lived(engine, named_from=5), list(_spoken(random.Random(seed), answers))
        waits = [_old(lived, spoken, day) for day in range(1, WEEKS * 7 + 1)]
        by_day, by_team = _trend(lived, "day"), _asked(lived, replace(ASKED, by="team"))
        by_agent = _asked(lived, replace(ASKED, by="agent"))
        four = [_asked(lived, replace(ASKED, by="agent", first=p.first, end=p.end)) for p in _blocks(lived)]
        tongues = [_asked(lived, replace(ASKED, by="language", first=p.first, end=p.end)) for p in _blocks(lived)]
        days = (lived.now.date() - BEGIN).days
        return {
            "days of the account with a figure of their own": _share(sum(_length(p) == 1 for p in by_day), days),
            "days of the account in a figure": _share(sum(_length(p) for p in by_day), days),
            "answers by team and week": _named(by_team),
            "answers by agent and four weeks": _share(sum(map(_n_named, four)), sum(map(_n, four))),
            "answers by agent and twelve weeks": _named(by_agent),
            "answers by language and four weeks": _share(sum(map(_n_named, tongues)), sum(map(_n, tongues))),
            "answers in no release a week after they came, at most": str(max(waits)),
        }


def _old(lived: Lived, spoken: list[Spoken], day: int) -> int:
    """Close releases until a day; return how many answers older than a week are in none."""
    lived.live(spoken, BEGIN + timedelta(days=day))
    latest, inside = lived.now.date() - timedelta(days=8), lived.leaf_of_day()
    return sum(
        number not in inside and each.seen is not None and each.seen <= latest for number, each in lived.spoken.items()
    )


def _spoken(rnd: random.Random, answers: int) -> Iterator[Spoken]:
    a_day = [2 * answers * each / sum(DAYS) for each in DAYS]
    spoken_in = random.Random(answers)  # of its own, so that languages change nothing else
    loads = [load for *_, load in PEOPLE]
    for day in range(WEEKS * 7):
        for _ in range(round(rnd.gauss(a_day[day % 7], a_day[day % 7] ** 0.5))):
            team, agent, _load = rnd.choices(PEOPLE, loads)[0]
            ended = BEGIN + timedelta(days=day)
            seen = ended + timedelta(days=rnd.choice(LATE)) if rnd.random() < 0.5 else None
            tongue = spoken_in.choices([*LANGUAGES], [*LANGUAGES.values()])[0]
            yield Spoken(ended, seen, rnd.randrange(8, 20), team, agent, "care", tongue, rnd.choice((1, 3, 4, 5, 5, 5)))


def _asked(lived: Lived, asked: PeriodQuestion) -> PublishedFigures:
    with reading(lived.engine) as connection:
        return published(connection, lived.settings, asked, lived.now)


def _trend(lived: Lived, period: str) -> tuple[PublishedFigures, ...]:
    with reading(lived.engine) as connection:
        return trend(connection, lived.settings, ASKED, period, lived.now)


def _blocks(lived: Lived) -> list[PublishedFigures]:
    return [PublishedFigures(first=each.first, end=each.end) for each in lived.releases("acme", "agent")]


def _length(point: PublishedFigures) -> int:
    assert point.first is not None
    assert point.end is not None
    return (point.end - point.first).days


def _n(said: PublishedFigures) -> int:
    return sum(group.n for group in said.groups)


def _n_named(said: PublishedFigures) -> int:
    return sum(group.n for group in said.groups if not isinstance(group.label, Pooled))


def _named(said: PublishedFigures) -> str:
    return _share(_n_named(said), _n(said))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


if __name__ == "__main__":
    main()
