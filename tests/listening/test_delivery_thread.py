"""The thread that settles deliveries answers everybody and survives whatever settling does."""

import threading
from collections.abc import Sequence
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

from service.listening.answering import Application, Open
from service.listening.lanes import BYTES_AT_MOST, BatchLane, _settle
from service.web.deferred import DeferredBody, Outcome


class Answered:
    """Takes the application's place and keeps each answer."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, Outcome]] = []
        self.all_told = threading.Semaphore(0)

    def settled(self, opened: Open, outcome: Outcome) -> None:
        self.told.append((opened.later.matter, outcome))
        self.all_told.release()


def test_too_few_outcomes_fail_each_request_and_the_thread_survives() -> None:
    def settle(matters: Sequence[Any]) -> Sequence[Outcome]:
        return [{"done": each} for each in matters if each != "lost"]

    answered = Answered()
    for matters in (["one", "lost"], ["two"]):
        _settle(
            cast("Application", answered),
            [Open(cast("Any", None), None, DeferredBody(cast("Any", None), each, settle)) for each in matters],
        )
    assert [matter for matter, _ in answered.told] == ["one", "lost", "two"]
    assert [type(outcome) for _, outcome in answered.told] == [ValueError, ValueError, dict]


def test_who_comes_again_as_soon_as_they_are_refused_keep_nobody_waiting() -> None:
    done = threading.Event()

    class RefusesStrangers(Answered):
        def call(self, connection: Any, request: Any) -> Open | None:
            if connection == "good":
                return Open(connection, None, DeferredBody(cast("Any", None), connection, list))
            if not done.is_set():
                lane.add((connection, request))
            return None

    answered = RefusesStrangers()
    lane = BatchLane(cast("Application", answered))
    for who in ("stranger", "good", "stranger"):
        lane.add((cast("Any", who), cast("Any", SimpleNamespace(body=BytesIO()))))
    try:
        assert answered.all_told.acquire(timeout=10)
    finally:
        done.set()


def test_what_is_settled_together_is_bounded_by_what_was_unpacked() -> None:
    together: list[int] = []

    def settle(matters: Sequence[Any]) -> Sequence[Outcome]:
        together.append(len(matters))
        return [{} for _ in matters]

    class Unpacks(Answered):
        def call(self, connection: Any, request: Any) -> Open:  # noqa: ARG002 - a few bytes came
            return Open(connection, None, DeferredBody(cast("Any", None), bytes(BYTES_AT_MOST), settle))

    answered = Unpacks()
    lane = BatchLane(cast("Application", answered))
    for _ in range(20):
        lane.add((cast("Any", None), cast("Any", SimpleNamespace(body=BytesIO(b"1")))))
    for _ in range(20):
        assert answered.all_told.acquire(timeout=10)
    assert together == [1] * 20
