"""Compressed bodies, declared charsets, and bodies broken in one place."""

import codecs
import gzip
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from service.errors import UnknownEncoding
from service.intake.delivery.decode import readable
from service.intake.delivery.inbound import make_inbound
from service.intake.mapping.events import ConversationEnded
from service.intake.mapping.readings import read
from service.network import charset
from tests.intake.app import PUBLIC_URL, App, define, ended, post, settings_with, token_app, verify
from tests.intake.signers import SECRET, SENDERS, Outgoing, hubspot, standard

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BODY = ended(agent_id="Müller")
RAW_DEFLATE = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": gzip.compress(BODY, mtime=0),
    "x-gzip": gzip.compress(BODY, mtime=0),
    "GZIP": gzip.compress(BODY[:20], mtime=0) + gzip.compress(BODY[20:], mtime=0),
    "deflate": zlib.compress(BODY),
    "Deflate": RAW_DEFLATE.compress(BODY) + RAW_DEFLATE.flush(),
    "gzip, gzip": gzip.compress(gzip.compress(BODY, mtime=0), mtime=0),
    "identity;q=0": BODY,
    "gzip, identity": gzip.compress(BODY, mtime=0),
}


@pytest.fixture
def app(sqlite_engine: Engine, now: datetime) -> App:
    return token_app(sqlite_engine, now)


@pytest.mark.parametrize("encoding", PACKED)
def test_a_compressed_delivery_is_read_and_stored_as_sent(app: App, encoding: str) -> None:
    response = app.send("token", PACKED[encoding], {"content-encoding": encoding})
    assert response.get_json()["accepted"] == 1
    assert app.deliveries[0].body == BODY
    assert app.requests[0].agent_id == "Müller"


def test_a_plain_body_declared_compressed_is_read(app: App) -> None:
    assert app.send("token", BODY, {"content-encoding": "gzip"}).get_json()["accepted"] == 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, PACKED["gzip"]),
        ({"content-type": "application/gzip"}, PACKED["GZIP"]),
        ({"content-encoding": "identity"}, PACKED["gzip"]),
        ({"content-encoding": "gzip"}, PACKED["gzip, gzip"]),
        ({"content-encoding": "deflate"}, zlib.compress(PACKED["gzip"])),
    ],
)
def test_gzip_whose_header_a_proxy_lost_is_read_and_stored_plain(
    app: App, headers: dict[str, str], body: bytes
) -> None:
    assert app.send("token", body, headers).get_json()["accepted"] == 1
    assert app.deliveries[0].body == BODY


@pytest.mark.parametrize("signed", ["packed", "plain"])
@pytest.mark.parametrize("headers", [{"content-encoding": "gzip"}, {}])
def test_the_signature_may_cover_either_form(
    sqlite_engine: Engine, now: datetime, signed: str, headers: dict[str, str]
) -> None:
    app = App(settings_with({"hub": {"preset": "hubspot", "keys": [SECRET]}}), sqlite_engine, now)
    body = b'[{"subscriptionType": "x"}]'

    def sign(out: Outgoing) -> None:
        sent, out.body = out.body, out.body if signed == "packed" else body
        hubspot(out)
        out.body = sent

    assert app.send("hub", gzip.compress(body), headers, sign).get_json()["ignored"] == 1


def test_a_decompression_bomb_is_refused_and_not_stored(app: App) -> None:
    for encoding, bomb in (
        ("gzip", gzip.compress(b"[" + b" " * 50_000_000 + b"]", 6, mtime=0)),
        ("deflate", zlib.compress(b" " * 50_000_000)),
        ("gzip, gzip", gzip.compress(gzip.compress(b" " * 50_000_000))),
        ("", gzip.compress(gzip.compress(b" " * 50_000_000))),
    ):
        response = app.send("token", bomb, {"content-encoding": encoding})
        assert (response.status_code, response.get_json()["code"]) == (413, "unpacked_too_large")
    assert app.deliveries == []


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", bytes(range(200, 250))),
        ("zstd", b"\x28\xb5\x2f\xfd\x00"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-9]),
        ("gzip", b"\x1f\x8b" + bytes(range(128, 190))),
        ("gzip, gzip, gzip", b"\x1f\x8b packed three times"),
        ("", PACKED["gzip"][:-9]),
        ("", gzip.compress(PACKED["gzip, gzip"], mtime=0)),
        ("gzip", gzip.compress(PACKED["gzip, gzip"], mtime=0)),
        ("gzip, gzip", gzip.compress(PACKED["gzip, gzip"], mtime=0)),
        ("gzip", gzip.compress(b"", mtime=0) * 65 + gzip.compress(BODY, mtime=0)),
    ],
)
def test_an_undecodable_body_is_415_and_not_stored(app: App, encoding: str, body: bytes) -> None:
    response = app.send("token", body, {"content-encoding": encoding})
    assert (response.status_code, response.get_json()["code"]) == (415, "unknown_encoding")
    assert app.deliveries == []


def test_an_unverified_body_is_decompressed_only_to_the_limit(app: App) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    for headers in ({"content-encoding": "gzip"}, {}):
        assert app.send("token", bomb, headers, lambda _out: None).status_code == 413


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "utf-16", "UTF-16LE", '"UTF-8"', "utf-8"])
def test_the_declared_charset_is_used(app: App, charset: str) -> None:
    body = json.dumps({**json.loads(BODY), "note": "grün"}, ensure_ascii=False).encode(charset.strip('"'))
    headers = {"content-type": f"application/json; charset={charset}"}
    assert app.send("token", body, headers).get_json()["accepted"] == 1
    assert app.requests[0].agent_id == "Müller"


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("body", [BODY, b"\n" + BODY])
def test_an_undeclared_utf_16_or_32_is_detected(app: App, charset: str, body: bytes) -> None:
    assert app.send("token", body.decode().encode(charset)).get_json()["accepted"] == 1
    assert app.requests[0].agent_id == "Müller"


@pytest.mark.parametrize("charset", ["klingon-8", "base64", "idna\x00", "punycode", "unicode_escape"])
def test_an_unknown_charset_is_415(app: App, charset: str) -> None:
    body = json.dumps({"a": "é"}, ensure_ascii=False).encode("latin-1")
    inbound = post(body, {"content-type": f"application/json; charset={charset}"})
    with pytest.raises(Exception, match="send UTF-8"):
        readable(inbound, 1000)
    response = app.send("token", body, {"content-type": "application/json; charset=klingon-8"})
    assert (response.status_code, response.get_json()["code"]) == (415, "unknown_charset")


@pytest.mark.parametrize(
    "charset",
    ["utf8mb4", "cp-1252", "ansi", "unknown", "base64", "punycode", "utf-16", "UTF-32LE", "ISO-8859-1", "windows-1252"],
)
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_charset_that_the_body_can_be_read_without_does_no_harm(app: App, charset: str, encoding: str) -> None:
    body = json.dumps(json.loads(BODY), ensure_ascii=False).encode()
    headers = {"content-type": f"application/json; charset={charset}", "content-encoding": encoding}
    assert app.send("token", gzip.compress(body) if encoding else body, headers).get_json()["accepted"] == 1
    assert app.requests[0].agent_id == "Müller"


@pytest.mark.parametrize("written", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
@pytest.mark.parametrize("declared", ["utf-8", "iso-8859-1", "utf-16be", "klingon-8"])
def test_the_first_bytes_know_better_than_the_header(written: str, declared: str) -> None:
    found = first(BODY.decode().encode(written), f"application/json; charset={declared}")
    assert (found.conversation_id, found.agent_id) == ("c-1", "Müller")


def test_nothing_is_kept_of_names_that_are_no_charset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python keeps each name it looked for and did not find: a stranger could fill the memory with them."""
    asked: list[str] = []
    real = codecs.lookup
    monkeypatch.setattr(charset.codecs, "lookup", lambda name: (asked.append(name), real(name))[1])
    for name in ("zzz" * 2000, "utf-9", "", "\x00", "latin1.nobody"):
        with pytest.raises(UnknownEncoding):
            charset.charset_of(name, b'{"a": "\xff"}')
    assert asked == []
    assert charset.charset_of("ISO 8859-1", b'{"a": "\xff"}') == "iso8859-1"


def test_more_than_ascii_declared_as_ascii_is_read_as_utf_8() -> None:
    assert (
        first(
            ended(agent_id="M\u00fcller").replace(rb"\u00fc", b"\xc3\xbc"), "application/json; charset=US-ASCII"
        ).agent_id
        == "M\u00fcller"
    )


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "application/json; charset=klingon-8"}, b"{}"),
        (
            {"content-type": "application/json; charset=klingon-8", "content-encoding": "gzip"},
            gzip.compress(b"\xe9", mtime=0),
        ),
        ({"content-encoding": "br"}, b"\xff\xfe"),
        ({}, b"\x1f\x8b\xff\xfe"),
        ({}, gzip.compress(b" " * 3000, mtime=0)),
        ({"content-encoding": "gzip"}, gzip.compress(b" " * 3000, mtime=0)),
        ({}, b" " * 3000),
    ],
)
def test_an_unverified_caller_cannot_tell_whether_a_source_exists(
    sqlite_engine: Engine, now: datetime, headers: dict[str, str], body: bytes
) -> None:
    app = token_app(sqlite_engine, now, endpoint={"max_bytes": 2000})
    there, nowhere = (app.send(name, body, headers, lambda _out: None) for name in ("token", "nobody"))
    assert (there.status_code, there.get_json()["code"]) == (nowhere.status_code, nowhere.get_json()["code"])


def first(body: bytes, content_type: str = "application/json", **more: Any) -> Any:
    return read(define("token", **more), post(body, {"content-type": content_type}), NOW)[0]


def test_a_broken_character_in_an_unused_field_does_no_harm() -> None:
    for broken in (b"\xf0\x9f\x98", b"\xff", b"\\ud83d"):
        found = first(ended()[:-1] + b', "name": "Ren' + broken + b'"}')
        assert isinstance(found, ConversationEnded)
        assert found.conversation_id == "c-1"


def test_a_broken_character_sets_its_field_aside() -> None:
    found = first(ended()[:-1] + b', "agent_id": "M\xfcller", "tags": ["vip", "gr\xfcn"]}')
    assert (found.agent_id, found.tags) == (None, ("vip",))
    assert "broken on its way" in "; ".join(found.notes)


def test_a_conversation_id_with_a_broken_character_is_refused() -> None:
    found = first(ended("c-1").replace(b"c-1", b"c-\xff"))
    assert found.reason == "bad_conversation_id"


def test_a_form_has_a_charset_too() -> None:
    form = b"event=conversation.ended&conversation_id=c&ended_at=2026-11-22T11:00:00Z&agent_id=Ren%E9"
    kind = "application/x-www-form-urlencoded; charset=ISO-8859-1"
    assert first(form, kind, endpoint={"body": ["form"]}).agent_id == "René"


def test_a_signed_packed_delivery_of_standard_webhooks_is_accepted(sqlite_engine: Engine, now: datetime) -> None:
    app = App(
        settings_with({"standard": {"preset": "standard", "keys": [SENDERS["standard"].key()]}}), sqlite_engine, now
    )
    event = {"type": "conversation.ended", "timestamp": now.isoformat(), "data": {"conversation_id": "gzip-1"}}
    headers = {"content-encoding": "gzip", "webhook-id": "msg_2"}
    response = app.send("standard", gzip.compress(json.dumps(event).encode()), headers, standard)
    assert response.get_json()["accepted"] == 1
    assert "content-encoding" not in app.deliveries[0].headers


def test_an_address_with_escapes_is_signed_as_hubspot_writes_it(now: datetime) -> None:
    query = "x=%40a%2Fb%3A&y=%2A%20%25"
    out = Outgoing(f"{PUBLIC_URL}/webhooks/crm/crm?x=@a/b:&y=*%20%25", b"[]", {}, now)
    hubspot(out)
    inbound = make_inbound("POST", PUBLIC_URL, "/webhooks/crm/crm", query, out.headers.items(), b"[]")
    assert verify(define("hubspot"), inbound, now).verifier == "hmac"
