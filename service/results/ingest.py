"""The one door for what customers answer, whatever way and channel it came by; says what became of each report.

Reports may be lost, doubled, delayed or reordered: the rows depend only on the set of reports (see merge.py). Costs a
few statements per request, however many reports come at once. Never keeps a stranger's words, never logs any.

A report without score and text makes no `result` row, unless outreach has not recorded the card's feedback id: then the
row is the evidence it waits for. So a request is answered if its row has a score or a text.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy.engine import Connection

from service.at_rest.digests import keyed_digest_of
from service.db import once_committed
from service.db.leases import CLOCKS_DIFFER
from service.requests.seals import touch
from service.results import answer_rows
from service.results.answer import Answer
from service.results.answer_rows import AskedRequest, StoredReport, StoredResult
from service.results.merge import SettledAnswer, Update, digest, settle
from service.telemetry import traces
from service.telemetry.counters import PROCESS_COUNTS
from service.x_api.questions import SCORE_RANGE

NOBODY_ANSWERS_AFTER = timedelta(days=3650)
log = structlog.get_logger(__name__)


class Verdict(StrEnum):
    """What became of a report."""

    APPLIED = "applied"
    """It was new, and the row shows it."""

    OLDER = "older"
    """It was new and is kept; the row stays as it was."""

    REPEAT = "repeat"
    """We had exactly this. Nothing was written."""

    ANOMALY = "anomaly"
    """It contradicts another report of the same request. Both are kept; merge.py says which stands."""

    STRAY = "stray"
    """Nobody here asked for it. Nothing is kept of it but, where it is a card, that there was one."""

    ERASED = "erased"
    """The person was erased: nothing more is kept about them."""


NEWS = frozenset({Verdict.APPLIED, Verdict.OLDER, Verdict.ANOMALY})


def ingest(connection: Connection, answer: Answer, now: datetime) -> Verdict:
    """Process one report. Needs a write transaction; the caller's commit makes it durable."""
    return ingest_all(connection, [answer], now)[0]


def ingest_all(connection: Connection, answers: Sequence[Answer], now: datetime) -> list[Verdict]:
    """Process many reports; return what became of each, in order.

    Request by request in the order of their ids, so that two transactions never deadlock.
    """
    verdicts: dict[int, Verdict] = {}
    of: dict[str, list[int]] = {}
    for number, answer in enumerate(answers):
        of.setdefault(answer.request_id, []).append(number)
    for request_id in sorted(of):
        told = [answers[number] for number in of[request_id]]
        verdicts |= zip(of[request_id], _of_one(connection, request_id, told, now), strict=True)
    return [verdicts[number] for number in range(len(answers))]


def _of_one(connection: Connection, request_id: str, told: Sequence[Answer], now: datetime) -> list[Verdict]:
    asked = answer_rows.lock(connection, request_id)
    if asked is None or asked.erased_at is not None:
        return [Verdict.STRAY if asked is None else Verdict.ERASED] * len(told)
    known = answer_rows.known(connection, request_id)
    book = _ReportBatch(asked, answer_rows.held(connection, request_id, known), known, keyed_digest_of(connection))
    verdicts = [book.add(each) for each in told]
    book.save(connection, now)
    return verdicts


class _ReportBatch:
    """All reports of one request, while more are added. The request's row is locked."""

    def __init__(
        self,
        asked: AskedRequest,
        held: StoredResult | None,
        known: Sequence[StoredReport],
        keyed_digest: Callable[[str], str],
    ) -> None:
        self._asked, self._held, self._known, self._keyed_digest = asked, held, known, keyed_digest
        self._scores = SCORE_RANGE.get(asked.type or "", SCORE_RANGE["nps"])
        self._had = {(each.way, each.digest) for each in known}
        self._feedback_id = held.feedback_id if held else None
        self._forgotten = held.shown if held is not None and held.shown.is_forgotten else None
        self._settled = settle(
            ((self._allowed(each.told), each.way) for each in known), self._scores, held.shown if held else None
        )
        self._added: list[tuple[Answer, Update, Verdict]] = []

    def add(self, answer: Answer) -> Verdict:
        key = (answer.way, digest(answer.told))
        if key in self._had or (answer.way, self._keyed_digest(key[1])) in self._had:
            return Verdict.REPEAT  # another channel was quicker
        self._had.add(key)
        if answer.feedback_id is not None:  # of two cards of one request the recorded one gives its name
            self._feedback_id = self._feedback_id or self._asked.feedback_id or answer.feedback_id
        update, before = self._allowed(answer.told), self._shown()
        self._settled = self._settled.and_also(update, answer.way, self._scores)
        verdict = self._verdict(update, before)
        self._added.append((answer, update, verdict))
        return verdict

    def save(self, connection: Connection, now: datetime) -> None:
        """Write what was added, what stands now, and every changed verdict."""
        if not self._added:
            return
        touch(connection, [self._asked.id])
        anomalies = self._judge_again(connection)
        answer_rows.keep(connection, self._added, now)
        began = traces.moment()
        once_committed(connection, lambda: self._tell(began))
        if self._shown().answers and not (self._held is not None and self._held.shown.answers):
            once_committed(connection, lambda: self._count(now))
        if self._held is not None:
            self._change(connection, self._held, anomalies, now)
        elif self._shows:
            answer_rows.first(connection, self._asked.id, self._shown(), self._begun(anomalies, now))

    def _count(self, now: datetime) -> None:
        account, channel = self._asked.account, self._first_answer().channel
        PROCESS_COUNTS.add("results", account, channel)
        if self._asked.outcome_at is not None:
            PROCESS_COUNTS.observe(
                "card_to_answer_seconds", (now - self._asked.outcome_at).total_seconds(), account, channel
            )

    def _tell(self, began: int) -> None:
        answer, _, verdict = self._added[0]
        facts = {"account": self._asked.account, "channel": answer.channel, "way": answer.way, "verdict": verdict.value}
        log.info("answer_received", request_id=self._asked.id, **facts)
        if any(each is Verdict.ANOMALY for _, _, each in self._added):
            log.warning("result_contradicts", request_id=self._asked.id)
        traces.later(self._asked.id, "answer received", began, facts)

    @property
    def _shows(self) -> bool:
        return self._held is not None or self._shown().answers or self._asked.feedback_id is None

    def _allowed(self, update: Update) -> Update:
        """What is accepted of it. A text whose retention is over must not be brought back by another report."""
        dated = replace(update, score_at=self._believed(update.score_at), text_at=self._believed(update.text_at))
        return dated if self._forgotten is None else dated.wordless()

    def _believed(self, at: datetime | None) -> datetime | None:
        """Ignore a date from X at which nobody can have answered: it would put an answer outside every report.

        Our own clock is not consulted: it may have been set back, and what stands would depend on when we heard.
        """
        first, last = self._asked.ended_at - CLOCKS_DIFFER, self._asked.ended_at + NOBODY_ANSWERS_AFTER
        return at if at is not None and first <= at <= last else None

    def _shown(self) -> SettledAnswer:
        # Retention takes the words, not the fact that there were some.
        return self._settled if self._forgotten is None else replace(self._settled, text=self._forgotten.text)

    def _verdict(self, update: Update, before: SettledAnswer) -> Verdict:
        if self._settled.contradicts(update):
            return Verdict.ANOMALY
        is_first = self._held is None and not self._added
        return Verdict.APPLIED if self._shows and (is_first or self._shown() != before) else Verdict.OLDER

    def _judge_again(self, connection: Connection) -> int:
        """Mark reports that contradict what stands now; return how many do. Emptied ones keep their mark."""
        self._added = [(answer, update, self._mark(update, verdict)) for answer, update, verdict in self._added]
        marks = [(each, self._mark(self._allowed(each.told), each.verdict)) for each in self._known]
        answer_rows.judge(connection, [(each, mark) for each, mark in marks if mark != each.verdict])
        verdicts = [*(mark for _, mark in marks), *(verdict for _, _, verdict in self._added)]
        return verdicts.count(Verdict.ANOMALY)

    def _mark(self, update: Update, verdict: str) -> Verdict:
        marked = verdict == Verdict.ANOMALY
        if self._settled.contradicts(update) or (marked and not update.answers):
            return Verdict.ANOMALY
        return Verdict.OLDER if marked else Verdict(verdict)

    def _begun(self, anomalies: int, now: datetime) -> dict[str, Any]:
        answer = self._first_answer()
        return {
            "feedback_id": self._feedback_id,
            "way": answer.way,
            "first_seen_at": now,
            "first_channel": answer.channel,
            **_seen(None, self._shown(), now),
            "update_count": len(self._known) + len(self._added),
            "anomalies": anomalies,
            "updated_at": now,
        }

    def _first_answer(self) -> Answer:
        return next((answer for answer, update, _ in self._added if update.answers), self._added[0][0])

    def _change(self, connection: Connection, held: StoredResult, anomalies: int, now: datetime) -> None:
        shown = self._shown()
        values: dict[str, Any] = {"update_count": held.update_count + len(self._added), "anomalies": anomalies}
        if held.feedback_id is None:
            values |= {"feedback_id": self._feedback_id}
        if shown != held.shown or anomalies != held.anomalies:
            values |= {"updated_at": now, **answer_rows.shown_columns(shown)}
        values |= _seen(held.shown, shown, now)
        if shown.answers and not (held.shown.answers or self._forgotten):
            # Until now the row was only evidence of the card.
            answer = self._first_answer()
            values |= {"way": answer.way, "first_seen_at": now, "first_channel": answer.channel}
        answer_rows.change(connection, self._asked.id, values)


def _seen(before: SettledAnswer | None, after: SettledAnswer, now: datetime) -> dict[str, datetime]:
    """When we first had a score and a text, by our own clock; once set it stays."""
    score = after.score.value is not None and (before is None or before.score.value is None)
    text = after.text.value is not None and (before is None or before.text.value is None)
    return {name: now for name, is_new in (("score_seen_at", score), ("text_seen_at", text)) if is_new}
