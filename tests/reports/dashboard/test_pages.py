"""What the pages show, to whom, and that filters live in the address."""

import csv
import html
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.app import create_app
from service.auth import keys
from service.db import open_engine, reading, writing
from service.models import access_log, feedback_request, metadata, result
from service.reports.dashboard import words
from service.reports.figures import figures
from service.reports.filters import Filter
from service.settings import Settings
from service.web.slots import NAME
from tests.conftest import NOW
from tests.reports.dashboard.population import BLAME, FEW, PRAISE, SMALL, Population, populate
from tests.reports.dashboard.test_door import PAGES, token_of
from tests.support import Clock

LINK = re.compile(r'href="(/dashboard[^"]*|\?[^"]*)"')
QUERY = "since=2026-09-24&until=2026-11-22"


@pytest.mark.parametrize("role", ["admin", "supervisor", "analyst"])
def test_every_page_opens_for_those_who_may_read_it(signed_in: Callable[[str], FlaskClient], role: str) -> None:
    client = signed_in(role)
    opened = {path: client.get(f"/dashboard{path}").status_code for path in PAGES}
    assert opened == dict.fromkeys(PAGES, 200) | ({"/comments": 403} if role == "analyst" else {})


def test_an_analyst_finds_no_way_to_a_customers_words(
    signed_in: Callable[[str], FlaskClient], population: Population
) -> None:
    client, request_id = signed_in("analyst"), population.commented[0]
    seen = [client.get(f"/dashboard{path}?{QUERY}").text for path in PAGES if path != "/comments"]
    assert not any(html.escape(said, quote=False).split("\n")[0] in page for said in PRAISE + BLAME for page in seen)
    assert not any("/dashboard/comments" in page or "/download/rows" in page for page in seen)
    assert client.get(f"/dashboard/results/{request_id}").status_code == 403
    assert client.get("/dashboard/download/rows.csv").status_code == 403
    data = {"text": "x", "form_token": token_of(client)}
    assert client.post(f"/dashboard/results/{request_id}/notes", data=data).status_code == 403


def test_the_overview_says_what_figures_publish(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    page = client.get("/dashboard/?since=2026-10-01&until=2026-11-22").text
    with reading(engine) as connection:
        asked = Filter(since=NOW.replace(month=9, day=30, hour=22), until=NOW.replace(day=21, hour=23))
        found = figures.summary(connection, settings, keys.Reader("k", "k", "admin", ()), asked, NOW)
    assert found.csat is not None
    assert found.nps is not None
    for score in (found.csat, found.nps):
        assert f'<p class="lead">{words.number(score.value)}' in page
        assert f"{words.number(score.low)} to {words.number(score.high)}" in page
        assert f"n <b>{words.count(score.n)}</b>" in page
    rate = found.response_rate_of_delivered
    assert f"<b>{words.count(rate.successes)}</b> of <b>{words.count(rate.n)}</b> cards" in page


def test_every_tile_explains_its_figure_and_every_chart_has_a_table(client: FlaskClient) -> None:
    for path in ("/", "/breakdown", "/coverage"):
        page = client.get(f"/dashboard{path}?{QUERY}").text
        for tile in re.findall(r'<section class="tile.*?</section>', page, re.DOTALL):
            heading = re.search(r"<h2[^>]*>([^<]*)", tile)
            assert "<figure>" not in tile or "<table" in tile, heading
            assert "Formula</dt>" in tile or "Why" in tile or path == "/coverage", heading
        assert page.count("<svg") == len(re.findall(r'<svg[^>]*role="img"[^>]*aria-labelledby=', page))


def test_no_page_needs_a_script_or_another_host(client: FlaskClient) -> None:
    for path in PAGES:
        page = client.get(f"/dashboard{path}").text
        assert "<script" not in page
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style", page)
        loaded = re.findall(r'(?:src|<link[^>]* href|action)="([^"]*)"', page)
        assert not [each for each in loaded if not each.startswith("/dashboard/")]


def test_no_link_of_the_dashboard_is_broken(client: FlaskClient, population: Population) -> None:
    waiting = [f"/dashboard/?{QUERY}", f"/dashboard/results/{population.commented[-1]}"]
    seen: set[str] = set()
    while waiting and len(seen) < 150:
        address = waiting.pop(0)
        if address in seen or "/download/" in address:
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.text[-400:])
        links = [html.unescape(link) for link in LINK.findall(answer.text)]
        waiting += [address.partition("?")[0] + link if link.startswith("?") else link for link in links]
    assert len(seen) > 60


def test_filters_travel_in_the_address_from_page_to_page(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/breakdown?by=agent&team_id=Billing&{QUERY}").text
    assert 'href="/dashboard/coverage?team_id=Billing&amp;since=2026-09-24&amp;until=2026-11-22"' in page
    assert "Team: Billing" in page
    assert "Dmitri Volkov</a>" not in page
    assert '<option value="Billing" selected>' in page


def test_a_group_leads_to_its_own_overview(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/breakdown?{QUERY}").text
    link = re.search(r'href="([^"]*)">Billing</a>', page)
    assert link is not None
    narrowed = client.get(html.unescape(link[1])).text
    assert "Team: Billing" in narrowed
    assert "Customer satisfaction" in narrowed


def test_those_without_a_team_can_be_asked_about(client: FlaskClient, engine: Engine) -> None:
    with writing(engine) as connection:
        f = feedback_request.c
        theirs = sa.update(feedback_request).where(f.team_id == "Technical")
        connection.execute(theirs.values(team_id=None, sealed=None))
    page = client.get(f"/dashboard/breakdown?{QUERY}").text
    link = re.search(r'href="([^"]*)">without one</a>', page)
    assert link is not None
    assert "team_id=%28none%29" in link[1]
    narrowed = client.get(html.unescape(link[1])).text
    assert '<h2 id="t-nps">Net Promoter Score</h2>' in narrowed
    assert client.get(f"/dashboard/?team_id=&{QUERY}").text.count("Team: ") == 0


def test_a_small_group_is_said_to_be_hidden_and_no_number_of_it_is_there(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/?team_id=Loyalty+desk&{QUERY}").text
    tile = page[page.index('id="t-csat"') : page.index('id="t-nps"')]
    assert "Not shown" in tile
    assert "5 answers" in tile
    assert not re.search(r'class="lead"|95 % interval|<svg', tile)


def test_figures_end_with_yesterday_and_one_click_shows_today(
    signed_in: Callable[[str], FlaskClient], clock: Clock, engine: Engine
) -> None:
    clock.forward(days=400)
    f = feedback_request.c
    with writing(engine) as connection:
        one = connection.scalar(sa.select(f.id).where(f.state == "skipped", f.test.is_(False)).limit(1))
        connection.execute(sa.update(feedback_request).where(f.id == one).values(ended_at=clock.now, sealed=None))
    client = signed_in("supervisor")
    page = client.get("/dashboard/").text
    assert "Figures end with yesterday" in page
    query = re.search(r'<a href="(\?[^"]*)">with today</a>', page)
    assert query is not None
    today = client.get(f"/dashboard/{html.unescape(query[1])}").text
    assert "Figures end with yesterday" not in today
    assert 'aria-current="true">with today' in today


def test_a_longer_period_is_the_longest_there_is(client: FlaskClient) -> None:
    page = client.get("/dashboard/breakdown?by=agent&since=2020-01-01&until=2020-02-01").text
    queries = set(re.findall(r'<a href="\?([^"]*)">Take a longer period</a>', page))
    assert {html.unescape(query) for query in queries} == {"by=agent&since=2025-11-22&until=2026-11-22"}


@pytest.mark.parametrize("path", ["/", "/breakdown", "/comments", "/coverage"])
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


def test_groups_too_small_to_rank_stand_by_name_and_overlap_is_said(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/breakdown?by=agent&{QUERY}").text
    csat = page[page.index('id="t-csat"') : page.index('id="t-nps"')]
    names = [name.strip() for name in re.findall(r'scope="row">(?:<a [^>]*>)?([^<]*)<', csat)]
    assert len(names) > 5
    assert names[:-1] == sorted(names[:-1])
    assert names[-1] == "not named"
    assert "a ranking would be chance" in page
    assert 'data-name="Overlaps with"' in page


def test_the_comments_come_newest_first_page_by_page_each_once(client: FlaskClient) -> None:
    address, seen, times = f"/dashboard/comments?{QUERY}", [], []
    while address:
        page = client.get(address).text
        seen += re.findall(r"/dashboard/results/(fr_[0-9a-f]+)", page)
        times += re.findall(r'class="meta">(\d+ \w+ \d+, \d\d:\d\d)', page)
        onward = re.search(r'href="(\?[^"]*)">Older ones', page)
        address = f"/dashboard/comments{html.unescape(onward[1])}" if onward else ""
    assert len(seen) == len(set(seen)) > 150


def test_a_page_can_be_turned_tomorrow(client: FlaskClient, clock: Clock) -> None:
    onward = re.search(r'href="(\?[^"]*)">Older ones', client.get("/dashboard/comments").text)
    assert onward is not None
    for _ in range(26):  # somebody clicks now and then, until it is tomorrow in Berlin
        clock.forward(minutes=25)
        assert client.get("/dashboard/accounts").status_code == 200
    clock.forward(minutes=25)
    assert client.get(f"/dashboard/comments{html.unescape(onward[1])}").status_code == 200
    assert client.get("/dashboard/comments?cursor=made-up").status_code == 422


def test_comments_can_be_narrowed_by_score_and_searched(client: FlaskClient) -> None:
    ones = client.get(f"/dashboard/comments?score=1&{QUERY}").text
    scores = set(re.findall(r'<p class="score">(\d+)<small>', ones))
    assert scores == {"1"}
    found = client.get(f"/dashboard/comments?q=REFUND&{QUERY}").text
    quotes = re.findall(r'<p class="quote">([^<]*)', found)
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
    assert "showing it would show whose it is" in everything
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
    for path in (f"/results/{one}", f"/comments?{QUERY}", f"/breakdown?{QUERY}", f"/coverage?by=team&{QUERY}"):
        page = client.get(f"/dashboard{path}").text
        assert "<script" not in page
        assert "<b>Billing" not in page


def test_reading_words_is_logged_and_reading_figures_is_not(
    client: FlaskClient, engine: Engine, population: Population
) -> None:
    client.get(f"/dashboard/?{QUERY}")
    client.get("/dashboard/breakdown")
    assert [line.action for line in logged(engine)] == ["session.begin"]
    client.get(f"/dashboard/comments?score=2&q=parcel&{QUERY}")
    client.get(f"/dashboard/results/{population.commented[0]}")
    client.get(f"/dashboard/download/rows.csv?{QUERY}").close()
    lines = logged(engine)[1:]
    assert [line.action for line in lines] == ["dashboard.comments", "dashboard.result", "export.dashboard"]
    assert {line.actor.partition(" (")[0] for line in lines} == {"Robin Supervisor"}
    assert lines[0].detail["filter"]["score"] == [2]
    assert "parcel" not in json.dumps([line.detail for line in lines])


def test_a_result_shows_its_life_and_takes_notes(client: FlaskClient, engine: Engine, population: Population) -> None:
    address = f"/dashboard/results/{population.commented[-1]}"
    page = client.get(address).text
    for line in ("Conversation ended", "Card sent", "News of score"):
        assert line in page
    data = {"text": "  Rang the customer.\r\nSettled. <i>", "form_token": token_of(client)}
    assert client.post(f"{address}/notes", data=data).headers["Location"] == f"{address}#notes"
    page = client.get(address).text
    assert "Settled. &lt;i&gt;" in page
    assert "Robin Supervisor" in page
    assert [line.action for line in logged(engine)][-2:] == ["dashboard.note", "dashboard.result"]


def test_a_note_that_cannot_be_kept_comes_back_with_why(client: FlaskClient, population: Population) -> None:
    address = f"/dashboard/results/{population.commented[-1]}/notes"
    for text in ("   ", "x" * 4001, "nul\0"):
        answer = client.post(address, data={"text": text, "form_token": token_of(client)})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    missing = client.post("/dashboard/results/fr_none/notes", data={"text": "x", "form_token": token_of(client)})
    assert missing.status_code == 404


def test_a_result_of_a_small_group_names_nobody(client: FlaskClient, population: Population) -> None:
    page = client.get(f"/dashboard/results/{population.small[0]}").text
    assert "Too few answers to show whose conversation this was" in page
    assert "Kwame" not in page
    assert SMALL not in page
    assert "conv-" not in page


@pytest.mark.parametrize("request_id", ["fr_none", "%00", "fr_%00", "x" * 41, "..%2f..", "%f0%9f%92%a3"])
def test_what_is_no_result_is_not_found(client: FlaskClient, request_id: str) -> None:
    assert client.get(f"/dashboard/results/{request_id}").status_code == 404


def test_every_page_opens_on_postgresql_too(postgresql_url: str, settings: Settings, clock: Clock) -> None:
    engine = open_engine(postgresql_url)
    population = populate(engine, NOW, size=150)
    client = create_app(settings, engine, clock).test_client()
    assert client.post("/dashboard/sign-in", data={"key": "dmf_\0.x"}).status_code == 401
    client.post("/dashboard/sign-in", data={"key": population.keys["admin"]})
    one = f"/results/{population.commented[0]}"
    data = {"text": "Seen.", "form_token": token_of(client)}
    assert client.post(f"/dashboard{one}/notes", data=data).status_code == 303
    paths = [*PAGES, one, "/comments?q=a", "/breakdown?by=agent", "/download/rows.csv", "/download/figures.csv"]
    opened = {path: client.get(f"/dashboard{path}").status_code for path in paths}
    engine.dispose()
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
    assert "@acmecare" not in client.get("/dashboard/accounts").text
    assert f"of {mine} ended conversations" in client.get(f"/dashboard/?{QUERY}").text


def test_accounts_show_a_hold_and_what_to_do(client: FlaskClient) -> None:
    page = client.get("/dashboard/accounts").text
    assert "Account locked (X&#39;s code 326)" in page
    assert "Mend it (at X, or the keys in the settings, then restart), then an operator runs: " in page
    assert "dm-feedback accounts release acmepay" in page
    assert "skipped (stale)" in page
    assert "No worker is running" in page


def test_completeness_says_until_when_everything_is_here(client: FlaskClient) -> None:
    page = client.get("/dashboard/completeness").text
    assert "19 Nov 2026, 13:00" in page
    assert "22 Nov 2026, 11:00" in page


def test_test_traffic_counts_nowhere(client: FlaskClient, engine: Engine) -> None:
    f = feedback_request.c
    with reading(engine) as connection:
        period = (f.ended_at >= NOW.replace(month=9, day=23, hour=22), f.ended_at < NOW.replace(day=21, hour=23))
        real = connection.scalar(sa.select(sa.func.count()).where(f.test.is_(False), *period))
        all_of_them = connection.scalar(sa.select(sa.func.count()).where(*period))
    assert real != all_of_them
    assert f"of {real:,} ended conversations" in client.get(f"/dashboard/?{QUERY}").text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("bogus=1", "There is no parameter"),
        ("since=yesterday", "since"),
        ("since=2026-11-02&until=2026-11-01", "must lie before"),
        ("score=5", "Figures cannot be narrowed by"),
        ("type=ces", "must be"),
    ],
)
def test_a_question_that_cannot_be_asked_is_answered_in_words(client: FlaskClient, query: str, sentence: str) -> None:
    answer = client.get(f"/dashboard/?{query}")
    assert answer.status_code == 422
    assert sentence in html.unescape(answer.text)
    assert client.get("/dashboard/breakdown?by=mood").status_code == 422


def test_a_download_holds_what_is_on_screen(client: FlaskClient) -> None:
    page = client.get(f"/dashboard/comments?score=5&{QUERY}").text
    links = re.findall(r'href="(/dashboard/download/rows\.csv[^"]*)"', page)
    answer = client.get(html.unescape(links[0]))
    rows = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    assert "attachment; filename=" in answer.headers["Content-Disposition"]
    assert len(rows) > 20
    assert {row["score"] for row in rows} == {"5"}
    assert all(row["text_at"] for row in rows)


def test_figures_download_names_nobody_whom_the_page_does_not(client: FlaskClient) -> None:
    links = re.findall(r'href="(/dashboard/download/[^"]*)"', client.get(f"/dashboard/breakdown?{QUERY}").text)
    [address] = [link for link in links if "figures" in link]
    rows = list(csv.DictReader(io.StringIO(client.get(html.unescape(address)).get_data().decode("utf-8-sig"))))
    groups = {row["group"]: row for row in rows if row["type"] == "csat"}
    assert SMALL not in groups
    assert int(groups["not named"]["n"]) >= FEW


def test_who_sees_no_rows_is_told_that_the_first_release_waits(signed_in: Callable[[str], FlaskClient]) -> None:
    client = signed_in("analyst")
    for path in ("/", "/breakdown", "/coverage"):
        page = client.get(f"/dashboard{path}?{QUERY}")
        assert page.status_code == 200
    assert "No release lies in this period yet" in client.get(f"/dashboard/?{QUERY}").text


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx", "parquet"])
def test_rows_come_in_every_format(client: FlaskClient, kind: str) -> None:
    answer = client.get(f"/dashboard/download/rows.{kind}?{QUERY}&date_field=ended_at")
    assert answer.status_code == 200
    assert len(answer.get_data()) > 10_000
    assert client.get("/dashboard/download/rows.doc").status_code == 404


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
