"""The question page: GET changes nothing, each part is stored once, and every wrong link looks the same."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.app import create_app
from service.db import reading, writing
from service.models import feedback_request, result, result_update
from service.results.page.rate_limit import ANSWERS
from service.results.page.store import MOST_TELLINGS
from service.states import OURS_ALONE, Skip
from service.ways.links import Links, hash_of
from service.x_api.questions import TEXT_LIMIT
from tests.support import Clock, request_row, settings_of

LONGEST, TICK = 10_000, timedelta(microseconds=1)


class Page:
    """A service with one request that may be answered, and a browser that keeps nothing."""

    def __init__(self, engine: Engine, **columns: Any) -> None:
        self.engine, self.clock, self.settings = engine, Clock(), settings_of(accounts__acme__page_name="Acme Café")
        self.browser = create_app(self.settings, engine, self.clock).test_client(use_cookies=False)
        self.row = request_row(self.clock.now, **{**ASKED, "card_sent_at": self.clock.now, **columns})
        key = self.settings.service.secret_key
        self.row["page_hash"] = hash_of(key, self.row["id"])
        with writing(engine) as connection:
            connection.execute(sa.insert(feedback_request).values(self.row))
        self.path = Links(key, "").to(self.row["id"])

    def get(self, **headers: str) -> Any:
        return self.browser.get(self.path, headers=headers)

    def post(self, **form: str) -> Any:
        return self.browser.post(self.path, data=form)

    def stored(self) -> Any:
        with reading(self.engine) as connection:
            return connection.execute(sa.select(result)).one_or_none()

    def told(self) -> int:
        with reading(self.engine) as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(result_update)) or 0

    def set(self, **columns: Any) -> None:
        with writing(self.engine) as connection:
            connection.execute(sa.update(feedback_request).values(columns))


ASKED = {
    "state": "card_sent",
    "way": "page",
    "campaign": "care",
    "type": "csat",
    "question_variant_id": 1,
    "privacy_url": "https://acme.example/privacy",
}


@pytest.fixture
def page_of(engine: Engine) -> Callable[..., Page]:
    return lambda **columns: Page(engine, **columns)


@pytest.fixture
def page(page_of: Callable[..., Page]) -> Page:
    return page_of()


def test_looking_changes_nothing_however_often_and_by_whomever(page: Page) -> None:
    for _ in range(3):
        assert page.get().status_code == 200
    assert page.browser.head(page.path).status_code == 200
    assert page.stored() is None


def test_a_score_is_stored_at_once_and_a_comment_may_follow(page: Page) -> None:
    answer = page.post(score="4")
    assert (answer.status_code, answer.headers["Location"]) == (303, page.path)
    assert (page.stored().score, page.stored().score_at, page.stored().text) == (4, page.clock.now, None)
    assert "your answer is saved" in page.get().text

    page.clock.forward(minutes=3)
    assert page.post(comment="Quick, friendly.").status_code == 303
    stored = page.stored()
    assert (stored.text, stored.text_at - stored.score_at) == ("Quick, friendly.", timedelta(minutes=3))
    assert (stored.score_way, stored.text_way) == ("page", "page")
    shown = page.get().text
    assert "your comment is saved" in shown
    assert "<form" not in shown  # nothing is left to be added


def test_an_answer_already_given_is_never_shown_again(page: Page) -> None:
    """The link lies in the account's own messages, or in a CRM, where the agent who is rated may open it."""
    page.post(score="4")
    page.post(comment="Ann was rude.")
    page.clock.forward(minutes=5)
    shown = page.get().text
    assert "Ann was rude." not in shown
    assert re.search(r"\b4\b", re.sub(r"<[^>]+>", " ", shown.partition("<main")[2])) is None
    told = {page.post(score=str(score)).headers["Location"] for score in range(1, 6)}
    told |= {page.post(comment=each).headers["Location"] for each in ("Ann was rude.", "something else")}
    assert len(told) == 1, "every try is answered alike"
    assert (page.stored().score, page.stored().text) == (4, "Ann was rude.")


def test_the_first_answer_is_kept_and_another_is_an_anomaly(page: Page) -> None:
    page.post(score="2")
    page.clock.forward(seconds=5)
    again = page.post(score="5")
    assert "first answer counts" in page.browser.get(again.headers["Location"]).text
    assert (page.stored().score, page.stored().anomalies) == (2, 1)


def test_repeated_answers_get_the_same_reply_and_are_kept_only_so_often(page: Page) -> None:
    """Everything that is kept of a request is read again with each telling, and on SQLite nobody else writes then."""
    before = [page.post(comment=f"the {n}th").headers["Location"] for n in range(MOST_TELLINGS)]
    after = [page.post(comment=f"not the {n}th").headers["Location"] for n in range(5)]
    assert page.told() == MOST_TELLINGS
    assert set(before[1:]) == set(after), "nobody can tell which were kept"
    page.post(score="4")
    assert (page.stored().score, page.stored().text) == (4, "the 0th"), "what was not given yet has its place"
    page.post(score="5")
    assert page.told() == MOST_TELLINGS + 1


def test_two_tabs_may_send_their_parts_in_any_order(page: Page) -> None:
    page.post(comment="First the words.")
    page.clock.forward(seconds=9)
    page.post(score="1")
    assert (page.stored().score, page.stored().text) == (1, "First the words.")


@pytest.mark.parametrize("score", ["", "0", "6", "-1", "1.0", " 3", "٣", "three", "1" * 5000, "\x00"])
def test_an_invalid_score_is_asked_for_again(page: Page, score: str) -> None:
    answer = page.post(score=score)
    assert answer.status_code == 422
    assert "Please choose one of the answers." in answer.text
    assert page.stored() is None


def test_a_form_without_a_part_asks_for_the_score(page: Page) -> None:
    assert page.post(other="x").status_code == 422
    assert page.stored() is None


@pytest.mark.parametrize("comment", ["", "  \n\t ", "\x00\x00"])
def test_an_empty_comment_is_no_comment(page: Page, comment: str) -> None:
    page.post(score="3")
    assert "write something" in page.post(comment=comment).text
    assert page.stored().text is None


def test_a_comment_that_is_too_long_is_kept_in_the_form(page: Page) -> None:
    page.post(score="3")
    answer = page.post(comment="x" * (LONGEST + 1))
    assert (answer.status_code, "x" * 1000 in answer.text) == (422, True)
    assert f"{LONGEST + 1} characters" in answer.text
    assert page.stored().text is None
    assert page.post(comment="😀" * LONGEST).status_code == 303
    assert len(page.stored().text) == LONGEST


def test_an_oversized_body_is_refused_unread(page: Page) -> None:
    assert page.post(comment="x" * 1_000_000).status_code == 413
    assert page.stored() is None


def test_hostile_words_are_shown_as_words(page: Page) -> None:
    page.post(score="3")
    hostile = "<script>alert(1)</script>\u202e=1+1\x00"
    too_long = page.post(comment=hostile + "x" * TEXT_LIMIT)  # comes back in its form, to be shortened
    assert too_long.status_code == 422
    assert "<script>" not in too_long.text
    assert "&lt;script&gt;" in too_long.text
    page.post(comment=hostile)
    assert "\x00" not in page.stored().text


@pytest.mark.parametrize("wrong", ["x", "a" * 22, "a" * 22 + "/", "a/b", "a" * 500, "ä" * 22, "logo"])
def test_every_wrong_link_looks_the_same(page: Page, wrong: str) -> None:
    for answer in (page.browser.get(f"/f/{wrong}"), page.browser.post(f"/f/{wrong}", data={"score": "5"})):
        assert answer.status_code == 404
        assert "This page is not available" in answer.text


@pytest.mark.parametrize("columns", [{"erased_at": Clock().now}, {"card_sent_at": Clock().now - timedelta(days=29)}])
def test_erased_and_late_are_as_if_never_asked(page: Page, columns: dict[str, Any]) -> None:
    never = page.browser.get("/f/" + "a" * 22)
    page.set(**columns)
    for answer in (page.get(), page.post(score="5")):
        assert (answer.status_code, answer.text) == (never.status_code, never.text)
    assert page.stored() is None


@pytest.mark.parametrize("reason", Skip)
def test_what_was_skipped_for_good_behind_its_opening_asks_nothing_any_more(
    page_of: Callable[..., Page], reason: Skip
) -> None:
    """Its row says whose it is, for no answer can come. Where X alone was in the way the link goes on."""
    page = page_of(state="skipped", reason=reason.value, dm_sent_at=Clock().now, card_sent_at=None)
    goes_on = reason in OURS_ALONE
    assert page.get().status_code == (200 if goes_on else 404)
    assert page.post(score="5").status_code == (303 if goes_on else 404)
    assert (page.stored() is not None) == goes_on


def test_the_page_links_to_nothing(page: Page) -> None:
    for answer in (page.get(), page.browser.get("/f/wrong")):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "script" not in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert "Set-Cookie" not in answer.headers
        assert "<script" not in answer.text
        assert len(answer.data) < 25_000


def test_the_style_is_the_one_its_policy_names(page: Page) -> None:
    import base64
    import hashlib

    answer = page.get()
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]


def test_it_speaks_the_requests_language_else_the_browsers(page_of: Callable[..., Page]) -> None:
    page = page_of(language="ar")
    shown = page.get(**{"Accept-Language": "de"})
    assert shown.headers["Content-Language"] == "ar"
    assert 'lang="ar" dir="rtl"' in shown.text
    page.set(language="sv")
    assert page.get(**{"Accept-Language": "sv, de;q=0.8"}).headers["Content-Language"] == "de", "we have no Swedish"
    page.set(language=None)
    assert page.get(**{"Accept-Language": "xx, de-CH;q=0.8"}).headers["Content-Language"] == "de"
    assert page.get().headers["Content-Language"] == "en"


def test_it_says_whose_it_is_and_who_does_not_see_the_answer(page: Page) -> None:
    shown = page.get().text
    assert "Acme Café" in shown
    assert "The person who helped you does not see your answer." in shown
    assert 'href="https://acme.example/privacy"' in shown
    assert "How satisfied are you with Acme Café?" in shown


def test_a_logo_is_served_by_us_and_can_do_nothing(engine: Engine, tmp_path: Any) -> None:
    file = tmp_path / "logo.svg"
    file.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "utf-8")
    browser = create_app(settings_of(accounts__acme__page_logo=str(file)), engine, Clock()).test_client()
    from service.results.page.branding import read_logo

    answer = browser.get(f"/f/logo/{read_logo(file).digest}")
    assert (answer.status_code, answer.content_type) == (200, "image/svg+xml")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert browser.get("/f/logo/none").status_code == 404


def test_a_text_removed_by_retention_is_not_asked_for_again(page: Page) -> None:
    page.post(score="3")
    page.post(comment="Gone soon.")
    with writing(page.engine) as connection:
        connection.execute(sa.update(result).values(text=None))
    shown = page.get().text
    assert "<form" not in shown
    assert "Gone soon" not in shown


def test_only_an_address_with_too_many_requests_is_limited(page: Page) -> None:
    for _ in range(ANSWERS):
        page.post(score="9")
    assert page.post(score="4").status_code == 429
    assert page.post(score="4").headers["Retry-After"] == "60"
    assert page.stored() is None
    elsewhere = page.browser.post(page.path, data={"score": "4"}, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert elsewhere.status_code == 303, "another address"
    page.clock.forward(seconds=61)
    assert page.get().status_code == 200
    assert page.post(comment="later").status_code == 303


@pytest.mark.parametrize(
    "token",
    [
        "", "x", "../x", "%00", "a" * 21, "a" * 23, "a" * 10_000, "é" * 22, "\u202e" + "a" * 21, "a" * 22 + "\n",
        "a" * 22 + "?x=1", "' OR 1=1 --aaaaaaaaaaaa", "A" * 22, "_" * 22, "a" * 22 + "/..", "%ff" * 8,
    ],
)  # fmt: skip
def test_tokens_of_every_wrong_kind_look_alike(page: Page, token: str) -> None:
    for method in ("GET", "POST"):
        answer = page.browser.open(f"/f/{token}", method=method, data={"score": "5"} if method == "POST" else None)
        assert answer.status_code == 404, (method, token)
        assert token in {"", "%00"} or "This page is not available" in answer.text, (method, token)
    assert page.stored() is None


@pytest.mark.parametrize(
    "form",
    [
        {"score": "0"}, {"score": "6"}, {"score": "-1"}, {"score": "4.0"}, {"score": "４"}, {"score": "4 "},
        {"score": "1e0"}, {"score": ""}, {"score": "4\0"}, {"score": "x" * 50_000}, {}, {"other": "4"},
        {"comment": ""}, {"comment": " \u200b\t"}, {"comment": "\u200b \u200b"}, {"comment": "\0"},
        {"comment": "a" * 100_000},
    ],
)  # fmt: skip
def test_invalid_forms_say_what_is_missing_and_store_nothing(page: Page, form: dict[str, str]) -> None:
    assert page.post(**form).status_code in {422, 413}
    assert page.stored() is None


def test_control_characters_in_a_comment_do_no_harm(page: Page) -> None:
    page.post(score="3")
    raw = b"comment=fine%00%20%E2%80%AEenif%E2%80%AC%20%ED%A0%BD%FF"  # NUL, an override, half a pair, no UTF-8
    form = "application/x-www-form-urlencoded"
    assert page.browser.post(page.path, data=raw, content_type=form).status_code == 303
    assert "\0" not in page.stored().text
    assert page.get().status_code == 200


def test_two_tabs_a_double_click_and_the_back_button_give_one_answer(page: Page) -> None:
    first, again = page.post(score="4"), page.post(score="4")  # a double click, or a reload of the POST
    page.clock.forward(seconds=1)
    other_tab = page.post(score="1")
    assert [each.status_code for each in (first, again, other_tab)] == [303] * 3
    assert page.stored().score == 4
    assert "first answer counts" in page.browser.get(other_tab.headers["Location"]).get_data(as_text=True)
    assert page.get().status_code == 200, "the back button shows what was said"


@pytest.mark.parametrize(("ago", "status"), [(timedelta(days=28) - TICK, 200), (timedelta(days=28), 404)])
def test_a_page_answers_until_the_answer_window_is_over(page: Page, ago: timedelta, status: int) -> None:
    page.set(card_sent_at=page.clock.now - ago)
    assert page.get().status_code == status


def test_a_page_of_an_account_that_is_gone_looks_like_a_wrong_link(page: Page) -> None:
    page.set(account="gone")
    assert (page.get().status_code, page.post(score="4").status_code) == (404, 404)


@pytest.mark.parametrize(("own", "named"), [(None, "Acme Café"), ("Our Shop", "Our Shop")])
def test_the_question_names_the_campaign_s_own_name_or_the_account_s(page: Page, own: str | None, named: str) -> None:
    page.set(display_name=own)
    assert f"with {named}?" in page.get().text


def test_a_post_after_erasure_looks_like_a_wrong_link(page: Page) -> None:
    page.set(erased_at=page.clock.now)
    assert (page.post(score="4").status_code, page.stored()) == (404, None)
