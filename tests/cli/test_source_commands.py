"""sources and deliveries: setting up a CRM, what it sent, and reading it again."""

import json
import re
from collections.abc import Callable
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import Engine

from service.app import create_app
from service.cli import main, sources
from service.db import writing
from service.intake.definition.load import preset_about
from service.intake.definition.recipes import RECIPES
from service.intake.presets import payload, payload_names, preset_names
from service.models import access_log, delivery_item, feedback_request, webhook_delivery
from service.network import egress
from service.network.egress import Egress
from service.settings import load
from service.sources import call_counts, holds, sweeps
from tests.cli.installation import Cli
from tests.crm_api.crm import crm
from tests.floor.tunnel import NAME, far
from tests.intake.signers import Outgoing, standard
from tests.serving import own_certificate, served
from tests.support import SOURCE_KEY

ADDRESS = "http://127.0.0.1:8000/webhooks/crm/crm"


def signed(conversation_id: str = "c-1", **data: Any) -> Outgoing:
    now = datetime.now(UTC)
    event = {
        "type": "conversation.ended",
        "timestamp": now.isoformat(),
        "data": {"conversation_id": conversation_id, **data},
    }
    out = Outgoing(ADDRESS, json.dumps(event).encode(), {"webhook-id": f"msg-{conversation_id}"}, now)
    standard(out)
    return out


def saved(cli: Cli, out: Outgoing) -> str:
    """The delivery as a file: header lines, an empty line, the body."""
    lines = "".join(f"{name}: {value}\n" for name, value in out.headers.items())
    file = cli.directory / "delivery.http"
    file.write_bytes(f"content-type: application/json\n{lines}\n".encode() + out.body)
    return str(file)


def sent(cli: Cli, out: Outgoing) -> dict[str, Any]:
    client = create_app(load(cli.config, {}), cli.engine).test_client()
    answer = client.post("/webhooks/crm/crm", data=out.body, headers=out.headers, content_type="application/json")
    assert answer.status_code in {200, 202}
    return answer.get_json()


# -- sources


def test_sources_are_listed_with_the_address_to_give_and_all_presets(cli: Cli) -> None:
    said = cli.says("sources", "list")
    assert ADDRESS in said
    assert "standard" in said
    assert all(name in said for name in preset_names())
    letters = {each for name in preset_names() for each in re.findall(r"\b[A-Z]\b", preset_about(name).certainty)}
    assert letters - {"X"} == {"D", "S", "T", "M", "U"}
    legend = said.partition("What a preset is based on")[2]
    assert all(re.search(rf"\b{letter} \w", legend) for letter in letters - {"X"})


def test_ends_on_other_channels_are_counted_apart(cli: Cli) -> None:
    cli.write(sources__crm__channel={"allow": ["x-dm"], "missing": "reject"})
    for name, more in (("c-1", {"channel": "X-DM"}), ("c-2", {"channel": "e-mail"}), ("c-3", {})):
        sent(cli, signed(name, **more))
    said = cli.says("sources", "list").partition("presets")[0]
    assert re.search(r" 1 +2 +0\s*$", said, re.MULTILINE), said


def test_every_preset_says_what_to_click_and_paste(cli: Cli) -> None:
    for name in preset_names():
        title, _, setup = cli.says("sources", "show", name).partition("\n")
        assert title.endswith(")"), name
        assert "1." in setup, name
        assert "/webhooks/crm/" in setup, name


def test_presets_can_be_shown_before_anything_is_set_up(cli: Cli) -> None:
    cli.config.unlink()
    assert all(name in cli.says("sources", "list") for name in preset_names())
    assert "b.detail.assignee_id" in cli.says("sources", "show", "zendesk_event")
    grammar = " ".join(cli.says("sources", "grammar").split())
    assert "handshake.answers[].when" in grammar
    assert "verify[kind=hmac].digest required the hash (sha1, sha256, sha384, sha512)" in grammar
    assert "split(text, separator) The parts of a text between separators." in grammar
    assert "JMESPath's own abs, avg," in grammar
    said = cli.says("sources", "explain", "--preset", "zendesk_event")
    assert "item 0: conversation ended" in said
    assert "proof not checked" in said
    assert "not_hold.http" in said
    own = cli.directory / "mine.http"
    own.write_text('{"type": "zen:event-type:ticket.status_changed", "event": {"current": "HOLD"}}')
    for file in ("not_hold.http", str(own)):
        assert "item 0: ignored, other_event" in cli.says("sources", "explain", "--preset", "zendesk_event", file)


def test_every_payload_of_a_preset_can_be_explained(cli: Cli) -> None:
    for name in preset_names():
        for file in payload_names(name):
            told = "a question of the CRM's: answered" if file.startswith("handshake") else "item 0: "
            assert told in cli.says("sources", "explain", "--preset", name, file), (name, file)


def test_explain_needs_one_definition_and_a_delivery(cli: Cli) -> None:
    assert cli.refuses("sources", "explain")[1] == "source_or_preset"
    assert cli.refuses("sources", "explain", "--preset", "token", "--source", "crm")[1] == "source_or_preset"
    assert cli.refuses("sources", "explain", "--source", "crm")[1] == "no_file"
    assert cli.refuses("sources", "explain", "--preset", "zendesc")[1] == "unknown_preset"
    assert cli.refuses("sources", "explain", "--preset", "token", "no_such_file")[1] == "file"


def test_a_customer_is_looked_up_as_the_worker_would(cli: Cli) -> None:
    with crm() as here:
        here.answers = {"/contacts/4711": {"custom_attributes": {"x_user_id": "501"}, "phone": "private"}}
        cli.write(sources__crm__preset="intercom", sources__crm__api={"base_url": here.url, "token": "hidden-token"})
        said = cli.says("sources", "lookup", "crm", "--customer", "4711")
        assert "GET /contacts/4711   200" in said
        assert "would be asked: 501 (trust crm_entered" in said
        assert "private" not in said
        shown = cli.says("sources", "lookup", "crm", "--customer", "4711", "--show-body")
        assert "private" in shown
        here.answers = {"/contacts/4711": {"phone": "private"}}
        nobody = cli.says("sources", "lookup", "crm", "--customer", "4711")
        assert "trust" not in nobody, "nobody is found: whose?"
        assert "nothing in it says who the customer is on X" in nobody
        here.answers = {}
        assert "is it the id that its events carry?" in cli.says("sources", "lookup", "crm", "--customer", "4711")
        assert "name --conversation, --customer or --tenant" in cli.says("sources", "lookup", "crm")
        assert "hidden-token" not in said + shown
        here.answers = {"/contacts/4711": (401, {})}
        assert "REFUSED" in cli("sources", "lookup", "crm", "--customer", "4711", code=1).stdout
    assert cli.rows(feedback_request) == []


def test_a_crm_without_a_preset_has_a_recipe(cli: Cli) -> None:
    assert "servicenow" in cli.says("sources", "list")
    for name in RECIPES:
        said = cli.says("sources", "show", name)
        assert ("/webhooks/crm/NAME" in said and 'preset = "token"' in said) or "sources show standard" in said
    assert "dynamics" in cli.refuses("sources", "show", "zendesc")[0]


def test_the_public_source_of_a_payload_is_named(cli: Cli) -> None:
    said = cli.says("sources", "show", "chatwoot")
    assert "payload ended_documented.http is based on Chatwoot's source" in said


def test_the_settings_for_look_ups_are_shown(cli: Cli) -> None:
    said = cli.says("sources", "show", "zendesk_trigger")
    assert '[sources.NAME.api]\nbase_url = "https://YOURS.zendesk.com"' in said


def raising(error: Exception) -> Callable[..., Any]:
    def fails(*_given: Any) -> Any:
        raise error

    return fails


@pytest.mark.parametrize(("module", "name"), [(sources, "seen"), (holds, "standings")])
def test_a_bug_is_not_mistaken_for_an_empty_database(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    cli.write(sources__crm__api={"base_url": "https://crm.example", "token": "t"})
    away = sa.exc.OperationalError("SELECT", {}, Exception("database is locked"))
    monkeypatch.setattr(module, name, raising(away))
    assert ADDRESS in cli.says("sources", "list")
    ours = sa.exc.IntegrityError("SELECT", {}, Exception("wrong"))
    monkeypatch.setattr(module, name, raising(ours))
    with chdir(cli.directory):
        assert CliRunner().invoke(main, ["sources", "list"]).exception is ours


def test_the_api_of_a_source_is_listed_and_its_hold_released(cli: Cli) -> None:
    cli.write(sources__crm__api={"base_url": "https://crm.example", "token": "t"})
    assert "not asked yet" in cli.says("sources", "list")
    now = datetime.now(UTC)
    with writing(cli.engine) as connection:
        holds.enrol(connection, ["crm"], now)
        for outcome in ("found", "found", "nobody", "away"):
            call_counts.count(connection, "crm", outcome, now)
        holds.hold(connection, "crm", "refused_401", now)
    (line,) = [line for line in cli.says("sources", "list").splitlines() if "refused_401" in line]
    assert line.split()[:3] == ["crm", "held:", "refused_401"]
    assert line.rstrip().endswith("2           1 away, 1 nobody  no list")
    with writing(cli.engine) as connection:
        sweeps.enrol(connection, ["crm"], now)
        call_counts.count(connection, "crm", call_counts.SWEPT, now, by=3)
    (line,) = [line for line in cli.says("sources", "list").splitlines() if "refused_401" in line]
    assert line.rstrip().endswith(f"1 away, 1 nobody  {now:%Y-%m-%d %H:%M:%S}Z  3 new, 0 known")
    assert cli.says("sources", "release", "crm").startswith("crm continues")
    assert cli.refuses("sources", "release", "crm")[1] == "not_held"
    assert cli.refuses("sources", "release", "no-such")[1] == "unknown_source"
    assert [row.action for row in cli.rows(access_log)] == ["source.release"]


def test_a_look_up_needs_an_api_and_steps(cli: Cli) -> None:
    assert cli.refuses("sources", "lookup", "crm", "--customer", "1")[1] == "no_lookup"
    assert cli.refuses("sources", "lookup", "nobody", "--customer", "1")[1] == "unknown_source"
    cli.write(sources__crm__api={"base_url": "http://crm.example.com?x", "token": "t", "user": "u"})
    done = cli("sources", "check", code=78)
    assert "sources.crm.api.base_url" in done.stderr
    assert "sources.crm.api.user" in done.stderr


def test_recent_deliveries_of_a_source_are_listed_beside_it(cli: Cli) -> None:
    assert sent(cli, signed("c-1", x_user_id="501"))["accepted"] == 1
    body = b'{"ticket": {"status": "closed"}}'
    out = Outgoing(ADDRESS, body, {"webhook-id": "msg-2"}, datetime.now(UTC))
    standard(out)
    assert sent(cli, out)["reasons"] == ["not_understood"]
    (line,) = [line for line in cli.says("sources", "list").splitlines() if ADDRESS in line]
    assert "1 (not_understood" in line


def test_a_source_whose_webhook_seems_switched_off_is_named(cli: Cli) -> None:
    """Some CRMs do so after a few failures, and then neither send nor say anything."""
    assert "disabled its webhook" not in cli.says("sources", "list"), "nothing was connected yet"
    assert sent(cli, signed("c-1", x_user_id="501"))["accepted"] == 1
    assert "disabled its webhook" not in cli.says("sources", "list")
    with writing(cli.engine) as connection:
        call_counts.count(connection, "crm", call_counts.SWEPT, datetime.now(UTC), by=10)
    assert "its list reported 10 ends in 7 days, and hardly any webhook did" in cli.says("sources", "list")
    with writing(cli.engine) as connection:
        long_ago = datetime.now(UTC) - timedelta(days=4)
        connection.execute(sa.update(webhook_delivery).values(received_at=long_ago))
    assert "crm: nothing for 4 d. Has the CRM disabled its webhook?" in cli.says("sources", "list")
    with writing(cli.engine) as connection:
        connection.execute(sa.update(webhook_delivery).values(received_at=long_ago - timedelta(days=10)))
    said = cli.says("sources", "list")
    assert "crm: nothing for more than 7 days. Has the CRM disabled its webhook?" in said


def test_a_source_that_never_says_who_its_customers_are_is_named(cli: Cli) -> None:
    """Each of its ends is answered 200 and asked about by nobody."""
    for n in range(10):
        assert sent(cli, signed(f"c-{n}"))["accepted"] == 1
    assert "on X (no_x_identity)" not in cli.says("sources", "list"), "nobody has looked yet"
    for number, said in ((9, True), (8, False)):
        ours = sa.select(feedback_request.c.id).limit(number)
        with writing(cli.engine) as connection:
            connection.execute(sa.update(feedback_request).values(reason="channel", state="skipped"))
            nobody = sa.update(feedback_request).where(feedback_request.c.id.in_(ours))
            connection.execute(nobody.values(reason="no_x_identity"))
        line = f"crm: 10 ends in 7 days, and nothing says who {number} of the customers are on X (no_x_identity)"
        assert (line in cli.says("sources", "list")) is said
    with writing(cli.engine) as connection:
        looked_up = {"reason": "no_x_identity", "detail": "looked at: an e-mail address, no X account"}
        connection.execute(sa.update(feedback_request).values(looked_up))
    assert "on X (no_x_identity)" not in cli.says("sources", "list"), "the CRM was asked, and knew of none"
    (first, *_) = cli.rows(webhook_delivery)
    assert first.id in cli.says("deliveries", "list", "--outcome", "accepted", "--source", "crm")
    assert "customer    nobody" in cli.says("sources", "explain", "--source", "crm", "--delivery", first.id)
    assert [(row.action, row.detail) for row in cli.rows(access_log)] == [("deliveries.read", {"delivery": first.id})]


def test_a_source_that_tells_much_and_never_of_an_end_is_named(cli: Cli) -> None:
    cli.write(sources__crm__events={"ended": "b.type == 'conversation.finished'"})
    assert sent(cli, signed("c-1", x_user_id="501"))["ignored"] == 1
    assert sent(cli, signed("c-2", x_user_id="502"))["ignored"] == 1
    said = cli.says("sources", "list")
    assert "crm: 2 events in 7 days, and none reports an ended conversation" in said
    (_, delivery) = cli.rows(webhook_delivery)
    listed = ("deliveries", "list", "--outcome", "ignored", "--source")
    assert delivery.id in cli.says(*listed, "crm")
    assert cli.refuses(*listed, "another")[1] == "unknown_source"
    assert delivery.id not in cli.says("deliveries", "list", "--source", "crm"), "nothing unmappable is an answer too"
    explained = cli.says("sources", "explain", "--source", "crm", "--delivery", delivery.id)
    assert "verified by its proof when it came" in explained
    assert "item 0: ignored, other_event" in explained
    assert "False   <- b.type == 'conversation.finished'" in explained
    cli.write()
    assert "0 deliveries read again" in cli.says("deliveries", "replay", "--source", "crm")
    assert "2 deliveries read again: 2 accepted" in cli.says("deliveries", "replay", "--source", "crm", "--ignored")
    assert "0 deliveries read again" in cli.says("deliveries", "replay", "--source", "crm", "--ignored")


def test_a_source_that_tells_of_ends_is_not_named(cli: Cli) -> None:
    assert sent(cli, signed("c-1", x_user_id="501"))["accepted"] == 1
    cli.write(sources__crm__events={"ended": "b.type == 'conversation.finished'"})
    assert sent(cli, signed("c-2", x_user_id="502"))["ignored"] == 1
    assert "none reports" not in cli.says("sources", "list")


def test_a_delivery_that_is_not_there_or_no_longer_kept_is_said_so(cli: Cli) -> None:
    assert cli.refuses("sources", "explain", "--source", "crm", "--delivery", "whd_1")[1] == "unknown_delivery"
    assert sent(cli, signed("c-1", x_user_id="501"))["accepted"] == 1
    (delivery,) = cli.rows(webhook_delivery)
    cli.write(sources__other={"preset": "token", "keys": ["a-key-of-another-source-0001"], "account": "acme"})
    sentence, code = cli.refuses("sources", "explain", "--source", "other", "--delivery", delivery.id)
    assert code == "unknown_delivery"
    assert "'other' sent no delivery" in sentence


def test_a_filter_on_a_field_the_source_never_fills_is_reported(cli: Cli) -> None:
    cli.write(
        sources__crm__map={"tags": "", "team_id": ""},
        sources__crm__channel={"allow": ["x_dm"]},
        campaigns__care__without_tags=["no-survey"],
        campaigns__care__teams=["red"],
        campaigns__care__channels=["X"],
        campaigns__care__languages=["German", "de-AT", "tlhIngan"],
    )
    said = cli.says("config", "check")
    for words in (
        "campaigns.care.without_tags source crm never fills tags, so this filter holds none of its conversations back",
        "campaigns.care.teams source crm never fills team_id, so this filter takes none",
        "campaigns.care.channels source crm lets none of these channels through",
        "campaigns.care.languages 'German' is no language tag; write 'de'",
        "campaigns.care.languages 'tlhIngan' is no language tag",
    ):
        assert words in said
    assert "'de-AT'" not in said
    explained = cli.says("sources", "explain", saved(cli, signed(x_user_id="501")), "--source", "crm")
    assert "careful     campaigns.care.without_tags" in explained


def test_a_delivery_cannot_control_the_terminal(cli: Cli) -> None:
    out = signed(agent_id="\x1b]0;owned\x07ann")
    said = cli.says("sources", "explain", saved(cli, out), "--source", "crm")
    assert "\x1b" not in said
    assert "owned" in said


def test_an_unknown_preset_is_answered_with_the_list(cli: Cli) -> None:
    sentence, code = cli.refuses("sources", "show", "zendesc")
    assert code == "unknown_preset"
    assert "zendesk_event" in sentence


def test_what_deserves_a_thought_is_said_by_either_check(cli: Cli) -> None:
    cli.write(sources__crm__preset="zendesk_event")
    for command in ("sources", "config"):
        assert "sources.crm.map.x_user_id is missing, and nothing else" in cli.says(command, "check")


def test_all_definitions_are_checked(cli: Cli) -> None:
    assert cli.says("sources", "check") == "right: 1 definition, crm\n"
    cli.write(sources__crm__map={"agent_id": "b.data[?"})
    done = cli("sources", "check", code=78)
    assert "sources.crm.map.agent_id" in done.stderr
    assert "overlaid by this table" in done.stderr


def test_a_signed_delivery_is_explained_without_being_stored(cli: Cli) -> None:
    said = cli.says("sources", "explain", saved(cli, signed(x_user_id="501", agent_id="ann")), "--source", "crm")
    for words in (
        "verified by hmac, key 0",
        "hmac covers msg-c-1.",
        "item 0: conversation ended",
        "'ann'   <- b.data.agent_id",
        "campaign    care: the first whose filters all match",
    ):
        assert words in said
    assert SOURCE_KEY not in said
    assert cli.rows(webhook_delivery) == cli.rows(feedback_request) == []


def test_an_explanation_ends_with_who_would_be_asked_or_why_nobody(cli: Cli) -> None:
    known = cli.says("sources", "explain", saved(cli, signed(x_user_id="501")), "--source", "crm")
    assert "customer    501 (trust bridge)" in known
    doubt = "; typed by people, so only if they wrote to the account"
    for confirm, said in (("inbound_dm", doubt), ("none", "")):
        cli.write(sources__crm__identity={"x_handle": "crm_entered"}, sources__crm__confirm=confirm)
        typed = cli.says("sources", "explain", saved(cli, signed(x_handle="ann")), "--source", "crm")
        assert f"customer    @ann (trust crm_entered{said})\n" in typed
    cli.write()
    (account,) = load(cli.config, {}).accounts.values()
    for ourselves in ({"x_user_id": account.user_id}, {"x_handle": account.screen_name.upper()}):
        said = cli.says("sources", "explain", saved(cli, signed(**ourselves)), "--source", "crm")
        assert "customer    nobody: it is one of your own accounts" in said
    file = saved(cli, signed())
    assert "write [[sources.crm.lookup]]" in cli.says("sources", "explain", file, "--source", "crm")
    ended = cli.directory / "ended.http"
    ended.write_bytes(payload("intercom", "ended_without_x_id.http"))
    cli.write(sources__crm__preset="intercom")
    assert "set [sources.crm.api]" in cli.says("sources", "explain", str(ended), "--source", "crm")
    cli.write(sources__crm__preset="intercom", sources__crm__api={"base_url": "https://api.intercom.io", "token": "t"})
    assert "sources lookup crm --customer" in cli.says("sources", "explain", str(ended), "--source", "crm")


def test_a_forged_delivery_is_explained_too(cli: Cli) -> None:
    out = signed()
    out.body = out.body.replace(b"c-1", b"c-2")
    said = cli.says("sources", "explain", saved(cli, out), "--source", "crm")
    assert "REFUSED (" in said
    assert "conversation ended" in said


def test_a_delivery_that_is_only_too_old_is_known_by_its_right_signature(cli: Cli) -> None:
    old = Outgoing(ADDRESS, signed().body, {"webhook-id": "msg-1"}, datetime.now(UTC) - timedelta(hours=1))
    standard(old)
    said = cli.says("sources", "explain", saved(cli, old), "--source", "crm")
    assert "REFUSED (timestamp_stale, though a key of the source signed it): The request was signed 360" in said


def test_a_conversation_no_campaign_takes_is_said_to_be_skipped(cli: Cli) -> None:
    cli.write(campaigns__care__teams=["red"])
    said = cli.says("sources", "explain", saved(cli, signed(team_id="blue")), "--source", "crm")
    assert "campaign    none matches: it would be skipped (no_campaign)" in said


@pytest.mark.parametrize("content", [b"", b"\0\xff\n\n\xff", b"{", b"[" * 10_000])
def test_any_file_is_explained(cli: Cli, content: bytes) -> None:
    file = cli.directory / "delivery.http"
    file.write_bytes(content)
    assert "REFUSED" in cli.says("sources", "explain", str(file), "--source", "crm")


def test_an_unknown_source_is_reported(cli: Cli) -> None:
    file = saved(cli, signed())
    for arguments in (("sources", "explain", file), ("deliveries", "replay")):
        assert cli.refuses(*arguments, "--source", "[/x]") == (
            "There is no source '[/x]' in the settings; there is crm.",
            "unknown_source",
        )


# -- deliveries


def test_unmappable_deliveries_are_listed_and_replayed_after_the_fix(engine: Engine, tmp_path: Path) -> None:
    cli = Cli(tmp_path, engine)
    cli.write(sources__crm__map={"conversation_id": "b.data.ticket"})
    assert sent(cli, signed("c-1", x_user_id="501"))["unmappable"] == 1
    listed = cli.says("deliveries", "list")
    (delivery,) = cli.rows(webhook_delivery)
    assert delivery.id in listed
    assert cli.rows(delivery_item)[0].reason in listed
    cli.write()
    assert cli.says("deliveries", "replay", "--source", "crm") == (
        "1 delivery read again: 1 accepted, 0 duplicate, 0 reopened, 0 ignored, 0 still unmappable, 0 no longer kept.\n"
    )
    assert [row.conversation_id for row in cli.rows(feedback_request)] == ["c-1"]
    assert cli.audit() == [("deliveries.replay", {"source": "crm", "delivery": None, "ignored": False})]
    assert "0 deliveries read again" in cli.says("deliveries", "replay", "--source", "crm")


def test_one_delivery_is_read_again_by_its_id_and_changes_nothing(cli: Cli) -> None:
    assert sent(cli, signed())["accepted"] == 1
    (delivery,) = cli.rows(webhook_delivery)
    assert delivery.id in cli.says("deliveries", "list", "--outcome", "accepted")
    said = cli.says("deliveries", "replay", delivery.id, "--source", "crm")
    assert said.startswith("1 delivery read again: 0 accepted, 1 duplicate")
    assert len(cli.rows(feedback_request)) == 1


def test_a_delivery_whose_body_is_gone_is_counted_as_gone(cli: Cli) -> None:
    sent(cli, signed())
    with writing(cli.engine) as connection:
        connection.execute(sa.update(webhook_delivery).values(body=None))
    (delivery,) = cli.rows(webhook_delivery)
    assert "1 no longer kept" in cli.says("deliveries", "replay", delivery.id, "--source", "crm")
    assert cli.refuses("deliveries", "replay", "whd_1", "--source", "crm")[1] == "unknown_delivery"


def test_a_delivery_is_tried_on_the_running_service_in_one_command(cli: Cli) -> None:
    with served(create_app(load(cli.config), cli.engine)) as url:
        said = cli.says("sources", "send", "crm", "--to", url, "--conversation", "try-1")
        assert "answered 200" in said
        assert "requests list --conversation try-1" in said
        cli.says("sources", "send", "crm", "--to", url, "--conversation", "try-2", "--x-user-id", "501")
        refused = cli(
            "sources", "send", "crm", str(file_of(cli, b'{"no": "end"}')), "--to", f"{url}/v1/no/such", code=1
        )
        assert "answered 404" in refused.stdout
        cli.write(service__public_url="https://acme.example/a/path")
        assert "answered 200" in cli.says("sources", "send", "crm", "--to", url, "--conversation", "try-1")
    found = {row.conversation_id: (row.x_user_id, row.x_handle) for row in cli.rows(feedback_request)}
    assert found == {"try-1": (None, None), "try-2": ("501", None)}


def test_an_unsendable_delivery_is_refused_in_a_sentence(cli: Cli) -> None:
    assert cli.refuses("sources", "send", "crm", "--to", "http://127.0.0.1:9")[1] == "not_sent"
    assert cli.refuses("sources", "send", "nobody")[1] == "unknown_source"
    cli.write(sources__crm__map={"x_user_id": "b.data.elsewhere"})
    assert cli.refuses("sources", "send", "crm", "--x-user-id", "501")[1] == "not_told"


def test_what_a_file_lacks_to_be_signed_is_named(cli: Cli) -> None:
    file = cli.directory / "delivery.http"
    file.write_bytes(b'content-type: application/json\n\n{"no": "end"}')
    assert cli.refuses("sources", "send", "crm", str(file)) == (
        "A delivery of this source cannot be signed here. The header webhook-id is missing or empty.", "cannot_sign",
    )  # fmt: skip
    cli.write(sources__crm__preset="livechat")
    assert "a token inside the body" in cli.refuses("sources", "send", "crm", str(file))[0]
    pinned = [
        {"kind": "static", "header": "x-token"},
        {"kind": "body_equals", "expression": "b.org", "equals": "ours"},
    ]
    cli.write(sources__crm__preset="token", sources__crm__verify={"all_of": pinned})
    for org, code, says in (("theirs", "cannot_sign", "'b.org' is not one of"), ("ours", "not_sent", "running?")):
        file.write_bytes(b'content-type: application/json\n\n{"org": "%s"}' % org.encode())
        refused = cli.refuses("sources", "send", "crm", str(file), "--to", "http://127.0.0.1:9")
        assert refused[1] == code
        assert says in refused[0]


def test_a_file_is_sent_as_it_is_and_not_to_somebody_else(cli: Cli) -> None:
    """Whoever names a test account must not have a recorded delivery sent to the customer in it."""
    file = str(file_of(cli, b'{"no": "end"}'))
    for option in ("--x-user-id", "--x-handle", "--customer", "--conversation"):
        assert cli.refuses("sources", "send", "crm", file, option, "501")[1] == "file_as_it_is"


def test_who_sends_to_a_private_network_is_told_what_to_do_instead(cli: Cli) -> None:
    sentence, code = cli.refuses("sources", "send", "crm", "--to", "https://10.0.0.1")
    assert code == "not_sent"
    assert "--to http://127.0.0.1" in sentence
    assert "api.networks" not in sentence


def file_of(cli: Cli, body: bytes) -> Path:
    file = cli.directory / "delivery.http"
    file.write_bytes(b"content-type: application/json\nwebhook-id: msg_9\n\n" + body)
    return file


def test_commands_take_proxy_and_certificates_from_the_settings(cli: Cli, tmp_path: Path) -> None:
    proof = own_certificate(tmp_path, NAME)
    with far(proof) as proxy:
        address = egress.proxy_to("https", NAME)
        egress.configure(Egress())
        cli.write(
            service__outgoing_proxy=address,
            service__trusted_ca_file=str(proof.certificate),
            sources__crm__preset="intercom",
            sources__crm__api={"base_url": f"https://{NAME}", "token": "hidden-token"},
        )
        assert "would be asked: 501" in cli.says("sources", "lookup", "crm", "--customer", "4711")
        assert len(proxy.requests) == 1
