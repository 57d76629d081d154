"""A supervisor's everyday tasks and the clicks they take, on a screen and on a phone."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Artefacts, Served, sign_in

MOST_CLICKS = 3
Open = Callable[..., Page]


@dataclass
class Clicks:
    """Counts clicks."""

    made: int = 0

    def on(self, what: Locator) -> None:
        what.click()
        self.made += 1

    def are_few(self, most: int = MOST_CLICKS) -> None:
        assert self.made <= most


@pytest.fixture(params=[(1440, "light"), (360, "dark")], ids=["screen in the light", "phone in the dark"])
def page(request: pytest.FixtureRequest, open_page: Open) -> Page:
    width, scheme = request.param
    return open_page(width=width, scheme=scheme)


def link(page: Page, name: str) -> Locator:
    return page.get_by_role("link", name=name, exact=True).first


def test_which_team_got_better_or_worse_or_is_it_noise_takes_no_click(page: Page) -> None:
    expect(page.locator(".headline")).to_contain_text("was")
    expect(page.get_by_role("heading", name="What differs")).to_be_visible()
    said = page.locator("section:has(#t-news)").inner_text()
    assert any(each in said for each in ("Nothing stands out", "Too few answers", "difference between"))


def test_how_we_did_whether_it_differs_and_what_they_said_is_on_the_first_screen(open_page: Open) -> None:
    page = open_page(width=1280)
    for what in (".lead", "#t-news", ".worst .stack > :first-child"):
        box = page.locator(what).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900, what


def test_the_worst_comments_and_one_of_them_done(page: Page) -> None:
    hand = Clicks()
    hand.on(link(page, "All comments"))
    expect(page.get_by_role("heading", name="Comments", level=1)).to_be_visible()
    first = page.locator(".comments > li").first
    address = first.get_by_role("link", name="Open the answer").get_attribute("href") or ""
    hand.on(first.get_by_role("button", name="Done"))
    expect(page.locator(f"a[href^='{address.partition('?')[0]}']")).to_have_count(0)
    hand.are_few()


def test_a_link_to_an_answer_is_copied_and_that_is_read_out(open_page: Open) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    copy = page.locator("a.copy").first
    address = copy.evaluate("each => each.href")
    copy.click()
    expect(copy).to_have_text("Copied")
    assert copy.get_attribute("aria-live") == "polite"
    assert page.evaluate("navigator.clipboard.readText()") == address


def test_a_comment_is_assigned(page: Page) -> None:
    hand = Clicks()
    hand.on(page.locator(".worst").get_by_role("link", name="Open the answer").first)
    page.get_by_label("Assign to").select_option("Robin Admin")
    hand.on(page.get_by_role("button", name="Assign"))
    expect(page.get_by_text("assigned by Robin Supervisor")).to_be_visible()
    hand.are_few()


def test_why_somebody_was_not_asked(page: Page) -> None:
    hand = Clicks()
    expect(page.get_by_role("complementary")).to_contain_text("locked by X")
    hand.on(page.locator(".trust a").first)
    expect(page.get_by_role("heading", name="Conversations", level=1)).to_be_visible()
    expect(page.locator("tbody tr").first).to_be_visible()
    hand.are_few()


def test_two_agents_compared_fairly(page: Page, served: Served) -> None:
    page.goto(served.at("/?since=2026-09-24&until=2026-11-22"))
    hand = Clicks()
    hand.on(link(page, "agents"))
    hand.on(page.get_by_role("link", name="compare Amira Haddad"))
    hand.on(page.get_by_role("link", name="compare with Ben Okafor"))
    expect(page.get_by_text("With the same questions, languages and campaigns")).to_be_visible()
    hand.are_few()


def test_is_our_sample_biased(page: Page) -> None:
    hand = Clicks()
    hand.on(link(page, "response by language"))
    expect(page.get_by_role("heading", name="Response, Customer satisfaction")).to_be_visible()
    hand.are_few()


def test_what_response_means_here_begins_with_a_plain_sentence(page: Page) -> None:
    hand = Clicks()
    hand.on(link(page, "by team"))
    hand.on(page.get_by_text("How this is counted: Response rate (of those asked)").first)
    expect(page.get_by_text("How many of those we asked have answered.").first).to_be_visible()
    hand.are_few()


def test_the_report_for_the_boss_is_one_click_and_one_page(page: Page) -> None:
    hand = Clicks()
    hand.on(link(page, "Report"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Customer feedback, October 2026")
    expect(link(page, "PDF, A4")).to_be_visible()
    hand.are_few(1)


def test_one_team_is_kept_while_moving(page: Page, served: Served) -> None:
    page.goto(served.at("/?team_id=Billing&since=2026-09-24&until=2026-11-22"))
    hand = Clicks()
    there = {"Explore": "By team", "Comments": "Comments", "Customer feedback": "24 Sep \u2013 21 Nov 2026"}
    for name, heading in there.items():
        hand.on(link(page, name))
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        assert "team_id=Billing" in page.url
    hand.are_few()


def test_agents_on_a_phone_are_a_short_page(open_page: Open) -> None:
    page = open_page("/explore?by=agent&since=2026-09-24&until=2026-11-22", width=360)
    rows = page.locator("table.groups tbody tr")
    tallest = max(rows.nth(index).bounding_box()["height"] for index in range(rows.count()))  # type: ignore[index]
    assert tallest <= 48


def test_sixty_agents_on_a_phone_are_under_three_thousand_pixels(
    open_page: Open, crowded: Served, artefacts: Artefacts
) -> None:
    page = open_page("/sign-in", width=360, role=None)
    sign_in(page, crowded, "supervisor")
    for show in ("score", "response"):
        page.goto(crowded.at(f"/explore?by=agent&show={show}&type=csat&since=2026-09-24&until=2026-11-22"))
        artefacts.picture(page, f"sixty-agents-{show}")
        assert page.locator("table.groups tbody tr").count() >= 59, show
        assert page.evaluate("document.documentElement.scrollHeight") < 3000, show
