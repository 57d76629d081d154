"""Every place where bytes from outside come in, by name; each draws and tries one input.

An edge returns quietly or raises only what it declares; anything else is a fault and reaches the caller.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import MultiDict

from service.errors import ServiceError
from service.intake.definition.load import load_definitions, preset_definition
from service.intake.delivery.decode import unpacked
from service.intake.delivery.inbound import Inbound, parse_request_file
from service.intake.expressions.compiled import ExpressionError, compile_expression
from service.intake.expressions.evaluate import TooCostly
from service.intake.mapping.events import ConversationEnded
from service.intake.mapping.readings import read
from service.intake.presets import payload, payload_names, preset_expected, preset_names
from service.intake.values.languages import language_tag
from service.intake.verify import Refused, verify
from service.listening.framing import Incoming
from service.reports import filters
from service.reports.rows.cursor import change_cursors, cursors
from service.reports.rows.order import Order
from service.settings import SettingsError, load
from service.settings.load import from_tree
from service.ways import quick_reply
from service.x_api import activity, cards, parsing
from service.x_api.facts import ParseProblem
from tests.fuzz import odd
from tests.intake.app import PUBLIC_URL, post, settings_with
from tests.intake.signers import SECRET, SENDERS
from tests.reports.world import ADMIN
from tests.support import settings_of, tree
from tests.x_api.test_parsing import ANSWERED, CREATED

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BODY_AT_MOST = 1_000_000
Edge = Callable[[Random], None]


def deliveries() -> Edge:
    """A verified delivery of every preset, nearly right: unpacked, split, mapped."""
    shown = [
        (name, parse_request_file(payload(name, file), PUBLIC_URL, name))
        for name in preset_names()
        for file in payload_names(name)
    ]
    definitions = {name: preset_definition(name, as_tried=True) for name in preset_names()}

    def once(dice: Random) -> None:
        name, right = dice.choice(shown)
        inbound = _odd_delivery(dice, right)
        with suppress(ServiceError):
            for reading in read(definitions[name], unpacked(inbound, BODY_AT_MOST), NOW):
                if isinstance(reading, ConversationEnded):
                    _demand_storable(reading)

    return once


def _odd_delivery(dice: Random, right: Inbound) -> Inbound:
    headers = dict(right.headers)
    if dice.random() < 0.3:
        headers[dice.choice([*headers, "content-encoding", "content-type", "x-odd"])] = odd.text(
            dice, "application/json"
        )
    try:
        body = (
            odd.as_json(odd.with_odd(dice, json.loads(right.body)))
            if dice.random() < 0.8
            else odd.raw(dice, right.body)
        )
    except ValueError:
        body = odd.raw(dice, right.body)
    return post(body, headers)


def _demand_storable(reading: ConversationEnded) -> None:
    """What no database of ours would take must not have come through."""
    texts = [
        reading.conversation_id,
        reading.agent_id,
        reading.team_id,
        reading.channel,
        reading.customer_ref,
        *reading.tags,
    ]
    assert not [each for each in texts if each and ("\0" in each or len(each) > 256 or _has_half(each))]


def _has_half(text: str) -> bool:
    return any("\ud800" <= each <= "\udfff" for each in text)


def signatures() -> Edge:
    """Proofs of every preset, nearly right: none of them raises, and none is taken for right by chance."""
    definitions = {name: _with_keys(name) for name in SENDERS}
    shown = [(name, parse_request_file(payload(name, payload_names(name)[0]), PUBLIC_URL, name)) for name in SENDERS]
    words = ("authorization", "webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature", "x-signature")

    def once(dice: Random) -> None:
        name, right = dice.choice(shown)
        headers = {**right.headers, dice.choice([*right.headers, *words]): odd.text(dice, "t=1764417600,v1=0011aabb")}
        body = right.body.replace(SECRET.encode(), b"another key")  # some presets are shown with the right one
        inbound = post(odd.raw(dice, body), headers, odd.text(dice, "a=1")[:200])
        assert isinstance(verify(definitions[name].verifiers, inbound, NOW), Refused)
        verify(definitions[name].testers, inbound, NOW)

    return once


def _with_keys(name: str) -> Any:
    given = settings_with({"crm": {"preset": name, "keys": [SENDERS[name].key()], **preset_expected(name)["settings"]}})
    return load_definitions(given.sources)["crm"]


def x_answers() -> Edge:
    """What X sends: users, messages, cards, pages, pushes."""
    user = {"id_str": "1", "screen_name": "ada", "name": "Ada", "can_dm": True, "protected": False, "errors": []}
    message = {"event": {"type": "message_create", "id": "1", "created_timestamp": "1764417600000", "message_create": {
        "target": {"recipient_id": "2"}, "sender_id": "1", "message_data": {"text": "hi", "quick_reply_response": {
            "type": "options", "metadata": "m"}}}}}  # fmt: skip
    push = {
        "for_user_id": "1",
        "direct_message_events": [message["event"]],
        "data": {"filter": {"user_id": "1"}, "payload": {}},
    }
    tries: list[tuple[Callable[[Any], object], Any]] = [
        (cards.parse_feedback, CREATED), (cards.parse_feedback, ANSWERED), (cards.parse_sent_feedback, ANSWERED),
        (cards.parse_feedback_event, {"event_type": "feedback", "feedback": ANSWERED, "timestamp": "1764417600"}),
        (cards.parse_feedback_page, {"events": [{"feedback": ANSWERED}, {"feedback": CREATED}], "next_cursor": "x"}),
        (parsing.parse_user, user), (lambda raw: parsing.parse_identity(raw, "read"), user),
        (parsing.parse_friendship, {"relationship": {"source": {"can_dm": True, "blocking": False}}}),
        (parsing.parse_sent_message, message),
        (parsing.parse_dm_page, {"events": [message["event"]], "next_cursor": "y"}), (activity.parse_activity, push),
        (lambda raw: quick_reply.recognise("k", json.dumps(raw)), [1, "x"]),
    ]  # fmt: skip

    def once(dice: Random) -> None:
        parse, right = dice.choice(tries)
        with suppress(ParseProblem):
            parse(odd.with_odd(dice, right))

    return once


def questions() -> Edge:
    """Query parameters and cursors of readers."""
    settings = settings_of()
    right = {
        "since": "2026-11-01", "until": "1764417600", "date_field": "sent_at", "account": "acme", "agent_id": "ann",
        "score": "5", "score_from": "1", "state": "skipped", "reason": "cooldown", "type": "csat",
        "q": "kind", "limit": "10",
        "has_text": "true", "updated_since": "2026-11-22T12:00:00Z", "hour": "9", "question_variant_id": "1",
    }  # fmt: skip
    ours = [cursors("k" * 32, ADMIN, filters.Filter(), Order()), change_cursors("k" * 32, ADMIN)]
    written = ours[0].write(None) or "AAAA"

    def once(dice: Random) -> None:
        names = [dice.choice([*right, odd.text(dice)[:60]]) for _ in range(dice.randrange(5))]
        asked = [(name, odd.text(dice, right.get(name, "x"))) for name in names]
        with suppress(ServiceError):
            filters.parse(MultiDict(asked), ADMIN, settings)
        with suppress(ServiceError):
            dice.choice(ours).read(odd.text(dice, written))

    return once


def settings_files() -> Edge:
    """Settings: as a file of any bytes, and as tables of any values."""
    right = tree()
    folder = Path(tempfile.mkdtemp(prefix="dmf-fuzz-"))

    def once(dice: Random) -> None:
        with suppress(SettingsError):
            if dice.random() < 0.7:
                given = odd.with_odd(dice, right)
                from_tree(given if isinstance(given, dict) else {}, {})
            else:
                file = folder / "dm-feedback.toml"
                file.write_bytes(
                    odd.raw(dice, b'[service]\nsecret_key = "x"\n[sources.crm]\npreset = "token"\nkeys = ["a"]\n')
                )
                load(file, {})

    return once


def expressions() -> Edge:
    """The JMESPath of definitions: any text, over any item."""
    right = (
        "b.a",
        "b.items[?type=='x'].id | [0]",
        "join('-', [b.a, h.b])",
        "b.*.c[]",
        "to_string(b)",
        "length(b.a || `[]`)",
    )
    item = {"a": "x", "items": [{"type": "x", "id": 1}], "c": {"d": [1, 2, {"e": None}]}}

    def once(dice: Random) -> None:
        with suppress(ExpressionError, TooCostly):
            compile_expression(odd.text(dice, dice.choice(right))).read(
                {"b": odd.with_odd(dice, item), "h": {}, "q": {}, "root": {}, "v": {}}
            )

    return once


def bytes_on_a_connection() -> Edge:
    """What comes over the socket, cut anywhere."""
    cfg = Config()
    right = (
        b"POST /webhooks/crm/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nA: b\r\n\r\n",
        b"GET /v1/results?a=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dmf_1.2\r\nConnection: keep-alive\r\n\r\n",
    )

    def once(dice: Random) -> None:
        given, data = Incoming(cfg, ("127.0.0.1", 1), 4096), odd.raw(dice, dice.choice(right))
        with suppress(ParseException):
            while data:
                cut = dice.randrange(1, 60)
                given.feed(data[:cut])
                data = data[cut:]
                while (request := given.take()) is not None:
                    request.body.read()

    return once


def languages() -> Edge:
    """Names of languages as CRMs write them."""

    def once(dice: Random) -> None:
        found = language_tag(odd.text(dice, dice.choice(("de-AT", "German", "zh_Hant_TW", "pt-br"))))
        assert found is None or len(found) <= 35

    return once


EDGES: Mapping[str, Callable[[], Edge]] = {
    "deliveries": deliveries,
    "signatures": signatures,
    "x_answers": x_answers,
    "questions": questions,
    "settings": settings_files,
    "expressions": expressions,
    "connections": bytes_on_a_connection,
    "languages": languages,
}
