"""Lists: sorted, searched, narrowed by score, linked, compressed, conditional."""

import gzip
import json
import sys
from datetime import timedelta

import pytest

from service.db import writing
from service.reports.rows import search
from service.requests import seals
from tests.reports.world import NOW

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def ids(page):
    return [row["request_id"] for row in page["items"]]


@pytest.mark.parametrize("sort", ["ended_at", "updated_at"])
def test_a_minus_turns_the_order_round_page_by_page(world, sort):
    made = world.add(7, score=5)
    client, found, cursor = world.client(), [], ""
    while True:
        page = client.json("/v1/requests", sort=f"-{sort}", limit=3, cursor=cursor)
        found, cursor = found + ids(page), page["next_cursor"]
        if not cursor:
            break
    assert set(found) == set(made)
    assert len(found) == 7
    if sort == "ended_at":
        assert found == made[::-1]


def test_scores_can_be_asked_for_as_a_range(world):
    made = [world.add(1, score=score)[0] for score in (1, 2, 3, 4, 5)]
    client = world.client()
    assert set(ids(client.json("/v1/results", score_from=2, score_to=4))) == set(made[1:4])
    assert set(ids(client.json("/v1/results", score_from=4))) == set(made[3:])
    assert client.refused("/v1/results", 422, score_from="x") == "invalid_parameter"


def test_an_answer_is_found_by_the_day_it_was_given_with_a_score_or_without(world):
    """`scored_at` knows none without a score, and `updated_at` moves with names that are told later."""
    old, wrote = world.add(1, score=5, days_ago=20), world.add(1, text="words", days_ago=20)
    late, new = world.add(1, score=2, days_ago=20), world.add(1, score=4, days_ago=2)
    (gone,) = world.add(1, score=3, days_ago=2)
    world.set_result(gone, score=None, score_at=None)  # as an erasure leaves it that takes scores, too
    world.add(1, days_ago=20)
    world.set_result(late[0], text="still waiting", text_at=NOW - timedelta(days=1))
    with writing(world.engine) as connection:
        seals.regroup(connection, [*old, *wrote, *late, *new], NOW)
    client, then = world.client(), (NOW - timedelta(days=21)).isoformat()
    week_ago = (NOW - timedelta(days=7)).isoformat()
    for path in ("/v1/results", "/v1/requests"):
        asked = {"date_field": "answered_at", "sort": "ended_at"}
        assert set(ids(client.json(path, since=week_ago, **asked))) == {*late, *new}
        assert set(ids(client.json(path, since=then, until=week_ago, **asked))) == {*old, *wrote}
    assert client.refused("/v1/summary", 422, date_field="answered_at") == "invalid_parameter"


def test_what_is_missing_is_told_with_what_it_may_be(world):
    for path, name, may in (("/v1/breakdown", "by", "team, "), ("/v1/figures", "figure", "summary, ")):
        told = world.client().get(path).get_json()["errors"]
        assert told[name][0].startswith(f"is missing; it must be one of {may}")
    told = world.client().get("/v1/figures", figure=["funnel"] * 9).get_json()["detail"]
    assert told == "'figure' must be 1 to 6 figures."


def test_a_misspelt_account_is_told_which_there_are_and_only_those_one_may_see(world):
    """It would find nothing, and look like an answer."""
    world.add(1, score=5)
    paths = ("/v1/results", "/v1/requests", "/v1/summary", "/v1/coverage", "/v1/results.csv", "/v1/results.parquet")
    for path in paths:
        assert world.client().refused(path, 422, account="acne") == "invalid_parameter"
    assert world.client("analyst").refused("/v1/trend", 422, account="acne") == "invalid_parameter"
    for accounts, told in (((), "acme, other"), (("acme", "acne"), "acme")):
        said = world.client("supervisor", *accounts).get("/v1/results", account="acne").get_json()
        assert said["detail"] == f"There is no account 'acne'; there are {told}."
    first = world.client().json("/v1/results", account="acme")
    assert world.client().json("/v1/results", account="acme", cursor=first["resume_cursor"])["items"] == []


@pytest.mark.parametrize(
    ("text", "typed", "found"),
    [
        ("Very SLOW refund", "slow", True),
        ("Very slow refund", "refu", True),
        ("Very slow refund", "fund", False),
        ("Ärger mit der Straße", "arger strasse", True),
        ("crème brûlée", "Creme BRULEE", True),
        ("İstanbul", "istanbul", True),
        ("slow", "slow refund", False),
        ("don't", "don", True),
        ("日本語のコメント", "日本", True),
        (None, "a", False),
        ("slow", "\u037a", False),  # a letter that folds to a space and a mark
    ],
)
def test_words_and_their_beginnings_are_found_without_case_and_accents(text, typed, found):
    assert search.has(text, typed) is found


def test_a_search_finds_words_and_nothing_hidden_alike_in_lists_and_files(world):
    world.add(8, score=5, text="thank you")
    [wanted] = world.add(1, score=1, text="The Refund took très long")
    world.add(1, score=1, text="refund", agent_id="bob")
    client = world.client()
    page = client.json("/v1/results", q="tres refu")
    assert ids(page) == [wanted]
    assert ids(client.json("/v1/results", q="refund")) == [wanted], "whose comment may not be read is not found"
    lines = client.get("/v1/results.jsonl", q="refund").get_data(as_text=True).splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == [wanted]
    assert client.refused("/v1/results", 422, q=" -- ") == "invalid_parameter"


def test_a_search_goes_on_page_by_page(world):
    made = [world.add(1, score=5, text="slow" if number % 3 == 0 else "fine")[0] for number in range(12)]
    client, found, cursor = world.client(), [], ""
    while True:
        page = client.json("/v1/results", q="slow", limit=1, cursor=cursor, sort="ended_at")
        found, cursor = found + ids(page), page["next_cursor"]
        if not cursor:
            break
    assert found == made[::3]


def test_the_next_page_is_linked(quick):
    quick.add(9, score=5)
    client = quick.client()
    first = client.get("/v1/results", limit=2, agent_id="ann", score=["5", "4"])
    [address, relation] = first.headers["Link"].split("; ")
    assert relation == 'rel="next"'
    rest = client.get(address.strip("<>").replace("limit=2", "limit=9"))
    assert len(rest.get_json()["items"]) == 7
    assert "Link" not in rest.headers


def test_rows_have_an_etag_until_they_change(quick):
    made = quick.add(9, score=5)
    client = quick.client()
    for path in ("/v1/results", f"/v1/results/{made[0]}", f"/v1/requests/{made[0]}"):
        etag = client.get(path).headers["ETag"]
        assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    etag = client.get(f"/v1/results/{made[0]}").headers["ETag"]
    quick.set_result(made[0], score=1)
    assert client.get(f"/v1/results/{made[0]}", headers={"If-None-Match": etag}).status_code == 200


UNPACK = {"gzip": gzip.decompress, "zstd": zstd.decompress}


@pytest.mark.parametrize("coding", UNPACK)
def test_lists_and_files_are_compressed_on_request(quick, coding):
    quick.add(9, score=5, text="fine")
    client = quick.client()
    for path in ("/v1/results", "/v1/results.csv", "/v1/results.jsonl", "/openapi.yaml"):
        plain = client.get(path)
        whole = plain.get_data()  # a file holds its slot until it is read
        small = client.get(path, headers={"Accept-Encoding": coding})
        assert small.headers["Content-Encoding"] == coding
        assert "Accept-Encoding" in small.headers["Vary"]
        assert "Content-Encoding" not in plain.headers
        assert UNPACK[coding](small.get_data()) == whole
        assert "Authorization" in small.headers["Vary"] or not path.startswith("/v1")
    assert "Content-Encoding" not in client.get("/v1/results.xlsx", headers={"Accept-Encoding": coding}).headers
    assert "Content-Encoding" not in client.get("/v1/definitions?x=1", headers={"Accept-Encoding": coding}).headers


@pytest.mark.parametrize("coding", UNPACK)
def test_compressed_or_not_it_is_the_same_answer_in_other_bytes(quick, coding):
    """A strong ETag would say that the bytes are the same (RFC 9110, 8.8.1)."""
    quick.add(9, score=5, text="fine")
    client = quick.client()
    for path in ("/v1/results", "/v1/definitions"):
        plain, small = (client.get(path, headers={"Accept-Encoding": each}).headers["ETag"] for each in ("", coding))
        assert small == f"W/{plain}"
        for etag in (plain, small):
            asked = {"Accept-Encoding": coding, "If-None-Match": etag}
            assert client.get(path, headers=asked).status_code == 304


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("gzip;q=0.2, ZSTD;q=0.8", "zstd"),
        ("gzip, zstd;q=0", "gzip"),
        ("*", "gzip"),
        ("br, deflate", None),
        ("zstd;q=0, gzip;q=0", None),
        ("identity", None),
    ],
)
def test_the_coding_is_the_one_the_client_likes_best(quick, accepts, coding):
    answer = quick.client().get("/v1/definitions", headers={"Accept-Encoding": accepts})
    assert answer.headers.get("Content-Encoding") == coding


def test_a_client_that_accepts_no_json_is_told_where_the_file_is(quick):
    client = quick.client()
    answer = client.get("/v1/results", headers={"Accept": "text/csv"})
    assert (answer.status_code, answer.get_json()["code"]) == (406, "not_acceptable")
    assert "/v1/results.csv" in answer.get_json()["detail"]
    assert "406" in client.get("/openapi.json").get_json()["info"]["description"]
    for fine in ("*/*", "application/json", "text/html, */*;q=0.1", "application/*"):
        assert client.get("/v1/results", headers={"Accept": fine}).status_code == 200
    assert client.get("/v1/results.csv", headers={"Accept": "text/csv"}).status_code == 200
