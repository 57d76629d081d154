"""The table of keys by which repeated deliveries are recognised once no index spans all partitions.

Fills it from a deliveries table that is not partitioned yet. Meanwhile a trigger adds the keys of new deliveries, so
none is missing when intake switches over.
"""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading, to_micros, writing
from service.db.batch_deletion import Stop
from service.models import delivery_key
from service.partitions.owner_functions import only_ours

AT_ONCE = 10_000
PRUNED_AT_ONCE = 5000
dlk = delivery_key.c
KEEP_KEY = """
CREATE OR REPLACE FUNCTION dm_feedback_keep_key()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM delivery_key WHERE source = OLD.source AND dedupe_key = OLD.dedupe_key;
    INSERT INTO delivery_key VALUES (NEW.source, NEW.dedupe_key, NEW.id, NULL)
      ON CONFLICT (source, dedupe_key) DO UPDATE SET received_at = NULL;
  ELSE
    INSERT INTO delivery_key VALUES (NEW.source, NEW.dedupe_key, NEW.id, NEW.received_at)
      ON CONFLICT (source, dedupe_key) DO NOTHING;
  END IF;
  RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER keep_key AFTER INSERT OR UPDATE OF dedupe_key ON webhook_delivery
FOR EACH ROW EXECUTE FUNCTION dm_feedback_keep_key()
"""
THERE = sa.text("SELECT FROM pg_trigger WHERE tgrelid = to_regclass('webhook_delivery') AND tgname = 'keep_key'")
FILL = sa.text("""
WITH these AS (
  SELECT id, source, dedupe_key, received_at, body IS NULL AND received_at > :young AS erased
  FROM webhook_delivery WHERE id > :last ORDER BY id LIMIT :at_once
), put AS (
  INSERT INTO delivery_key (source, dedupe_key, delivery_id, received_at)
  SELECT source, dedupe_key, id, CASE WHEN erased THEN NULL ELSE received_at END FROM these
  ORDER BY source, dedupe_key ON CONFLICT (source, dedupe_key) DO NOTHING
)
SELECT max(id), count(*) FROM these
""")
Tell = Callable[[str, int], None]
"""Told of a table's name and how many of its rows have been looked at so far."""


def watch(connection: Connection) -> None:
    """Make every new delivery write its key. Waits for those being written."""
    if connection.execute(THERE).one_or_none() is None:
        only_ours(connection)
        connection.exec_driver_sql(KEEP_KEY)
        connection.exec_driver_sql("REVOKE ALL ON FUNCTION dm_feedback_keep_key() FROM PUBLIC")
        connection.exec_driver_sql(TRIGGER)


def unwatch(connection: Connection) -> None:
    """Stop that: intake now does it itself, or nothing needs the keys."""
    connection.exec_driver_sql("DROP FUNCTION IF EXISTS dm_feedback_keep_key() CASCADE")


def fill(engine: Engine, young: datetime, tell: Tell) -> int:
    """Write the keys of all deliveries, some per commit; return how many deliveries there are.

    An empty delivery younger than `young` belongs to somebody who was erased: its key stays for good. May be repeated;
    existing keys are only looked at.
    """
    last, seen = "", 0
    while True:
        with writing(engine) as connection:
            given = {"last": last, "young": to_micros(young), "at_once": AT_ONCE}
            newest, number = connection.execute(FILL, given).one()
        if not number:
            return seen
        last, seen = newest, seen + number
        tell("delivery_key", seen)


def prune(engine: Engine, before: datetime, *, dry_run: bool, stop: Stop) -> int:
    """Delete keys of deliveries that came before a time, some thousand per commit; return how many."""
    old = dlk.received_at < before
    if dry_run:
        with reading(engine) as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(delivery_key).where(old)) or 0
    gone, some = 0, PRUNED_AT_ONCE
    oldest = sa.select(dlk.source, dlk.dedupe_key).where(old).limit(PRUNED_AT_ONCE)
    statement = sa.delete(delivery_key).where(sa.tuple_(dlk.source, dlk.dedupe_key).in_(oldest))
    while some == PRUNED_AT_ONCE and not stop():
        with writing(engine) as connection:
            some = connection.execute(statement).rowcount
        gone += some
    return gone
