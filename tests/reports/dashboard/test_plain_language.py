"""Every sentence of every page is plain language: no code words, no statistical jargon.

Formulas and sources are folded under a plain sentence with an example, and may be exact there.
"""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.app import create_app
from service.auth import keys
from service.db import writing
from service.models import feedback_request, result, result_update, transition
from service.reports.dashboard import words
from service.reports.disclosure.closing import close_due
from service.reports.statistics.definitions import DEFINITIONS
from service.settings import Settings
from service.states import ENDS, State
from service.ways import HANDED_OVER, WAYS
from tests.conftest import NOW
from tests.reports.dashboard.population import Population, named_long_ago, populate
from tests.support import Clock

QUERY = "since=2026-09-24&until=2026-11-22"
PAGES = (
    "/", f"/?{QUERY}", "/?team_id=Loyalty+desk", "/?since=2020-01-01&until=2020-02-01", f"/explore?{QUERY}",
    f"/explore?by=agent&a=Amira+Haddad&b=Ben+Okafor&{QUERY}", f"/explore?by=way&{QUERY}", f"/explore?by=hour&{QUERY}",
    f"/explore?by=variant&show=response&{QUERY}", f"/explore?by=campaign&{QUERY}", f"/explore?by=handled_by&{QUERY}",
    f"/coverage?{QUERY}", f"/coverage?by=way&{QUERY}", "/operations", "/report", "/report?last=week",
    "/timeline", "/sessions", "/definitions", "/?bogus=1", "/nowhere",
)  # fmt: skip
FOR_SUPERVISORS = (
    "/comments", "/comments?q=zebra", "/comments?marked=done&mood=unhappy", "/results/{commented}", "/results/{small}",
    "/conversations?reason=cooldown", "/conversations?state=unknown", f"/explore?by=team&and=language&{QUERY}",
)  # fmt: skip
TO_THE_LETTER = {("code", ""), ("dl", "definition"), ("style", ""), ("script", ""), ("head", "")}
CODE_WORD = re.compile(r"\b[a-z]+_[a-z_]+\b")
DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")
HYPHEN_FOR_MINUS = re.compile(r"(?<![\w\u2013-])-\d")
ONE_OF_MANY = re.compile(
    r"(?<![\d,.])1 (?:answers|conversations|customers|agents|teams|groups|weeks|days|hours|notes)\b"
)
JARGON = re.compile(
    r"AAPOR|sigma|Wilson|\binterval|standard error|\b95 %|p-chart|binomial|\bHolm\b|suppress|cooldown|cool-down"
    r"|skipped|\bstale\b|sampled out|\bvariant|\bnull\b|^None$|\bundefined\b|\bn\b|still filling|\+-",
)


class Reader(HTMLParser):
    """What is read aloud of a page: its text, labels and titles, but for what stands there to the letter."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._within: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in {"input", "meta", "link", "br"}:
            self._within.append((tag, given.get("class", "") if tag == "dl" else "") in TO_THE_LETTER)
        self.said += [given[name] for name in ("title", "aria-label", "alt", "placeholder") if given.get(name)]
        self.said.append("\n")

    def handle_endtag(self, _tag: str) -> None:
        self._within.pop()
        self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not any(self._within):
            self.said.append(data)


def said(page: str) -> list[str]:
    reader = Reader()
    reader.feed(page)
    lines = "".join(reader.said).split("\n")
    return [line.strip() for line in lines if line.strip()]


def odd(line: str) -> Iterator[str]:
    """What one would ask about, or stumble over."""
    for what in (CODE_WORD, DECIMAL, HYPHEN_FOR_MINUS, ONE_OF_MANY, JARGON):
        yield from (f"{found[0]!r} in {line!r}" for found in what.finditer(line))


def asked_about(client: FlaskClient, pages: tuple[str, ...], known: Population | None = None) -> dict[str, list[str]]:
    ids = {"commented": known.commented[-1], "small": known.small[0]} if known else {}
    found = {}
    for path in pages:
        lines = said(client.get(f"/dashboard{path.format(**ids)}").text)
        assert len(lines) > 3, path
        if wrong := [each for line in lines for each in odd(line)]:
            found[path] = wrong
    return found


def test_every_page_of_a_supervisor_is_plain_language(client: FlaskClient, population: Population) -> None:
    assert asked_about(client, (*PAGES, *FOR_SUPERVISORS), population) == {}


def test_every_page_of_an_analyst_is_plain_language(
    signed_in: Callable[[str], FlaskClient], engine: Engine, settings: Settings
) -> None:
    client = signed_in("analyst")
    assert asked_about(client, ("/", "/explore", "/report")) == {}
    while close_due(engine, settings, NOW):
        pass
    assert asked_about(client, (*PAGES, "/comments")) == {}


def test_the_first_day_is_plain_language(settings: Settings, sqlite_engine: Engine, clock: Clock) -> None:
    with writing(sqlite_engine) as connection:
        key = keys.create(connection, "First", "supervisor", [], NOW)
    client = create_app(settings, sqlite_engine, clock).test_client()
    assert asked_about(client, ("/sign-in", "/sign-in?why=ended", "/sign-in?why=out")) == {}
    client.post("/dashboard/sign-in", data={"key": key})
    assert asked_about(client, PAGES) == {}


def test_the_page_of_an_answer_is_plain_language(settings: Settings, sqlite_engine: Engine, clock: Clock) -> None:
    known = populate(sqlite_engine, NOW, 60)
    kept = known.commented[-1]
    with writing(sqlite_engine) as connection:
        for table in (result_update, result, transition):
            connection.execute(sa.delete(table).where(table.c.request_id != kept))
        connection.execute(sa.delete(feedback_request).where(feedback_request.c.id != kept))
    named_long_ago(sqlite_engine, settings, NOW)
    client = create_app(settings, sqlite_engine, clock).test_client()
    client.post("/dashboard/sign-in", data={"key": known.keys["supervisor"]})
    assert "1 answer, too few for a score" in client.get(f"/dashboard/?{QUERY}").text
    assert asked_about(client, (*PAGES, "/comments", f"/results/{kept}")) == {}


def test_refusals_are_plain_language(client: FlaskClient) -> None:
    wrong = ("/?since=yesterday", "/explore?by=mood", "/comments?cursor=x", "/coverage?by=hour", "/report?month=13")
    assert asked_about(client, wrong) == {}


@pytest.mark.parametrize("line", [
    "The state no_x_identity", "Promoters 66.7 %", "from -100 to 100", "1 conversations", "95 % of them", "n = 43",
])  # fmt: skip
def test_an_odd_sentence_is_noticed(line: str) -> None:
    assert list(odd(line))


@pytest.mark.parametrize("one", DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_definition_begins_with_a_plain_sentence_and_an_example(one: object) -> None:
    plain = str(one.plain)  # type: ignore[attr-defined]
    sentence, _, example = plain.partition(". ")
    assert sentence
    assert re.search(r"\d", example), "an example has a number"
    assert len(plain) < 250
    assert list(odd(plain)) == []


def test_the_plain_sentence_precedes_the_formula(client: FlaskClient) -> None:
    page = client.get("/dashboard/definitions").text
    parts = re.findall(r'<p class="plain">|<dl class="definition">', page)
    assert parts == ['<p class="plain">', '<dl class="definition">'] * len(DEFINITIONS)


@pytest.mark.parametrize("word", [*(state.value for state in State), *ENDS, *WAYS, HANDED_OVER])
def test_every_state_reason_and_way_has_words_of_its_own(word: str) -> None:
    assert word in words.NAMES
    assert list(odd(words.words(word))) == []
