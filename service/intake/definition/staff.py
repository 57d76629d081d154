"""The grammar of a staff list: where a CRM tells the names of its agents and teams.

Conversations bring ids, hardly ever names. The list is read page by page, below the API address of the settings.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from service.intake.definition.steps import FromAnswer, Sent
from service.intake.definition.sweep import FromListed, path_mistakes
from service.settings.declare import REQUIRED, setting
from service.settings.values import one_of

MOST_LISTS = 4
OF_A_PAGE = ("cursor", "page")


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


def staff_mistakes(lists: tuple[Staff, ...], values: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the lists: where, and what would be right. `values` are the names under [values]."""
    if len(lists) > MOST_LISTS:
        yield "", f"has {len(lists)} lists; there are at most {MOST_LISTS}"
    for position, each in enumerate(lists):
        found = path_mistakes(each, {*OF_A_PAGE, *values})
        yield from ((f"[{position}]{where}", sentence) for where, sentence in found)
