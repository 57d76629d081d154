"""A copy of the tree that a test may change and run; returns the environment for programs that run there.

Byte code compiled in this run is reused, because file times are the same; what a test changes is compiled anew and kept
nowhere. Compiling everything would take longer than the test itself.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

TOP = Path(__file__).parents[1]
PARTS = ("service", "tests")


@contextmanager
def copied(to: Path) -> Iterator[dict[str, str]]:
    """Copy what the tests and the service are."""
    with ExitStack() as stack:
        for part in PARTS:
            shutil.copytree(TOP / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
            if sys.pycache_prefix is not None:
                stack.enter_context(_compiled_as(to / part, TOP / part, Path(sys.pycache_prefix)))
        yield {**os.environ, "PYTHONPATH": str(to), "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def _compiled_as(copy: Path, original: Path, kept: Path) -> Iterator[None]:
    """Have the interpreter find for files of the copy what it has compiled of the original."""
    link, there = (kept / each.relative_to(each.anchor) for each in (copy, original))
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(there, target_is_directory=True)
    yield
    link.unlink()
