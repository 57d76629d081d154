"""Ends processes of ours whose test run was killed: each leads a session, which nobody else would end.

Takes process ids, by a pipe to a process of its own, which outlives us only for that. Never ends what a living run has.
"""

import atexit
import subprocess
import sys
from functools import cache

WAITS = """
import os, signal, sys
kept = {}
for line in sys.stdin:
    try:
        kept[int(line)] = os.pidfd_open(int(line))  # which no later process with this number answers to
    except ProcessLookupError:
        continue
for pid, there in kept.items():
    try:
        signal.pidfd_send_signal(there, 0)
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        continue
"""


def end_with_us(pid: int) -> None:
    """Have the session of this process killed once this process is gone, however it went."""
    pipe = _heir().stdin
    assert pipe is not None
    pipe.write(f"{pid}\n")
    pipe.flush()


@cache
def _heir() -> subprocess.Popen[str]:
    """One a test run; a signal to the whole run does not reach it."""
    heir = subprocess.Popen(
        [sys.executable, "-I", "-c", WAITS], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    atexit.register(heir.communicate)
    return heir
