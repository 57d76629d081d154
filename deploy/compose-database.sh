#!/usr/bin/env bash
# Creates the role and the database of compose.yaml, once, when the cluster is new. Runs inside the PostgreSQL image.
set -euo pipefail
psql --username "${POSTGRES_USER:-postgres}" --set ON_ERROR_STOP=1 --set password="$FEEDBACK_PASSWORD" <<'SQL'
CREATE ROLE feedback LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE feedback OWNER feedback;
REVOKE ALL ON DATABASE feedback FROM PUBLIC;
SQL
