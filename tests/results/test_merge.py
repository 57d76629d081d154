"""An answer whose superseded reports are gone keeps its value, and its other half may still come."""

import pytest

from service.results.merge import Claim, SettledAnswer, Update, settle
from tests.support import START

SCALE = range(1, 6)
LATER = START.replace(hour=13)


@pytest.mark.parametrize(
    ("row", "update", "whole"),
    [
        (
            SettledAnswer(START, score=Claim(4, START, "card")),
            Update(LATER, text="thanks", text_at=LATER),
            SettledAnswer(LATER, Claim(4, START, "card"), Claim("thanks", LATER, "page")),
        ),
        (
            SettledAnswer(START, text=Claim("thanks", START, "card")),
            Update(LATER, score=2, score_at=LATER),
            SettledAnswer(LATER, Claim(2, LATER, "page"), Claim("thanks", START, "card")),
        ),
    ],
    ids=["a score", "a text"],
)
def test_a_value_outlives_its_reports(row: SettledAnswer, update: Update, whole: SettledAnswer) -> None:
    left = settle([], SCALE, row)
    assert left == row
    assert left.and_also(update, "page", SCALE) == whole


def test_a_remaining_report_is_weighed_by_itself() -> None:
    row = SettledAnswer(START, score=Claim(4, None, "card"))
    told = Update(START, score=4, score_at=START)
    assert settle([(told, "card")], SCALE, row).score.at == START
    row = SettledAnswer(START, text=Claim("thanks", START, "card"))
    told = Update(LATER, text="thanks", text_at=LATER)
    assert settle([(told, "card")], SCALE, row).text.at == LATER
