"""The page in all its languages, complete, with the business's name and readable colours."""

import re
from pathlib import Path

import pytest

from service.results.page.branding import CONTRAST, DARK, LIGHT, NOBODY, contrast, readable, sender_of
from service.results.page.question import ask, own_words
from service.results.page.rendering import TEMPLATES
from service.settings import SettingsError
from service.ways.catalogue import choose, languages
from tests.support import settings_of

PAGE = Path(TEMPLATES).parent
SAID = re.compile(r'language\.say\(\s*"([^"]+)"')


def messages_of_the_code() -> set[str]:
    files = [*PAGE.glob("*.py"), *TEMPLATES.glob("*.html")]
    said = {text for file in files for text in SAID.findall(file.read_text("utf-8"))}
    listed = {each for kind in ("csat", "nps") for each in (c.says for c in ask(kind, 0, "N", choose(["en"])).choices)}
    return said | (listed - {""})


def test_there_are_fifteen_languages_and_arabic_runs_from_right_to_left() -> None:
    assert len(languages()) == 15, "README.md says fifteen"
    assert {each.code for each in languages().values() if each.direction == "rtl"} == {"ar"}


@pytest.mark.parametrize("code", sorted(languages()))
def test_no_language_lacks_a_message_or_one_of_its_values_or_holds_one_nobody_says(code: str) -> None:
    messages = choose([code]).messages
    assert messages_of_the_code() == set(messages)
    for english, there in messages.items():
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", there)), english
        assert code == "en" or there != english or english == "Privacy", english


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (["pt"], "pt-BR"),
        (["pt-PT"], "pt-BR"),
        (["fr_CA"], "fr"),
        (["ZH-cn"], "zh-Hans"),
        (["xx", "de-AT"], "de"),
        (["", "?"], "en"),
        ([], "en"),
    ],
)
def test_a_language_is_found_by_its_name_its_base_or_its_other_name(wanted: list[str], code: str) -> None:
    assert choose(wanted).code == code


def test_the_question_is_xs_own_and_says_that_it_is_english() -> None:
    question = ask("nps", 0, "Acme", choose(["de"]))
    assert (question.text, question.language) == ("How likely are you to recommend Acme to a friend?", "en")
    assert [each.score for each in question.choices] == list(range(11))
    assert [each.says for each in question.choices if each.says] == [
        "Überhaupt nicht wahrscheinlich",
        "Äußerst wahrscheinlich",
    ]


def test_a_campaigns_own_wording_is_taken_in_its_language_only() -> None:
    texts = {"en": {"card": "c"}, "de": {"card": "c", "question": "Wie zufrieden waren Sie?"}}
    campaigns = settings_of(campaigns__care__texts=texts, campaigns__care__opening=False).campaigns
    assert own_words(campaigns, "care", choose(["de-AT"])) == "Wie zufrieden waren Sie?"
    assert own_words(campaigns, "care", choose(["fr"])) is None
    assert own_words(campaigns, "gone", choose(["de"])) is None


@pytest.mark.parametrize("written", ["en-GB", "de-CH", "zh-CN", "zh-TW", "pt-PT", "pt"])
def test_a_campaigns_own_wording_for_a_region_is_taken_where_the_page_has_the_language_only(written: str) -> None:
    campaigns = settings_of(
        campaigns__care__texts={written: {"card": "c", "question": "?"}},
        campaigns__care__opening=False,
    ).campaigns
    assert own_words(campaigns, "care", choose([written])) == "?"
    assert own_words(campaigns, "care", choose(["fr"])) is None


def test_of_two_regions_the_one_in_the_page_s_script_is_taken() -> None:
    texts = {code: {"card": "c", "question": code} for code in ("zh-TW", "zh-CN")}
    campaigns = settings_of(campaigns__care__texts=texts, campaigns__care__opening=False).campaigns
    assert own_words(campaigns, "care", choose(["zh-CN"])) == "zh-CN"


@pytest.mark.parametrize("accent", ["#1d5fd0", "#ffee00", "#000000", "#ffffff", "#7f7f7f"])
def test_an_accent_is_shifted_until_it_can_be_read_on_light_and_on_dark(accent: str) -> None:
    assert contrast(readable(accent, LIGHT), LIGHT) >= CONTRAST
    assert contrast(readable(accent, DARK), DARK) >= CONTRAST


def test_an_accent_that_can_be_read_stays_as_it_is() -> None:
    assert readable("#1d5fd0", LIGHT) == "#1d5fd0"
    assert contrast(NOBODY.on_light, LIGHT) >= CONTRAST
    assert contrast(NOBODY.on_dark, DARK) >= CONTRAST


def test_a_logo_that_cannot_be_used_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "logo.txt").write_text("no picture", "utf-8")
    for file in ("logo.txt", "missing.png"):
        account = settings_of(accounts__acme__page_logo=str(tmp_path / file)).accounts["acme"]
        with pytest.raises(SettingsError, match="page_logo"):
            sender_of(account)
