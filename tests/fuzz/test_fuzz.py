"""A short fuzzing run over every edge; `python -m tests.fuzz` is the long one."""

from random import Random

import pytest

from tests.fuzz.edges import EDGES
from tests.fuzz.run import run


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax")  # the library's word to whoever writes one
@pytest.mark.parametrize("name", EDGES)
def test_any_input_is_read_or_refused(name: str) -> None:
    ran = run(EDGES[name](), 300, "tests")
    assert ran.inputs == 300
    assert not ran.faults, [(each.seed, repr(each.error)[:300]) for each in ran.faults]


def test_a_fault_is_found_and_can_be_repeated() -> None:
    def edge(dice: Random) -> None:
        if dice.randrange(50) == 7:
            raise ZeroDivisionError

    ran = run(edge, 500, "x")
    assert 0 < len(ran.faults) < 20
    with pytest.raises(ZeroDivisionError):
        edge(Random(ran.faults[0].seed))
