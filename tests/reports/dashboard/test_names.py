"""Names on pages: in place of ids, ids where one looks closer, long ones cut in the middle."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.db import writing
from service.reports.people import stored
from service.reports.people.name_at import NameLine
from tests.conftest import NOW
from tests.reports.dashboard.population import Population

LONG = "The team for returns, refunds and everything that was never ordered"


@pytest.fixture
def client(engine: Engine, signed_in: Callable[[str], FlaskClient]) -> FlaskClient:
    lines = [NameLine("team", "Billing", "Invoices & more"), NameLine("team", "Technical", LONG)]
    with writing(engine) as connection:
        stored.keep(connection, lines, "cli:ann", NOW)
    return signed_in("supervisor")


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(f"/dashboard/{path}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_group_is_shown_by_its_name_and_a_long_one_is_cut_in_the_middle(client: FlaskClient) -> None:
    for path in ("explore?by=team", "coverage?by=team"):
        text = page(client, path)
        assert "Invoices &amp; more" in text
        assert "The team for ret\u2026s never ordered" in text, path
        assert ">Technical<" not in text


def test_one_chooses_by_name_and_the_address_keeps_the_id(client: FlaskClient) -> None:
    text = page(client, "explore?by=team&team_id=Billing")
    assert '<option value="Billing" selected>Invoices &amp; more</option>' in text
    assert "Team: Invoices &amp; more" in text
    assert "Invoices &amp; more only" in text
    assert "<title>Invoices &amp; more, " in text


def test_an_answer_says_name_id_and_question(client: FlaskClient, population: Population) -> None:
    texts = [page(client, f"results/{each}") for each in population.commented[:40]]
    assert any("<bdi>Invoices &amp; more</bdi> <small" in text for text in texts)
    assert any("How satisfied are you with" in text for text in texts)
    assert not any("variant 1<" in text for text in texts)


def test_a_file_of_figures_has_name_and_id(client: FlaskClient) -> None:
    lines = page(client, "download/figures.csv?by=team").splitlines()
    assert lines[0].endswith(',"name"')
    assert {line.rpartition(",")[2] for line in lines if ',"Billing",' in line} == {'"Invoices & more"'}


def test_two_groups_are_compared_by_their_names_in_a_shared_address_too(client: FlaskClient) -> None:
    days = "since=2026-09-24&until=2026-11-22"
    text = page(client, f"explore?by=team&a=Billing&b=Delivery&{days}")
    assert '<h2 id="t-versus"><bdi>Invoices &amp; more</bdi> and <bdi>Delivery</bdi></h2>' in text
    assert "<b>CSAT:</b> <bdi>Invoices &amp; more</bdi> " in text
    assert "Comparing <b>Invoices &amp; more</b>" in page(client, f"explore?by=team&a=Billing&{days}")
    assert '<h2 id="t-versus"><bdi>How satisfied' in page(client, f"explore?by=variant&a=1&b=2&{days}")
    assert '<h2 id="t-versus"><bdi>0</bdi> and <bdi>Delivery</bdi></h2>' in page(
        client, f"explore?by=team&a=0&b=Delivery&{days}"
    ), "an id"
