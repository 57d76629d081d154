"""Turns of one worker's threads: who may write of an account now.

All of an account wait for its row, and each that waits there holds a connection. Beyond those the pool keeps, every one
is opened for it alone, which costs the database more than the transaction does. So they wait here, and hold nothing.
Other workers wait for the row itself. Never held while X is called.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 8  # transactions of all accounts: the pool keeps a few more connections than that
A_MOMENT_S = 0.5


class Turns:
    """One turn at a time for each account."""

    def __init__(self) -> None:
        self._of: dict[str, threading.Lock] = {}
        self._at_once = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def of(self, account: str) -> Iterator[None]:
        """Wait for the account's turn."""
        with self._lock(account), self._at_once:
            yield

    @contextmanager
    def soon(self, account: str) -> Iterator[bool]:
        """Wait a moment for it; False: it did not come."""
        mine = self._lock(account)
        if not mine.acquire(timeout=A_MOMENT_S):
            yield False
            return
        try:
            with self._at_once:
                yield True
        finally:
            mine.release()

    def _lock(self, account: str) -> threading.Lock:
        """Accounts come as X confirms their access, and two threads may ask for the same one."""
        return self._of.setdefault(account, threading.Lock())
