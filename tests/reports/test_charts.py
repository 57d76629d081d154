"""The drawings are well-formed, say in text what they show, and carry no style, script or foreign markup."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from service.reports.dashboard.charts import (
    ChartPoint,
    FunnelStep,
    IntervalRow,
    distribution_bars,
    funnel,
    interval_rows,
    stacked_nps,
    trend,
)
from service.reports.dashboard.svg import Caption

SVG = "{http://www.w3.org/2000/svg}"
CAPTION = Caption("nps-team", "NPS by week", "Rose from 30 to 54.")
POINTS = [
    ChartPoint("W01", 20, 30.0, 10.0, 45.0),
    ChartPoint("W02", 25, 32.0, 12.0, 47.0),
    ChartPoint("W03", None, None, None, None),
    ChartPoint("W04", 0, None, None, None),
    ChartPoint("W05", 40, 54.0, 40.0, 66.0, immature=True),
]
ROWS = [
    IntervalRow("North", 100, 46.0, 31.1, 58.2),
    IntervalRow("South", 12, 50.0, 0.6, 79.4, low_base=True),
    IntervalRow("West", None, None, None, None),
    IntervalRow("East", 0, None, None, None),
]
STEPS = [FunnelStep("Ended", 3000), FunnelStep("Delivered", 1040), FunnelStep("Answered", 312)]

CHARTS = {
    "trend": lambda caption=CAPTION: trend(POINTS, caption),
    "no trend": lambda caption=CAPTION: trend([], caption),
    "stacked": lambda caption=CAPTION: stacked_nps(12, 30, 58, caption),
    "nothing stacked": lambda caption=CAPTION: stacked_nps(0, 0, 0, caption),
    "nps bars": lambda caption=CAPTION: distribution_bars({9: 4, 2: 1}, "nps", caption),
    "csat bars": lambda caption=CAPTION: distribution_bars({5: 4}, "csat", caption),
    "intervals": lambda caption=CAPTION: interval_rows(ROWS, caption),
    "no intervals": lambda caption=CAPTION: interval_rows([], caption),
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
        trend([ChartPoint(name, 9, 1.0, 0.0, 2.0)], Caption("a", name, name)),
        interval_rows([IntervalRow(name, 9, 1.0, 0.0, 2.0), IntervalRow(name, None, None, None, None)], CAPTION),
        funnel([FunnelStep(name, 3)], CAPTION),
    ]
    for drawing in drawings:
        parsed(drawing)


def test_markup_in_a_name_is_escaped():
    evil = '</text><script>alert("1")</script>&'
    drawing = interval_rows([IntervalRow(evil, 9, 1.0, 0.0, 2.0)], Caption("a", evil, evil))
    root = parsed(drawing)
    assert "<script" not in drawing
    assert root[0].text == evil
    assert any(evil in text for text in hover(root))


def test_characters_that_xml_does_not_know_are_replaced():
    root = parsed(funnel([FunnelStep("a\x00b\x1b\ud800", 3)], CAPTION))
    assert hover(root) == ["a\ufffdb\ufffd\ufffd: 3"]


@pytest.mark.parametrize("ident", ["", "1a", "a b", 'a"b', "a#b"])
def test_an_id_that_could_break_out_is_refused(ident):
    with pytest.raises(ValueError, match="id is ours"):
        stacked_nps(1, 1, 1, Caption(ident, "t", "d"))


# -- each chart -----------------------------------------------------------------------------------------


def test_a_trend_tells_each_point_with_its_bounds_and_n():
    assert hover(parsed(trend(POINTS, CAPTION))) == [
        "W01: 30.0 (10.0 to 45.0), n 20",
        "W02: 32.0 (12.0 to 47.0), n 25",
        "W03: too few answers to show",
        "W04: no answers",
        "W05: 54.0 (40.0 to 66.0), n 40, still filling",
    ]


def test_a_trend_breaks_its_line_at_what_is_not_shown():
    root = parsed(trend(POINTS, CAPTION))
    lines = [line.get("points").split() for line in root.iter(f"{SVG}polyline")]
    assert [len(line) for line in lines] == [2]
    assert len(of_class(root, "c-band")) == 2
    assert len(of_class(root, "c-dot")) == 3
    assert words(root).count("\u00d7") == 2


def test_a_trend_goes_up_when_the_figure_does():
    first, second = (
        float(place.split(",")[1])
        for place in next(parsed(trend(POINTS[:2], CAPTION)).iter(f"{SVG}polyline")).get("points").split()
    )
    assert second < first


def test_only_unfinished_periods_are_shaded_and_the_shade_is_explained():
    finished, unfinished = parsed(trend(POINTS[:4], CAPTION)), parsed(trend(POINTS, CAPTION))
    assert len(of_class(finished, "c-shade")) == 0
    assert len(of_class(unfinished, "c-shade")) == 1
    assert "shaded: still filling" in words(unfinished)
    assert "shaded: still filling" not in words(finished)


def test_a_trend_draws_n_below_and_nothing_where_n_is_not_told():
    heights = [float(bar.get("height")) for bar in of_class(parsed(trend(POINTS, CAPTION)), "c-n")]
    assert heights == [15, 18.75, 0, 0, 30]


def test_a_long_trend_labels_only_as_many_points_as_there_is_room_for():
    points = [ChartPoint(f"D{number:02}", 9, 1.0, 0.0, 2.0) for number in range(31)]
    labels = [word for word in words(parsed(trend(points, CAPTION))) if word.startswith("D")]
    assert labels == ["D00", "D06", "D12", "D18", "D24", "D30"]


def test_the_three_parts_of_an_nps_are_named_with_count_and_share():
    root = parsed(stacked_nps(12, 30, 58, CAPTION))
    assert words(root) == [
        "Detractors (0-6): 12 (12.0 %)",
        "Passives (7-8): 30 (30.0 %)",
        "Promoters (9-10): 58 (58.0 %)",
    ]
    widths = [float(of_class(root, kind)[0].get("width")) for kind in ("c-neg", "c-mid", "c-pos")]
    assert widths == pytest.approx([352 * 0.12, 352 * 0.30, 352 * 0.58], abs=0.01)


def test_an_nps_of_nobody_says_so():
    assert words(parsed(stacked_nps(0, 0, 0, CAPTION))) == ["No answers"]


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


def test_interval_rows_say_figure_bounds_and_n_or_why_not():
    root = parsed(interval_rows(ROWS, CAPTION))
    assert hover(root) == [
        "North: 46.0 (31.1 to 58.2), n 100",
        "South: 50.0 (0.6 to 79.4), n 12, low base",
        "West: too few answers to show",
        "East: no answers",
    ]
    assert len(of_class(root, "c-dot")) == 2
    assert len(of_class(root, "c-hole")) == 1


def test_overlap_of_two_intervals_is_seen_on_one_scale():
    lines = [
        line for line in of_class(parsed(interval_rows(ROWS, CAPTION)), "c-line") if line.get("y1") == line.get("y2")
    ]
    (north_low, north_high), (south_low, south_high) = (
        (float(line.get("x1")), float(line.get("x2"))) for line in lines
    )
    assert south_low < north_low < north_high < south_high


def test_a_long_name_is_shortened_in_the_drawing_and_whole_on_hover():
    name = "The team that answers in the night"
    root = parsed(interval_rows([IntervalRow(name, 100, 46.0, 31.1, 58.2)], CAPTION))
    assert "The team that answers i\u2026" in words(root)
    assert hover(root)[0].startswith(name)


def test_a_funnel_tells_each_step_and_its_share_of_the_one_before():
    root = parsed(funnel(STEPS, CAPTION))
    assert hover(root) == [
        "Ended: 3,000",
        "Delivered: 1,040 (34.7 % of the step before)",
        "Answered: 312 (30.0 % of the step before)",
    ]
    widths = [float(bar.get("width")) for bar in of_class(root, "c-n")]
    assert widths == pytest.approx([352, 352 * 1040 / 3000, 352 * 312 / 3000], abs=0.01)
