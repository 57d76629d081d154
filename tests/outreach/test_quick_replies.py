"""Quick replies name their request and score, and cannot be forged."""

import pytest

from service.ways.quick_reply import Tap, options, recognise
from service.x_api.questions import SCORE_RANGE

SECRET = "a-secret-key-of-the-service-1234567"


@pytest.mark.parametrize("kind", ["csat", "nps"])
def test_every_score_of_the_scale_is_an_option_in_its_order(kind):
    made = options(SECRET, "fr_1", kind, {})
    assert [each.label for each in made] == [str(score) for score in SCORE_RANGE[kind]]
    assert [recognise(SECRET, each.metadata) for each in made] == [Tap("fr_1", score) for score in SCORE_RANGE[kind]]
    assert all(len(each.metadata) <= 1000 for each in made)


def test_the_ends_of_the_scale_may_be_named_in_words_as_long_as_x_takes():
    made = options(SECRET, "fr_1", "csat", {1: "1 - very bad", 5: "5 " + "x" * 60})
    assert (made[0].label, len(made[4].label)) == ("1 - very bad", 36)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.replace("fr_1", "fr_2"),
        lambda said: said.replace(":4:", ":5:"),
        lambda said: said[:-1] + ("A" if said[-1] != "A" else "B"),
        lambda said: said + "A",
        lambda said: said.replace("dmf1", "dmf2"),
        lambda said: said[:0],
        lambda said: said[10:11],
        lambda said: said[:-22],
        lambda said: "\u0665" + said,
    ],
)
def test_a_forged_tap_says_nothing(change):
    said = options(SECRET, "fr_1", "csat", {})[3].metadata
    assert recognise(SECRET, said) == Tap("fr_1", 4)
    assert recognise(SECRET, change(said)) is None
    assert recognise("another-secret-key-of-a-service-123", said) is None
