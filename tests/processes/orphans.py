"""Ends processes of ours whose test run was killed: each leads a session, which nobody else would end.

Takes process ids, by a pipe to a process of its own, which outlives us only for that. Never ends what a living run has.
"""

import atexit
import subprocess
import sys
from functools import cache

WAITS = """
import contextlib, os, signal, sys

def lives(handle):
    try:
        signal.pidfd_send_signal(handle, 0)
    except ProcessLookupError:
        return False
    return True

kept = {}  # a handle each, which no later process with this number answers to
for line in sys.stdin:
    for pid in [each for each, handle in kept.items() if not lives(handle)]:
        os.close(kept.pop(pid))  # or a long run would use up the files one may open
    try:
        kept[int(line)] = os.pidfd_open(int(line))
    except ProcessLookupError:
        continue
for pid, handle in kept.items():
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, 0)
        os.killpg(pid, signal.SIGKILL)
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
