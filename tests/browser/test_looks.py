"""Every page at several widths, light and dark: pictures, axe-core, and no page wider than its screen."""

import json
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Artefacts, Served

QUERY = "since=2026-09-24&until=2026-11-22"
PAGES = {
    "overview": f"/?{QUERY}",
    "overview-suppressed": f"/?team_id=Loyalty+desk&{QUERY}",
    "overview-empty": "/?since=2020-01-01&until=2020-02-01",
    "overview-few-answers": "/?agent_id=Femke+de+Vries&since=2026-10-05&until=2026-11-22",
    "week": "/",
    "explore-team": f"/explore?{QUERY}",
    "explore-agent": f"/explore?by=agent&{QUERY}",
    "explore-response": f"/explore?by=agent&show=response&{QUERY}",
    "explore-two": f"/explore?by=agent&a=Amira+Haddad&b=Ben+Okafor&{QUERY}",
    "comments": f"/comments?{QUERY}",
    "comments-none": f"/comments?q=zebra&{QUERY}",
    "result": "/results/{commented}",
    "result-of-small-group": "/results/{small}",
    "coverage": f"/coverage?{QUERY}",
    "operations": "/operations",
    "conversations": f"/conversations?reason=cooldown&{QUERY}",
    "definitions": "/definitions",
    "timeline": "/timeline",
    "sessions": "/sessions",
    "refused": "/?bogus=1",
    "refused-form": "/comments?since=2026-11-09&to=2026-11-02",
    "nowhere": "/nowhere",
}
Open = Callable[..., Page]
NARROW = """least => [...document.querySelectorAll('p, dd, li, td, caption, h2, blockquote')]
    .filter(each => each.innerText.length > 60 && !each.closest('.unseen'))
    .filter(each => each.getClientRects().length && each.getBoundingClientRect().width > 1)
    .filter(each => each.getBoundingClientRect().width < least)
    .map(each => `${Math.round(each.getBoundingClientRect().width)} ${each.innerText.slice(0, 60)}`)"""
"""Texts of some length whose room is less than this many pixels."""
LONGEST_NAMES = """names => {
    const mark = '<span class="mark">above what chance explains</span>'
    for (const each of names) each.innerHTML = `Maximiliane-Theo\u2026ngen (Teilzeit) ${mark}`
}"""
"""Puts as long a name as tables show into each row, outside the limits."""
OPENED = "for (const each of document.querySelectorAll('details')) each.open = true"


def address(served: Served, name: str) -> str:
    known = served.population
    return served.at(PAGES[name].format(commented=known.commented[-1], small=known.small[0]))


def every_page(open_page: Open, served: Served) -> Iterator[tuple[str, Page]]:
    """Each once: whoever wants another screen has the same page drawn anew."""
    yield "sign-in", open_page(role=None)
    page = open_page()
    for name in PAGES:
        page.goto(address(served, name))
        yield name, page


def seen_at(page: Page, width: int, scheme: Literal["light", "dark"] = "light") -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)


def test_every_page_is_kept_as_a_picture_and_fits_its_screen(
    open_page: Open, served: Served, artefacts: Artefacts
) -> None:
    too_wide = {}
    for name, page in every_page(open_page, served):
        for width, scheme in ((1440, "light"), (360, "light"), (360, "dark")):
            seen_at(page, width, scheme)
            artefacts.picture(page, f"{name}-{width}-{scheme}")
            too_wide[name, width, scheme] = beyond_its_screen(page)
    assert {each: pixels for each, pixels in too_wide.items() if pixels} == {}


def test_with_everything_opened_axe_finds_nothing_and_nothing_needs_sideways_scrolling(
    open_page: Open, served: Served, axe: str, artefacts: Artefacts
) -> None:
    """320 pixels are 1280 at 400 percent."""
    found, too_wide = {}, {}
    for name, page in every_page(open_page, served):
        page.evaluate(OPENED)
        for width, scheme in ((1280, "light"), (320, "dark")):
            seen_at(page, width, scheme)
            too_wide[name, width, scheme] = beyond_its_screen(page)
            found[f"{name} {width} {scheme}"] = violations(page, axe)
    artefacts.file("axe.json", json.dumps(found, indent=2).encode())
    assert {each: rules for each, rules in found.items() if rules} == {}
    assert {each: pixels for each, pixels in too_wide.items() if pixels} == {}


def test_whatever_is_longer_than_a_line_has_room_to_be_read(open_page: Open, served: Served) -> None:
    """A grid or a table may give sentences a column in which they stand word below word."""
    narrow = {}
    for name, page in every_page(open_page, served):
        page.evaluate(OPENED)
        for width, least in ((1440, 220), (1024, 180), (320, 100)):
            seen_at(page, width)
            narrow[name, width] = page.evaluate(NARROW, least)
    assert {each: found for each, found in narrow.items() if found} == {}


@pytest.mark.parametrize("width", [650, 720, 860])
def test_between_a_phone_and_a_desk_tables_of_groups_fit_and_keep_their_drawing(open_page: Open, width: int) -> None:
    page = open_page("/explore?by=team", width=width, role="acmepay only")
    assert beyond_its_screen(page) == 0
    page.locator("table.groups tbody th").evaluate_all(LONGEST_NAMES)
    assert beyond_its_screen(page) == 0
    drawings = page.locator("table.groups tbody .drawing").all()
    assert min(each.bounding_box()["width"] for each in drawings) > 90
    assert len(drawings) > 2


def test_where_colours_are_forced_what_is_chosen_is_still_seen(open_page: Open) -> None:
    page = open_page("/explore?by=agent", forced_colors="active")
    for each, what in (
        (".periods", "backgroundColor"),
        (".tabs", "borderBottomStyle"),
        (".masthead", "borderBottomStyle"),
    ):
        looks = f"each => getComputedStyle(each).{what}"
        chosen = page.locator(f"{each} li a[aria-current]").first.evaluate(looks)
        assert chosen != page.locator(f"{each} li a:not([aria-current])").first.evaluate(looks), each
    dot = "each => getComputedStyle(each).backgroundColor"
    assert page.locator(".k-dot").first.evaluate(dot) != page.locator("body").evaluate(dot)


def test_a_long_word_on_the_time_line_breaks(open_page: Open) -> None:
    page = open_page("/timeline", width=320)
    page.get_by_label("What happened").fill("W" * 90)
    page.get_by_role("button", name="Write it").click()
    expect(page.locator(".events")).to_contain_text("W" * 90)
    assert beyond_its_screen(page) == 0
    page.get_by_role("button", name="Remove").click()


def test_axe_would_find_something(open_page: Open, served: Served, axe: str) -> None:
    page = open_page()
    page.evaluate("document.querySelector('h1').innerHTML = '<img src=\"data:image/gif;base64,R0lGODlhAQABAAAAACw=\">'")
    assert "image-alt" in violations(page, axe)


def beyond_its_screen(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def violations(page: Page, axe: str) -> dict[str, list[str]]:
    """Broken rules, with the first places."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return {
        each["id"]: [f"{node['target']} {node['failureSummary']}"[:300] for node in each["nodes"][:3]]
        for each in found["violations"]
    }
