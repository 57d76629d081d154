"""Every table, a page per chapter, as SQLAlchemy Core. Holds no rule and opens no connection.

Each table has one writer, named beside it; everybody else only reads. Times are aware UTC datetimes (`Micros`), X's ids
are strings (they exceed 2**53), words are those of `states.py`. Chapters hand over through these rows.

    intake.py       what sources sent             ledger.py       requests, their history, intents to send
    x_account.py    X accounts and people at X    answers.py      what customers said, how far X was asked
    readers.py      keys, feeds, notes            naming.py       who may be named, and how
    counting.py     what readers have been told   releases.py     what analysts may read
    running.py      workers, the schema           idempotency.py  requests with an Idempotency-Key
    sources.py      CRMs that can be asked        encryption.py   which key values are encrypted under
    base.py         what all pages share
"""

from service.models.answers import (
    account_task,
    poll_window,
    prompt_reply,
    refresh,
    result,
    result_update,
    stray_feedback,
)
from service.models.base import metadata
from service.models.counting import change_counter, tally, tally_book
from service.models.encryption import encryption, encryption_key
from service.models.idempotency import posted_once
from service.models.intake import ITEM_OUTCOMES, conversation, delivery_item, delivery_key, reopening, webhook_delivery
from service.models.ledger import (
    HANDLED_BY,
    IS_BEGUN,
    IS_HANDED_OVER,
    IS_OPEN,
    IS_PROMPTED,
    IS_UNPROVEN,
    SAYS_TO_WHOM,
    feedback_request,
    send_attempt,
    transition,
)
from service.models.naming import naming, naming_answer, naming_place, person_name
from service.models.readers import (
    access_chain,
    access_log,
    api_key,
    feed,
    key_use,
    probe,
    review_mark,
    review_note,
    session,
    timeline_note,
)
from service.models.releases import release, release_cell, release_leaf, release_walk
from service.models.running import process_count, restore, retention_run, schema_floor, worker_seen
from service.models.sources import look_up, look_up_count, source_state, source_sweep
from service.models.x_account import (
    account_state,
    allowance,
    barred_way,
    contact,
    data_key,
    erasure_ask,
    found_identity,
    opt_out,
    strange_refusal,
    x_identity,
    x_token,
)

__all__ = [
    "HANDLED_BY",
    "IS_BEGUN",
    "IS_HANDED_OVER",
    "IS_OPEN",
    "IS_PROMPTED",
    "IS_UNPROVEN",
    "ITEM_OUTCOMES",
    "SAYS_TO_WHOM",
    "access_chain",
    "access_log",
    "account_state",
    "account_task",
    "allowance",
    "api_key",
    "barred_way",
    "change_counter",
    "contact",
    "conversation",
    "data_key",
    "delivery_item",
    "delivery_key",
    "encryption",
    "encryption_key",
    "erasure_ask",
    "feed",
    "feedback_request",
    "found_identity",
    "key_use",
    "look_up",
    "look_up_count",
    "metadata",
    "naming",
    "naming_answer",
    "naming_place",
    "opt_out",
    "person_name",
    "poll_window",
    "posted_once",
    "probe",
    "process_count",
    "prompt_reply",
    "refresh",
    "release",
    "release_cell",
    "release_leaf",
    "release_walk",
    "reopening",
    "restore",
    "result",
    "result_update",
    "retention_run",
    "review_mark",
    "review_note",
    "schema_floor",
    "send_attempt",
    "session",
    "source_state",
    "source_sweep",
    "strange_refusal",
    "stray_feedback",
    "tally",
    "tally_book",
    "timeline_note",
    "transition",
    "webhook_delivery",
    "worker_seen",
    "x_identity",
    "x_token",
]
