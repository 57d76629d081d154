"""Starts our processes by forking one that has imported our code, which is most of the work of a start.

Takes the words of a command line, files for its output and the environment; runs `dm-feedback` in a session of its own.
tests/demo and tests/cli start the command as users do.
"""

import atexit
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NoReturn

from service.cli import COMMANDS, main

for _file, _ in COMMANDS.values():
    import_module(f"service.cli.{_file}")


def begin(words: Sequence[str], files: Sequence[str], environ: Mapping[str, str], place: str) -> NoReturn:
    """Be that process. `files`: what its output and its errors are added to."""
    os.setsid()
    os.chdir(place)
    os.environ.clear()
    os.environ.update(environ)
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
    sys.argv = ["dm-feedback", *words]
    _end(_code_of(words))


def _code_of(words: Sequence[str]) -> int:
    try:
        main(list(words), prog_name="dm-feedback")
    except SystemExit as ended:
        if isinstance(ended.code, int | None):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    return 0


def _end(code: int) -> NoReturn:
    """End as the interpreter does, and not as a child of the test run, which knows nothing of our last words."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
