"""This process: its name, the signals that stop it, how it writes, what a crash leaves, less memory for its threads.

Imports nothing of ours, so that the sandbox and the demo can use it too.
"""

import ctypes
import io
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)
HOST_SHOWN = 40  # characters: host names may have 63, our columns for process names have 64
M_ARENA_MAX = -8  # of glibc's malloc.h
ARENAS = 2


def name_of(*more: str) -> str:
    """Return the host's name and the process id, and what else tells it apart: `host-4711-…`."""
    return "-".join((socket.gethostname()[:HOST_SHOWN], str(os.getpid()), *more))


def share_arenas() -> None:
    """Let all threads share two heaps: glibc gives every thread its own, and returns little of it.

    Python's threads hardly ever allocate at the same moment. Without glibc this does nothing.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def leave_no_core() -> None:
    """Let a crash leave no file of our memory, in which every secret lies, and what customers wrote."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def hear_interrupts() -> None:
    """Let Ctrl-C end this program even if it was started with SIGINT ignored. Only for the main thread.

    A shell without job control (`nohup … &`, some CI runners) starts background programs that way, and Python then
    installs no handler of its own.
    """
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def open_streams() -> None:
    """Give a program that was started without standard streams (`>&-`, some supervisors) ones that lead nowhere.

    Python has None in their place. Opened in this order, each takes its own number, which no other file can take then.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - it stays open


def write_utf8() -> None:
    """Write UTF-8 into files and pipes, whatever the locale: settings, CSV and JSON are read back as such.

    A terminal shows what it can.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="replace")
        else:
            sys.stdout.reconfigure(encoding="utf-8")


def set_on_stop(*events: threading.Event) -> None:
    """Set these events, in this order, once this process is told to stop."""

    def tell(_number: int, _frame: FrameType | None) -> None:
        for event in events:
            event.set()

    for each in STOPS:
        signal.signal(each, tell)


def hang_ups() -> tuple[signal.Signals, ...]:
    """What ends a command besides Ctrl-C: SIGTERM, and a terminal that hangs up, unless `nohup` was said."""
    keeps_on = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGTERM,) if keeps_on else (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending_on(*signals: signal.Signals) -> Iterator[None]:
    """Let each of these signals end the block as Ctrl-C does, with KeyboardInterrupt."""
    before = {each: signal.signal(each, _interrupt) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def held_back(*signals: signal.Signals) -> Iterator[None]:
    """Let each of these signals take effect once the block is over, if it comes meanwhile. Only for the main thread."""
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _frame: came.append(number)) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    for number in came:
        signal.raise_signal(number)


@contextmanager
def kept_for_a_child(*signals: signal.Signals) -> Iterator[None]:
    """Keep these signals waiting while a child is forked: what comes before it has handlers of its own would be lost.

    Until then it has a copy of ours, which only tell the copy. The child lets them in by `pthread_sigmask`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
