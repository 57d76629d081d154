"""`python -m tests.trial --database postgresql`: tries each line of the threat model; exits with 1 if one fell."""

import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from tests.trial import attacks, inside
from tests.trial.place import Place, opened

MODEL = Path(__file__).parents[2] / "deploy" / "security" / "threats.md"
ATTACKS: Mapping[tuple[str, str], Callable[[Place], str]] = {
    ("a stranger", "reads without a key"): attacks.reads_without_a_key,
    ("a reader with a lesser key", "sees rows, other accounts, counts of answers"): attacks.reads_more_than_the_key,
    ("a stranger", "learns of accounts and their trouble from `/readyz`"): attacks.learns_from_readyz,
    ("a stranger", "learns which sources there are"): attacks.learns_which_sources,
    ("a stranger", "sends what is too large, too deep, broken"): attacks.sends_what_is_broken,
    ("a stranger", "sends little that takes long to read"): attacks.sends_what_takes_long,
    ("a stranger", "asks for leave to send (`Expect`), and sends or does not"): attacks.asks_for_leave,
    ("a stranger", "has X's challenge sign a body for him"): attacks.has_a_body_signed,
    ("another site", "acts through a supervisor's browser"): attacks.acts_through_a_browser,
    ("a forger", "invents ended conversations"): attacks.invents_conversations,
    ("many questions", "stop deliveries"): attacks.asks_so_much,
    ("a comment", "becomes a formula or steers a terminal"): attacks.becomes_a_formula,
    ("whoever takes over web", "makes keys, changes or numbers lines of the access log"): inside.takes_over_web,
    ("whoever reads the disk", "reads secrets"): inside.reads_secrets_on_the_disk,
    ("whoever reads the disk or a backup", "reads what was written"): inside.reads_what_was_written,
    ("whoever writes to the database", "gives one customer's words to another's conversation"): inside.moves_words,
    ("an operator", "loses the key, or starts with another"): inside.loses_the_key,
    ("whoever listens", "reads on the way"): inside.listens,
    ("an administrator", "covers tracks"): inside.covers_tracks,
    ("a log", "leaks words or secrets"): inside.reads_logs,
    ("whoever takes over web", "takes X's tokens"): inside.takes_tokens_of_x,
    ("a stranger", "guesses keys"): attacks.guesses_keys,
    ("a stranger", "locks others out by wrong keys"): attacks.locks_others_out,
    ("a stranger", "claims another address"): attacks.claims_another_address,
}
"""By who and what, as the model has them; the last ones leave this address over its limit."""


def lines() -> list[tuple[str, str]]:
    """Who and what of each line of the model."""
    rows = [line.strip("|").split("|") for line in MODEL.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [(row[0].strip(), row[1].strip()) for row in rows[1:]]


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--only", default="", help="Lines that hold this word.")
def main(database: str, only: str) -> None:
    """Try each line against a running service, and say what held."""
    fell = 0
    with tempfile.TemporaryDirectory() as directory, opened(database, Path(directory)) as place:
        click.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {database}, {sys.version.split()[0]}")
        for (who, what), attack in ATTACKS.items():
            if not re.search(only, f"{who} {what}"):
                continue
            try:
                click.echo(f"| {who} | {what} | held | {attack(place)} |")
            except Exception:  # noqa: BLE001 - whatever falls is told, and the next is tried
                fell += 1
                click.echo(f"| {who} | {what} | FELL | {traceback.format_exc()} |")
    sys.exit(1 if fell else 0)


if __name__ == "__main__":
    main()
