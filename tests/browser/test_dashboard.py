"""The dashboard in a real browser: what a supervisor does with mouse and keyboard."""

import csv
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import chromium
from tests.browser.conftest import Artefacts, Served, sign_in

QUERY = "since=2026-09-24&until=2026-11-22"
Open = Callable[..., Page]


def test_a_wrong_key_is_told_and_a_right_one_opens_the_overview(open_page: Open, served: Served) -> None:
    page = open_page("/coverage?by=team", role=None)
    page.get_by_label("Your key").fill("dmf_000000.wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This key is not valid")
    page.get_by_label("Your key").fill(served.population.keys["supervisor"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Who was asked", level=1)).to_be_visible()
    assert page.url == served.at("/coverage?by=team")
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == ("dmf", True, "Lax", "/")
    assert page.evaluate("document.cookie") == ""


def test_signing_out_leads_back_to_the_sign_in_page(open_page: Open, served: Served) -> None:
    page = open_page(role=None)
    sign_in(page, served, "supervisor")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.goto(served.at("/"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_filters_are_chosen_in_a_form_stand_in_the_address_and_can_be_taken_away(open_page: Open) -> None:
    page = open_page()
    page.get_by_text("Choose days and filters").click()
    page.get_by_label("Team", exact=True).select_option("Billing")
    page.get_by_label("From", exact=True).fill("2026-10-01")
    page.get_by_label("To", exact=True).fill("2026-11-21")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**team_id=Billing**")
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["team_id"], asked["since"], asked["to"]) == (["Billing"], ["2026-10-01"], ["2026-11-21"])
    expect(page.get_by_role("heading", level=1)).to_have_text("1 Oct \u2013 21 Nov 2026")
    expect(page.locator(".opening .kicker").first).to_contain_text(
        "Billing only \u00b7 compared with 10 Aug \u2013 30 Sep 2026"
    )
    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_role("link", name="Remove filter Team: Billing")).to_be_visible()
    page.get_by_role("link", name="Remove filter Team: Billing").click()
    expect(page.get_by_role("link", name="Remove filter Team: Billing")).to_have_count(0)
    assert "team_id" not in page.url
    assert "since=2026-10-01" in page.url


def test_a_period_is_one_click(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("link", name="90 days").click()
    expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
    assert parse_qs(urlsplit(page.url).query) == {"since": ["2026-08-24"], "until": ["2026-11-22"]}


def test_a_group_opens_its_own_week_and_the_way_back_works(open_page: Open) -> None:
    page = open_page(f"/explore?{QUERY}")
    page.locator("#t-csat").locator("xpath=ancestor::section").get_by_role("link", name="Billing", exact=True).click()
    expect(page.get_by_role("link", name="Remove filter Team: Billing")).to_be_visible()
    expect(page.locator(".opening")).to_contain_text("Billing only")
    page.go_back()
    expect(page.get_by_role("heading", name="By team", level=1)).to_be_visible()


def test_a_comment_is_found_opened_and_noted(open_page: Open) -> None:
    page = open_page(f"/comments?{QUERY}")
    page.get_by_text("Choose days and filters").click()
    page.get_by_label("Words in the comment").fill("refund")
    page.get_by_label("Score from").select_option("5")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("status")).to_contain_text("for \u201crefund\u201d")
    quotes = page.locator(".quote").all_inner_texts()
    assert quotes
    assert all("refund" in quote for quote in quotes)
    page.get_by_role("link", name="Open the answer").first.click()
    page.get_by_label("Add a note").fill("Thanked the customer.")
    page.get_by_role("button", name="Save the note").click()
    expect(page.locator(".note").last).to_have_text("Thanked the customer.")


def test_a_download_is_a_file_with_the_filter_on_screen(open_page: Open, tmp_path: Path) -> None:
    page = open_page(f"/comments?score=5&{QUERY}")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Rows, CSV").click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert path.name == "feedback-2026-09-24-to-2026-11-21.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 20
    assert {row["score"] for row in rows} == {"5"}


def test_an_analyst_has_no_comments_page_and_is_told_so(open_page: Open, served: Served) -> None:
    page = open_page(role="analyst")
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_text(
        ["This week", "Explore", "Who was asked", "Operations", "Report"]
    )
    expect(page.get_by_role("link", name="Rows, CSV")).to_have_count(0)
    page.goto(served.at("/comments"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Your key may not see this")


def test_everything_can_be_done_without_a_mouse(open_page: Open, served: Served) -> None:
    page = open_page(role=None)
    tab_to(page, "Your key")
    page.keyboard.type(served.population.keys["supervisor"])
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Last 7 days", level=1).wait_for()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to(page, "Choose days and filters")
    page.keyboard.press("Enter")
    tab_to(page, "Team")
    page.keyboard.type("Bil")
    tab_to(page, "Show")
    page.keyboard.press("Enter")
    page.wait_for_url("**team_id=Billing**")
    tab_to(page, "How this is counted")
    page.keyboard.press("Space")
    expect(page.get_by_text("Answers of 4 or 5.").first).to_be_visible()
    page.keyboard.press("Shift+Tab")
    assert focused(page).startswith("The scores")
    page.keyboard.press("Enter")
    expect(page.get_by_role("table", name="CSAT: how many gave which score")).to_be_visible()
    tab_to(page, "Explore")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="By team", level=1).wait_for()
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_focus_can_always_be_seen(open_page: Open) -> None:
    page = open_page(f"/explore?{QUERY}")
    unseen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "() => { const e = document.activeElement; if (e === document.body) return ['', true];"
            " const s = getComputedStyle(e), r = e.getBoundingClientRect();"
            " return [e.outerHTML.slice(0, 60), parseFloat(s.outlineWidth) >= 2 && s.outlineStyle !== 'none'"
            " && r.width > 0 && r.right <= innerWidth + 1] }"
        )
        unseen += [] if seen[1] else [seen[0]]
    assert unseen == []


def test_no_page_needs_a_script(open_page: Open) -> None:
    page = open_page(f"/comments?{QUERY}", java_script_enabled=False)
    page.get_by_text("Choose days and filters").click()
    page.get_by_label("Score up to").select_option("1")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**score_to=1**")
    scores = {text.split()[0] for text in page.locator(".score").all_inner_texts()}
    assert scores == {"1"}


def test_every_chart_says_what_it_is_and_names_its_figures(open_page: Open, served: Served) -> None:
    page = open_page()
    for path in ("/", "/explore?by=agent&", "/operations"):
        page.goto(served.at(f"{path}?{QUERY}".replace("&?", "&")))
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        charts = page.locator("svg.chart")
        assert charts.count() > 0
        for index in range(charts.count()):
            snapshot = charts.nth(index).aria_snapshot()
            assert 'img "' in snapshot[:8], snapshot
            assert len(snapshot) > 40
    page.goto(served.at(f"/operations?{QUERY}"))
    expect(page.get_by_role("img", name="From ended to answered")).to_be_visible()


def test_on_paper_there_are_figures_and_no_controls(open_page: Open, served: Served, artefacts: Artefacts) -> None:
    page = open_page(f"/?{QUERY}")
    page.emulate_media(media="print")
    for control in (page.get_by_role("navigation"), page.get_by_role("button"), page.locator(".periods, .download")):
        assert not any(each.is_visible() for each in control.all())
    expect(page.get_by_role("heading", name="Customer satisfaction")).to_be_visible()
    paper = page.pdf(format="A4", prefer_css_page_size=True)
    artefacts.file("overview.pdf", paper)
    assert paper.startswith(b"%PDF")
    page.goto(served.at(f"/results/{served.population.commented[-1]}"))
    page.emulate_media(media="print")
    for control in (page.locator("form"), page.get_by_role("textbox"), page.get_by_role("link", name="Next")):
        assert not any(each.is_visible() for each in control.all())


def test_without_a_browser_the_run_says_how_to_get_one() -> None:
    assert chromium.path_of({}, which=lambda _: None) is None
    assert chromium.path_of({"DMF_CHROMIUM": "/opt/chrome"}, which=lambda _: None) == "/opt/chrome"
    assert chromium.path_of({}, which={"chromium-browser": "/usr/bin/chromium-browser"}.get).endswith("browser")
    both = {"chromium": "/usr/bin/chromium", "chromium-headless-shell": "/usr/bin/chromium-headless-shell"}
    assert chromium.path_of({}, which=both.get) == both["chromium-headless-shell"]
    assert "apt-get install chromium" in chromium.HOW_TO_GET_ONE


@pytest.mark.parametrize(("value", "must"), [("", False), ("0", False), ("false", False), ("1", True), ("true", True)])
def test_where_a_run_decides_a_missing_browser_fails_it(value: str, must: bool) -> None:
    assert chromium.must_be_there({"CI": value}) is must


def focused(page: Page) -> str:
    """Roughly how a screen reader names what has the focus."""
    return str(
        page.evaluate(
            "() => { const e = document.activeElement;"
            " const label = e.labels && e.labels.length ? e.labels[0].textContent : e.textContent;"
            " return label.trim().replace(/\\s+/g, ' ') }"
        )
    )


def tab_to(page: Page, name: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if focused(page).startswith(name):
            return
    raise AssertionError(f"'{name}' cannot be reached with the Tab key")
