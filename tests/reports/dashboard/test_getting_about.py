"""From page to page: the days, the filters and what may be asked stay as they stand on screen."""

import csv
import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.app import create_app
from service.db import reading, writing
from service.models import feedback_request, result
from service.requests import seals
from service.settings import Settings, from_tree
from tests.conftest import NOW
from tests.reports.dashboard.population import Population, released, settings_tree
from tests.support import Clock

MAIN = re.compile(r"<main.*</main>", re.DOTALL)
ONWARD = re.compile(r'href="(/dashboard/(?:explore|conversations|operations|coverage)?\?[^"#]*)"')
HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
FORM = re.compile(r'<form method="get">.*?</form>', re.DOTALL)
QUERY = "since=2026-09-24&until=2026-11-22"
RESULT = re.compile(r'<a href="/dashboard/results/(fr_[0-9a-f]+)')


def page(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.text[-400:])
    return answer.text


def in_file(client: FlaskClient, address: str) -> set[str]:
    lines = csv.DictReader(io.StringIO(client.get(address).get_data().decode("utf-8-sig")))
    return {each["request_id"] for each in lines}


@pytest.fixture
def analyst(engine: Engine, settings: Settings, signed_in: Callable[[str], FlaskClient]) -> FlaskClient:
    released(engine, settings, NOW)
    return signed_in("analyst")


@pytest.mark.parametrize(
    ("start", "days"),
    [
        ("/dashboard/", "15 \u2013 21 Nov 2026"),
        ("/dashboard/explore?by=source", "23 Oct \u2013 21 Nov 2026"),
        ("/dashboard/coverage", "23 Oct \u2013 21 Nov 2026"),
        ("/dashboard/operations", "24 Oct \u2013 22 Nov 2026"),
    ],
)
def test_a_link_leads_to_the_days_on_screen_though_pages_have_days_of_their_own(
    client: FlaskClient, start: str, days: str
) -> None:
    links = {html.unescape(each) for each in ONWARD.findall(MAIN.findall(page(client, start))[0])}
    assert links
    for each in links:
        assert days in page(client, each), each


def test_a_number_leads_to_as_many_conversations(client: FlaskClient) -> None:
    for start in ("/dashboard/", "/dashboard/coverage", "/dashboard/operations"):
        links = re.findall(r'href="(/dashboard/conversations\?[^"]*)">([\d,]+)<', page(client, start))
        assert links, start
        for address, n in links:
            listed = page(client, html.unescape(address))
            assert listed.count('<tr role="row"><th role="rowheader"') == min(int(n), 50)
            assert ("Earlier ones" in listed) == (int(n) > 50)


@pytest.mark.parametrize(
    "address",
    [
        f"?source=crm&channel=x_dm&question_variant_id=1&type=csat&date_field=ended_at&{QUERY}",
        f"explore?by=team&and=source&show=response&source=crm&type=nps&{QUERY}",
        f"explore?by=team&a=Billing&b=Delivery&channel=x_dm&{QUERY}",
        f"comments?mood=unhappy&marked=all&order=newest&source=crm&has_text=true&{QUERY}",
        f"conversations?reason=cooldown&source=crm&{QUERY}",
        f"report?comments=worst&source=crm&type=csat&{QUERY}",
    ],
)
def test_the_form_keeps_what_it_has_no_field_for(client: FlaskClient, address: str) -> None:
    """Who came by a source and changes the days would read everybody's figures."""
    (form,) = FORM.findall(page(client, f"/dashboard/{address}"))
    carried = [(name, html.unescape(value)) for name, value in HIDDEN.findall(form)]
    fields = set(re.findall(r'<(?:input id="[^"]*" type="[a-z]+"|select id="[^"]*") name="([^"]*)"', form))
    asked = parse_qsl(urlsplit(address).query)
    assert {"since", "to"} <= fields
    assert carried == [(n, v) for n, v in asked if n not in {*fields, "since", "until"}]
    assert carried


def test_of_two_teams_in_an_address_the_form_shows_one_and_keeps_the_other(client: FlaskClient) -> None:
    (form,) = FORM.findall(page(client, f"/dashboard/explore?team_id=Billing&team_id=Delivery&{QUERY}"))
    assert '<option value="Billing" selected>' in form
    assert HIDDEN.findall(form) == [("team_id", "Delivery")]


def test_a_comment_belongs_to_the_day_it_was_written_whatever_changed_since(
    client: FlaskClient, engine: Engine
) -> None:
    """A name that is told moves `updated_at` of every answer of its agent, however old."""
    days = f"since={NOW.date().replace(day=16)}&to={NOW.date().replace(day=18)}&all=1&marked=all"
    pages = ("/dashboard/", f"/dashboard/comments?{days}", f"/dashboard/comments?order=newest&{days}")
    before = [set(RESULT.findall(page(client, each))) for each in pages]
    file = html.unescape(re.findall(r'href="(/dashboard/download/rows\.csv[^"]*)"', page(client, pages[1]))[0])
    rows = in_file(client, file)
    with writing(engine) as connection:
        seals.regroup(connection, sa.select(feedback_request.c.id), NOW)
    after = [set(RESULT.findall(page(client, each))) for each in pages]
    assert after[1:] == before[1:]
    assert 0 < len(before[1]) < 25, "one page"
    assert in_file(client, file) == rows == before[1]
    with reading(engine) as connection:
        written = sa.select(sa.func.min(result.c.text_at)).where(result.c.request_id.in_(after[0]))
        first = connection.execute(written).scalar_one()
    assert (NOW - first).days <= 8


def test_a_clock_that_figures_do_not_have_leads_to_no_page_of_figures(client: FlaskClient) -> None:
    said = page(client, f"/dashboard/comments?{QUERY}&date_field=answered_at")
    tabs = re.findall(r'<a href="(/dashboard/explore[^"]*)"', said)
    assert tabs
    assert not [each for each in tabs if "date_field" in each]
    page(client, html.unescape(tabs[0]))


def test_an_analyst_is_offered_nothing_that_is_refused(analyst: FlaskClient) -> None:
    waiting, seen = [f"/dashboard/?{QUERY}", f"/dashboard/explore?{QUERY}"], set[str]()
    while waiting:
        address = waiting.pop(0)
        parts, asked = urlsplit(address), dict(parse_qsl(urlsplit(address).query))
        known = f"{parts.path} {sorted(asked)} {asked.get('by')}"
        if known in seen or "/download/" in address or "/report.pdf" in address:
            continue
        seen.add(known)
        answer = analyst.get(address)
        # two that releases do not tell together: the page says so, and takes either away
        assert answer.status_code == 200 or "Filters in force" in answer.text, (address, answer.text[-400:])
        within = MAIN.findall(answer.text)[0] if answer.status_code == 200 else ""
        found = re.findall(r'href="(/dashboard[^"#]*|\?[^"#]*)"', within)
        waiting += [
            address.partition("?")[0] + each if each.startswith("?") else each for each in map(html.unescape, found)
        ]
    assert len(seen) > 30
    assert not [each for each in seen if each.endswith(("channel", "handled_by"))]


def test_an_analyst_chooses_among_what_releases_tell(
    analyst: FlaskClient, signed_in: Callable[[str], FlaskClient], engine: Engine
) -> None:
    with writing(engine) as connection:
        ids = connection.scalars(sa.select(feedback_request.c.id).limit(900)).all()
        changed = sa.update(feedback_request).where(feedback_request.c.id.in_(ids))
        connection.execute(changed.values(handled_by="ai", **seals.UNSEALED))
    assert '<select id="f-handled_by"' in page(signed_in("supervisor"), "/dashboard/explore")
    assert '<select id="f-handled_by"' not in page(analyst, "/dashboard/explore")
    refused = analyst.get("/dashboard/explore?by=variant&team_id=Billing").text
    assert "language, question, way of asking, hour of day; team and question can only be combined" in refused


def test_an_analyst_is_not_told_that_nothing_ended_where_no_release_lies(analyst: FlaskClient) -> None:
    for days, says in (("since=2026-11-20&until=2026-11-22", "Not available yet"), (QUERY, "Counted ")):
        for by in ("team", "agent"):
            told = page(analyst, f"/dashboard/coverage?by={by}&{days}")
            assert says in told
            assert "Nothing ended" not in told
        told = page(analyst, f"/dashboard/explore?by=team&{days}")
        assert says in told
        assert "nobody answered" not in told
    assert "whole accounts only" in page(analyst, f"/dashboard/explore?show=response&{QUERY}")


@pytest.mark.parametrize("group", ["team_id=Technical", "team_id=Billing"])
def test_an_analyst_narrows_the_first_page_down(analyst: FlaskClient, group: str) -> None:
    """Of a group releases tell a score and not its distribution: there is nothing to draw."""
    told = page(analyst, f"/dashboard/?{QUERY}&{group}")
    assert "-scores-title" not in told
    assert "nps-classes" not in told
    assert "-scores-title" in page(analyst, f"/dashboard/?{QUERY}")


def test_a_table_of_releases_says_once_which_days_it_holds_and_how_many_answers_wait(analyst: FlaskClient) -> None:
    """These are the account's: beside a team's own answers they would be read as the team's."""
    told = page(analyst, f"/dashboard/explore?by=team&{QUERY}")
    said = re.findall(r"Counted in whole releases from [^;]* to [^;]*; [\d,]+ answers? more in the next one\.", told)
    assert len(said) == told.count('<table class="groups"') == 2
    assert not re.search(r"\d of [\d,]+ answers", told)
    hidden = page(analyst, "/dashboard/operations")
    assert "No others in these days" not in hidden
    assert hidden.count("Not available yet.") == 2


def test_a_page_reads_each_list_of_releases_once(analyst: FlaskClient, engine: Engine) -> None:
    """Every tile, chart and table of it is made of some of the same."""
    asked: list[tuple[str, str]] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *told: asked.append((told[2], repr(told[3]))))
    for path in ("", "report"):
        del asked[:]
        page(analyst, f"/dashboard/{path}?{QUERY}")
        read = [each for each in asked if "release" in each[0]]
        assert len(read) == len(set(read)) > 20, path


def test_a_refused_question_can_be_asked_again_without_each_of_its_filters(client: FlaskClient) -> None:
    answer = client.get("/dashboard/explore?by=mood&team_id=Billing&source=crm")
    assert answer.status_code == 422
    assert 'href="?by=mood&amp;source=crm"><span class="unseen">Remove filter </span>Team: Billing' in answer.text


def test_an_account_that_left_the_settings_is_read_as_before(
    engine: Engine, population: Population, clock: Clock, tmp_path: Path
) -> None:
    built = settings_tree(f"sqlite:///{tmp_path / 'populated.db'}")
    del built["accounts"]["acmepay"]
    client = create_app(from_tree(built, {}), engine, clock).test_client()
    client.post("/dashboard/sign-in", data={"key": population.keys["supervisor"]})
    link = re.search(r'href="([^"]*)" title="acmepay">', page(client, f"/dashboard/explore?by=account&{QUERY}"))
    assert link is not None
    assert "acmepay only" in page(client, html.unescape(link[1]))
    operations = page(client, f"/dashboard/operations?account=acmepay&{QUERY}")
    assert "This account is no longer in the settings." in operations
    assert "From ended to answered" in operations
    key = {"Authorization": f"Bearer {population.keys['supervisor']}"}
    assert client.get("/v1/summary?account=acmepay", headers=key).get_json()["csat"]["n"] > 0
    refused = client.get("/v1/summary?account=acnepay", headers=key)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "invalid_parameter")


def test_a_language_by_an_old_tag_is_the_one_in_the_menu(client: FlaskClient, engine: Engine) -> None:
    with writing(engine) as connection:
        ids = connection.scalars(sa.select(feedback_request.c.id).limit(200)).all()
        changed = sa.update(feedback_request).where(feedback_request.c.id.in_(ids))
        connection.execute(changed.values(language="no", **seals.UNSEALED))
    told = page(client, f"/dashboard/explore?by=team&language=no&{QUERY}")
    assert '<option value="nb" selected>nb</option>' in told
    assert 'value="no"' not in told
    assert "</span>Language: nb <" in told


def test_a_key_is_told_what_it_reads(client: FlaskClient, population: Population) -> None:
    assert "supervisor: it reads results and comments, of every X account." in page(client, "/dashboard/sessions")
    other = client.application.test_client()
    other.post("/dashboard/sign-in", data={"key": population.keys["acmepay only"]})
    assert "of acmepay." in page(other, "/dashboard/sessions")
    assert "Your key reads only acmepay." in page(other, "/dashboard/")
