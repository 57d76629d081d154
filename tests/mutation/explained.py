"""Changes that are no mistakes, each with its reason: they are not tried, and counted apart."""

from collections.abc import Mapping, Sequence

from tests.mutation.changes import Mutant

EXPLAINED: Mapping[str, Sequence[str]] = {
    # why: (file: change, ...)
}
_ALL = frozenset(each for those in EXPLAINED.values() for each in those)


def is_no_mistake(change: Mutant) -> bool:
    """Whether the table says of a change why nobody can notice it."""
    return named(change) in _ALL


def named(change: Mutant) -> str:
    """A change as the table names it, whatever line it stands on."""
    return f"{change.file.removeprefix('service/').removesuffix('.py')}: {change.said}"
