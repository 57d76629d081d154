"""Web and workers, and a supervisor that restarts what died, as an init system would."""

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from tests.processes.children import Child, cli, until
from tests.processes.site import Site

RESTART_AFTER_S = 0.3


class Fleet:
    """All processes of the service. Kills go through here, so that no restart comes between."""

    def __init__(self, site: Site, workers: int, seed: int) -> None:
        config = ("--config", str(site.config))
        self.web = cli("web", site.directory, *config, "web")
        self.workers = [cli(f"worker-{n}", site.directory, *config, "worker") for n in range(workers)]
        self.dice = random.Random(seed)
        self.restarts = 0
        self.url = site.web_url
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def start(self) -> None:
        for child in (self.web, *self.workers):
            child.start()
        until(self.web_answers, 240, "the web process answers")
        self._supervisor.start()

    def web_answers(self) -> bool:
        try:
            return httpx.head(f"{self.url}/webhooks/crm/crm", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self, children: list[Child]) -> int:
        """SIGKILL whole processes at the same moment; return how many were alive."""
        with self._lock:
            alive = [child for child in children if child.running]
            for child in alive:
                child.signal(signal.SIGKILL)
        return len(alive)

    def kill_web_process(self, *, parent: bool) -> int:
        """SIGKILL gunicorn's parent, whose children live on for a moment, or one of its children."""
        with self._lock:
            pids = [self.web.pid] if parent else self.web.forked()
            return _kill_one(self.dice.choice(pids)) if pids and self.web.running else 0

    def pause(self, worker: Child, seconds: float) -> None:
        """SIGSTOP, as a machine that swaps or a laptop lid does; SIGCONT later."""
        with self._lock:
            if worker.running:
                worker.signal(signal.SIGSTOP)
        time.sleep(seconds)
        worker.signal(signal.SIGCONT)

    def some(self, count: int) -> list[Child]:
        return self.dice.sample(self.workers, min(count, len(self.workers)))

    def stop(self) -> dict[str, int]:
        """SIGTERM to all; return the exit codes."""
        self._over.set()
        self._supervisor.join(10)
        children = (self.web, *self.workers)
        return {child.name: child.terminate(60) for child in children if child.running}

    def kill_all(self) -> None:
        self._over.set()
        for child in (self.web, *self.workers):
            with contextlib.suppress(AssertionError):
                child.signal(signal.SIGCONT)
                child.kill()

    def logs(self) -> list[Path]:
        return [child.log for child in (self.web, *self.workers)]

    def _supervise(self) -> None:
        dead_since: dict[str, float] = {}
        while not self._over.wait(0.05):
            with self._lock:
                for child in (self.web, *self.workers):
                    self._restart(child, dead_since)

    def _restart(self, child: Child, dead_since: dict[str, Any]) -> None:
        if child.running:
            dead_since.pop(child.name, None)
        elif time.monotonic() > dead_since.setdefault(child.name, time.monotonic()) + RESTART_AFTER_S:
            # what a killed parent left behind holds its port for a moment longer
            child.start()
            self.restarts += 1


def _kill_one(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return 1
    return 0
