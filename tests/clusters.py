"""Moves accounts from one cluster to another behind one nginx while CRMs keep delivering.

`python -m tests.clusters` (root, Debian: apt-get install nginx; four minutes). Three accounts and their sources live in
the first cluster. One begins the second, then another follows with both at work, by the steps of deploy/README.md and
with deploy/proxy's files. A CRM repeats what was not answered 2xx, and now and then what was. Afterwards ledgers,
answers and X's truth are compared. Exits with 0 only if nothing is lost and nobody was written to twice.
"""

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import open_engine, reading
from service.models import feedback_request
from tests.failover.__main__ import written_to_twice
from tests.processes.children import Child, cli, run_cli, until
from tests.processes.databases import Postgres
from tests.processes.deliveries import signed
from tests.processes.ledger import open_ones
from tests.processes.site import Site
from tests.processes.test_proxy import NAME, Proxy, running
from tests.processes.x import running_x
from tests.support import SOURCE_KEY

ACCOUNTS = ("acme", "beta", "gamma")
BEFORE = 30  # deliveries of each account before it goes
SETTLED_WITHIN_S = 600.0
PATIENCE_S = 300.0  # with processes, on a machine with other things on it
REST_S = 0.3  # after a refusal
BETWEEN_S = 0.5  # two deliveries of a CRM: what the worker here sends in the end
AGAIN = 0.1  # of the deliveries that were taken are sent once more


@dataclass
class Cluster:
    """A database, and the web and worker before it, whose settings say whom they serve."""

    site: Site
    serves: tuple[str, ...]
    children: list[Child] = field(default_factory=list)

    def serve(self, *serves: str) -> None:
        """Write whom it serves, and reload: web by SIGHUP, the worker by restarting it."""
        self.serves = serves
        tree: dict[str, Any] = self.site.tree()
        mine = {f"{name}_crm": {"preset": "standard", "keys": [SOURCE_KEY], "account": name} for name in serves}
        accounts = {name: tree["accounts"][name] for name in serves}
        proxied = {"web__trusted_proxies": 1, "web__proxy_networks": ["127.0.0.1/32"], "campaigns__care__delay": "0s"}
        self.site = replace(self.site, changes={**proxied, "accounts": accounts, "sources": mine}).write()
        if not self.children:
            self.children = [self._child("web"), self._child("worker")]
        else:
            self.children[0].hang_up()
            self.children[1].terminate(PATIENCE_S)
            self.children[1] = self._child("worker")
        until(
            lambda: all(self._knows(name) == (name in serves) for name in ACCOUNTS), PATIENCE_S, f"web serves {serves}"
        )

    def _child(self, role: str) -> Child:
        return cli(role, self.site.directory, "--config", str(self.site.config), role).start()

    def stop(self) -> None:
        for each in self.children:
            each.terminate(PATIENCE_S)
        self.children = []

    def _knows(self, account: str) -> bool | None:
        try:
            url = f"{self.site.web_url}/webhooks/x/{account}"
            return httpx.get(url, timeout=5, trust_env=False).status_code != 404
        except httpx.HTTPError:
            return None

    def run(self, *words: str) -> str:
        """A command of the service, by the settings of this cluster; again while processes go on by older ones."""
        done = run_cli("--config", str(self.site.config), *words)
        if "(copy_still_served)" in done.stderr:
            return self.run(*words)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


@dataclass
class Crm:
    """One CRM per account, which delivers through nginx and repeats what was not answered 2xx."""

    proxy: Proxy
    account: str
    taken: dict[str, datetime] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0  # without a 2xx
    over: threading.Event = field(default_factory=threading.Event)

    def deliver(self) -> None:
        chance, number, last = random.Random(self.account), 0, time.monotonic()
        with self.proxy.client() as http:
            while not self.over.is_set():
                number += 1
                name, at = f"{self.account}-{number}", datetime.now(UTC)
                while self._sent(http, name, at) != 200:
                    if self.over.wait(REST_S):
                        return
                self.taken[name] = at
                self.longest, last = max(self.longest, time.monotonic() - last), time.monotonic()
                self.over.wait(BETWEEN_S)
                if chance.random() < AGAIN:
                    self._sent(http, *chance.choice(list(self.taken.items())))

    def _sent(self, http: httpx.Client, name: str, at: datetime) -> int:
        data = {"conversation_id": name, "x_user_id": str(10_000_000 + zlib.crc32(name.encode()))}
        event = {"type": "conversation.ended", "timestamp": at.isoformat(), "data": data}
        body = json.dumps(event).encode()
        path, sni = f"/webhooks/crm/{self.account}_crm", {"sni_hostname": NAME}
        try:
            status = http.post(path, content=body, headers=signed(f"m-{name}", body), extensions=sni).status_code
        except httpx.HTTPError:
            status = 0
        self.answers[status] += 1
        return status


@contextmanager
def delivering(crms: list[Crm]) -> Iterator[None]:
    threads = [threading.Thread(target=each.deliver) for each in crms]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        for crm in crms:
            crm.over.set()
        for each in threads:
            each.join()


class Router:
    """The table of deploy/proxy/clusters.conf, and nginx that reads it."""

    def __init__(self, proxy: Proxy, second: Site) -> None:
        self._proxy, self._first = proxy, proxy.clusters.read_text("utf-8")
        self._first += f"upstream cluster_2 {{ server 127.0.0.1:{second.web_port}; keepalive 32; }}\n"
        self.lines: dict[str, str] = {}

    def send(self, account: str, to: str) -> None:
        self.lines[account] = f'"source {account}_crm" {to}; "account {account}" {to};'
        table = "\n  ".join(("default $read_at;", *self.lines.values()))
        self._proxy.clusters.write_text(self._first.replace("default $read_at;", table), "utf-8")
        subprocess.run(self._proxy.words("-s", "reload"), check=True)


@dataclass
class Moving:
    """The cost of moving one account."""

    passes_s: list[float] = field(default_factory=list)
    kept_waiting_s: float = 0.0
    rows: str = ""


def move(account: str, first: Cluster, second: Cluster, router: Router) -> Moving:
    """The steps of deploy/README.md, one after the other."""
    took, to = Moving(), second.site.database_url
    for _ in range(2):
        began = time.monotonic()
        said = first.run("db", "copy", "--to", to, "--accounts", account).splitlines()[-2]
        took.rows = took.rows or said
        took.passes_s.append(round(time.monotonic() - began, 1))
    began = time.monotonic()
    router.send(account, "moving")
    first.serve(*(each for each in first.serves if each != account))
    first.run("db", "copy", "--to", to, "--accounts", account, "--finish")
    second.serve(*second.serves, account)
    router.send(account, "cluster_2")
    took.kept_waiting_s = round(time.monotonic() - began, 1)
    first.run("db", "forget-accounts", account, "--yes")
    return took


def play(directory: Path) -> dict[str, object]:
    """Run it; return what was seen."""
    with ExitStack() as stack:
        databases = [Postgres(_made(directory / name)) for name in ("one", "two")]
        for each in databases:
            stack.callback(each.close)
        sites = [
            Site(directory / name, each.url, accounts=ACCOUNTS).write()
            for name, each in zip(("first", "second"), databases, strict=True)
        ]
        sites[1].x_port = sites[0].x_port
        x = stack.enter_context(running_x(sites[0]))
        first, second = (Cluster(each, ()) for each in sites)
        for each in (first, second):
            stack.callback(each.stop)
        proxy = Proxy(sites[0], _made(directory / "nginx"))
        router = Router(proxy, sites[1])
        first.serve(*ACCOUNTS)
        stack.enter_context(running(proxy))
        crms = [Crm(proxy, account) for account in ACCOUNTS]
        with delivering(crms):
            moved = []
            for account in ("gamma", "beta"):
                until(lambda: all(len(crm.taken) > BEFORE for crm in crms), PATIENCE_S, "deliveries are taken")
                moved.append(move(account, first, second, router))
            there = len(crms[1].taken)
            until(lambda: len(crms[1].taken) > there + BEFORE, PATIENCE_S, "deliveries are taken there")
        engines = [open_engine(each.url) for each in databases]
        settled = until(lambda: not any(map(open_ones, engines)), SETTLED_WITHIN_S, "everything has an outcome", 1.0)
        known = Counter(name for each in engines for name in conversations(each))
        taken = [name for crm in crms for name in crm.taken]
        homes = [sorted(accounts_of(each)) for each in engines]
        twice = written_to_twice(x.ask("/truth", requests=0, pushes=0))
        for each in engines:
            each.dispose()
    return {
        "taken": len(taken), "lost": len(set(taken) - set(known)), "twice": twice,
        "in_both": sum(1 for n in known.values() if n > 1), "homes": homes,
        "moved": [vars(each) for each in moved], "settled_after": round(settled),
        "answers": {each.account: {str(k): n for k, n in sorted(each.answers.items())} for each in crms},
        "longest_without": {each.account: round(each.longest, 1) for each in crms},
    }  # fmt: skip


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def conversations(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(feedback_request.c.conversation_id)))


def accounts_of(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        return set(connection.scalars(sa.select(feedback_request.c.account).distinct()))


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dmf-clusters-") as directory:
        found = play(Path(directory))
    print(json.dumps(found))
    return 1 if found["lost"] or found["twice"] or found["in_both"] else 0


if __name__ == "__main__":
    sys.exit(main())
