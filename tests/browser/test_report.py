"""The report in a browser: one printed page on A4 and Letter, on a wide screen and a phone, light and dark."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Artefacts, Scheme, Served, seen_at
from tests.browser.test_looks import OPENED, beyond_its_screen, violations

Open = Callable[..., Page]
REPORTS = {
    "month": "/report",
    "quarter-worst": "/report?last=quarter&comments=worst",
    "half-year": "/report?since=2026-06-01&to=2026-11-21",
    "team": "/report?team_id=Billing&month=2026-10",
    "empty": "/report?month=2020-01",
}

SCREENS: tuple[tuple[int, Scheme], ...] = ((1440, "light"), (360, "dark"))


def pages_of(paper: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", paper))


def test_it_prints_on_one_page_without_controls(open_page: Open, served: Served, artefacts: Artefacts) -> None:
    page = open_page("/report", width=1440)
    page.emulate_media(media="print")
    for name, path in REPORTS.items():
        page.goto(served.at(path))
        for control in (page.get_by_role("navigation"), page.get_by_role("button"), page.locator(".report-choice")):
            assert not any(each.is_visible() for each in control.all()), name
        for size in ("A4", "Letter"):
            made = page.pdf(format=size)
            artefacts.file(f"report-{name}-{size}.pdf", made)
            assert pages_of(made) == 1, (name, size)


@pytest.mark.parametrize("role", ["supervisor", "analyst"])
def test_it_fits_every_screen_and_axe_finds_nothing(
    open_page: Open, served: Served, axe: str, artefacts: Artefacts, role: str
) -> None:
    page = open_page(role=role)
    found, too_wide = {}, {}
    for name, path in REPORTS.items():
        page.goto(served.at(path))
        page.evaluate(OPENED)
        for width, scheme in SCREENS:
            seen_at(page, width, scheme)
            screen = f"{name}-{role}-{width}-{scheme}"
            artefacts.picture(page, f"report-{screen}")
            too_wide[screen] = beyond_its_screen(page)
            found[screen] = violations(page, axe)
    assert {screen: each for screen, each in found.items() if each} == {}
    assert set(too_wide.values()) == {0}, too_wide


@pytest.mark.parametrize("width", [1440, 360])
def test_last_months_report_is_one_click_away_and_another_two(open_page: Open, width: int) -> None:
    page = open_page(width=width)
    page.get_by_role("link", name="Report", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Customer feedback, October 2026")
    page.get_by_role("link", name="Last week").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("9 \u2013 15 Nov 2026")
    page.get_by_role("link", name="No comments").click()
    expect(page.get_by_role("heading", name="What customers wrote")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_contain_text("9 \u2013 15 Nov 2026")


def test_days_are_typed_on_the_report_of_a_month(open_page: Open) -> None:
    page = open_page("/report")
    page.get_by_text("Choose another month, other days or comments").click()
    page.get_by_label("From", exact=True).fill("2026-11-02")
    page.get_by_label("To, this day included").fill("2026-11-10")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Customer feedback, 2 \u2013 10 Nov 2026")


def test_comments_are_chosen_by_hand_with_the_keyboard_alone(open_page: Open) -> None:
    page = open_page("/report?month=2026-10")
    page.get_by_text("Choose another month, other days or comments").press("Enter")
    box = page.get_by_role("checkbox").nth(4)
    box.focus()
    box.press("Space")
    page.get_by_role("button", name="Show").press("Enter")
    expect(page.locator(".rp-comments li")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("Customer feedback, October 2026")
