"""One soak: in, a database, minutes and a rate; out, samples and the verdict of the three memories.

The same processes, senders, X and weather as the chaos run, and nobody kills anything.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from service.db import open_engine
from service.states import OPEN_STATES
from tests.chaos.fleet import Fleet
from tests.chaos.plan import draw
from tests.chaos.run import _people
from tests.chaos.senders import Senders
from tests.chaos.verdict import Verdict, judge
from tests.chaos.weather import Weather
from tests.processes import ledger
from tests.processes.children import Child
from tests.processes.databases import open_database
from tests.processes.house import House
from tests.processes.x import running_x
from tests.soak.gauges import Sample, sample

WARM_UP = 0.25
"""Of the time: caches fill, pools open; what is measured begins after it."""
MORE_MB, MORE_HANDLES, MORE_THREADS = 60, 20, 10
"""What may have come in addition at the end, of all processes together."""


@dataclass(frozen=True, slots=True)
class Soaked:
    """What was seen."""

    samples: Sequence[Sample]
    verdict: Verdict
    restarts: int

    @property
    def grown(self) -> Sequence[str]:
        """What is larger in the last quarter than after the warm-up, beyond what may be."""
        quarter = max(1, len(self.samples) // 4)
        first, last = self.samples[quarter : 2 * quarter], self.samples[-quarter:]
        bounds = {"rss_mb": MORE_MB, "handles": MORE_HANDLES, "threads": MORE_THREADS, "connections": MORE_HANDLES}
        return [name for name, most in bounds.items() if _mean(last, name) - _mean(first, name) > most]


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
        house = House(directory, store.url, plan.accounts, scale=60, pushes_to=frozenset(plan.accounts[::2])).write()
        x = stack.enter_context(running_x(house))
        _people(x, plan)
        fleet, senders, weather = Fleet(house, 2, seed), Senders(plan, house.web_url), Weather(x, seed)
        stack.callback(fleet.kill_all)
        fleet.start()
        senders.start()
        weather.start()
        samples, began = [], time.monotonic()
        while (at_s := time.monotonic() - began) < seconds or senders.outstanding:
            samples.append(sample(at_s, _pids([fleet.web, *fleet.workers]), engine, house.web_url))
            show(samples[-1])
            time.sleep(every_s)
        weather.stop()
        end = time.monotonic() + 300
        while time.monotonic() < end and sum(ledger.states(engine).get(each, 0) for each in OPEN_STATES):
            time.sleep(1)
        truth = x.ask("/truth", requests=0, pushes=0)
        everyone = {each.id for each in plan.conversations}
        return Soaked(samples, judge(engine, set(senders.acknowledged), everyone, truth), fleet.restarts)


def _pids(children: Sequence[Child]) -> list[int]:
    return [pid for each in children if each.running for pid in (each.pid, *each.forked())]


def _mean(samples: Sequence[Sample], name: str) -> float:
    values = [float(getattr(each, name) or 0) for each in samples]
    return sum(values) / len(values)
