"""Environments with packages that are not ours, made once per folder."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class ToolFailed(AssertionError):
    """A tool reported a problem."""


@dataclass(frozen=True, slots=True)
class Tools:
    """A folder for environments."""

    directory: Path

    def python(self, name: str, *packages: str) -> Path:
        """A virtual environment with some packages; return its folder of programs."""
        place = self.directory / name
        if not (place / "bin" / "ready").exists():
            run(sys.executable, "-m", "venv", "--clear", str(place))
            run(str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages)
            (place / "bin" / "ready").touch()
        return place / "bin"

    def node(self, name: str, *packages: str) -> Path:
        """A folder with some npm packages; return its folder of programs."""
        place = self.directory / name
        programs = place / "node_modules" / ".bin"
        if not programs.exists():
            place.mkdir(parents=True, exist_ok=True)
            run("npm", "install", "--no-audit", "--no-fund", "--prefix", str(place), *packages)
        return programs


def run(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program to its end; return what it printed. Raises ToolFailed with all of it."""
    done = subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, check=False)
    if done.returncode:
        raise ToolFailed(f"{shown(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def shown(command: Sequence[str]) -> str:
    return " ".join(Path(each).name if "/" in each else each for each in command)
