"""A migrated SQLite file: migrated once per process, then copied."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from service import migrations
from service.db import open_engine


def put(file: Path) -> None:
    """Make this file a migrated, empty database, which nobody else may read, as every file of ours."""
    file.touch(mode=0o600, exist_ok=False)
    file.write_bytes(_migrated())


@cache
def _migrated() -> bytes:
    with TemporaryDirectory(prefix="dmf-template-") as folder:
        file = Path(folder) / "template.db"
        engine = open_engine(f"sqlite:///{file}")
        migrations.upgrade(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        return file.read_bytes()
