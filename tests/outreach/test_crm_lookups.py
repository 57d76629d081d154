"""Customers looked up in the CRM by the worker: over real HTTP, on both databases, with no transaction open."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Response
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.intake.crm.desks import desks_of
from service.models import found_identity, look_up, source_state
from service.outreach import by_hand, crm_lookups
from service.privacy import housekeeping
from service.requests.restored import Restore
from service.sources import call_counts, holds, waiting
from tests.crm_api.crm import Crm, crm
from tests.support import World, settings_of

FIND = {"x_user_id": "a.x", "x_handle": "a.handle", "language": "a.lang", "tags": "a.tags",
        "agent_id": "a.agent", "team_id": "a.team"}  # fmt: skip
STEPS = [{"path": "/people/{customer_ref}", "trust": "vendor_verified", "find": FIND}]
WHO = [{**STEPS[0], "find": {"x_user_id": "a.x", "x_handle": "a.handle"}}]
WITH_CHANNEL = [{**STEPS[0], "find": {**FIND, "channel": "a.via"}}]
ANN = {"user_id": "501", "screen_name": "ann", "can_dm": True}


@dataclass
class Desked:
    """A world whose source can be asked, and the CRM it asks."""

    world: World
    crm: Crm

    def ended(self, conversation: str = "c-1", customer: str | None = "4711", **columns: Any) -> str:
        nobody = {"x_user_id": None, "agent_id": None, "team_id": None, "tags": [], "language": None, "channel": None}
        columns = {**nobody, "customer_ref": customer, **columns}
        return self.world.ended(conversation, **columns)

    def walk(self) -> None:
        """Work and look up until nothing is left to do at this moment."""
        place, clock = self.world.place, self.world.clock
        self.world.run()
        while crm_lookups.look_up_once(place, place.desks["crm"], clock):
            self.world.run()

    def later(self, **span: float) -> None:
        self.world.forward(**span)
        self.walk()

    def of(self, request_id: str) -> Any:
        return self.world.request(request_id)


@pytest.fixture
def build(world_of: Callable[..., World]) -> Iterator[Callable[..., Desked]]:
    with crm() as here:

        def made(steps: Any = STEPS, on_x: tuple[str, ...] = (), **said: Any) -> Desked:
            changes = {name: said.pop(name) for name in [*said] if "__" in name}
            changes["sources__crm__api"] = {"base_url": here.url, "token": "a-secret", **said}
            settings = settings_of(sources__crm__lookup=steps, sources__crm__channel={"on_x": list(on_x)}, **changes)
            world = world_of()
            world.settings = settings
            desks = desks_of(settings, world.clock)
            world.place = replace(world.place, settings=settings, desks=desks)
            world.customers(ANN)
            with writing(world.engine) as connection:
                holds.enrol(connection, desks, world.clock.now)
            return Desked(world, here)

        yield made


@pytest.fixture
def desked(build: Callable[..., Desked]) -> Desked:
    return build()


def rows(engine: Engine, table: sa.Table) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(sa.select(table)))


def test_a_customer_without_an_identity_is_looked_up_and_asked(desked: Desked) -> None:
    desked.crm.answers = {
        "/people/4711": {"x": "501", "lang": "German", "tags": ["vip"], "agent": "a-9", "team": "t-1"}
    }
    request_id = desked.ended()
    desked.walk()
    found = desked.of(request_id)
    assert (found.x_user_id, found.identity_trust, found.language) == ("501", "vendor_verified", "de")
    assert (found.tags, found.team_id) == (["vip"], "t-1")
    desked.later(minutes=2)
    assert desked.of(request_id).state == "card_sent"
    assert desked.crm.paths == ["/people/4711"]
    assert rows(desked.world.engine, look_up) == []
    assert [event for _, event, _ in desked.world.history(request_id)][:2] == ["postponed", "noted"]


def test_where_nobody_is_due_nothing_is_written(desked: Desked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(crm_lookups, "writing")
    place = desked.world.place
    assert not crm_lookups.look_up_once(place, place.desks["crm"], desked.world.clock)


def test_there_is_nothing_to_do_for_a_customer_whom_somebody_is_asking_about(build: Callable[..., Desked]) -> None:
    desked = build(WHO)
    desked.ended("c-1")
    desked.ended("c-2")
    desked.world.run()
    place, now = desked.world.place, desked.world.clock.now
    with writing(place.engine) as connection:
        first, _ = waiting.next_due(connection, "crm", now, 9)
        waiting.take(connection, first, now)
        assert waiting.anything_due(connection, "crm", now), "the other conversation"
    assert not crm_lookups.look_up_once(place, place.desks["crm"], desked.world.clock)
    assert desked.crm.paths == []


def test_somebody_who_waits_no_more_is_not_asked_about(desked: Desked) -> None:
    request_id = desked.ended()
    desked.world.run()
    desked.world.set(request_id, state="skipped", reason="reopened")
    place = desked.world.place
    assert crm_lookups.look_up_once(place, place.desks["crm"], desked.world.clock), "there may be another"
    assert (rows(place.engine, look_up), desked.crm.paths) == ([], [])


def test_an_identity_in_the_event_is_not_replaced(desked: Desked) -> None:
    desked.crm.answers = {"/people/4711": {"x": "501", "lang": "German", "tags": ["vip"], "agent": "a-9"}}
    request_id = desked.ended(agent_id="a-1", language="fr", tags=["own"])
    desked.walk()
    found = desked.of(request_id)
    assert (found.agent_id, found.language) == ("a-1", "fr")


def test_what_the_event_and_the_crm_tag_counts_together(desked: Desked) -> None:
    """A customer's own `no-survey` must not be lost because the conversation has a tag."""
    desked.crm.answers = {"/people/4711": {"x": "501", "tags": ["no-survey", "own"]}}
    request_id = desked.ended(tags=["own"])
    desked.walk()
    assert desked.of(request_id).tags == ["own", "no-survey"]


def test_what_only_a_look_up_tells_of_a_customer_is_told_of_their_next_conversation_too(
    build: Callable[..., Desked],
) -> None:
    desked = build(campaigns__care__without_tags=["no-survey"])
    desked.crm.answers = {"/people/4711": {"x": "501", "tags": ["no-survey"], "agent": "a-9", "team": "t-1"}}
    both = [desked.ended("c-1"), desked.ended("c-2")]
    desked.walk()
    later = desked.ended("c-3")
    desked.later(minutes=2)
    for each in (*both, later):
        found = desked.of(each)
        assert (found.reason, found.tags, found.agent_id, found.team_id) == ("no_campaign", ["no-survey"], "a-9", "t-1")


def test_a_known_customer_is_not_looked_up(desked: Desked) -> None:
    desked.world.ended("c-2", x_user_id="501")
    desked.world.ended("c-3", x_user_id=None, x_handle="ann")
    desked.walk()
    assert desked.crm.asked == []


def test_the_identity_found_can_choose_the_campaign(build: Callable[..., Desked]) -> None:
    desked = build()
    only_vip = replace(desked.world.settings.campaigns[0], without_tags=("no-survey",))
    settings = replace(desked.world.settings, campaigns=(only_vip,))
    desked.world.place = replace(desked.world.place, settings=settings)
    desked.crm.answers = {"/people/4711": {"x": "501", "tags": ["no-survey"]}}
    request_id = desked.ended()
    desked.walk()
    assert (desked.of(request_id).state, desked.of(request_id).reason) == ("skipped", "no_campaign")


def test_no_transaction_is_open_while_the_crm_thinks(desked: Desked) -> None:
    def thinking() -> Any:
        with writing(desked.world.engine) as connection:  # would wait for itself, and fail, with one open
            connection.execute(sa.update(source_state).values(used=7))
        return {"x": "501"}

    desked.crm.answers = {"/people/4711": thinking}
    request_id = desked.ended()
    desked.walk()
    assert desked.of(request_id).x_user_id == "501"


def test_an_unsuccessful_look_up_records_its_calls(desked: Desked) -> None:
    request_id = desked.ended()
    desked.walk()
    found = desked.of(request_id)
    assert (found.state, found.reason) == ("skipped", "no_x_identity")
    assert found.detail == "looked at /people/{customer_ref} (404)"
    assert by_hand.complete(desked.world.place, request_id, "501", by="sue", now=desked.world.clock.now) == "received"
    desked.later(minutes=2)
    assert desked.of(request_id).state == "card_sent"


def test_a_conversation_on_another_channel_ends_so(build: Callable[..., Desked]) -> None:
    desked = build(WITH_CHANNEL, on_x=("twitter",))
    desked.crm.answers = {"/people/4711": {"via": "email", "x": "501"}}
    looked, told = desked.ended("c-1"), desked.ended("c-2", channel="WhatsApp")
    desked.walk()
    for request_id in (looked, told):
        assert (desked.of(request_id).state, desked.of(request_id).reason) == ("skipped", "channel")
    assert desked.crm.paths == ["/people/4711"]


def test_many_conversations_of_one_customer_are_one_call(build: Callable[..., Desked]) -> None:
    desked = build(WHO)
    desked.crm.answers = {"/people/4711": {"x": "501"}}
    first, second, third = (desked.ended(f"c-{n}") for n in range(3))
    nobody = [desked.ended(f"n-{n}", customer="none") for n in range(3)]
    desked.walk()
    assert sorted(desked.crm.paths) == ["/people/4711", "/people/none"]
    assert {desked.of(each).x_user_id for each in (first, second, third)} == {"501"}
    assert {desked.of(each).reason for each in nobody} == {"no_x_identity"}
    assert {row.customer for row in rows(desked.world.engine, found_identity)} & {"4711", "none"} == set()


def test_those_who_are_settled_without_a_call_let_the_next_be_looked_at_at_once(
    build: Callable[..., Desked],
) -> None:
    desked = build(WHO)
    for n in range(3):
        desked.ended(f"c-{n}")
    desked.world.run()
    place, clock = desked.world.place, desked.world.clock
    called, settled, rests = (crm_lookups.look_up_once(place, place.desks["crm"], clock) for _ in range(3))
    assert (called, settled, rests, len(desked.crm.asked)) == (True, True, False, 1)


def test_somebody_found_is_believed_for_a_week_and_nobody_for_an_hour(build: Callable[..., Desked]) -> None:
    desked = build(WHO)
    desked.crm.answers = {"/people/4711": {"x": "501"}}
    desked.ended("c-1"), desked.ended("n-1", customer="none")
    desked.walk()
    desked.later(minutes=59)
    desked.ended("n-2", customer="none")
    desked.walk()
    desked.later(minutes=2)
    desked.ended("n-3", customer="none"), desked.ended("c-2")
    desked.walk()
    assert desked.crm.paths.count("/people/none") == 2
    desked.later(days=7)
    desked.ended("c-3")
    desked.walk()
    assert desked.crm.paths.count("/people/4711") == 2


def test_an_answer_about_the_conversation_holds_for_that_one(build: Callable[..., Desked]) -> None:
    steps = [{"path": "/talks/{conversation_id}", "find": {"x_user_id": "a.x", "channel": "a.via"}}]
    desked = build(steps, on_x=("dm",))
    desked.crm.answers = {f"/talks/c-{n}": {"x": "501", "via": "dm" if n else "email"} for n in range(2)}
    email, on_x = desked.ended("c-0"), desked.ended("c-1")
    desked.walk()
    assert (desked.of(email).reason, desked.of(on_x).x_user_id) == ("channel", "501")
    surely = desked.ended("c-2", channel="dm"), desked.ended("c-3", channel="dm")
    desked.crm.answers |= {f"/talks/c-{n}": {"x": "501", "via": "dm"} for n in (2, 3)}
    desked.walk()
    assert [desked.of(each).x_user_id for each in surely] == ["501", "501"]
    assert len(desked.crm.paths) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_hold_the_source_and_lose_nobody(desked: Desked, status: int) -> None:
    desked.crm.answers = {"/people/4711": (status, {})}
    waits, other = (
        [desked.ended(f"c-{n}", customer="4711") for n in range(3)],
        desked.world.ended("x-1", x_user_id="501"),
    )
    desked.walk()
    desked.later(hours=3)
    assert len(desked.crm.asked) == 1
    assert desked.of(other).state == "card_sent"
    with reading(desked.world.engine) as connection:
        assert holds.standings(connection)["crm"].hold_reason == f"refused_{status}"
        assert waiting.counts(connection) == {"crm": 3}
    with writing(desked.world.engine) as connection:  # whoever waited for this lock each second would wait here
        holds.lock(connection, "crm")
        place = desked.world.place
        assert not crm_lookups.look_up_once(place, place.desks["crm"], desked.world.clock)
    desked.crm.answers = {"/people/4711": {"x": "501"}}
    with writing(desked.world.engine) as connection:
        assert holds.release(connection, "crm", desked.world.clock.now)
    desked.walk()
    assert {desked.of(each).x_user_id for each in waits} == {"501"}


def _hold(desked: Desked) -> str | None:
    with reading(desked.world.engine) as connection:
        return holds.standings(connection)["crm"].hold_reason


def test_a_crm_that_refuses_one_ticket_alone_goes_on_answering_for_others(desked: Desked) -> None:
    """Private tickets are 403 to a token that is good: a restricted group, a private inbox, a shielded record."""
    desked.crm.answers = {"/people/1": {"x": "501"}, "/people/2": {"x": "502"}, "/people/9": (403, {})}
    known = desked.ended("c-1", customer="1")
    desked.walk()
    private = desked.ended("c-9", customer="9")
    desked.walk()
    assert _hold(desked) is None
    desked.later(minutes=20)
    assert _hold(desked) is None  # it is alone, however often it is asked again
    other = desked.ended("c-2", customer="2")
    desked.walk()
    assert [desked.of(each).x_user_id for each in (known, other, private)] == ["501", "502", None]
    assert desked.of(private).state == "received"
    desked.crm.answers["/people/9"] = {"x": "509"}
    desked.later(hours=1)
    assert desked.of(private).x_user_id == "509"


def test_two_private_tickets_of_a_crm_that_is_seldom_asked_hold_nothing(desked: Desked) -> None:
    desked.crm.answers = {"/people/1": {"x": "501"}, "/people/8": (403, {}), "/people/9": (403, {})}
    desked.ended("c-1", customer="1")
    desked.walk()
    for n in (8, 9):
        desked.ended(f"c-{n}", customer=str(n))
        desked.walk()
        desked.later(hours=1)
    assert _hold(desked) is None


def test_a_crm_that_has_refused_everybody_for_minutes_holds_its_source(desked: Desked) -> None:
    desked.crm.answers = {"/people/1": {"x": "501"}}
    desked.ended("c-1", customer="1")
    desked.walk()
    desked.crm.answers = {f"/people/{n}": (403, {}) for n in range(2, 5)}
    for n in (2, 3):
        desked.ended(f"c-{n}", customer=str(n))
    desked.walk()
    assert _hold(desked) is None
    desked.later(minutes=6)
    desked.ended("c-4", customer="4")
    desked.walk()
    assert _hold(desked) == "refused_403"


def test_a_ticket_that_held_its_source_comes_after_the_others_once_it_is_released(desked: Desked) -> None:
    desked.crm.answers = {"/people/9": (403, {}), "/people/1": {"x": "501"}}
    desked.ended("c-9", customer="9")
    desked.walk()
    assert _hold(desked) == "refused_403"
    other = desked.ended("c-1", customer="1")
    with writing(desked.world.engine) as connection:
        holds.release(connection, "crm", desked.world.clock.now)
    desked.walk()
    desked.later(minutes=20)
    assert (desked.of(other).x_user_id, _hold(desked)) == ("501", None)


def test_waiting_longer_than_any_campaign_ends_the_request(desked: Desked) -> None:
    desked.crm.answers = {"/people/4711": (401, {})}
    request_id = desked.ended()
    desked.walk()
    desked.later(hours=23, minutes=59)
    assert desked.of(request_id).state == "received"
    desked.later(minutes=2)
    assert (desked.of(request_id).state, desked.of(request_id).reason) == ("skipped", "stale")


def test_a_customer_who_may_have_been_asked_before_a_restore_is_looked_up_however_old_the_conversation_is(
    desked: Desked,
) -> None:
    desked.crm.answers = {"/people/4711": {"x": "501"}}
    ended_at = desked.world.clock.now
    desked.world.forward(hours=30)
    desked.world.place = replace(desked.world.place, restores=(Restore(ended_at, desked.world.clock.now),))
    request_id = desked.ended(ended_at=ended_at)
    desked.walk()
    assert (desked.of(request_id).x_user_id, desked.of(request_id).reason) == ("501", "unclear")
    desked.later(minutes=15)
    desked.later(minutes=1)
    assert (desked.of(request_id).state, desked.of(request_id).reason) == ("skipped", "stale")


def test_a_limit_pauses_the_source_for_as_long_as_it_says(desked: Desked) -> None:
    desked.crm.answers = {"/people/4711": (429, {}, {"X-Rate-Limit-Reset": "90"})}
    request_id = desked.ended()
    desked.walk()
    desked.crm.answers = {"/people/4711": {"x": "501"}}
    desked.later(seconds=89)
    assert (desked.of(request_id).x_user_id, len(desked.crm.asked)) == (None, 1)
    desked.later(seconds=2)
    assert desked.of(request_id).x_user_id == "501"


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (302, {}, {"Location": "http://169.254.169.254/"}),
        lambda: Response("<html>", 200, content_type="text/html"),
        lambda: Response('{"x": "50', 200, content_type="application/json"),
    ],
)
def test_a_crm_with_invalid_answers_is_retried_and_stops_nobody_else(desked: Desked, answer: Any) -> None:
    desked.crm.answers = {"/people/4711": answer, "/people/9": {"x": "501"}}
    waits, other = desked.ended(), desked.ended("c-9", customer="9")
    desked.walk()
    assert (desked.of(waits).state, desked.of(other).x_user_id) == ("received", "501")
    desked.crm.answers["/people/4711"] = {"x": "501"}
    desked.later(seconds=10)
    assert desked.of(waits).x_user_id == "501"


def test_no_more_calls_a_minute_than_the_settings_say(build: Callable[..., Desked]) -> None:
    desked = build(per_minute=3)
    desked.crm.answers = {f"/people/{n}": {"x": "501"} for n in range(9)}
    for n in range(9):
        desked.ended(f"c-{n}", customer=str(n))
    desked.walk()
    assert len(desked.crm.asked) == 3
    desked.later(seconds=30)
    assert len(desked.crm.asked) == 3
    desked.later(seconds=31)
    assert len(desked.crm.asked) == 6


def test_no_more_look_ups_at_once_than_the_settings_say(build: Callable[..., Desked]) -> None:
    desked = build(at_once=2)
    for n in range(4):
        desked.ended(f"c-{n}", customer=str(n))
    desked.world.run()
    place, desk = desked.world.place, desked.world.place.desks["crm"]
    with writing(desked.world.engine) as connection:
        now = desked.world.clock.now
        taken = [crm_lookups._take(connection, place, desk, now) for _ in range(3)]
    assert [bool(each) for each in taken] == [True, True, False]


@pytest.mark.parametrize("column", ["lease_until", "due_at"])
def test_look_ups_survive_a_clock_set_back(build: Callable[..., Desked], column: str) -> None:
    desked = build(at_once=1)
    desked.crm.answers = {"/people/4711": {"x": "501"}}
    request_id = desked.ended()
    desked.world.run()
    with writing(desked.world.engine) as connection:
        ahead = desked.world.clock.now + timedelta(days=2)
        connection.execute(sa.update(look_up).values({"lease_token": "lu_dead", column: ahead}))
    desked.walk()
    assert desked.of(request_id).x_user_id == "501"


def test_a_worker_that_died_between_look_up_and_record_costs_one_more_call(desked: Desked) -> None:
    desked.crm.answers = {"/people/4711": {"x": "501"}}
    request_id = desked.ended()
    desked.world.run()
    place, desk, now = desked.world.place, desked.world.place.desks["crm"], desked.world.clock.now
    with writing(desked.world.engine) as connection:
        dead = crm_lookups._take(connection, place, desk, now)
    assert dead is not None
    desked.walk()
    assert desked.crm.asked == []
    desked.later(minutes=3)
    assert (desked.of(request_id).x_user_id, len(desked.crm.asked)) == ("501", 1)
    with writing(desked.world.engine) as connection:  # he was only paused, and comes back with his own answer
        crm_lookups._record(connection, place, desk, dead, desk.ask({"customer_ref": "none"}, now), now)
    assert desked.of(request_id).x_user_id == "501"


@pytest.mark.parametrize("meanwhile", ["cancelled", "completed"])
def test_what_a_person_did_meanwhile_is_kept(desked: Desked, meanwhile: str) -> None:
    request_id = desked.ended()
    place, clock = desked.world.place, desked.world.clock

    def thinking() -> Any:
        if meanwhile == "cancelled":
            by_hand.cancel(place, request_id, by="sue", now=clock.now)
        else:
            desked.world.set(request_id, x_user_id="777", reason=None)
        return {"x": "501"}

    desked.crm.answers = {"/people/4711": thinking}
    desked.walk()
    assert desked.of(request_id).x_user_id == (None if meanwhile == "cancelled" else "777")
    assert rows(desked.world.engine, look_up) == []


def test_erasing_a_person_deletes_what_the_crm_said_of_them(build: Callable[..., Desked]) -> None:
    desked = build(WHO)
    desked.crm.answers = {"/people/4711": {"x": "501"}, "/people/12": {"handle": "Ann"}}
    for n, customer in enumerate(("4711", "12", "none")):
        desked.ended(f"c-{n}", customer=customer)
    desked.walk()
    desked.later(minutes=2)
    counts = housekeeping.erase(desked.world.engine, desked.world.settings, "501", by="sue", now=desked.world.clock.now)
    assert counts["found"] == 2
    assert [row.x_handle or row.x_user_id for row in rows(desked.world.engine, found_identity)] == [None]


def test_outcomes_of_look_ups_are_counted(desked: Desked) -> None:
    desked.crm.answers = {"/people/4711": {"x": "501"}, "/people/9": (500, {})}
    for n, customer in enumerate(("4711", "4711", "none")):
        desked.ended(f"c-{n}", customer=customer)
    desked.walk()
    desked.ended("c-9", customer="9")
    desked.walk()
    with reading(desked.world.engine) as connection:
        week = desked.world.clock.now - timedelta(days=7)
        assert call_counts.since(connection, week) == {"crm": {"away": 1, "found": 2, "nobody": 1}}
        assert holds.standings(connection)["crm"].away_since is not None


def test_an_ended_request_is_not_looked_up_any_more(desked: Desked) -> None:
    request_id = desked.ended()
    desked.world.run()
    assert len(rows(desked.world.engine, look_up)) == 1
    by_hand.cancel(desked.world.place, request_id, by="sue", now=desked.world.clock.now)
    housekeeping.prune(desked.world.engine, desked.world.settings, desked.world.clock.now, dry_run=False)
    assert rows(desked.world.engine, look_up) == []
