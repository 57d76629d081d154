"""LibreOffice without a screen opens a feed by its address, and the XLSX file; prints a line for each.

Each must show what we sent, cell by cell. Sessions with a screen are the pictures of /docs/spreadsheets.
"""

import csv
import io
import shutil
from pathlib import Path
from typing import Any

import httpx

from tests.outside.mirror import full_read
from tests.outside.served import Served, served
from tests.outside.tools import ToolFailed, Tools, run

QUESTION = {"figure": "trend", "by": "team", "period": "week"}
AS_CSV = "csv:Text - txt - csv (StarCalc):44,34,76"  # commas, quotes, UTF-8


def check(tools: Tools, directory: Path) -> list[str]:
    """Return a line a way in. Raises ToolFailed, or AssertionError where a cell differs."""
    del tools  # it is Debian's
    program = shutil.which("soffice")
    if program is None:
        raise ToolFailed("There is no soffice here: apt-get install libreoffice-calc-nogui.")
    with served(directory / "served") as service:
        for week in range(2, 10):
            service.world.add(20, score=5, days_ago=7 * week)
            service.world.add(20, score=2, days_ago=7 * week, team_id="blue", agent_id="bob")
        service.world.released()
        _feed(program, directory, service)
        _file(program, directory, service)
    return ["LibreOffice: a feed by its address alone, cell by cell", "LibreOffice: the XLSX file, row by row"]


def _feed(program: str, directory: Path, service: Served) -> None:
    asked = {"name": "board", "question": QUESTION}
    made = httpx.post(f"{service.url}/v1/feeds", json=asked, headers=_bearer(service), trust_env=False)
    address = service.url + httpx.URL(made.raise_for_status().json()["address"]).path
    told = _table(httpx.get(address, trust_env=False).raise_for_status().text)
    columns = ("type", "key", "label", "n")
    seen = _opened(program, directory, address)
    assert _only(seen, columns) == _only(told, columns)
    assert len(told) > 1


def _file(program: str, directory: Path, service: Served) -> None:
    answer = httpx.get(f"{service.url}/v1/results.xlsx", headers=_bearer(service), timeout=60, trust_env=False)
    file = directory / "results.xlsx"
    file.write_bytes(answer.raise_for_status().content)
    seen = {row["request_id"]: row["score"] for row in _opened(program, directory, str(file))}
    told = full_read(service.url, service.key)
    assert seen == {name: "" if row["score"] is None else str(row["score"]) for name, row in told.items()}


def _opened(program: str, directory: Path, source: str) -> list[dict[str, str]]:
    """What the first sheet holds, as a person would see it."""
    profile = f"-env:UserInstallation=file://{directory.absolute()}/profile"
    run(program, "--headless", profile, "--convert-to", AS_CSV, "--outdir", str(directory / "seen"), source)
    name = source.rpartition("/")[2].rpartition(".")[0]
    return _table((directory / "seen" / f"{name}.csv").read_text("utf-8"))


def _table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def _only(rows: list[dict[str, str]], columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return [tuple(row[each] for each in columns) for row in rows]


def _bearer(service: Served) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.key}"}
