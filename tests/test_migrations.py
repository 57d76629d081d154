from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from service import migrations
from service.db import reading
from service.models import metadata


def test_models_and_migrations_agree(engine):
    with reading(engine) as c:
        assert compare_metadata(MigrationContext.configure(c), metadata) == []


def test_again(engine):
    assert migrations.upgrade(engine) == migrations.current(engine)
