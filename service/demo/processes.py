"""What the play runs on: in, a stage; out, the sandbox and the service as processes, ready; and gone again afterwards.

They run exactly as an operator would start them. Leaving the context stops them on every way out; a process that does
not stop in time is killed, and so are its children, whose process groups it leads or left behind.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from service.demo.stage import Stage
from service.demo.wire import Away, call

READY_WITHIN_S = 40.0
STOP_WITHIN_S = 20.0
LOOK_EVERY_S = 0.1
LINES_SHOWN = 15


class NotReady(Exception):
    """A process did not come up; the sentence carries the last lines of its log."""


@contextmanager
def running(stage: Stage) -> Iterator[None]:
    """Run sandbox and service of the stage for as long as the context lasts. Raises NotReady."""
    service = ("--config", str(stage.settings_file), "serve")
    x = ("sandbox", "--file", str(stage.x_file), "--bind", stage.x_url.removeprefix("http://"))
    with ExitStack() as stack:
        commands = {"sandbox": x, "service": service}
        started = {name: stack.enter_context(_process(stage.folder, name, each)) for name, each in commands.items()}
        _wait(started["sandbox"], stage.folder / "sandbox.log", lambda: _answers(f"{stage.x_url}/_control/clock"))
        _wait(started["service"], stage.folder / "service.log", lambda: _is_well(stage.service_url))
        yield


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the play like Ctrl-C does, so that nothing is left running."""
    before = {each: signal.signal(each, _interrupt) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _process(folder: Path, name: str, command: tuple[str, ...]) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "service.cli", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            # a group of its own: Ctrl-C reaches the play only, which then stops things in order
            start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    children = _children(process.pid)
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        for each in (process.pid, *children):
            _kill_group(each)
        process.wait()


def _children(pid: int) -> list[int]:
    """The direct children, where the system tells (Linux)."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text("utf-8", "replace").splitlines()[-LINES_SHOWN:]
            state = "stopped" if process.poll() is not None else f"is not ready after {READY_WITHIN_S:.0f} s"
            raise NotReady(f"The {log.stem} {state}. The end of {log}:\n" + "\n".join(lines))
        time.sleep(LOOK_EVERY_S)


def _answers(url: str) -> bool:
    try:
        return call("GET", url).status == 200  # noqa: PLR2004 - OK
    except Away:
        return False


def _is_well(service_url: str) -> bool:
    """Web, database, worker and both accounts."""
    try:
        return (call("GET", f"{service_url}/readyz").json() or {}).get("status") == "ok"
    except Away:
        return False
