"""The quick run finds the tests of what changed."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.quick import ALWAYS, TOP, changed, paths_for


def tree(top: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text, "utf-8")


def test_a_changed_file_is_tested_by_the_tests_that_name_it_else_by_its_room(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "service/intake/inbox/accept.py": "",
            "service/intake/inbox/late_reopenings.py": "",
            "service/clock.py": "",
            "tests/intake/test_accept.py": "from service.intake.inbox.accept import accept\n",
            "tests/intake/test_routes.py": "from service.intake.routes import add\n",
        },
    )
    assert paths_for(["service/intake/inbox/accept.py"], tmp_path) == [ALWAYS, "tests/intake/test_accept.py"]
    assert paths_for(["service/intake/inbox/late_reopenings.py"], tmp_path) == [ALWAYS, "tests/intake"]
    assert paths_for(["service/clock.py"], tmp_path) == [ALWAYS, "tests/floor"]


def test_a_file_no_test_names_is_tested_through_its_importers(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "service/reports/figures/sides.py": "",
            "service/reports/figures/pairs.py": "from service.reports.figures import lines, sides\n",
            "service/reports/page.py": "from service.reports.figures.pairs import pair\n",
            "service/reports/rows.py": "from service.reports.figures import lines, sides_of_a_coin\n",
            "tests/reports/test_page.py": "from service.reports import (\n    ages,\n    page,\n)\n",
            "tests/reports/test_rows.py": "from service.reports import rows\n",
        },
    )
    assert paths_for(["service/reports/figures/sides.py"], tmp_path) == [ALWAYS, "tests/reports/test_page.py"]
    assert paths_for(["service/reports/rows.py"], tmp_path) == [ALWAYS, "tests/reports/test_rows.py"]


def test_changed_tests_run_and_deleted_files_do_not(tmp_path: Path) -> None:
    tree(tmp_path, {"tests/intake/test_accept.py": "", "tests/intake/app.py": "", "LICENSE": ""})
    wanted = ["tests/intake/test_accept.py", "tests/intake/app.py", "LICENSE", "service/gone.py"]
    assert paths_for(wanted, tmp_path) == [ALWAYS, "tests/intake/test_accept.py", "tests/intake"]


def test_presets_tables_and_revisions_have_their_own_tests(tmp_path: Path) -> None:
    tree(tmp_path, {"service/intake/presets/dixa/definition.toml": "", "service/migrations/versions/1.py": ""})
    preset, revision = "service/intake/presets/dixa/definition.toml", "service/migrations/versions/1.py"
    assert paths_for([preset], tmp_path) == [ALWAYS, "tests/intake/test_presets.py"]
    assert paths_for([revision], tmp_path) == [ALWAYS, "tests/test_migrations.py", "tests/floor"]


def test_the_first_test_of_each_kind_of_change_is_run() -> None:
    """As the table of tests/README.md has them."""
    table = (TOP / "tests/README.md").read_text("utf-8").partition("| to add |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert len(rows) > 12
    for what, write, first in rows:
        named = re.findall(r"`((?:service|deploy)/[\w./]+)`", write)
        files = [f"{each}a_new_file.py" if each.endswith("/") else each for each in named]
        missed = set(re.findall(r"`(tests/[\w/]+\.py)`", first)) - set(paths_for(files))
        assert not missed, f"{what}: see HELD_BESIDE in tests/quick.py"


def test_without_a_change_the_last_commit_is_what_changed(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-b", "main")
    for name in ("one.py", "two.py"):
        tree(tmp_path, {name: ""})
        git("add", ".")
        git("commit", "-m", name)
    assert changed(tmp_path) == ["two.py"]
    tree(tmp_path, {"three.py": "", "one.py": "changed"})
    assert changed(tmp_path) == ["one.py", "three.py"]


@pytest.mark.parametrize(
    ("changed", "test"),
    [
        ("deploy/requirements.txt", "tests/test_security_papers.py"),  # the list of parts is of the pins
        ("deploy/security/asvs.md", "tests/test_security_papers.py"),
        ("deploy/roles.sql", "tests/test_roles.py"),
    ],
)
def test_what_is_held_elsewhere_is_tested(changed: str, test: str) -> None:
    assert test in paths_for([changed])
