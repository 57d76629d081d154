"""Languages by name and by tag, in every way of writing them."""

import pytest

from service.intake.values.languages import LANGUAGE_OF, LANGUAGES, REGION_OF, REGIONS, language_tag
from service.language_tags import CALLED_NOW


@pytest.mark.parametrize(
    ("given", "tag"),
    [
        ("de", "de"), ("\uff24\uff25 ", "de"),
        ("de_DE", "de-DE"), ("en_us", "en-US"), ("pt-br", "pt-BR"), ("zh_Hans", "zh-Hans"),
        ("zh-hant-tw", "zh-Hant-TW"), ("de-1996", "de-1996"), ("fil", "fil"), ("English", "en"),
        ("English (United States)", "en-US"), ("english (united kingdom)", "en-GB"), ("Deutsch", "de"),
        ("Deutsch (Österreich)", "de-AT"), ("Français (Canada)", "fr-CA"), ("Español (Latinoamérica)", "es-419"),
        ("Português (Brasil)", "pt-BR"), ("Simplified Chinese", "zh-Hans"), ("日本語", "ja"), ("Norsk", "nb"),
        ("German (Atlantis)", "de"), ("iw", "he"), ("in_ID", "id-ID"), ("no", "nb"), ("tl", "fil"), ("DEU", "de"),
        ("fre-CA", "fr-CA"), ("zho", "zh"), ("gsw", "gsw"),
    ],
)  # fmt: skip
def test_a_language_is_known_by_tag_and_by_name(given: str, tag: str) -> None:
    assert language_tag(given) == tag


@pytest.mark.parametrize(
    "given",
    [
        "", "x", "klingonisch", "Klingon (Qo'noS)", "de-", "de--DE", "d" * 40, "12", "(Germany)",
        f"de{'-abcdefgh' * 4}", f"tl{'-abcdefg' * 3}-abcdefgh",  # which is fil, and a letter longer
    ],
)  # fmt: skip
def test_anything_else_is_no_language(given: str) -> None:
    assert language_tag(given) is None


def test_a_million_blanks_are_no_language_and_take_no_time() -> None:
    assert language_tag(f"a{' ' * 1_000_000}(") is None


def test_an_old_language_code_becomes_the_current_one() -> None:
    assert not set(CALLED_NOW.values()) & set(CALLED_NOW)
    assert {language_tag(old) for old in CALLED_NOW} == set(CALLED_NOW.values())


def test_no_name_means_two_languages() -> None:
    assert len(LANGUAGE_OF) == sum(len(names.split("|")) for names in LANGUAGES.values())
    assert len(REGION_OF) == sum(len(names.split("|")) for names in REGIONS.values())
    assert all(name == name.casefold() for name in [*LANGUAGE_OF, *REGION_OF])
