"""One soak: in, a database, minutes and a rate; out, samples and the verdict of the three memories.

The same processes, senders, X and weather as the chaos run, customers who answer, a supervisor who reads, and nobody
kills anything.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median

from sqlalchemy.engine import Engine

from service.auth import keys
from service.db import open_engine, writing
from service.states import OPEN_STATES
from tests.chaos.crm import CrmWeather, running_crm, source
from tests.chaos.fleet import Fleet
from tests.chaos.plan import draw
from tests.chaos.run import SPEAKING, _people
from tests.chaos.senders import Senders
from tests.chaos.verdict import Verdict, judge
from tests.chaos.weather import Weather
from tests.processes import ledger
from tests.processes.children import Child
from tests.processes.databases import open_database
from tests.processes.house import House
from tests.processes.x import running_x
from tests.soak.gauges import Sample, sample
from tests.soak.reader import Reader

MORE: Mapping[str, float] = {"rss_mb": 60, "handles": 20, "threads": 10, "connections": 10, "wal_mb": 64}
"""What may have come in addition at the end, of all processes together. PostgreSQL keeps up to max_wal_size of WAL."""
SLOWER: Mapping[str, float] = {"accept_p50_ms": 2.0, "read_p50_ms": 3.0}
"""So many times slower at the end; the ledger that is read has grown meanwhile."""
SETTLED_WITHIN_S = 300


@dataclass(frozen=True, slots=True)
class Soaked:
    """What was seen."""

    samples: Sequence[Sample]
    verdict: Verdict
    restarts: int
    answers: Mapping[str, int]

    def quarter(self, which: int) -> Sequence[Sample]:
        """The samples of a quarter of the time, from 0."""
        size = max(1, len(self.samples) // 4)
        return self.samples[which * size : (which + 1) * size]

    @property
    def grown(self) -> Sequence[str]:
        """What is larger in the last quarter than after the warm-up, which is the first, beyond what may be."""
        first, last = self.quarter(1) or self.quarter(0), self.quarter(3)
        more = [name for name, most in MORE.items() if _of(mean, last, name) - _of(mean, first, name) > most]
        slow = [name for name, most in SLOWER.items() if _of(median, last, name) > most * _of(median, first, name)]
        return [name for name in (*more, *slow) if not (name == "wal_mb" and last[-1].connections is not None)]


def soak(
    database: str, *, minutes: float, rate: float, every_s: float, seed: int, show: Callable[[Sample], None]
) -> Soaked:
    """Run it once."""
    seconds = minutes * 60
    plan = draw(seed, int(rate * seconds), 0, 1, seconds)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dmf-soak-")))
        store = open_database(database, directory)
        stack.callback(store.close)
        engine = open_engine(store.url)
        stack.callback(engine.dispose)
        crm = stack.enter_context(running_crm())
        house = House(
            directory, store.url, plan.accounts, scale=20, pushes_to=frozenset(plan.accounts[::2]), profile=SPEAKING,
            changes={"worker__idle": "500ms", "worker__lease": "60s", **source(crm)},
        ).write()  # fmt: skip
        x = stack.enter_context(running_x(house))
        _people(x, plan)
        fleet, senders, weather = Fleet(house, 2, seed), Senders(plan, house.web_url), Weather(x, seed)
        reader, crm_weather = Reader(house.web_url, _key(engine)), CrmWeather(crm, plan)
        stack.callback(fleet.kill_all)
        fleet.start()
        for each in (senders, weather, crm_weather, reader):
            each.start()
        samples: list[Sample] = []
        began = time.monotonic()
        while (at_s := time.monotonic() - began) < seconds or senders.outstanding:
            pids = _pids([fleet.web, *fleet.workers])
            samples.append(sample(at_s, pids, engine, _taken(senders.took_s), _taken(reader.took_s)))
            show(samples[-1])
            time.sleep(every_s)
        for each in (weather, crm_weather, reader):
            each.stop()
        _settle(engine)
        truth = x.ask("/truth", requests=0, pushes=0)
        everyone = {each.id for each in plan.conversations}
        verdict = judge(engine, set(senders.acknowledged), everyone, truth)
        return Soaked(samples, verdict, fleet.restarts, {**senders.answers, **_named(reader)})


def _named(reader: Reader) -> Mapping[str, int]:
    return {f"read: {answer}": count for answer, count in reader.answers.items()}


def _taken(times: list[float]) -> Sequence[float]:
    """What has come since it was asked last."""
    found = times[:]
    del times[: len(found)]
    return found


def _settle(engine: Engine) -> None:
    end = time.monotonic() + SETTLED_WITHIN_S
    while time.monotonic() < end and sum(ledger.states(engine).get(each, 0) for each in OPEN_STATES):
        time.sleep(1)


def _key(engine: Engine) -> str:
    with writing(engine) as connection:
        return keys.create(connection, "soak", "supervisor", (), datetime.now(UTC))


def _pids(children: Sequence[Child]) -> list[int]:
    return [pid for each in children if each.running for pid in (each.pid, *each.forked())]


def _of(middle: Callable[[Sequence[float]], float], samples: Sequence[Sample], name: str) -> float:
    return middle([float(getattr(each, name) or 0) for each in samples])
