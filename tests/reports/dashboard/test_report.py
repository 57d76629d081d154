"""The report: a month on one page, with the API's numbers, for whoever makes it."""

import html
import importlib
import re
import zlib
from collections.abc import Callable
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from markupsafe import Markup
from sqlalchemy.engine import Engine

from service.auth import Reader
from service.db import reading
from service.errors import Invalid
from service.models import access_log
from service.reports.counting.periods import SEVEN_DAYS
from service.reports.dashboard import sentences
from service.reports.dashboard.comments import worst_open
from service.reports.dashboard.report import paper
from service.reports.dashboard.report.content import CommentChoice, ReportFacts, facts
from service.reports.dashboard.report.html import MadeBy, company_of, scope_of, sheet, title_of
from service.reports.dashboard.report.spans import (
    ReportSpan,
    days_of,
    last_month,
    last_quarter,
    last_week,
    month_of,
)
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.thresholds import thresholds
from service.web.read_slots import NAME
from tests.reports.world import NOW, World, settings_of

VALUE = re.compile(r'<data value="([^"]+)">')
OCTOBER = month_of("2026-10")
EVERYTHING = Filter()
TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("span", "first", "last", "before", "words"),
    [
        (last_month(TODAY), "2026-10-01", "2026-10-31", "2026-09-01", "October 2026"),
        (last_month(date(2026, 1, 1)), "2025-12-01", "2025-12-31", "2025-11-01", "December 2025"),
        (last_week(TODAY), "2026-11-09", "2026-11-15", "2026-11-02", ""),
        (last_week(date(2026, 11, 23)), "2026-11-16", "2026-11-22", "2026-11-09", ""),
        (last_quarter(TODAY), "2026-07-01", "2026-09-30", "2026-04-01", "Third quarter 2026"),
        (last_quarter(date(2026, 2, 3)), "2025-10-01", "2025-12-31", "2025-07-01", "Fourth quarter 2025"),
        (days_of(date(2026, 11, 1), date(2026, 11, 10)), "2026-11-01", "2026-11-10", "2026-10-22", ""),
        (month_of("2026-02"), "2026-02-01", "2026-02-28", "2026-01-01", "February 2026"),
        (days_of(date(2026, 10, 1), date(2026, 10, 31)), "2026-10-01", "2026-10-31", "2026-09-01", "October 2026"),
        (days_of(date(2026, 10, 15), date(2026, 10, 31)), "2026-10-15", "2026-10-31", "2026-09-28", ""),
        (days_of(date(2026, 7, 1), date(2026, 9, 30)), "2026-07-01", "2026-09-30", "2026-04-01", "Third quarter 2026"),
        (days_of(date(2026, 6, 1), date(2026, 8, 31)), "2026-06-01", "2026-08-31", "2026-03-01", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_last_day_belongs_to_it_and_a_month_stands_beside_the_month_before(
    span: ReportSpan, first: str, last: str, before: str, words: str
) -> None:
    assert (str(span.first), str(span.last), str(span.before), span.words) == (first, last, before, words)


def test_its_line_is_of_twelve_months_and_that_of_a_week_of_twelve_weeks() -> None:
    assert OCTOBER.drawn == (date(2025, 11, 1), "month")
    assert days_of(date(2026, 11, 1), date(2026, 11, 10)).drawn == (date(2025, 12, 1), "month")
    assert last_week(TODAY).drawn == (date(2026, 8, 24), SEVEN_DAYS)


@pytest.mark.parametrize("given", ["2026-13", "2026-1", "october", "2026-10-01", "0000-10"])
def test_an_invalid_month_is_refused_with_what_would_be_right(given: str) -> None:
    with pytest.raises(Invalid, match="a month like 2026-10"):
        month_of(given)
    with pytest.raises(Invalid, match="1 to 366 days"):
        days_of(date(2026, 2, 1), date(2026, 1, 1))


def filled(world: World) -> None:
    """Three months of two teams and both cards, far enough ago for releases."""
    world.settings = settings_of(service__company="Acme <Retail>")
    for days_ago, good, bad in ((30, 9, 30), (40, 14, 20), (70, 30, 9), (100, 12, 12)):
        for team, factor in (("red", 1), ("blue", 2)):
            world.add(good * factor, score=5, text="Fine & <fast>", days_ago=days_ago, team_id=team, agent_id=team)
            world.add(bad, score=2, text="Slow.", days_ago=days_ago, team_id=team, agent_id=team)
            world.add(good, score=9, kind="nps", days_ago=days_ago, team_id=team, agent_id=team)
        world.add(5, days_ago=days_ago, state="skipped", reason="cooldown", kind=None, campaign=None)


def made(
    world: World,
    role: str,
    span: ReportSpan = OCTOBER,
    choice: CommentChoice | None = None,
    wanted: Filter = EVERYTHING,
) -> tuple[ReportFacts, str]:
    reader = Reader("k", "Robin", role, ())
    with reading(world.engine) as connection:
        query = ReportQuery(connection, world.settings, reader, wanted, NOW)
        found = facts(query, span, choice or CommentChoice())
    by = MadeBy(company_of(world.settings, ()), reader.name, NOW, world.settings.service.time_zone)
    return found, str(sheet(found, by, thresholds(world.settings), scope_of(found, {})))


@pytest.mark.parametrize("role", ["supervisor", "analyst"])
def test_every_number_is_one_of_the_api(quick: World, role: str) -> None:
    filled(quick)
    quick.released()
    _, page = made(quick, role)
    client, asked = quick.client(role), {"since": "2026-10-01", "until": "2026-11-01"}
    other = {"other_since": "2026-09-01", "other_until": "2026-10-01"}
    totals = client.json("/v1/differences", by="account", **asked, **other)["items"]
    teams = client.json("/v1/differences", by="team", **asked, **other)["items"]
    rate = client.json("/v1/summary", **asked)["response_rate_of_delivered"]["value"]
    expected = [side["value"] for one in totals for side in (one["total"]["now"], one["total"]["then"])]
    expected += [side["value"] for one in teams for row in one["rows"] for side in (row["now"], row["then"])]
    told = sorted(float(each) for each in VALUE.findall(page))
    assert told == sorted(value for value in [*expected, rate] if value is not None)
    assert len(told) >= 7, "both cards and both teams, then and now where it is told"
    months = client.json("/v1/trend", period="month", since="2025-11-01", until="2026-11-01")["items"]
    values = {point["score"]["value"] for one in months for point in one["points"]} - {None}
    assert values
    assert all(f"{round(value):,}".replace("-", "\u2212") in page for value in values)


def test_the_line_of_a_week_ends_with_the_figure_beside_it(quick: World) -> None:
    filled(quick)
    quick.add(7, score=5, days_ago=10, team_id="red", agent_id="red")
    found, _ = made(quick, "supervisor", last_week(TODAY))
    lines = {one.type: one.points for one in found.trends}
    for one in found.totals:
        assert (len(lines[one.type]), lines[one.type][-1].score.n) == (12, one.total.now.n)
    assert lines["csat"][-1].score.n == 7


def test_what_waits_is_told_later_and_what_is_of_whole_accounts_is_said_so(quick: World) -> None:
    filled(quick)
    quick.released()
    _, waits = made(quick, "analyst", last_week(TODAY))
    assert "How many were asked is shown later." in waits
    _, of_a_team = made(quick, "analyst", wanted=Filter(chosen={"team": ("red",)}))
    assert "How many were asked is available for whole accounts only." in of_a_team


def test_it_says_who_was_asked_what_differs_and_how_to_read_it(quick: World) -> None:
    filled(quick)
    found, page = made(quick, "supervisor")
    assert "Customer feedback, October 2026" in page
    assert "Acme &lt;Retail&gt;" in page
    assert sentences.headline([one.total for one in found.totals]).split(":")[0] in page
    assert f"<b>{found.summary.ended:,} conversations</b> ended" in page
    assert "was asked not long ago: 10" in page
    assert page.count("<li><b>") == 4, "two unhappy, two happy; nobody was in between"
    assert "Fine &amp; &lt;fast&gt;" in page
    assert "Made 22 Nov 2026" in page


def test_it_says_up_to_when_all_answers_were_read(quick: World) -> None:
    filled(quick)
    assert "Answers may be missing" in made(quick, "supervisor")[1]
    for account in ("acme", "other"):
        quick.read_until(account, NOW - timedelta(hours=2))
    for role in ("supervisor", "analyst"):
        _, page = made(quick, role)
        assert re.search("Every answer that X had by 22 Nov 2026, [0-9:]{5} has been read.", page), role
        assert "Answers may be missing" not in page


def test_questions_and_ways_of_asking_are_never_combined_in_silence(quick: World) -> None:
    filled(quick)
    _, page = made(quick, "supervisor")
    assert not re.search("questions? |more than one way", page)
    quick.add(20, score=5, days_ago=30, team_id="red", question_variant_id=2, way="page")
    said = html.unescape(made(quick, "supervisor")[1])
    assert "The questions were not all the same; the difference may come from that." in said
    assert re.search("Asked in more than one way: X's card [0-9]+, our own page 20.", said)
    assert said.count("At a flag the question changed.") == said.count('class="c-flag"') == 1
    quick.add(20, score=5, days_ago=60, team_id="red", question_variant_id=2)
    assert "More than one question is combined here." in made(quick, "supervisor")[1]


def test_a_difference_that_is_not_told_comes_from_nothing(quick: World) -> None:
    quick.add(20, score=5, days_ago=30)
    quick.add(3, score=5, days_ago=60, question_variant_id=2)
    _, page = made(quick, "supervisor")
    assert "Nothing to compare with." in page
    assert "may come from that" not in page


def test_comments_are_chosen(quick: World) -> None:
    filled(quick)
    worst, _ = made(quick, "supervisor", choice=CommentChoice("worst"))
    assert [row.score for row in worst.comments or ()] == [2] * 5
    assert made(quick, "supervisor", choice=CommentChoice("none"))[0].comments == ()
    by_hand = [row.request_id for row in (worst.comments or ())[3:]]
    chosen, _ = made(quick, "supervisor", choice=CommentChoice(ids=tuple(by_hand)))
    assert [row.request_id for row in chosen.comments or ()] == by_hand
    with pytest.raises(Invalid, match="mixed, worst, none"):
        made(quick, "supervisor", choice=CommentChoice("best"))


def test_an_analysts_report_has_no_comment_and_whole_releases(quick: World) -> None:
    filled(quick)
    quick.released()
    found, page = made(quick, "analyst", choice=CommentChoice("worst"))
    assert found.comments is None
    assert "What customers wrote" not in page
    assert "in whole releases" in page
    assert "A point consists of whole releases; some start before the days it stands for." in page
    assert "A point consists" not in made(quick, "supervisor")[1]


def test_groups_too_small_to_name_are_not_on_it(quick: World) -> None:
    filled(quick)
    quick.add(3, score=1, text="Hidden words", days_ago=35, team_id="tiny", agent_id="tim")
    _, page = made(quick, "supervisor", choice=CommentChoice("worst"))
    assert "tiny" not in page
    assert "Hidden words" not in page


def test_hidden_comments_take_no_place_of_others(quick: World) -> None:
    quick.add(8, score=1, text="To be read", days_ago=36)
    for each in range(60):
        quick.add(1, score=1, text="Hidden words", days_ago=35, agent_id=f"a{each}")
    found, _ = made(quick, "supervisor")
    assert [row.text for row in found.comments or ()] == ["To be read"] * 2
    with reading(quick.engine) as connection:
        reader = Reader("k", "Robin", "supervisor", ())
        worst = worst_open(ReportQuery(connection, quick.settings, reader, Filter(), NOW), 3)
    assert [each.row.text for each in worst] == ["To be read"] * 3


def test_unfinished_days_are_marked(quick: World) -> None:
    filled(quick)
    assert "not over yet" not in made(quick, "supervisor", last_week(TODAY))[1]
    assert "30 Nov 2026, not over yet" in made(quick, "supervisor", month_of("2026-11"))[1]


def test_days_without_answers_have_no_figure(quick: World) -> None:
    _, page = made(quick, "supervisor")
    assert "Nobody answered in these days." in page
    assert VALUE.findall(page) == []


def test_an_analyst_is_not_told_that_nobody_answered_where_no_release_has_closed(quick: World) -> None:
    quick.add(1, score=5)
    quick.released()
    _, page = made(quick, "analyst", month_of("2026-11"))
    assert "Not available yet: figures for analysts come in whole releases" in page
    assert "Nobody answered" not in page


def test_a_file_is_self_contained(quick: World) -> None:
    filled(quick)
    found, page = made(quick, "supervisor")
    document = paper.document(Markup(page), f"Customer feedback, {title_of(found)}", "Letter")
    assert "@page { size: Letter; }" in document
    assert not re.search(r"(?:href|src)=|@import|url\((?!#)", document), "it loads nothing"
    assert "var(--" not in "".join(re.findall(r"</desc>.*?</svg>", document, re.DOTALL)), "drawings carry their colours"
    assert document.count("</svg>") == document.count("</style></svg>")


def test_a_pdf_is_one_page(quick: World) -> None:
    try:
        importlib.import_module(paper.LIBRARY)
    except (ImportError, OSError):
        pytest.skip("the extra 'pdf' or the system's Pango is not here")
    filled(quick)
    _, page = made(quick, "supervisor")
    for size in paper.PAPERS:
        made_pdf = paper.pdf(paper.document(Markup(page), "October", size))
        assert made_pdf.startswith(b"%PDF")
        assert pages_of(made_pdf) == 1, size


def test_without_the_extra_a_pdf_is_refused_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "LIBRARY", "no_such_library")
    with pytest.raises(Invalid, match=r"in a checkout '\.\[pdf\]'\) .* or write a \.html") as refused:
        paper.pdf("<p>")
    assert refused.value.code == "format_not_installed"


def test_a_pdf_fetches_nothing() -> None:
    with pytest.raises(ValueError, match="fetches nothing"):
        paper.nothing("https://example.org/x.png")


def test_the_page_offers_last_month_and_its_file(client: FlaskClient) -> None:
    text = client.get("/dashboard/report").text
    assert "Customer feedback, October 2026" in text
    assert "1 – 31 Oct 2026" in text
    for query, title in (
        ("last=week", "9 – 15 Nov 2026"),
        ("last=quarter", "Third quarter 2026"),
        ("month=2026-09", "September 2026"),
        ("since=2026-11-02&to=2026-11-08", "2 – 8 Nov 2026"),
        ("since=2026-11-02&until=2026-11-09", "2 – 8 Nov 2026"),
    ):
        assert f"Customer feedback, {title}" in client.get(f"/dashboard/report?{query}").text, query
    answer = client.get("/dashboard/report.html?month=2026-09")
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=customer-feedback-2026-09-01-to-2026-09-30.html"
    )
    assert answer.text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    "asked", ["", "?last=week", "?last=quarter", "?month=2026-11", "?since=2026-11-02&to=2026-11-09"]
)
def test_choosing_comments_changes_neither_its_days_nor_what_they_are_compared_with(
    client: FlaskClient, asked: str
) -> None:
    page = client.get(f"/dashboard/report{asked}").text
    (head,) = re.findall(r'<header class="rp-head">.*?</header>', page, re.DOTALL)
    (link,) = re.findall(r'<a href="(\?[^"]*)"[^>]*>No comments</a>', page)
    assert head in client.get(f"/dashboard/report{html.unescape(link)}").text


@pytest.mark.parametrize("size", ["A4", "Letter"])
def test_the_page_gives_a_pdf_of_itself(client: FlaskClient, size: str) -> None:
    page = client.get("/dashboard/report?month=2026-10").text
    link = re.search(f'href="([^"]*)" download>PDF, {size}</a>', page)
    assert link is not None
    answer = client.get(html.unescape(link[1]))
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=customer-feedback-2026-10-01-to-2026-10-31.pdf"
    )
    assert answer.data.startswith(b"%PDF")
    assert client.get("/dashboard/report.pdf?paper=A3").status_code == 422


def test_pdfs_are_made_in_the_slots_of_exports(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, refused = "/dashboard/download/rows.csv?since=2026-11-02&until=2026-11-09", []

    def drawn(_document: str) -> bytes:
        refused.append(client.get(rows).status_code)
        return b"%PDF"

    running = [client.get(rows) for _ in range(client.application.extensions[NAME].exports - 1)]
    monkeypatch.setattr(paper, "pdf", drawn)
    assert client.get("/dashboard/report.pdf").status_code == 200
    assert refused == [429], "while it is drawn it takes the place of an export"
    for each in running:
        each.close()


def test_without_the_extra_the_page_says_what_to_do(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "LIBRARY", "no_such_library")
    page = client.get("/dashboard/report").text
    assert "report.pdf?" not in page
    assert "installs dm-feedback's extra <code>pdf</code>" in page
    refused = client.get("/dashboard/report.pdf")
    assert (refused.status_code, "write a .html" in refused.text) == (422, True)


def test_a_report_of_one_team_says_so(client: FlaskClient) -> None:
    text = client.get("/dashboard/report?team_id=Billing").text
    assert "<b>Billing only</b>" in text
    assert "<title>Billing, October 2026, Report" in text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("month=2026-13", "a month like 2026-10"),
        ("last=year", "there are month, week, quarter"),
        ("comments=best", "mixed, worst, none"),
        ("since=2026-11-08&to=2026-11-02", "lies after the last one"),
        ("until=2026-11-02", "1 to 366 days"),
        ("bogus=1", "no parameter"),
    ],
)
def test_an_invalid_question_is_explained(client: FlaskClient, query: str, says: str) -> None:
    answer = client.get(f"/dashboard/report?{query}")
    assert answer.status_code == 422
    assert says in answer.text.replace("&#39;", "'")


def test_reading_its_comments_is_logged(
    engine: Engine, client: FlaskClient, signed_in: Callable[[str], FlaskClient]
) -> None:
    shown = client.get("/dashboard/report").text
    signed_in("analyst").get("/dashboard/report")
    with reading(engine) as connection:
        found = sa.select(access_log.c.detail).where(access_log.c.action == "dashboard.report")
        (detail,) = connection.scalars(found)
    assert detail["rows"] == shown.count('name="comment"'), "each once, printed or only offered"


def pages_of(made_pdf: bytes) -> int:
    """How many pages a PDF has: its list of pages lies among its packed objects."""
    packed = re.findall(rb"stream\n(.*?)\nendstream", made_pdf, re.DOTALL)
    plain = [zlib.decompressobj().decompress(each) for each in packed if each[:1] == b"x"]
    return max(
        int(each) for one in [made_pdf, *plain] for each in re.findall(rb"/Type /Pages/Kids [^>]*?/Count (\d+)", one)
    )
