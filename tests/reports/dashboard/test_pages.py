"""What the pages show to whom, and that filters are in the address."""

import csv
import html
import io
import json
import re
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.app import create_app
from service.auth import keys
from service.db import reading, writing
from service.models import (
    access_log,
    account_state,
    feedback_request,
    metadata,
    naming,
    result,
    result_update,
    transition,
)
from service.reports.dashboard import facets, sentences, words
from service.reports.figures import figures
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.rows import export
from service.reports.rows.mood import rank_of
from service.settings import Settings
from service.web.read_slots import NAME
from tests.conftest import NOW
from tests.reports.dashboard.population import BLAME, FEW, PRAISE, SMALL, Population, populate, released
from tests.reports.dashboard.test_door import PAGES, token_of
from tests.reports.test_export import sheets
from tests.support import Clock

RESULT = re.compile(r'<a href="/dashboard/results/(fr_[0-9a-f]+)')
SELECT = re.compile(r"<select.*?</select>", re.DOTALL)
RESULT_ID = re.compile("fr_[0-9a-f]+")
LOOKS = ("by", "and", "show", "comments", "last", "type")
LINK = re.compile(r'href="(/dashboard[^"]*|\?[^"]*)"')
QUERY = "since=2026-09-24&until=2026-11-22"


@pytest.mark.parametrize("role", ["admin", "supervisor", "analyst"])
def test_every_page_opens_for_those_who_may_read_it(signed_in: Callable[[str], FlaskClient], role: str) -> None:
    client = signed_in(role)
    opened = {path: client.get(f"/dashboard{path}").status_code for path in PAGES}
    assert opened == dict.fromkeys(PAGES, 200) | (
        dict.fromkeys(("/comments", "/conversations"), 403) if role == "analyst" else {}
    )


def test_an_analyst_finds_no_way_to_a_customers_words(
    signed_in: Callable[[str], FlaskClient], population: Population
) -> None:
    client, request_id = signed_in("analyst"), population.commented[0]
    seen = [
        client.get(f"/dashboard{path}?{QUERY}").text for path in PAGES if path not in {"/comments", "/conversations"}
    ]
    assert not any(html.escape(said, quote=False).split("\n")[0] in page for said in PRAISE + BLAME for page in seen)
    assert not any("/dashboard/comments" in page or "/download/rows" in page for page in seen)
    assert client.get(f"/dashboard/results/{request_id}").status_code == 403
    assert client.get("/dashboard/download/rows.csv").status_code == 403
    data = {"text": "x", "form_token": token_of(client)}
    assert client.post(f"/dashboard/results/{request_id}/notes", data=data).status_code == 403


def test_no_page_needs_a_script_or_another_host(client: FlaskClient) -> None:
    for path in PAGES:
        page = client.get(f"/dashboard{path}").text
        assert re.findall("<script[^>]*>", page) == re.findall(
            '<script src="/dashboard/static/copy.js[^>]* defer>', page
        )
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style", page)
        loaded = re.findall(r'(?:src|<link[^>]* href|action)="([^"]*)"', page)
        assert not [each for each in loaded if not each.startswith("/dashboard/")]


def test_what_a_style_writes_is_there_in_browsers_that_know_no_other_text_for_it(client: FlaskClient) -> None:
    """Headings of cells on a phone, and the marks of a list: the whole declaration is dropped there."""
    style = client.get("/dashboard/static/dashboard.css").text
    written = re.findall(r'content: ([^;{}]+) / "";', style)
    assert len(written) == 3
    assert all(f'content: {each}; content: {each} / "";' in style for each in written)


def test_no_link_of_the_dashboard_is_broken(client: FlaskClient, population: Population) -> None:
    """Each page with each of its parameters, and with every value of those that decide how it looks."""
    waiting = [f"/dashboard/?{QUERY}", f"/dashboard/results/{population.commented[-1]}"]
    seen: set[tuple[str, ...]] = set()
    while waiting:
        address = waiting.pop(0)
        if parts_of(address) <= seen or "/download/" in address or "/report.pdf" in address:
            continue
        seen |= parts_of(address)
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.text[-400:])
        links = [html.unescape(link) for link in LINK.findall(answer.text)]
        waiting += [address.partition("?")[0] + link if link.startswith("?") else link for link in links]
    assert {("/dashboard/operations", "account", ""), ("/dashboard/explore", "show", "response")} <= seen
    assert len(seen) > 60


def parts_of(address: str) -> set[tuple[str, ...]]:
    page = RESULT_ID.sub("", urlsplit(address).path)
    given = parse_qsl(urlsplit(address).query)
    return {(page,), *((page, name, value if name in LOOKS else "") for name, value in given)}


def test_filters_travel_in_the_address_from_page_to_page(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/explore?by=agent&team_id=Billing&{QUERY}").text
    assert 'href="/dashboard/coverage?team_id=Billing&amp;since=2026-09-24&amp;until=2026-11-22"' in page
    assert "Team: Billing" in page
    assert "Dmitri Volkov</a>" not in page
    assert '<option value="Billing" selected>' in page


def test_a_group_leads_to_its_own_overview(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/explore?{QUERY}").text
    link = re.search(r'href="([^"]*)" title="Billing">Billing</a>', page)
    assert link is not None
    narrowed = client.get(html.unescape(link[1])).text
    assert "Team: Billing" in narrowed
    assert "Customer satisfaction" in narrowed


def test_those_without_a_team_can_be_asked_about(client: FlaskClient, engine: Engine) -> None:
    with writing(engine) as connection:
        f = feedback_request.c
        theirs = sa.update(feedback_request).where(f.team_id == "Technical")
        connection.execute(theirs.values(team_id=None, sealed=None))
    page = client.get(f"/dashboard/explore?{QUERY}").text
    link = re.search(r'href="([^"]*)" title="without a team">without a team</a>', page)
    assert link is not None
    assert "team_id=%28none%29" in link[1]
    narrowed = client.get(html.unescape(link[1])).text
    assert '<h2 id="t-nps">Net Promoter Score</h2>' in narrowed
    assert "without a team only" in narrowed
    assert client.get(f"/dashboard/?team_id=&{QUERY}").text.count("Team: ") == 0


def test_a_longer_period_is_the_longest_there_is(client: FlaskClient) -> None:
    page = client.get("/dashboard/explore?by=agent&since=2020-01-01&until=2020-02-01").text
    queries = set(re.findall(r'<a href="\?([^"]*)">Choose a longer period</a>', page))
    assert {html.unescape(query) for query in queries} == {"by=agent&since=2025-11-22&until=2026-11-22"}


@pytest.mark.parametrize("path", ["/", "/explore", "/comments", "/coverage"])
def test_an_empty_period_is_a_sentence_not_a_zero(client: FlaskClient, path: str) -> None:
    page = client.get(f"/dashboard{path}?since=2020-01-01&until=2020-02-01").text
    assert 'class="empty"' in page
    assert 'class="lead"' not in page


def test_an_empty_installation_has_every_page(settings: Settings, sqlite_engine: Engine, clock: Clock) -> None:
    with writing(sqlite_engine) as connection:
        key = keys.create(connection, "First", "admin", [], NOW)
    client = create_app(settings, sqlite_engine, clock).test_client()
    client.post("/dashboard/sign-in", data={"key": key})
    assert {path: client.get(f"/dashboard{path}").status_code for path in PAGES} == dict.fromkeys(PAGES, 200)


def test_a_cursor_still_works_tomorrow(client: FlaskClient, clock: Clock) -> None:
    onward = re.search(r'href="(\?[^"]*)">Further ones', client.get("/dashboard/comments").text)
    assert onward is not None
    for _ in range(26):  # somebody clicks now and then, until it is tomorrow in Berlin
        clock.forward(minutes=25)
        assert client.get("/dashboard/operations").status_code == 200
    clock.forward(minutes=25)
    assert client.get(f"/dashboard/comments{html.unescape(onward[1])}").status_code == 200
    assert client.get("/dashboard/comments?cursor=made-up").status_code == 422


def test_comments_can_be_narrowed_by_score_and_searched(client: FlaskClient) -> None:
    ones = client.get(f"/dashboard/comments?score=1&{QUERY}").text
    scores = set(re.findall(r'<p class="score">(\d+)<small>', ones))
    assert scores == {"1"}
    found = client.get(f"/dashboard/comments?q=REFUND&{QUERY}").text
    quotes = re.findall(r'<p class="quote" dir="auto">([^<]*)', found)
    assert quotes
    assert all("refund" in quote for quote in quotes)
    assert "Nothing found" in client.get(f"/dashboard/comments?q=zebra&{QUERY}").text


def test_a_search_never_finds_what_is_hidden(client: FlaskClient, engine: Engine, population: Population) -> None:
    with writing(engine) as connection:
        r = result.c
        connection.execute(
            sa.update(result)
            .where(r.request_id.in_(population.small))
            .values(text="zebra", text_at=NOW - timedelta(days=2), updated_at=NOW - timedelta(days=2))
        )
    assert "Nothing found" in client.get(f"/dashboard/comments?q=zebra&{QUERY}").text
    everything = client.get("/dashboard/comments?since=2026-11-19&until=2026-11-22").text
    assert "showing it would reveal whose conversation it was" in everything
    assert "zebra" not in everything
    assert SMALL not in re.sub(r"<select.*?</select>", "", everything, flags=re.DOTALL)


def test_what_customers_write_is_text_and_never_markup(
    client: FlaskClient, engine: Engine, population: Population
) -> None:
    one = population.commented[-1]
    with writing(engine) as connection:
        said = "<script>alert(1)</script> {{ 7*7 }} 'a' \u202e"
        connection.execute(sa.update(result).where(result.c.request_id == one).values(text=said))
        connection.execute(
            sa.update(feedback_request).where(feedback_request.c.team_id == "Billing").values(team_id="<b>Billing</b>")
        )
    for path in (f"/results/{one}", f"/comments?{QUERY}", f"/explore?{QUERY}", f"/coverage?by=team&{QUERY}"):
        page = client.get(f"/dashboard{path}").text
        assert "<script>" not in page
        assert "<b>Billing" not in page


def test_reading_words_is_logged_and_reading_figures_is_not(
    client: FlaskClient, engine: Engine, population: Population
) -> None:
    client.get(f"/dashboard/?{QUERY}")
    client.get("/dashboard/explore")
    assert [line.action for line in logged(engine)] == ["session.begin", "dashboard.worst"]
    client.get(f"/dashboard/comments?score=2&q=parcel&{QUERY}")
    client.get(f"/dashboard/results/{population.commented[0]}")
    client.get(f"/dashboard/download/rows.csv?{QUERY}").close()
    lines = logged(engine)[2:]
    assert [line.action for line in lines] == ["dashboard.comments", "dashboard.result", "export.dashboard"]
    assert {line.actor.partition(" (")[0] for line in lines} == {"Robin Supervisor"}
    assert lines[0].detail["filter"]["score"] == [2]
    assert "parcel" not in json.dumps([line.detail for line in lines])


def test_a_result_shows_its_life_and_takes_notes(client: FlaskClient, engine: Engine, population: Population) -> None:
    address = f"/dashboard/results/{population.commented[-1]}"
    page = client.get(address).text
    for line in ("Conversation ended", "Asked", "Score came", "told by X"):
        assert line in page
    data = {"text": "  Rang the customer.\r\nSettled. <i>", "form_token": token_of(client)}
    assert client.post(f"{address}/notes", data=data).headers["Location"] == f"{address}#notes"
    page = client.get(address).text
    assert "Settled. &lt;i&gt;" in page
    assert re.search('<p class="meta"><bdi>Robin Supervisor</bdi>, 22 Nov 2026, [0-9:]+</p>', page)
    assert [line.action for line in logged(engine)][-2:] == ["dashboard.note", "dashboard.result"]


def test_an_invalid_note_comes_back_with_the_reason(client: FlaskClient, population: Population) -> None:
    address = f"/dashboard/results/{population.commented[-1]}/notes"
    for text in ("   ", "x" * 4001, "nul\0"):
        answer = client.post(address, data={"text": text, "form_token": token_of(client)})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    missing = client.post("/dashboard/results/fr_none/notes", data={"text": "x", "form_token": token_of(client)})
    assert missing.status_code == 404


def test_whoever_writes_a_note_goes_on_in_the_same_list(client: FlaskClient, population: Population) -> None:
    one, days = (
        f"/dashboard/results/{population.commented[-1]}",
        f"since={(NOW - timedelta(days=60)).date()}&mood=unhappy",
    )
    page = client.get(f"{one}?{days}").text
    (form,) = re.findall(r'action="([^"]*/notes[^"]*)"', page)
    (back,) = set(re.findall(r'name="back" value="([^"]*)"', page))
    refused = client.post(
        html.unescape(form), data={"text": " ", "form_token": token_of(client), "back": html.unescape(back)}
    )
    assert set(re.findall(r'name="back" value="([^"]*)"', refused.text)) == {back}
    assert client.get(html.unescape(back)).status_code == 200
    kept = client.post(
        html.unescape(form), data={"text": "Rang.", "form_token": token_of(client), "back": html.unescape(back)}
    )
    assert kept.headers["Location"] == f"{html.unescape(back)}#notes"
    assert "mood=unhappy" in back


@pytest.mark.parametrize("role", ["supervisor", "analyst"])
def test_where_nothing_was_before_that_is_said_of_every_group(
    signed_in: Callable[[str], FlaskClient], engine: Engine, settings: Settings, role: str
) -> None:
    released(engine, settings, NOW)
    client, days = signed_in(role), f"since={(NOW - timedelta(days=60)).date()}&to={(NOW - timedelta(days=31)).date()}"
    for path in (f"/explore?by=team&{days}", f"/report?{days}"):
        said = re.findall(r'class="word-of [\w-]+">([^<]+)<', client.get(f"/dashboard{path}").text)
        assert set(said) == {"nothing to compare with"}, path


def test_a_table_says_why_it_is_not_ranked(client: FlaskClient) -> None:
    """Some agents and hours have few answers, each team has many."""
    for asked, says in (("by=agent", True), ("by=hour", True), ("by=team", False)):
        page = client.get(f"/dashboard/explore?{asked}&{QUERY}").text
        assert (">Not ranked: some have fewer than 30 answers.<" in page) == says, asked
    page = client.get(f"/dashboard/explore?by=hour&show=response&{QUERY}").text
    assert "Not ranked: some have fewer than 30 customers asked." in page


def test_where_nothing_is_told_yet_no_want_of_answers_is_blamed(signed_in: Callable[[str], FlaskClient]) -> None:
    page = signed_in("analyst").get("/dashboard/").text
    assert "figures are being computed" in page.partition('id="t-news"')[2]
    assert "Too few answers" not in page
    assert "No week has enough answers" not in page


def test_where_these_days_hold_no_release_of_teams_no_want_of_answers_is_blamed(
    signed_in: Callable[[str], FlaskClient], engine: Engine, settings: Settings
) -> None:
    """The last seven days end with a Saturday: days are told of the account, and no whole week of its teams."""
    released(engine, settings, NOW)
    differs = signed_in("analyst").get("/dashboard/").text.partition('id="t-news"')[2].partition("</section>")[0]
    assert "figures for analysts come in whole releases, and these days contain none" in differs
    assert "Too few answers" not in differs


def test_a_download_says_by_which_day_its_rows_are_chosen(client: FlaskClient) -> None:
    for clock, says in (
        ("", "by the day it ended, asked or not. Scores on the page"),
        ("sent_at", "by the day the question was sent. Downloading"),
    ):
        page = client.get(f"/dashboard/explore?{QUERY}{clock and f'&date_field={clock}'}").text
        assert f"A row is one conversation, {says}" in page
        assert f"date_field={clock or 'ended_at'}" in re.findall(r'href="([^"]*download/rows.csv[^"]*)"', page)[0]


def test_what_an_analyst_is_told_and_when_is_said_on_operations(signed_in: Callable[[str], FlaskClient]) -> None:
    said = {role: signed_in(role).get("/dashboard/operations").text for role in ("supervisor", "analyst")}
    assert "Answers are shown as soon as they arrive." in said["supervisor"]
    assert "Analysts see figures in whole releases, later." in said["analyst"]


def test_a_result_of_a_small_group_names_nobody(client: FlaskClient, population: Population) -> None:
    page = client.get(f"/dashboard/results/{population.small[0]}").text
    assert "too few answers to show whose conversation this was" in page
    assert "Kwame" not in page
    assert SMALL not in page
    assert "conv-" not in page


@pytest.mark.parametrize("request_id", ["fr_none", "%00", "fr_%00", "x" * 41, "..%2f..", "%f0%9f%92%a3"])
def test_an_unknown_result_is_not_found(client: FlaskClient, request_id: str) -> None:
    assert client.get(f"/dashboard/results/{request_id}").status_code == 404


def test_every_page_opens_on_postgresql_too(postgresql_engine: Engine, settings: Settings, clock: Clock) -> None:
    population = populate(postgresql_engine, NOW, size=150)
    client = create_app(settings, postgresql_engine, clock).test_client()
    assert client.post("/dashboard/sign-in", data={"key": "dmf_\0.x"}).status_code == 401
    client.post("/dashboard/sign-in", data={"key": population.keys["admin"]})
    one = f"/results/{population.commented[0]}"
    data = {"text": "Seen.", "form_token": token_of(client)}
    assert client.post(f"/dashboard{one}/notes", data=data).status_code == 303
    paths = [*PAGES, one, "/comments?q=a", "/explore?by=agent", "/download/rows.csv", "/download/figures.csv"]
    opened = {path: client.get(f"/dashboard{path}").status_code for path in paths}
    assert opened == dict.fromkeys(paths, 200)


def test_a_key_of_one_account_sees_that_account_only(signed_in: Callable[[str], FlaskClient], engine: Engine) -> None:
    client = signed_in("acmepay only")
    f = feedback_request.c
    with reading(engine) as connection:
        foreign = connection.scalar(
            sa.select(f.id).join(result, result.c.request_id == f.id).where(f.account == "acme").limit(1)
        )
        mine = connection.scalar(
            sa.select(sa.func.count()).where(
                f.account == "acmepay",
                f.test.is_(False),
                f.ended_at >= NOW.replace(month=9, day=23, hour=22),
                f.ended_at < NOW.replace(day=21, hour=23),
            )
        )
    assert client.get(f"/dashboard/results/{foreign}").status_code == 404
    assert client.get("/dashboard/?account=acme").status_code == 403
    assert "@acmecare" not in client.get("/dashboard/operations").text
    assert f"conversations</b>; <b>{mine}</b> ended" in client.get(f"/dashboard/?{QUERY}").text


def test_test_traffic_counts_nowhere(client: FlaskClient, engine: Engine) -> None:
    f = feedback_request.c
    with reading(engine) as connection:
        period = (f.ended_at >= NOW.replace(month=9, day=23, hour=22), f.ended_at < NOW.replace(day=21, hour=23))
        real = connection.scalar(sa.select(sa.func.count()).where(f.test.is_(False), *period))
        all_of_them = connection.scalar(sa.select(sa.func.count()).where(*period))
    assert real != all_of_them
    assert f"conversations</b>; <b>{real:,}</b> ended" in client.get(f"/dashboard/?{QUERY}").text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("bogus=1", "There is no parameter"),
        ("since=yesterday", "since"),
        ("since=2026-11-02&until=2026-11-01", "lies after the last one"),
        ("score=5", "Figures cannot be filtered by 'score';"),
        ("request_id=r-1", "Figures cannot be filtered by 'request_id';"),
        ("type=ces", "must be"),
    ],
)
def test_a_question_that_cannot_be_asked_is_answered_in_words(client: FlaskClient, query: str, sentence: str) -> None:
    answer = client.get(f"/dashboard/?{query}")
    assert answer.status_code == 422
    assert sentence in html.unescape(answer.text)
    assert client.get("/dashboard/explore?by=mood").status_code == 422


def test_an_error_is_shown_beside_its_field_and_the_form_stays_filled(client: FlaskClient) -> None:
    page = client.get("/dashboard/comments?since=2026-11-09&to=2026-11-02&q=refund&team_id=Billing&cursor=x").text
    assert re.search('name="to" value="2026-11-02" aria-invalid="true" aria-describedby="why-to">', page)
    assert re.search('<p class="notice warn" id="why-to">The first day lies after the last one.</p>', page)
    assert 'name="since" value="2026-11-09">' in page
    assert 'name="q" value="refund">' in page
    assert '<input type="hidden" name="team_id" value="Billing">' in page
    assert 'name="cursor"' not in page
    again = client.get("/dashboard/explore?since=2026-11-09&until=2026-11-02").text
    assert 'name="to" value="2026-11-01"' in again, "the last day, as the form has it"


def test_a_refused_form_offers_to_take_away_only_what_was_chosen(client: FlaskClient) -> None:
    empty = "&".join(f"{name}=" for name in ("account", "agent_id", "type", "score_from", "q"))
    page = client.get(f"/dashboard/comments?since=2026-11-09&to=2026-11-02&team_id=Billing&{empty}").text
    assert re.findall(r"Remove filter </span>([^<]*) <", page) == ["Team: Billing"]


def test_days_without_a_beginning_are_said_so_or_asked_for(client: FlaskClient) -> None:
    for path in ("/comments", "/coverage", "/operations", "/conversations"):
        page = client.get(f"/dashboard{path}?since=&to=2026-10-31").text
        assert "up to 31 Oct 2026" in page, path
        assert "1 Jan 1 " not in page, path
    file = client.get("/dashboard/download/rows.csv?until=2026-11-01")
    assert file.headers["Content-Disposition"] == "attachment; filename=feedback-up-to-2026-10-31.csv"
    for address in ("/?since=&to=2026-10-31", "/explore?until=2026-11-01"):
        page = client.get(f"/dashboard{address}").text
        assert re.search('name="since" value="" aria-invalid="true" aria-describedby="why-since">', page), address
        assert "Choose the first day, too" in page
        assert 'name="to" value="2026-10-31"' in page


def test_days_to_come_are_not_said_to_have_passed(client: FlaskClient) -> None:
    for path in ("/", "/explore"):
        page = client.get(f"/dashboard{path}?since=2026-11-01&to=2026-11-30").text
        assert "1 \u2013 22 Nov 2026" in page, path
        assert "compared with 10 \u2013 31 Oct 2026" in page, path


@pytest.mark.parametrize("days", ["since=2026-11-25&to=2026-12-01", "since=2026-11-25"])
def test_days_that_are_all_to_come_are_compared_with_none(signed_in: Callable[[str], FlaskClient], days: str) -> None:
    for path, role in (("/", "supervisor"), ("/", "analyst"), ("/explore", "analyst")):
        page = signed_in(role).get(f"/dashboard{path}?{days}").text
        assert "compared with no days" in page, path
        assert not re.search("2[34567] \u2013 2[0-9] Nov", page), path


def test_questions_and_ways_of_asking_are_never_combined_in_silence(client: FlaskClient, engine: Engine) -> None:
    one, several = "More than one question is combined here.", "Asked in more than one way: "
    pages = [f"/?{QUERY}", f"/explore?by=team&{QUERY}", f"/explore?by=variant&{QUERY}", f"/explore?by=way&{QUERY}"]

    def said() -> list[tuple[bool, bool]]:
        found = [client.get(f"/dashboard{each}").text for each in pages]
        return [(one in page, several in page) for page in found]

    assert said() == [(False, False)] * 4
    f = feedback_request.c
    with writing(engine) as connection:
        theirs = sa.update(feedback_request).where(f.team_id == "Billing", f.card_sent_at.is_not(None))
        connection.execute(theirs.values(question_variant_id=2, way="page", sealed=None))
    assert said() == [(True, True), (True, True), (False, True), (True, False)]
    week = client.get("/dashboard/?since=2026-11-15&until=2026-11-22").text
    assert "The questions were not all the same" not in week
    assert "The question changed in the week" not in week
    with writing(engine) as connection:
        last = sa.update(feedback_request).where(f.ended_at > NOW - timedelta(days=9), f.type == "csat")
        connection.execute(last.values(question_variant_id=2, sealed=None))
    week = client.get("/dashboard/?since=2026-11-15&until=2026-11-22").text
    assert "The questions were not all the same; the difference may come from that." in week
    assert "The question changed in the week from 15 Nov 2026." in week


def test_a_download_holds_what_is_on_screen(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/comments?score=5&{QUERY}").text
    links = re.findall(r'href="(/dashboard/download/rows\.csv[^"]*)"', page)
    answer = client.get(html.unescape(links[0]))
    rows = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    assert "attachment; filename=" in answer.headers["Content-Disposition"]
    assert len(rows) > 20
    assert {row["score"] for row in rows} == {"5"}
    assert all(row["text_at"] for row in rows)


@pytest.mark.parametrize("asked", ["", "all=1&", "marked=done&", "marked=all&mood=unhappy&", "has_text=false&all=1&"])
def test_the_file_of_the_comments_holds_the_answers_of_the_list(client: FlaskClient, asked: str) -> None:
    for one in RESULT.findall(client.get(f"/dashboard/comments?{QUERY}").text)[:3]:
        client.post(f"/dashboard/results/{one}/mark", data={"do": "finish", "form_token": token_of(client)})
    address, listed, file = f"/dashboard/comments?{asked}{QUERY}", set(), ""
    while address:
        page = client.get(address).text
        listed |= set(RESULT.findall(page))
        file = re.findall(r'href="(/dashboard/download/rows\.csv[^"]*)"', page)[0]
        onward = re.search(r'href="(\?[^"]*)">Further ones', page)
        address = f"/dashboard/comments{html.unescape(onward[1])}" if onward else ""
    rows = csv.DictReader(io.StringIO(client.get(html.unescape(file)).get_data().decode("utf-8-sig")))
    assert {row["request_id"] for row in rows} == listed
    assert listed


def test_words_that_were_searched_are_no_filter_of_figures_and_in_no_log(
    client: FlaskClient, engine: Engine, population: Population, settings: Settings, tmp_path: Path
) -> None:
    answer = client.get("/dashboard/?q=parcel")
    assert answer.status_code == 422
    assert "cannot be filtered by 'q'" in html.unescape(answer.text)
    page = client.get(f"/dashboard/comments?q=parcel&{QUERY}").text
    assert re.findall(r'href="(/dashboard/(?:explore|coverage|operations)?\?[^"]*)"', page)
    assert not re.search(r'href="/dashboard/(?:explore|coverage|operations)?\?[^"]*parcel', page)
    client.get(f"/dashboard/download/rows.csv?q=parcel&{QUERY}").close()
    key = {"Authorization": f"Bearer {population.keys['supervisor']}"}
    for path in ("/v1/results", "/v1/results.csv"):
        client.get(f"{path}?q=parcel&{QUERY}", headers=key).close()
    reader = keys.Reader("k", "k", "admin", ())
    export.write_file(engine, settings, reader, Filter(q="parcel"), tmp_path / "rows.csv", "csv", NOW)
    lines = [line for line in logged(engine) if line.action != "session.begin"]
    actions = ("dashboard.comments", "export.dashboard", "results.list", "results.export", "export.file")
    assert tuple(line.action for line in lines) == actions
    assert all(line.detail["filter"]["searched"] for line in lines)
    assert "parcel" not in json.dumps([line.detail for line in lines])


def test_figures_download_names_nobody_whom_the_page_does_not(client: FlaskClient) -> None:
    links = re.findall(r'href="(/dashboard/download/[^"]*)"', client.get(f"/dashboard/explore?{QUERY}").text)
    [address] = [link for link in links if "figures.csv" in link]
    rows = list(csv.DictReader(io.StringIO(client.get(html.unescape(address)).get_data().decode("utf-8-sig"))))
    groups = {row["group"]: row for row in rows if row["type"] == "csat"}
    assert SMALL not in groups
    assert int(groups["not named"]["n"]) >= FEW


def test_a_file_of_figures_has_no_half_about_cards_nobody_was_sent(client: FlaskClient) -> None:
    """Its conversations would be added to those of the other half."""
    for asked, kinds in (("team_id=Billing", {"csat"}), ("team_id=Technical", {"nps"}), ("", {"csat", "nps"})):
        file = client.get(f"/dashboard/download/figures.csv?by=agent&{asked}&{QUERY}").get_data().decode("utf-8-sig")
        assert {row["type"] for row in csv.DictReader(io.StringIO(file))} == kinds
    empty = client.get("/dashboard/download/figures.csv?by=agent&since=2020-01-01&until=2020-02-01").text
    assert len(empty.splitlines()) > 1, "a head alone tells nobody anything"


def test_figures_as_a_sheet_are_numbers_whatever_mark_decimals_have(client: FlaskClient) -> None:
    """A file with commas is one column where a comma is the decimal mark, and 12.5 the 12th of May."""
    for asked in ("by=team", "by=team&and=campaign"):
        links = re.findall(
            r'href="(/dashboard/download/[^"]*)"', client.get(f"/dashboard/explore?{asked}&{QUERY}").text
        )
        file, book = (
            client.get(html.unescape(next(link for link in links if f"figures.{kind}" in link))).get_data()
            for kind in ("csv", "xlsx")
        )
        lines = list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"))))
        head, *rows = sheets(book)["sheet1"]
        names = {place.rstrip("1"): name.removesuffix(" (UTC)") for place, (_, name) in head.items()}
        assert len(rows) == len(lines) > 2
        for number, (row, line) in enumerate(zip(rows, lines, strict=True), 2):
            told = {names[place.removesuffix(str(number))]: cell for place, cell in row.items()}
            for name in ("value", "low", "high", "n", "response_rate"):
                assert told.get(name, ("n", ""))[0] == "n"
                assert told.get(name, ("n", ""))[1] == line[name], "to the last digit"
            assert told["method"] == ("inlineStr", line["method"])
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["since"]), "as in every file"
        explained = {name for line in sheets(book)["sheet2"] for place, (_, name) in line.items() if place[0] == "A"}
        assert {name for _, name in head.values()} <= explained
    assert client.get("/dashboard/download/figures.pdf").status_code == 404


def test_readers_without_rows_are_told_that_the_first_release_waits(signed_in: Callable[[str], FlaskClient]) -> None:
    client = signed_in("analyst")
    for path in ("/", "/explore", "/coverage"):
        page = client.get(f"/dashboard{path}?{QUERY}")
        assert page.status_code == 200
    week = client.get(f"/dashboard/?{QUERY}").text
    assert "figures for analysts come in whole releases" in week or "figures are being computed" in week
    assert '<p class="lead">' not in week


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx", "parquet"])
def test_rows_come_in_every_format(client: FlaskClient, kind: str) -> None:
    answer = client.get(f"/dashboard/download/rows.{kind}?{QUERY}&date_field=ended_at")
    assert answer.status_code == 200
    assert len(answer.get_data()) > 10_000
    assert client.get("/dashboard/download/rows.doc").status_code == 404


@pytest.mark.parametrize("file", ["rows.xlsx", "rows.parquet", "figures.xlsx"])
def test_a_download_for_which_there_is_no_room_is_refused(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"{tmp_path}/nowhere")
    assert client.get(f"/dashboard/download/{file}?{QUERY}&by=team").status_code == 503


def test_downloads_of_the_pages_and_of_the_api_share_the_slots(client: FlaskClient, population: Population) -> None:
    address = f"/dashboard/download/rows.csv?{QUERY}"
    running = [client.get(address) for _ in range(client.application.extensions[NAME].exports)]
    key = {"Authorization": f"Bearer {population.keys['supervisor']}"}
    assert client.get(address).status_code == 429
    assert client.get("/v1/results.csv", headers=key).status_code == 429
    for each in running:
        each.close()
    assert client.get("/v1/results.csv", headers=key).status_code == 200


def logged(engine: Engine) -> list[sa.Row[tuple[object, ...]]]:
    with reading(engine) as connection:
        return list(connection.execute(sa.select(access_log).order_by(access_log.c.id)))


def test_reading_changes_nothing_but_sessions_and_the_log(client: FlaskClient, engine: Engine) -> None:
    def contents() -> dict[str, int]:
        with reading(engine) as connection:
            return {
                table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
            }

    before = contents()
    for path in PAGES:
        client.get(f"/dashboard{path}?{QUERY}" if path in {"/", "/comments"} else f"/dashboard{path}")
    changed = {name for name, n in contents().items() if n != before[name]}
    assert changed == {"access_log"}


def test_the_week_says_what_figures_publish(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    page = html.unescape(client.get(f"/dashboard/?{QUERY}").text)
    asked = Filter(since=NOW.replace(month=9, day=23, hour=22), until=NOW.replace(day=21, hour=23))
    reader = keys.Reader("k", "k", "admin", ())
    with reading(engine) as connection:
        found = figures.summary(ReportQuery(connection, settings, reader, asked, NOW))
    for score in (found.csat, found.nps):
        assert score is not None
        assert re.search(rf'<p class="lead">{sentences.value(score)}(</p>| <small>)', page)
        assert f"of <b>{words.count(score.n)}</b> answers" in page
        assert f"probably <b>{sentences.bounds(score)}</b>" in page
    rate = found.response_rate_of_delivered
    assert f"<b>{words.count(rate.successes)}</b> of {words.count(rate.n)} who were asked have answered" in page


def test_the_first_page_says_that_asking_works_where_nothing_hinders_it(
    client: FlaskClient, engine: Engine, settings: Settings
) -> None:
    assert "Asking works" not in client.get(f"/dashboard/?{QUERY}").text
    with writing(engine) as connection:
        connection.execute(sa.update(account_state).values(hold_reason=None, hold_code=None, held_at=None))
    asked = Filter(since=NOW.replace(month=9, day=23, hour=22), until=NOW.replace(day=21, hour=23))
    with reading(engine) as connection:
        reader = keys.Reader("k", "k", "admin", ())
        found = figures.summary(ReportQuery(connection, settings, reader, asked, NOW))
    says = f"Asking works: asked about {found.delivered:,} conversations, {found.ended:,} ended."
    assert says in client.get(f"/dashboard/?{QUERY}").text


def test_a_card_that_is_never_sent_takes_no_room(client: FlaskClient) -> None:
    for path, of in (("/", "t"), ("/explore", "t"), ("/report", "rp")):
        page = client.get(f"/dashboard{path}?team_id=Billing&{QUERY}").text
        assert f'id="{of}-csat"' in page, path
        assert "Net Promoter" not in page.partition("<main")[2], path


def test_rates_that_may_still_rise_are_said_to(client: FlaskClient) -> None:
    for days, rises in ((QUERY, True), ("since=2026-09-24&until=2026-10-20", False)):
        page = client.get(f"/dashboard/explore?show=response&{days}").text
        assert ("so these rates may still rise" in page) == rises


def test_explore_has_the_rows_of_the_api_in_its_words(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    page = html.unescape(client.get("/dashboard/explore?by=team&since=2026-10-23&until=2026-11-22").text)
    asked = Filter(since=NOW.replace(month=10, day=22, hour=22), until=NOW.replace(day=21, hour=23))
    with reading(engine) as connection:
        reader = keys.Reader("k", "k", "admin", ())
        tables = figures.differences(ReportQuery(connection, settings, reader, asked, NOW), "team").items
    rows = [row for table in tables for row in table.rows if row.now.value is not None]
    assert len(rows) > 3
    for row in rows:
        assert f"{sentences.value(row.now)}<small> of {words.count(row.now.n)}" in page
        assert f">{sentences.judged(row.judgement)}</span>" in page
    drawings = page.count("<svg")
    assert drawings == page.count('aria-hidden="true" focusable="false"') + page.count('role="img"')


def test_a_small_group_has_no_score_and_how_many_they_are_is_told(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/?team_id=Loyalty+desk&{QUERY}").text
    tile = page[page.index('id="t-csat"') : page.index('id="t-news"')]
    assert "With fewer than 5 answers nobody is shown separately" in tile
    assert 'class="lead"' not in tile


def test_on_the_first_day_todays_answers_show_before_there_is_a_whole_day(
    signed_in: Callable[[str], FlaskClient], clock: Clock, engine: Engine
) -> None:
    clock.forward(days=400)
    with writing(engine) as connection:
        fr = feedback_request.c
        one = connection.scalar(sa.select(fr.id).where(fr.state == "skipped", fr.test.is_(False)).limit(1))
        connection.execute(sa.update(feedback_request).where(fr.id == one).values(ended_at=clock.now, sealed=None))
    page = signed_in("supervisor").get("/dashboard/").text
    assert "Today so far" in page
    assert "1 conversation ended, asked about 0" in page
    assert "Today so far" not in signed_in("analyst").get("/dashboard/").text


def test_the_first_answers_of_the_first_day_are_told_without_a_score(
    settings: Settings, sqlite_engine: Engine, clock: Clock
) -> None:
    known = populate(sqlite_engine, NOW, size=60)
    f, r, one = feedback_request.c, result.c, known.commented[-1]
    with writing(sqlite_engine) as connection:
        for table in (result_update, transition):
            connection.execute(sa.delete(table))
        connection.execute(sa.delete(result).where(r.request_id != one))
        connection.execute(sa.delete(feedback_request).where(f.id != one))
        at = NOW - timedelta(hours=2)
        connection.execute(sa.update(feedback_request).values(ended_at=at, card_sent_at=at, type="csat", sealed=None))
        connection.execute(sa.update(result).values(score=2, score_at=NOW - timedelta(hours=1)))
    client = create_app(settings, sqlite_engine, clock).test_client()
    client.post("/dashboard/sign-in", data={"key": known.keys["supervisor"]})
    page = client.get("/dashboard/").text
    assert "1 conversation ended, asked about 1" in page
    assert "CSAT: 1 answer, too few for a score." in page


def test_with_today_the_period_keeps_its_beginning(client: FlaskClient) -> None:
    page = client.get("/dashboard/").text
    query = re.search(r'<a href="\?([^"]*)">with today</a>', page)
    assert query is not None
    assert query[1] == "since=2026-11-15"


def test_only_the_last_days_are_called_so(client: FlaskClient) -> None:
    """On a Monday `this week` would be read as the one that has just begun."""
    for query, heading in (
        ("", "Last 7 days"),
        ("?since=2026-10-23&until=2026-11-22", "Last 30 days"),
        ("?since=2026-09-08&until=2026-09-15", "8 \u2013 14 Sep 2026"),
        ("?since=2026-09-01&until=2026-10-01", "1 \u2013 30 Sep 2026"),
    ):
        assert f"<h1>{heading}</h1>" in client.get(f"/dashboard/{query}").text


def test_more_names_than_there_is_room_for_are_said_to_be_more(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "more: Explore" not in client.get("/dashboard/comments").text
    monkeypatch.setattr(facets, "MOST_CHOICES", 4)
    selects = SELECT.findall(client.get("/dashboard/comments").text)
    (agents,) = (each for each in selects if 'name="agent_id"' in each)
    assert agents.count("<option value") == 5, "all of them, and four"
    assert "8 more: Explore lists those with answers" in agents


def test_the_last_day_of_the_form_belongs_to_the_period(client: FlaskClient) -> None:
    page = client.get("/dashboard/?since=2026-11-01&to=2026-11-10").text
    assert "1 \u2013 10 Nov 2026" in page
    assert 'name="to" value="2026-11-10"' in page
    assert client.get("/dashboard/?to=soon").status_code == 422


def test_a_new_installation_shows_what_is_still_to_do(settings: Settings, sqlite_engine: Engine, clock: Clock) -> None:
    with writing(sqlite_engine) as connection:
        known = {role: keys.create(connection, role, role, [], NOW) for role in ("supervisor", "analyst")}
    for role, told in (("supervisor", 4), ("analyst", 0)):
        client = create_app(settings, sqlite_engine, clock).test_client()
        client.post("/dashboard/sign-in", data={"key": known[role]})
        assert client.get("/dashboard/").text.count("Still to do: ") == told


def test_few_answers_are_not_said_to_differ_from_nothing(
    settings: Settings, sqlite_engine: Engine, clock: Clock
) -> None:
    population = populate(sqlite_engine, NOW, size=12)
    client = create_app(settings, sqlite_engine, clock).test_client()
    client.post("/dashboard/sign-in", data={"key": population.keys["supervisor"]})
    page = client.get(f"/dashboard/?{QUERY}").text
    assert "Too few answers</p>" in page
    assert "Nothing stands out" not in page


def test_nobody_asked_is_a_sentence(client: FlaskClient) -> None:
    page = client.get("/dashboard/?since=2020-01-01&until=2020-02-01").text
    assert "Nobody was asked, so nobody could answer." in page


def test_notes_appear_in_everybodys_charts(
    client: FlaskClient, signed_in: Callable[[str], FlaskClient], engine: Engine
) -> None:
    form = {"day": "2026-11-11", "account": "", "text": "Parcels <i>lost</i>", "form_token": token_of(client)}
    assert client.post("/dashboard/timeline", data=form | {"back": "/dashboard/explore"}).status_code == 303
    assert client.post("/dashboard/timeline", data=form | {"day": "2026-01-11", "text": "a launch"}).status_code == 303
    page = client.get("/dashboard/").text
    assert page.count('class="c-event"') == 2, "in each of the two charts"
    assert "Parcels &lt;i&gt;lost&lt;/i&gt;" in page
    assert "a launch</li>" not in page
    pay = signed_in("acmepay only")
    assert "Parcels &lt;i&gt;lost" in pay.get("/dashboard/").text
    analyst = signed_in("analyst")
    assert "Parcels &lt;i&gt;lost" in analyst.get("/dashboard/timeline").text
    assert "<form class" not in analyst.get("/dashboard/timeline").text
    assert analyst.post("/dashboard/timeline", data=form | {"form_token": token_of(analyst)}).status_code == 403
    assert [line.action for line in logged(engine) if "timeline" in line.action] == ["timeline.add"] * 2


def test_an_invalid_timeline_note_comes_back_filled_in(client: FlaskClient) -> None:
    token = {"form_token": token_of(client)}
    for given in ({"day": "soon", "text": "A launch"}, {"day": "2026-11-11", "text": "A launch " + "x" * 120}):
        answer = client.post("/dashboard/timeline", data=given | token)
        assert answer.status_code == 422
        assert f'value="{given["text"]}"' in answer.text
        assert 'role="alert"' in answer.text
    client.post("/dashboard/timeline", data={"day": "2026-11-11", "text": "A launch", **token})
    remove = re.search(r'action="(/dashboard/timeline/\d+/remove)"', client.get("/dashboard/timeline").text)
    assert remove is not None
    assert client.post(remove[1], data=token).status_code == 303
    assert "There are no notes yet" in client.get("/dashboard/timeline").text


def test_operations_go_on_to_this_moment_and_other_days_can_be_chosen(client: FlaskClient) -> None:
    page = client.get("/dashboard/operations").text
    assert "24 Oct \u2013 22 Nov 2026" in page
    assert 'aria-label="Period"' in page


def test_names_are_said_to_be_hidden_only_where_they_are(
    client: FlaskClient, engine: Engine, population: Population
) -> None:
    with writing(engine) as connection:
        connection.execute(sa.update(naming).values(readable_at=None))
    for one, hidden in ((population.commented[-1], False), (population.small[0], True)):
        page = client.get(f"/dashboard/comments?marked=all&all=1&request_id={one}&{QUERY}").text
        assert page.count('<p class="score">') == 1
        assert ("names hidden" in page) == hidden


def test_a_held_account_stands_on_every_page_and_operations_say_what_to_do(client: FlaskClient) -> None:
    for path in PAGES:
        page = client.get(f"/dashboard{path}").text
        assert "@acmepay has sent nothing since 22 Nov 2026, 06:00: locked by X." in page
    page = client.get("/dashboard/operations").text
    assert 'id="account-acmepay"' in page
    assert "dm-feedback accounts release acmepay" in page
    assert "No worker is running: conversations are accepted, and nothing is sent." in page
    assert "Sending" not in page
    assert "19 Nov 2026, 13:00" in page


def test_comments_come_worst_first_page_by_page_each_once(client: FlaskClient) -> None:
    address, seen, ranks = f"/dashboard/comments?{QUERY}", [], []
    while address:
        page = client.get(address).text
        seen += re.findall(r'<a href="/dashboard/results/(fr_[0-9a-f]+)', page)
        told = re.findall(r'<p class="score">(\d+)<small>of (5|10)', page)
        ranks += [rank_of("csat" if of == "5" else "nps", int(score)) for score, of in told]
        onward = re.search(r'href="(\?[^"]*)">Further ones', page)
        address = f"/dashboard/comments{html.unescape(onward[1])}" if onward else ""
    assert len(seen) == len(set(seen)) > 150
    assert ranks == sorted(ranks)


def test_an_answer_is_done_handed_over_and_found_by_it(client: FlaskClient, engine: Engine) -> None:
    page = client.get(f"/dashboard/comments?{QUERY}").text
    one = re.findall(r'<a href="/dashboard/results/(fr_[0-9a-f]+)', page)[0]
    mark, token = f"/dashboard/results/{one}/mark", {"form_token": token_of(client)}
    back = f"/dashboard/comments?{QUERY}"
    answer = client.post(mark, data={"do": "finish", "back": back, **token})
    assert (answer.status_code, answer.headers["Location"]) == (303, back)
    assert one not in client.get(f"/dashboard/comments?{QUERY}").text
    assert one in client.get(f"/dashboard/comments?marked=done&{QUERY}").text
    assert client.post(mark, data={"do": "give", "owner": "Robin Admin", **token}).status_code == 303
    assert one in client.get(f"/dashboard/comments?marked=all&owner=Robin+Admin&{QUERY}").text
    assert client.post(mark, data={"do": "give", "owner": "Robin Analyst", **token}).status_code == 422
    assert client.post(mark, data={"do": "burn", **token}).status_code == 422
    assert client.post(mark, data={"do": "reopen", "back": "https://evil.example/", **token}).status_code == 303
    page = client.get(f"/dashboard/results/{one}").text
    assert "assigned by <bdi>Robin Supervisor</bdi>" in page
    told = [line.detail["do"] for line in logged(engine) if line.action == "dashboard.mark"]
    assert told == ["finish", "give", "reopen"]


@pytest.mark.parametrize("address", [f"/dashboard/comments?{QUERY}", "/dashboard/"])
def test_after_one_answer_is_done_with_one_is_at_the_next(client: FlaskClient, address: str) -> None:
    """Who works through a list is not thrown back to its top with each."""
    page = html.unescape(client.get(address).text)
    listed = re.findall(r'<li id="answer-(fr_[0-9a-f]+)"', page)
    backs = re.findall(r'name="back" value="([^"]*)"', page)[: len(listed)]
    assert len(listed) > 2
    assert [each.rpartition("#answer-")[2] for each in backs] == [*listed[1:], listed[-2]]
    done = {"do": "finish", "back": backs[0], "form_token": token_of(client)}
    onward = client.post(f"/dashboard/results/{listed[0]}/mark", data=done).headers["Location"]
    assert onward.endswith(f"#answer-{listed[1]}")
    assert f'id="answer-{listed[1]}"' in client.get(onward).text


def test_a_comment_says_with_whom_it_is_and_how_many_notes_it_has(client: FlaskClient) -> None:
    one = RESULT.findall(client.get(f"/dashboard/comments?{QUERY}").text)[0]
    token = {"form_token": token_of(client)}
    client.post(f"/dashboard/results/{one}/mark", data={"do": "give", "owner": "Robin Admin", **token})
    for n, said in ((1, "1 note"), (2, "2 notes")):
        client.post(f"/dashboard/results/{one}/notes", data={"text": f"Rang {n}.", **token})
        page = client.get(f"/dashboard/comments?request_id={one}&{QUERY}").text
        assert f"with <bdi>Robin Admin</bdi> · {said}</p>" in page


def test_an_answer_is_handed_to_nobody_who_cannot_read_it(
    client: FlaskClient, engine: Engine, population: Population
) -> None:
    fr = feedback_request.c
    with writing(engine) as connection:
        gone = keys.create(connection, "Gone Already", "supervisor", [], NOW - timedelta(days=2))
        ended = keys.Bounds(expires_at=NOW - timedelta(days=1))
        keys.create(connection, "Ended Lately", "supervisor", [], NOW - timedelta(days=2), ended)
        keys.revoke(connection, gone, NOW)
        of_acme = sa.select(fr.id).where(fr.id.in_(population.commented), fr.account == "acme")
        one = connection.scalar(of_acme.limit(1))
    form = client.get(f"/dashboard/results/{one}").text
    assert re.findall(r"<option>(Robin \w+|Pat Pay|Gone Already|Ended Lately)</option>", form) == [
        "Robin Admin",
        "Robin Supervisor",
    ]
    give = {"do": "give", "owner": "Pat Pay", "form_token": token_of(client)}
    answer = client.post(f"/dashboard/results/{one}/mark", data=give)
    assert answer.status_code == 422
    assert "not a supervisor with a valid key for the account" in answer.text


def test_twelve_weeks_are_twelve_though_the_clocks_were_put_forward(
    settings: Settings, sqlite_engine: Engine, clock: Clock
) -> None:
    clock.now = NOW.replace(month=4, day=10)
    population = populate(sqlite_engine, clock.now, size=200)
    client = create_app(settings, sqlite_engine, clock).test_client()
    client.post("/dashboard/sign-in", data={"key": population.keys["supervisor"]})
    page = client.get("/dashboard/").text
    assert set(re.findall(r"the last (\d+) weeks</title>", page)) == {"12"}


def test_previous_and_next_follow_the_list_and_keep_its_filter(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/comments?mood=unhappy&{QUERY}").text
    listed = re.findall(r'<a href="(/dashboard/results/fr_[0-9a-f]+\?[^"]*)', page)
    address, walked = html.unescape(listed[0]), []
    for _ in range(5):
        walked.append(address.partition("?")[0])
        onward = re.search(r'rel="next" href="([^"]*)"', client.get(address).text)
        assert onward is not None
        address = html.unescape(onward[1])
    assert walked == [html.unescape(each).partition("?")[0] for each in listed[:5]]
    assert "mood=unhappy" in address


def test_a_conversation_that_does_not_say_whose_it_is_says_why(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/conversations?state=card_sent&{QUERY}").text
    pages = [page]
    while address := re.search(r'href="(\?[^"]*cursor=[^"]*)"', pages[-1]):
        pages.append(client.get(f"/dashboard/conversations{html.unescape(address[1])}").text)
    hidden = [each for each in pages if '<td role="cell" data-name="Agent">hidden</td>' in each]
    assert hidden
    assert all(
        "for people with fewer than 5 answers, a conversation does not show whose it is" in each for each in hidden
    )
    assert not any("does not show whose it is" in each for each in pages if each not in hidden)


def test_texts_removed_by_retention_are_not_called_hidden(
    client: FlaskClient, engine: Engine, population: Population
) -> None:
    one = population.commented[0]
    kept_back = "With so few answers, showing it would reveal whose conversation it was."
    for text, says in ((None, "its text was deleted at the end of its retention"), ("words", "words")):
        with writing(engine) as connection:
            connection.execute(sa.update(result).where(result.c.request_id == one).values(text=text))
        for path in (f"/dashboard/results/{one}", f"/dashboard/comments?request_id={one}&all=1&{QUERY}"):
            page = client.get(path).text
            assert says in page
            assert kept_back not in page


def test_every_reason_leads_to_its_conversations(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/operations?{QUERY}").text
    links = re.findall(r'href="(/dashboard/conversations\?[^"]*)">([\d,]+)<', page)
    assert len(links) > 3
    address, n = links[-1]
    listed = client.get(html.unescape(address)).text
    assert listed.count('<tr role="row"><th role="rowheader"') == int(n) <= 50


def test_two_groupings_at_once_lead_to_both_and_to_their_file(
    client: FlaskClient, signed_in: Callable[[str], FlaskClient]
) -> None:
    page = client.get(f"/dashboard/explore?by=team&and=source&{QUERY}").text
    link = re.search(r'href="([^"]*)" title="Billing \u00b7 crm">Billing \u00b7 crm</a>', page)
    assert link is not None
    narrowed = client.get(html.unescape(link[1])).text
    assert "Team: Billing" in narrowed
    assert "Source: crm" in narrowed
    assert ">compare<" not in page
    [file] = re.findall(r'href="(/dashboard/download/figures\.csv[^"]*)"', page)
    rows = list(csv.DictReader(io.StringIO(client.get(html.unescape(file)).get_data().decode("utf-8-sig"))))
    groups = {row["group"]: row for row in rows if row["type"] == "csat"}
    assert int(groups["Billing \u00b7 crm"]["n"]) > 20
    assert not [name for name in groups if SMALL in name]
    assert client.get("/dashboard/explore?by=team&and=team").status_code == 422
    analyst = signed_in("analyst")
    assert "And by one more" not in analyst.get(f"/dashboard/explore?{QUERY}").text
    assert analyst.get("/dashboard/explore?by=team&and=source").status_code == 422


def test_names_written_from_right_to_left_leave_what_stands_beside_them_in_its_place(
    signed_in: Callable[[str], FlaskClient], engine: Engine, population: Population
) -> None:
    team, agent, key = "\u0641\u0631\u064a\u0642", "\u0623\u0645\u064a\u0631\u0629", "\u0633\u0627\u0631\u0629"
    f = feedback_request.c
    with writing(engine) as connection:
        theirs = sa.update(feedback_request).where(f.agent_id == "Amira Haddad")
        connection.execute(theirs.values(agent_id=agent, team_id=team, sealed=None))
        one = connection.scalar(sa.select(f.id).where(f.agent_id == agent, f.id.in_(population.commented)).limit(1))
        population.keys[key] = keys.create(connection, key, "supervisor", [], NOW)
    client = signed_in(key)
    token = {"form_token": token_of(client)}
    for asked in ({"do": "finish"}, {"do": "give", "owner": key}):
        client.post(f"/dashboard/results/{one}/mark", data=asked | token)
    client.post(f"/dashboard/results/{one}/notes", data={"text": "Rang.", **token})
    for path in (f"/results/{one}", "/comments?marked=all", f"/explore?by=agent&a={agent}&b=Ben+Okafor"):
        page = client.get(f"/dashboard{path}{'&' if '?' in path else '?'}{QUERY}").text
        assert page.count("<bdi>") > 3, path
        assert not re.search(f"(?:{team}|{agent}|{key})[^A-Za-z<>]*(?:[0-9]|{agent})", page), path


def test_two_agents_are_compared_by_the_same_cases(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/explore?by=agent&a=Amira+Haddad&b=Ben+Okafor&{QUERY}").text
    assert "<bdi>Amira Haddad</bdi> and <bdi>Ben Okafor</bdi>" in page
    assert "With the same questions, languages and campaigns:" in page


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("/breakdown?by=agent&team_id=Billing", "/explore?team_id=Billing&by=agent"),
        ("/accounts", "/operations"),
        ("/completeness", "/operations"),
    ],
)
def test_former_addresses_redirect(client: FlaskClient, before: str, now: str) -> None:
    answer = client.get(f"/dashboard{before}")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"/dashboard{now}")


@pytest.mark.parametrize("role", ["supervisor", "analyst"])
@pytest.mark.parametrize("page", ["explore", "operations", "coverage", "report"])
def test_the_names_to_choose_from_do_not_say_who_worked_when(
    signed_in: Callable[[str], FlaskClient], role: str, page: str
) -> None:
    client = signed_in(role)
    bars = {
        tuple(SELECT.findall(client.get(f"/dashboard/{page}?agent_id=x&team_id=x&since={day}&to={day}").text))
        for day in ("2026-11-02", "2026-11-19", "2020-01-01")
    }
    assert len(bars) == 1
    assert any("<option" in select for select in bars.pop())
