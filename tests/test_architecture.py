"""The architecture: imports go down, routes declare their authentication, files and functions stay short."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import flask
import pytest
from sqlalchemy.engine import Engine

from service.app import create_app
from service.cli.openapi import description
from service.models import metadata
from tests.support import settings_of

TOP = Path(__file__).parents[1]
PYTHON = sorted(TOP.glob("service/**/*.py"))
TESTS = sorted(TOP.glob("tests/**/*.py"))
LONGEST = 300
LONGEST_FUNCTION = 45

LONGER_FOR_A_REASON = {
    "service/migrations/versions/0001_the_first_house.py": "generated, and never edited again",
}


def shown(path: Path) -> str:
    return path.relative_to(TOP).as_posix()


# -- routes


@pytest.fixture(scope="module")
def app(sqlite_template: Path) -> flask.Flask:
    from service.db import open_engine

    return create_app(settings_of(), open_engine(f"sqlite:///{sqlite_template}"))


def views(app: flask.Flask) -> Iterator[tuple[str, str, object]]:
    """Every method of every rule and the function that answers it, also where a class stands before it."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        for method in sorted(rule.methods or ()):
            cls = getattr(view, "view_class", None)
            answers = view if cls is None else getattr(cls, method.lower(), None)
            yield f"{method} {rule.rule}", method, answers


def unmarked(app: flask.Flask) -> list[str]:
    """Routes that do not say how they authenticate. HEAD is answered by GET's function, OPTIONS by Flask itself."""
    return [
        name
        for name, method, view in views(app)
        if not (method in {"HEAD", "OPTIONS"} and view is None)
        and not (method == "OPTIONS" and getattr(view, "provide_automatic_options", None) is not False)
        and not isinstance(getattr(view, "authentication", None), str)
    ]


def test_every_route_says_how_it_authenticates(app: flask.Flask) -> None:
    assert len(list(app.url_map.iter_rules())) > 30
    assert unmarked(app) == []


def test_a_route_that_says_nothing_would_be_found(app: flask.Flask) -> None:
    other = flask.Flask("other", static_folder=None)
    other.add_url_rule("/open", "open", lambda: "")
    other.add_url_rule("/door", "door", lambda: "", methods=["POST", "DELETE"])
    assert unmarked(other) == ["GET /open", "HEAD /open", "DELETE /door", "POST /door"]


def test_what_takes_nobodys_key_is_on_this_list(app: flask.Flask) -> None:
    """A new open route must be meant: it is written down here."""
    opened = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], "authentication", "").startswith("nobody")
    }
    assert opened <= {
        "/",
        "/healthz",
        "/.well-known/security.txt",
        "/robots.txt",
        "/favicon.ico",
        "/readyz",
        "/openapi.yaml",
        "/openapi.json",
        "/docs/problems/<code>",
        "/docs/versions",
        "/docs",
        "/docs/style.css",
        "/docs/spreadsheets/<way>",
        "/docs/spreadsheets/pictures/<name>",
        "/f/<path:token>",
        "/f/logo/<digest>",
        "/webhooks/x",
        "/webhooks/x/<account>",
        "/dashboard/sign-in",
        "/dashboard/<path:anywhere>",
        *(each for each in opened if each.startswith(("/dashboard/static/", "/dashboard/assets/"))),
    }


PATHS = {"source": "crm", "account": "acme"}


def test_without_a_key_nothing_but_the_open_routes_answers(sqlite_engine: Engine) -> None:
    app = create_app(settings_of(), sqlite_engine)
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        said = str(getattr(app.view_functions[rule.endpoint], "authentication", ""))
        if not said.startswith("key"):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: PATHS.get(match[1], "1"), rule.rule)
        for method in rule.methods - {"OPTIONS"}:
            answer = client.open(path, method=method)
            assert answer.status_code == 401, f"{method} {path}"


# -- imports


def test_the_import_rules_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, check=False, cwd=TOP, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Every module a file imports, by statement or by importlib."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in {
            "import_module",
            "__import__",
            "importorskip",
        }:
            yield from (str(each.value) for each in node.args[:1] if isinstance(each, ast.Constant))


def test_the_interpreters_sqlite_is_imported_in_one_file_only() -> None:
    """Two SQLite libraries in one process lose committed rows."""
    mention = [path for path in [*PYTHON, *TESTS] if "sqlite3" in path.read_text("utf-8")]
    users = {shown(path) for path in mention if any(name.split(".")[0] == "sqlite3" for name in imported(path))}
    assert users == {"service/db/sqlite.py"}


def test_no_test_mocks_the_database_or_x() -> None:
    stand_ins = {"unittest", "unittest.mock", "mock", "responses", "respx", "pytest_httpx", "freezegun", "time_machine"}
    words = re.compile(r"\b(" + "|".join(re.escape(each) for each in stand_ins) + r")\b")
    mention = [path for path in TESTS if words.search(path.read_text("utf-8"))]
    assert [shown(path) for path in mention if stand_ins & set(imported(path))] == []


# -- names

NAMED_BY_A_LIBRARY = {
    "Meta": "marshmallow looks for it in a schema",
    "_Expression": "jmespath's check of argument types goes by the name of the class",
}
NAMED_BY_THEIR_ROOM = {
    "__init__.py": "the language's",
    "routes.py": "what a room answers over HTTP",
    "forget.py": "what retention and erasure take from a room",
}


def classes() -> Iterator[tuple[str, str]]:
    """Every class the service declares, without its underscore, and where."""
    for path in PYTHON:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef) and node.name not in NAMED_BY_A_LIBRARY:
                yield node.name.strip("_"), f"{shown(path)}:{node.lineno}"


def shared(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Names that stand for more than one thing, and which."""
    of: dict[str, list[str]] = {}
    for name, thing in dict.fromkeys(pairs):
        of.setdefault(name, []).append(thing)
    return {name: things for name, things in of.items() if len(things) > 1}


def test_a_class_name_stands_for_one_thing() -> None:
    declared = list(classes())
    assert len(declared) > 400
    assert shared(declared) == {}


def assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What is bound to what by an assignment; `a, b = x.c, y.c` is two."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from zip(target.elts, node.value.elts, strict=True)
            else:
                yield target, node.value


IN_SQL = re.compile(r"\b([a-z_]+) AS ([a-z_]+)\b")


def aliases(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Short names of tables and the tables: `fr = feedback_request.c`, and `feedback_request AS fr` in SQL."""
    for node in ast.walk(tree):
        for target, value in assigned(node):
            if isinstance(target, ast.Name) and isinstance(value, ast.Attribute) and value.attr == "c":
                yield target.id, ast.unparse(value.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((alias, table) for table, alias in IN_SQL.findall(node.value) if table in metadata.tables)


def renamed(tree: ast.AST) -> list[str]:
    """Tables imported under another name."""
    return [
        each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "service.models"
        for each in node.names
        if each.asname is not None
    ]


RUNNING = [path for path in PYTHON if "/migrations/" not in shown(path)]


def test_a_table_has_one_short_name_and_a_short_name_one_table() -> None:
    found = [(name, table) for path in RUNNING for name, table in aliases(parsed(path)) if table in metadata.tables]
    assert len(found) > 60
    assert shared(found) == {}
    assert shared((table, name) for name, table in found) == {}
    assert [shown(path) for path in RUNNING if renamed(parsed(path))] == []


def test_a_second_short_name_would_be_found() -> None:
    tree = ast.parse("fr, r = feedback_request.c, result.c\nr = feedback_request.c\nSQL = 'FROM result AS fr'")
    found = list(aliases(tree))
    assert shared(found) == {"fr": ["feedback_request", "result"], "r": ["result", "feedback_request"]}
    assert shared((table, name) for name, table in found) == {"feedback_request": ["fr", "r"], "result": ["r", "fr"]}


def test_a_file_name_stands_at_most_twice() -> None:
    """Commands are named as they are typed, whatever stands elsewhere; a room's usual doors are named alike."""
    said = [path for path in PYTHON if path.parent.name != "cli" and path.name not in NAMED_BY_THEIR_ROOM]
    often = shared((path.name, shown(path)) for path in said)
    assert {name: places for name, places in often.items() if len(places) > 2} == {}


# -- files


def test_every_file_opens_with_what_it_is_for() -> None:
    written = [path for path in PYTHON if "migrations/versions" not in shown(path)]
    said = {shown(path): ast.get_docstring(parsed(path)) or "" for path in written}
    assert len(said) > 150
    assert [name for name, words in said.items() if len(words.partition("\n")[0]) < len("One word a folder.")] == []


def unnamed(front: Path) -> list[str]:
    """What lies in a room and is not named at its front: its files, and the rooms within."""
    text = front.read_text("utf-8")
    inside = [each for each in front.parent.iterdir() if each.suffix == ".py" or (each / "__init__.py").exists()]
    names = sorted(each.stem for each in inside if not each.stem.startswith("__"))
    return [f"{front.parent.name}: {name}" for name in names if not re.search(rf"\b{name}\b", text)]


def test_every_room_says_what_is_in_it() -> None:
    fronts = [path for path in RUNNING if path.name == "__init__.py"]
    assert len(fronts) > 40
    assert [name for front in fronts for name in unnamed(front)] == []


def test_a_file_that_no_room_names_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text('"""A room: one.py."""\n', "utf-8")
    for name in ("one.py", "two.py"):
        (tmp_path / name).touch()
    assert [name.rpartition(" ")[2] for name in unnamed(tmp_path / "__init__.py")] == ["two"]


def test_files_stay_short_but_for_those_with_a_reason() -> None:
    long = {shown(path): len(path.read_text("utf-8").splitlines()) for path in PYTHON}
    long = {name: lines for name, lines in long.items() if lines > LONGEST}
    assert set(long) == set(LONGER_FOR_A_REASON), long
    assert max(long.values()) <= 550


def test_functions_stay_short() -> None:
    lines = {
        f"{shown(path)}: {each.name}": (each.end_lineno or 0) - each.lineno + 1
        for path in RUNNING
        for each in ast.walk(parsed(path))
        if isinstance(each, ast.FunctionDef)
    }
    assert len(lines) > 2000
    assert {name: count for name, count in lines.items() if count > LONGEST_FUNCTION} == {}


def test_no_work_markers_are_left() -> None:
    marks = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")
    sources = [path for path in TOP.glob("service/**/*") if path.suffix in {".py", ".html", ".css", ".js", ".toml"}]
    assert len(sources) > 200
    assert [shown(path) for path in sources if marks.search(path.read_text("utf-8"))] == []


def ignored() -> list[str]:
    return [line.strip("/") for line in (TOP / ".gitignore").read_text("utf-8").splitlines() if line]


def committed() -> Iterator[Path]:
    """Every file of the repository that is not ignored."""
    patterns = [*ignored(), ".git"]
    places = [TOP]
    while places:
        for path in sorted(places.pop().iterdir()):
            if any(fnmatch(path.name, pattern) for pattern in patterns):
                continue
            if path.is_dir():
                places.append(path)
            else:
                yield path


def test_every_file_a_document_names_exists() -> None:
    named = re.compile(r"(?<![\w./-])(?:service|tests|deploy)/[\w/-]+\.(?:py|md|toml|sql|txt|sh)\b")
    documents = [path for path in committed() if path.suffix == ".md"]
    assert len(documents) > 8
    missing = {
        (shown(path), name)
        for path in documents
        for name in named.findall(path.read_text("utf-8"))
        if not (TOP / name).exists()
    }
    assert missing == set()


def test_the_top_level_holds_only_what_was_asked_for() -> None:
    asked = {"pyproject.toml", "service", "tests", "deploy", "openapi.yaml", "README.md"}
    found = {path.name for path in TOP.iterdir() if not any(fnmatch(path.name, pattern) for pattern in ignored())}
    visible = {name for name in found if not name.startswith(".")}
    assert asked <= visible <= asked | {"LICENSE"}
    assert {name for name in found if name.startswith(".")} <= {".ci", ".git", ".gitignore", ".github", ".dockerignore"}


def test_no_file_names_a_package_registry_or_an_index() -> None:
    """An installation takes its packages from wherever its user's tools are set up to look."""
    hosts = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "unp" + "kg.com"]
    hosts += ["js" + "delivr.net", "cdn" + "js.com", "crates" + ".io", "ana" + "conda.org", "proxy.go" + "lang.org"]
    address = re.compile(r"(?:--(?:extra-)?index" + r"-url|--find" + r"-links|--trusted" + r"-host)[ =]")
    for path in committed():
        text = path.read_bytes().decode("utf-8", "replace")
        assert not [host for host in hosts if host in text], shown(path)
        assert not address.search(text), shown(path)


def test_pins_have_hashes_and_nothing_else() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [each.strip() for each in (TOP / "deploy" / name).read_text("utf-8").splitlines()]
        kinds = [each for each in lines if each and not each.startswith("#")]
        pins = [each for each in kinds if not each.startswith("--hash=sha256:")]
        assert len(pins) > 20
        for each in pins:
            assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==[A-Za-z0-9.+!_-]+( ;.*)? \\", each), each


# -- the description of the API


def test_the_committed_description_is_that_of_the_routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = description()
    assert (TOP / "openapi.yaml").read_text("utf-8") == made, "run: python -m service.cli openapi > openapi.yaml"
    assert list(tmp_path.iterdir()) == [], "describing the routes opens no database"
