"""The command as an operator starts it: a process of its own, exit codes, SIGTERM."""

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from service.cli import main
from tests.cli.installation import Cli

TOP = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "service.cli"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TOP), "PYTHONUNBUFFERED": "1"}


def run(cli: Cli, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cli.directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_mistakes_end_with_78_on_standard_error(cli: Cli) -> None:
    cli.write(web__colour="red")
    done = run(cli, "config", "check")
    assert (done.returncode, done.stdout) == (78, "")
    assert "web.colour" in done.stderr
    assert "Traceback" not in done.stderr


def test_arguments_that_are_not_utf_8_are_refused_with_a_sentence(cli: Cli) -> None:
    done = run(cli, "requests", "show", os.fsdecode(b"fr_\xff"))
    assert (done.returncode, "The arguments must be UTF-8." in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr


def test_the_settings_file_may_be_named_by_the_environment(cli: Cli) -> None:
    cli.config.rename(cli.directory / "other.toml")
    other = str(cli.directory / "other.toml")
    done = CliRunner().invoke(main, ["requests", "list"], env={"DM_FEEDBACK_CONFIG": other})
    assert done.exit_code == 0
    assert "conversation" in done.stdout
    assert done.stderr == ""


def test_output_may_be_cut_off_by_the_next_command(cli: Cli) -> None:
    reference = subprocess.Popen(
        [*COMMAND, "config", "reference"], cwd=cli.directory, env=environment(), stdout=-1, stderr=-1, text=True
    )
    assert reference.stdout is not None
    reference.stdout.close()
    _, errors = reference.communicate(timeout=60)
    assert "Traceback" not in errors


@pytest.mark.parametrize("closed", [[1], [2], [0, 1, 2]])
def test_a_command_works_without_standard_streams(cli: Cli, closed: list[int]) -> None:
    """As a shell starts it with `>&-`, and some supervisors do."""
    done = subprocess.run(
        [*COMMAND, "config", "check"],
        cwd=cli.directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
        preexec_fn=lambda: [os.close(each) for each in closed],
    )
    assert (done.returncode, b"Traceback" in done.stdout) == (0, False)


@pytest.fixture(scope="module")
def x(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`dm-feedback sandbox` and the address it says."""
    place = tmp_path_factory.mktemp("x")
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))  # a child begins with the same
    child = subprocess.Popen(
        [*COMMAND, "sandbox", "--bind", "127.0.0.1:0"], cwd=place, env=environment(), stdout=-1, text=True
    )
    resource.setrlimit(resource.RLIMIT_CORE, before)
    assert child.stdout is not None
    address = child.stdout.readline().split()[3]
    yield child, address
    child.kill()
    child.communicate()


def test_the_sandbox_says_where_it_is_and_a_worker_beside_it_ends_well_on_sigterm(
    cli: Cli, x: tuple[subprocess.Popen[str], str]
) -> None:
    shown, address = x
    assert httpx.get(f"{address}/_control").json()["endpoints"]
    assert shown.stdout is not None
    assert "sandbox-consumer-secret" in "".join(shown.stdout.readline() for _ in range(3))
    cli.write(accounts__acme__base_url=address, worker={"idle": "20ms", "shutdown_within": "2s"})
    child = subprocess.Popen([*COMMAND, "worker"], cwd=cli.directory, env=environment(), stderr=-1, text=True)
    assert child.stderr is not None
    assert any("worker_started" in line for line in child.stderr), "whatever its threads say first"
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 0
    assert "worker_stopped" in said


def test_a_crash_leaves_no_file_of_our_memory(x: tuple[subprocess.Popen[str], str]) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("none is allowed here, whatever we do")
    child, _ = x
    limits = Path(f"/proc/{child.pid}/limits").read_text("utf-8")
    assert re.search(r"Max core file size +0 +[^0 ]", limits), "and more would be allowed"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--bind", "nonsense"), "bad_bind"),
        (("--bind", "127.0.0.1:99999"), "bad_bind"),
        (("--speed", "-1"), "bad_sandbox_configuration"),
        (("--speed", "nan"), "bad_sandbox_configuration"),
        (("--file", "sandbox.json"), "bad_sandbox_configuration"),
    ],
)
def test_a_sandbox_that_cannot_start_says_why(cli: Cli, arguments: tuple[str, ...], says: str) -> None:
    (cli.directory / "sandbox.json").write_text('{"colour": "red"}', "utf-8")
    assert cli.refuses("sandbox", *arguments)[1] == says
