"""The plan of a run, drawn from its seed before it begins: conversations, kills, outages."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

PER_ACCOUNT = 800  # X lets an account write to 1,000 customers a day; unclear sends take slots too
PER_LOOK_UP = 200
FIRST_CUSTOMER = 7_000_000
UNREACHABLE = 50  # one in so many customers cannot be written to
KILLS = {  # kind -> how often, and how many processes it kills, given the number of workers
    "worker": (30, lambda _: 1),
    "after the call": (30, lambda workers: max(1, workers // 2)),
    "all workers": (8, lambda workers: workers),
    "web": (10, lambda _: 1),
    "web child": (10, lambda _: 1),
    "web parent": (4, lambda _: 1),
    "web and worker": (8, lambda _: 2),
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation that ends: `at_s` after the start, and what the CRM does with it besides."""

    id: str
    account: str
    customer: int
    by_handle: bool
    at_s: float
    copies: tuple[tuple[float, bool], ...]  # further deliveries: seconds later, and whether as a new event
    reopened_after_s: float | None


@dataclass(frozen=True, slots=True)
class Strike:
    """One kill or outage, `at_s` after the start."""

    at_s: float
    kind: str
    processes: int
    dice: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run."""

    seed: int
    accounts: tuple[str, ...]
    conversations: tuple[Conversation, ...]
    strikes: tuple[Strike, ...]
    seconds: float


def draw(seed: int, conversations: int, kills: int, workers: int, seconds: float, away_every_s: float = 60) -> Plan:
    """The same seed and sizes draw the same plan."""
    dice = random.Random(seed)
    accounts = tuple(f"a{n:02}" for n in range(_accounts(conversations, seconds)))
    ended = tuple(_conversations(dice, conversations, accounts, seconds))
    strikes = sorted(
        [*_kills(dice, kills, workers, seconds), *_others(dice, seconds, away_every_s)], key=lambda each: each.at_s
    )
    return Plan(seed, accounts, ended, tuple(strikes), seconds)


def _accounts(conversations: int, seconds: float) -> int:
    """As many as X's day demands, and as the look-ups demand: they read two minutes of messages in 15 pages of 50."""
    in_two_minutes = min(conversations, conversations * 130 / seconds)
    return max(3, math.ceil(conversations / PER_ACCOUNT), math.ceil(in_two_minutes / PER_LOOK_UP))


def can_be_written_to(customer: int) -> bool:
    return (customer - FIRST_CUSTOMER) % UNREACHABLE != 1


def handle_of(customer: int) -> str:
    return f"chaos_{customer - FIRST_CUSTOMER}"


def _conversations(
    dice: random.Random, count: int, accounts: tuple[str, ...], seconds: float
) -> Iterator[Conversation]:
    for n in range(count):
        # now and then somebody whom the same account has asked before: the cool-down must hold whatever dies
        returning = n >= 2 * len(accounts) and dice.random() < 0.03
        customer = FIRST_CUSTOMER + n - (len(accounts) * dice.randint(1, 2) if returning else 0)
        yield Conversation(
            id=f"c-{n}",
            account=accounts[n % len(accounts)],
            customer=customer,
            by_handle=dice.random() < 0.03,
            at_s=seconds * n / count,
            copies=tuple((dice.uniform(0, 5), dice.random() < 0.3) for _ in range(_copies(dice))),
            reopened_after_s=dice.uniform(0, 1.5) if dice.random() < 0.02 else None,
        )


def _copies(dice: random.Random) -> int:
    lot = dice.random()
    return 2 if lot < 0.02 else 1 if lot < 0.12 else 0


def _kills(dice: random.Random, kills: int, workers: int, seconds: float) -> Iterator[Strike]:
    kinds, planned = [], 0
    while planned < kills:
        kind = dice.choices(list(KILLS), [weight for weight, _ in KILLS.values()])[0]
        kinds.append((kind, min(KILLS[kind][1](workers), kills - planned)))
        planned += kinds[-1][1]
    for place, (kind, processes) in enumerate(kinds):
        at_s = seconds * (place + dice.uniform(0.2, 0.8)) / len(kinds)
        yield Strike(at_s, kind, processes, dice.random())


def _others(dice: random.Random, seconds: float, away_every_s: float) -> Iterator[Strike]:
    """The database goes away about once a minute, and a worker is paused past its lease about twice."""
    for kind, every_s in (("database away", away_every_s), ("pause", 30)):
        times = max(1, round(seconds / every_s))
        for place in range(times):
            yield Strike(seconds * (place + dice.uniform(0.3, 0.7)) / times, kind, 0, dice.random())
