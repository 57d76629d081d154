"""The API keeps its published contract: every answer is as described, and never 500.

schemathesis is imported where it is used: it takes a third of the time in which pytest starts (see `addopts`, too).
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy.engine import Engine

from service.app import create_app
from service.auth import keys
from service.db import writing
from service.reports.counting.sealing import seal
from tests.support import START, World, settings_of


@pytest.fixture
def api(sqlite_engine: Engine):
    """The whole application over a ledger with a sent, a skipped and a waiting request."""
    import schemathesis

    world = World(sqlite_engine, settings_of(web__requests_per_minute=1_000_000))
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    world.ended("c-1")
    world.ended("c-2", x_user_id=None)
    world.forward(minutes=2)
    world.run()
    world.ended("c-3", x_user_id="502")
    while seal(sqlite_engine, world.settings, world.clock()):
        pass
    with writing(sqlite_engine) as connection:
        key = keys.create(connection, "contract", "admin", (), START)
    app = create_app(world.settings, sqlite_engine, world.clock)
    # in one process nobody undoes the compression that schemathesis asks for
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
    return schemathesis.openapi.from_wsgi("/openapi.json", app), headers


CALM = settings(
    max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip


def test_every_answer_is_one_the_description_names(api) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    kept = (
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    )
    schema, headers = api
    operations = [result.ok() for result in schema.include(path_regex="^/v1/").get_all_operations()]
    assert len(operations) > 15
    for operation in operations:

        @CALM
        @given(case=operation.as_strategy())
        def keeps_it(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=kept)

        keeps_it()
