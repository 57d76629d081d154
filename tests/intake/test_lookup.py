"""Looking a customer up in the CRM over real HTTP: every preset that can, and everything a CRM may do wrong."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Response

from service.crm_api.client import Client
from service.crm_api.look_up_result import LookUpResult
from service.intake.crm.lookup import look_up
from service.intake.crm.lookup_words import told
from service.intake.definition.load import preset_definition
from service.intake.presets import preset_expected, preset_names
from service.settings import SettingsError
from service.settings.declare import section_of
from service.settings.sources import Api
from tests.crm_api.crm import Crm, crm
from tests.intake.app import define

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WITH_LOOKUP = [name for name in preset_names() if preset_definition(name).grammar.lookup]
TWO_STEPS: dict[str, Any] = {
    "lookup": [
        {"path": "/t/{conversation_id}", "find": {"channel": "a.via"}, "keep": {"person": "a.who"}},
        {
            "path": "/p/{person}",
            "find": {"x_user_id": "a.x", "x_handle": "a.handle", "language": "a.lang", "tags": "a.tags"},
        },
    ]
}


@pytest.fixture
def api() -> Iterator[Crm]:
    with crm() as here:
        yield here


def looked(api: Crm, definition: Any, **known: str | None) -> LookUpResult:
    settings: Api = section_of(Api)().load({"base_url": api.url, "token": "secret-token"})
    return look_up(definition, Client(settings, lambda: NOW), known, NOW)


def test_the_presets_for_the_crms_most_people_use_can_look_up() -> None:
    assert {
        "zendesk_event", "zendesk_trigger", "freshdesk", "freshchat", "intercom", "helpscout", "hubspot", "kustomer",
        "front_app", "front_rule", "gorgias", "salesforce_flow", "chatwoot", "crisp", "twilio_conversations",
    } <= set(WITH_LOOKUP)  # fmt: skip


def test_twilio_is_asked_at_the_default_service_where_the_service_is_not_known(api: Crm) -> None:
    expected = preset_expected("twilio_conversations")["lookup"]
    [answer] = expected["answers"].values()
    for tenant in ("AC0123456789abcdef0123456789abcdef", None):
        api.answers = {"/v1/Conversations/CH1/Participants": answer}
        found = looked(api, preset_definition("twilio_conversations"), conversation_id="CH1", tenant=tenant)
        assert found.x_user_id == expected["expect"]["x_user_id"]


@pytest.mark.parametrize("preset", WITH_LOOKUP)
def test_a_preset_finds_its_customer(api: Crm, preset: str) -> None:
    expected = preset_expected(preset)["lookup"]
    api.answers = expected["answers"]
    found = looked(api, preset_definition(preset), **expected["known"])
    assert found.problem is None
    assert found.notes == ()
    assert {name: getattr(found, name) for name in expected["expect"]} == expected["expect"]
    assert "trust" in expected["expect"], "it decides whether a handle that somebody typed may be written to"
    assert len(api.asked) == len(expected["answers"])
    assert preset_definition(preset).grammar.about.token


@pytest.mark.parametrize(
    ("preset", "path", "answer", "who"),
    [
        ("intercom", "/contacts/11", {"custom_attributes": {"x_user_id": "2244994945"}}, ("2244994945", None)),
        ("chatwoot", "/api/v1/accounts/1/contacts/11",
         {"payload": {"additional_attributes": {"screen_name": "acme_fan"}}}, (None, "acme_fan")),
        ("twilio_conversations", "/v1/Conversations/7/Participants",
         {"participants": [{"attributes": '{"x_handle": "acme_fan"}'}]}, (None, "acme_fan")),
        *((preset, "/api/v2/tickets/7.json",
           {"ticket": {"via": {"source": {"rel": "direct_message", "from": {"profile_url": "https://x.com/acme_fan"}}}}},
           (None, "acme_fan")) for preset in ("zendesk_event", "zendesk_trigger")),
    ],
)  # fmt: skip
def test_a_preset_finds_its_customer_wherever_the_crm_keeps_them(
    api: Crm, preset: str, path: str, answer: dict[str, Any], who: tuple[str | None, str | None]
) -> None:
    api.answers = {path: answer}
    found = looked(api, preset_definition(preset), conversation_id="7", customer_ref="11", tenant="1")
    assert (found.x_user_id, found.x_handle) == who


def test_hubspot_s_conversation_is_no_ticket_of_the_same_number(api: Crm) -> None:
    api.answers = {
        "/crm/objects/2026-09/tickets/7": {"associations": {"contacts": {"results": [{"id": "50"}]}}},
        "/conversations/conversations/2026-09/threads/7": {"id": "7", "associatedContactId": "51"},
        "/crm/objects/2026-09/contacts/50": {"properties": {"twitterhandle": "somebody_else"}},
        "/crm/objects/2026-09/contacts/51": {"properties": {"twitterhandle": "https://x.com/acme_fan"}},
    }
    definition = preset_definition("hubspot")
    assert looked(api, definition, conversation_id="7", channel="conversation").x_handle == "acme_fan"
    assert looked(api, definition, conversation_id="7", channel="ticket").x_handle == "somebody_else"


@pytest.mark.parametrize(
    ("preset", "path", "told", "junk"),
    [
        ("hubspot", "/conversations/conversations/2026-09/threads/7", {"associatedContactId": "51"}, {"spam": True}),
        ("freshdesk", "/api/v2/tickets/7", {"requester_id": 51}, {"spam": True}),
        ("freshdesk", "/api/v2/tickets/7", {"requester_id": 51}, {"spam": False, "deleted": True}),
    ],
)
def test_nobody_is_looked_for_behind_spam(
    api: Crm, preset: str, path: str, told: dict[str, Any], junk: dict[str, bool]
) -> None:
    contact = {"properties": {"twitterhandle": "acme_fan"}, "twitter_id": "acme_fan"}
    behind = {"/crm/objects/2026-09/contacts/51": contact, "/api/v2/contacts/51": contact}
    channel = "conversation" if preset == "hubspot" else "Twitter"
    found = []
    for marks in ({}, {"spam": False}, junk):
        api.answers = {path: {**told, **marks}, **behind}
        found.append(looked(api, preset_definition(preset), conversation_id="7", channel=channel).x_handle)
    assert found == ["acme_fan", "acme_fan", None]


@pytest.mark.parametrize("preset", ["zendesk_event", "zendesk_trigger"])
def test_zendesk_s_customer_by_messaging_is_found_by_what_it_knows_of_them(api: Crm, preset: str) -> None:
    by_messaging = {"channel": "sunshine_conversations_twitter_dm", "source": {"rel": None, "from": {}}}
    api.answers = {
        "/api/v2/tickets/7.json": {"ticket": {"id": 7, "requester_id": 12, "via": by_messaging}},
        "/api/v2/users/12/identities.json": {"identities": [{"type": "twitter", "value": "acme_fan"}]},
    }
    found = looked(api, preset_definition(preset), conversation_id="7")
    assert (found.x_handle, found.trust) == ("acme_fan", "crm_entered")


@pytest.mark.parametrize("channel", [None, "live chat"])
def test_hubspot_is_not_asked_by_a_number_of_which_nobody_knows_the_kind(api: Crm, channel: str | None) -> None:
    api.answers = {
        "/crm/objects/2026-09/tickets/7": {"associations": {"contacts": {"results": [{"id": "50"}]}}},
        "/crm/objects/2026-09/contacts/50": {"properties": {"twitterhandle": "somebody_else"}},
    }
    found = looked(api, preset_definition("hubspot"), conversation_id="7", channel=channel)
    assert (found.x_handle, api.asked) == (None, [])


@pytest.mark.parametrize("preset", ["front_app", "front_rule"])
def test_front_s_last_message_says_where_they_wrote(api: Crm, preset: str) -> None:
    expected = preset_expected(preset)["lookup"]
    api.answers = {**expected["answers"], "/messages/msg_1q15qmtq": {"type": "email"}}
    found = looked(api, preset_definition(preset), **expected["known"])
    assert (found.x_handle, found.on_x, found.channel) == (None, False, "email")


@pytest.mark.parametrize("preset", WITH_LOOKUP)
def test_a_preset_shows_the_settings_for_its_api(preset: str) -> None:
    written = tomllib.loads(preset_definition(preset).grammar.about.api)
    named = {name.removesuffix("_env"): value for name, value in written.items()}
    found: Api = section_of(Api)().load(named)
    assert found.base_url.startswith("https://")
    assert list(found.mistakes()) == []
    assert any(name.endswith("_env") for name in written), "no secret stands in a settings file"


@pytest.mark.parametrize("preset", WITH_LOOKUP)
def test_a_preset_knows_nobody_where_the_crm_knows_nobody(api: Crm, preset: str) -> None:
    expected = preset_expected(preset)["lookup"]
    for answers in ({}, {path: {} for path in expected["answers"]}, {path: [] for path in expected["answers"]}):
        api.answers = answers
        found = looked(api, preset_definition(preset), **expected["known"])
        assert (found.x_user_id, found.x_handle, found.problem) == (None, None, None)


def test_steps_build_on_each_other_and_stop_when_somebody_is_found(api: Crm) -> None:
    api.answers = {"/t/7": {"via": "x", "who": 12}, "/p/12": {"x": "501", "lang": "German", "tags": ["vip"]}}
    found = looked(api, define("token", **TWO_STEPS), conversation_id="7")
    assert (found.x_user_id, found.channel, found.language, found.tags) == ("501", "x", "de", ("vip",))
    assert api.paths == ["/t/7", "/p/12"]
    api.answers = {"/t/7": {"who": "12"}}
    one_is_enough = {"lookup": [{"path": "/t/{conversation_id}", "find": {"x_handle": "'ann'"}}, *TWO_STEPS["lookup"]]}
    assert looked(api, define("token", **one_is_enough), conversation_id="7").x_handle == "ann"
    assert len(api.asked) == 3


def test_a_handle_counts_only_of_a_conversation_on_x(api: Crm) -> None:
    definition = define("token", channel={"on_x": ["twitter"]}, **TWO_STEPS)
    api.answers = {"/t/7": {"via": "email", "who": "12"}, "/p/12": {"handle": "ann"}}
    found = looked(api, definition, conversation_id="7")
    assert (found.x_handle, found.on_x) == (None, False)
    api.answers["/t/7"]["via"] = "Twitter"
    assert looked(api, definition, conversation_id="7").on_x is True
    assert looked(api, definition, conversation_id="7").x_handle == "ann"


@pytest.mark.parametrize(
    ("answer", "problem", "again"),
    [
        ((401, {}), "refused", None),
        ((403, {}), "refused", None),
        ((404, {}), None, None),
        (lambda: Response(status=204), None, None),
        ((429, {}, {"Retry-After": "7"}), "limited", 7),
        ((503, {}, {"Retry-After": "9"}), "limited", 9),
        ((500, {}), "away", None),
        ((302, {}, {"Location": "http://169.254.169.254/"}), "away", None),
        (lambda: Response("<html>", 200, content_type="text/html"), "away", None),
        (lambda: Response("{", 200, content_type="application/json"), "away", None),
    ],
)
def test_failures_of_a_crm_are_distinguished(api: Crm, answer: Any, problem: str | None, again: int | None) -> None:
    api.answers = {"/t/7": answer}
    found = looked(api, define("token", **TWO_STEPS), conversation_id="7")
    assert (found.problem, found.x_user_id) == (problem, None)
    assert found.again_in == (None if again is None else timedelta(seconds=again))
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("https://new.example/t/7?who=12", "sends us on to https://new.example; is that its address (api.base_url)?"),
        ("/sign-in", "within its own address; is that the path?"),
        ("https://[", "nothing of use"),
    ],
)
def test_a_crm_that_has_moved_says_where_to_and_is_not_followed(api: Crm, location: str, says: str) -> None:
    api.answers = {"/t/7": (301, {}, {"Location": location})}
    said = "\n".join(told(looked(api, define("token", **TWO_STEPS), conversation_id="7"), "inbound_dm"))
    assert says in said
    assert "who=12" not in said
    assert len(api.asked) == 1


def test_an_id_that_could_lead_elsewhere_is_never_asked_for(api: Crm) -> None:
    for poison in ("../admin", "7/../../x", "7?x=1", "@evil.example", "7\r\nX: 1"):
        found = looked(api, define("token", **TWO_STEPS), conversation_id=poison)
        assert (found.problem, found.x_user_id) == (None, None)
        assert found.asked[0].status is None
    assert api.asked == []


def test_a_strange_answer_is_set_aside_with_a_note(api: Crm) -> None:
    api.answers = {"/t/7": {"via": ["x"], "who": "12"}, "/p/12": {"x": "not digits", "lang": "klingonisch", "tags": {}}}
    found = looked(api, define("token", **TWO_STEPS), conversation_id="7")
    assert (found.channel, found.x_user_id, found.language, found.tags) == (None, None, None, ())
    assert len(found.notes) == 4


def test_what_is_set_aside_is_noted_by_its_own_name_and_each_tag_that_is(api: Crm) -> None:
    api.answers = {"/t/7": {"who": ["12"], "tags": ["vip", {"a": 1}]}}
    step = {"path": "/t/{conversation_id}", "find": {"tags": "a.tags"}, "keep": {"person": "a.who"}}
    found = looked(api, define("token", lookup=[step]), conversation_id="7")
    assert found.tags == ("vip",)
    assert [note.partition(" is a list")[0].partition(":")[0] for note in found.notes] == ["tags", "person"]


@pytest.mark.parametrize("given", [9007199254740993, "12 34", 4.5])
def test_a_number_that_is_no_id_is_not_taken_for_nobody_without_a_word(api: Crm, given: Any) -> None:
    api.answers = {"/t/7": {"x": given}}
    steps = {"lookup": [{"path": "/t/{conversation_id}", "find": {"x_user_id": "a.x"}}]}
    found = looked(api, define("token", **steps), conversation_id="7")
    assert (found.x_user_id, found.notes) == (None, ("x_user_id is no X user id (1 to 19 digits, sent as a text)",))


def test_a_bot_of_the_crm_is_nobody(api: Crm) -> None:
    steps = {"lookup": [{"path": "/t/{conversation_id}", "find": {"agent_id": "a.who", "team_id": "a.team"}}]}
    api.answers = {"/t/7": {"who": "System", "team": "t-1"}}
    found = looked(api, define("token", people={"nobody": ["system"]}, **steps), conversation_id="7")
    assert (found.agent_id, found.team_id) == (None, "t-1")


def test_an_explained_look_up_shows_no_token_and_no_body(api: Crm) -> None:
    api.answers = {"/t/7": {"via": "x", "who": "12", "private": "call me"}, "/p/12": {"handle": "ann"}}
    text = "\n".join(told(looked(api, define("token", **TWO_STEPS), conversation_id="7"), "inbound_dm"))
    assert "GET /t/7   200" in text
    assert "would be asked: @ann (trust crm_entered; typed by people" in text
    unproven = "\n".join(told(looked(api, define("token", **TWO_STEPS), conversation_id="7"), "none"))
    assert "would be asked: @ann (trust crm_entered)" in unproven
    assert not [word for word in ("secret-token", "call me") if word in text]
    refused = "\n".join(told(looked(api, define("token", **TWO_STEPS), conversation_id=None), "inbound_dm"))
    assert "conversation_id is not known" in refused
    assert "no_x_identity" in refused


@pytest.mark.parametrize(("status", "says"), [(401, "REFUSED: "), (403, "FORBIDDEN: ")])
def test_wrong_credentials_are_told_from_a_right_that_is_missing(api: Crm, status: int, says: str) -> None:
    api.answers = {"/t/7": (status, {})}
    assert says in "\n".join(told(looked(api, define("token", **TWO_STEPS), conversation_id="7"), "inbound_dm"))


@pytest.mark.parametrize(
    ("steps", "where", "says"),
    [
        ([{"path": "//evil.example"}], "lookup[0].path", "beginning with one slash"),
        ([{"path": "/t/{nobody}"}], "lookup[0].path", "there is no {nobody}"),
        ([{"path": "/t"}, {"path": "/p/{person}"}], "lookup[1].path", "there is no {person}"),
        ([{"path": "/t"}] * 4, "lookup", "at most 3"),
        ([{"path": "/t", "find": {"x_handle": "b.x"}}], "lookup[0].find.x_handle", "roots are a, k"),
        ([{"path": "/t", "find": {"color": "a.x"}}], "lookup[0].find.color", "no such key"),
        ([{"path": "/t", "keep": {"Not a name": "a.x"}}], "lookup[0].keep.Not a name", "lower-case"),
        ([{"path": "/t", "trust": "surely"}], "lookup[0].trust", "must be"),
    ],
)
def test_an_impossible_step_is_reported(steps: list[Any], where: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        define("token", lookup=steps)
    found = {problem.path: problem.sentence for problem in caught.value.problems}
    assert says in found[f"sources.crm.{where}"]
