"""The questions X can put on a card, by type and `question_variant_id`, and the limits of a card's fields.

The texts are X's and cannot be changed. A variant outside the list must not be sent: X's app shows an unknown NPS
variant as 0 and an unknown CSAT one not at all.
"""

from collections.abc import Mapping

TEXT_LIMIT = 10_000

SCORE_RANGE: Mapping[str, range] = {"nps": range(11), "csat": range(1, 6)}


def question(card_type: str, variant: int, display_name: str) -> str:
    """The sentence on the card. ValueError if X has no such question."""
    if not valid(card_type, variant):
        raise ValueError(f"X has no {card_type} question number {variant}.")
    return QUESTIONS[card_type][variant].replace("{n}", display_name)


def valid(card_type: str, variant: object) -> bool:
    """Whether X has this question."""
    texts = QUESTIONS.get(card_type, ())
    return isinstance(variant, int) and not isinstance(variant, bool) and 0 <= variant < len(texts)


# The NPS texts are those of X's 2026 sample; the 2016 page repeats the CSAT texts under NPS, an error of copying.
_NPS = (
    "How likely are you to recommend {n} to a friend?",
    "How likely is it that you would recommend {n} to a friend?",
    "How likely is it that you would recommend {n} to a colleague?",
    "How likely is it that you would recommend {n} to a family member?",
    "How likely is it that you would recommend {n} to someone else?",
    "How likely is it that you would recommend {n} to a friend or colleague?",
    "How likely is it that you would shop at {n} in the future?",
    "How likely is it that you would recommend {n}?",
    "Would you recommend {n} to a friend or colleague?",
    "How likely are you to recommend your experience with {n} to a friend?",
)

_CSAT = (
    "What is your overall satisfaction with {n}?",
    "How satisfied are you with {n}?",
    "Overall, how satisfied were you with your recent {n} experience?",
    "How would you rate the overall experience with {n}?",
    "How would you rate your overall experience with {n}?",
    "How would you rate your experience so far with {n}?",
    "How would you rate your experience on Twitter with {n}?",
    "Were you satisfied with your recent experience with {n}?",
    "How well does {n} meet your expectations?",
    "How would you rate your guest experience with {n}?",
    "How would you rate your service experience with {n}?",
    "How would you rate your recent service experience with {n}?",
    "How would you rate the service you received from {n}?",
    "Were you satisfied with the result of your interaction with {n}?",
    "How would you rate the ability to resolve your issue with {n}?",
    "How would you rate the response time from {n}?",
    "How would you rate the speed of service from {n}?",
    "How would you rate the time to resolution with {n}?",
    "How would you rate the time to resolve your issue with {n}?",
    "How would you rate the speed of resolution with {n}?",
    "How would you rate the {n} advisor's expertise?",
    "How satisfied were you with the {n} agent who helped you?",
    "How satisfied were you with the {n} specialist who helped you?",
    "How satisfied were you with the {n} representative who helped you?",
    "How would you rate your recent banking experience with {n}?",
    "How would you rate the overall event experience at {n}?",
    "How would you rate your bill pay experience with {n}?",
    "How would you rate your purchase experience with {n}?",
    "How would you rate your shopping experience with {n}?",
    "How would you rate your delivery experience with {n}?",
    "How would you rate your rental experience with {n}?",
    "How would you rate your recent {n} store visit?",
    "How would you rate your recent {n} hotel stay?",
    "How would you rate your recent flight with {n}?",
    "How would you rate your recent ride with {n}?",
    "How would you rate your recent trip with {n}?",
    "How would you rate your recent visit to {n}?",
    "How would you rate your recent meal at {n}?",
)

QUESTIONS: Mapping[str, tuple[str, ...]] = {"nps": _NPS, "csat": _CSAT}
