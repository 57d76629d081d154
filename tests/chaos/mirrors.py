"""Mirrors of the results, kept while processes are killed; returns how many rows differ from a full read.

One follows /v1/changes with its cursor, through every kill and outage. If an environment with dlt is given,
deploy/integrations/dlt_source.py loads as well, and is killed half-way too.
"""

import os
import random
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading
from service.models import feedback_request, result
from tests.outside.integrations import plain
from tests.outside.mirror import SOURCE, Rows, dlt_environ, full_read, kept_by_dlt, load_by_dlt
from tests.outside.tools import ToolFailed

WAIT_S = 2
AGAIN_S = 0.2
LIMIT = 25  # small pages: more cursors to die between


class Follower:
    """A mirror that follows /v1/changes: rows are replaced by request_id, nothing else is known."""

    def __init__(self, url: str, key: str) -> None:
        self.rows: Rows = {}
        self.pages = self.refusals = 0
        self._cursor = ""
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=WAIT_S + 10, trust_env=False
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> Rows:
        """Follow to the end, and return the rows."""
        self._over.set()
        self._thread.join(WAIT_S + 30)
        while self._pulled(wait_s=0):
            pass
        return self.rows

    def close(self) -> None:
        self._http.close()

    def _follow(self) -> None:
        while not self._over.is_set():
            try:
                self._pulled(wait_s=WAIT_S)
            except httpx.HTTPError:
                self.refusals += 1
                time.sleep(AGAIN_S)

    def _pulled(self, *, wait_s: int) -> bool:
        """Read one page; say whether there is more."""
        asked = {"cursor": self._cursor, "limit": str(LIMIT), "wait": f"{wait_s}s"}
        page = self._http.get("/v1/changes", params=asked).raise_for_status().json()
        for each in page["items"]:
            self.rows[each["request_id"]] = {name: value for name, value in each.items() if name != "change"}
        self._cursor = page["next_cursor"]
        self.pages += 1
        return bool(page["more"])


class Loads:
    """A mirror by dlt, load after load; every third one is killed half-way."""

    def __init__(self, programs: Path, directory: Path, url: str, key: str, seed: int) -> None:
        self._where = (programs, directory, url, key)
        self._dice = random.Random(seed)
        self.done = self.killed = self.failed = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._load, daemon=True)

    def start(self) -> None:
        self._where[1].mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def stop(self) -> Rows:
        """Load once more, in peace, and return what is held."""
        self._over.set()
        self._thread.join(120)
        load_by_dlt(*self._where)
        return kept_by_dlt(*self._where[:2])

    def _load(self) -> None:
        while not self._over.wait(1):
            if self._dice.random() < 0.3:
                self._killed()
                continue
            try:
                load_by_dlt(*self._where)
                self.done += 1
            except ToolFailed:  # web or database were away
                self.failed += 1

    def _killed(self) -> None:
        programs, directory, url, key = self._where
        command = (str(programs / "python"), str(SOURCE))
        environ = {**os.environ, **dlt_environ(directory, url, key)}
        with subprocess.Popen(
            command, cwd=directory, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as loading:
            time.sleep(self._dice.uniform(1, 8))
            self.killed += loading.poll() is None
            loading.kill()


def all_told(engine: Engine) -> bool:
    """Whether every change has its number."""
    with reading(engine) as connection:
        waits = sa.select(sa.func.count()).select_from(feedback_request).where(feedback_request.c.sealed.is_(None))
        return connection.scalar(waits) == 0


def words_of_the_erased(engine: Engine) -> list[str]:
    """Rows of erased people that still have texts."""
    theirs = sa.select(result.c.request_id).join(feedback_request, feedback_request.c.id == result.c.request_id)
    with reading(engine) as connection:
        found = connection.scalars(theirs.where(feedback_request.c.erased_at.is_not(None), result.c.text.is_not(None)))
        return [f"{each}: words of somebody who was erased" for each in found]


def differences(held: Rows, url: str, key: str) -> list[str]:
    """Return what a mirror has wrong, one line per row."""
    full = full_read(url, key)
    found = [f"{name}: only in one of both" for name in held.keys() ^ full.keys()]
    for name in held.keys() & full.keys():
        found += [f"{name}: {wrong}" for wrong in _wrong(held[name], full[name])]
    return found


def _wrong(held: dict[str, Any], full: dict[str, Any]) -> list[str]:
    return [name for name, value in full.items() if plain(held.get(name)) != plain(value)]
