"""What the margins of a two-way table would give away: the smallest small set of cells that follows from them, if any.

Row and column sums determine a set of cells exactly if it is a directed cut: rows R and columns C such that no possible
cell is in a column of C and a row outside R; then sum(R) - sum(C) is the answers of R outside C (Gusfield, SIAM J.
Comput. 17, 1988). The smallest such set with a given cell is a minimum cut from its row to its column, where a possible
cell is an edge with its answers as forward capacity and no limit backward. Pure.
"""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping

Cell = tuple[Hashable, Hashable]
_END = ("end",)
"""A column of one row only, so that a way to it is a way to that row."""


def small_cut(cells: Mapping[Cell, int], least: int) -> Cell | None:
    """Return a cell of a set with 1 to `least` - 1 answers that the margins reveal. Possible empty cells count 0."""
    told = _Flow(cells)
    for (row, column), n in cells.items():
        if 0 < n < least and told.flow(row, column, least) < least:
            return row, column
    return None


def small_split(cells: Mapping[Cell, int], least: int) -> Hashable | None:
    """Return a row whose sum reveals 1 to `least` - 1 answers to somebody who knows anything about columns; or None.

    Let f = row's value + column's value be 0 or 1 on every possible cell, and H the rows of the higher values: where a
    column has cells of H and of others, f is 1 in H and 0 outside. So f holds at least the answers of H in columns
    shared with the others, a cut between two rows; where each such cut is 0 or enough, no small f sets rows that
    share a column apart, and f is one of the columns alone.
    """
    for first, *others in _connected(cells):
        for other in others:
            if _shared(cells, other, first, least) < least or _shared(cells, first, other, least) < least:
                return other
    return None


def _shared(cells: Mapping[Cell, int], inside: Hashable, outside: Hashable, enough: int) -> int:
    """The least answers that any H with one row and without the other has in columns shared with rows outside."""
    return _Flow({**cells, (outside, _END): enough}).flow(inside, _END, enough)


def _connected(cells: Mapping[Cell, int]) -> Iterable[list[Hashable]]:
    """Rows that hang together by shared columns."""
    rows, columns = defaultdict(set), defaultdict(set)
    for row, column in cells:
        rows[row].add(column)
        columns[column].add(row)
    left = sorted(rows, key=repr)
    while left:
        found, new = set(), {left[0]}
        while new:
            found |= new
            new = {row for one in new for column in rows[one] for row in columns[column]} - found
        yield [row for row in left if row in found]
        left = [row for row in left if row not in found]


class _Flow:
    """Answers as capacities from rows to columns."""

    def __init__(self, cells: Mapping[Cell, int]) -> None:
        self._capacity: dict[Hashable, dict[Hashable, int]] = defaultdict(dict)
        self._rows: dict[Hashable, list[Hashable]] = defaultdict(list)
        for (row, column), n in cells.items():
            self._capacity[row][column] = n
            self._rows[column].append(row)

    def flow(self, row: Hashable, column: Hashable, enough: int) -> int:
        """Return the maximum flow, or one of at least `enough` as soon as there is one."""
        changed: dict[Cell, int] = {}
        found = 0
        while found < enough and (path := self._path(row, column, changed)):
            forward = path[::2]
            least = min(self._left(edge, changed) for edge in forward)
            for edge in forward:
                changed[edge] = changed.get(edge, 0) - least
            for edge in path[1::2]:
                changed[edge] = changed.get(edge, 0) + least
            found += least
        return found

    def _left(self, edge: Cell, changed: Mapping[Cell, int]) -> int:
        return self._capacity[edge[0]][edge[1]] + changed.get(edge, 0)

    def _path(self, source: Hashable, target: Hashable, changed: Mapping[Cell, int]) -> list[Cell]:
        """The shortest way forward through cells with room and back through any: (row, column) of each step."""
        came: dict[Hashable, Cell | None] = {source: None}
        reached: dict[Hashable, Cell] = {}
        waiting = deque([source])
        while waiting:
            row = waiting.popleft()
            for column in self._capacity[row]:
                if column in reached or self._left((row, column), changed) <= 0:
                    continue
                reached[column] = (row, column)
                if column == target:
                    return list(_back(column, reached, came))
                for other in self._rows[column]:
                    if other not in came:
                        came[other] = (other, column)
                        waiting.append(other)
        return []


def _back(column: Hashable, reached: Mapping[Hashable, Cell], came: Mapping[Hashable, Cell | None]) -> Iterable[Cell]:
    """The steps from the target back to the source, alternately forward and back, beginning and ending with forward."""
    step: Cell | None = reached[column]
    while step is not None:
        yield step
        back = came[step[0]]
        if back is None:
            return
        yield back
        step = reached[back[1]]
