"""The grammar of definitions: what it accepts, what it refuses, and what it says then."""

from datetime import datetime
from typing import Any

import pytest

from service.intake.definition.advice import advice, untold, unused_values
from service.intake.definition.load import load_definitions, overlay, preset_definition
from service.intake.definition.tables import Map
from service.intake.presets import preset_names, preset_text
from service.intake.verify.plain import Static
from service.settings import Settings, SettingsError, Source
from service.settings.declare import declared
from tests.intake.app import define, post, settings_with, source, verify
from tests.intake.signers import SECRET, STANDARD_SECRET

MY_CRM: dict[str, Any] = {
    "verify": {
        "kind": "hmac",
        "digest": "sha256",
        "signed": ["header:x-timestamp", "literal:.", "body"],
        "signature": {"header": "x-signature", "prefix": "sha256="},
        "encoding": "hex",
        "timestamp": {"from": "header:x-timestamp", "format": "unix_s"},
    },
    "events": {"ended": "b.event=='closed'", "reopened": "b.event=='reopened'"},
    "map": {"conversation_id": "b.id", "ended_at": "b.closed_at", "x_user_id": "b.x_id"},
}


def problems_of(definition: dict[str, Any], preset: str | None = None, *keys: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        load_definitions(
            {"crm": Source("crm", "acme", preset, keys or (SECRET,), None, None, definition, None, "none")}
        )
    return {problem.path: problem.sentence for problem in caught.value.problems}


def changed(**tables: Any) -> dict[str, Any]:
    return overlay(MY_CRM, tables)


def test_a_new_crm_takes_fifteen_lines_of_settings() -> None:
    definition = define(None, **MY_CRM)
    assert definition.name == "crm"
    mapped = {name for name in declared(Map) if getattr(definition.grammar.map, name) is not None}
    assert mapped == {"conversation_id", "ended_at", "x_user_id"}


def test_the_key_comes_by_reference_out_of_the_settings_file() -> None:
    settings = settings_with({"my_crm": {"keys": ["x" * 30], **MY_CRM}})
    assert load_definitions(settings.sources)["my_crm"].verifiers


@pytest.mark.parametrize(
    ("tables", "path", "says"),
    [
        ({"events": {"ended": "b.event == "}}, "events.ended", "at character"),
        ({"map": {"conversation_id": "$.id"}}, "map.conversation_id", "is b here: b.id"),
        ({"map": {"ended_at": "now"}}, "map.ended_at", "or write 'received'"),
        ({"endpoint": {"body": "form"}}, "endpoint.body", 'must be a list, such as ["one", "two"]'),
        ({"verify": {"timestamp": "header:x-time"}}, "verify.timestamp", "must be a table of from, format, tolerance"),
        ({"verify": {"kind": "hmac", "digest": "sha256"}}, "verify.signature", "is missing: where the"),
        ({"verify": {"signed": ["header: x-time", "body"]}}, "verify.signed[0]", "write the name alone"),
        ({"verify": {"signed": ["header:", "body"]}}, "verify.signed[0]", "write the name alone"),
        ({"verify": {"kind": "static", "header": ""}}, "verify.header", "write either header, query or body"),
        ({"verify": {"kind": "static", "header": "Authorization: Bearer"}}, "verify.header", "write the name alone"),
        ({"events": {"ended": "b.event == 'x"}}, "events.ended", "at character 12"),
        ({"events": {"ended": ""}}, "events.ended", "must be a JMESPath expression"),
        ({"events": {"ended": 7}}, "events.ended", "must be a JMESPath expression"),
        ({"events": {"ended": "event == 'x'"}}, "events.ended", "write b.event"),
        ({"events": {"ended": "!b.data.x"}}, "events.ended", "write !(b.x)"),
        ({"events": {"ended": "regex(b.x, 'y')"}}, "events.ended", "there is no function 'regex'"),
        ({"events": {"ended": "starts_with(b.x)"}}, "events.ended", "takes 2 values, not 1"),
        ({"events": {"ended": "b.a == '" + "x" * 520 + "'"}}, "events.ended", "longer than 512"),
        ({"events": {"again_after": "soon"}}, "events.again_after", "a number and a unit"),
        ({"events": {"endet": "b.x"}}, "events.endet", "did you mean ended?"),
        ({"map": {"agent": "b.x"}}, "map.agent", "did you mean agent_id?"),
        ({"lookup": {"path": "/t", "find": {}}}, "lookup", "in double brackets, [[…]]"),
        ({"staff": {"path": "/t"}}, "staff", "in double brackets, [[…]]"),
        ({"map": {"conversation_id": ""}}, "map.conversation_id", "is missing"),
        ({"map": {"ended_at": ""}}, "map.ended_at", "is missing"),
        ({"map": {"color": "b.c"}}, "map.color", "no such key"),
        ({"key": SECRET}, "key", "did you mean keys?"),
        ({"map": {"value": "b.c"}}, "map.value", "no such key"),
        ({"map": {"agent_id": "b.["}}, "map.agent_id", "at character"),
        ({"map": {"agent_id": "agent"}}, "map.agent_id", "write b.agent"),
        ({"times": {"ended_at": "sundial"}}, "times.ended_at", "must be 'auto' or"),
        ({"times": {"zone": "Mars"}}, "times.zone", "no such time zone"),
        ({"channel": {"missing": "maybe"}}, "channel.missing", "'accept' or 'reject'"),
        ({"identity": {"x_handle": "surely"}}, "identity.x_handle", "must be 'vendor_verified' or"),
        ({"endpoint": {"body": ["yaml"]}}, "endpoint.body[0]", "'json' or 'form'"),
        ({"handshake": {"cloudevents_origins": ["*"]}}, "handshake.cloudevents_origins", "anybody"),
        ({"verify": {"kind": "magic"}}, "verify.kind", "must be one of"),
        ({"verify": {"kind": ["hmac"]}}, "verify.kind", "must be one of"),
        ({"verify": {"kind": {"a": 1}}}, "verify.kind", "must be one of"),
        ({"verify": {"digest": "md5"}}, "verify.digest", "must be 'sha1' or"),
        ({"verify": {"signed": ["header:x-timestamp"]}}, "verify.signed", "does not cover the body"),
        ({"verify": {"signed": ["{ts}.{body}", "body"]}}, "verify.signed[0]", "is no part"),
        ({"verify": {"signed": ["body"]}}, "verify.timestamp", "not among the signed parts"),
        ({"verify": {"signature": {"header": ""}}}, "verify.signature", "must be a header's name"),
        ({"verify": {"signature": {"kv": "a", "list": " "}}}, "verify.signature", "either kv"),
        ({"verify": {"key_encoding": "hex"}}, "keys", "is not hex"),
        ({"verify": {"tolerance": "5m"}}, "verify.tolerance", "no such key"),
        ({"nonsense": {}}, "nonsense", "no such key"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_remedy(tables: dict[str, Any], path: str, says: str) -> None:
    found = problems_of(changed(**tables))
    assert f"sources.crm.{path}" in found
    assert says in found[f"sources.crm.{path}"]


def test_all_mistakes_come_at_once() -> None:
    found = problems_of({"events": {"ended": "b.["}, "map": {"agent": "b.a"}, "verify": {"kind": "hmac"}, "x": 1})
    assert {
        "sources.crm.events.ended", "sources.crm.map.agent", "sources.crm.map.conversation_id",
        "sources.crm.map.ended_at", "sources.crm.verify.digest", "sources.crm.verify.signature", "sources.crm.x",
    } == set(found)  # fmt: skip


def test_an_empty_definition_says_what_it_needs() -> None:
    assert set(problems_of({})) == {"sources.crm.verify", "sources.crm.events", "sources.crm.map"}


def test_mistakes_of_all_sources_come_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_definitions({"a": source("nope", name="a"), "b": source(None, name="b")})
    assert {problem.path.split(".")[1] for problem in caught.value.problems} == {"a", "b"}


def test_an_unknown_preset_lists_those_there_are() -> None:
    assert "zendesk_trigger" in problems_of({}, "zendisk")["sources.crm.preset"]


def test_a_mistake_over_a_preset_names_the_preset() -> None:
    assert "preset 'token'" in problems_of({"events": {"ended": "b.["}}, "token")["sources.crm.events.ended"]


@pytest.mark.parametrize(
    "verify_table",
    [
        {"kind": "body_equals", "expression": "b.org", "equals": "1"},
        {"all_of": [{"kind": "body_equals", "expression": "b.org", "equals": "1"}]},
        {"all_of": []},
        {"all_of": [{"kind": "twilio"}], "kind": "hmac"},
        {"all_of": [{"any_of": [{"kind": "twilio"}]}]},
        {"any_of": [{"any_of": [{"kind": "twilio"}]}]},
        {"kind": "static"},
        {"kind": "static", "header": "a", "query": "b"},
        {"kind": "basic"},
        {"kind": "basic", "user": "a:b"},
        {"kind": "public_key", "algorithm": "rsa", "signature": "x"},
        {"all_of": [{"kind": "twilio"}, {"kind": "body_equals", "expression": "h.x", "equals": "1"}]},
        {"all_of": [{"kind": "twilio"}, {"kind": "body_equals", "expression": "b.x", "equals": []}]},
        [],
        "hmac",
        7,
    ],
)
def test_a_verifier_that_proves_nothing_is_refused(verify_table: Any) -> None:
    assert all(path.startswith("sources.crm.verify") for path in problems_of({**MY_CRM, "verify": verify_table}))


def test_a_user_that_is_not_looked_at_stops_no_start() -> None:
    (verifier,) = define("token", verify={"kind": "basic", "key_is": "user", "user": "a:b"}).verifiers
    assert verifier.kind == "basic"


def test_the_user_s_tables_override_the_preset_s_key_by_key() -> None:
    definition = define("token", map={"conversation_id": "b.case", "x_profile_url": ""}, events={"reopened": ""})
    assert definition.grammar.map.conversation_id.text == "b.case"
    assert definition.grammar.map.ended_at.text == "b.ended_at"
    assert definition.grammar.map.x_profile_url is None
    assert definition.grammar.events.reopened is None


def test_without_a_reopening_a_second_end_is_new_after_twelve_hours_and_with_one_never() -> None:
    assert define("token").grammar.events.apart is None
    again = define("token", events={"reopened": ""}).grammar.events.apart
    assert again is not None
    assert again.total_seconds() == 12 * 3600


def test_the_user_s_own_verify_replaces_the_preset_s() -> None:
    definition = define("token", verify={"kind": "static", "header": "X-Secret"})
    assert [(each.kind, each.header) for each in definition.verifiers if isinstance(each, Static)] == [
        ("static", "x-secret")
    ]


def test_a_source_without_keys_is_told_how_to_name_one() -> None:
    with pytest.raises(SettingsError) as caught:
        load_definitions({"crm": Source("crm", "acme", "kustomer", (), None, None, {}, None, "none")})
    assert [(p.path, "keys_env" in p.sentence) for p in caught.value.problems] == [("sources.crm.keys", True)]


def test_verifiers_may_have_keys_of_their_own(now: datetime) -> None:
    own = {"kind": "static", "header": "x-a", "keys": ["own-token-of-some-length-0"]}
    definition = load_definitions(
        {"crm": Source("crm", "acme", "token", (), None, None, {"verify": own}, None, "none")}
    )["crm"]
    assert verify(definition, post({}, {"x-a": "own-token-of-some-length-0"}), now).verifier == "static"


def test_zendesk_s_public_test_key_is_refused() -> None:
    found = problems_of({}, "zendesk_event", SECRET, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==")
    assert "everybody knows it" in found["sources.crm.keys[1]"]


def test_a_private_key_pasted_by_mistake_is_refused_and_not_repeated() -> None:
    found = problems_of({}, "standard", "whsk_verysecretindeed")
    assert "private key" in found["sources.crm.keys[0]"]
    assert "verysecret" not in str(found)


@pytest.mark.parametrize("key", ["not a key", "QUJD", "-----BEGIN PUBLIC KEY-----\nQUJD\n-----END PUBLIC KEY-----"])
def test_a_public_key_that_is_none_is_refused(key: str) -> None:
    assert "holds a key that" in problems_of({}, "freshchat", key)["sources.crm.keys"]


def test_a_key_that_is_not_base64_is_refused() -> None:
    assert "is not base64" in problems_of({}, "standard", "whsec_!!!")["sources.crm.keys"]


def test_no_secret_shows_in_the_repr_of_a_definition() -> None:
    assert SECRET not in repr(define("kustomer"))
    assert STANDARD_SECRET[6:] not in repr(define("standard", STANDARD_SECRET))


def test_an_account_of_the_list_must_be_known() -> None:
    with pytest.raises(SettingsError) as caught:
        load_definitions({"crm": source("token", accounts=["acme", "nobody"])}, ["acme"])
    assert caught.value.problems[0].path == "sources.crm.accounts"


def test_values_are_constants_for_expressions() -> None:
    definition = define("sprinklr", values={"closed_statuses": ["Done"]})
    assert definition.grammar.values["closed_statuses"] == ["Done"]
    assert definition.grammar.values["open_statuses"] == ["New", "Open", "Pending", "Reopened"]


def test_presets_are_shipped_as_files_with_their_comments() -> None:
    assert "zendesk_event" in preset_names()
    assert "SOLVED" in preset_text("zendesk_event")


def test_settings_and_presets_load_together() -> None:
    settings: Settings = settings_with({"a": {"preset": "token", "keys": [SECRET]}, "b": {"keys": [SECRET], **MY_CRM}})
    assert set(load_definitions(settings.sources, settings.accounts)) == {"a", "b"}


def test_sources_of_one_preset_share_its_expressions_and_not_their_own() -> None:
    one, other = define("token"), define("token", map={"tenant": "b.tenant_of_theirs"})
    assert one.grammar.map.conversation_id is other.grammar.map.conversation_id
    assert one.grammar.map.tenant != other.grammar.map.tenant
    assert define("token").grammar.map.tenant == one.grammar.map.tenant


def advised(preset: str, **given: Any) -> dict[str, str]:
    settings = settings_with({"crm": {"preset": preset, "keys": [SECRET], **given}})
    return {each.path: each.sentence for each in advice(load_definitions(settings.sources), settings)}


@pytest.mark.parametrize(
    "written", [STANDARD_SECRET, STANDARD_SECRET.removeprefix("whsec_"), STANDARD_SECRET.rstrip("=")]
)
def test_one_key_of_two_sources_is_told_however_it_is_written(written: str) -> None:
    one = {"preset": "standard", "keys": [STANDARD_SECRET]}
    settings = settings_with({"a": one, "b": {"preset": "standard", "keys": ["whsec_" + "A" * 32, written]}})
    said = {each.path: each.sentence for each in advice(load_definitions(settings.sources), settings)}
    assert list(said) == ["sources.b.keys[1]"]
    assert said["sources.b.keys[1]"].startswith("is also a key of 'a', so a delivery to one could be replayed")


def test_one_key_written_twice_in_a_source_is_nobody_elses() -> None:
    settings = settings_with({"a": {"preset": "standard", "keys": [STANDARD_SECRET, STANDARD_SECRET.rstrip("=")]}})
    assert not [*advice(load_definitions(settings.sources), settings)]


def test_a_key_under_verify_is_looked_at_like_one_of_the_source() -> None:
    said = advised("token", verify={"kind": "static", "header": "x-token", "keys": [f"Bearer {SECRET}"]})
    assert "begins with a word of the header's" in said["sources.crm.verify.keys[0]"]


def test_an_unused_constant_is_reported() -> None:
    said = advised("freshdesk", values={"closed_status": ["Gelöst"], "open_statuses": ["Offen"]})
    assert said == {"sources.crm.values.closed_status": "is used by no expression and no path; is it misspelt?"}
    assert advised("chatwoot", values={"account_id": "1"}) == {}  # it stands in paths alone


API = {"base_url": "https://crm.example", "token": "t"}
BY_CUSTOMER = [{"path": "/people/{customer_ref}", "find": {"x_handle": "a.handle"}}]


@pytest.mark.parametrize(
    ("given", "where", "says"),
    [
        ({"events": {"ended": "b.status!='open'"}}, "events.ended", "of every other event too"),
        ({"events": {"ended": "b.merged_to==`null`"}}, "events.ended", "of every other event too"),
        ({"events": {"reopened": "b.status!='closed'"}}, "events.reopened", "of every other event too"),
        ({"events": {"split": "b.list"}}, "events.split", "write data.events for b.data.events"),
        ({"events": {"split": "from_json(root.list)"}}, "events.split", "so root is a key of it"),
        ({"lookup": BY_CUSTOMER, "map": {"customer_ref": ""}}, "map.customer_ref", "nobody would be looked up"),
        ({"channel": {"allow": ["x"]}, "map": {"channel": ""}}, "map.channel", "all ends are alike"),
        ({"channel": {"on_x": ["x"]}, "map": {"channel": ""}}, "map.channel", "all ends are alike"),
        ({"channel": {"missing": "reject"}, "map": {"channel": ""}}, "map.channel", "all ends are alike"),
    ],
)
def test_what_no_event_tells_and_what_each_would_is_reported(given: dict[str, Any], where: str, says: str) -> None:
    said = advised("token", **given)
    assert [*said] == [f"sources.crm.{where}"]
    assert says in said[f"sources.crm.{where}"]


@pytest.mark.parametrize("preset", preset_names())
def test_no_preset_relies_on_what_its_events_never_tell(preset: str) -> None:
    assert list(untold(preset_definition(preset).grammar)) == []


@pytest.mark.parametrize(
    ("preset", "given", "missing"),
    [
        ("intercom", {}, None),
        ("zendesk_event", {}, "sources.crm.api"),
        ("zendesk_event", {"api": API}, None),
        ("zendesk_event", {"map": {"x_user_id": "b.detail.external_id"}}, None),
        ("trengo", {"api": API}, "sources.crm.lookup"),
        ("trengo", {"map": {"x_profile_url": "b.profile"}}, None),
    ],
)
def test_a_source_of_whose_customers_nobody_is_known_is_named(
    preset: str, given: dict[str, Any], missing: str | None
) -> None:
    said = advised(preset, **given).get("sources.crm.map.x_user_id")
    assert (said or "").endswith(f"map it, or write {missing}" if missing else "")
    assert (said is None) == (missing is None)


@pytest.mark.parametrize(
    ("api", "keys"),
    [
        ({"base_url": "http://crm.example", "token": "t"}, ["base_url"]),
        ({"base_url": "http://10.0.0.5:8080", "token": "t", "networks": ["10.0.0.0/8"]}, ["base_url"]),
        ({"base_url": "https://crm.example", "token_url": "http://crm.example/t"}, ["token_url"]),
        ({"base_url": "http://127.0.0.1:8080", "token_url": "http://[::1]/t"}, []),
        ({"base_url": "http://localhost:8080", "token": "t"}, []),
    ],
)
def test_an_address_that_is_never_called_is_told_before_any_call(api: dict[str, Any], keys: list[str]) -> None:
    api |= {"client_id": "c", "client_secret": "s"} if "token_url" in api else {}
    said = advised("zendesk_event", api=api)
    assert list(said) == [f"sources.crm.api.{key}" for key in keys]


@pytest.mark.parametrize("preset", preset_names())
def test_no_preset_has_an_unused_constant(preset: str) -> None:
    assert list(unused_values(preset_definition(preset).grammar)) == []
