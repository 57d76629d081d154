"""How each X account stands: one line per account, with what a person can do about it.

Reads only. Shows no customer and no figure made of answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from service.accounts import standing
from service.accounts.standing import AccountStanding
from service.reports.dashboard import words


@dataclass(frozen=True, slots=True)
class Standing:
    """One account. `status` is sending, waiting (for a worker), paused or held."""

    account: str
    screen_name: str
    status: str
    since: datetime | None
    until: datetime | None
    why: str
    advice: str


def standings(
    connection: Connection, accounts: Iterable[tuple[str, str]], now: datetime, *, silent: bool
) -> list[Standing]:
    """Return how each of the accounts (name, screen name) stands."""
    stand = {each.account: each for each in standing.standings(connection)}
    return [
        _standing(stand.get(name, AccountStanding(name)), screen_name, now, silent=silent)
        for name, screen_name in accounts
    ]


def _standing(each: AccountStanding, screen_name: str, now: datetime, *, silent: bool) -> Standing:
    name = each.account
    if each.hold_reason is not None:
        code = f" (X's code {each.hold_code})" if each.hold_code is not None else ""
        first = (
            "Put it right (at X, or the keys in the settings, then restart)"
            if each.hold_code is not None
            else "See to the reason"
        )  # no code: held by a person
        return Standing(
            name,
            screen_name,
            "held",
            each.held_at,
            None,
            f"{words.heading(each.hold_reason)}{code}. Nothing is sent; conversations wait, and nobody is asked about "
            "those that ended too long ago.",
            f"{first}, then an operator runs: dm-feedback accounts release {name}",
        )
    if (until := each.pause(now)) is not None:
        why = "X asked us to slow down; conversations wait."
        return Standing(name, screen_name, "paused", None, until, why, "Nothing to do: it ends by itself.")
    if silent:
        why = "No worker is running: conversations are accepted, and nothing is sent."
        return Standing(name, screen_name, "waiting", None, None, why, "An operator starts: dm-feedback worker")
    return Standing(name, screen_name, "sending", None, None, "Customers are asked as conversations end.", "")
