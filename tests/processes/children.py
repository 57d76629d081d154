"""Child processes: started from the real command line, killed, stopped, waited for, with their output in a file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
CLI = (sys.executable, "-m", "service.cli")


class Child:
    """One process group. It can be started again after it died."""

    def __init__(self, name: str, command: Sequence[str], log: Path, preexec: Callable[[], None] | None = None) -> None:
        self.name, self.command, self.log = name, command, log
        self._preexec = preexec
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command, stdout=output, stderr=output, cwd=ROOT, env=_environ(),
                start_new_session=True, preexec_fn=self._preexec,  # noqa: PLW1509 - no threads hold locks at that moment
            )  # fmt: skip
        return self

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
        self.wait(10)

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
    command = (*CLI, *words)
    return subprocess.run(command, cwd=ROOT, env=_environ(), capture_output=True, text=True, timeout=200, check=False)


def _environ() -> dict[str, str]:
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
    return {**os.environ, "PYTHONPATH": path}


def until(done: Callable[[], Any], within_s: float, what: str, every_s: float = 0.05) -> float:
    """Wait for a fact of another process; return the seconds it took."""
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > within_s:
            raise AssertionError(f"Not within {within_s} s: {what}")
        time.sleep(every_s)
    return time.monotonic() - began
