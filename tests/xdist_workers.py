"""Divides work among the processes of one test run (xdist): who does what first, so that nothing is done twice.

Orders the tests, and keeps results in files that the other processes find.
"""

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

WAITING = ("tests/chaos/", "tests/demo/", "tests/processes/", "tests/test_story.py")


def ordered(items: list[pytest.Item]) -> None:
    """What mostly waits for processes comes first: one is at it while the others calculate."""
    items.sort(key=lambda item: not item.nodeid.startswith(WAITING))


def read_a_share(config: pytest.Config) -> None:
    """Import a part of the test files before all are collected.

    pytest writes every assertion anew, which takes most of the time of a first collection, and keeps what it wrote:
    of several processes each does its share and reads the rest.
    """
    given: dict[str, int | str] | None = getattr(config, "workerinput", None)
    if given is None:
        return
    mine, count = int(str(given["workerid"]).removeprefix("gw")), int(given["workercount"])
    files = sorted(set(_files(config)))
    for file in files[mine::count]:
        with suppress(Exception):  # the collection says what is wrong with it
            import_module(".".join(file.relative_to(config.rootpath).with_suffix("").parts))


def _files(config: pytest.Config) -> Iterator[Path]:
    for each in config.args:
        place = (config.invocation_params.dir / each.partition("::")[0]).resolve()
        yield from place.rglob("test_*.py") if place.is_dir() else [place]
