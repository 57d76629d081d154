"""Which campaign takes a conversation, what the customer reads, who is drawn, and when we write."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from service.accounts import volume
from service.db import writing
from service.outreach import campaigns
from service.outreach.campaigns import Conversation, choose, decide, language_of, takes
from service.outreach.gates import DAILY_LIMIT, RequestFacts, closed, quiet
from service.requests.machine import Postpone, Stop
from service.states import Skip
from tests.support import START, World, settings_of

CONVERSATION = Conversation(
    request_id="fr_1",
    id="c-1", source="crm", account="acme", ended_at=START, team_id="gold", tags=("vip", "billing"), channel="x",
    language="de-AT", x_handle="ada",
)  # fmt: skip
SETTINGS = settings_of(
    campaigns__care__texts={
        "en": {"opening": "Hi {handle}", "card": "{question} ({scale})"},
        "de": {"opening": "Hallo {handle}", "card": "Wie war es mit {display_name}?"},
    },
    campaigns__care__display_name="Acme",
)
CARE = SETTINGS.campaigns[0]
ACME = SETTINGS.accounts["acme"]


@pytest.mark.parametrize(
    ("filters", "taken"),
    [
        ({}, True),
        ({"sources": ("crm",)}, True),
        ({"sources": ("other",)}, False),
        ({"accounts": ("other",)}, False),
        ({"teams": ("gold", "silver")}, True),
        ({"teams": ("silver",)}, False),
        ({"tags": ("vip",)}, True),
        ({"tags": ("nobody",)}, False),
        ({"without_tags": ("billing",)}, False),
        ({"channels": ("x",), "languages": ("de-AT",)}, True),
        ({"channels": ("mail",)}, False),
        ({"channels": ("X",), "teams": ("Gold",), "tags": ("VIP",)}, True),
        ({"without_tags": ("Billing",)}, False),
        ({"without_tags": ("# billing",)}, False),
        ({"without_tags": ("bill-ing",)}, True),
        ({"without_tags": (" Billing\u00a0",)}, False),
        ({"without_tags": ("bil\u00adling\u200b",)}, False),
        ({"languages": ("de",)}, True),
        ({"languages": ("DE_at",)}, True),
        ({"languages": ("de-CH", "en")}, False),
    ],
)
def test_every_filter_must_match(filters: dict[str, Any], taken: bool) -> None:
    assert takes(replace(CARE, **filters), CONVERSATION) is taken


def test_a_word_is_the_same_however_its_letters_are_put_together() -> None:
    tagged = replace(CONVERSATION, tags=("Umfrage\u2011fu\u0308r\u2013niemanden",))
    assert not takes(replace(CARE, without_tags=("umfrage-f\u00fcr-niemanden",)), tagged)


@pytest.mark.parametrize("written", ["no_survey", "No Survey", "#no-survey", "\uff03 no\u2011 survey", "no--survey"])
def test_a_tag_is_the_same_however_its_words_are_joined(written: str) -> None:
    care = replace(CARE, without_tags=("no-survey",))
    assert not takes(care, replace(CONVERSATION, tags=("vip", written)))
    assert takes(replace(CARE, tags=("no_survey",)), replace(CONVERSATION, tags=(written,)))
    assert not takes(replace(CARE, without_tags=(written,)), replace(CONVERSATION, tags=("no-survey",)))
    assert takes(care, replace(CONVERSATION, tags=("nosurvey", "survey", "no")))


@pytest.mark.parametrize(
    ("spoken", "filtered", "taken"),
    [
        ("zh-TW", "zh-Hant", True), ("zh_hk", "zh-Hant", True), ("zh-CN", "zh-Hans", True), ("zh-TW", "zh-Hans", False),
        ("zh-TW", "zh-TW", True), ("zh-Hant-TW", "zh-Hant", True), ("zh", "zh-Hant", False),
        ("nn", "no", True), ("nno-NO", "no", True), ("nb", "no", True), ("no", "nb", True), ("nb", "nn", False),
    ],
)  # fmt: skip
def test_a_language_is_taken_under_the_names_it_goes_by(spoken: str, filtered: str, *, taken: bool) -> None:
    assert takes(replace(CARE, languages=(filtered,)), replace(CONVERSATION, language=spoken)) is taken


def test_who_reads_traditional_characters_is_written_to_in_them() -> None:
    care = replace(CARE, texts={"en": CARE.texts["en"], "zh-Hant": CARE.texts["en"], "nb": CARE.texts["de"]})
    assert [language_of(each, care) for each in ("zh-TW", "nn-NO", "zh-CN")] == ["zh-Hant", "nb", "en"]


def chosen(conversation: Conversation = CONVERSATION, expected_per_day: int = 10, **changes: Any) -> Any:
    campaign = replace(CARE, **changes)
    return choose(conversation, [campaign], ACME, hash_key="k" * 32, expected_per_day=expected_per_day)


def test_a_conversation_nobody_takes_is_skipped() -> None:
    assert chosen(teams=("nobody",)) == Stop("skipped", Skip.NO_CAMPAIGN)


def test_texts_are_frozen_in_the_customers_language() -> None:
    plan = chosen().plan
    assert (plan.opening_text, plan.card_text) == ("Hallo @ada", "Wie war es mit Acme?")


def test_an_unknown_language_falls_back_to_the_first_written() -> None:
    plan = chosen(replace(CONVERSATION, language="fr")).plan
    assert plan.card_text == "How satisfied are you with Acme? (1-5)"


@pytest.mark.parametrize(
    ("language", "written"),
    [("de", "de"), ("DE_at", "de"), ("de-CH", "de"), ("en-GB", "en"), (None, "en"), ("zz", "en")],
)
def test_a_language_is_matched_by_its_base(language: str | None, written: str) -> None:
    assert language_of(language, CARE) == written


def test_the_nearest_variant_of_a_language_is_used() -> None:
    care = replace(CARE, texts={"en": CARE.texts["en"], "zh_Hant": CARE.texts["en"], "zh": CARE.texts["de"]})
    assert [language_of(each, care) for each in ("zh-Hant-TW", "zh-CN", "ja")] == ["zh_Hant", "zh", "en"]


def test_nothing_is_written_before_the_delay_is_over() -> None:
    found = chosen(delay=timedelta(minutes=5))
    assert isinstance(found, Postpone)
    assert found.until == START + timedelta(minutes=5)


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_the_same_input_draws_the_same_number(number: int, share: float) -> None:
    conversation = replace(CONVERSATION, id=f"c-{number}")
    campaign = replace(CARE, sample=share)
    first, again = (decide(conversation, campaign, ACME, hash_key="s" * 32, expected_per_day=5000) for _ in range(2))
    assert first == again
    assert first["sample"]["drawn"] == (first["sample"]["lot"] < share)


@pytest.mark.parametrize(("lot", "drawn"), [(0.0, True), (0.49, True), (0.5, False)])
def test_a_number_below_the_share_is_drawn_and_a_zero_share_draws_nobody(
    monkeypatch: pytest.MonkeyPatch, lot: float, drawn: bool
) -> None:
    monkeypatch.setattr(campaigns, "draw", lambda *_: lot)
    half = decide(CONVERSATION, replace(CARE, sample=0.5), ACME, hash_key="k", expected_per_day=4000)
    assert [each["drawn"] for each in half.values()] == [drawn, drawn], "two thousand ask for a thousand messages"
    none = decide(CONVERSATION, replace(CARE, sample=0.0), ACME, hash_key="k", expected_per_day=4000)
    assert none["sample"]["drawn"] is False


def test_a_short_budget_is_drawn_fairly_and_not_first_come() -> None:
    decisions = [
        decide(replace(CONVERSATION, id=f"c-{n}"), CARE, ACME, hash_key="s" * 32, expected_per_day=4000)
        for n in range(4000)
    ]
    drawn = [each["budget"]["drawn"] for each in decisions]
    assert 900 < sum(drawn) < 1100  # a quarter of 4,000, 6 standard deviations wide
    assert 0.3 < sum(drawn[:2000]) / sum(drawn) < 0.7  # mornings no more than afternoons


@pytest.mark.parametrize(
    ("sample", "expected", "share"),
    [(0.1, 5000, 1.0), (0.5, 5000, 0.4), (1.0, 5000, 0.2), (0.1, 100_000, 0.1), (0.0, 5000, 1.0), (1.0, 0, 1.0)],
)
def test_only_sampled_conversations_use_the_budget(sample: float, expected: int, share: float) -> None:
    campaign = replace(CARE, sample=sample)
    budget = decide(CONVERSATION, campaign, ACME, hash_key="s" * 32, expected_per_day=expected)["budget"]
    assert budget["share"] == pytest.approx(share)
    assert (budget["per_day"], budget["expected_per_day"], budget["sample"]) == (1000, expected, sample)


def test_campaigns_with_different_samples_never_exceed_the_budget() -> None:
    halves = [replace(CARE, name="whole", sample=1.0), replace(CARE, name="tenth", sample=0.1)]
    decisions = [
        decide(replace(CONVERSATION, id=f"c-{n}"), halves[n % 2], ACME, hash_key="s" * 32, expected_per_day=5000)
        for n in range(5000)
    ]
    assert 650 < sum(each["sample"]["drawn"] and each["budget"]["drawn"] for each in decisions) < 850  # 750 of 1,000


def test_conversations_without_a_campaign_use_no_budget(engine: Engine) -> None:
    reasons = [None, None, "no_campaign", "no_campaign", "no_campaign", "sampled_out", "cooldown"]
    world = World(engine, settings_of())
    for n, reason in enumerate(reasons):
        world.ended(f"c-{n}", reason=reason)
    with writing(engine) as connection:
        assert volume.expected_per_day(connection, ACME, START + timedelta(hours=1)) == 4


def test_a_conversation_not_drawn_has_frozen_texts_too() -> None:
    for found in (chosen(sample=0.0), chosen(expected_per_day=10**9)):
        assert isinstance(found, Stop)
        assert (found.plan.opening_text, found.plan.card_text) == ("Hallo @ada", "Wie war es mit Acme?")


def test_a_conversation_retried_by_hand_is_not_stale_too_early() -> None:
    usual = chosen().plan.stale_at
    assert usual == START + CARE.stale_after
    late, early = usual + timedelta(days=30), usual - timedelta(hours=1)
    assert chosen(replace(CONVERSATION, stale_at=late)).plan.stale_at == late
    assert chosen(replace(CONVERSATION, stale_at=early)).plan.stale_at == usual


def test_a_draw_that_fails_says_which_and_keeps_its_inputs() -> None:
    found = chosen(sample=0.0)
    assert (found.reason, found.plan.decision["sample"]["share"]) == (Skip.SAMPLED_OUT, 0.0)
    scarce = [chosen(replace(CONVERSATION, id=f"c-{n}"), expected_per_day=10**9) for n in range(20)]
    assert {each.reason for each in scarce} == {Skip.QUOTA}


NOTHING = RequestFacts(
    reopened=False, opted_out=False, asked_since=None, unclear_since=None, feedback_id=None, answered=False
)


@pytest.mark.parametrize(
    ("facts", "stale_in", "last_reason", "skip"),
    [
        (NOTHING, 1, None, None),
        (replace(NOTHING, reopened=True), 1, None, Skip.REOPENED),
        (replace(NOTHING, opted_out=True), 1, None, Skip.OPTED_OUT),
        (replace(NOTHING, asked_since=START), 1, None, Skip.COOLDOWN),
        (NOTHING, 0, None, Skip.STALE),
        (NOTHING, 0, DAILY_LIMIT, Skip.QUOTA),
        (replace(NOTHING, reopened=True, opted_out=True), 0, None, Skip.REOPENED),
    ],
)
def test_a_gate_names_the_first_reason(
    facts: RequestFacts, stale_in: int, last_reason: str | None, skip: str | None
) -> None:
    stop = closed(last_reason, START + timedelta(hours=stale_in), facts, START)
    assert (stop.reason if stop else None) == skip


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("local", "until"),
    [
        (datetime(2026, 11, 22, 20, 59, tzinfo=BERLIN), None),
        (datetime(2026, 11, 22, 21, 0, tzinfo=BERLIN), datetime(2026, 11, 23, 8, 0, tzinfo=BERLIN)),
        (datetime(2026, 11, 23, 3, 0, tzinfo=BERLIN), datetime(2026, 11, 23, 8, 0, tzinfo=BERLIN)),
        (datetime(2026, 11, 23, 8, 0, tzinfo=BERLIN), None),
        (datetime(2026, 10, 24, 23, 0, tzinfo=BERLIN), datetime(2026, 10, 25, 8, 0, tzinfo=BERLIN)),  # clocks go back
    ],
)
def test_quiet_hours_end_in_the_accounts_own_zone(local: datetime, until: datetime | None) -> None:
    found = quiet((time(21), time(8)), BERLIN, local.astimezone(UTC))
    assert (found.until if found else None) == (until.astimezone(UTC) if until else None)


@pytest.mark.parametrize(
    ("hour", "minute", "quiet_then"), [(11, 59, False), (12, 0, True), (12, 30, True), (13, 0, False), (23, 0, False)]
)
def test_quiet_hours_may_lie_within_one_day(hour: int, minute: int, quiet_then: bool) -> None:
    found = quiet((time(12), time(13)), ZoneInfo("UTC"), datetime(2026, 11, 22, hour, minute, tzinfo=UTC))
    assert (found.until if found else None) == (datetime(2026, 11, 22, 13, 0, tzinfo=UTC) if quiet_then else None)
