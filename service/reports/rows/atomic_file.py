"""Writes files that appear whole or not at all, readable by their owner alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """Write beside the path first; if that breaks off, the old file stays."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # an older one would keep its own mode
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
    part.replace(path)
