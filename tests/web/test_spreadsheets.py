"""The spreadsheet pages are followed: every address is called, every command run, every picture found."""

import base64
import html
import json
import re
import shlex
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.app import create_app
from service.web.docs import spreadsheets
from tests.cli.installation import Cli
from tests.support import settings_of

HERE = settings_of().service.public_url.rstrip("/")
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 60_000


@pytest.fixture
def cli(tmp_path: Path, sqlite_engine: Engine) -> Cli:
    """An installation with an answer, as whoever reads the pages has one."""
    found = Cli(tmp_path, sqlite_engine)
    found.answered("c-1", 5, "quick")
    found.tell()
    return found


@pytest.fixture
def http(sqlite_engine: Engine) -> FlaskClient:
    return create_app(settings_of(), sqlite_engine).test_client()


def page(http: FlaskClient, way: str) -> str:
    answer = http.get(f"/docs/spreadsheets/{way}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def blocks(http: FlaskClient, way: str) -> list[str]:
    """What is to be typed, as it stands there."""
    return [html.unescape(each) for each in re.findall(r"<pre><code>(.*?)</code></pre>", page(http, way), re.DOTALL)]


def commands(http: FlaskClient, way: str) -> Iterator[list[str]]:
    for block in blocks(http, way):
        program, *words = shlex.split(block.replace("\\\n", " "))
        if program == "dm-feedback":
            yield words


def read(http: FlaskClient, address: str, key: str) -> Any:
    """As a spreadsheet: any user name, the key as the password."""
    assert address.startswith(HERE)
    word = base64.b64encode(f"spreadsheet:{key}".encode()).decode()
    return http.get(address.removeprefix(HERE), headers={"Authorization": f"Basic {word}"}, buffered=True)


def test_the_page_of_keys_is_followed_word_for_word(http: FlaskClient, cli: Cli) -> None:
    [words] = commands(http, "key")
    key = cli.says(*words).splitlines()[0]
    addresses = [each for block in blocks(http, "key") for each in re.findall(rf'{HERE}[^"\s]*', block)]
    assert len(addresses) == 4
    for address in addresses:
        answer = read(http, address, key)
        assert answer.status_code == 200, address
        assert "attachment" in answer.headers["Content-Disposition"]
    assert read(http, f"{HERE}/v1/requests", key).status_code == 403, "it reads results and nothing else"
    assert "Basic" in http.get("/v1/results.csv").headers["WWW-Authenticate"], "so a spreadsheet asks"


def test_the_page_of_feeds_is_followed_word_for_word(http: FlaskClient, cli: Cli) -> None:
    create, show, revoke = commands(http, "feed")
    address = cli.says(*create).strip()
    named = re.search(r'IMPORTDATA\("(.*?)"\)', "\n".join(blocks(http, "feed")))
    assert named
    feed_id, secret = address.removesuffix(".csv").split("/")[-2:]
    assert named[1].replace("ID", feed_id).replace("SECRET", secret) == address
    head = http.get(address.removeprefix(HERE)).get_data(as_text=True).splitlines()[0]
    assert {'"key"', '"value"', '"low"', '"high"', '"n"'} <= set(head.split(","))
    assert feed_id in cli.says(*show)
    cli(*(feed_id if each == "ID" else each for each in revoke))
    assert http.get(address.removeprefix(HERE)).status_code == 404


def test_the_call_that_makes_a_feed_is_the_one_the_page_shows(http: FlaskClient, cli: Cli) -> None:
    [call] = [each for each in blocks(http, "feed") if each.startswith("curl")]
    words = shlex.split(call.replace("\\\n", " "))
    key = cli.says("keys", "create", "--name", "ana", "--role", "supervisor").splitlines()[0]
    given = [words[place + 1].replace("KEY", key) for place, each in enumerate(words) if each == "-H"]
    headers = dict(each.split(": ", 1) for each in given)
    answer = http.post(words[3].removeprefix(HERE), data=words[words.index("-d") + 1], headers=headers)
    assert words[1:3] == ["-X", "POST"]
    assert answer.status_code == 201, answer.text
    assert json.loads(answer.text)["question"] == {"figure": "trend", "by": "team", "last_days": 90}


@pytest.mark.parametrize("way", spreadsheets.PAGES)
def test_every_picture_exists_is_small_and_has_a_text(http: FlaskClient, way: str) -> None:
    shown = re.findall(r'<img src="([^"]*)" width="(\d+)" height="(\d+)" alt="([^"]+)">', page(http, way))
    assert len(shown) == page(http, way).count("<img ") >= 3
    for address, width, height, said in shown:
        answer = http.get(address)
        assert answer.content_type == "image/png"
        assert answer.data.startswith(PNG)
        assert len(answer.data) < LARGEST
        assert struct.unpack(">II", answer.data[16:24]) == (int(width), int(height))
        assert len(said.split()) > 4


def test_no_picture_is_kept_that_no_page_shows(http: FlaskClient) -> None:
    told = "".join(page(http, way) for way in spreadsheets.PAGES)
    assert all(f"/{each.name}" in told for each in spreadsheets.PICTURES.iterdir())


def test_the_pages_need_no_script_and_no_network_and_lead_to_each_other(http: FlaskClient) -> None:
    for way in spreadsheets.PAGES:
        text = page(http, way)
        assert "<script" not in text
        assert "style=" not in text
        places = [each.partition("#")[0] for each in re.findall(r'(?:src|href)="([^"]*)"', text)]
        assert {http.get(each).status_code for each in places} == {200}
        assert f"/docs/spreadsheets/{way}" in http.get("/docs").get_data(as_text=True)


@pytest.mark.parametrize("path", ["/docs/spreadsheets/mail", "/docs/spreadsheets/pictures/docs.css"])
def test_an_unknown_page_is_not_found(http: FlaskClient, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"


def test_a_link_to_the_description_finds_its_place(http: FlaskClient) -> None:
    drawn = http.get("/docs").get_data(as_text=True)
    for way in spreadsheets.PAGES:
        for anchor in re.findall(r'href="/docs#([^"]*)"', page(http, way)):
            assert f'id="{anchor}"' in drawn, anchor
