"""What a page asks: for a card's type, wording and language, the question and the answers to choose from.

The wording is X's own for the variant, so page and card ask the same, unless the campaign has its own words for the
language.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from service.language_tags import nearest_first, plainly
from service.settings import Campaign
from service.ways.catalogue import Language
from service.ways.scale import words
from service.x_api.questions import SCORE_RANGE, question


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer. `says` is its word, empty for a score in the middle of a long scale."""

    score: int
    says: str


@dataclass(frozen=True, slots=True)
class Question:
    """`text` in `language`; `words_shown`: every choice has a word, not just the ends of the scale."""

    text: str
    language: str
    choices: tuple[Choice, ...]
    words_shown: bool


def own_words(campaigns: Iterable[Campaign], name: str, language: Language) -> str | None:
    """Return the campaign's own wording in the page's language, if it has one: also that of another region."""
    texts = next((each.texts for each in campaigns if each.name == name), {})
    by_code = {plainly(written): each.question for written, each in texts.items()}
    nearest = nearest_first(language.code)
    elsewhere = (each.question for code in nearest for written, each in texts.items() if code in nearest_first(written))
    return next(filter(None, [*map(by_code.get, nearest), *elsewhere]), None)


def ask(kind: str, variant: int, name: str, language: Language, own_words: str | None = None) -> Question:
    """Build the question. X's texts are English, which `language` says."""
    text = own_words or question(kind, variant, name)
    spoken = language.code if own_words else "en"
    said = words(kind, language)
    choices = tuple(Choice(score, said.get(score, "")) for score in SCORE_RANGE[kind])
    return Question(text, spoken, choices, words_shown=len(said) == len(choices))
