"""Writes files that appear whole or not at all, readable by their owner alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from service.errors import Invalid


def demand_file(path: Path) -> None:
    """Refuse what is there and no file. Raises Invalid.

    Root would put a file in the place of a device or pipe, or of what a link leads to that others have laid.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Invalid(
            "not_a_file",
            f"{path} exists and is not a regular file; give the name of a file. It appears once it is complete.",
        )


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """Write beside the path first; if that breaks off, the old file stays. Raises Invalid."""
    demand_file(path)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # an older one would keep its own mode
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
        part.replace(path)
    except BaseException:  # what customers wrote would lie under a name nobody looks for
        part.unlink(missing_ok=True)
        raise
