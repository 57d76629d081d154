"""Chooses what to test after a change: changed files from git in, paths for pytest out, one per line.

A changed test is run itself. For a changed file of the service, the tests of its room that name it are run, else those
that name what imports it, else the whole room; and what the table below says is tested elsewhere. Used by
`bash deploy/test --quick`; the full run remains what decides.
"""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

TOP = Path(__file__).parents[1]
ALWAYS = "tests/test_architecture.py"
FLOOR = "tests/floor"
HELD_BESIDE = (
    ("service/intake/presets/", "tests/intake/test_presets.py"),
    ("service/intake/verify/", "tests/intake/test_verify.py"),
    ("service/models/", "tests/test_owners.py"),
    ("service/migrations/", "tests/test_migrations.py"),
    ("service/states.py", "tests/requests/test_declaration.py"),
    ("service/states.py", "tests/demo/test_script.py"),
    ("service/ways/", "tests/outreach/test_ways.py"),
    ("service/ways/languages/", "tests/results/page/test_words.py"),
    ("service/ways/languages/", "tests/results/test_replies.py"),
    ("service/reports/templates/", "tests/reports/dashboard"),
    ("deploy/", "tests/test_deploy.py"),
    ("deploy/requirements.txt", "tests/test_security_papers.py"),
    ("deploy/roles.sql", "tests/test_roles.py"),
    ("deploy/security/", "tests/test_security_papers.py"),
    ("deploy/prometheus/", "tests/test_alerts.py"),
    ("README.md", "tests/test_readme.py"),
    ("deploy/README.md", "tests/test_readme.py"),
)
"""What is tested elsewhere than in a room of its own name, whatever kind of file it is."""


def changed(top: Path = TOP) -> list[str]:
    """Files that differ from the last commit; where nothing does, those of the last commit itself."""
    return _git(top, "diff", "--name-only", "HEAD") + _git(top, "ls-files", "--others", "--exclude-standard") or _git(
        top, "diff", "--name-only", "HEAD~1", "HEAD"
    )


def paths_for(files: Iterable[str], top: Path = TOP) -> list[str]:
    """Return the test paths, each once, in order."""
    found = [ALWAYS]
    for each in files:
        found += _of_one(Path(each), top)
    return list(dict.fromkeys(found))


def _of_one(file: Path, top: Path) -> Iterator[str]:
    yield from (test for begins, test in HELD_BESIDE if file.as_posix().startswith(begins))
    if file.suffix != ".py" or not (top / file).exists():
        return
    if file.parts[0] == "tests" and file.name.startswith("test_"):
        yield file.as_posix()
    elif file.parts[0] == "tests" and len(file.parts) > 2:
        yield file.parent.as_posix()
    elif file.parts[0] == "service":
        yield from _of_room(file, top)


def _of_room(file: Path, top: Path) -> Iterator[str]:
    """The tests that name it; else those that name what imports it, and so on; else the room's."""
    room = f"tests/{file.parts[1]}" if (top / "tests" / file.parts[1]).is_dir() else FLOOR
    tests, ours = _texts(top / room, "test_*.py"), _texts(top / "service" / file.parts[1], "*.py")
    names, seen = {_module_of(file)}, set[str]()
    while names:
        spoken = re.compile("|".join(map(_importing, sorted(names))))
        if naming := [test for test, text in tests.items() if spoken.search(text)]:
            yield from (test.relative_to(top).as_posix() for test in naming)
            return
        seen |= names
        names = {_module_of(each.relative_to(top)) for each, text in ours.items() if spoken.search(text)} - seen
    yield room


def _texts(folder: Path, like: str) -> dict[Path, str]:
    return {each: each.read_text("utf-8") for each in sorted(folder.rglob(like))}


def _module_of(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def _importing(module: str) -> str:
    """What stands in a file that imports it, alone or among others."""
    parent, _, name = module.rpartition(".")
    among = rf"[^\n(]*\b{name}\b|\([^)]*\b{name}\b"
    return rf"\b{re.escape(module)}(?: |\n)|from {re.escape(parent)} import (?:{among})"


def _git(top: Path, *words: str) -> list[str]:
    said = subprocess.run(["git", *words], cwd=top, capture_output=True, text=True, check=False)
    return said.stdout.splitlines() if said.returncode == 0 else []


if __name__ == "__main__":
    print("\n".join(paths_for(changed())))
