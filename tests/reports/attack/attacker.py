"""One ledger attacked from beginning to end: in, its seed; out, what the attacker found, and how much was told."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.reports.attack.collect import Figure, collect
from tests.reports.attack.judge import Account, Leak, last_day, leaks, misread, tables
from tests.reports.attack.ledgers import BEGIN, ledger
from tests.reports.attack.play import ZONED, Lived, database

MOMENTS = (17, 36, 58)
SETTLED = timedelta(days=40)
ZEROS = ("coverage", "rota")


@dataclass
class Found:
    """What became of an attack."""

    seed: int
    shape: str
    answers: int = 0
    released: int = 0
    figures: int = 0
    misread: list[Figure] = field(default_factory=list)
    leaks: list[tuple[str, str, Leak]] = field(default_factory=list)
    bounded: int = 0
    sampled: int = 0

    @property
    def nothing(self) -> bool:
        """Whether the attacker came back with empty hands."""
        return not self.misread and not self.leaks


def attack(seed: int, *, most: int = 8, windows: int = 4, bounds: int = 0) -> Found:
    """Live a ledger through, read at several moments, and calculate. `most`: small cells tried in each table."""
    with TemporaryDirectory(prefix="dmf-attack-") as folder, database(Path(folder)) as engine:
        shape, spoken = ledger(seed)
        lived, rnd = Lived(engine, ZONED), random.Random(-seed)
        found = Found(seed, shape.name, sum(each.seen is not None for each in spoken))
        figures: set[Figure] = set()
        for day in (*MOMENTS, (last_day(spoken) + SETTLED - BEGIN).days):
            lived.live(spoken, BEGIN + timedelta(days=day))
            figures |= collect(lived, rnd, windows)
            erased = rnd.choice(sorted(lived.leaf_of_day()) or [""])
            lived.erase_score(erased)
        accounts = {name: Account(lived, name, lived.settings.reports.min_score_n) for name in ("acme", "other")}
        found.figures, found.misread = len(figures), misread(lived, figures, accounts)
        found.released = len(lived.leaf_of_day())
        for name, account in accounts.items():
            for zeros in ZEROS:
                found.leaks += [(name, zeros, each) for each in leaks(account, rnd, most, zeros=zeros)]
        if bounds:
            table = tables(accounts["acme"], "coverage")["people"]
            found.bounded, found.sampled = table.bounded(accounts["acme"].least, bounds, rnd), bounds
        return found
