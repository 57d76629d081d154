"""Every CRM that can be asked: a delivery without an X identity ends with a card for the right customer.

Each vendor's API speaks over real HTTP as its documentation says; the delivery comes through the real route, signed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.intake.crm.desks import desks_of
from service.intake.definition.load import preset_definition
from service.intake.delivery.inbound import parse_request_file
from service.intake.presets import payload, preset_expected, preset_names
from service.outreach import crm_lookups, handle_check
from service.sandbox.crm import Crms, CrmServer, Known
from service.sandbox.crm.faults import Fault
from service.sandbox.crm.people import KEY
from service.sources import holds
from tests.intake.app import PUBLIC_URL, App
from tests.intake.signers import SENDERS
from tests.support import Clock, World, settings_of

THEM, HANDLE = "2244994945", "acme_fan"
BASIC = {"user": "care@acme.example/token", "password": KEY}
BEARER = {"token": KEY}
API: dict[str, tuple[str, dict[str, str]]] = {
    "zendesk_event": ("zendesk", BASIC),
    "zendesk_trigger": ("zendesk", {"token_path": "/oauth/tokens"}),
    "freshdesk": ("freshdesk", {"user": KEY, "password": "X"}),
    "freshchat": ("freshchat", BEARER),
    "intercom": ("intercom", BEARER),
    "helpscout": ("helpscout", {"token_path": "/v2/oauth2/token"}),
    "hubspot": ("hubspot", BEARER),
    "kustomer": ("kustomer", BEARER),
    "front_app": ("front", BEARER),
    "front_rule": ("front", BEARER),
    "gorgias": ("gorgias", BASIC),
    "salesforce_flow": ("salesforce", {"token_path": "/services/oauth2/token"}),
    "chatwoot": ("chatwoot", {"token": KEY, "header": "api_access_token"}),
    "crisp": ("crisp", BASIC),
    "twilio_conversations": ("twilio", {"user": "SK1", "password": KEY}),
}


@dataclass
class Installed:
    """A service with one source of a preset, its CRM, and X."""

    preset: str
    app: App
    world: World
    crms: Crms

    @property
    def vendor(self) -> str:
        return API[self.preset][0]

    def deliver(self) -> None:
        """Deliver the preset's own payload, without anything that says who the customer is on X."""
        name = next(each for each in preset_expected(self.preset)["fixtures"] if each.startswith("ended"))
        inbound = parse_request_file(payload(self.preset, name), PUBLIC_URL, self.preset)
        body = inbound.body.replace(f'"{THEM}"'.encode(), b"null").replace(f'"{HANDLE}"'.encode(), b"null")
        body = body.replace(THEM.encode(), b"4711")  # one CRM has it in an id of its own as well
        assert THEM.encode() not in body
        assert HANDLE.encode() not in body
        answer = self.app.send(self.preset, body, inbound.headers, query=inbound.url.partition("?")[2])
        assert answer.status_code == 200, answer.get_data(as_text=True)
        (told,) = self.app.requests
        assert (told.x_user_id, told.x_handle) == (None, None)
        customer = told.customer_ref if told.customer_ref and "/" not in told.customer_ref else "77"
        self.crms.add(Known(customer, (told.conversation_id,), THEM, HANDLE))

    def walk(self) -> None:
        """Work, look up and confirm until nothing is left to do at this moment."""
        place, clock = self.world.place, self.world.clock
        self.world.run()
        while crm_lookups.look_up_once(place, place.desks[self.preset], clock):
            self.world.run()
        handle_check.read_once(place, self.world.settings.accounts["acme"], self.world.clients["acme"], clock)

    def later(self, **span: float) -> None:
        self.world.forward(**span)
        self.walk()

    def asked_within(self, minutes: int) -> None:
        for _ in range(minutes):
            self.later(minutes=1)

    @property
    def request(self) -> Any:
        (found,) = self.app.requests
        return found


Install = Callable[[str], Installed]


@pytest.fixture
def install(engine: Engine) -> Iterator[Install]:
    with CrmServer(Crms()) as server:
        yield partial(installed, server, engine)


@pytest.fixture
def here_of(sqlite_engine: Engine) -> Iterator[Install]:
    """For what is about the CRM and not about the database."""
    with CrmServer(Crms()) as server:
        yield partial(installed, server, sqlite_engine)


def installed(server: CrmServer, engine: Engine, preset: str) -> Installed:
    vendor, sign_in = API[preset]
    base = f"{server.url}/{vendor}"
    api = {"base_url": base, **sign_in}
    if path := api.pop("token_path", None):
        api |= {"token_url": base + path, "client_id": "id", "client_secret": KEY}
    expected = preset_expected(preset)
    source = {"preset": preset, "keys": [SENDERS[preset].key()], "api": api, **expected["settings"]}
    if preset == "chatwoot":  # its event names no account
        source["values"] = {**source["values"], "account_id": "1"}
    settings = settings_of(sources={preset: source}, service__public_url=PUBLIC_URL)
    clock = Clock(_just_after(expected))
    world = World(engine, settings, clock)
    world.place = replace(world.place, desks=desks_of(settings, clock))
    with writing(engine) as connection:
        holds.enrol(connection, world.place.desks, clock.now)
    world.customers({"user_id": THEM, "screen_name": HANDLE, "can_dm": True})
    world.control(f"/customers/{THEM}/dm", {"text": "where is my parcel?"})
    return Installed(preset, App(settings, engine, clock.now), world, server.crms)


def _just_after(expected: dict[str, Any]) -> datetime:
    ended = (each.get("fields", {}).get("ended_at") for each in expected["fixtures"].values())
    return max(datetime.fromisoformat(each) for each in ended if each) + timedelta(seconds=2)


def test_every_preset_with_a_look_up_is_tried() -> None:
    assert set(API) == {name for name in preset_names() if preset_definition(name).grammar.lookup}


@pytest.mark.parametrize("preset", sorted(API))
def test_a_delivery_that_names_nobody_ends_with_a_card_at_the_right_customer(preset: str, install: Install) -> None:
    here = install(preset)
    here.deliver()
    here.walk()
    here.asked_within(minutes=8)
    assert (here.request.state, here.request.x_user_id) == ("card_sent", THEM), here.request._mapping
    assert {each.status for each in here.crms.asked} == {200}


WRONG = ["html", "half", "redirect", "drop", "slow", "expired", "status"]


@pytest.mark.parametrize(
    ("preset", "fault"),
    [
        *((preset, "limited") for preset in sorted(API)),
        *((p, f) for p in ("zendesk_event", "helpscout") for f in WRONG),
    ],
)
def test_failures_of_a_crm_cost_time_and_lose_nobody(preset: str, fault: str, here_of: Install) -> None:
    here = here_of(preset)
    here.deliver()
    here.crms.faults.append(Fault(fault, here.vendor, seconds=0.1))
    here.walk()
    here.later(minutes=3)
    here.asked_within(minutes=8)
    assert (here.request.state, here.request.x_user_id) == ("card_sent", THEM)


@pytest.mark.parametrize("preset", sorted(API))
def test_a_wrong_key_holds_the_source_until_it_is_released(preset: str, here_of: Install) -> None:
    here = here_of(preset)
    here.deliver()
    here.crms.faults.append(Fault("refused", here.vendor, times=9))
    here.walk()
    asked = len(here.crms.asked)
    here.later(minutes=30)
    with reading(here.world.engine) as connection:
        assert holds.standings(connection)[preset].hold_reason == "refused_401"
    assert (here.request.state, len(here.crms.asked)) == ("received", asked)
    here.crms.faults.clear()
    with writing(here.world.engine) as connection:
        holds.release(connection, preset, here.world.clock.now)
    here.walk()
    here.asked_within(minutes=8)
    assert (here.request.state, here.request.x_user_id) == ("card_sent", THEM)


@pytest.mark.parametrize("preset", sorted(API))
def test_a_customer_the_crm_does_not_know_on_x_is_nobody(preset: str, here_of: Install) -> None:
    here = here_of(preset)
    here.deliver()
    here.crms.people = {name: replace(each, x_user_id=None, handle=None) for name, each in here.crms.people.items()}
    here.walk()
    assert (here.request.state, here.request.reason) == ("skipped", "no_x_identity")
    assert (here.request.detail or "").startswith("looked at /")


@pytest.mark.parametrize("preset", ["zendesk_event", "zendesk_trigger", "front_app", "front_rule"])
def test_a_conversation_that_was_not_on_x_asks_nobody(preset: str, here_of: Install) -> None:
    here = here_of(preset)
    here.deliver()
    here.world.set(here.request.id, channel=None)
    here.crms.people = {name: replace(each, on_x=False) for name, each in here.crms.people.items()}
    here.walk()
    assert (here.request.state, here.request.x_user_id) == ("skipped", None)
    assert here.request.reason == ("channel" if preset.startswith("front") else "no_x_identity")


@pytest.mark.parametrize("preset", ["chatwoot", "freshdesk", "gorgias", "kustomer", "salesforce_flow"])
def test_customers_of_other_channels_are_neither_looked_up_nor_asked(preset: str, here_of: Install) -> None:
    here = here_of(preset)
    here.deliver()
    here.world.set(here.request.id, channel="e-mail")
    here.walk()
    assert (here.request.state, here.request.reason) == ("skipped", "channel")
    assert here.crms.asked == []
