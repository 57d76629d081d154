"""Attacks one ledger from beginning to end, by seed; returns what was found, and how much was told."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy.engine import Engine

from tests.reports.attack.collect import Figure, collect
from tests.reports.attack.http import collect as over_http
from tests.reports.attack.judge import Account, Leak, last_day, leaks, misread, tables
from tests.reports.attack.ledgers import BEGIN, Spoken, ledger
from tests.reports.attack.play import ZONED, Lived, database_for_once

MOMENTS = (17, 36, 58)
SETTLED = timedelta(days=40)
ZEROS = ("coverage", "rota")
ACCOUNTS = ("acme", "other")
Reading = Callable[[Lived, random.Random], set[Figure]]
"""How figures are read: straight from disclosure, or over HTTP."""
Opened = Callable[[], AbstractContextManager[Engine]]
"""Where a ledger is lived: an empty database."""


@dataclass
class AttackResult:
    """What became of an attack."""

    seed: int
    shape: str
    answers: int = 0
    released: int = 0
    figures: int = 0
    misread: list[Figure] = field(default_factory=list)
    leaks: list[tuple[str, str, Leak]] = field(default_factory=list)
    tried: int = 0
    bounded: int = 0
    sampled: int = 0

    @property
    def nothing(self) -> bool:
        """Whether the attacker came back with empty hands."""
        return not self.misread and not self.leaks


@contextmanager
def lived_through(
    given: int | list[Spoken], read: Reading = collect, opened: Opened = database_for_once
) -> Iterator[tuple[Lived, AttackResult, set[Figure]]]:
    """Live a ledger, drawn or given, until everything is closed; erase somebody now and then, read at every moment."""
    with opened() as engine:
        seed, name, spoken = (given, *ledger(given)) if isinstance(given, int) else (0, "given", given)
        lived, rnd = Lived(engine, ZONED), random.Random(-seed)
        figures: set[Figure] = set()
        for day in (*MOMENTS, (last_day(spoken) + SETTLED - BEGIN).days):
            lived.live(spoken, BEGIN + timedelta(days=day))
            figures |= {replace(each, newest=lived.newest()) for each in read(lived, rnd)}
            lived.erase_score(rnd.choice(sorted(lived.leaf_of_day()) or [""]))
        found = AttackResult(seed, name, sum(each.seen is not None for each in spoken), len(lived.leaf_of_day()))
        yield lived, found, figures


def attack(
    seed: int, read: Reading = over_http, opened: Opened = database_for_once, *, most: int = 8, bounds: int = 4
) -> AttackResult:
    """Attack a ledger. `most`: small cells tried in each table; `bounds`: how many of them are bounded."""
    with lived_through(seed, read, opened) as (lived, found, figures):
        accounts, rnd = accounts_of(lived), random.Random(seed)
        found.figures, found.misread = len(figures), misread(lived, figures, accounts)
        for name, account in accounts.items():
            for zeros in ZEROS:
                told, tried = leaks(account, rnd, most, zeros=zeros)
                found.leaks += [(name, zeros, each) for each in told]
                found.tried += tried
        table = tables(accounts["acme"], "coverage")["people"]
        found.bounded, found.sampled = table.bounded(accounts["acme"].least, bounds, rnd)
        return found


def accounts_of(lived: Lived) -> Mapping[str, Account]:
    """Both accounts, as the attacker sees them."""
    return {name: Account(lived, name, lived.settings.reports.min_score_n) for name in ACCOUNTS}
