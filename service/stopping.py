"""Being told to stop: in, nothing; out, SIGINT and SIGTERM that arrive, however the program was started.

A shell that starts something in the background without job control (`nohup … &`, some CI runners) makes it ignore
SIGINT, and Python then installs no handler of its own. Decides nothing about what a stop means.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)


def hear_interrupts() -> None:
    """Let Ctrl-C end this program even where whoever started it had SIGINT ignored. Only the main thread may ask."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
