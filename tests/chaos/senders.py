"""The CRMs: signed deliveries, repeated until they are answered 2xx, and a record of every 2xx.

They know nothing of what happens behind the address. A lost answer is no answer: the same delivery is sent again.
"""

import base64
import bisect
import hashlib
import heapq
import hmac
import itertools
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.chaos.crm import is_unnamed
from tests.chaos.plan import FIRST_CUSTOMER, Conversation, Plan, handle_of
from tests.support import SOURCE_KEY

SECRET = base64.b64decode(SOURCE_KEY.removeprefix("whsec_"))
ANSWER_WITHIN_S = 10.0
LONGEST_WAIT_S = 8.0


@dataclass(order=True)
class Delivery:
    """One POST that wants a 2xx."""

    due: float
    place: int
    event_id: str = field(compare=False)
    body: bytes = field(compare=False)
    conversation_id: str = field(compare=False)
    tries: int = field(compare=False, default=0)


class Senders:
    """A few threads that deliver what is due."""

    def __init__(self, plan: Plan, url: str, threads: int = 6) -> None:
        self._url = f"{url}/webhooks/crm/crm"
        self._places = itertools.count()
        self._dice = random.Random(plan.seed)
        self._changed = threading.Condition()
        self._waiting: list[Delivery] = []
        self._under_way = 0
        self.acknowledged: dict[str, float] = {}  # conversation -> when its end was first answered 2xx
        self.reopened: set[str] = set()
        self.answers: Counter[str] = Counter()
        self.answered_at: list[float] = []
        self.took_s: list[float] = []  # of each 2xx
        self._plan = plan
        self._threads = [threading.Thread(target=self._deliver, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        began, today = time.time(), datetime.now(UTC)
        for each in self._plan.conversations:
            self._plan_one(each, began, today)
        for thread in self._threads:
            thread.start()

    @property
    def outstanding(self) -> int:
        with self._changed:
            return len(self._waiting) + self._under_way

    def first_answer_after(self, moment: float) -> float | None:
        """When the first 2xx after this came."""
        place = bisect.bisect_right(self.answered_at, moment)
        return self.answered_at[place] if place < len(self.answered_at) else None

    def _plan_one(self, each: Conversation, began: float, today: datetime) -> None:
        ended_at = today + timedelta(seconds=each.at_s)
        body = _body("conversation.ended", ended_at, each)
        self._queue(began + each.at_s, f"msg_{each.id}", body, each.id)
        for number, (later_s, new_event) in enumerate(each.copies):
            event_id = f"msg_{each.id}_again_{number}" if new_event else f"msg_{each.id}"
            self._queue(began + each.at_s + later_s, event_id, body, each.id)
        if each.reopened_after_s is not None:
            self.reopened.add(each.id)
            reopened_at = ended_at + timedelta(seconds=each.reopened_after_s)
            body = _body("conversation.reopened", reopened_at, each)
            self._queue(began + each.at_s + each.reopened_after_s, f"msg_{each.id}_reopened", body, "")

    def _queue(self, due: float, event_id: str, body: bytes, conversation_id: str) -> None:
        with self._changed:
            heapq.heappush(self._waiting, Delivery(due, next(self._places), event_id, body, conversation_id))

    def _deliver(self) -> None:
        with httpx.Client(timeout=ANSWER_WITHIN_S, trust_env=False) as http:
            while True:
                delivery = self._next()
                began = time.monotonic()
                answer = _post(http, self._url, delivery)
                with self._changed:
                    self._under_way -= 1
                    self._note(delivery, answer, time.monotonic() - began)
                    self._changed.notify()

    def _next(self) -> Delivery:
        with self._changed:
            while not self._waiting or self._waiting[0].due > time.time():
                wait = self._waiting[0].due - time.time() if self._waiting else 1.0
                self._changed.wait(max(0.001, min(wait, 1.0)))
            self._under_way += 1
            return heapq.heappop(self._waiting)

    def _note(self, delivery: Delivery, answer: str, took_s: float) -> None:
        self.answers[answer] += 1
        if answer.startswith("2"):
            self.answered_at.append(time.time())
            self.took_s.append(took_s)
            if delivery.conversation_id:
                self.acknowledged.setdefault(delivery.conversation_id, time.time())
            return
        wait = min(0.5 * 2**delivery.tries, LONGEST_WAIT_S) * self._dice.uniform(0.8, 1.2)
        delivery.due, delivery.tries = time.time() + wait, delivery.tries + 1
        heapq.heappush(self._waiting, delivery)


def _body(kind: str, at: datetime, each: Conversation) -> bytes:
    who: dict[str, Any] = (
        {"customer_ref": str(each.customer)} if is_unnamed(each)
        else {"x_handle": handle_of(each.customer)} if each.by_handle
        else {"x_user_id": str(each.customer)}
    )  # fmt: skip
    data = {"conversation_id": each.id, "account": each.account, **_people(each), **who}
    return json.dumps({"type": kind, "timestamp": at.isoformat(), "data": data}).encode()


def _people(each: Conversation) -> dict[str, str]:
    """Always new agents, of whom each begins small and grows; where there is none the team stands for it."""
    number = each.customer - FIRST_CUSTOMER
    agent = {} if number % 11 == 10 else {"agent_id": f"agent-{number // 15}"}
    return {**agent, "team_id": f"team-{number // 200}"}


def _post(http: httpx.Client, url: str, delivery: Delivery) -> str:
    moment = str(int(time.time()))
    signed = f"{delivery.event_id}.{moment}.".encode() + delivery.body
    signature = base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{signature}",
    }
    try:
        answer = http.post(url, content=delivery.body, headers=headers)
    except httpx.HTTPError as error:
        return type(error).__name__
    if answer.status_code == 503 and "retry-after" not in answer.headers:
        return "503 without Retry-After"
    return str(answer.status_code)
