"""A run over one edge: number of inputs and a seed in; out, the faults found, each with what repeats it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.fuzz.edges import Edge

MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """What came out that should not: `python -m tests.fuzz --only EDGE --repeat SEED` shows it again."""

    seed: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class Ran:
    """How much was tried of an edge, and what was found."""

    inputs: int
    faults: tuple[Fault, ...]
    seconds: float
    slowest: float


def run(edge: Edge, inputs: int, seed: str, until: float = float("inf")) -> Ran:
    """Try so many inputs, fewer where time runs out or too much is found."""
    began, done, faults, slowest = time.monotonic(), 0, [], 0.0
    for each in _seeds(inputs, seed):
        before = time.monotonic()
        if before > until or len(faults) == MOST_FAULTS:
            break
        try:
            edge(Random(each))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            faults.append(Fault(each, error))
        done, slowest = done + 1, max(slowest, time.monotonic() - before)
    return Ran(done, tuple(faults), time.monotonic() - began, slowest)


def _seeds(inputs: int, seed: str) -> Iterator[str]:
    return (f"{seed}-{number}" for number in range(inputs))
