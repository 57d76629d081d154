"""A dimension is one line: filter, breakdown, description and dashboard derive from the table."""

import subprocess
import sys
from pathlib import Path

from service.models import feedback_request, tally
from service.reports.counting.tally import ALWAYS, GRAINS
from service.reports.dimensions import DIMENSIONS, FILTERED
from service.reports.filters import FigureFilterSchema
from tests.reports.world import World
from tests.tree_copy import copied

ONE_LINE = '    Dimension("trust", "identity_trust", fr.identity_trust, "Trust", "How sure it is"),\n)  # fmt: skip\n'
ASKED = """
import sys
from service.cli.openapi import description
from service.db import open_engine
from tests.reports.test_dimensions import told_by_trust

told_by_trust(open_engine(sys.argv[1]))
assert "identity_trust" in description()
"""


def told_by_trust(engine) -> None:
    """What a new dimension must do without another edit."""
    world = World(engine)
    world.add(7, score=5, identity_trust="bridge")
    world.add(6, score=1, identity_trust="vendor_verified")
    client = world.client()
    [csat] = client.json("/v1/breakdown", by="trust", type="csat")["items"]
    assert [(row["key"], row["score"]["n"]) for row in csat["rows"]] == [("bridge", 7), ("vendor_verified", 6)]
    assert client.json("/v1/summary", identity_trust="bridge")["csat"]["n"] == 7
    assert len(client.json("/v1/results", identity_trust="bridge")["items"]) == 7
    from service.reports.dashboard.explore import TABS

    assert ("trust", "Trust") in TABS


def test_a_dimension_is_added_by_one_line(tmp_path: Path, sqlite_url: str) -> None:
    copy = tmp_path / "copy"
    with copied(copy) as environment:
        table = copy / "service/reports/dimensions.py"
        text = table.read_text("utf-8")
        assert text.count(")  # fmt: skip\nNAMED") == 1
        table.write_text(text.replace(")  # fmt: skip\n", ONE_LINE, 1), "utf-8")
        done = subprocess.run(
            [sys.executable, "-c", ASKED, sqlite_url],
            check=False,
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr


def test_each_dimension_has_a_parameter_with_a_sentence_and_roll_ups_hold_it() -> None:
    parameters = FigureFilterSchema().fields
    for parameter, each in FILTERED.items():
        assert each.says in parameters[parameter].metadata["description"]
        assert each.column is not None
        assert each.column.name in feedback_request.c
        assert each.name in tally.c, "else it is right, and slow"
    held = {name for names in GRAINS.values() for name in names} | set(ALWAYS)
    assert held == {each.name for each in DIMENSIONS}
