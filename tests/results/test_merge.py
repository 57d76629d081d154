"""An answer whose superseded reports are gone keeps its value, and its other half may still come."""

import pytest

from service.results.merge import Update, VisibleAnswer, settle
from tests.support import START

SCALE = range(1, 6)
LATER = START.replace(hour=13)


@pytest.mark.parametrize(
    ("row", "update", "whole"),
    [
        (
            VisibleAnswer(START, score=4, score_at=START, score_way="card"),
            Update(LATER, text="thanks", text_at=LATER),
            VisibleAnswer(LATER, 4, START, "card", "thanks", LATER, "page"),
        ),
        (
            VisibleAnswer(START, text="thanks", text_at=START, text_way="card"),
            Update(LATER, score=2, score_at=LATER),
            VisibleAnswer(LATER, 2, LATER, "page", "thanks", START, "card"),
        ),
    ],
    ids=["a score", "a text"],
)
def test_a_value_outlives_its_reports(row: VisibleAnswer, update: Update, whole: VisibleAnswer) -> None:
    left = settle([], SCALE, row)
    assert left.shown == row
    assert (left.score is None, left.text is None) == (row.score is None, row.text is None)
    assert left.and_also(update, "page", SCALE).shown == whole


def test_a_remaining_report_is_weighed_by_itself() -> None:
    row = VisibleAnswer(START, score=4, score_at=None, score_way="card")
    told = Update(START, score=4, score_at=START)
    assert settle([(told, "card")], SCALE, row).shown.score_at == START
    row = VisibleAnswer(START, text="thanks", text_at=START, text_way="card")
    told = Update(LATER, text="thanks", text_at=LATER)
    assert settle([(told, "card")], SCALE, row).shown.text_at == LATER
