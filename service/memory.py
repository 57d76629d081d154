"""Memory of a process of many threads: in, nothing; out, it levels early."""

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8  # of glibc's malloc.h
ARENAS = 2


def share_arenas() -> None:
    """Let all threads share two heaps: glibc gives each of many threads one of its own, and takes little back.

    Python's threads hardly ever allocate at the same moment. Elsewhere than on glibc nothing is changed.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
