"""Names over the API: who may read and set them, from which day they hold; one mistake stores none."""

from typing import Any

import pytest
import sqlalchemy as sa

from service.db import reading
from service.models import access_log
from tests.reports.world import Client, World

ANN = {"kind": "agent", "id": "ann", "name": "Ann Ames"}


def put(client: Client, *items: dict[str, Any]) -> Any:
    own = {"Authorization": f"Bearer {client.key}"} if client.key else {}
    return client.app.test_client().put("/v1/people", json={"items": list(items)}, headers=own)


def test_a_name_is_given_read_and_stands_beside_the_id(quick: World) -> None:
    quick.add(12, score=5, agent_id="ann", team_id="red")
    supervisor = quick.client("supervisor")
    answer = put(
        supervisor, ANN, {"kind": "team", "id": "red", "name": "Red", "since": "2026-03-01", "account": "acme"}
    )
    assert (answer.status_code, answer.get_json()) == (200, {"new": 2, "known": 0})
    assert put(supervisor, ANN).get_json() == {"new": 0, "known": 1}
    first, second = supervisor.json("/v1/people")["items"]
    assert first == ANN | {"since": None, "account": None, "given_by": first["given_by"]}
    assert (second["since"], second["account"], second["name"]) == ("2026-03-01", "acme", "Red")
    assert "supervisor" in first["given_by"].lower() or first["given_by"].startswith("key:")
    row = supervisor.json("/v1/results")["items"][0]
    assert (row["agent_id"], row["agent_name"], row["team_name"]) == ("ann", "Ann Ames", "Red")


def test_an_empty_name_ends_the_one_before(quick: World) -> None:
    admin = quick.client("admin")
    put(admin, ANN)
    assert put(admin, ANN | {"name": None, "since": "2026-11-01"}).get_json()["new"] == 1
    assert [each["name"] for each in admin.json("/v1/people")["items"]] == ["Ann Ames", None]


@pytest.mark.parametrize(("wrong", "status", "code"), [
    (ANN | {"kind": "boss"}, 422, "invalid_parameter"),
    (ANN | {"name": "a\nb"}, 422, "wrong_names"),
    (ANN | {"name": "x" * 121}, 422, "wrong_names"),
    (ANN | {"id": ""}, 422, "wrong_names"),
    (ANN | {"since": "yesterday"}, 422, "invalid_parameter"),
    (ANN | {"since": "0001-01-01"}, 422, "wrong_names"),
    (ANN | {"account": "nobody"}, 422, "wrong_names"),
    (ANN | {"name": "Ann", "since": None}, 422, "wrong_names"),
    (ANN | {"nickname": "Annie"}, 422, "invalid_parameter"),
])  # fmt: skip
def test_one_wrong_name_stores_none(quick: World, wrong: dict[str, Any], status: int, code: str) -> None:
    admin = quick.client("admin")
    answer = put(admin, ANN, wrong)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert admin.json("/v1/people")["items"] == []
    if "two names" not in problem["detail"]:
        assert {tuple(place.split(".")[:2]) for place in problem["errors"]} == {("items", "1")}
        assert all(isinstance(each, str) for says in problem["errors"].values() for each in says)


def test_a_key_of_one_account_names_and_sees_that_account(quick: World) -> None:
    admin, mine = quick.client("admin"), quick.client("supervisor", "acme")
    put(admin, ANN, ANN | {"name": "Other Ann", "account": "other"}, ANN | {"name": "Our Ann", "account": "acme"})
    assert [each["name"] for each in mine.json("/v1/people")["items"]] == ["Ann Ames", "Our Ann"]
    for account in (None, "other"):
        answer = put(mine, ANN | {"account": account})
        assert (answer.status_code, answer.get_json()["code"]) == (403, "account_not_allowed")
    assert put(mine, ANN | {"name": "Ann of Acme", "account": "acme"}).status_code == 200


def test_analysts_get_no_list_of_people(quick: World) -> None:
    analyst = quick.client("analyst")
    assert analyst.get("/v1/people").status_code == 403
    assert put(analyst, ANN).status_code == 403
    assert put(Client(quick.app(), None), ANN).status_code == 401


def test_the_log_counts_names_without_showing_them(quick: World) -> None:
    admin = quick.client("admin")
    put(admin, ANN)
    admin.json("/v1/people")
    with reading(quick.engine) as connection:
        lines = connection.execute(sa.select(access_log.c.action, access_log.c.detail)).all()
    assert ("people.put", {"names": 1, "new": 1}) in [tuple(line) for line in lines]
    assert "people.list" in [action for action, _ in lines]
    assert not any("Ames" in str(detail) for _, detail in lines)
