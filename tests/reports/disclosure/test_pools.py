"""Groups with enough answers: none is small, every answer is in exactly one, and pools stay small."""

from hypothesis import given, settings
from hypothesis import strategies as st

from service.reports.disclosure.pools import NOBODY, Pools

LABELS = st.tuples(st.sampled_from(["red", "blue", "green"]), st.sampled_from(["ann", "bob", "cat", "dan"]))


def test_a_small_agent_is_among_the_others_of_its_team() -> None:
    pools = Pools({("red", "ann"): 9, ("red", "bob"): 3, ("red", "cat"): 2}, 5)
    assert pools.leaves == {(("red", "ann"), False): 9, (("red",), True): 5}


def test_a_pool_that_is_too_small_takes_the_smallest_sibling_along() -> None:
    pools = Pools({("red", "ann"): 9, ("red", "bob"): 6, ("red", "cat"): 2}, 5)
    assert pools.leaves == {(("red", "ann"), False): 9, (("red",), True): 8}


def test_a_team_that_is_too_small_goes_to_the_others_of_all() -> None:
    pools = Pools({("red", "ann"): 9, ("red", "bob"): 6, ("blue", "dan"): 2, ("green", "eve"): 3}, 5)
    assert pools.leaves == {(("red", "ann"), False): 9, (("red", "bob"), False): 6, ((), True): 5}


def test_a_team_without_answers_is_where_it_could_have_some() -> None:
    pools = Pools({("red", "ann"): 9, ("red", "bob"): 3, ("red", "cat"): 2}, 5)
    assert pools.leaf_of(("red", "new")) == (("red",), True)
    assert pools.leaf_of(("blue", "new")) is None


def test_an_unnamed_group_is_pooled_with_the_smallest() -> None:
    pools = Pools({("red",): 9, ("blue",): 6, (NOBODY,): 2}, 5)
    assert pools.leaves == {(("red",), False): 9, ((), True): 8}
    pools = Pools({("red", "ann"): 9, ("red", "bob"): 6, (NOBODY, NOBODY): 5}, 5)
    assert pools.leaves == {(("red", "ann"), False): 9, (("red", "bob"), False): 6, ((), True): 5}
    assert pools.leaf_of((NOBODY, NOBODY)) == ((), True)


def test_exactly_enough_answers_are_named() -> None:
    sizes = {("red", "ann"): 5, ("red", "bob"): 9}
    assert Pools(sizes, 5).leaves == {(label, False): n for label, n in sizes.items()}


def test_a_pool_takes_nobody_of_another_team_along() -> None:
    pools = Pools({("red", "ann"): 9, ("red", "bob"): 6, ("red", "cat"): 2, ("blue", "dan"): 5}, 5)
    assert pools.leaves == {(("red", "ann"), False): 9, (("red",), True): 8, (("blue", "dan"), False): 5}


def test_a_small_group_is_pooled_in_its_own_team_first() -> None:
    """Bob takes ann along before dan, who has nobody, goes to the others of all."""
    assert Pools({("red", "ann"): 9, ("red", "bob"): 3, ("blue", "dan"): 2}, 5).leaves == {((), True): 14}


def test_a_path_of_three_goes_up_one_step_at_a_time() -> None:
    pools = Pools({("x", "red", "ann"): 9, ("x", "blue", "bob"): 2, ("y", "green", "eve"): 9}, 5)
    assert pools.leaves == {(("x",), True): 11, (("y", "green", "eve"), False): 9}


SMALL = {("blue", "dan"): 2, ("green", "eve"): 3}


def test_two_of_a_team_are_pooled_with_nobody_else() -> None:
    pools = Pools({("red", "ann"): 9, ("red", "bob"): 6, **SMALL}, 5)
    joined = pools.joined((("red", "ann"), False), (("red", "bob"), False))
    assert joined.leaves == {(("red",), True): 15, ((), True): 5}


def test_two_teams_are_joined_with_the_pools_between() -> None:
    pools = Pools({("red", "ann"): 9, ("red", "bob"): 3, ("red", "cat"): 2, ("blue", "dan"): 6}, 5)
    joined = pools.joined((("red", "ann"), False), (("blue", "dan"), False))
    assert joined.leaves == {((), True): 20}


def test_a_coarser_group_joins_the_others_of_its_team() -> None:
    pools = Pools({("red", "ann"): 9, ("red", "bob"): 6, **SMALL}, 5)
    assert pools.coarsen((("red", "bob"), False))
    assert pools.leaves == {(("red", "ann"), False): 9, (("red",), True): 6, ((), True): 5}


def test_those_with_the_fewest_named_answers_are_joined_first() -> None:
    ann, bob, dan = (("red", "ann"), False), (("red", "bob"), False), (("blue", "dan"), False)
    pools = Pools({ann[0]: 9, bob[0]: 6, dan[0]: 10}, 5)
    assert pools.pairs(bob) == [(ann, bob), (dan, bob), (dan, ann)]
    assert pools.pairs(dan) == [(dan, bob), (dan, ann)], "with one of the own team, or the team's only one with others"


def nearest(label, leaves):
    """Where a reader of the leaves looks for a label."""
    near = [(label, False), *((label[:depth], True) for depth in range(len(label) - 1, -1, -1))]
    return next(each for each in near if each in leaves)


@given(st.dictionaries(LABELS, st.integers(1, 12), min_size=1), st.data())
@settings(max_examples=200, deadline=None)
def test_every_answer_is_in_one_leaf_with_enough_also_when_it_grows_coarser(sizes, data) -> None:
    pools = Pools(sizes, 5)
    while True:
        leaves = pools.leaves
        assert sum(leaves.values()) == sum(sizes.values())
        assert all(n >= 5 for n in leaves.values()) or len(leaves) == 1
        assert all(label[: len(pool[0])] == pool[0] for label in sizes if (pool := pools.leaf_of(label)))
        assert all(nearest(label, leaves) == pools.leaf_of(label) for label in sizes)
        for one, other in pools.pairs(data.draw(st.sampled_from(sorted(leaves, key=repr))))[:3]:
            joined = pools.joined(one, other)
            assert all(n >= 5 for n in joined.leaves.values()) or len(joined.leaves) == 1
            assert all(nearest(label, joined.leaves) == joined.leaf_of(label) for label in sizes)
            assert pools.leaves == leaves, "trying changes nothing"
        if not pools.coarsen(data.draw(st.sampled_from(sorted(leaves, key=repr)))):
            break
        assert len(pools.leaves) < len(leaves) or pools.leaves != leaves
    assert len(pools.leaves) == 1
