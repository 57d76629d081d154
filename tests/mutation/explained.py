"""Changes that are no mistakes, from `explained.txt`: they are not tried, and counted apart.

There a reason stands before its changes. A number that stands in a file more than once is named with its line:
`file: 0  ->  1  in  line`.
"""

from pathlib import Path

from tests.mutation.changes import Mutant

EXPLAINED = tuple(
    line
    for line in Path(__file__).with_name("explained.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
)
_ALL = frozenset(EXPLAINED)


def is_no_mistake(change: Mutant) -> bool:
    """Whether the table says of a change why nobody can notice it."""
    return not _ALL.isdisjoint(names(change))


def names(change: Mutant) -> tuple[str, str]:
    """A change as the table may name it, whatever line it stands on."""
    return named(change), f"{named(change)}  in  {change.stands_in}"


def named(change: Mutant) -> str:
    """A change as a run prints it."""
    return f"{change.file.removeprefix('service/').removesuffix('.py')}: {change.said}"
