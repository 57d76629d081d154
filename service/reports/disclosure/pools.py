"""Groups with enough answers: in, how many answers each group has; out, those named alone and the pools of the others.

A label is a path: (team,), (team, agent), (campaign,). What is too small is pooled beside its siblings ("others of the
team"), and where the siblings do not suffice with the others of all ("other teams"). A pool that is too small itself
takes its smallest sibling along. So the leaves divide the answers, and each has enough, or there is one only. Whoever
has no leaf of the own name is in the nearest pool: no team has members in its own pool and in that of all. Pure.
"""

from collections import defaultdict
from collections.abc import Mapping

Label = tuple[str | int | None, ...]
Leaf = tuple[Label, bool]
"""A label, and whether it stands for a pool of those that begin with it."""


class Pools:
    """A division of labels into leaves. Grows coarser by `coarsen`, never finer."""

    def __init__(self, sizes: Mapping[Label, int], least: int) -> None:
        self._sizes, self._least = dict(sizes), least
        self._leaf: dict[Label, Leaf] = {label: (label, False) for label in sizes}
        for label in sorted((each for each in sizes if sizes[each] < least), key=repr):
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
        """Return where a label is; one without any answers is in a pool it could be in, or nowhere."""
        if label in self._leaf:
            return self._leaf[label]
        pools = {leaf for leaf in self._leaf.values() if leaf[1]}
        near = [(label[:depth], True) for depth in range(len(label) - 1, -1, -1)]
        return next((each for each in near if each in pools), None)

    def coarsen(self, leaf: Leaf) -> bool:
        """Join a leaf with its smallest sibling, or with all others; False where there is only one leaf left."""
        if len(set(self._leaf.values())) == 1:
            return False
        label, is_pool = leaf
        pool = leaf if is_pool else self._pool_of(label)
        self._move(leaf, pool)
        if is_pool:
            self._grow(pool)
        self._fill()
        return True

    def _fill(self) -> None:
        """Let every pool that is too small take others along, the deepest first."""
        while small := [leaf for leaf, n in self.leaves.items() if leaf[1] and n < self._least]:
            deepest = max(small, key=lambda leaf: (len(leaf[0]), repr(leaf)))
            if not self._grow(deepest):
                return

    def _grow(self, pool: Leaf) -> bool:
        """Take the smallest sibling along; without one left the pool goes up into that of all."""
        prefix = pool[0]
        inside = {leaf: n for leaf, n in self.leaves.items() if leaf != pool and leaf[0][: len(prefix)] == prefix}
        if inside:
            label = min(inside, key=lambda leaf: (inside[leaf], repr(leaf)))[0]
            for depth in range(len(prefix) + 1, len(label) + 1):
                self._move((label[:depth], True), pool)
            self._move((label, False), pool)
        elif prefix:
            self._move(pool, (prefix[:-1], True))
        return bool(inside or prefix)

    def _pool_of(self, label: Label) -> Leaf:
        """The pool that a label goes to: of its siblings, or of more where one of its siblings is there already."""
        near = [(label[:depth], True) for depth in range(len(label))]
        siblings = [leaf for each, leaf in self._leaf.items() if each[:-1] == label[:-1]]
        return next((pool for pool in near if pool in siblings), near[-1])

    def _move(self, leaf: Leaf, target: Leaf) -> None:
        for label, present in self._leaf.items():
            if present == leaf:
                self._leaf[label] = target
