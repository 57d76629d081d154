"""Every preset against its fixtures, through the real route, signed as the CRM signs."""

import json
import re
import tomllib
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from service.intake.definition.load import load_definitions, preset_about
from service.intake.delivery.inbound import parse_request_file
from service.intake.explain import explain, render
from service.intake.mapping.events import ConversationEnded
from service.intake.mapping.readings import read
from service.intake.presets import (
    payload,
    payload_names,
    preset_expected,
    preset_names,
    preset_tables,
    preset_text,
    sources_of_payloads,
)
from service.intake.verify import Refused
from service.models import HANDLED_BY
from service.settings.advice import warnings
from tests.intake.app import PUBLIC_URL, App, define, post, settings_with
from tests.intake.signers import SECRET, SENDERS
from tests.support import settings_of

EXPECTED: dict[str, dict[str, Any]] = {name: preset_expected(name) for name in preset_names()}
OWN_ANSWER = {
    name: {"text": preset_tables(name)["endpoint"]["answer"]}
    for name in preset_names()
    if "answer" in preset_tables(name).get("endpoint", {})
}
CASES = [(preset, name) for preset, expected in EXPECTED.items() for name in expected["fixtures"]]


def app_of(preset: str, engine: Engine, now: datetime) -> App:
    written = {"preset": preset, "keys": [SENDERS[preset].key()], **EXPECTED[preset]["settings"]}
    return App(settings_with({preset: written}), engine, now)


def deliver(app: App, preset: str, name: str, sign: Any = None) -> dict[str, Any]:
    inbound = parse_request_file(payload(preset, name), PUBLIC_URL, preset)
    response = app.send(preset, inbound.body, inbound.headers, sign, inbound.url.partition("?")[2])
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.get_json() if response.is_json else {"text": response.get_data(as_text=True)}


@pytest.mark.parametrize(
    ("preset", "name"), [("hubspot", "ended.http"), ("zoho_desk", "ended.http"), ("twilio_event_streams", "ended.http")]
)
def test_an_event_that_comes_alone_needs_no_list_around_it(
    preset: str, name: str, sqlite_engine: Engine, now: datetime
) -> None:
    app = app_of(preset, sqlite_engine, now)
    inbound = parse_request_file(payload(preset, name), PUBLIC_URL, preset)
    alone = json.dumps(json.loads(inbound.body)[0]).encode()
    response = app.send(preset, alone, inbound.headers, query=inbound.url.partition("?")[2])
    assert response.get_json()["accepted"] == 1


@pytest.mark.parametrize(
    ("preset", "name", "values"),
    [
        ("hubspot", "ended_ticket.http", {"closed_stages": [4]}),
        ("hubspot", "ended_ticket.http", {"closed_stages": "4"}),
        ("hubspot", "ended_ticket_as_object.http", {"closed_stages": [3, 4]}),
        ("django_helpdesk", "ended.http", {"closed_statuses": ["4"]}),
        ("django_helpdesk", "ended.http", {"closed_statuses": 4}),
        ("django_helpdesk", "reopened.http", {"open_statuses": ["1", "2"]}),
    ],
)
def test_a_constant_of_yours_may_be_a_number_or_a_text_and_stand_alone(
    preset: str, name: str, values: dict[str, Any], sqlite_engine: Engine, now: datetime
) -> None:
    written = {"preset": preset, "keys": [SENDERS[preset].key()], "values": values}
    app = App(settings_with({preset: written}), sqlite_engine, now)
    assert deliver(app, preset, name)["accepted"] == 1


@pytest.mark.parametrize(
    ("preset", "ended", "fourteen_hours_later", "requests"),
    [
        ("livechat", b"", b"", 1),  # a thread closes once
        ("rocketchat", b"2025-11-22T17:00:00.123Z", b"2025-11-23T07:00:00.123Z", 1),  # and so does a room
        ("amazon_connect", b"2025-11-22T17:00:00.250Z", b"2025-11-23T07:00:00.250Z", 2),
        ("intercom", b'"updated_at":1763830799', b'"updated_at":1763881199', 2),
    ],
)
def test_whether_a_second_end_counts_by_itself_is_what_the_crm_does(
    preset: str, ended: bytes, fourteen_hours_later: bytes, requests: int, sqlite_engine: Engine, now: datetime
) -> None:
    app = app_of(preset, sqlite_engine, now)
    deliver(app, preset, "ended.http")
    app.later(hours=14)
    inbound = parse_request_file(payload(preset, "ended.http"), PUBLIC_URL, preset)
    again = inbound.body.replace(ended, fourteen_hours_later)
    assert app.send(preset, again, inbound.headers, query=inbound.url.partition("?")[2]).status_code == 200
    assert len(app.requests) == requests


def test_an_inbox_of_x_may_be_named_as_a_text(sqlite_engine: Engine, now: datetime) -> None:
    values = {"source_id_is_x_id": True, "x_inboxes": ["7"]}
    written = {"preset": "chatwoot", "keys": [SECRET], **EXPECTED["chatwoot"]["settings"], "values": values}
    app = App(settings_with({"chatwoot": written}), sqlite_engine, now)
    deliver(app, "chatwoot", "ended.http")
    assert app.requests[0].x_user_id == EXPECTED["chatwoot"]["fixtures"]["ended.http"]["fields"]["x_user_id"]


def test_the_number_of_x_among_freshdesk_s_sources_may_be_a_text() -> None:
    freshdesk = define("freshdesk", values={"x_source": "5"}).grammar
    assert freshdesk.sweep is not None
    assert freshdesk.sweep.when is not None
    for source, on_x in ((5, True), (1, False)):
        assert freshdesk.sweep.when.read({"i": {"status": 4, "source": source}, "v": freshdesk.values}) is on_x


@pytest.mark.parametrize(("preset", "name"), CASES)
def test_a_fixture_means_what_it_is_expected_to_mean(
    preset: str, name: str, sqlite_engine: Engine, now: datetime
) -> None:
    expected = EXPECTED[preset]["fixtures"][name]
    app = app_of(preset, sqlite_engine, now)
    for earlier in expected.get("after", ()):
        deliver(app, preset, earlier)
    already = len(app.items)
    answer = deliver(app, preset, name)
    if expected.get("outcome") == "answered":
        assert answer == expected["answer"]
        assert app.deliveries == []
        return
    if expected.get("reason") == "same_delivery":
        assert answer in ({"accepted": 0, "duplicate": 1, "ignored": 0, "unmappable": 0}, OWN_ANSWER.get(preset))
        assert len(app.items) == already
        return
    items = app.items[already:]
    assert [item.outcome for item in items] == expected.get("outcomes", [expected.get("outcome")])
    if "reason" in expected:
        assert items[0].reason == expected["reason"]
    if "fields" in expected:
        row = app.requests[-1]._mapping
        assert {key: _plain(row[key]) for key in expected["fields"]} == expected["fields"]
        assert (row["state"], row["attempts"], row["can_dm_asked"], row["test"]) == ("received", 0, 0, False)
        assert row["scheduled_at"] == now
    if expected.get("outcome") == "reopened":
        row = app.reopenings[-1]
        assert (row.conversation_id, row.reopened_at.isoformat()) == (
            expected["conversation_id"],
            expected["reopened_at"],
        )


@pytest.mark.parametrize(("preset", "other"), [(p, i) for p, s in SENDERS.items() for i in range(len(s.others))])
def test_every_verifier_of_a_preset_works(preset: str, other: int, sqlite_engine: Engine, now: datetime) -> None:
    app = app_of(preset, sqlite_engine, now)
    deliver(app, preset, "ended.http", SENDERS[preset].others[other])
    assert len(app.requests) == 1
    assert SENDERS[preset].key() not in json.dumps([app.deliveries[0].headers, app.deliveries[0].query])


@pytest.mark.parametrize("preset", sorted(SENDERS))
def test_a_preset_refuses_what_is_not_signed_or_changed(preset: str, sqlite_engine: Engine, now: datetime) -> None:
    app = app_of(preset, sqlite_engine, now)
    name = next(each for each in EXPECTED[preset]["fixtures"] if each.startswith("ended"))
    inbound = parse_request_file(payload(preset, name), PUBLIC_URL, preset)
    body = inbound.body.replace(SECRET.encode(), b"another")  # one sender writes its secret into the body
    assert app.send(preset, body, inbound.headers, lambda _out: None).status_code == 401
    assert app.deliveries == []


@pytest.mark.parametrize("preset", sorted(SENDERS))
def test_no_signature_or_token_of_a_preset_is_stored(preset: str, sqlite_engine: Engine, now: datetime) -> None:
    app = app_of(preset, sqlite_engine, now)
    name = next(each for each in EXPECTED[preset]["fixtures"] if each.startswith("ended"))
    deliver(app, preset, name)
    stored = app.deliveries[0]
    assert not {header for header in stored.headers if "signature" in header and "timestamp" not in header}
    assert "authorization" not in stored.headers
    assert "token" not in stored.query


def test_an_organisation_is_pinned_as_the_set_up_of_salesforce_says(sqlite_engine: Engine, now: datetime) -> None:
    about, mine = preset_about("salesforce_outbound"), "00D000000000001AAA"
    block = about.setup.partition("[sources.NAME.verify]")[2]
    for pinned, status in ((mine, 200), ("00D000000000009AAA", 401)):
        verify = tomllib.loads(block.replace("00D…", pinned))
        written = {"preset": "salesforce_outbound", "keys": [SECRET], "verify": verify}
        app = App(settings_with({"salesforce_outbound": written}), sqlite_engine, now)
        inbound = parse_request_file(payload("salesforce_outbound", "ended.http"), PUBLIC_URL, "salesforce_outbound")
        response = app.send("salesforce_outbound", inbound.body, inbound.headers)
        assert response.status_code == status


def test_every_preset_has_a_signer_written_without_it() -> None:
    assert set(preset_names()) ^ set(SENDERS) == set(), "say in SENDERS of tests/intake/signers.py how the CRM signs"


@pytest.mark.parametrize("preset", sorted(EXPECTED))
def test_every_fixture_is_used(preset: str) -> None:
    assert set(payload_names(preset)) == set(EXPECTED[preset]["fixtures"])


@pytest.mark.parametrize("preset", sorted(EXPECTED))
def test_a_preset_is_tried_with_an_end_a_look_alike_and_a_duplicate(preset: str) -> None:
    kinds = {name.split("_")[0].removesuffix(".http") for name in EXPECTED[preset]["fixtures"]}
    assert {"ended", "not", "duplicate"} <= kinds
    if "\nreopened =" in preset_text(preset):
        assert "reopened" in kinds
    if "\nsplit =" in preset_text(preset):
        assert "batch" in kinds


@pytest.mark.parametrize("preset", sorted(EXPECTED))
def test_every_fact_a_preset_reads_is_found_in_a_payload(preset: str) -> None:
    fixtures = EXPECTED[preset]["fixtures"].values()
    found = {name for each in fixtures for name, value in each.get("fields", {}).items() if value and name != "account"}
    found |= {"reopened_at" for each in fixtures if each.get("outcome") == "reopened"}
    found |= {"account" for each in fixtures if each.get("reason") == "unknown_account"}
    beside = {"event_id", "x_profile_url"}  # the one is no field of a request, the other becomes the handle
    untold = preset_tables(preset)["map"].keys() - beside - found
    assert untold == set(), "under `fields` in expected.json, of a payload that has them"


@pytest.mark.parametrize("preset", [each for each in EXPECTED if "handled_by" in preset_tables(each)["map"]])
def test_each_word_for_who_handled_it_is_what_a_payload_says(preset: str) -> None:
    words = re.findall(rf"'({'|'.join(HANDLED_BY)})'", preset_tables(preset)["map"]["handled_by"])
    told = {each.get("fields", {}).get("handled_by") for each in EXPECTED[preset]["fixtures"].values()}
    assert words
    assert set(words) - told == set()


@pytest.mark.parametrize("preset", [each for each in EXPECTED if "x_handle" in preset_tables(each)["map"]])
def test_a_payload_with_a_handle_alone_says_how_far_it_is_trusted(preset: str) -> None:
    """Its trust decides whether a handle that somebody typed may be written to."""
    told = [each["fields"] for each in EXPECTED[preset]["fixtures"].values() if each.get("fields", {}).get("x_handle")]
    assert any("identity_trust" in fields and not fields.get("x_user_id") for fields in told)


def test_chatwoot_s_list_tells_the_x_id_as_its_webhook_does(now: datetime) -> None:
    chatwoot = define("chatwoot", values={"source_id_is_x_id": True, "x_inboxes": [7]})
    assert chatwoot.grammar.sweep is not None
    told = []
    for inbox in (7, 8):
        listed = {
            "id": 42, "status": "resolved", "inbox_id": inbox, "last_activity_at": 1763830800, "account_id": 1,
            "meta": {"channel": "Channel::Api", "sender": {"id": 11}, "assignee": {"id": 3}},
            "messages": [{"id": 9, "conversation": {"contact_inbox": {"source_id": "2244994945"}}}],
        }  # fmt: skip
        item = chatwoot.grammar.sweep.item.read({"i": listed, "v": chatwoot.grammar.values})
        [ended] = read(chatwoot, post(item), now)
        assert isinstance(ended, ConversationEnded)
        told.append((ended.x_user_id, ended.agent_id, ended.customer_ref))
    assert told == [("2244994945", "3", "11"), (None, "3", "11")]


@pytest.mark.parametrize("preset", sorted(EXPECTED))
def test_a_preset_says_what_it_is_how_sure_we_are_and_what_to_click(preset: str) -> None:
    about = preset_about(preset)
    assert about.title
    assert about.certainty
    assert "https://YOUR-HOST" in about.setup
    assert preset_text(preset).startswith("# ")


@pytest.mark.parametrize("preset", sorted(each for each in EXPECTED if preset_about(each).api))
def test_what_a_preset_leaves_open_of_its_api_is_warned_about(preset: str) -> None:
    said = tomllib.loads(preset_about(preset).api)
    api = {name.removesuffix("_env"): SECRET if name.endswith("_env") else value for name, value in said.items()}
    warned = {each.path for each in warnings(settings_of(sources__crm__api=api))}
    assert {each for each in warned if each.startswith("sources.crm.api")} == {
        f"sources.crm.api.{name}" for name, value in api.items() if re.search("YOUR|IDENTIFIER", value)
    }


@pytest.mark.parametrize("preset", sorted(EXPECTED))
def test_explain_shows_the_mapping_of_an_unsigned_file(preset: str, now: datetime) -> None:
    written = {"preset": preset, "keys": [SENDERS[preset].key()], **EXPECTED[preset]["settings"]}
    definition = load_definitions(settings_with({preset: written}).sources)[preset]
    name = next(each for each in EXPECTED[preset]["fixtures"] if each.startswith("ended"))
    inbound = parse_request_file(payload(preset, name), PUBLIC_URL, preset)
    explanation = explain(definition, inbound, now)
    text = render(explanation)
    if preset != "livechat":  # its secret stands in the file
        assert isinstance(explanation.verdict, Refused)
        assert "REFUSED" in text
    assert "map.conversation_id" in text
    assert SENDERS[preset].key() not in text


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


@pytest.mark.parametrize("preset", preset_names())
def test_a_payload_names_the_public_source_it_is_written_after(preset: str) -> None:
    """An address, a repository's file, or what was really run; where there can be none, the certainty says so."""
    after = [source for _, source in sources_of_payloads(preset)]
    assert after, "name the source of at least one payload: `from` in expected.json"
    public = [
        each for each in after if re.search(r"[\w-]+\.\w{2,}/\w|\.(rb|ts|json)\b|really run|documentation, \"", each)
    ]
    assert public or "you write the body" in preset_about(preset).certainty
