"""Starts the sandbox and the service as processes, waits until they are ready, and stops them again.

They run exactly as an operator would start them. Leaving the context always stops them; a process that does not stop in
time is killed together with its children.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from service.demo.http_call import OK, NobodyAnswered, call
from service.demo.stage import Stage
from service.process import STOPS, held_back

READY_WITHIN_S = 40.0
STOP_WITHIN_S = 20.0
LOOK_EVERY_S = 0.1
LINES_SHOWN = 15
Process = subprocess.Popen[bytes]


class NotReady(Exception):
    """A process did not come up; the sentence carries the last lines of its log."""


@contextmanager
def running(stage: Stage) -> Iterator[None]:
    """Run sandbox and service of the stage for as long as the context lasts. Raises NotReady."""
    service = ("--config", str(stage.settings_file), "serve")
    x = ("sandbox", "--file", str(stage.x_file), "--bind", stage.x_url.removeprefix("http://"))
    with _logged(stage.folder, "sandbox") as x_log, _logged(stage.folder, "service") as service_log:
        started: list[Process] = []
        try:
            _start(x, x_log, started)
            _start(service, service_log, started)
            _wait(started[0], x_log, lambda: _answers(f"{stage.x_url}/_control/clock"))
            _wait(started[1], service_log, lambda: _is_well(stage.service_url))
            yield
        finally:
            _stop(started)


def _logged(folder: Path, name: str) -> BinaryIO:
    return (folder / f"{name}.log").open("wb")


def _start(command: tuple[str, ...], log: BinaryIO, started: list[Process]) -> None:
    """Start a process and list it, so that it can be stopped."""
    with held_back(*STOPS, signal.SIGHUP):  # none may come between its birth and its place in the list
        started.append(
            subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", "service.cli", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # a session of its own: Ctrl-C reaches the play only, which then stops things in order
                start_new_session=True,
            )
        )  # fmt: skip


def _stop(started: Sequence[Process]) -> None:
    families = {each.pid: [each.pid, *_children(each.pid)] for each in started}
    for each in started:
        each.terminate()
    deadline = time.monotonic() + STOP_WITHIN_S
    for each in started:
        with suppress(subprocess.TimeoutExpired):
            each.wait(max(0.1, deadline - time.monotonic()))
        for pid in families[each.pid]:  # whoever did not stop, and whoever was born too late to be told
            _kill_group(pid)
        each.wait()


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


def _wait(process: Process, log: BinaryIO, ready: Callable[[], bool]) -> None:
    deadline, file = time.monotonic() + READY_WITHIN_S, Path(log.name)
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            lines = file.read_text("utf-8", "replace").splitlines()[-LINES_SHOWN:]
            state = "stopped" if process.poll() is not None else f"is not ready after {READY_WITHIN_S:.0f} s"
            raise NotReady(f"The {file.stem} {state}. The end of {file}:\n" + "\n".join(lines))
        time.sleep(LOOK_EVERY_S)


def _answers(url: str) -> bool:
    try:
        return call("GET", url).status == OK
    except NobodyAnswered:
        return False


def _is_well(service_url: str) -> bool:
    """Web, database, worker and both accounts."""
    try:
        return (call("GET", f"{service_url}/readyz").json() or {}).get("status") == "ok"
    except NobodyAnswered:
        return False
