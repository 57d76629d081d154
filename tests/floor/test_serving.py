"""Starting the server: a taken address and a foreign schema are refused before anything starts."""

import os
import signal
import socket
from pathlib import Path
from threading import Timer

import flask
import pytest
import structlog
from sqlalchemy.engine import Engine

from service import migrations, serving
from service.db import open_engine
from service.errors import Unavailable
from service.serving import demand_free, from_environment
from service.telemetry.logs import Ration
from tests.processes.site import toml
from tests.support import tree


def test_the_application_is_built_only_on_our_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, config = f"sqlite:///{tmp_path / 'new' / 'feedback.db'}", tmp_path / "dm-feedback.toml"
    config.write_text("\n".join(toml(tree(database__url=url))) + "\n", "utf-8")
    monkeypatch.setenv("DM_FEEDBACK_CONFIG", str(config))
    with pytest.raises(Unavailable, match="run `dm-feedback db upgrade`"):
        from_environment()
    engine = open_engine(url)
    migrations.upgrade(engine)
    engine.dispose()
    structlog.reset_defaults()
    assert isinstance(from_environment(), flask.Flask)
    assert any(isinstance(each, Ration) for each in structlog.get_config()["processors"]), "logs are as everywhere"
    structlog.reset_defaults()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_an_address_somebody_listens_on_is_refused_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable) as caught:
            demand_free(f"127.0.0.1:{port}")
    assert caught.value.code == "address_taken"
    assert "set web.bind" in caught.value.sentence
    demand_free(f"127.0.0.1:{port}")


def test_who_is_still_closing_the_address_is_waited_for() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    going = Timer(0.3, taken.close)
    going.start()
    demand_free(f"127.0.0.1:{taken.getsockname()[1]}", patience_s=30)
    going.join()


@pytest.mark.parametrize("bind", ["nobody.invalid:8000", "192.0.2.7:8000"])
def test_an_address_that_is_not_this_machines_is_refused_as_such(bind: str) -> None:
    with pytest.raises(Unavailable, match=r"set web\.bind to an address of this machine"):
        demand_free(bind)


def test_a_process_that_waits_for_its_database_ends_when_it_is_told_to(sqlite_engine: Engine) -> None:
    """gunicorn only notes a stop, and looks at its note when the application is there."""
    noted: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: noted.append(number))
    try:
        with pytest.raises(SystemExit):
            serving._once_it_answers(sqlite_engine, lambda _engine: os.kill(os.getpid(), signal.SIGTERM))
        os.kill(os.getpid(), signal.SIGTERM)
        assert noted == [signal.SIGTERM], "whoever listened before listens again"
    finally:
        signal.signal(signal.SIGTERM, before)
