"""Puts temporary files into memory if there is enough of it, so that no test waits for a disk.

Sets TMPDIR, which every library and every process of ours obeys, unless it is set already. A small file system in
memory (containers usually have 64 MB), or one that runs no programs, is not used.
"""

import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
ENOUGH = 4 << 30
"""Bytes free: many times what a run holds at a moment, as a test that passed leaves nothing."""


def use(environ: MutableMapping[str, str], place: Path = IN_MEMORY) -> None:
    if "TMPDIR" not in environ and place.is_dir() and os.access(place, os.W_OK) and _fits(place):
        environ["TMPDIR"] = str(place)
        tempfile.tempdir = None  # it is looked up once


def _fits(place: Path) -> bool:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize >= ENOUGH and not found.f_flag & os.ST_NOEXEC
