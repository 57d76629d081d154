"""Six words for a difference, limits of chance, two groups made comparable: worked examples and invariants."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reports.statistics import chance
from service.reports.statistics.chance import score_limits, score_place
from service.reports.statistics.judging import CHANCE, holm, judged
from service.reports.statistics.standardising import standardised
from service.reports.statistics.statistics import compare_csat, compare_nps, csat, nps

MIRROR = {
    "better": "worse",
    "possibly_better": "possibly_worse",
    "about_the_same": "about_the_same",
    "possibly_worse": "possibly_better",
    "worse": "better",
    "too_few_to_judge": "too_few_to_judge",
}
shares = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
counts_csat = st.dictionaries(st.integers(1, 5), st.integers(0, 400))
counts_nps = st.dictionaries(st.integers(0, 10), st.integers(0, 400))
chances = st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12)


def of(satisfied: int, n: int) -> dict[int, int]:
    return {5: satisfied, 1: n - satisfied}


def word(a: dict[int, int], b: dict[int, int], smallest: float = 5) -> str:
    return judged([compare_csat(a, b)], smallest)[0]


# -- six words ----------------------------------------------------------------------------------------------------


def test_78_per_cent_of_54_then_60_per_cent_of_43_is_possibly_worse() -> None:
    change = compare_csat(of(42, 54), of(26, 43))
    assert change.low == pytest.approx(-35, abs=0.5)
    assert change.high == pytest.approx(1, abs=0.5)
    assert judged([change], 5) == ("possibly_worse",)


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (of(600, 1000), of(720, 1000), "better"),
        (of(720, 1000), of(600, 1000), "worse"),
        (of(1600, 2000), of(1610, 2000), "about_the_same"),
        (of(3, 5), of(4, 5), "too_few_to_judge"),
        (of(43, 60), of(50, 60), "possibly_better"),
        ({}, of(50, 60), "too_few_to_judge"),
    ],
)
def test_each_word_has_its_example(then: dict[int, int], now: dict[int, int], expected: str) -> None:
    assert word(then, now) == expected


def test_a_sure_difference_smaller_than_what_matters_is_about_the_same() -> None:
    change = compare_csat(of(80_000, 100_000), of(81_000, 100_000))
    assert change.verdict == "changed"
    assert judged([change], 5) == ("about_the_same",)
    assert judged([change], 1) == ("better",)


def test_among_many_groups_one_difference_has_to_be_surer() -> None:
    moved, still = compare_csat(of(50, 90), of(66, 90)), compare_csat(of(50, 90), of(50, 90))
    assert moved.p is not None
    assert moved.p < CHANCE
    assert judged([moved], 5) == ("better",)
    assert judged([moved, *[still] * 9], 5)[0] == "possibly_better"


@given(shares, shares, st.integers(1, 50))
def test_the_other_way_round_it_is_the_opposite_word(a: tuple[int, int], b: tuple[int, int], smallest: int) -> None:
    one, other = of(*a), of(*b)
    assert word(other, one, smallest) == MIRROR[word(one, other, smallest)]


@given(counts_nps, counts_nps, st.integers(1, 50))
def test_the_words_hold_for_nps_too(a: dict[int, int], b: dict[int, int], smallest: int) -> None:
    [there], [back] = judged([compare_nps(a, b)], smallest), judged([compare_nps(b, a)], smallest)
    assert back == MIRROR[there]


@given(shares, shares, st.integers(1, 49))
def test_about_the_same_depends_on_the_smallest_difference(
    a: tuple[int, int], b: tuple[int, int], smallest: int
) -> None:
    if word(of(*a), of(*b), smallest) == "about_the_same":
        assert word(of(*a), of(*b), smallest + 1) == "about_the_same"


# -- Holm ---------------------------------------------------------------------------------------------------------


def test_holms_published_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


@given(chances)
def test_corrected_p_values_keep_their_order_and_stay_below_bonferroni(ps: list[float | None]) -> None:
    found, m = holm(ps), sum(p is not None for p in ps)
    assert [p is None for p in found] == [p is None for p in ps]
    both = sorted((raw, fit) for raw, fit in zip(ps, found, strict=True) if raw is not None and fit is not None)
    assert all(raw <= fit <= min(1.0, m * raw) + 1e-12 for raw, fit in both)
    assert [fit for _, fit in both] == sorted(fit for _, fit in both)


@given(st.floats(0, 1))
def test_a_single_p_value_is_not_corrected(p: float) -> None:
    assert holm([p]) == (p,)


# -- the funnel ---------------------------------------------------------------------------------------------------


def test_limits_of_a_share_are_those_of_a_p_chart() -> None:
    limits = score_limits("csat", of(800, 1000), 100)
    assert limits is not None
    assert (limits.centre, limits.low, limits.high) == pytest.approx((80, 68, 92))


def test_limits_of_nps_lean_on_the_variance_of_all() -> None:
    limits = score_limits("nps", {10: 58, 8: 30, 3: 12}, 64)  # variance 0.4884, worked example A
    assert limits is not None
    half = 300 * math.sqrt(0.4884 / 64)
    assert (limits.low, limits.high) == pytest.approx((46 - half, 46 + half))


def test_one_unhappy_of_three_is_within_chance() -> None:
    everybody = of(990, 1000)
    limits = score_limits("csat", everybody, 3)
    assert limits is not None
    assert limits.low > 100 * 2 / 3
    assert score_place("csat", of(2, 3), everybody) == "inside"
    assert score_place("csat", of(60, 100), everybody) == "below"
    assert score_place("nps", {10: 95, 3: 5}, {10: 500, 8: 200, 3: 300}) == "above"


def test_near_the_end_of_a_scale_the_exact_chance_decides() -> None:
    """Ten unhappy of 201 are beyond three standard errors of 98 %, and come about by chance once in 129 times."""
    everybody = of(9_800, 10_000)
    limits = score_limits("csat", everybody, 201)
    assert limits is not None
    assert limits.low > 100 * 191 / 201
    assert [score_place("csat", of(201 - bad, 201), everybody) for bad in (10, 11, 12)] == ["inside", "inside", "below"]


def chance_one_by_one(n: int, reached: int, everybody: tuple[int, int, int]) -> float:
    """The same chance, one answer after the other."""
    chances = [1.0]
    for _ in range(n):
        after = [0.0] * (len(chances) + 2)
        for steps, share in enumerate(chances):
            for step, count in enumerate(everybody):
                after[steps + step] += share * count / sum(everybody)
        chances = after
    return sum(chances[: reached + 1])


@pytest.mark.parametrize("everybody", [(12, 30, 58), (1, 2, 97), (1, 0, 9), (0, 1, 1), (3, 7, 0)])
@pytest.mark.parametrize("group", [(0, 0, 1), (2, 1, 3), (40, 0, 2), (17, 31, 12), (9, 1, 170)])
def test_the_chance_of_a_sum_of_three_classes_is_exact(
    group: tuple[int, int, int], everybody: tuple[int, int, int]
) -> None:
    reached = group[1] + 2 * group[2]
    told = chance._chance_of_at_most(group, everybody)
    assert told == pytest.approx(chance_one_by_one(sum(group), reached, everybody), rel=1e-8, abs=1e-14)


@given(counts_nps, counts_nps)
def test_a_group_outside_has_a_score_beyond_the_limits(group: dict[int, int], others: dict[int, int]) -> None:
    everybody = {score: group.get(score, 0) + others.get(score, 0) for score in range(11)}
    where, limits, score = score_place("nps", group, everybody), score_limits("nps", everybody, 1), nps(group).value
    assert (where is None) == (score is None or limits is None)
    if score is not None and where in {"below", "above"}:
        centre = nps(everybody).value
        assert centre is not None
        assert (score < centre) == (where == "below")


@given(counts_csat.filter(lambda counts: sum(counts.values())))
def test_the_overall_group_is_never_outside(everybody: dict[int, int]) -> None:
    assert score_place("csat", everybody, everybody) == "inside"


# -- standardised -------------------------------------------------------------------------------------------------


def test_a_group_with_the_harder_cases_is_compared_case_by_case() -> None:
    """Both are 90 % of easy and 50 % of hard; one has the hard ones. Raw: 82 against 58; standardised: the same."""
    ann = {"easy": of(90, 100), "hard": of(12, 24)}
    bob = {"easy": of(18, 20), "hard": of(50, 100)}
    raw = compare_csat(of(102, 124), of(68, 120))
    assert raw.verdict == "changed"
    found = standardised("csat", ann, bob)
    assert found.strata == 2
    assert found.difference == pytest.approx(0)
    assert found.a == pytest.approx((120 * 90 + 124 * 50) / 244)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_cases_of_only_one_side_are_not_compared() -> None:
    found = standardised("csat", {"en": of(5, 10), "de": of(9, 9)}, {"en": of(8, 10), "fr": of(1, 7)})
    assert (found.n_a, found.of_a, found.n_b, found.of_b, found.strata) == (10, 19, 10, 17, 1)
    assert found.difference == pytest.approx(30)
    nothing = standardised("csat", {"de": of(9, 9)}, {"fr": of(1, 7)})
    assert (nothing.difference, nothing.low, nothing.of_a, nothing.of_b) == (None, None, 9, 7)


@given(counts_csat, counts_csat)
def test_in_one_stratum_it_is_the_plain_difference_inside_its_bounds(a: dict[int, int], b: dict[int, int]) -> None:
    found, one, two = standardised("csat", {"": a}, {"": b}), csat(a).value, csat(b).value
    if one is None or two is None:
        assert found.difference is None
        return
    assert found.difference == pytest.approx(two - one)
    assert found.low is not None
    assert found.high is not None
    assert found.low - 1e-9 <= two - one <= found.high + 1e-9
    assert found.high - found.low > 0 or abs(two - one) == 100


@given(st.lists(st.tuples(counts_nps, counts_nps), min_size=1, max_size=5))
def test_the_other_way_round_the_difference_changes_its_sign(
    cells: list[tuple[dict[int, int], dict[int, int]]],
) -> None:
    a, b = ({place: pair[side] for place, pair in enumerate(cells)} for side in (0, 1))
    there, back = standardised("nps", a, b), standardised("nps", b, a)
    assert (there.n_a, there.n_b) == (back.n_b, back.n_a)
    if there.difference is not None and back.difference is not None:
        assert there.difference == pytest.approx(-back.difference)
