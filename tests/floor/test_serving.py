"""gunicorn on its own: the application is built from the environment, on a schema that is ours, or not at all."""

from pathlib import Path

import flask
import pytest

from service import migrations
from service.db import open_engine
from service.errors import Unavailable
from service.serving import from_environment
from tests.processes.house import toml
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
    assert isinstance(from_environment(), flask.Flask)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
