"""What follows from sums: cells that may have answers and sums of some of them in; out, small sets that are told.

A set of cells is told if a combination of the known sums is 1 on it and 0 on all other cells. The smallest such set
with a given cell is a linear program over the factors of the combination (its value on each cell between 0 and 1); only
if that comes out small is it solved with whole numbers. Knows nothing of how the sums were made.
"""

import random
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix, identity
from scipy.sparse import hstack as beside

Cell = Hashable
A_HAIR = 1e-6


@dataclass
class Sums:
    """All that somebody knows: the answers of each cell (the truth, only to judge by), and what each sum adds."""

    cells: Mapping[Cell, int]
    sums: list[frozenset[Cell]] = field(default_factory=list)
    tried: int = 0

    def told(self, least: int, most: int, rnd: random.Random) -> tuple[frozenset[Cell], int] | None:
        """Return a set of 1 to `least` - 1 answers that is told, tried around at most so many small cells."""
        table = _Table(self.cells, list(dict.fromkeys(each for each in self.sums if each)))
        if not table.known:
            return None
        small = [cell for cell, n in self.cells.items() if 0 < n < least]
        for cell in rnd.sample(small, min(most, len(small))):
            self.tried += 1
            found = table.smallest_with(cell, least)
            if found is not None:
                return found, sum(self.cells[each] for each in found)
        return None

    def bounded(self, least: int, most: int, rnd: random.Random) -> tuple[int, int]:
        """Return how many of a sample of small cells all sums bound to under `least`, and how many were asked."""
        table = _Table(self.cells, list(dict.fromkeys(each for each in self.sums if each)))
        inside = {cell for each in table.known for cell in each}
        small = [cell for cell, n in self.cells.items() if 0 < n < least and cell in inside]
        sample = rnd.sample(small, min(most, len(small)))
        return sum(table.most_in(cell) < least for cell in sample), len(sample)


class _Table:
    def __init__(self, cells: Mapping[Cell, int], known: Sequence[frozenset[Cell]]) -> None:
        self.known = known
        self._place = {cell: i for i, cell in enumerate(cells)}
        self._cells = list(cells)
        rows, columns = [], []
        for i, each in enumerate(known):
            for cell in each:
                rows.append(i)
                columns.append(self._place[cell])
        shape = (len(known), len(cells))
        self._matrix = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
        self._n = np.array([cells[cell] for cell in self._cells], dtype=float)
        self._totals = self._matrix @ self._n

    def smallest_with(self, cell: Cell, least: int) -> frozenset[Cell] | None:
        """The smallest told set with this cell, if it has fewer answers than `least`."""
        low, high = np.zeros(len(self._cells)), np.ones(len(self._cells))
        low[self._place[cell]] = 1
        within = LinearConstraint(self._matrix.T, low, high)
        free = Bounds(-np.inf, np.inf)
        found = milp(self._totals, constraints=within, bounds=free)
        if found.x is None or found.fun > least - 1 + A_HAIR:
            return None
        return self._whole(low, high, least)

    def _whole(self, low: np.ndarray, high: np.ndarray, least: int) -> frozenset[Cell] | None:
        """The same with 0 or 1 on every cell."""
        known, cells = len(self.known), len(self._cells)
        same = LinearConstraint(beside([self._matrix.T, -identity(cells)]), 0, 0)
        bounds = Bounds(np.concatenate([np.full(known, -np.inf), low]), np.concatenate([np.full(known, np.inf), high]))
        whole = np.concatenate([np.zeros(known), np.ones(cells)])
        cost = np.concatenate([np.zeros(known), self._n])
        found = milp(cost, constraints=same, bounds=bounds, integrality=whole)
        if found.x is None or found.fun > least - 1 + A_HAIR:
            return None
        return frozenset(c for c, value in zip(self._cells, found.x[known:], strict=True) if value > 1 - A_HAIR)

    def most_in(self, cell: Cell) -> float:
        """The most answers a cell can have, in whole numbers, by all sums."""
        cost = np.zeros(len(self._cells))
        cost[self._place[cell]] = -1
        equal = LinearConstraint(self._matrix, self._totals, self._totals)
        found = milp(cost, constraints=equal, bounds=Bounds(0, np.inf), integrality=np.ones(len(self._cells)))
        return np.inf if found.x is None else -found.fun
