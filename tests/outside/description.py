"""Tools that read our API description; prints a line for each, or what it complained about.

redocly lints it; openapi-typescript and openapi-python-client generate clients, which tsc and mypy check strictly; the
Python client is then used, because its files were what broke first.
"""

import shutil
from pathlib import Path

from service.cli.openapi import description
from tests.outside.served import served
from tests.outside.tools import ToolFailed, Tools, run

NODE = ("@redocly/cli@2", "openapi-typescript@7", "typescript@5")
PYTHON = ("openapi-python-client", "mypy")
HERE = Path(__file__).parent
LINT = HERE / "redocly.yaml"
IGNORED = HERE / ".redocly.lint-ignore.yaml"
USE = """
import sys
from client import AuthenticatedClient
from client.api.reports import export_csv, export_jsonl, export_parquet, export_xlsx, list_results, summary
with AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2]) as http:
    page = list_results.sync(client=http, limit=5)
    assert len(page.items) == 5 and page.items[0].score, page
    assert summary.sync(client=http).csat.n > 100
    assert export_csv.sync(client=http).startswith("request_id,")
    begins = {export_xlsx: b"PK", export_parquet: b"PAR1", export_jsonl: b'{"request_id"'}
    for each, begin in begins.items():
        assert each.sync(client=http).payload.read(len(begin)) == begin, each
"""


def check(tools: Tools, directory: Path) -> list[str]:
    """Return a line a tool. Raises ToolFailed."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "openapi.yaml").write_text(description(), "utf-8")
    done = [_python(tools, directory)]
    if shutil.which("npm") is None:
        raise ToolFailed("There is no npm here: redocly and TypeScript could not be asked. The Python client is fine.")
    return [*done, *_node(tools, directory)]


def _node(tools: Tools, directory: Path) -> list[str]:
    programs = tools.node("node", *NODE)
    for file in (LINT, IGNORED):
        shutil.copy(file, directory / file.name)
    told = run(str(programs / "redocly"), "lint", "openapi.yaml", cwd=directory)
    if "warning" in told.casefold().replace("deprecation warning", ""):
        raise ToolFailed(told)
    run(str(programs / "openapi-typescript"), "openapi.yaml", "--output", "schema.ts", cwd=directory)
    run(str(programs / "tsc"), "--strict", "--noEmit", "schema.ts", cwd=directory)
    return ["redocly lint: nothing to say", "openapi-typescript, tsc --strict: nothing to say"]


def _python(tools: Tools, directory: Path) -> str:
    programs = tools.python("client", *PYTHON)
    (directory / "client.yaml").write_text("post_hooks: []\n", "utf-8")  # as it is generated, put right by nobody
    generate = ("generate", "--path", "openapi.yaml", "--output-path", "client", "--meta", "none", "--overwrite")
    told = run(str(programs / "openapi-python-client"), *generate, "--config", "client.yaml", cwd=directory)
    if "WARNING" in told:
        raise ToolFailed(told)
    run(str(programs / "mypy"), "--strict", "client", cwd=directory)
    with served(directory / "served") as service:
        run(str(programs / "python"), "-c", USE, service.url, service.key, cwd=directory)
    return "openapi-python-client, mypy --strict: nothing to say; its client reads lists, figures and all four files"
