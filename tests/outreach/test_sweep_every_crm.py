"""Every CRM with a list of ended conversations: one whose webhook never came ends with a card; nobody is asked twice.

Each vendor's list speaks over real HTTP as its documentation says, two conversations per page.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.intake.crm import sweeping
from service.intake.crm.sweeping import SweepJob, jobs_of, sweep_once
from service.intake.definition.load import preset_definition
from service.intake.presets import preset_expected, preset_names
from service.sandbox.crm import Crms, CrmServer, Ended, Known
from service.sandbox.crm.faults import Fault
from service.sources import call_counts, holds, sweeps
from tests.outreach.test_every_crm import HANDLE, THEM, Installed, installed

SWEPT = sorted(name for name in preset_names() if preset_definition(name).grammar.sweep)
LISTED = ("10001", "10002", "10003", "10004", "10005")
Install = Callable[[str], Installed]


@pytest.fixture
def install(engine: Engine) -> Iterator[Install]:
    with CrmServer(Crms(page=2)) as server:
        yield partial(installed, server, engine)


@pytest.fixture
def here_of(sqlite_engine: Engine) -> Iterator[Install]:
    """For what is about the CRM and not about the database."""
    with CrmServer(Crms(page=2)) as server:
        yield partial(installed, server, sqlite_engine)


def begun(here: Installed, hours: float = 2) -> SweepJob:
    """Begin to read the list, some hours ago."""
    job = jobs_of(here.world.settings, here.world.clock)[here.preset]
    sweeping.begin(here.world.engine, {here.preset: job}, here.world.clock.now - timedelta(hours=hours))
    return job


def sweep(here: Installed, job: SweepJob) -> None:
    """Read the list to its end, at its own pace."""
    while sweep_once(here.world.engine, job, here.world.clock):
        here.world.clock.now += job.pace


def ended(here: Installed, *conversations: str, minutes: float = 30) -> None:
    """Let conversations of customers nobody knows on X end some minutes ago, a second apart."""
    now = here.world.clock.now.replace(microsecond=0) - timedelta(minutes=minutes)
    here.crms.end(*(
        Ended(each, f"9{each}", (now + timedelta(seconds=n)).timestamp(), tags=("vip",))
        for n, each in enumerate(conversations)
    ))  # fmt: skip


def test_the_crms_that_can_list_what_ended() -> None:
    assert SWEPT == [
        "chatwoot", "freshdesk", "front_app", "front_rule", "helpscout", "intercom", "zendesk_event", "zendesk_trigger",
    ]  # fmt: skip


@pytest.mark.parametrize("preset", SWEPT)
def test_ends_whose_webhook_never_came_are_found_page_by_page(preset: str, install: Install) -> None:
    here = install(preset)
    job = begun(here)
    ended(here, *LISTED)
    sweep(here, job)
    found = here.app.requests
    assert sorted(each.conversation_id for each in found) == list(LISTED)
    assert {each.agent_id for each in found} == {"901"}
    assert {tuple(each.tags) for each in found} == {("vip",)}
    times = {each.conversation_id: each.ended_at.timestamp() for each in found}
    assert times == {each.conversation: each.at for each in here.crms.ended}
    here.world.clock.now += timedelta(hours=1)
    sweep(here, job)
    assert len(here.app.requests) == len(here.app.deliveries) == len(LISTED)
    with reading(here.world.engine) as connection:
        assert call_counts.since(connection, here.world.clock.now)[preset]["swept"] == len(LISTED)


@pytest.mark.parametrize("preset", SWEPT)
def test_an_end_that_only_the_list_knows_ends_with_a_card_at_the_right_customer(preset: str, install: Install) -> None:
    here = install(preset)
    job = begun(here)
    here.crms.add(Known("4711", ("10001",), THEM, HANDLE))
    here.crms.end(Ended("10001", "4711", (here.world.clock.now - timedelta(minutes=30)).timestamp()))
    sweep(here, job)
    here.walk()
    here.asked_within(minutes=8)
    assert (here.request.state, here.request.x_user_id) == ("card_sent", THEM), here.request._mapping
    here.world.clock.now += timedelta(hours=1)
    sweep(here, job)
    here.walk()
    assert len(here.app.requests) == 1


@pytest.mark.parametrize("first", ["webhook", "list"])
@pytest.mark.parametrize("preset", SWEPT)
def test_whichever_comes_first_nobody_is_asked_twice(preset: str, first: str, here_of: Install) -> None:
    here = here_of(preset)
    job = begun(here)
    name, said = next((n, f["fields"]) for n, f in preset_expected(preset)["fixtures"].items() if n.startswith("ended"))
    at = datetime.fromisoformat(said["ended_at"]) if "ended_at" in said else here.world.clock.now
    if first == "webhook":
        here.deliver()
    here.crms.end(Ended(said["conversation_id"], "4711", at.replace(microsecond=0).timestamp()))
    sweep(here, job)
    if first == "list":
        here.deliver()
    here.world.clock.now += timedelta(hours=1)
    sweep(here, job)
    assert len(here.app.requests) == 1, name
    assert [each.outcome for each in here.app.items].count("accepted") == 1


WRONG = ["limited", "html", "half", "redirect", "drop", "slow", "expired", "status"]


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("preset", ["helpscout", "zendesk_event"])
def test_failures_of_a_list_cost_time_and_lose_nobody(preset: str, fault: str, here_of: Install) -> None:
    here = here_of(preset)
    job = begun(here)
    ended(here, *LISTED)
    sweep_once(here.world.engine, job, here.world.clock)
    here.world.clock.now += job.pace
    here.crms.faults.append(Fault(fault, here.vendor, seconds=0.1))
    sweep(here, job)
    here.world.clock.now += timedelta(minutes=3)
    sweep(here, job)
    here.world.clock.now += timedelta(hours=1)
    sweep(here, job)
    assert sorted(each.conversation_id for each in here.app.requests) == list(LISTED)


@pytest.mark.parametrize("preset", SWEPT)
def test_a_wrong_key_holds_the_source_and_the_list_waits(preset: str, here_of: Install) -> None:
    here = here_of(preset)
    job = begun(here)
    ended(here, *LISTED)
    here.crms.faults.append(Fault("refused", here.vendor, times=9))
    sweep(here, job)
    with reading(here.world.engine) as connection:
        assert holds.standings(connection)[preset].hold_reason == "refused_401"
    here.crms.faults.clear()
    with writing(here.world.engine) as connection:
        holds.release(connection, preset, here.world.clock.now)
    here.world.clock.now += timedelta(minutes=31)
    sweep(here, job)
    assert len(here.app.requests) == len(LISTED)


@pytest.mark.parametrize("preset", ["freshdesk", "zendesk_event", "zendesk_trigger"])
def test_a_list_of_every_channel_gives_only_the_conversations_on_x(preset: str, here_of: Install) -> None:
    here = here_of(preset)
    job = begun(here)
    here.crms.add(Known("910002", on_x=False))
    ended(here, *LISTED)
    sweep(here, job)
    assert sorted(each.conversation_id for each in here.app.requests) == ["10001", "10003", "10004", "10005"]


def test_an_end_without_an_account_is_reported_and_asks_nobody(here_of: Install) -> None:
    here = here_of("chatwoot")
    definition = begun(here).definition
    grammar = replace(definition.grammar, values={**definition.grammar.values, "account_id": ""})
    job = replace(begun(here), definition=replace(definition, grammar=grammar))
    sweep(here, job)
    with reading(here.world.engine) as connection:
        assert sweeps.standings(connection)["chatwoot"].problem == "unaskable"
    assert here.crms.asked == []
