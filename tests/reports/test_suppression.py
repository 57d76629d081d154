"""What small groups hide, and attackers who have every published cell and get nothing from it."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import combinations, product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.reports.disclosure.suppression import (
    DEFAULT,
    Group,
    Reason,
    Span,
    Thresholds,
    may_rank,
    protect,
    release,
    week_of,
    whole_days,
)

SMALL = DEFAULT.score

classes = st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 12))
tables = st.lists(classes, min_size=1, max_size=7).map(
    lambda rows: [Group(f"agent {number}", row) for number, row in enumerate(rows)]
)


def groups_of(**sizes):
    """Groups of mixed outcomes: at least one answer of each kind where there are two."""
    return [Group(key, (min(1, max(0, n - 1)), n - min(1, max(0, n - 1)))) for key, n in sizes.items()]


def shown(groups, **options):
    return {one.key for one in protect(groups, **options) if one.shown}


def by_key(groups):
    return {group.key: group for group in groups}


# -- one breakdown --------------------------------------------------------------------------------------


def test_groups_large_enough_are_all_shown():
    assert shown(groups_of(ann=5, bob=40)) == {"ann", "bob"}


def test_a_single_small_group_takes_the_next_smallest_with_it():
    assert shown(groups_of(ann=3, bob=9, cem=40)) == {"cem"}


def test_small_groups_that_are_few_in_sum_take_the_next_smallest_with_them():
    assert shown(groups_of(ann=2, bob=2, cem=9, dan=40)) == {"dan"}


def test_small_groups_that_are_many_in_sum_are_enough_by_themselves():
    assert shown(groups_of(ann=3, bob=4, cem=9)) == {"cem"}


def test_groups_provably_of_one_answer_each_are_not_enough_by_themselves():
    groups = groups_of(ann=1, bob=1, cem=1, dan=1, eve=1, fay=9, gil=40)
    assert shown(groups) == {"gil"}


def test_a_count_of_zero_may_be_shown():
    verdicts = {one.key: one for one in protect(groups_of(ann=0, bob=40))}
    assert verdicts["ann"].shown
    assert verdicts["ann"].n == 0
    assert not verdicts["ann"].low_base


def test_zeros_are_hidden_where_they_would_pin_the_ones():
    assert shown(groups_of(ann=1, bob=1, cem=1, dan=1, eve=1, fay=0)) == set()


def test_hidden_groups_that_all_say_the_same_take_the_smallest_that_says_otherwise():
    groups = [Group("ann", (0, 3)), Group("bob", (0, 4)), Group("cem", (0, 9)), Group("dan", (2, 20))]
    assert shown(groups) == {"cem"}


def test_where_everybody_says_the_same_mixing_cannot_help_and_is_not_tried():
    groups = [Group("ann", (0, 3)), Group("bob", (0, 4)), Group("cem", (0, 9))]
    assert shown(groups) == {"cem"}


def test_a_group_whose_release_is_open_is_hidden_however_large():
    groups = [Group("ann", (3, 9), released=False), *groups_of(bob=20, cem=30)]
    assert shown(groups) == {"cem"}


def test_the_verdict_does_not_tell_the_small_group_from_its_cover():
    small, cover, _ = protect(groups_of(ann=3, bob=9, cem=40))
    assert (small.n, small.reason, small.low_base) == (cover.n, cover.reason, cover.low_base)
    assert small.reason is Reason.SUPPRESSED
    assert small.n is None


@pytest.mark.parametrize(("n", "low"), [(5, True), (29, True), (30, False)])
def test_low_base_is_marked_below_thirty(n, low):
    assert protect(groups_of(ann=n))[0].low_base is low


def test_thresholds_are_the_callers_choice():
    assert shown(groups_of(ann=8, bob=9, cem=40), thresholds=Thresholds(score=10)) == {"cem"}


def test_two_groups_of_one_name_are_a_mistake():
    with pytest.raises(ValueError, match="share a key"):
        protect([Group("ann", (1, 1)), Group("ann", (2, 2))])


# -- several totals -------------------------------------------------------------------------------------


def test_each_team_total_is_protected_by_itself():
    groups = groups_of(ann=3, bob=9, cem=40, dan=50, eve=60)
    margins = {"north": ["ann", "cem"], "south": ["bob", "dan", "eve"], "all": [group.key for group in groups]}
    assert shown(groups, margins=margins) == {"bob", "dan", "eve"}


def test_a_total_that_equals_its_only_part_is_hidden_with_it():
    groups = [Group("ann", (1, 6)), Group("bob", (1, 2)), Group("ann's team", (1, 6)), Group("all", (2, 8))]
    assert shown(groups, margins={"ann's team": ["ann"], "all": ["ann", "bob"]}) == {"all"}


def test_margins_that_are_safe_alone_are_made_safe_together():
    """Both pairs are safe, and their difference would be ann: 3 = (ann + bob + cem) - (bob + cem)."""
    groups = groups_of(ann=3, bob=4, cem=4, dan=9, eve=40)
    margins = {"first": ["ann", "bob", "cem", "dan"], "second": ["bob", "cem", "eve"]}
    assert shown(groups, margins=margins) == {"eve"}


def test_a_total_must_be_the_sum_of_its_parts():
    with pytest.raises(ValueError, match="not the sum"):
        protect([*groups_of(ann=5, bob=6), Group("team", (3, 9))], margins={"team": ["ann", "bob"]})


def test_ranking_needs_thirty_answers_of_each():
    assert may_rank(groups_of(ann=30, bob=31))
    assert not may_rank(groups_of(ann=29, bob=310))
    assert not may_rank(groups_of(ann=300))


# -- periods --------------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")


def test_only_whole_days_that_are_over_are_asked_for():
    since, until = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)
    now = datetime(2026, 3, 5, 15, tzinfo=UTC)
    assert whole_days(since, until, now, UTC) == (date(2026, 3, 2), date(2026, 3, 5))


def test_days_are_those_of_the_organisation():
    midnight_in_berlin = datetime(2026, 2, 28, 23, tzinfo=UTC)
    until = datetime(2026, 3, 3, 22, 59, tzinfo=UTC)
    assert whole_days(midnight_in_berlin, until, until, BERLIN) == (date(2026, 3, 1), date(2026, 3, 3))


def day(number):
    return date(2026, 3, number)


def test_a_busy_selection_is_released_day_by_day():
    answers = [(day(1), 9), (day(2), 5), (day(3), 7)]
    assert release(answers, day(1), day(3)) == Span(day(1), day(3), held=False)
    assert release(answers, day(2), day(3)) == Span(day(2), day(3), held=False)


def test_a_quiet_selection_is_released_in_runs_of_days():
    answers = [(day(1), 2), (day(2), 2), (day(3), 2), (day(4), 0), (day(5), 5), (day(6), 1)]
    assert release(answers, day(1), day(9)) == Span(day(1), day(6), held=True)
    assert release(answers, day(2), day(9)) == Span(day(4), day(6), held=True)
    assert release(answers, day(1), day(3)) is None
    assert release(answers, day(6), day(9)) is None
    assert release([], day(1), day(9)) is None


def test_quiet_days_at_the_ends_hold_nothing_back():
    assert release([(day(3), 6)], day(1), day(9)) == Span(day(3), day(4), held=False)


def test_weeks_are_released_whole():
    monday = date(2026, 3, 2)
    answers = [(monday + timedelta(days=offset), 1) for offset in range(21)]
    span = release(answers, monday + timedelta(days=1), monday + timedelta(days=20), grain=week_of)
    assert span == Span(monday + timedelta(days=7), monday + timedelta(days=14), held=True)


series = st.lists(st.integers(0, 7), min_size=1, max_size=25)


def dated(counts):
    return [(date(2026, 1, 1) + timedelta(days=offset), n) for offset, n in enumerate(counts)]


def spans(answers, grain):
    days = [moment for moment, _ in answers]
    asked = combinations([*days, days[-1] + timedelta(days=1), days[-1] + timedelta(days=30)], 2)
    return {span for first, end in asked if (span := release(answers, first, end, grain=grain))}


@settings(max_examples=60)
@given(series, st.sampled_from([None, week_of]))
def test_no_two_periods_differ_by_a_handful(counts, grain):
    answers = dated(counts)
    bounds = {bound for span in spans(answers, grain) for bound in (span.first, span.end)}
    for first, end in combinations(sorted(bounds), 2):
        between = sum(n for moment, n in answers if first <= moment < end)
        assert between == 0 or between >= SMALL


@settings(max_examples=60)
@given(series, series)
def test_later_days_never_change_which_answers_were_released(counts, later):
    answers, grown = dated(counts), dated(counts + later)
    end = answers[-1][0] + timedelta(days=1)
    for first, _ in answers:
        assert inside(release(answers, first, end), answers) == inside(release(grown, first, end), answers)


def inside(span, answers):
    return [moment for moment, n in answers if n and span and span.first <= moment < span.end]


# -- attackers ------------------------------------------------------------------------------------------


def splits(whole, size):
    """Every way to give one group `size` of the answers that the hidden groups have together."""
    return [part for part in product(*(range(count + 1) for count in whole)) if sum(part) == size]


@given(tables)
def test_total_minus_shown_pins_no_hidden_group(groups):
    """The attacker bounds n of each hidden group and lists the scores it can have."""
    hidden = [one.key for one in protect(groups) if not one.shown]
    answers = sum(group.n for group in groups)
    if not hidden or answers < SMALL:
        return
    rest = tuple(map(sum, zip(*(by_key(groups)[key].classes for key in hidden), strict=True)))
    least = 1 if any(not group.n for group in groups if group.key not in hidden) else 0
    largest = sum(rest) - (len(hidden) - 1) * least
    possible = {Fraction(part[2] - part[0], size) for size in range(1, largest + 1) for part in splits(rest, size)}
    unanimous = sum(1 for kind in zip(*(group.classes for group in groups), strict=True) if any(kind)) == 1
    assert len(hidden) > 1
    assert largest >= SMALL
    assert unanimous or len(possible) > 1


@given(tables)
def test_every_small_group_is_hidden_and_every_shown_one_is_told_truly(groups):
    for group, verdict in zip(groups, protect(groups), strict=True):
        assert group.key == verdict.key
        assert not (verdict.shown and 0 < group.n < SMALL)
        assert verdict.n == (group.n if verdict.shown else None)


@given(tables)
def test_nothing_is_hidden_without_a_small_group(groups):
    if all(group.n == 0 or group.n >= SMALL for group in groups):
        assert shown(groups) == set(by_key(groups))


def test_a_reader_who_knows_the_rule_still_learns_nobodys_score():
    """All tables of three agents with up to six answers each: which of them would print what is printed?"""
    worlds = defaultdict(list)
    rows = [(no, yes) for no in range(7) for yes in range(7 - no)]
    for table in product(rows, repeat=3):
        groups = [Group(key, row) for key, row in zip("abc", table, strict=True)]
        total = tuple(map(sum, zip(*table, strict=True)))
        if sum(total) >= SMALL and all(total):
            printed = shown(groups)
            cells = tuple(row if key in printed else None for key, row in zip("abc", table, strict=True))
            worlds[cells, total].append(table)
    assert len(worlds) > 4000
    for (cells, _), candidates in worlds.items():
        for index, cell in enumerate(cells):
            sizes = {sum(table[index]) for table in candidates}
            scores = {Fraction(table[index][1], sum(table[index])) for table in candidates if any(table[index])}
            assert cell is not None or len(scores) > 1
            assert cell is not None or len(sizes) > 1 or min(sizes) >= SMALL - 1


def rank(rows):
    """Rank by plain elimination, written apart from the service's."""
    rows, found = [list(map(Fraction, row)) for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((index for index in range(found, len(rows)) if rows[index][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for index in range(found + 1, len(rows)):
            times = rows[index][column] / rows[found][column]
            rows[index] = [left - times * right for left, right in zip(rows[index], rows[found], strict=True)]
        found += 1
    return found


def agents_by_weeks(cells):
    """Groups and margins of a table with a total per agent, per week, and over all."""
    names = {(row, column): f"{row}.{column}" for row, line in enumerate(cells) for column in range(len(line))}
    groups = [Group(names[row, column], cells[row][column]) for row, column in names]
    margins = {f"agent {row}": [names[at] for at in names if at[0] == row] for row in range(len(cells))}
    margins |= {f"week {column}": [names[at] for at in names if at[1] == column] for column in range(len(cells[0]))}
    totals = [
        Group(total, tuple(map(sum, zip(*(by_key(groups)[key].classes for key in parts), strict=True))))
        for total, parts in margins.items()
    ]
    for side in ("agent", "week"):
        margins[f"all by {side}"] = [total.key for total in totals if total.key.startswith(side)]
    return groups + totals, margins


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(classes, min_size=width, max_size=width), min_size=2, max_size=4)
    )
)
def test_rows_columns_and_totals_together_determine_no_hidden_cell(cells):
    groups, margins = agents_by_weeks(cells)
    if sum(sum(cell) for line in cells for cell in line) < SMALL:
        return
    hidden = sorted(set(by_key(groups)) - shown(groups, margins=margins))
    equations = [[(key in parts) - (key == total) for key in hidden] for total, parts in margins.items()]
    for index, key in enumerate(hidden):
        without = [row[:index] + row[index + 1 :] for row in equations]
        assert rank(without) == rank(equations), f"{key} is determined"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(classes, min_size=3, max_size=3), min_size=2, max_size=4))
def test_each_row_and_column_of_a_table_is_safe_alone(cells):
    groups, margins = agents_by_weeks(cells)
    if sum(sum(cell) for line in cells for cell in line) < SMALL:
        return
    printed = shown(groups, margins=margins)
    for total, parts in margins.items():
        hidden = [by_key(groups)[key] for key in parts if key not in printed]
        if hidden and (total in printed):
            assert len(hidden) > 1
            assert sum(group.n for group in hidden) >= SMALL
