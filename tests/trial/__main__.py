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
    ("the holder of a limited key", "sees rows, other accounts, counts of answers"): attacks.reads_more_than_the_key,
    ("a stranger", "learns about accounts and their problems from `/readyz`"): attacks.learns_from_readyz,
    ("a stranger", "finds out which sources exist"): attacks.learns_which_sources,
    ("a stranger", "sends bodies that are too large, too deeply nested or broken"): attacks.sends_what_is_broken,
    ("a stranger", "sends small bodies that are slow to parse"): attacks.sends_what_takes_long,
    ("a stranger", "sends `Expect: 100-continue`, with or without a body"): attacks.asks_for_leave,
    ("a stranger", "uses X's challenge to get a forged body signed"): attacks.has_a_body_signed,
    ("another site", "acts through a supervisor's browser"): attacks.acts_through_a_browser,
    ("a forger", "invents ended conversations"): attacks.invents_conversations,
    ("many expensive requests", "block deliveries"): attacks.asks_so_much,
    ("a comment", "becomes a formula or controls a terminal"): attacks.becomes_a_formula,
    (
        "an attacker who controls the web process",
        "creates keys, changes or numbers lines of the access log",
    ): inside.takes_over_web,
    ("an attacker who reads the disk", "reads secrets"): inside.reads_secrets_on_the_disk,
    ("an attacker who reads the disk or a backup", "reads texts and ids"): inside.reads_what_was_written,
    (
        "an attacker who writes to the database",
        "moves one customer's text to another's conversation",
    ): inside.moves_words,
    ("an operator", "loses the encryption key, or starts with a different one"): inside.loses_the_key,
    ("an eavesdropper", "reads data in transit"): inside.listens,
    ("an administrator", "covers tracks"): inside.covers_tracks,
    ("a log", "leaks texts or secrets"): inside.reads_logs,
    ("an attacker who controls the web process", "steals X's tokens"): inside.takes_tokens_of_x,
    ("a stranger", "guesses keys"): attacks.guesses_keys,
    ("a stranger", "locks others out with wrong keys"): attacks.locks_others_out,
    ("a stranger", "claims another IP address"): attacks.claims_another_address,
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
