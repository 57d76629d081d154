"""The drill: a cluster, a service on it, load and a trouble; then everything answered 2xx is looked for, one by one.

Exits with 0 only if nothing answered 2xx is lost and nobody was written to twice.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from service import migrations
from service.db import open_engine
from tests.failover.cluster import Cluster
from tests.failover.load import Load
from tests.failover.troubles import TROUBLES
from tests.processes.children import cli, until
from tests.processes.ledger import conversations
from tests.processes.site import Site
from tests.processes.x import running_x

AFTER_S = 15.0


def drill(trouble: str, directory: Path) -> dict[str, object]:
    """Run it and return its figures."""
    with Cluster(directory / "cluster") as cluster:
        url = cluster.database("feedback")
        engine = open_engine(url)
        migrations.upgrade(engine)
        site = Site(directory, url, scale=60, changes={"campaigns__care__delay": "0s"}).write()
        config = ("--config", str(site.config))
        with running_x(site) as x, cli("web", directory, *config, "web"), cli("worker", directory, *config, "worker"):
            with Load(site) as load:
                until(lambda: len(load.taken) > 100, 60, "deliveries are taken")
                TROUBLES[trouble](cluster)
                whole = cluster.whole()
                time.sleep(AFTER_S)
            lost = sorted(set(load.taken) - conversations(engine))
            twice = written_to_twice(x.ask("/truth", requests=0, pushes=0))
        leader = cluster.leader().name
    return {
        "trouble": trouble, "taken": len(load.taken), "lost": len(lost), "twice": twice,
        "seconds_without_intake": round(load.longest_without, 1), "slowest_answer": round(load.slowest, 1),
        "whole_again_after": round(whole, 1), "leads_now": leader,
        "answers": {str(status): number for status, number in sorted(load.answers.items())},
    }  # fmt: skip


def written_to_twice(truth: dict[str, Any]) -> int:
    """How many openings and cards reached somebody who had one already: each conversation has a customer of its own."""
    openings = Counter((one["sender"], one["recipient"]) for one in truth["messages"] if one["via"] == "dm")
    cards = Counter((one["from"], one["to"]) for one in truth["cards"])
    return sum(count - 1 for each in (openings, cards) for count in each.values())


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.failover", description=__doc__)
    words.add_argument("--trouble", choices=[*TROUBLES, "all"], default="all")
    wanted = words.parse_args().trouble
    broken = 0
    for trouble in TROUBLES if wanted == "all" else [wanted]:
        with tempfile.TemporaryDirectory(prefix="dmf-failover-") as directory:
            Path(directory).chmod(0o755)
            (Path(directory) / "cluster").mkdir()
            found = drill(trouble, Path(directory))
        print(json.dumps(found), flush=True)
        broken += bool(found["lost"] or found["twice"])
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
