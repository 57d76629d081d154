"""Any interleaving of steps, crashes, clock changes, reopenings, limits and manual actions keeps the invariants."""

import shutil
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from service.accounts import holds
from service.accounts.holds import Hold
from service.customers import opted_out
from service.db import open_engine, reading, writing
from service.errors import Conflict
from service.models import metadata, send_attempt
from service.outreach import by_hand, unclear
from service.outreach.claims import Ready, claim, give_back, record
from service.outreach.steps import take
from service.states import END_STATES, State
from tests.outreach.test_walk import FROZEN
from tests.support import World, settings_of

PEOPLE = [str(501 + n) for n in range(8)]
LIMIT = 3
FAULTS = ["drop_before", "drop_after_commit", "status_after_commit", "half_json", "status", "429"]


class Interleaving(RuleBasedStateMachine):
    """Workers are split into their parts - claim, call, record - so that each part may be the last thing they do."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        engine = open_engine(self.url)
        _empty(engine)
        self.world = World(
            engine,
            settings_of(accounts__acme__dms_per_day=LIMIT, campaigns__care__stale_after="6h"),
            # X's own guard against a second card would hide ours
            assumptions={"list_lag_s": [0, 170], "pair_scope": "off"},
        )
        self.world.customers(*({"user_id": p, "screen_name": f"u{p}", "can_dm": p != "503"} for p in PEOPLE))
        self.held: list[Ready] = []
        self.found: list[tuple[Ready, Any]] = []
        self.ids: list[str] = []
        self.skew = 0

    @property
    def account(self) -> Any:
        return self.world.settings.accounts["acme"]

    @initialize()
    def a_day_has_begun(self) -> None:
        for person in PEOPLE[:3]:
            self.conversation_was_cleared_for_writing(person)

    @rule(person=st.sampled_from(PEOPLE))
    @precondition(lambda self: len(self.ids) < 12)
    def conversation_ends(self, person: str) -> None:
        self.ids.append(self.world.ended(f"c-{len(self.ids)}", x_user_id=person))

    @rule(person=st.sampled_from(PEOPLE))
    @precondition(lambda self: len(self.ids) < 12)
    def conversation_was_cleared_for_writing(self, person: str) -> None:
        row = {**FROZEN, "can_dm": True, "state": State.DM_ALLOWED}
        self.ids.append(self.world.ended(f"c-{len(self.ids)}", x_user_id=person, **row))

    @rule(data=st.data())
    @precondition(lambda self: self.ids)
    def conversation_reopens(self, data: Any) -> None:
        which = data.draw(st.integers(0, len(self.ids) - 1))
        self.world.reopened(f"c-{which}", self.world.clock.now + timedelta(microseconds=len(self.ids)))
        self.world.clock.forward(seconds=1)

    @rule(fault=st.sampled_from(FAULTS), card=st.booleans())
    def x_misbehaves(self, fault: str, card: bool) -> None:
        endpoint = "feedback/create" if card else "direct_messages/events/new"
        self.world.fault(endpoint=endpoint, fault=fault, times=1)

    @rule(fault=st.sampled_from(FAULTS), card=st.booleans(), dies=st.booleans())
    def a_worker_walks_into_trouble(self, fault: str, card: bool, dies: bool) -> None:
        self.x_misbehaves(fault, card)
        for ready in claim(self.world.place, self.account, 2, self.world.clock.now).ready:
            step: Ready | None = ready
            while step is not None:
                found = take(step, self.world.clients["acme"], self.world.clock)
                step = None if dies else record(self.world.place, step, found, self.world.clock.now)

    @rule(limit=st.integers(1, 3))
    def a_worker_claims(self, limit: int) -> None:
        self.held += claim(self.world.place, self.account, limit, self.world.clock.now).ready

    @rule()
    @precondition(lambda self: self.held)
    def a_worker_calls_x(self) -> None:
        ready = self.held.pop(0)
        # as the runner does: a call that has not begun in half its lease is not made any more
        if self.world.clock.now > ready.intended_at + self.world.settings.worker.lease / 2:
            give_back(self.world.place, ready, self.world.clock.now)
            return
        self.found.append((ready, take(ready, self.world.clients["acme"], self.world.clock)))

    @rule(go_on=st.booleans())
    @precondition(lambda self: self.found)
    def a_worker_records(self, go_on: bool) -> None:
        ready, found = self.found.pop(0)
        following = record(self.world.place, ready, found, self.world.clock.now, go_on=go_on)
        self.held += [following] if following is not None else []

    @rule()
    @precondition(lambda self: self.held)
    def a_worker_dies_before_its_call(self) -> None:
        self.held.pop(0)

    @rule()
    @precondition(lambda self: self.found)
    def a_worker_dies_after_its_call(self) -> None:
        self.found.pop(0)

    @rule()
    def unclear_sends_are_looked_up(self) -> None:
        unclear.look_up_once(self.world.place, self.account, self.world.clients["acme"], self.world.clock)

    @rule(seconds=st.sampled_from([1, 20, 61, 300, 900, 3600, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.forward(seconds=seconds)

    @rule(seconds=st.sampled_from([-120, 0, 120]))
    def our_clock_is_off(self, seconds: int) -> None:
        self.world.clock.forward(seconds=seconds - self.skew)
        self.skew = seconds

    @rule()
    def a_whole_worker_runs(self) -> None:
        self.world.run()

    @rule(which=st.integers(0, 11), cancel=st.booleans())
    @precondition(lambda self: self.ids)
    def somebody_retries_or_cancels(self, which: int, cancel: bool) -> None:
        request_id, now = self.ids[which % len(self.ids)], self.world.clock.now
        with suppress(Conflict):
            if cancel:
                by_hand.cancel(self.world.place, request_id, by="ada", now=now)
            else:
                by_hand.retry(self.world.place, request_id, by="ada", accept_second_message=False, now=now)

    @rule()
    @precondition(lambda self: len(self.ids) < 12)
    def conversation_ends_of_nobody_we_know(self) -> None:
        self.ids.append(self.world.ended(f"c-{len(self.ids)}", x_user_id=None))

    @rule(which=st.integers(0, 11), person=st.sampled_from(PEOPLE))
    @precondition(lambda self: self.ids)
    def somebody_tells_who_the_customer_is(self, which: int, person: str) -> None:
        with suppress(Conflict):
            request_id = self.ids[which % len(self.ids)]
            by_hand.complete(self.world.place, request_id, person, by="ada", now=self.world.clock.now)

    @rule(person=st.sampled_from(PEOPLE))
    def somebody_does_not_want_to_be_asked(self, person: str) -> None:
        with writing(self.world.engine) as connection:
            key = self.world.place.hash_key
            opted_out.add(connection, [person], hash_key=key, reason="asked", by="ada", now=self.world.clock.now)

    @rule(hold=st.booleans())
    def the_account_is_held_or_released(self, hold: bool) -> None:
        with writing(self.world.engine) as connection:
            if hold:
                holds.hold(connection, "acme", Hold(None, "by hand"), self.world.clock.now)
            else:
                holds.release(connection, "acme", self.world.clock.now)

    @invariant()
    def nobody_got_the_same_message_of_a_request_twice(self) -> None:
        truth = self.world.truth()
        cards = Counter(each["external_id"] for each in truth["cards"])
        assert all(count == 1 for count in cards.values()), cards
        with reading(self.world.engine) as connection:
            asked = connection.execute(
                sa.select(send_attempt.c.x_user_id, sa.func.count(sa.distinct(send_attempt.c.request_id)))
                .where(send_attempt.c.kind == "dm")
                .group_by(send_attempt.c.x_user_id)
            ).all()
        openings = Counter(each["recipient"] for each in truth["messages"] if each["via"] == "dm")
        for person, requests in asked:
            assert openings[person] <= requests

    @invariant()
    def no_day_holds_more_openings_than_its_limit(self) -> None:
        times = sorted(each["at_ms"] for each in self.world.truth()["messages"] if each["via"] == "dm")
        for n in range(len(times) - LIMIT):
            assert times[n + LIMIT] - times[n] >= 86_400_000

    def teardown(self) -> None:
        """After all that, time and a healthy X bring every request to one outcome."""
        self.held.clear()
        self.found.clear()
        self.world.control("/faults", method="DELETE")
        self.the_account_is_held_or_released(hold=False)
        self.world.later(12, hours=13)
        states = {each: self.world.request(each) for each in self.ids}
        assert all(row.state in END_STATES for row in states.values()), [(r.state, r.reason) for r in states.values()]
        sent = {each["external_id"] for each in self.world.truth()["cards"]}
        for request_id, row in states.items():
            assert (request_id in sent) == (row.state == State.CARD_SENT) or row.state == State.UNKNOWN
        self.world.engine.dispose()


def _empty(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))


def _prove(url: str, examples: int) -> None:
    machine = type("Proof", (Interleaving,), {"url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_any_interleaving_keeps_the_promises_on_sqlite(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "proof.db")
    _prove(f"sqlite:///{tmp_path / 'proof.db'}", examples=40)


def test_any_interleaving_keeps_the_promises_on_postgresql(postgresql_url: str) -> None:
    _prove(postgresql_url, examples=20)
