"""A URL with several hosts: each is tried, the one that accepts writes is taken, and remote ones use TLS."""

import pytest
from sqlalchemy.engine import Engine, make_url

from service.db import open_engine, reading
from service.db.multi_host_url import hosts, parse
from service.db.postgresql import GONE_AFTER

CLUSTER = "postgresql://u:p%40ss@one:5432,two:5433,[::1]:5434/name?target_session_attrs=read-write"


def asked(engine: Engine) -> dict[str, object]:
    """What the driver is told."""
    _, named = engine.dialect.create_connect_args(engine.url)
    return dict(named)


def test_several_hosts_are_read_as_postgresql_writes_them() -> None:
    told = asked(open_engine(CLUSTER))
    assert (told["host"], told["port"]) == ("one,two,::1", "5432,5433,5434")
    assert told["target_session_attrs"] == "read-write"
    assert (told["user"], told["password"], told["dbname"]) == ("u", "p@ss", "name")


@pytest.mark.parametrize(
    ("url", "found", "mode"),
    [
        (CLUSTER, ["one", "two", "::1"], "require"),
        ("postgresql://u@127.0.0.1:1,localhost:2/name", ["127.0.0.1", "localhost"], None),
        ("postgresql://u@one,two", ["one", "two"], "require"),
        ("postgresql://u@one,two/name?sslmode=verify-full", ["one", "two"], "verify-full"),
        ("postgresql+psycopg://u@one/name", ["one"], "require"),
        ("postgresql://u@/name?host=/run/postgresql", ["/run/postgresql"], None),
        ("postgresql:///name", [None], None),
    ],
)
def test_tls_is_asked_for_as_soon_as_one_of_them_is_elsewhere(url: str, found: list[str], mode: str | None) -> None:
    assert hosts(parse(url)) == found
    assert open_engine(url).url.query.get("sslmode") == mode


def test_an_unreachable_host_is_given_up_early(postgresql_engine: Engine) -> None:
    with postgresql_engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        told = driver.info.get_parameters()
    assert {name: int(told[name]) for name in GONE_AFTER} == GONE_AFTER


def test_an_unreachable_host_is_skipped(postgresql_url: str) -> None:
    url = make_url(postgresql_url)
    socket = str(url.query["host"])
    several = (
        f"postgresql://{url.username}@/{url.database}?host=127.0.0.1:1&host={socket}&target_session_attrs=read-write"
    )
    engine = open_engine(several)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT current_database()").scalar() == url.database
    engine.dispose()
