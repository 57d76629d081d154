"""Names as a CSV file: one line per name, or every mistake at once. Keeps nothing.

    kind,id,name,since,account
    agent,8812,Ana Kim,,
    agent,8812,Ana Kim-Roth,2026-03-01,
    team,t-4,Refunds,,acme

Without `since` a name holds from the beginning, without `account` everywhere; an empty name ends the one before.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from service.db import EPOCH
from service.errors import Invalid
from service.reports.csv_rows import read_rows
from service.reports.days import midnight
from service.reports.formula_injection import unguarded
from service.reports.people.name_at import EVERY_ACCOUNT, KINDS, NameLine
from service.reports.query_values import YEARS
from service.settings import Settings

COLUMNS = ("kind", "id", "name", "since", "account")
NEEDED, LISTED = COLUMNS[:3], (*COLUMNS, "given_by")
LONGEST_NAME, LONGEST_ID, MOST_TOLD = 120, 256, 20
UNREAD = "\ufffd"  # stands for bytes that are no UTF-8
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def lines_of(text: str, settings: Settings) -> list[NameLine]:
    """Read a file that starts with column names. Raises Invalid with every wrong line; then nothing is kept."""
    if UNREAD in text:
        raise Invalid("wrong_names", "The file is not UTF-8: save it as 'CSV UTF-8'. Nothing was kept.")
    heads, rows = read_rows(text)
    if not set(NEEDED) <= set(heads) <= set(LISTED) or len(heads) > len(set(heads)):
        said = f"The file's first line must name the columns {', '.join(NEEDED)}, and may name since and account."
        raise Invalid("columns_missing", said)
    found, wrong = [], []
    for number, row in rows:
        try:
            found.append(line_of(row, settings))
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    wrong += twice(found)
    if wrong:
        more = f"; and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else ""
        raise Invalid("wrong_names", f"{'; '.join(wrong[:MOST_TOLD])}{more}. Nothing was kept.")
    return found


def line_of(row: Mapping[str, str], settings: Settings) -> NameLine:
    """One line. Raises ValueError with what would be right."""
    kind, account = row["kind"].lower(), row.get("account", "")
    person_id, name = unguarded(row["id"]), unguarded(row["name"])
    if kind not in KINDS:
        raise ValueError(f"kind must be {' or '.join(KINDS)}")
    if not person_id or len(person_id) > LONGEST_ID or CONTROL.search(person_id):
        raise ValueError(f"id must have 1 to {LONGEST_ID} characters")
    if len(name) > LONGEST_NAME or CONTROL.search(name):
        raise ValueError(f"name must have at most {LONGEST_NAME} characters, on one line")
    if account not in {"", EVERY_ACCOUNT, *settings.accounts}:
        raise ValueError(f"there is no account '{account[:40]}' in the settings")
    since = _moment(row.get("since", ""), settings.service.time_zone)
    return NameLine(kind, person_id, name or None, since, account or EVERY_ACCOUNT)


def _moment(given: str, zone: ZoneInfo) -> datetime:
    """The midnight a day begins with, in the zone of reports."""
    if not given:
        return EPOCH
    try:
        day = date.fromisoformat(given)
    except ValueError as error:
        raise ValueError("since must be a day like 2026-03-01, or empty for the beginning") from error
    if day.year not in YEARS:
        raise ValueError(f"since must be a day of the years {YEARS.start} to {YEARS.stop - 1}")
    return midnight(day, zone)


def twice(found: list[NameLine]) -> list[str]:
    """People who are given two names from one moment on."""
    seen: dict[tuple[str, str, str, datetime], str | None] = {}
    return [
        f"{each.kind} '{each.person_id[:40]}' has two names from one moment on"
        for each in found
        if seen.setdefault((each.kind, each.person_id, each.account, each.since), each.name) != each.name
    ]
