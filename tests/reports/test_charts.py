"""Drawings are well-formed, say in text what they show, and carry no style, script or foreign markup."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from service.reports.dashboard.charts import (
    FunnelStep,
    distribution_bars,
    funnel,
    stacked_nps,
)
from service.reports.dashboard.funnel_plot import Spot, funnel_plot
from service.reports.dashboard.line_chart import PeriodPoint, over_time
from service.reports.dashboard.row_charts import Strip, strip
from service.reports.dashboard.svg import Caption

SVG = "{http://www.w3.org/2000/svg}"
CAPTION = Caption("nps-team", "NPS by week", "Rose from 30 to 54.")
POINTS = [
    PeriodPoint("W01", 20, 30.0, -0.4, 45.0, "30"),
    PeriodPoint("W02", 25, 32.0, 12.0, 47.0, "32", note="another question"),
    PeriodPoint("W03", None, None, None, None, "too few"),
    PeriodPoint("W04", 40, 50.0, 40.0, 66.0, "50"),
    PeriodPoint("W05", 40, 54.0, 40.0, 66.0, "54", fills="answers may still come"),
]
SPOTS = [
    Spot("North", 100, 46.0, "46", 20.0, 60.0, outside=False),
    Spot("West", 12, -80.0, "\u221280", -50.0, 99.0, outside=True),
]
STEPS = [FunnelStep("Ended", 3000), FunnelStep("Delivered", 1040), FunnelStep("Answered", 312)]

CHARTS = {
    "line": lambda caption=CAPTION: over_time(POINTS, caption, -100, 100),
    "no line": lambda caption=CAPTION: over_time([], caption, 0, 100),
    "stacked": lambda caption=CAPTION: stacked_nps((12, 30, 58), caption),
    "nps bars": lambda caption=CAPTION: distribution_bars({9: 4, 2: 1}, "nps", caption),
    "csat bars": lambda caption=CAPTION: distribution_bars({5: 4}, "csat", caption),
    "many groups": lambda caption=CAPTION: funnel_plot(SPOTS, 40.0, caption, -100, 100),
    "funnel": lambda caption=CAPTION: funnel(STEPS, caption),
    "no funnel": lambda caption=CAPTION: funnel([], caption),
}


def parsed(drawing):
    assert isinstance(drawing, Markup)
    return ET.fromstring(drawing)


def words(root):
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def hover(root):
    return [element.text for element in root.iter(f"{SVG}title")][1:]


def of_class(root, name):
    return [element for element in root.iter() if name in element.get("class", "").split()]


# -- every chart ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_is_one_picture_with_a_name_and_a_description(chart):
    root = parsed(chart())
    named = {element.get("id"): element for element in root.iter() if element.get("id")}
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    title, desc = (named[ident] for ident in root.get("aria-labelledby").split())
    assert (title.tag, title.text) == (f"{SVG}title", "NPS by week")
    assert (desc.tag, desc.text) == (f"{SVG}desc", "Rose from 30 to 54.")
    assert root[0] is title


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_scales_and_is_drawn_for_a_phone(chart):
    root = parsed(chart())
    left, top, width, height = map(float, root.get("viewBox").split())
    assert (left, top, width) == (0, 0, 360)
    assert height > 0
    assert root.get("width") is None
    smallest = min((float(element.get("font-size")) for element in root.iter(f"{SVG}text")), default=10)
    assert smallest >= 10


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_needs_no_style_and_no_script(chart):
    root = parsed(chart())
    assert not {f"{SVG}style", f"{SVG}script", f"{SVG}foreignObject"} & {element.tag for element in root.iter()}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert "style" not in attributes
    assert not [name for name in attributes if name.startswith("on") or "href" in name]


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_colours_are_left_to_the_stylesheet(chart):
    root = parsed(chart())
    fills = {element.get("fill") for element in root.iter()} - {None, "none"}
    assert all(fill.startswith("url(#nps-team-") for fill in fills)
    assert not {element.get("stroke") for element in root.iter()} - {None}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_ids_are_unique_on_a_page_and_every_pattern_named_exists(chart):
    page = [parsed(chart()), parsed(chart(Caption("other", "t", "d")))]
    idents = [element.get("id") for root in page for element in root.iter() if element.get("id")]
    used = {element.get("fill") for root in page for element in root.iter(f"{SVG}rect")} - {None}
    assert len(idents) == len(set(idents))
    assert used <= {f"url(#{ident})" for ident in idents}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_marks_stay_inside_the_drawing(chart):
    root = parsed(chart())
    _, _, width, height = map(float, root.get("viewBox").split())
    for rect in root.iter(f"{SVG}rect"):
        x, y, wide, tall = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        assert wide >= 0
        assert tall >= 0
        assert 0 <= x <= x + wide <= width + 0.05
        assert 0 <= y <= y + tall <= height + 0.05
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x")) <= width
        assert 0 < float(text.get("y")) <= height


@given(st.text())
def test_any_name_is_text_and_never_markup(name):
    drawings = [
        over_time([PeriodPoint(name, 9, 1.0, 0.0, 2.0, name, note=name)], Caption("a", name, name), 0, 100),
        funnel_plot([Spot(name, 9, 1.0, name, 0.0, 2.0, outside=True)], 1.0, CAPTION, 0, 100),
        funnel([FunnelStep(name, 3)], CAPTION),
    ]
    for drawing in drawings:
        parsed(drawing)


def test_markup_in_a_name_is_escaped():
    evil = '</text><script>alert("1")</script>&'
    drawing = funnel_plot([Spot(evil, 9, 1.0, "1", 0.0, 2.0, outside=True)], 1.0, Caption("a", evil, evil), 0, 100)
    root = parsed(drawing)
    assert "<script" not in drawing
    assert root[0].text == evil
    assert any(evil in text for text in hover(root))


def test_characters_invalid_in_xml_are_replaced():
    root = parsed(funnel([FunnelStep("a\x00b\x1b\ud800", 3)], CAPTION))
    assert words(root) == ["a\ufffdb\ufffd\ufffd", "3"]


@pytest.mark.parametrize("ident", ["", "1a", "a b", 'a"b', "a#b"])
def test_an_id_that_could_break_out_is_refused(ident):
    with pytest.raises(ValueError, match="id is ours"):
        stacked_nps((1, 1, 1), Caption(ident, "t", "d"))


# -- each chart -----------------------------------------------------------------------------------------


def test_a_line_labels_each_point_with_bounds_n_and_notes():
    assert hover(parsed(over_time(POINTS, CAPTION, -100, 100))) == [
        "W02: another question",
        "W01: 30 (0 to 45), 20 answers",
        "W02: 32 (12 to 47), 25 answers",
        "W04: 50 (40 to 66), 40 answers",
        "W05: 54 (40 to 66), 40 answers, answers may still come",
    ]


def test_a_line_breaks_at_gaps_and_is_dashed_for_unfinished_periods():
    lines = of_class(parsed(over_time(POINTS, CAPTION, -100, 100)), "c-line")
    assert [line.get("class") for line in lines] == ["c-line", "c-line c-dashed"]
    assert float(lines[0].get("y2")) < float(lines[0].get("y1")), "it goes up when the figure does"


def test_the_last_value_is_written_and_minus_is_a_minus():
    said = words(parsed(over_time(POINTS, CAPTION, -100, 100)))
    assert "54" in said
    assert "\u2212100" in said
    assert "\u2013" in said, "a hidden n is a dash"


def test_a_strip_shows_now_then_chance_and_overall_differently():
    root = ET.fromstring(strip(Strip(60, 48, 71, 74, 50, 90, outside=True), 70, 0, 100))
    assert root.get("aria-hidden") == "true"
    for kind in ("c-chance", "c-all", "c-then", "c-interval", "c-dot"):
        assert len(of_class(root, kind)) == 1
    assert len(of_class(root, "c-out")) == 2
    assert not list(ET.fromstring(strip(Strip(None, None, None), None, 0, 100)))


def test_a_funnel_plot_names_groups_outside_the_limits():
    root = parsed(funnel_plot(SPOTS, 40.0, CAPTION, -100, 100))
    assert "West" in words(root)
    assert "North" not in words(root)
    assert len(of_class(root, "c-dot")) == 2


def test_the_three_parts_of_an_nps_are_named_with_count_and_share():
    root = parsed(stacked_nps((12, 30, 58), CAPTION))
    assert words(root) == [
        "Detractors (0 to 6): 12 (12 %)",
        "Passives (7 and 8): 30 (30 %)",
        "Promoters (9 and 10): 58 (58 %)",
    ]
    widths = [float(of_class(root, kind)[0].get("width")) for kind in ("c-neg", "c-mid", "c-pos")]
    assert widths == pytest.approx([352 * 0.12, 352 * 0.30, 352 * 0.58], abs=0.01)


@pytest.mark.parametrize("chart", ["stacked", "nps bars", "csat bars"])
def test_good_and_bad_differ_in_pattern_and_not_in_colour_alone(chart):
    root = parsed(CHARTS[chart]())
    pairs = {
        (group[0].get("class"), group[1].get("fill"))
        for group in root.iter(f"{SVG}g")
        if len(group) == 2 and group[1].get("class") == "c-hatch"
    }
    assert ("c-neg", "url(#nps-team-neg)") in pairs
    assert ("c-pos", "url(#nps-team-pos)") in pairs
    assert len({kind for kind, _ in pairs}) == len({fill for _, fill in pairs}) == len(pairs)
    marks = {pattern.get("id"): [mark.tag for mark in pattern] for pattern in root.iter(f"{SVG}pattern")}
    assert marks["nps-team-neg"] != marks["nps-team-mid"] != marks["nps-team-pos"] == []


def test_a_distribution_shows_every_score_with_its_count():
    assert words(parsed(distribution_bars({1: 3, 5: 1030}, "csat", CAPTION))) == [
        *("3", "1"),
        *("0", "2"),
        *("0", "3"),
        *("0", "4"),
        *("1,030", "5"),
    ]


@pytest.mark.parametrize(
    ("type_", "kinds"),
    [("nps", ["c-neg"] * 7 + ["c-mid"] * 2 + ["c-pos"] * 2), ("csat", ["c-neg"] * 3 + ["c-pos"] * 2)],
)
def test_bars_carry_the_class_of_their_score(type_, kinds):
    root = parsed(distribution_bars({}, type_, CAPTION))
    bars = [rect.get("class") for rect in root.iter(f"{SVG}rect") if rect.get("class") != "c-hatch"]
    assert bars == kinds


def test_a_funnel_tells_each_step_and_its_share_of_the_one_before():
    root = parsed(funnel(STEPS, CAPTION))
    assert words(root) == [
        *("Ended", "3,000"),
        *("Delivered", "1,040 (34.7 % of the step before)"),
        *("Answered", "312 (30.0 % of the step before)"),
    ]
    widths = [float(bar.get("width")) for bar in of_class(root, "c-n")]
    assert widths == pytest.approx([352, 352 * 1040 / 3000, 352 * 312 / 3000], abs=0.01)
