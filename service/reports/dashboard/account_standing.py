"""How each X account stands: one line per account, with what a person can do about it.

Reads only. Shows no customer and no figure made of answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from service.accounts import standing
from service.accounts.standing import AccountStanding
from service.metrics.health import advice
from service.reports.dashboard import words


@dataclass(frozen=True, slots=True)
class Standing:
    """One account. `status` in words; `at`: since when, or of a pause until when."""

    account: str
    screen_name: str
    status: str
    at: datetime | None
    why: str
    advice: str = ""


def standings(
    connection: Connection, accounts: Iterable[tuple[str, str]], now: datetime, *, silent: bool
) -> list[Standing]:
    """Return how each of the accounts (name, screen name) stands."""
    stand = {each.account: each for each in standing.standings(connection)}
    return [
        Standing(name, screen_name, *_stands(stand.get(name, AccountStanding(name)), now, silent=silent))
        for name, screen_name in accounts
    ]


def _stands(each: AccountStanding, now: datetime, *, silent: bool) -> tuple[str, datetime | None, str, str]:
    status, at = each.status(now)
    if status == "held":
        code = f" (X's code {each.hold_code})" if each.hold_code is not None else ""
        why = (
            f"{words.heading(each.hold_reason)}{code}. Nothing is sent; conversations wait, and nobody is asked about "
            "those that ended too long ago."
        )
        return "Held", at, why, f"For an operator: {advice(each).replace('`', '')}."
    if status == "paused":
        why = "X asked the service to slow down; conversations wait."
        return "Paused", at, why, "Nothing to do: it continues by itself."
    if silent:
        why = "No worker is running: conversations are accepted, and nothing is sent."
        return "Waiting", None, why, "An operator starts: dm-feedback worker"
    if status == "x_away":
        why = "X answers no call; conversations wait, and nothing is lost."
        return "X does not answer", at, why, "The worker's log (x_called, reason) says why."
    return "Sending", None, "Customers are asked as conversations end.", ""
