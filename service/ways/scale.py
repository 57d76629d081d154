"""The words of a scale: what each score means, for a card's type and a language, where it has a word.

A short scale has a word for every score, a long one for its two ends.
"""

from collections.abc import Mapping

from service.ways.catalogue import Language
from service.x_api.questions import SCORE_RANGE

CSAT_WORDS = (
    "Very dissatisfied",
    "Dissatisfied",
    "Neither satisfied nor dissatisfied",
    "Satisfied",
    "Very satisfied",
)
NPS_ENDS = ("Not at all likely", "Extremely likely")


def words(kind: str, language: Language) -> Mapping[int, str]:
    """Return the word of each score that has one."""
    scores = SCORE_RANGE[kind]
    if kind == "csat":
        return dict(zip(scores, map(language.say, CSAT_WORDS), strict=True))
    return dict(zip((min(scores), max(scores)), map(language.say, NPS_ENDS), strict=True))
