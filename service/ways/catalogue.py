"""The words of the page and of quick replies in a language, or in the nearest language there is.

The messages are gettext catalogues, one file per language, read once at the start. English is the key and the fallback.
Never translates what a business or a customer wrote.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unicodedata import bidirectional

from babel.messages.pofile import read_po

from service.language_tags import nearest_first

FOLDER = Path(__file__).parent / "languages"
DEFAULT = "en"
# what browsers and CRMs say for a language that we keep under a longer name
KNOWN_AS = {"pt": "pt-BR", "zh": "zh-Hans"}
DIRECTIONS = {"L": "ltr", "R": "rtl", "AL": "rtl"}  # of the letters that have one


@dataclass(frozen=True, slots=True)
class Language:
    """One language: `code` for the page's `lang`, `direction` ltr or rtl, messages by their English text."""

    code: str
    direction: str
    messages: Mapping[str, str]

    def say(self, english: str, **values: object) -> str:
        """Return the message with its values put in."""
        return self.messages.get(english, english).format(**values)


@cache
def languages() -> Mapping[str, Language]:
    """Read every catalogue there is, by its code in lower case."""
    found = (_read(path) for path in sorted(FOLDER.glob("*.po")))
    return {each.code.lower(): each for each in found}


def choose(wanted: Iterable[str]) -> Language:
    """Return the first wanted language we have, exactly or more generally (`fr` for `fr-CA`); else English."""
    there = languages()
    for each in wanted:
        for code in nearest_first(each):
            for name in (code, KNOWN_AS.get(code, "")):
                if name.lower() in there:
                    return there[name.lower()]
    return there[DEFAULT]


def _read(path: Path) -> Language:
    with path.open("rb") as file:
        messages = {str(each.id): str(each.string) for each in read_po(file) if each.id and each.string}
    return Language(path.stem, _direction("".join(messages.values())), messages)


def _direction(text: str) -> str:
    """Where a text begins: at its first letter's side, as browsers find it with dir="auto"."""
    sides = (bidirectional(letter) for letter in text)
    return next((DIRECTIONS[side] for side in sides if side in DIRECTIONS), "ltr")
