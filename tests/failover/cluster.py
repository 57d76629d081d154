"""Three PostgreSQL nodes under Patroni with one etcd, each in a network namespace; processes are ended by their ids."""

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Self

import httpx

from service.db import open_engine
from tests.processes.children import until
from tests.processes.namespaces import Machine, forwarding
from tests.processes.site import free_port

CONFIG = Path(__file__).parents[2] / "deploy" / "failover" / "patroni.yml"
PATRONI = Path(os.environ.get("PATRONI", "/opt/patroni/bin"))
NETWORK = "10.214"
SUPERUSER = "pg-drill"


@dataclass
class Node:
    """One PostgreSQL and the Patroni that looks after it."""

    name: str
    directory: Path
    machine: Machine
    port: int = field(default_factory=free_port)
    api: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return self.machine.there

    @property
    def config(self) -> Path:
        return self.directory / "patroni.yml"

    def pids(self) -> list[int]:
        """Patroni, the postmaster and all of its children."""
        found = family(self.process.pid) if self.process is not None else []
        try:
            postmaster = int((self.directory / "data" / "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError):
            return found
        return [*found, *family(postmaster)]

    def signal(self, number: signal.Signals) -> None:
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


class Cluster:
    """Starts three nodes; leaving the context ends them."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._etcd = directory, free_port()
        self._started: list[subprocess.Popen[bytes]] = []
        self.nodes = [Node(f"n{each}", directory / f"n{each}", Machine(each, NETWORK)) for each in (1, 2, 3)]
        self._machines = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        self._directory.chmod(0o755)
        self._machines.enter_context(forwarding())
        self._run("etcd", (), ["etcd", "--data-dir", str(self._own("etcd")), *self._etcd_ports()])
        for node in self.nodes:
            self._machines.enter_context(node.machine)
            self._own(node.name)
            node.config.write_text(self._configured(node), "utf-8")
            node.process = self.start(node)
        until(lambda: len(self._healthy()) == 3, 120, "three nodes run, two of them synchronously", 0.5)

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.signal(signal.SIGCONT)
        for process in reversed(self._started):
            process.terminate()
        for process in reversed(self._started):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        for node in self.nodes:
            node.signal(signal.SIGKILL)
        self._machines.close()

    def start(self, node: Node) -> "subprocess.Popen[bytes]":
        """Start a node's Patroni, which starts its PostgreSQL."""
        return self._run(node.name, node.machine.words(), [str(PATRONI / "patroni"), str(node.config)])

    def url(self, database: str) -> str:
        """All three addresses in one, as an operator writes them."""
        hosts = ",".join(f"{node.host}:{node.port}" for node in self.nodes)
        return f"postgresql://postgres:{SUPERUSER}@{hosts}/{database}?target_session_attrs=read-write&sslmode=disable"

    def database(self, name: str) -> str:
        """Make a database; return its address."""
        first = open_engine(self.url("postgres"))
        with first.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("COMMIT")
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        first.dispose()
        return self.url(name)

    def leader(self) -> Node:
        """The node that Patroni calls leader."""
        found = [node for node in self.nodes if self._asks(node, "/primary") == 200]
        assert len(found) == 1, found
        return found[0]

    def members(self) -> list[dict[str, Any]]:
        """The members as Patroni sees them."""
        for node in self.nodes:
            try:
                answer = httpx.get(f"http://{node.host}:{node.api}/cluster", timeout=2, trust_env=False)
                return list(answer.json()["members"])
            except (httpx.HTTPError, KeyError, ValueError):
                continue
        return []

    def switch_over(self) -> None:
        """Ask for another leader, as before maintenance."""
        leader = self.leader()
        body = json.dumps({"leader": leader.name})
        httpx.post(f"http://{leader.host}:{leader.api}/switchover", content=body, timeout=60, trust_env=False)

    def whole(self, within_s: float = 120) -> float:
        """Wait until all three run and one leads; return how long it took."""
        began = time.monotonic()
        until(lambda: len(self._healthy()) == 3, within_s, f"the cluster is whole again: {self.members()}", 0.5)
        return time.monotonic() - began

    def _healthy(self) -> list[str]:
        states = [(each["role"], each["state"]) for each in self.members()]
        if not any(role == "leader" for role, _ in states) or not any("sync" in role for role, _ in states):
            return []
        return [role for role, state in states if state in {"running", "streaming"}]

    def _asks(self, node: Node, path: str) -> int:
        try:
            return httpx.get(f"http://{node.host}:{node.api}{path}", timeout=2, trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    def _own(self, name: str) -> Path:
        place = self._directory / name
        place.mkdir(mode=0o700, exist_ok=True)
        os.chown(place, postgres().pw_uid, postgres().pw_gid)
        return place

    def _etcd_ports(self) -> list[str]:
        client, peer = f"http://0.0.0.0:{self._etcd}", f"http://127.0.0.1:{free_port()}"
        seen = [f"http://{node.machine.here}:{self._etcd}" for node in self.nodes]
        return [
            "--listen-client-urls", client, "--advertise-client-urls", ",".join(seen), "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        ]  # fmt: skip

    def _configured(self, node: Node) -> str:
        newest = max(Path("/usr/lib/postgresql").glob("*/bin"))
        words = {
            "name": node.name,
            "host": node.host,
            "api": node.api,
            "port": node.port,
            "network": f"{NETWORK}.0.0/16",
        }
        secrets = {"replicator": "rep-drill", "superuser": SUPERUSER, "rewinder": "rew-drill"}
        places = {
            "data": node.directory / "data",
            "run": node.directory,
            "bin": newest,
            "etcd": f"{node.machine.here}:{self._etcd}",
        }
        return Template(CONFIG.read_text("utf-8")).substitute({**words, **secrets, **places})

    def _run(self, name: str, where: Sequence[str], words: Sequence[str]) -> "subprocess.Popen[bytes]":
        as_postgres = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
        with (self._directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                (*where, *as_postgres, *words), stdout=log, stderr=log, cwd=self._directory,
                start_new_session=True, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            )  # fmt: skip
        self._started.append(process)
        return process


def postgres() -> pwd.struct_passwd:
    return pwd.getpwnam("postgres")


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in family(int(child)))]
