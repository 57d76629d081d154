"""The demo's processes are ready when it says so, and stopped however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from service.demo import stage
from service.demo.processes import NotReady, running

ROOT = Path(__file__).parents[2]
WITHIN_S = 120.0
# a shell makes what it starts in the background ignore Ctrl-C: it has to stop all the same
IN_THE_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")


def test_free_ports_are_different_and_the_usual_ones_where_they_are_free() -> None:
    with socket.create_server((stage.LOCAL, 0)) as taken:
        busy = taken.getsockname()[1]
        first, second = stage.free_ports((busy, busy))
        assert len({busy, first, second}) == 3
    assert stage.free_ports((busy,)) == [busy]


def test_a_service_that_cannot_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    built = stage.build(tmp_path)
    built.settings_file.write_text("[service]\nsecret_key = 'short'\n", "utf-8")
    with pytest.raises(NotReady, match=r"(?s)The service stopped.*secret_key"), running(built):
        pass
    assert left_running(tmp_path) == []


PLAYING = 4  # processes: sandbox and service, and the service's web and worker


@pytest.mark.parametrize("way_out", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_leaves_nothing_running(way_out: signal.Signals, tmp_path: Path) -> None:
    interrupt_a_demo(tmp_path, way_out, lambda _: len(left_running(tmp_path)) >= PLAYING)


@pytest.mark.parametrize("born", [1, 2])
def test_not_even_the_process_that_is_just_being_born(born: int, tmp_path: Path) -> None:
    interrupt_a_demo(tmp_path, signal.SIGHUP, lambda demo: len(children_of(demo)) >= born, look_every_s=0.0)


def interrupt_a_demo(
    folder: Path, way_out: signal.Signals, when: Callable[[int], bool], *, look_every_s: float = 0.05
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*IN_THE_BACKGROUND, sys.executable, "-m", "service.cli", "demo"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE) as demo:
        wait_until(lambda: when(demo.pid), look_every_s)
        demo.send_signal(way_out)
        said, _ = demo.communicate(timeout=WITHIN_S)
    assert demo.returncode == 128 + signal.SIGINT
    assert b"Nothing is left running" in said
    assert left_running(folder) == []


def wait_until(happened: Callable[[], bool], look_every_s: float) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(look_every_s)


def children_of(pid: int) -> list[str]:
    """The children of a process, whichever of its threads bore them."""
    found: list[str] = []
    for each in Path(f"/proc/{pid}/task").glob("[0-9]*/children"):
        with suppress(OSError):
            found += each.read_text("ascii").split()
    return found


def left_running(folder: Path) -> list[str]:
    """Processes whose command line names the folder of this run."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().decode("utf-8", "replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found
