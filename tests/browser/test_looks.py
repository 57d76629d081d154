"""Every page at several widths, light and dark: pictures, axe-core, and no page wider than its screen."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Artefacts, Scheme, Served, Watch, seen_at

QUERY = "since=2026-09-24&until=2026-11-22"
PAGES = {
    "sign-in": "/sign-in",
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
CLOSED: tuple[tuple[int, Scheme], ...] = ((1440, "light"), (360, "light"), (360, "dark"))
OPEN: tuple[tuple[int, Scheme, int], ...] = (
    (320, "dark", 100), (1024, "light", 180), (1280, "light", 180), (1440, "light", 220),
)  # fmt: skip
"""Width, colours, and the least room for a text of some length; 320 pixels are 1280 at 400 percent."""
AXE = (320, 1280)


@dataclass
class Found:
    """What no page may have, by page and screen."""

    too_wide: dict[str, int] = field(default_factory=dict)
    broken: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    narrow: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def found(
    kept_page: Callable[[str | None], Page], served: Served, watch: Watch, axe: str, artefacts: Artefacts
) -> Found:
    """Each page is loaded once, and drawn anew for every screen."""
    found = Found()
    known = {"commented": served.population.commented[-1], "small": served.population.small[0]}
    for name, path in PAGES.items():
        page = kept_page(None if name == "sign-in" else "supervisor")
        page.goto(served.at(path.format(**known)))
        look(page, name, found, axe, artefacts)
    artefacts.file("axe.json", json.dumps(found.broken, indent=2).encode())
    assert watch.told() == []
    return found


def look(page: Page, name: str, found: Found, axe: str, artefacts: Artefacts) -> None:
    for width, scheme in CLOSED:
        seen_at(page, width, scheme)
        artefacts.picture(page, f"{name}-{width}-{scheme}")
        found.too_wide[f"{name} {width} {scheme}"] = beyond_its_screen(page)
    page.evaluate(OPENED)
    for width, scheme, least in OPEN:
        seen_at(page, width, scheme)
        screen = f"{name} opened {width} {scheme}"
        found.too_wide[screen] = beyond_its_screen(page)
        found.narrow[screen] = page.evaluate(NARROW, least)
        if width in AXE:
            found.broken[screen] = violations(page, axe)


def test_every_page_fits_its_screen_with_everything_opened_too(found: Found) -> None:
    assert {screen: pixels for screen, pixels in found.too_wide.items() if pixels} == {}
    assert len(found.too_wide) == len(CLOSED + OPEN) * len(PAGES)


def test_axe_finds_nothing_on_any_page(found: Found) -> None:
    assert {screen: rules for screen, rules in found.broken.items() if rules} == {}
    assert len(found.broken) == len(AXE) * len(PAGES)


def test_whatever_is_longer_than_a_line_has_room_to_be_read(found: Found) -> None:
    """A grid or a table may give sentences a column in which they stand word below word."""
    assert {screen: texts for screen, texts in found.narrow.items() if texts} == {}


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
    page = open_page("/explore?by=agent")
    page.emulate_media(forced_colors="active")
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
    expect(page.get_by_text("W" * 90)).to_have_count(0)


def test_axe_would_find_something(open_page: Open, served: Served, axe: str) -> None:
    page = open_page()
    page.evaluate("document.querySelector('h1').innerHTML = '<img src=\"data:image/gif;base64,R0lGODlhAQABAAAAACw=\">'")
    assert "image-alt" in violations(page, axe)


def beyond_its_screen(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def violations(page: Page, axe: str) -> dict[str, list[str]]:
    """Broken rules, with the first places. No rule needs the style sheets, which axe would fetch for every run."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: {assets: ['media']}})")
    return {
        each["id"]: [f"{node['target']} {node['failureSummary']}"[:300] for node in each["nodes"][:3]]
        for each in found["violations"]
    }
