"""The questions X can ask, and their limits."""

import pytest

from service.settings import Account
from service.settings.declare import declared
from service.x_api.client import XClient
from service.x_api.limits import CALLS_PER_WINDOW
from service.x_api.questions import (
    QUESTIONS,
    SCORE_RANGE,
    TEXT_LIMIT,
    question,
    valid,
)


@pytest.mark.parametrize(
    ("card_type", "variant", "text"),
    [
        ("nps", 0, "How likely are you to recommend {n} to a friend?"),
        ("nps", 5, "How likely is it that you would recommend {n} to a friend or colleague?"),
        ("nps", 9, "How likely are you to recommend your experience with {n} to a friend?"),
        ("csat", 0, "What is your overall satisfaction with {n}?"),
        ("csat", 18, "How would you rate the time to resolve your issue with {n}?"),
        ("csat", 19, "How would you rate the speed of resolution with {n}?"),
        ("csat", 37, "How would you rate your recent meal at {n}?"),
    ],
)
def test_a_question_reads_as_the_customer_sees_it(card_type, variant, text):
    assert question(card_type, variant, "Café {n} & Co") == text.replace("{n}", "Café {n} & Co")


def test_there_are_ten_nps_and_thirty_eight_csat_questions_and_each_names_the_business_once():
    assert {kind: len(texts) for kind, texts in QUESTIONS.items()} == {"nps": 10, "csat": 38}
    texts = [text for kind in QUESTIONS for text in QUESTIONS[kind]]
    assert len(set(texts)) == 48
    assert all(text.count("{n}") == 1 and text.endswith("?") for text in texts)


@pytest.mark.parametrize(
    ("card_type", "variant"),
    [
        ("nps", 10),
        ("csat", 38),
        ("nps", -1),
        ("NPS", 0),
        ("", 0),
        ("csat", "3"),
        ("csat", True),
        ("csat", None),
        ("csat", 1.0),
    ],
)
def test_a_question_x_does_not_have_is_not_valid(card_type, variant):
    assert not valid(card_type, variant)
    with pytest.raises(ValueError):
        question(card_type, variant, "Us")


def test_every_listed_question_is_valid():
    assert all(valid(kind, number) for kind, texts in QUESTIONS.items() for number in range(len(texts)))


def test_scores_and_limits_are_those_of_x():
    assert list(SCORE_RANGE["nps"]) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert list(SCORE_RANGE["csat"]) == [1, 2, 3, 4, 5]
    assert TEXT_LIMIT == 10_000


OF_SETTINGS = {
    "send_dm": "dms_per_day", "create_feedback": "cards_per_day", "list_dms": "lookups_per_window",
    "list_dms_with": "lookups_per_window",
}  # fmt: skip
AT_THE_START = {"verify_credentials"}


def test_every_call_of_the_client_has_one_documented_limit_in_one_place():
    calls = {name for name in vars(XClient) if not name.startswith("_")} - {"close"}
    assert calls == CALLS_PER_WINDOW.keys() | OF_SETTINGS.keys() | AT_THE_START
    assert not CALLS_PER_WINDOW.keys() & OF_SETTINGS.keys()
    assert set(OF_SETTINGS.values()) <= declared(Account).keys()
