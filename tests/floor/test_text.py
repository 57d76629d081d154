"""Words are compared however they are written; language tags and their less specific forms."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.language_tags import nearest_first
from service.reports.rows.search import begun
from service.text import folded, normal


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


@given(st.text(st.characters(max_codepoint=127), max_size=20))
def test_a_word_of_plain_letters_is_read_as_any_other(word: str) -> None:
    assert folded(word) == folded(f"{word}\u200b")


def test_capitals_are_those_of_turkish_too() -> None:
    assert {folded(each) for each in ("iptal", "\u0130ptal", "\u0130PTAL", "IPTAL")} == {"iptal"}
    assert folded("b\u0131rak") == folded("BIRAK")


def test_combining_letters_and_spacing_do_not_matter() -> None:
    assert folded("Umfrage fu\u0308r  Stra\u00dfe \u2764\ufe0f") == folded("umfrage f\u00fcr STRASSE \u2764")
    assert len({folded(each) for each in ("survey", "no survey", "no_survey", "no-survey", "nosurvey")}) == 5


@pytest.mark.parametrize(
    "marks", ["\u0301\u0316", "\u0301" * 29 + "\u200d" + "\u0316" * 29 + "\u200d", ".\u0344"], ids=len
)
def test_a_letter_with_countless_marks_is_read_at_once(marks: str) -> None:
    """Sorted by what they are, as Unicode has it, they would take hours; nothing else runs meanwhile."""
    text = "a" + marks * (300_000 // len(marks))
    assert folded(text) == folded(text.upper())
    assert begun(text)


@given(st.text(st.sampled_from("a e.-\u0301\u0316\u0345\u3099\uac00\u1100\u1161\u200d\ufb01\u00df"), max_size=29))
def test_a_text_of_fewer_marks_is_in_unicode_s_own_form(text: str) -> None:
    for form in ("NFC", "NFKC", "NFKD"):
        assert normal(form, text) == unicodedata.normalize(form, text)


@pytest.mark.parametrize(
    ("language", "kinds"),
    [
        ("zh-Hant-TW", ["zh-hant-tw", "zh-hant", "zh"]),
        ("de_AT", ["de-at", "de"]),
        ("zh_TW", ["zh-tw", "zh-hant", "zh"]),
        ("nno", ["nn", "nb"]),
        ("\uff25\uff2e", ["en"]),
        ("iw_IL", ["he-il", "he"]),
        ("ind", ["id"]),
        ("", []),
        (None, []),
    ],
)
def test_a_language_includes_its_more_general_forms(language: str | None, kinds: list[str]) -> None:
    assert nearest_first(language) == kinds


def test_a_tag_of_a_million_parts_has_a_few_forms() -> None:
    """What a browser sends is asked for all of them: each is as long as the one before."""
    assert nearest_first("a-" * 1_000_000)[-2:] == ["a-a", "a"]
    assert len(nearest_first("a-" * 1_000_000)) < 20
