"""`results recount`: builds the roll-ups, compares them with the ledger, repairs differences."""

import sqlalchemy as sa

from service.db import reading, writing
from service.models import tally
from tests.cli.installation import Cli


def counted(cli: Cli) -> int:
    with reading(cli.engine) as connection:
        wanted = sa.select(sa.func.sum(tally.c.n)).where(tally.c.grain == "account", tally.c.span == "day")
        return connection.scalar(wanted.where(tally.c.clock == "ended_at")) or 0


def test_a_ledger_that_was_never_counted_is_counted_and_agrees(cli: Cli) -> None:
    for number in range(3):
        cli.answered(f"c-{number}", 4)
    assert "0 rows" in cli.says("results", "recount", "--dry-run")
    assert counted(cli) == 0, "it changes nothing"
    assert cli.says("results", "recount") == "Differing from the ledger: 0 rows of the roll-ups.\n"
    assert counted(cli) == 3
    assert "0 rows" in cli.says("results", "recount", "--dry-run")


def test_damage_is_reported_and_repaired(cli: Cli) -> None:
    for number in range(3):
        cli.answered(f"c-{number}", 4)
    cli.says("results", "recount")
    with writing(cli.engine) as connection:
        connection.execute(sa.update(tally).where(tally.c.grain == "account", tally.c.clock == "ended_at").values(n=70))
    told = cli("results", "recount", "--dry-run", code=1).stdout
    assert "Differing from the ledger: 2 rows of the roll-ups" in told
    assert "clock ended_at, span day" in told
    assert "70 conversations held, 3 in the ledger" in told
    assert "Recounted: 0 rows still different." in cli.says("results", "recount")
    assert counted(cli) == 3
