"""`sources explain`: what becomes of one delivery, in words."""

import base64
import gzip
import hashlib
import hmac
from datetime import datetime, timedelta

import pytest

from service.errors import UnknownEncoding
from service.intake.delivery.inbound import parse_request_file
from service.intake.explain import explain, render
from service.intake.verify.verifier import Verified
from tests.intake.app import PUBLIC_URL, define, ended, post
from tests.intake.signers import SECRET, SENDERS, Outgoing, chatwoot


def test_it_says_which_key_fits_and_which_bytes_are_covered(now: datetime) -> None:
    out = Outgoing("", b'{"event":"conversation_status_changed","status":"resolved","id":4}', {}, now)
    chatwoot(out)
    explanation = explain(define("chatwoot"), post(out.body, out.headers), now)
    assert explanation.verdict == Verified(0, "hmac")
    text = render(explanation)
    assert "verified by hmac, key 0" in text
    assert f"hmac covers {out.seconds}." in text
    assert "unmappable, no_ended_at" in text
    assert SECRET not in text
    assert out.headers["x-chatwoot-signature"] not in text


def test_it_shows_what_each_expression_found_and_what_was_set_aside(now: datetime) -> None:
    inbound = post(ended(x_user_id="nobody", agent_id="a-1"), {"authorization": f"Bearer {SECRET}"})
    text = render(explain(define("token"), inbound, now))
    assert "conversation ended" in text
    assert "'nobody'   <- b.x_user_id" in text
    assert "x_user_id is no X user id" in text


@pytest.mark.parametrize("signed", ["packed", "plain"])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("headers", [b"content-encoding: gzip\r\n", b""])
def test_a_packed_delivery_is_explained_as_it_is_taken_in(
    now: datetime, signed: str, headers: bytes, *, late: bool
) -> None:
    body = b'{"event":"conversation_status_changed","status":"resolved","id":4}'
    out = Outgoing("", body if signed == "plain" else gzip.compress(body), {}, now)
    chatwoot(out)
    proof = b"".join(f"{name}: {value}\r\n".encode() for name, value in out.headers.items())
    file = proof + headers + b"\r\n" + gzip.compress(body) + b"\n"
    inbound = parse_request_file(file, PUBLIC_URL, "chatwoot")
    text = render(explain(define("chatwoot"), inbound, now + timedelta(days=late)))
    assert ("verified by hmac, key 0" in text, "REFUSED (timestamp_stale, though a key" in text) == (not late, late)
    assert "unmappable, no_ended_at" in text


def test_a_packed_delivery_that_the_service_refuses_is_refused_here_too(now: datetime) -> None:
    with pytest.raises(UnknownEncoding, match="send it whole"):
        explain(define("token"), post(gzip.compress(ended())[:-5], {}), now)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 10_000, b"\xff"])
def test_it_explains_what_cannot_be_read(body: bytes, now: datetime) -> None:
    assert "unmappable" in render(explain(define("token"), post(body), now))


def test_it_explains_a_failing_expression(now: datetime) -> None:
    text = render(explain(define("token", map={"agent_id": "lower(b.agent_id)"}), post(ended(agent_id=5)), now))
    assert "fails: 'lower(b.agent_id)' cannot read this item" in text


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        ("b.customer.x_id", "b has event, conversation_id, ended_at, talk"),
        ("b.talk.agent.id", "b.talk has tags (a list), closed"),
        ("b.talk.tags.name", "b.talk.tags is a list: events.split takes its items, [0] its first"),
        ("b.talk.closed.at", "b.talk.closed has nothing below it"),
        ('h."x-agent"', "h has content-type"),
        ("b.talk.x || b.y", "b.talk has tags (a list), closed"),
    ],
)
def test_a_path_that_leads_nowhere_tells_what_is_there_instead(path: str, instead: str, now: datetime) -> None:
    talk = ended(talk={"tags": ["vip"], "closed": True})
    text = render(explain(define("token", map={"agent_id": path}), post(talk), now))
    assert f"None ({instead})   <- {path}" in text


@pytest.mark.parametrize("path", ["b.talk.agent", "b.nothing || b.talk.agent", "v.mine.x && b.talk.agent"])
def test_a_path_that_leads_to_nothing_needs_no_other(path: str, now: datetime) -> None:
    definition = define("token", map={"agent_id": path}, values={"mine": {"x": "y"}})
    assert f"None   <- {path}" in render(explain(definition, post(ended(talk={"agent": None})), now))


def test_the_items_of_a_list_that_nothing_splits_are_pointed_at(now: datetime) -> None:
    text = render(explain(define("token"), post(b'{"count": 1, "events": [{"event": "x"}]}'), now))
    assert "events.ended              False (b has count, events (a list))" in text
    assert "False (b is a list: events.split takes its items" in render(explain(define("token"), post(b"[{}]"), now))


@pytest.mark.parametrize(
    ("split", "found"),
    [
        ("b.data.events", "None (the body has data)"),
        ("data", "{'events': []} (the body has data)"),
        ("data.events[0]", "None (the body has data)"),
    ],
)
def test_a_split_that_finds_no_list_is_told_with_what_the_body_has(split: str, found: str, now: datetime) -> None:
    definition = define("token", events={"split": split})
    text = render(explain(definition, post(b'{"data": {"events": []}}', {}), now))
    assert f"item 0: unmappable, not_a_list\n  events.split              {found}   <- {split}\n" in text
    assert "map." not in text


def test_one_event_where_a_split_wants_a_list_is_told_how_to_be_one(now: datetime) -> None:
    by_itself, in_any_case = (
        define("token", endpoint={"body": ["xml"]}, events={"split": split, "ended": "b.state=='closed'"})
        for split in ("cases.case", "to_array(cases.case)")
    )
    case = "<case><state>closed</state></case>"
    text = render(explain(by_itself, post(f"<cases>{case}</cases>".encode()), now))
    assert "if what it finds is an event, write to_array(cases.case)" in text
    for number in (1, 2):
        text = render(explain(in_any_case, post(f"<cases>{case * number}</cases>".encode()), now))
        assert text.count("no_conversation_id") == 2 * number, text


@pytest.mark.parametrize(
    ("preset", "body", "headers", "told"),
    [
        ("intercom", b'{"topic": "ping"}', {}, "nothing but 200"),
        ("front_app", b'{"type": "sync", "payload": {}}', {"x-front-challenge": "abc"}, "challenge"),
        ("sprinklr", b"{}", {}, "nothing but 200"),
    ],
)
def test_a_question_is_explained_as_one(
    preset: str, body: bytes, headers: dict[str, str], told: str, now: datetime
) -> None:
    out = Outgoing(f"{PUBLIC_URL}/webhooks/crm/crm", body, headers, now)
    if preset != "sprinklr":  # whose check is not signed
        SENDERS[preset].sign(out)
    for later in (timedelta(), timedelta(days=1)):
        text = render(explain(define(preset), post(body, out.headers), now + later))
        assert f"a question of the CRM's: answered with {told}, and not stored" in text
        assert "item 0" not in text


def test_a_question_that_is_not_signed_is_explained_as_a_delivery(now: datetime) -> None:
    text = render(explain(define("intercom"), post(b'{"topic": "ping"}'), now))
    assert "a question" not in text
    assert "REFUSED (signature_missing)" in text


BODY = b'{"event": "case.closed"}'
COMPACT = b'{"event":"case.closed"}'
TEXT_KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="


def made(key: bytes, signed: bytes, digest: str = "sha256") -> str:
    return hmac.digest(key, signed, digest).hex()


@pytest.mark.parametrize(
    ("sent", "fits"),
    [
        (base64.b64encode(hmac.digest(TEXT_KEY.encode(), b"5." + BODY, "sha256")).decode(), 'encoding = "base64"'),
        ("sha256=" + made(TEXT_KEY.encode(), b"5." + BODY), 'signature.prefix = "sha256="'),
        (made(TEXT_KEY.encode(), b"5." + BODY, "sha512"), 'digest = "sha512"'),
        (made(base64.b64decode(TEXT_KEY), b"5." + BODY), 'key_encoding = "base64"'),
        (made(TEXT_KEY.encode(), b"5:" + BODY), 'signed = ["header:x-time", "literal::", "body"]'),
        (made(TEXT_KEY.encode(), COMPACT, "sha1"), 'digest = "sha1", signed = ["body_compact"]'),
        (
            made(TEXT_KEY.encode(), b"5." + hashlib.sha256(BODY).hexdigest().encode()),
            'signed = ["header:x-time", "literal:.", "body_sha256:hex"]',
        ),
    ],
)
def test_a_wrong_signature_is_told_with_what_it_would_be_right(sent: str, fits: str, now: datetime) -> None:
    time = "header:x-time"
    verifier = {
        "kind": "hmac", "digest": "sha256", "signature": "x-sign", "signed": [time, "literal:.", "body"],
        "timestamp": {"from": time},
    }  # fmt: skip
    definition = define("token", TEXT_KEY, verify=verifier)
    text = render(explain(definition, post(BODY, {"x-sign": sent, "x-time": "5"}), now))
    assert "REFUSED (signature_wrong)" in text
    assert f"  a key of the source would fit with {fits}\n" in text
    assert TEXT_KEY not in text
    for other in (made(b"another key", b"5." + BODY), made(TEXT_KEY.encode(), b"5." + BODY)):  # this one is only old
        assert "would fit" not in render(explain(definition, post(BODY, {"x-sign": other, "x-time": "5"}), now))


def test_a_key_of_a_verifier_s_own_is_tried_as_it_is_written(now: datetime) -> None:
    verifier = {"kind": "hmac", "digest": "sha256", "signature": "x-sign", "keys": [TEXT_KEY]}
    definition = define("token", verify=verifier)
    for key, said in ((TEXT_KEY.encode(), 'digest = "sha1"'), (base64.b64decode(TEXT_KEY), "")):
        text = render(explain(definition, post(BODY, {"x-sign": made(key, BODY, "sha1")}), now))
        assert ("would fit with " + said in text) is bool(said)


def test_it_shortens_what_is_long(now: datetime) -> None:
    assert "characters)" in render(explain(define("token"), post(ended(agent_id="a" * 1000)), now))


@pytest.mark.parametrize(
    ("content", "method", "url", "headers", "body"),
    [
        (b'{"a": 1}\n', "POST", "/webhooks/crm/crm", {}, b'{"a": 1}'),
        (b"[\n\n1]", "POST", "/webhooks/crm/crm", {}, b"[\n\n1]"),
        (b'{"a": 1,\n\n"b": 2}', "POST", "/webhooks/crm/crm", {}, b'{"a": 1,\n\n"b": 2}'),
        (b"<a>\n\n<b>1</b></a>\n", "POST", "/webhooks/crm/crm", {}, b"<a>\n\n<b>1</b></a>"),
        (b"a=1&b=2:3\n\n4", "POST", "/webhooks/crm/crm", {}, b"a=1&b=2:3\n\n4"),
        (b"x-a: 1\nX-B:2\n\n{}\n", "POST", "/webhooks/crm/crm", {"x-a": "1", "x-b": "2"}, b"{}"),
        (b"POST /webhooks/crm/z?key=1 HTTP/1.1\nx-a: 1\n\n{}", "POST", "/webhooks/crm/z?key=1", {"x-a": "1"}, b"{}"),
        (b"PUT /p?at=10:30\nx-a: 1\n\n{}", "PUT", "/p?at=10:30", {"x-a": "1"}, b"{}"),
        (b"POST /p HTTP/1.1\r\nx-a: 1\r\n\r\n{}", "POST", "/p", {"x-a": "1"}, b"{}"),
        (b"x-a: 1\n\n", "POST", "/webhooks/crm/crm", {"x-a": "1"}, b""),
        (b"\xef\xbb\xbfPOST /p\nx-a: 1\n\n{}", "POST", "/p", {"x-a": "1"}, b"{}"),
        (b"x-a: \xc3\x85\nx-b: 1\n\n{}", "POST", "/webhooks/crm/crm", {"x-a": "\xc3\x85", "x-b": "1"}, b"{}"),
        (b"\n\nx-a: 1\n\n{}", "POST", "/webhooks/crm/crm", {"x-a": "1"}, b"{}"),
        (b"POST https://f.example:8/p?at=1 HTTP/1.1\nx-a : 1\n\n{}", "POST", "/p?at=1", {"x-a": "1"}, b"{}"),
        (b":method: POST\nx-a: 1\n\n{}", "POST", "/webhooks/crm/crm", {"x-a": "1"}, b"{}"),
        (b'\xef\xbb\xbf{\n\n"a": 1}', "POST", "/webhooks/crm/crm", {}, b'\xef\xbb\xbf{\n\n"a": 1}'),
    ],
)
def test_a_file_holds_headers_and_a_body_or_a_body_alone(
    content: bytes, method: str, url: str, headers: dict[str, str], body: bytes
) -> None:
    inbound = parse_request_file(content, PUBLIC_URL, "crm")
    assert (inbound.method, inbound.url, dict(inbound.headers), inbound.body) == (
        method,
        PUBLIC_URL + url,
        headers,
        body,
    )
