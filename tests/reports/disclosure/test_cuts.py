"""What the margins of a two-way table reveal: every small set of cells that follows, and no other."""

from itertools import product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.reports.disclosure.cuts import small_cut, small_split

ROWS, COLUMNS = ("mon", "tue", "wed"), ("ann", "bob", "cat")


def told(cells) -> int:
    """The smallest set that the margins tell, by trying all: rows R minus columns C, 0 or 1 on every possible cell."""
    found = []
    for row_in, column_in in product(product((0, 1), repeat=3), repeat=2):
        rows, columns = dict(zip(ROWS, row_in, strict=True)), dict(zip(COLUMNS, column_in, strict=True))
        value = {(row, column): rows[row] - columns[column] for row, column in cells}
        if min(value.values()) >= 0:
            found.append(sum(cells[cell] for cell, inside in value.items() if inside))
    return min((n for n in found if n), default=0)


def test_a_full_table_reveals_nothing() -> None:
    assert small_cut({(r, c): 2 for r in ROWS for c in COLUMNS}, 5) is None
    assert small_cut({("mon", "ann"): 4, ("mon", "bob"): 5, ("tue", "ann"): 1, ("tue", "bob"): 5}, 5) is None


def test_an_agent_of_one_day_follows_from_the_difference() -> None:
    cells = {("mon", "ann"): 2, ("mon", "bob"): 6, ("tue", "ann"): 5}
    assert small_cut(cells, 5) == ("mon", "ann")
    assert small_cut({**cells, ("tue", "bob"): 0}, 5) is None, "a cell that could have answers hides it"
    assert small_cut({**cells, ("mon", "ann"): 1}, 5) == ("mon", "ann")


def table(mon, tue, wed):
    """A table by rows; None: a cell that cannot have answers."""
    rows = zip(ROWS, (mon, tue, wed), strict=True)
    return {(row, c): n for row, cells in rows for c, n in zip(COLUMNS, cells, strict=True) if n is not None}


@given(st.dictionaries(st.tuples(st.sampled_from(ROWS), st.sampled_from(COLUMNS)), st.integers(0, 7), min_size=1))
@example(table((9, None, 2), (0, 9, None), (None, 0, 1)))  # a way of three steps, narrow at each of them
@example(table((1, None, 2), (0, 9, None), (None, 0, 9)))
@example(table((9, None, 2), (0, 1, None), (None, 0, 9)))
@example(table((3, 9, 1), (0, 9, 3), (9, None, 9)))  # a way that takes back what another one took
@settings(max_examples=400, deadline=None)
def test_it_finds_the_same_small_sets_as_brute_force(cells) -> None:
    assert (small_cut(cells, 5) is not None) == (0 < told(cells) < 5)


def split(cells) -> int:
    """The fewest answers that rows H share with the other rows by a column, by trying all H; 0 where none share any."""
    found = []
    for inside in product((False, True), repeat=3):
        high = {row for row, within in zip(ROWS, inside, strict=True) if within}
        shared = {column for row, column in cells if row in high} & {column for row, column in cells if row not in high}
        found.append(sum(n for (row, column), n in cells.items() if row in high and column in shared))
    return min((n for n in found if n), default=0)


@given(st.dictionaries(st.tuples(st.sampled_from(ROWS), st.sampled_from(COLUMNS)), st.integers(1, 7), min_size=1))
@settings(max_examples=400, deadline=None)
def test_rows_are_pooled_exactly_where_brute_force_finds_a_small_set(cells) -> None:
    assert (small_split(cells, 5) is not None) == (0 < split(cells) < 5)
