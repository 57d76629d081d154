"""How the dashboard writes numbers, times and gaps. Rounding happens here and nowhere earlier.

Minus is a minus sign, a missing figure is a word and never 0, and days and times are in the organisation's time zone.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from service.db import MICROSECOND
from service.humanize import many as counted

MINUS, DASH = "\u2212", "\u2013"
DECIMALS_FROM = 1000
UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
NAMES = {
    "csat": "CSAT",
    "nps": "NPS",
    # where a conversation stands
    "received": "taken in",
    "identified": "found on X",
    "dm_allowed": "X allows the message",
    "dm_sent": "first message sent",
    "card_sent": "asked",
    "skipped": "not asked",
    "failed": "could not be asked",
    "unknown": "not known whether asked",
    # why it ended there
    "cooldown": "was asked not long ago",
    "sampled_out": "not drawn in the sample",
    "quota": "over X's limit of the day",
    "opted_out": "does not want to be asked",
    "cannot_dm": "X does not allow messages",
    "no_x_identity": "not found on X",
    "channel": "not on X",
    "not_confirmed": "X user not confirmed",
    "no_campaign": "no campaign matches",
    "reopened": "reopened before we asked",
    "stale": "ended too long ago",
    "cancelled": "cancelled by a person",
    "withdrawn": "taken out of the settings",
    "unreachable": "cannot be reached on X",
    "message_refused": "X refused the message",
    "refused": "X refused",
    "attempts_used_up": "every attempt failed",
    "not_in_time": "not sent in time",
    "unclear_send": "not known whether it arrived",
    # ways of asking
    "card": "X's card",
    "quick_reply": "quick replies",
    "page": "our own page",
    "handed_over": "a link sent by somebody",
    # who handled it
    "human": "a person",
    "ai": "an AI",
    "both": "a person and an AI",
    # clocks
    "ended_at": "the day it ended",
    "sent_at": "the day the question was sent",
    "scored_at": "the day of the score",
    "updated_at": "the day of the last change",
    "answered_at": "the day of the answer",
}


def number(value: float | None, digits: int = 1) -> str:
    """Return e.g. `46.0`; a gap is a dash."""
    if value is None:
        return DASH
    rounded = round(value, digits) + 0.0  # no "-0.0"
    return f"{rounded:,.{digits}f}".replace("-", MINUS)


def digits(n: int | None) -> int:
    """No decimals where the next answer would move them."""
    return 0 if n is None or n < DECIMALS_FROM else 1


def figure(value: float | None, n: int | None) -> str:
    """A score or share of n answers."""
    return number(value, digits(n))


def ago(value: timedelta) -> str:
    """Return e.g. `1 day ago`: the largest unit alone."""
    seconds = int(value.total_seconds())
    for size, name in UNITS:
        if seconds >= size:
            return f"{counted(seconds // size, name)} ago"
    return "just now"


def middle(name: str, room: int = 32) -> str:
    """Shorten a long name in the middle: names differ at their beginnings and ends."""
    if len(name) <= room:
        return name
    front = room // 2
    return f"{name[:front].rstrip()}\u2026{name[-(room - 1 - front) :].lstrip()}"


def many(n: int | None, one: str) -> str:
    """Return e.g. `1 answer`; hidden is a dash."""
    return f"{DASH} {one}s" if n is None else counted(n, one)


def signed(value: float | None, digits: int = 1) -> str:
    """Return e.g. `+3.2`: a difference. A range is read for whether it leaves out 0, so hardly any is not written 0."""
    if value and round(value, digits) == 0:
        return "just over 0" if value > 0 else "just under 0"
    return number(value, digits) if value is None or value <= 0 else f"+{number(value, digits)}"


def count(value: int | None) -> str:
    """Return e.g. `1,204`; hidden is a dash."""
    return DASH if value is None else f"{value:,}"


def day(value: date | datetime | None, zone: tzinfo | None = None) -> str:
    """Return e.g. `5 Nov 2026`."""
    if value is None:
        return DASH
    local = value.astimezone(zone) if isinstance(value, datetime) and zone else value
    return f"{local.day} {local:%b %Y}"


def days(first: date, last: date) -> str:
    """Return e.g. `15 to 21 Nov 2026`, with a dash: what both share is said once, and one day is one."""
    if first == last:
        return day(last)
    month = "" if (first.year, first.month) == (last.year, last.month) else f" {first:%b}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day}{month}{year} {DASH} {day(last)}"


def covered(since: datetime, until: datetime, zone: tzinfo) -> str:
    """Return the days of [since, until)."""
    if since == until:
        return "no days"
    return days(since.astimezone(zone).date(), (until - MICROSECOND).astimezone(zone).date())


def moment(value: datetime | None, zone: tzinfo) -> str:
    """Return e.g. `5 Nov 2026, 14:05`."""
    return DASH if value is None else f"{day(value, zone)}, {value.astimezone(zone):%H:%M}"


def span(value: timedelta | None) -> str:
    """Return e.g. `2 hours`: the two largest units that matter."""
    if value is None:
        return DASH
    left, parts = int(value.total_seconds()), []
    for size, name in UNITS:
        number, left = divmod(left, size)
        if number:
            parts.append(counted(number, name))
    return " ".join(parts[:2]) or "less than a second"


def words(value: str | None) -> str:
    """Return a stable word such as `no_x_identity` as people write it."""
    return DASH if not value else NAMES.get(value, value.replace("_", " "))


def heading(value: str | None) -> str:
    """Return the same with a capital first letter."""
    found = words(value)
    return found[:1].upper() + found[1:]


def period(begin: date, kind: str) -> str:
    """Return a day, a week (by its first day) or a month that is no day, short enough for an axis."""
    return f"{begin:%b \u2019%y}" if kind == "month" else f"{begin.day} {begin:%b}"


def said(value: Any) -> str:
    """Return the errors of a field, whatever their shape, as one sentence."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {said(each)}" for key, each in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "; ".join(said(each) for each in value)
    return str(value)
