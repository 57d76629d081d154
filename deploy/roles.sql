-- Least privilege on PostgreSQL: four roles, and what each may do with which table. Run it the first time as a superuser,
-- who may create roles, and then after every `dm-feedback db upgrade` as the owner of the database. You may run it
-- repeatedly. Then give each process its own login:
--
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f deploy/roles.sql
--   CREATE ROLE web_1 LOGIN PASSWORD '…' IN ROLE dm_feedback_web;   -- DATABASE_URL of web
--   CREATE ROLE worker_1 LOGIN PASSWORD '…' IN ROLE dm_feedback_worker;
--
-- Only the role that runs `db upgrade` owns tables or may create them. tests/test_roles.py checks each line against the code.
BEGIN; -- processes that run keep their rights until all are given again, and where a line fails

DO $$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['dm_feedback_web', 'dm_feedback_worker', 'dm_feedback_reading'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted);
    END IF;
  END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE EXCEPTION 'There is no role % yet, and % may make none: run this once as a superuser of the server.', wanted, current_user;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, dm_feedback_web, dm_feedback_worker, dm_feedback_reading;
GRANT USAGE ON SCHEMA public TO dm_feedback_web, dm_feedback_worker, dm_feedback_reading;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO dm_feedback_web, dm_feedback_worker;
GRANT SELECT ON alembic_version TO dm_feedback_web, dm_feedback_worker, dm_feedback_reading;
GRANT SELECT ON schema_floor TO dm_feedback_web;
GRANT SELECT ON schema_floor TO dm_feedback_worker;
GRANT SELECT ON schema_floor TO dm_feedback_reading;

-- Web is public. It accepts deliveries and shows results. It cannot create a key, read the accounts'
-- credentials for X, change an account's limit, or change a line of the access log.
GRANT SELECT ON
  access_chain, access_log, account_state, account_task, allowance, api_key, barred_way, change_counter, contact, conversation, data_key,
  delivery_item, delivery_key, erasure_ask, feed,
  feedback_request, found_identity, key_use, look_up, look_up_count, naming, naming_answer, naming_place, opt_out, person_name, poll_window, posted_once, probe, process_count, prompt_reply, refresh, release, release_cell, release_leaf, release_walk,
  reopening, restore, result, result_update, review_mark, review_note, send_attempt, session, source_state, source_sweep, stray_feedback, strange_refusal, tally,
  tally_book, timeline_note, transition, webhook_delivery, retention_run, worker_seen, x_identity
TO dm_feedback_web;
GRANT SELECT ON encryption, encryption_key TO dm_feedback_web;
GRANT INSERT ON data_key, feed, transition TO dm_feedback_web;
GRANT INSERT (at, actor, action, detail, address, outcome) ON access_log TO dm_feedback_web;  -- its place and its hash are the sealer's
GRANT INSERT, UPDATE, DELETE ON
  conversation, delivery_item, erasure_ask, key_use, opt_out, posted_once, probe, prompt_reply, refresh, reopening, result, result_update, review_mark, review_note, session,
  stray_feedback, webhook_delivery
TO dm_feedback_web;
GRANT INSERT, DELETE ON timeline_note TO dm_feedback_web;
GRANT INSERT, UPDATE ON person_name TO dm_feedback_web;
GRANT INSERT, UPDATE ON account_task, delivery_key, process_count TO dm_feedback_web;
GRANT INSERT ON feedback_request TO dm_feedback_web;
GRANT UPDATE (last_used_at) ON api_key TO dm_feedback_web;
GRANT UPDATE (updated_at) ON account_state TO dm_feedback_web;  -- to lock an account's row while a link is handed over
GRANT UPDATE (last_used_at, revoked_at) ON feed TO dm_feedback_web;
-- what changes when an identity is supplied, a link is handed over, a customer is erased or answers; never the agent, team or account
GRANT UPDATE (
  state, reason, detail, attempts, scheduled_at, stale_at, outcome_at, updated_at, sealed, counted, x_user_id, x_handle,
  identity_trust, erased_at, person, customer_ref, dm_event_id, card_dm_id, feedback_id, opening_text, card_text,
  conversation_id, lease_token, lease_until, campaign, can_dm, can_dm_asked, decision, way, alternatives,
  type, question_variant_id, display_name, privacy_url, test, page_hash, card_sent_at
) ON feedback_request TO dm_feedback_web;
GRANT UPDATE (x_id, x_user_id, outcome, evidence, settled_at) ON send_attempt TO dm_feedback_web;
GRANT DELETE ON contact, found_identity, x_identity TO dm_feedback_web;

-- only the worker has the accounts' credentials for X: web may not read x_token
-- Worker: everything except people's keys and feeds.
GRANT SELECT, INSERT, UPDATE, DELETE ON
  access_chain, account_state, account_task, allowance, barred_way, change_counter, contact, conversation, data_key, delivery_item, delivery_key, erasure_ask,
  feedback_request, found_identity, look_up, look_up_count,
  naming, naming_answer, naming_place, opt_out, person_name, poll_window, posted_once, probe, process_count, prompt_reply, refresh, release, release_cell, release_leaf, release_walk, reopening, restore, result,
  result_update, review_mark, review_note, send_attempt, source_state, source_sweep, stray_feedback, strange_refusal, tally, tally_book, timeline_note, transition,
  webhook_delivery, retention_run, worker_seen, x_identity, x_token
TO dm_feedback_worker;
-- the owner sets the current encryption key with `privacy encrypt`; the worker re-encrypts rows with it
GRANT SELECT, UPDATE ON encryption TO dm_feedback_worker;
GRANT SELECT, DELETE ON encryption_key TO dm_feedback_worker;
GRANT SELECT, INSERT, DELETE ON access_log TO dm_feedback_worker;
GRANT UPDATE (number, hash) ON access_log TO dm_feedback_worker;
GRANT SELECT (created_at), DELETE ON session TO dm_feedback_worker;

-- Reading, for a warehouse or a person with psql: no keys and no raw deliveries, but more than a supervisor sees, because
-- tables do not hide small groups: the agent of every answer, every comment, who the customer is on X.
GRANT SELECT ON
  account_state, feedback_request, person_name, result, result_update, review_mark, review_note, tally, tally_book, timeline_note, transition
TO dm_feedback_reading;

-- After `dm-feedback db partition`: the worker creates and drops partitions of the four tables, and owns none of them.
DO $$
DECLARE each regprocedure;
BEGIN
  FOR each IN SELECT oid::regprocedure FROM pg_proc
              WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'dm\_feedback\_%' LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
    CONTINUE WHEN each::text LIKE 'dm_feedback_keep_key%';
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO dm_feedback_worker', each);
    IF each::text LIKE 'dm_feedback_unplaced%' THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO dm_feedback_web', each);
    END IF;
  END LOOP;
END $$;

COMMIT;
