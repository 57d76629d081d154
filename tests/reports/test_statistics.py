"""Worked examples, exact coverage of the intervals, and invariants."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reports.statistics import statistics
from service.reports.statistics.statistics import (
    CSAT_SCALE,
    NPS_SCALE,
    compare_csat,
    compare_nps,
    compare_rate,
    control_limits,
    csat,
    mean,
    nps,
    place,
    rate,
)

MONTH = dict(enumerate([1, 0, 1, 0, 2, 3, 5, 12, 18, 25, 33]))
STARS = {1: 3, 2: 2, 3: 5, 4: 20, 5: 30}

counts_nps = st.dictionaries(st.sampled_from(NPS_SCALE), st.integers(0, 3000))
counts_csat = st.dictionaries(st.sampled_from(CSAT_SCALE), st.integers(0, 3000))
shares = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def close(value):
    return pytest.approx(value, abs=1e-4)


def in_classes(promoters, passives, detractors):
    return {10: promoters, 8: passives, 3: detractors}


# -- worked examples ------------------------------------------------------------------------------------


def test_example_a_nps_of_a_hundred_answers():
    figure = nps(MONTH)
    assert (figure.n, figure.value) == (100, close(46.0))
    assert (figure.low, figure.high) == (close(31.0768), close(58.2436))
    assert mean(MONTH, NPS_SCALE).value == close(8.38)
    assert figure.distribution == tuple(MONTH.items())
    assert (figure.method, figure.confidence) == ("adjusted_wald", 0.95)


def test_example_b_csat_of_sixty_answers():
    figure = csat(STARS)
    assert (figure.n, figure.value) == (60, close(83.3333))
    assert (figure.low, figure.high) == (close(71.9684), close(90.6868))
    assert mean(STARS, CSAT_SCALE).value == close(4.2)
    assert figure.distribution == tuple(STARS.items())
    assert figure.method == "wilson"


@pytest.mark.parametrize(
    ("classes", "value", "low", "high"),
    [((8, 2, 2), 50, 0.5835, 79.4165), ((5, 0, 0), 100, 17.4915, 100), ((1, 0, 0), 100, -48.4986, 98.4986)],
)
def test_example_c_nps_of_small_cells(classes, value, low, high):
    figure = nps(in_classes(*classes))
    assert (figure.value, figure.low, figure.high) == (close(value), close(low), close(high))


@pytest.mark.parametrize(
    ("counts", "value", "low", "high"),
    [
        ({5: 4}, 100, 51.0109, 100),
        ({1: 4}, 0, 0, 48.9891),
        ({4: 9, 3: 3}, 75, 46.7695, 91.1058),
    ],
)
def test_example_c_csat_of_small_cells(counts, value, low, high):
    figure = csat(counts)
    assert (figure.value, figure.low, figure.high) == (close(value), close(low), close(high))


def test_example_d_a_real_change():
    change = compare_nps(in_classes(180, 90, 30), in_classes(150, 90, 60))
    assert (change.difference, change.delta) == (close(-20), close(-19.8020))
    assert (change.low, change.high) == (close(-31.4095), close(-8.1944))
    assert (change.z, change.p) == (close(-3.3436), pytest.approx(0.000827, abs=1e-6))
    assert change.verdict == "changed"


def test_example_d_a_fall_of_22_points_that_is_not_shown_to_be_one():
    change = compare_nps(in_classes(30, 15, 5), in_classes(24, 16, 10))
    assert (change.difference, change.delta) == (close(-22), close(-20.7547))
    assert (change.low, change.high) == (close(-48.5539), close(7.0445))
    assert (change.z, change.p) == (close(-1.4633), close(0.1434))
    assert change.verdict == "no_change_shown"


def test_example_e_response_rate():
    of_delivered, of_sent = rate(312, 1040), rate(312, 1100)
    assert of_delivered.value == close(30.0)
    assert (of_delivered.low, of_delivered.high) == (close(27.2927), close(32.8545))
    assert of_sent.value == close(28.3636)


def test_compared_shares_follow_the_adjusted_formula():
    change = compare_rate(15, 20, 8, 20)  # by hand: 16/22 and 9/22
    assert (change.difference, change.delta) == (close(-35), close(-31.8182))
    error = 100 * math.sqrt((16 / 22 * 6 / 22 + 9 / 22 * 13 / 22) / 22)
    assert (change.low, change.high) == (
        close(-31.8182 - 1.959964 * error),
        close(-31.8182 + 1.959964 * error),
    )
    assert change.verdict == "changed"
    assert compare_csat({5: 15, 1: 5}, {4: 8, 3: 12}) == change


# -- nothing is not zero --------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", [nps({}), csat({}), rate(0, 0), mean({}, CSAT_SCALE), nps({10: 0})])
def test_no_answers_give_no_figure_rather_than_zero(figure):
    assert (figure.n, figure.value, figure.low, figure.high) == (0, None, None, None)


@pytest.mark.parametrize("change", [compare_nps(MONTH, {}), compare_csat({}, STARS), compare_rate(0, 0, 1, 2)])
def test_from_or_to_nothing_there_is_no_change(change):
    assert change is None


def test_bounds_of_a_change_end_where_a_change_can():
    up, down = compare_rate(0, 2, 2, 2), compare_rate(2, 2, 0, 2)
    assert (up.high, down.low) == (100, -100)


@pytest.mark.parametrize(("figure", "counts"), [(nps, {11: 1}), (csat, {0: 1}), (csat, {9: 2}), (nps, {3: -1})])
def test_counts_of_another_scale_are_refused(figure, counts):
    with pytest.raises(ValueError, match="do not fit the scale"):
        figure(counts)


@pytest.mark.parametrize(("first", "second"), [({9: 1}, STARS), (STARS, {9: 1})])
def test_kinds_of_card_are_never_compared_with_each_other(first, second):
    with pytest.raises(ValueError, match="do not fit the scale"):
        compare_csat(first, second)


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 4)])
def test_an_impossible_share_is_refused(successes, n):
    with pytest.raises(ValueError, match="is not a share"):
        rate(successes, n)


def test_a_single_promoter_is_the_one_case_whose_bounds_leave_out_the_value():
    figure = nps({10: 1})
    assert figure.value > figure.high  # hidden below five answers anyway; documented in the reference


# -- coverage monitor and sample size -------------------------------------------------------------------


def test_control_limits_are_three_sigma_wide_and_clamped():
    limits = control_limits(90, 100)
    assert (limits.centre, limits.low, limits.high) == (90, close(81), close(99))
    assert control_limits(90, 25).high == 100
    assert control_limits(5, 25).low == 0
    assert control_limits(90, 0) is None


@pytest.mark.parametrize("p", [-0.1, 100.1])
def test_control_limits_refuse_what_is_no_share(p):
    with pytest.raises(ValueError, match="is not a share"):
        control_limits(p, 10)


@pytest.mark.parametrize(
    ("offered", "ended", "p", "where"),
    [
        (70, 100, 90, "below"),
        (100, 100, 50, "above"),
        (85, 100, 90, "inside"),
        (2, 3, 99, "inside"),  # below three sigma, yet three in a hundred such agents look like that
        (20, 40, 99, "below"),
        (9, 10, 100, "below"),
        (1, 10, 0, "above"),
        (10, 10, 100, "inside"),
        (0, 0, 90, None),
    ],
)
def test_an_agent_is_called_outside_only_when_chance_will_not_do(offered, ended, p, where):
    assert place(offered, ended, p) == where


@pytest.mark.parametrize("p", [0.0, 0.02, 0.3, 0.999, 1.0])
def test_the_exact_tail_is_the_binomial_one(p):
    terms = [math.comb(20, i) * p**i * (1 - p) ** (20 - i) for i in range(21)]
    assert [statistics.exactly(k, 20, p) for k in range(21)] == pytest.approx(terms, rel=1e-9)
    for k in range(-1, 23):
        assert statistics.at_most(k, 20, p) == pytest.approx(sum(terms[: k + 1]), rel=1e-9, abs=1e-15)


def test_of_millions_of_conversations_few_are_added_up(monkeypatch):
    """A page with a team of four million below the limits would else take seconds."""
    added = []
    exactly = statistics.exactly
    monkeypatch.setattr(statistics, "exactly", lambda k, n, p: added.append(k) or exactly(k, n, p))
    assert place(3_192_000, 4_000_000, 80.0) == "below"
    assert len(added) < 10_000


# -- exact coverage -------------------------------------------------------------------------------------


def multinomials(n):
    """Every way n answers fall into three classes, with its number of orders."""
    for detractors, passives in product(range(n + 1), repeat=2):
        if detractors + passives <= n:
            promoters = n - detractors - passives
            yield (detractors, passives, promoters), math.comb(n, detractors) * math.comb(n - detractors, passives)


def nps_coverage(n):
    cells = [(cell, ways, nps(in_classes(*reversed(cell)))) for cell, ways in multinomials(n)]
    steps = [(i / 20, j / 20, (20 - i - j) / 20) for i in range(1, 19) for j in range(1, 20 - i)]
    coverages = [
        sum(
            ways * d ** cell[0] * q ** cell[1] * p ** cell[2]
            for cell, ways, figure in cells
            if figure.low <= 100 * (p - d) <= figure.high
        )
        for d, q, p in steps
    ]
    return sum(coverages) / len(coverages), min(coverages)


@pytest.mark.parametrize(
    ("n", "average", "worst"), [(3, 0.959, 0.844), (5, 0.954, 0.896), (10, 0.955, 0.930), (30, 0.950, 0.940)]
)
def test_the_nps_interval_covers_as_often_as_it_says(n, average, worst):
    assert nps_coverage(n) == (pytest.approx(average, abs=0.002), pytest.approx(worst, abs=0.002))


def csat_coverage(n, parts):
    figures = [rate(k, n) for k in range(n + 1)]
    coverages = [
        sum(
            math.comb(n, k) * (i / parts) ** k * (1 - i / parts) ** (n - k)
            for k, figure in enumerate(figures)
            if figure.low <= 100 * i / parts <= figure.high
        )
        for i in range(1, parts)
    ]
    return sum(coverages) / len(coverages), min(coverages)


@pytest.mark.parametrize(("n", "average", "worst"), [(5, 0.955, 0.859), (10, 0.955, 0.904), (30, 0.952, 0.930)])
def test_the_csat_interval_covers_as_often_as_it_says(n, average, worst):
    assert csat_coverage(n, 100) == (pytest.approx(average, abs=0.002), pytest.approx(worst, abs=0.002))


# -- what always holds ----------------------------------------------------------------------------------


@given(counts_nps)
def test_the_nps_lies_inside_its_clamped_bounds(counts):
    figure = nps(counts)
    if figure.n > 1:
        assert -100 <= figure.low <= figure.value <= figure.high <= 100


@given(counts_csat)
def test_csat_and_mean_lie_inside_their_clamped_bounds(counts):
    share, average = csat(counts), mean(counts, CSAT_SCALE)
    if share.n:
        assert 0 <= share.low <= share.value <= share.high <= 100
        assert 1 <= average.low <= average.value <= average.high <= 5


@given(counts_nps, st.integers(2, 9))
def test_more_of_the_same_answers_narrow_the_bounds(counts, times):
    few, many = nps(counts), nps({score: times * count for score, count in counts.items()})
    if few.n > 1:
        assert many.value == pytest.approx(few.value)
        assert many.high - many.low < few.high - few.low


@given(shares, st.integers(2, 9))
def test_a_larger_sample_of_the_same_share_narrows_the_bounds(share, times):
    successes, n = share
    few, many = rate(successes, n), rate(times * successes, times * n)
    assert many.high - many.low < few.high - few.low


@given(counts_nps)
def test_turning_the_scale_around_turns_the_nps_around(counts):
    promoters, passives, detractors = reversed(statistics.classes_of("nps", counts))
    there, back = (
        nps(in_classes(promoters, passives, detractors)),
        nps(in_classes(detractors, passives, promoters)),
    )
    if there.n:
        assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


@given(shares)
def test_a_share_and_its_rest_mirror_each_other(share):
    successes, n = share
    there, back = rate(successes, n), rate(n - successes, n)
    assert (back.value, back.low, back.high) == pytest.approx((100 - there.value, 100 - there.high, 100 - there.low))


@given(shares)
def test_one_more_success_never_lowers_a_share_or_its_bounds(share):
    successes, n = share
    if successes < n:
        before, after = rate(successes, n), rate(successes + 1, n)
        assert after.value > before.value
        assert after.low >= before.low - 1e-9
        assert after.high >= before.high - 1e-9


@given(counts_nps, st.sampled_from(range(7)), st.sampled_from((9, 10)))
def test_winning_over_one_detractor_never_lowers_the_nps(counts, lost, won):
    moved = dict(counts)
    if moved.get(lost, 0) > 0:
        moved[lost] -= 1
        moved[won] = moved.get(won, 0) + 1
        assert nps(moved).value > nps(counts).value


@given(counts_nps, counts_nps)
def test_a_change_read_backwards_is_its_own_negative(first, second):
    there, back = compare_nps(first, second), compare_nps(second, first)
    assert (there is None) == (back is None)
    if there and back:
        assert (back.delta, back.z, back.low) == pytest.approx((-there.delta, -there.z, -there.high))
        assert back.p == pytest.approx(there.p)
        assert back.verdict == there.verdict


@given(shares, shares)
def test_verdict_interval_and_p_never_disagree(first, second):
    change = compare_rate(*first, *second)
    if abs(change.p - 0.05) > 1e-9:
        left_out_zero = change.low > 0 or change.high < 0
        assert (change.verdict == "changed") == left_out_zero == (change.p < 0.05)


@given(counts_nps)
def test_comparing_a_figure_with_itself_shows_no_change(counts):
    change = compare_nps(counts, counts)
    if change:
        assert (change.delta, change.p, change.verdict) == (0, 1, "no_change_shown")
