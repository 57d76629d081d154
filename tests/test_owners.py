"""Each table is written only in the room that owns it, and a request's state in one place.

Each table says who writes it; the syntax tree of every file is compared with that.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from service.models import metadata
from tests.test_architecture import PYTHON, TOP, parsed, shown

BY = re.compile(r"[Ww]ritten by .*")
WHOM = re.compile(r"(?:[Ww]ritten|,|, and) by (\w+)")
MODELS = sorted((TOP / "service" / "models").glob("*.py"))


RUN = [path for path in PYTHON if "/migrations/" not in shown(path) and "/sandbox/" not in shown(path)]
IN_SQL = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")
WRITES = {"insert", "update", "delete"}


def room(word: str) -> str:
    return f"service/{word}/" if (TOP / "service" / word).is_dir() else f"service/{word}.py"


def owners() -> dict[str, tuple[str, ...]]:
    """Who writes each table, as its class of columns says: a room, or a file."""
    said: dict[str, tuple[str, ...]] = {}
    for path in MODELS:
        classes = {node.name: node for node in parsed(path).body if isinstance(node, ast.ClassDef)}
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Table":
                columns = next(classes[each.id] for each in node.args if getattr(each, "id", "") in classes)
                by = BY.search(ast.get_docstring(columns) or "")
                said[ast.literal_eval(node.args[0])] = tuple(map(room, WHOM.findall(by[0]))) if by else ()
    return said


def written(path: Path) -> Iterator[tuple[str, int]]:
    """Every table that a file inserts into, updates or deletes from, by name, and in which line."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in WRITES:
            names = [each.id for each in node.args if isinstance(each, ast.Name)]
            if isinstance(node.func, ast.Attribute):  # table.update()
                names += [each.id for each in [node.func.value] if isinstance(each, ast.Name)]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BulkInsert":  # many rows in one statement
            names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = IN_SQL.findall(node.value)
        else:
            continue
        yield from ((name, node.lineno) for name in dict.fromkeys(names) if name in metadata.tables)


def unnamed(path: Path) -> bool:
    """Whether a file writes to tables that it keeps in a variable."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            by_sqlalchemy = isinstance(node.func.value, ast.Name) and node.func.value.id == "sa"
            if by_sqlalchemy and not any(
                isinstance(each, ast.Name) and each.id in metadata.tables for each in node.args
            ):
                return True
    return False


def gives_a_state(node: ast.AST) -> bool:
    """A call with `state=...`, or with a dict that has the key "state": the words of a statement."""
    if isinstance(node, ast.Call):
        by_call = getattr(node.func, "attr", getattr(node.func, "id", "")) in {"values", "replace"}
        words = [key for each in node.args if isinstance(each, ast.Dict) for key in each.keys]
        given = {each.arg for each in node.keywords} | {getattr(each, "value", None) for each in words}
        return by_call and "state" in given
    return False


def test_every_table_is_written_only_in_its_room() -> None:
    found = [(table, f"{shown(path)}:{line}") for path in RUN for table, line in written(path)]
    assert len({table for table, _ in found}) > 20, "the walk sees the writers"
    own = owners()
    assert [(table, where) for table, where in found if not where.startswith(own[table])] == []


def test_only_five_files_write_to_tables_in_a_variable() -> None:
    """Two go through their own room's tables, listed a line above; one carries whole rows to another database, one
    rewrites how values lie, and never what they say; one deletes what a room calls too old.
    """
    forget = {"service/intake/inbox/forget.py", "service/results/forget.py"}
    rows = {"service/copying/rows.py", "service/encrypting/rewriting.py"}
    assert {shown(path) for path in RUN if unnamed(path)} == forget | rows | {"service/db/batch_deletion.py"}


def test_every_table_says_who_writes_it() -> None:
    own = owners()
    assert set(own) == set(metadata.tables)
    assert [table for table, rooms in own.items() if not rooms] == []
    assert [each for rooms in own.values() for each in rooms if not (TOP / each).exists()] == []


def test_a_state_is_given_in_one_place() -> None:
    """The machine gives it; the writer stores what the machine has given, and the first state of a new request."""
    places = {shown(path) for path in RUN for node in ast.walk(parsed(path)) if gives_a_state(node)}
    assert places == {"service/requests/machine.py"}


def test_a_foreign_writer_would_be_found(tmp_path: Path) -> None:
    stray = tmp_path / "stray.py"
    stray.write_text(
        "sa.update(feedback_request).where(x).values(state='skipped')\ninsert(connection, opt_out).values(a=1)\n"
        "NEW = BulkInsert((result.c.score, result.c.text))\n"
        "feedback_request.update().values({'state': 'skipped'})\nsa.text('UPDATE tally SET n = 1')\n"
    )
    found = {("feedback_request", 1), ("opt_out", 2), ("result", 3), ("feedback_request", 4), ("tally", 5)}
    assert set(written(stray)) == found
    assert sum(map(gives_a_state, ast.walk(parsed(stray)))) == 2
