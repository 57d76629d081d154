"""One soak: a database, minutes and a rate in; samples and the verdict of the three memories out.

The same processes, senders, X and faults as the chaos run, customers who answer and a supervisor who reads, but without
kills.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import linear_regression, mean, median

from sqlalchemy.engine import Engine

from service.auth import keys
from service.db import open_engine, writing
from service.states import OPEN_STATES
from tests.bench.load import gunicorn
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
from tests.processes.site import Site
from tests.processes.x import running_x
from tests.soak.gauges import Sample, Took, sample
from tests.soak.noop import Noop
from tests.soak.reader import Reader

MORE: Mapping[str, float] = {"rss_mb": 60, "handles": 20, "threads": 10, "connections": 10, "wal_mb": 64}
"""What may have come in addition at the end, of all processes together. PostgreSQL keeps up to max_wal_size of WAL."""
SLOWER: Mapping[str, float] = {"accept_by_noop": 2.0, "read_by_noop": 3.0}
"""So many times slower at the end, beside a server that does nothing; the ledger that is read has grown meanwhile."""
SETTLED_WITHIN_S = 2000  # a CRM that failed often is asked again after half an hour
FIGURES = (
    "rss_mb", "handles", "threads", "connections", "wal_mb", "accept_p50_ms", "accept_p99_ms", "read_p50_ms",
    "noop_p50_ms", "accept_by_noop", "read_by_noop",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Soaked:
    """What was seen."""

    samples: Sequence[Sample]
    verdict: Verdict
    restarts: int
    answers: Mapping[str, int]

    @property
    def mb_a_minute(self) -> float:
        """By how much memory still rises, in the second half."""
        half = self.samples[len(self.samples) // 2 :]
        return linear_regression([each.at_s / 60 for each in half], [each.rss_mb for each in half]).slope

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
        site = Site(
            directory, store.url, plan.accounts, scale=20, pushes_to=frozenset(plan.accounts[::2]), profile=SPEAKING,
            changes={"worker__idle": "500ms", "worker__lease": "60s", **source(crm)},
        ).write()  # fmt: skip
        x = stack.enter_context(running_x(site))
        _people(x, plan)
        fleet, senders, weather = Fleet(site, 2, seed), Senders(plan, site.web_url), Weather(x, seed)
        noop = Noop(stack.enter_context(gunicorn("noop", directory, sys.executable, 1, 2)).port)
        reader, crm_weather = Reader(site.web_url, _key(engine)), CrmWeather(crm, plan)
        stack.callback(fleet.kill_all)
        fleet.start()
        for each in (senders, weather, crm_weather, reader, noop):
            each.start()
        samples: list[Sample] = []
        began = time.monotonic()
        while (at_s := time.monotonic() - began) < seconds or senders.outstanding:
            took = Took(*(_taken(each.took_s) for each in (senders, reader, noop)))
            samples.append(sample(at_s, _pids([fleet.web, *fleet.workers]), engine, took))
            show(samples[-1])
            time.sleep(every_s)
        for each in (weather, crm_weather, reader, noop):
            each.stop()
        _settle(engine)
        truth = x.ask("/truth", requests=0, pushes=0)
        everyone = {each.id for each in plan.conversations}
        verdict = judge(engine, set(senders.acknowledged), everyone, truth)
        return Soaked(samples, verdict, fleet.restarts, {**senders.answers, **_named(reader)})


def quarters(found: Soaked) -> Iterator[str]:
    """The medians of each quarter, a line a figure, and what a minute of the second half added to memory."""
    for name in FIGURES:
        yield f"{name}: " + ", ".join(f"{_of(median, found.quarter(n), name):.1f}" for n in range(4))
    spent = [found.quarter(n)[-1].cpu_s - found.quarter(n)[0].cpu_s for n in range(4)]
    yield "processor, s: " + ", ".join(f"{each:.0f}" for each in spent)
    yield f"memory in the second half: {found.mb_a_minute:+.2f} MB a minute"


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


def _pids(children: Sequence[Child]) -> Mapping[str, int]:
    """Every process by a name of its own: web, web/1, web/2, worker-0 ..."""
    alive = [each for each in children if each.running]
    forked = {f"{each.name}/{n}": pid for each in alive for n, pid in enumerate(each.forked(), 1)}
    return {each.name: each.pid for each in alive} | forked


def _of(middle: Callable[[Sequence[float]], float], samples: Sequence[Sample], name: str) -> float:
    return middle([float(getattr(each, name) or 0) for each in samples])
