"""Several machines: web and two workers in network namespaces of their own over one PostgreSQL, clocks 90 s apart.

`python -m tests.machines` (root, Debian: apt-get install iproute2 faketime postgresql; six minutes). One worker's clock
is 90 s ahead; while it is sending, its link goes down for 40 s and a worker of another machine takes over. Afterwards
three records are compared: what the sender was answered, the ledger, X's truth. Exits with 0 only if nothing is lost,
nobody was written to twice, and everything has an outcome.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import sqlalchemy as sa

from service import migrations
from service.db import open_engine, reading
from service.models import send_attempt
from tests.chaos.verdict import judge
from tests.failover.cluster import postgres
from tests.processes.children import CLI, Child, until
from tests.processes.deliveries import post
from tests.processes.ledger import open_ones
from tests.processes.namespaces import Machine
from tests.processes.site import Site, free_port
from tests.processes.x import running_x

AHEAD_S = 90
CUT_S = 40.0
CONVERSATIONS = 120
TOLERANCE_S = 120  # of a signature: more than the clocks differ, and short enough to wait for here
SETTLED_WITHIN_S = 420.0
SLOW_S = 2.0  # X takes so long for a message, so that the cut finds some under way


def run(machine: Machine, site: Site, role: str, ahead_s: int = 0) -> Child:
    """A process of the service on a machine."""
    clock = ("faketime", "--exclude-monotonic", "-f", f"+{ahead_s}s") if ahead_s else ()
    words = machine.words(*clock, *CLI, "--config", str(site.config), role)
    return Child(f"{role}-{machine.name}", words, site.directory / f"{machine.name}.log")


@contextmanager
def database(directory: Path) -> Iterator[int]:
    """A PostgreSQL that machines reach over the net; yields its port."""
    newest = max(Path("/usr/lib/postgresql").glob("*/bin"))
    place, port = directory / "pg", free_port()
    place.mkdir(mode=0o700)
    os.chown(place, postgres().pw_uid, postgres().pw_gid)

    def ours(*words: str) -> None:
        subprocess.run(words, check=True, user="postgres", group="postgres", cwd=place, stdout=subprocess.DEVNULL)

    ours(str(newest / "initdb"), "-D", str(place / "data"), "-A", "trust", "-E", "UTF8")
    with (place / "data" / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 10.213.0.0/16 trust\n")
    options = f"-p {port} -k {place} -c listen_addresses=* -c max_connections=200"
    control = (str(newest / "pg_ctl"), "-D", str(place / "data"), "-w", "-l", str(place / "log"))
    ours(*control, "-o", options, "start")
    try:
        yield port
    finally:
        ours(*control, "-m", "immediate", "stop")


def site_on(machine: Machine, first: Site, port: int) -> Site:
    """The same settings, as this machine sees the others."""
    directory = first.directory / machine.name
    changes = {**first.changes, "accounts__acme__base_url": f"http://{machine.here}:{first.x_port}"}
    url = f"postgresql://postgres@{machine.here}:{port}/postgres?sslmode=disable"
    bind = {"web__bind": f"0.0.0.0:{first.web_port}", "web__workers": 1}
    return replace(first, directory=directory, database_url=url, changes={**changes, **bind}).write()


def play(directory: Path) -> dict[str, object]:
    """Run it; return what was seen."""
    account = {"list_lag": "5s", "signature_tolerance": f"{TOLERANCE_S}s", "window": "15s"}
    changes = {"campaigns__care__delay": "0s", **{f"accounts__acme__{name}": value for name, value in account.items()}}
    x_switches = {"list_lag_s": [0, 3], "oauth_tolerance_s": TOLERANCE_S}
    with ExitStack() as stack:
        port = stack.enter_context(database(directory))
        engine = open_engine(f"postgresql://postgres@127.0.0.1:{port}/postgres")
        migrations.upgrade(engine)
        first = Site(directory, "", scale=1, changes=changes, assumptions=x_switches).write()
        x = stack.enter_context(running_x(first, "0.0.0.0"))
        [rule] = x.faults({"endpoint": "direct_messages/events/new", "fault": "slow", "seconds": SLOW_S, "times": None})
        machines = [stack.enter_context(Machine(number)) for number in (1, 2, 3)]
        sites = [site_on(each, first, port) for each in machines]
        stack.enter_context(run(machines[0], sites[0], "web"))
        stack.enter_context(run(machines[1], sites[1], "worker", AHEAD_S))
        at_web = OnMachine(machines[0], first.web_port)
        until(at_web.answers, 60, "web answers")
        until(lambda: workers(engine) == 1, 60, "the worker whose clock is ahead lives")
        taken: set[str] = set()
        sender = threading.Thread(target=send, args=(at_web, taken))
        sender.start()
        until(lambda: under_way(engine) > 0, 60, "a send is under way")
        with machines[1].cut():
            stack.enter_context(run(machines[2], sites[2], "worker"))
            time.sleep(CUT_S)
        sender.join()
        began = time.monotonic()
        until(lambda: open_ones(engine) == 0, SETTLED_WITHIN_S, "everything has an outcome", 1.0)
        x.forget_fault(rule)
        verdict = judge(engine, taken, taken, x.ask("/truth", requests=0, pushes=0))
        engine.dispose()
    return {
        "taken": len(taken), "lost": verdict.lost, "openings_twice": verdict.openings_twice,
        "cards_twice": verdict.cards_twice, "without_outcome": verdict.without_outcome,
        "contradictions": verdict.contradictions, "states": verdict.states, "evidence": verdict.evidence,
        "seconds_until_settled": round(time.monotonic() - began), "holds": verdict.holds,
    }  # fmt: skip


def send(at_web: "OnMachine", taken: set[str]) -> None:
    """Deliver, and note what was answered 200."""
    for number in range(CONVERSATIONS):
        if post(at_web, f"m-{number}").status_code == 200:
            taken.add(f"m-{number}")


class OnMachine:
    """The sender's way to web: the other end of its link."""

    def __init__(self, machine: Machine, port: int) -> None:
        self.web_url = f"http://{machine.there}:{port}"

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.web_url}/healthz", timeout=2, trust_env=False, verify=False).status_code == 200
        except httpx.HTTPError:
            return False


def workers(engine: sa.Engine) -> int:
    with reading(engine) as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM worker_seen").scalar() or 0


def under_way(engine: sa.Engine) -> int:
    """Sends with a committed intent and no answer yet."""
    with reading(engine) as connection:
        mine = sa.select(sa.func.count()).select_from(send_attempt).where(send_attempt.c.outcome.is_(None))
        return connection.scalar(mine) or 0


def main() -> int:
    for tool in ("ip", "faketime"):
        if shutil.which(tool) is None:
            print(f"{tool} is missing: apt-get install iproute2 faketime postgresql")
            return 2
    with tempfile.TemporaryDirectory(prefix="dmf-machines-") as directory:
        Path(directory).chmod(0o755)
        found = play(Path(directory))
    print(json.dumps(found))
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
