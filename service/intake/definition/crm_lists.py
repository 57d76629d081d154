"""The grammar of the lists a CRM's API has, read page by page: of conversations that ended, of agents and teams.

The first (a sweep) is for conversations whose webhook never came: each is rewritten as the webhook would have sent it
and read by the same map. The others tell names: conversations bring ids, hardly ever those.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import NewType

from service.crm_api.path import GAP, mistakes
from service.intake.definition.steps import FromAnswer, Sent
from service.intake.expressions.compiled import Expression
from service.settings.declare import REQUIRED, setting
from service.settings.values import one_of, whole

LISTED_ROOTS = frozenset({"i", "v"})
OF_A_PAGE = frozenset({"cursor", "page"})
MOST_STAFF_LISTS = 4
FromListed = NewType("FromListed", Expression)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A list of conversations, page by page."""

    path: str = setting(REQUIRED, "the path of the list, with {since}, {page}, {cursor} and texts of [values]")
    further: str = setting("", "the path of its further pages, if it differs")
    body: str = setting("", "a JSON body with {since}, {page} and {cursor}, for a list that is read by POST")
    headers: Sent = setting({}, "headers the API needs besides authentication, such as its version")
    since: str = setting("unix_s", "how {since} is written", one_of("unix_s", "iso8601"))
    overlap: timedelta = setting(
        "1h", "how far the next read goes back before the last one, because lists lag and pages shift"
    )
    per_minute: int = setting(30, "pages a minute at most", whole(1, 600))
    items: FromAnswer = setting(REQUIRED, "where the list is in the response (`a`)")
    next: FromAnswer | None = setting(None, "the next page's {cursor} as a text, or true if there is a next {page}")
    when: FromListed | None = setting(None, "only items for which this is true (`i`)")
    item: FromListed = setting(
        REQUIRED, "the whole body that the webhook would have sent for it, as `events.split` reads it"
    )
    sent: Sent = setting({}, "headers that the webhook would have had, if the map uses them")
    ended_at: FromListed | None = setting(None, "when it ended, if the map uses the time of arrival")
    changed_at: FromListed | None = setting(None, "when it last changed, for a list that starts with the newest")


@dataclass(frozen=True, slots=True)
class Staff:
    """A list of agents or of teams."""

    path: str = setting(REQUIRED, "the path of the list, with {page} and texts of [values]")
    further: str = setting("", "the path of its further pages, if it differs, with {cursor}")
    headers: Sent = setting({}, "headers the API needs besides authentication, such as its version")
    kind: str = setting("agent", "agent or team", one_of("agent", "team"))
    items: FromAnswer = setting(REQUIRED, "where the list is in the response (`a`)")
    next: FromAnswer | None = setting(None, "the next page's {cursor} as a text, or true if there is a next {page}")
    id: FromListed = setting(REQUIRED, "the id of an item (`i`), as in conversations")
    name: FromListed = setting(REQUIRED, "its name")


def sweep_mistakes(sweep: Sweep, values: frozenset[str], bodies: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What is wrong with a sweep: where, and what would be right. `values` are the names under [values]."""
    yield from _path_mistakes(sweep, {"since", *OF_A_PAGE, *values})
    if sweep.body and not _is_json(sweep.body):
        yield ".body", "is no JSON; {since} and {cursor} stand for whole values, without quotation marks"
    if "json" not in bodies:
        yield "", "writes what it finds as JSON, which endpoint.body does not take"


def staff_mistakes(lists: tuple[Staff, ...], values: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the lists: where, and what would be right. `values` are the names under [values]."""
    if len(lists) > MOST_STAFF_LISTS:
        yield "", f"has {len(lists)} lists; there are at most {MOST_STAFF_LISTS}"
    for position, each in enumerate(lists):
        found = _path_mistakes(each, {*OF_A_PAGE, *values})
        yield from ((f"[{position}]{where}", sentence) for where, sentence in found)


def _path_mistakes(of: Sweep | Staff, known: set[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the paths of a list; `known` are the names of its gaps."""
    for name in ("path", "further"):
        path = getattr(of, name)
        yield from ((f".{name}", sentence) for sentence in (mistakes(path, known) if path else ()))
        if "{cursor}" in path.partition("?")[0]:
            yield f".{name}", "may have {cursor} behind its question mark only: it is the CRM's own word"


def _is_json(body: str) -> bool:
    try:
        json.loads(GAP.sub("0", body))
    except ValueError:
        return False
    return True
