"""A test run that is killed leaves none of its processes behind."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.processes.children import ROOT, until
from tests.processes.orphans import WAITS

RUN = """
import sys, time
from pathlib import Path
from tests.processes.children import Child, cli
cli("sandbox", Path(sys.argv[1]), "sandbox", "--bind", "127.0.0.1:0").start()
Child("sleeper", ("sleep", "1000"), Path(sys.argv[1]) / "sleeper.log").start()
print("begun", flush=True)
time.sleep(1000)
"""


def test_a_run_that_is_killed_takes_its_processes_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "begun\n"
        begun = _sessions(tmp_path)
        run.kill()
    assert len(begun) == 2
    until(lambda: not _sessions(tmp_path), 10, "none is left")


def test_a_long_run_keeps_no_handle_of_what_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-I", "-c", WAITS], stdin=subprocess.PIPE, text=True) as heir:
        assert heir.stdin is not None
        before = len(_handles(heir.pid))
        for _ in range(5):
            with subprocess.Popen(["sleep", "1000"], start_new_session=True) as one:
                print(one.pid, file=heir.stdin, flush=True)
                until(lambda: "anon_inode:[pidfd]" in _handles(heir.pid), 10, "it has a handle")
                one.kill()
        assert len(_handles(heir.pid)) <= before + 2
        heir.stdin.close()
        assert heir.wait(10) == 0


def _handles(pid: int) -> list[str]:
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closing one
            found.append(str(each.readlink()))
    return found


def _sessions(folder: Path) -> set[str]:
    """Processes that write into a file of this folder."""
    found = set()
    for each in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            if each.readlink().is_relative_to(folder):
                found.add(each.parts[2])
        except OSError:
            continue
    return found
