"""How long each kill cost: until the service went on, and until everything in flight had gone on.

Two clocks: until the next line in the ledger (or the next 2xx, if web was killed), and until everything that was in
flight at that moment had been continued, by a process that survived or, after its lease, by another.
"""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.db import reading
from service.models import feedback_request, transition
from tests.chaos.senders import Senders

r, t = feedback_request.c, transition.c
LOOK_EVERY_S = 0.2


@dataclass
class Wound:
    """One kill from which the service has not recovered yet."""

    kind: str
    at: float
    web: bool
    in_flight: dict[str, str]  # request -> lease token
    waiting: dict[str, str]  # those of them that nobody has taken up yet
    newest_line: int


class Recovery:
    """Watches the ledger beside the service; knows nothing of its processes."""

    def __init__(self, engine: Engine, senders: Senders) -> None:
        self._engine, self._senders = engine, senders
        self._open: list[Wound] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.next_progress_s: list[float] = []
        self.all_taken_up_s: list[float] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(30)

    def begin(self, kind: str, *, web: bool) -> None:
        """A kill has just happened."""
        at = time.time()
        while not self._over.is_set():
            try:
                wound = self._look_around(kind, at, web=web)
            except SQLAlchemyError:
                time.sleep(LOOK_EVERY_S)
                continue
            with self._lock:
                self._open.append(wound)
            return

    def _look_around(self, kind: str, at: float, *, web: bool) -> Wound:
        with reading(self._engine) as connection:
            leased = connection.execute(sa.select(r.id, r.lease_token).where(r.lease_token.is_not(None)))
            tokens = {str(request): str(token) for request, token in leased}
            newest = connection.scalar(sa.select(sa.func.max(t.id))) or 0
        return Wound(kind, at, web, tokens, dict(tokens), newest)

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            with self._lock:
                wounds = list(self._open)
            try:
                healed = [wound for wound in wounds if self._has_healed(wound)]
            except SQLAlchemyError:
                continue
            with self._lock:
                self._open = [wound for wound in self._open if wound not in healed]

    def _has_healed(self, wound: Wound) -> bool:
        went_on = self._went_on(wound)
        if went_on is None or self._still_leased(wound):
            return False
        self.next_progress_s.append(max(0.0, went_on - wound.at))
        if wound.in_flight:
            self.all_taken_up_s.append(time.time() - wound.at)
        return True

    def _went_on(self, wound: Wound) -> float | None:
        if wound.web:
            return self._senders.first_answer_after(wound.at)
        since = datetime.fromtimestamp(wound.at, UTC)
        with reading(self._engine) as connection:
            first = sa.select(sa.func.min(t.at)).where(t.id > wound.newest_line, t.at >= since)
            at = connection.scalar(first)
        return None if at is None else at.timestamp()

    def _still_leased(self, wound: Wound) -> bool:
        if wound.waiting:
            with reading(self._engine) as connection:
                same = sa.select(r.id, r.lease_token).where(r.id.in_(list(wound.waiting)))
                now = {str(request): token for request, token in connection.execute(same)}
            wound.waiting = {each: token for each, token in wound.waiting.items() if now.get(each) == token}
        return bool(wound.waiting)
