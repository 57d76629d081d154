"""After the comparison with X: people are erased and texts forgotten while processes are still killed.

Takes a plan, a fleet and an admin's key; returns how much of it was done. It comes last because an erased conversation
can no longer be compared with what its CRM sent.
"""

import random
import subprocess
import time
from collections import Counter

import httpx

from tests.chaos.fleet import Fleet
from tests.chaos.plan import Plan
from tests.processes.children import run_cli, until
from tests.processes.databases import Database
from tests.processes.site import Site

ERASED = 10
WITHIN_S = 180.0
FORGOTTEN_WITHIN_S = 400.0
AGAIN_S = 0.3


def play(plan: Plan, site: Site, fleet: Fleet, database: Database, key: str) -> Counter[str]:
    """Erase some people, most of them through a kill or an outage, and forget what is older than its retention."""
    dice = random.Random(plan.seed)
    done: Counter[str] = Counter()
    people = dice.sample(sorted({each.customer for each in plan.conversations}), ERASED)
    for number, customer in enumerate(people):
        blow(number, fleet, database)
        erase(fleet.url, customer, key)
        done["erased afterwards"] += 1
    until(lambda: prune(site), FORGOTTEN_WITHIN_S, "what is too old is forgotten")
    return done


def blow(number: int, fleet: Fleet, database: Database) -> None:
    """Kill something now and then: web, workers, the database."""
    if number % 5 == 1:
        fleet.kill([fleet.web])
    elif number % 5 == 2:
        fleet.kill(fleet.workers)
    elif number % 5 == 3:
        database.away(1)


def prune(site: Site) -> bool:
    """Run retention; say whether it succeeded."""
    try:
        return run_cli("--config", str(site.config), "prune").returncode == 0
    except subprocess.TimeoutExpired:
        return False


def erase(url: str, customer: int, key: str) -> None:
    """Ask for the erasure until it succeeds."""
    address = f"{url}/v1/customers/{customer}"
    end = time.monotonic() + WITHIN_S
    while True:
        try:
            answer = httpx.delete(address, headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False)
            if answer.status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < end, f"{address} was not erased in time"
        time.sleep(AGAIN_S)
