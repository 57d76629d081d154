"""Words are compared however they are written; language tags and their less specific forms."""

import pytest

from service.language_tags import nearest_first
from service.text import folded


@pytest.mark.parametrize(
    "written",
    [
        "No-Survey",
        "NO-SURVEY",
        " no-survey\u00a0",
        "no\u2011survey",
        "no\u2013survey",
        "no\u2212survey",
        "no-sur\u00advey",
        "\ufeffno-survey\u200b",
        "\uff2e\uff4f\uff0d\uff33\uff35\uff32\uff36\uff25\uff39",
    ],
)
def test_a_word_is_the_same_however_it_is_written(written: str) -> None:
    assert folded(written) == "no-survey"


def test_combining_letters_and_spacing_do_not_matter() -> None:
    assert folded("Umfrage fu\u0308r  Stra\u00dfe \u2764\ufe0f") == folded("umfrage f\u00fcr STRASSE \u2764")
    assert len({folded(each) for each in ("survey", "no survey", "no_survey", "no-survey", "nosurvey")}) == 5


@pytest.mark.parametrize(
    ("language", "kinds"),
    [
        ("zh-Hant-TW", ["zh-hant-tw", "zh-hant", "zh"]),
        ("de_AT", ["de-at", "de"]),
        ("\uff25\uff2e", ["en"]),
        ("iw_IL", ["he-il", "he"]),
        ("ind", ["id"]),
        ("", []),
        (None, []),
    ],
)
def test_a_language_includes_its_more_general_forms(language: str | None, kinds: list[str]) -> None:
    assert nearest_first(language) == kinds
