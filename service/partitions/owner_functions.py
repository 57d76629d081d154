"""Functions, run as the owner, for what the worker must do although it owns no table.

Each does one thing to the four tables that can be partitioned. Dropping a piece is no more than the worker may do
anyway: it may delete each of its rows.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db.partitioned import CUT_BY

OURS = ", ".join(f"'{name}'" for name in CUT_BY)
SHORTLY = "400ms"
"""Others queue behind who waits for a table; before half of what a dead lock takes to be noticed we try again later."""

AS_OWNER = f"SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '{SHORTLY}'"
ADD = f"""
CREATE OR REPLACE FUNCTION dm_feedback_add_partition(of_table text, piece text, key text, lower text, upper text)
RETURNS void LANGUAGE plpgsql {AS_OWNER} AS $$
BEGIN
  IF of_table NOT IN ({OURS}) OR to_regclass(of_table || '_rest') IS NULL THEN
    RAISE EXCEPTION '% has no partitions', of_table;
  END IF;
  EXECUTE format('LOCK TABLE %I IN SHARE UPDATE EXCLUSIVE MODE', of_table);
  EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', of_table || '_rest');
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING CONSTRAINTS)', piece, of_table || '_rest');
  EXECUTE format('WITH gone AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I TABLE gone',
                 of_table || '_rest', key, lower, key, upper, piece);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', of_table, piece, lower, upper);
END $$
"""  # noqa: S608 - names of ours, and each is quoted within
DROP = f"""
CREATE OR REPLACE FUNCTION dm_feedback_drop_partition(piece text)
RETURNS void LANGUAGE plpgsql {AS_OWNER} AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent
                 WHERE inhrelid = to_regclass(quote_ident(piece)) AND parent.relname IN ({OURS})
                   AND piece <> parent.relname || '_rest') THEN
    RAISE EXCEPTION '% is no partition that may be dropped', piece;
  END IF;
  EXECUTE format('DROP TABLE %I', piece);
END $$
"""
REST = f"""
CREATE OR REPLACE FUNCTION dm_feedback_unplaced()
RETURNS TABLE (table_name text, unplaced bigint) LANGUAGE plpgsql {AS_OWNER} AS $$
DECLARE each text;
BEGIN
  FOREACH each IN ARRAY ARRAY[{OURS}] LOOP
    CONTINUE WHEN to_regclass(each || '_rest') IS NULL;
    table_name := each;
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %I LIMIT 1000) AS there', each || '_rest') INTO unplaced;
    RETURN NEXT;
  END LOOP;
END $$
"""  # noqa: S608 - names of ours, and each is quoted within
GIVE_UP = f"""
CREATE OR REPLACE FUNCTION dm_feedback_give_up_room(of_table text)
RETURNS void LANGUAGE plpgsql {AS_OWNER} AS $$
BEGIN
  IF of_table NOT IN ({OURS}) THEN
    RAISE EXCEPTION '% is not cut', of_table;
  END IF;
  EXECUTE format('ALTER TABLE %I DROP CONSTRAINT IF EXISTS %I', of_table, 'ck_' || of_table || '_room');
  IF of_table = 'webhook_delivery' THEN
    DROP FUNCTION IF EXISTS dm_feedback_keep_key() CASCADE;
  END IF;
END $$
"""
FUNCTIONS = {
    "dm_feedback_add_partition(text, text, text, text, text)": (ADD, ("worker",)),
    "dm_feedback_drop_partition(text)": (DROP, ("worker",)),
    "dm_feedback_unplaced()": (REST, ("web", "worker")),
    "dm_feedback_give_up_room(text)": (GIVE_UP, ("worker",)),
}
"""Each with the roles of deploy/roles.sql that may call it."""

GRANTS = """
SELECT format('GRANT %s ON %I TO %s%s', privilege_type, CAST(:table AS text),
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
              CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass(:of)
UNION ALL
SELECT format('GRANT %s (%I) ON %I TO %s', privilege_type, attname, CAST(:table AS text),
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
FROM pg_attribute, aclexplode(attacl) WHERE attrelid = to_regclass(:of) AND attnum > 0
"""


def make_functions(connection: Connection) -> None:
    """Create the functions of this version; nobody else may call them."""
    only_ours(connection)
    roles = set(connection.scalars(sa.text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'dm_feedback_%'")))
    for signature, (text, callers) in FUNCTIONS.items():
        connection.execute(sa.text(text))
        connection.exec_driver_sql(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        for role in (f"dm_feedback_{each}" for each in callers):
            if role in roles:
                connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION {signature} TO {role}")


def only_ours(connection: Connection) -> None:
    """Bind names in the functions created next to our tables, never to a temporary table of their caller."""
    connection.exec_driver_sql("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")


def hand_on(connection: Connection, before: str, table: str) -> None:
    """Give a table the owner and the rights of another."""
    owner = connection.scalar(
        sa.text("SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = to_regclass(:of)"),
        {"of": before},
    )
    connection.exec_driver_sql(f"ALTER TABLE {table} OWNER TO {owner}")
    for grant in connection.scalars(sa.text(GRANTS), {"table": table, "of": before}).all():
        connection.exec_driver_sql(grant)
