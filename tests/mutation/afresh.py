"""Tries a change that takes effect at import: runs the named tests on the changed file and returns which failed.

A process that has imported pytest and all libraries, but nothing of ours, forks a child for each change, which imports
the service with the changed text in place of the file. Nothing is written to disk.
"""

import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from multiprocessing.connection import Connection
from types import CodeType
from typing import Any

import pytest

LIBRARIES = (
    "alembic.command", "babel", "click", "cryptography.hazmat.primitives.serialization", "flask_smorest", "gunicorn",
    "httpx", "hypothesis", "jmespath", "marshmallow", "prometheus_client", "psycopg", "pysqlite3", "rich.table",
    "structlog", "webargs", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "_pytest.assertion.rewrite",
)  # fmt: skip
OPTIONS = (
    "-x",
    "-q",
    "-s",
    "--no-header",
    "-k",
    "not postgresql",
    "-o",
    "timeout=0",
    "-o",
    "tmp_path_retention_policy=none",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)
IMPORTING_S, HANGS_S = 40, 600  # of the processor, and of the wall's


@dataclass(frozen=True, slots=True)
class Task:
    """What to try."""

    file: str
    text: str
    tests: tuple[str, ...]
    within_s: float


class Afresh:
    """The process that forks; start it before anything of ours is imported."""

    def __init__(self) -> None:
        for name in LIBRARIES:
            importlib.import_module(name)
        self._asks, theirs = multiprocessing.Pipe()
        if os.fork() == 0:
            self._asks.close()
            _serve(theirs)
        theirs.close()

    def failed(self, task: Task) -> bool:
        """Whether a test failed, or took too long, or the import did."""
        self._asks.send(task)
        return bool(self._asks.recv())

    def close(self) -> None:
        self._asks.close()


def _serve(asked: Connection) -> None:
    """For ever; ends with who asks."""
    while True:
        try:
            task: Task = asked.recv()
        except EOFError:
            os._exit(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _run(task)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        asked.send(code != 0)


def _run(task: Task) -> None:
    os.setpgid(0, 0)
    silence = os.open(os.devnull, os.O_WRONLY)
    for each in (1, 2):
        os.dup2(silence, each)
    for each in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(each, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, IMPORTING_S + task.within_s)
    signal.setitimer(signal.ITIMER_REAL, HANGS_S)
    read = SourceFileLoader.get_code

    def changed(loader: Any, name: str) -> CodeType | None:
        if loader.path == task.file:
            return compile(task.text, task.file, "exec", dont_inherit=True)
        return read(loader, name)

    SourceFileLoader.get_code = changed  # type: ignore[method-assign, assignment]
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory(prefix="dmf-afresh-") as place:  # of its own, or it tidies up its parent's
        code = pytest.main([*OPTIONS, f"--basetemp={place}/tests", *task.tests])
    os._exit(int(code))


def names(tests: Sequence[Any]) -> tuple[str, ...]:
    return tuple(each.item.nodeid for each in tests)
