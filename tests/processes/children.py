"""Child processes: started, killed, stopped and waited for, with their output in a file.

Those of `dm-feedback` are forked from a process that has imported our code already (`nursery.py`), in 0.02 s of CPU
instead of 1.4. All others start from nothing, also those whose environment a test has changed, unless only our code
or the exporter of traces reads it, which the nursery has not imported: the loader, the interpreter and other libraries
read it when they start.
"""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Protocol, Self

from tests.processes import nursery
from tests.processes.orphans import end_with_us

ROOT = Path(__file__).parents[2]
CLI = (sys.executable, "-m", "service.cli")
NURSERY = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload(["tests.processes.warm"])
LOOK_EVERY_S = 0.002
PATIENCE_S = 120
OF_THE_TEST = "PYTEST_CURRENT_TEST"
READ_LATE = ("DM_FEEDBACK_", "OTEL_")


class Process(Protocol):
    """What both kinds of process can be asked."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float) -> int: ...


class Forked:
    """A process forked from the nursery, in a session of its own."""

    def __init__(self, words: Sequence[str], output: Path, errors: Path) -> None:
        given = (tuple(words), (str(output), str(errors)), _environ(), str(ROOT))
        self._process: ForkServerProcess = NURSERY.Process(target=nursery.begin, args=given)
        output.touch()  # whoever looks for its words finds a file from the beginning on
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        while self.poll() is None and not _leads_a_session(self.pid):
            time.sleep(LOOK_EVERY_S)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code


def _leads_a_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


class Child:
    """One process group. It can be started again after it died."""

    def __init__(self, name: str, command: Sequence[str], log: Path, preexec: Callable[[], None] | None = None) -> None:
        self.name, self.command, self.log = name, command, log
        self._preexec = preexec
        self._process: Process | None = None

    def start(self) -> Self:
        ours = tuple(self.command[: len(CLI)]) == CLI and self._preexec is None and _as_born()
        self._process = Forked(self.command[len(CLI) :], self.log, self.log) if ours else self._from_nothing()
        end_with_us(self.pid)
        return self

    def _from_nothing(self) -> Process:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self.command, stdout=output, stderr=output, cwd=ROOT, env=_environ(),
                start_new_session=True, preexec_fn=self._preexec,  # noqa: PLW1509 - no threads hold locks at that moment
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """To every process of the group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait(PATIENCE_S)

    def terminate(self, within_s: float) -> int:
        """SIGTERM as an init system sends it; return the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait(within_s)

    def hang_up(self) -> None:
        """SIGHUP as an operator sends it, to the parent alone."""
        os.kill(self.pid, signal.SIGHUP)

    def wait(self, within_s: float) -> int:
        assert self._process is not None
        return self._process.wait(within_s)

    def forked(self) -> list[int]:
        """The processes it has forked itself (gunicorn's workers)."""
        try:
            return [int(each) for each in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except OSError:
            return []

    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.signal(signal.SIGCONT)
            self.kill()


def cli(name: str, directory: Path, *words: str, preexec: Callable[[], None] | None = None) -> Child:
    """`dm-feedback WORDS` as a child."""
    return Child(name, (*CLI, *words), directory / f"{name}.log", preexec)


def run_cli(*words: str) -> subprocess.CompletedProcess[str]:
    """`dm-feedback WORDS` to its end."""
    if not _as_born():
        command = (*CLI, *words)
        return subprocess.run(
            command, cwd=ROOT, env=_environ(), capture_output=True, text=True, timeout=200, check=False
        )
    with tempfile.TemporaryDirectory(prefix="dmf-said-") as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        process = Forked(words, output, errors)
        try:
            code = process.wait(200)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(words, code, output.read_text("utf-8"), errors.read_text("utf-8"))


def _read_early() -> dict[str, str]:
    """What a process reads of its environment before it comes to our code."""
    return {name: value for name, value in os.environ.items() if name != OF_THE_TEST and not name.startswith(READ_LATE)}


BORN_WITH = _read_early()


def _as_born() -> bool:
    return _read_early() == BORN_WITH


def _environ() -> dict[str, str]:
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
    return {**os.environ, "PYTHONPATH": path}


def until(done: Callable[[], Any], within_s: float, what: str | Callable[[], str], every_s: float = 0.05) -> float:
    """Wait for a fact of another process; return the seconds it took. A machine that is busy is given its time.

    `what` is waited for, in words; or what says so, and what else is to be known where it was waited for in vain.
    """
    began, most_s = time.monotonic(), max(within_s, PATIENCE_S)
    while not done():
        if time.monotonic() - began > most_s:
            raise AssertionError(f"Not within {most_s} s: {what if isinstance(what, str) else what()}")
        time.sleep(every_s)
    return time.monotonic() - began


def listens(port: int) -> bool:
    """Whether anybody listens there on this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
