"""Groups with enough answers get a leaf of their own; groups that are too small are pooled. Pure.

A label is a path: (team,), (team, agent), (campaign,). A small group is pooled with its siblings ("others of the
team"), and if those do not suffice, with the others of all ("other teams"). A pool that is still too small takes its
smallest sibling along. So the leaves divide the answers, and each has enough, or there is only one. A group without a
leaf of its own is in the nearest pool: no team has members both in its own pool and in the general one. People who may
not be named (NOBODY) are always in the general pool, however many they are.
"""

from collections import defaultdict
from collections.abc import Container, Mapping

Label = tuple[str | int | None, ...]
NOBODY = "\0"
"""The label's beginning of who may not be named; no name in a database has it."""

Leaf = tuple[Label, bool]
"""A label, and whether it stands for a pool of those that begin with it."""


def family(leaf: Leaf) -> Label:
    """Return what a leaf shares with its siblings; a pool stands for its members."""
    return leaf[0] if leaf[1] else leaf[0][:-1]


def nearest(label: Label, leaves: Container[Leaf]) -> Leaf | None:
    """Return where a label is found: under its name, or in the nearest pool; None if in neither."""
    near = [(label, False), *((label[:depth], True) for depth in reversed(range(len(label))))]
    return next((each for each in near if each in leaves), None)


class Pools:
    """A division of labels into leaves. Grows coarser by `coarsen`, never finer."""

    def __init__(self, sizes: Mapping[Label, int], least: int) -> None:
        self._sizes, self._least = dict(sizes), least
        self._leaf: dict[Label, Leaf] = {label: (label, False) for label in sizes}
        for label in sorted(sizes, key=repr):
            if label[0] == NOBODY:
                self._leaf[label] = ((), True)
            elif sizes[label] < least:
                self._leaf[label] = (label[:-1], True)
        self._fill()

    @property
    def leaves(self) -> Mapping[Leaf, int]:
        """Return every leaf with its answers."""
        found: dict[Leaf, int] = defaultdict(int)
        for label, leaf in self._leaf.items():
            found[leaf] += self._sizes[label]
        return found

    def leaf_of(self, label: Label) -> Leaf | None:
        """Return the leaf of a label; one without answers is in a pool it could be in, or in none."""
        return self._leaf[label] if label in self._leaf else nearest(label, {*self._leaf.values()})

    def pairs(self, leaf: Leaf) -> list[tuple[Leaf, Leaf]]:
        """Return which leaves could be joined so that a leaf's family reveals less, smallest first."""
        leaves = self.leaves
        own = [each for each in leaves if family(each) == family(leaf)]
        found = {tuple(sorted((one, other), key=repr)) for one in own for other in leaves if one != other}
        unnamed = {each: 0 if each[1] else n for each, n in leaves.items()}
        return sorted(((a, b) for a, b in found), key=lambda pair: (unnamed[pair[0]] + unnamed[pair[1]], repr(pair)))

    def joined(self, one: Leaf, other: Leaf) -> "Pools":
        """Return these pools with two leaves in one."""
        there = Pools(self._sizes, self._least)
        there._leaf = dict(self._leaf)
        shared = next(
            depth for depth in range(len(family(one)), -1, -1) if family(one)[:depth] == family(other)[:depth]
        )
        pool = there._pool_of(family(one)[:shared])
        for leaf in (one, other):
            there._take_along(leaf[0], pool)
        there._fill()
        return there

    def coarsen(self, leaf: Leaf) -> bool:
        """Join a leaf with its smallest sibling, or with all others; False if only one leaf is left."""
        if len(set(self._leaf.values())) == 1:
            return False
        pool = leaf if leaf[1] else self._pool_of(leaf[0][:-1])
        self._move(leaf, pool)
        if leaf[1]:
            self._grow(pool)
        self._fill()
        return True

    def _fill(self) -> None:
        """Let every pool that is too small absorb others, the deepest first."""
        while small := [leaf for leaf, n in self.leaves.items() if n < self._least]:
            deepest = max(small, key=lambda leaf: (len(leaf[0]), repr(leaf)))
            if not self._grow(deepest):
                return

    def _grow(self, pool: Leaf) -> bool:
        """Absorb the smallest sibling; with none left, merge into the pool of all."""
        prefix = pool[0]
        inside = {leaf: n for leaf, n in self.leaves.items() if leaf != pool and leaf[0][: len(prefix)] == prefix}
        if inside:
            self._take_along(min(inside, key=lambda leaf: (inside[leaf], repr(leaf)))[0], pool)
        elif prefix:
            self._move(pool, (prefix[:-1], True))
        return bool(inside or prefix)

    def _take_along(self, label: Label, pool: Leaf) -> None:
        """Move a label's leaf into a pool, and the pools between the two with it."""
        for depth in range(len(pool[0]), len(label)):
            self._move((label[: depth + 1], True), pool)
        self._move((label, False), pool)

    def _pool_of(self, prefix: Label) -> Leaf:
        """The pool of a family, or a larger one if some of the family are already there."""
        near = ((prefix[:depth], True) for depth in range(len(prefix)))
        there = {leaf for label, leaf in self._leaf.items() if label[: len(prefix)] == prefix}
        return next((pool for pool in near if pool in there), (prefix, True))

    def _move(self, leaf: Leaf, target: Leaf) -> None:
        for label, present in self._leaf.items():
            if present == leaf:
                self._leaf[label] = target
