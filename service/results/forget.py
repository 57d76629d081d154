"""Retention and erasure of answers, by age or person; returns counts. Never touches the ledger.

Retention counts from the moment we first had a text, by our own clock: a wrong date from X must neither destroy an
answer nor keep it for ever. A text goes, its date stays, because that somebody wrote is part of the counts. Whatever a
reader can see moves `updated_at` or leaves a tombstone (`gone_at`). In the history only updates covered by a newer one
are emptied; their digests stay, or X's next report would look new and bring a forgotten text back.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db.batch_deletion import Condition, Overdue
from service.models import feedback_request, poll_window, refresh, result, result_update, stray_feedback
from service.requests.seals import touch

upd = result_update.c
res = result.c
rf = refresh.c
pw = poll_window.c
fr = feedback_request.c
EMPTY = dict.fromkeys(("score", "score_at", "text", "text_at"))


def too_old(*, texts_before: datetime, history_before: datetime, now: datetime) -> Sequence[Overdue]:
    """What is due here: texts we have had since `texts_before`, superseded rows older than `history_before`."""
    # What the release before this one wrote while both ran has no clock of ours.
    since = sa.or_(res.text_seen_at < texts_before, sa.and_(res.text_seen_at.is_(None), res.updated_at < texts_before))
    old_texts = sa.and_(res.text.is_not(None), since)
    old_update_texts = sa.and_(upd.text.is_not(None), upd.seen_at < texts_before)
    told = sa.update(result).values({**_no_text(res), "updated_at": now})
    return (
        Overdue("texts", result, old_texts, lambda c, those: _touched(c, told, those)),
        _emptied("update_texts", old_update_texts, _no_text(upd)),
        _emptied("updates", _superseded(history_before), EMPTY),
        Overdue("refresh", refresh, _over(history_before)),
        Overdue("poll_windows", poll_window, _read(history_before)),
    )


def _emptied(name: str, old: Condition, nothing: Mapping[str, Any]) -> Overdue:
    """Updates stay, without what they told."""
    empty = sa.update(result_update).values(nothing)
    return Overdue(name, result_update, old, lambda c, those: c.execute(empty.where(those)).rowcount)


def _touched(connection: Connection, statement: sa.Update, those: Condition) -> int:
    """Lock the request's row first, so that others wait for us and never we for them."""
    touch(connection, sa.select(res.request_id).where(those))
    return connection.execute(statement.where(those)).rowcount


def erase(connection: Connection, x_user_id: str, *, scores: bool, now: datetime) -> Mapping[str, int]:
    """Delete what this person wrote, from rows and history; with `scores`, what they chose too.

    Call this in the transaction that marks the requests erased, before their `x_user_id` goes. `ingest` then keeps
    nothing more of them, so no later report from X brings anything back.
    """
    # Locked, so that an answer on its way in waits for us, and then finds the request erased.
    theirs = connection.scalars(
        sa.select(fr.id).where(fr.x_user_id == x_user_id).order_by(fr.id).with_for_update()
    ).all()
    gone = {"text": None, "text_at": None} | ({"score": None, "score_at": None} if scores else {})
    # Whoever mirrors us must hear of it, if only because the conversation has lost its name.
    answered = res.text.is_not(None) | res.text_at.is_not(None) | res.score.is_not(None)
    moment = sa.literal(now, res.gone_at.type)
    told = {
        "updated_at": moment,
        "gone_at": moment if scores else sa.case((res.score.is_(None), moment), else_=res.gone_at),
    }
    results = sa.update(result).where(res.request_id.in_(theirs), answered).values(**gone, **told)
    # A digest of a short text can be guessed: it goes with the text.
    history = sa.update(result_update).where(upd.request_id.in_(theirs))
    anonymous = history.values(text=None, text_at=None, digest=sa.literal("erased:") + sa.cast(upd.id, sa.String))
    updates = sa.delete(result_update).where(upd.request_id.in_(theirs)) if scores else anonymous
    _forget_feedback_ids(connection, theirs)
    asking = sa.update(refresh).where(rf.request_id.in_(theirs), rf.due_at.is_not(None)).values(due_at=None)
    return {
        "results": connection.execute(results).rowcount,
        "updates": connection.execute(updates).rowcount,
        "refresh": connection.execute(asking).rowcount,
    }


def _forget_feedback_ids(connection: Connection, request_ids: Sequence[str]) -> None:
    """Replace feedback ids by something else, the same in every row: asked about one, X names the person."""
    for request_id in request_ids:
        nothing = "e" + secrets.token_hex(11)
        connection.execute(sa.delete(stray_feedback).where(_strays([request_id])))
        for table in (result, result_update, refresh):
            # What is of this form is one of these already. What has no id needs none.
            gone = sa.and_(table.c.feedback_id.startswith("e"), sa.func.length(table.c.feedback_id) == len(nothing))
            mine = sa.and_(table.c.request_id == request_id, sa.not_(gone))
            connection.execute(sa.update(table).where(mine).values(feedback_id=nothing))


def strays_of(request_ids: Sequence[str] | sa.Select[Any]) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    """Which cards we took for strays belong to these requests."""
    return stray_feedback, _strays(request_ids)


def _strays(request_ids: Sequence[str] | sa.Select[Any]) -> sa.ColumnElement[bool]:
    known: sa.CompoundSelect[Any] = sa.union(
        sa.select(fr.feedback_id).where(fr.id.in_(request_ids), fr.feedback_id.is_not(None)),
        sa.select(upd.feedback_id).where(upd.request_id.in_(request_ids)),
    )
    return stray_feedback.c.feedback_id.in_(known)


def _no_text(columns: Any) -> Mapping[str, Any]:
    """Keep a date, if necessary an invented one, so that `ingest` knows there was a text."""
    return {"text": None, "text_at": sa.func.coalesce(columns.text_at, columns.x_updated_at)}


def _superseded(before: datetime) -> sa.ColumnElement[bool]:
    """Covered by a newer update and not empty yet; contradicting updates stay as evidence."""
    newer = result_update.alias("newer")
    covered = (
        sa.select(newer.c.id)
        .where(newer.c.feedback_id == upd.feedback_id)
        .where(sa.tuple_(newer.c.x_updated_at, newer.c.id) > sa.tuple_(upd.x_updated_at, upd.id))
    )
    disputed = sa.select(res.request_id).where(res.request_id == upd.request_id, res.anomalies > 0)
    full = sa.or_(*(result_update.c[name].is_not(None) for name in EMPTY))
    return sa.and_(upd.seen_at < before, full, covered.exists(), ~disputed.exists())


def _over(before: datetime) -> sa.ColumnElement[bool]:
    sent = sa.select(fr.id).where(fr.id == rf.request_id, fr.card_sent_at < before)
    return sa.and_(rf.due_at.is_(None), sent.exists())


def _read(before: datetime) -> sa.ColumnElement[bool]:
    """Windows finished long ago; never the newest, which says where to continue."""
    later = poll_window.alias("later")
    followed = sa.select(later.c.from_time).where(
        later.c.account == pw.account, later.c.from_time > pw.from_time, later.c.done_at.is_not(None)
    )
    return sa.and_(pw.done_at < before, followed.exists())
