"""The drill: load, a backup, a moment, more load, the database lost; restored to that moment, told so, and started.

Exits with 0 only if everything answered 2xx before the moment is there, and nobody is ever written to twice.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from service.db import open_engine, reading
from service.models import send_attempt
from tests.chaos.verdict import judge
from tests.failover.load import Load
from tests.processes.children import cli, run_cli, until
from tests.processes.deliveries import deliver
from tests.processes.ledger import conversations, open_ones, states
from tests.processes.site import Site
from tests.processes.x import X, running_x
from tests.restore.backups import BACKED, Backed

BEFORE, AFTER = 60, 60  # deliveries at least, before and after the moment
REST_S = 0.5  # so that, however long the backup takes, fewer are asked than X allows in a day and shows in its list
SETTLED_WITHIN_S = 400.0
CHANGES = {"campaigns__care__delay": "0s", "accounts__acme__unknown_after": "300s"}


@contextmanager
def service(site: Site) -> Iterator[None]:
    """Web and one worker, killed at the end as a lost machine is."""
    config = ("--config", str(site.config))
    with cli("web", site.directory, *config, "web"), cli("worker", site.directory, *config, "worker"):
        yield


def drill(kind: str, directory: Path) -> dict[str, object]:
    """Run it and return its figures."""
    backed = BACKED[kind](directory)
    try:
        site = Site(directory, backed.url, scale=60, changes=CHANGES).write()
        with running_x(site) as x:
            return _lost_and_found(kind, backed, site, x)
    finally:
        backed.close()


def _lost_and_found(kind: str, backed: Backed, site: Site, x: X) -> dict[str, object]:
    with service(site), Load(site, REST_S) as load:
        until(lambda: len(load.taken) > BEFORE, 120, "deliveries are taken before the backup")
        backed.save()
        until(lambda: len(load.taken) > 2 * BEFORE, 120, "deliveries are taken after the backup")
        noted, moment = time.monotonic(), backed.moment()
        known = len(load.taken)
        until(lambda: len(load.taken) > known + AFTER, 120, "deliveries are taken that will be lost")
        until(lambda: backed.reaches(moment), 120, "the moment can be gone back to", 0.5)
    openings = x.sent("dm")
    backed.lose()
    began = time.monotonic()
    backed.put_back(moment)
    back = time.monotonic() - began
    found = _after(backed, site, x, load, noted)
    return {
        "database": kind, "taken": len(load.taken), "of_them_before_the_moment": _before(load, noted),
        "messages_before_the_loss": openings, "seconds_to_put_back": round(back, 1), **found,
    }  # fmt: skip


def _before(load: Load, noted: float) -> int:
    return sum(end <= noted for end in load.ends)


def _after(backed: Backed, site: Site, x: X, load: Load, noted: float) -> dict[str, object]:
    """What the ledger has, what it says of the restore, and what becomes of everything once it is all told again."""
    engine = open_engine(backed.url)
    there = conversations(engine)
    before = {name for name, end in zip(load.taken, load.ends, strict=True) if end <= noted}
    said = run_cli("--config", str(site.config), "db", "restored", "--yes")
    assert said.returncode == 0, said.stderr
    with service(site):
        until(lambda: deliver(site, "f-new") == 200, 60, "web answers")
        # a CRM repeats what it told: the same event, ended when it had ended
        again = [deliver(site, name, at) for name, at in load.told_at.items()]
        began = time.monotonic()
        until(lambda: open_ones(engine) == 0, SETTLED_WITHIN_S, lambda: f"an outcome for all: {states(engine)}", 1.0)
        settled = time.monotonic() - began
        verdict = judge(engine, set(load.taken), {*load.taken, "f-new"}, x.ask("/truth", requests=0, pushes=0))
    found_at_x = _found_at_x(engine)
    engine.dispose()
    return {
        "missing_from_before": len(before - there), "gone_with_the_loss": len(set(load.taken) - there),
        "told_again": len(again), "lost": verdict.lost, "openings_twice": verdict.openings_twice,
        "cards_twice": verdict.cards_twice, "found_at_x": found_at_x, "states": verdict.states,
        "seconds_until_settled": round(settled), "says": said.stdout.splitlines()[-2],
    }  # fmt: skip


def _found_at_x(engine: sa.Engine) -> int:
    """Messages that had gone before the loss, found in X's list, and not sent again."""
    with reading(engine) as connection:
        mine = sa.select(sa.func.count()).where(send_attempt.c.evidence == "dm_list", send_attempt.c.outcome == "sent")
        return connection.scalar(mine) or 0


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.restore", description=__doc__)
    words.add_argument("--database", choices=[*BACKED, "both"], default="both")
    wanted = words.parse_args().database
    broken = 0
    for kind in BACKED if wanted == "both" else [wanted]:
        print(f"{datetime.now(UTC):%H:%M:%S} {kind}", flush=True)
        with tempfile.TemporaryDirectory(prefix="dmf-restore-") as directory:
            Path(directory).chmod(0o755)
            found = drill(kind, Path(directory))
        print(json.dumps(found), flush=True)
        broken += any(found[each] for each in ("missing_from_before", "lost", "openings_twice", "cards_twice"))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
