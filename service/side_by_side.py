"""Runs web and worker as children of one process: one that dies is begun anew, and all end together."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.context import ForkProcess
from typing import Any

import structlog

from service.process import STOPS, kept_for_a_child

log = structlog.get_logger(__name__)
OURS = (*STOPS, signal.SIGHUP)
RESTART_AFTER_S = 1.0
FORK = multiprocessing.get_context("fork")
Run = Callable[[Sequence[str]], Any]


def run_side_by_side(commands: Mapping[str, Sequence[str]], run: Run, stop_within_s: float) -> int:
    """Run the commands as children, restart one that dies, stop all on SIGTERM or SIGINT. Return the exit code."""
    stopping: list[int] = []
    # before the children start: a stop meanwhile must not leave one behind
    for each in STOPS:
        signal.signal(each, lambda number, _frame: stopping.append(number))
    children: dict[str, ForkProcess] = {}
    # both read their settings again, and keep the old ones where the new ones are wrong
    signal.signal(signal.SIGHUP, lambda number, _frame: _tell(children.values(), number))
    children |= {name: _start(name, run, command) for name, command in commands.items()}
    while not stopping:
        time.sleep(0.2)
        for name, child in children.items():
            if child.exitcode is not None and not stopping:
                log.error("child_died", child=name, exit_code=child.exitcode)
                time.sleep(RESTART_AFTER_S)
                children[name] = _start(name, run, commands[name])
    return _stop(children, stop_within_s)


def _start(name: str, run: Run, command: Sequence[str]) -> ForkProcess:
    """Fork and run a command in the child, which need not import again what is already imported."""
    log.info("child_started", child=name)
    child = FORK.Process(target=_in_child, args=(run, command), name=name)
    with kept_for_a_child(*OURS):
        child.start()
    return child


def _in_child(run: Run, command: Sequence[str]) -> None:
    os.setsid()  # Ctrl-C reaches the parent only, which lets the children finish their calls
    for each in OURS:
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
    run(command)


def _tell(children: Iterable[ForkProcess], number: int) -> None:
    """Pass a signal on to living children; ended ones are restarted elsewhere."""
    for child in children:
        if child.pid is not None and child.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)


def _stop(children: Mapping[str, ForkProcess], within_s: float) -> int:
    for child in children.values():
        child.terminate()
    deadline = time.monotonic() + within_s
    for child in children.values():
        child.join(max(0.1, deadline - time.monotonic()))
        if child.exitcode is None:
            log.warning("child_killed", child=child.name)
            child.kill()
    return 0
