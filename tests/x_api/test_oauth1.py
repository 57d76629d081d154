"""Signatures: published vectors, an independent signer, and the time that is signed."""

import json
import logging
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.x_api.oauth1 import Credentials, OAuth1, new_nonce
from tests.x_api.oracle import header_fields, valid

PUBLISHED = Credentials(
    consumer_key="xvz1evFS4wEEPTGEFPHBog",
    consumer_secret="kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
    token="370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
    token_secret="LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
)
NONCE = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"
AT = datetime.fromtimestamp(1318622958, UTC)
APP_ONLY = Credentials("GDdmIQH6jhtmLUypg82g", "MCD8BKwGdgPHvAuvgvz4EQpqDAtx89grbuNMRd7Eh98")
STATUS = {"status": "Hello Ladies + Gentlemen, a signed OAuth request!"}
CARD = (
    "type=nps&to_user_id=343434343434&message=Thanks+for+chatting+with+us%21+How+did+we+do%3F"
    "&privacy_url=https%3A%2F%2Fbusiness.example%2Fprivacy&external_id=ticket_5555&question_variant_id=3"
    "&display_name=Caf%C3%A9+%26+Co&test=true"
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def signed(request, credentials=PUBLISHED, nonce=NONCE, at=AT):
    auth = OAuth1(credentials, clock=lambda: at, nonce=lambda: nonce)
    return next(auth.sync_auth_flow(request))


def signature_of(request, **kwargs):
    return header_fields(signed(request, **kwargs).headers["Authorization"])["oauth_signature"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://api.x.com/1.1/statuses/update.json", "Ls93hJiZbQ3akF3HF3x1Bz8/zU4=", id="V1"),
        pytest.param("https://api.twitter.com/1.1/statuses/update.json", "hCtSmYh+iHYCEqBWrE7C7hYmtUk=", id="V2"),
        pytest.param("https://api.twitter.com/1/statuses/update.json", "tnnArxj06cWHq44gCs1OSKk/jLY=", id="V3"),
    ],
)
def test_published_status_update(url, expected):
    request = httpx.Request("POST", url, params={"include_entities": "true"}, data=STATUS)
    assert signature_of(request) == expected


def test_published_request_token_has_no_token_and_an_empty_token_secret():  # V4
    callback = "http://localhost:3005/the_dance/process_callback?service_provider_id=11"
    request = httpx.Request("POST", "https://api.twitter.com/oauth/request_token", data={"oauth_callback": callback})
    at = datetime.fromtimestamp(1272323042, UTC)
    nonce = "QP70eNmVz8jvdPevU3oJD2AfF7R7odC2XJcn4XlZJqk"
    assert signature_of(request, credentials=APP_ONLY, nonce=nonce, at=at) == "8wUi7m5HFQy76nowoCThusfgB+Q="
    assert "oauth_token" not in header_fields(request.headers["Authorization"])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("api.x.com", "A+oPzM5d0+b89LlHn1HNdpFyeys=", id="V5"),
        pytest.param("api.twitter.com", "gqXu6eWCoZJY2v1Rk9agEw0V8EA=", id="V6"),
    ],
)
def test_a_card_is_signed_with_every_field_of_its_form(host, expected):
    request = httpx.Request("POST", f"https://{host}/1.1/feedback/create.json", content=CARD, headers=FORM)
    assert signature_of(request) == expected
    assert request.content == CARD.encode()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("api.x.com", "Xt2L45sZVfR3XX3sbVgZKhuP1OQ=", id="V7"),
        pytest.param("api.twitter.com", "7z+nKFSiTmLyKcVzjswQcU+GwWY=", id="V8"),
    ],
)
@pytest.mark.parametrize("body", [{}, {"event": {"type": "message_create", "text": "a=b&c=d é"}}])
def test_json_is_not_signed_and_arrives_whole(host, expected, body):
    request = httpx.Request("POST", f"https://{host}/1.1/direct_messages/events/new.json", json=body)
    assert signature_of(request) == expected
    assert json.loads(request.content) == body
    assert request.headers["Content-Length"] == str(len(request.content))
    assert "oauth_body_hash" not in request.headers["Authorization"]


def test_a_query_is_signed():  # V9
    url = "https://api.x.com/1.1/feedback/events.json?from_time=1451936737470&to_time=1452023137470&count=100"
    assert signature_of(httpx.Request("GET", url)) == "FIZ0uMechfffLFSztlwX0Bsy8G4="


ODD = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
        lambda key: not key.startswith("oauth_")
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    max_size=4,
)


@settings(max_examples=80, deadline=None)
@given(query=ODD, form=ODD, secret=st.text("ab&%+ ~é", min_size=1))
def test_odd_characters_agree_with_an_independent_signer(query, form, secret):
    credentials = Credentials("key +&", secret, "token%", secret[::-1])
    request = httpx.Request(
        "POST", "http://127.0.0.1:8080/1.1/a.json", params=query, content=urlencode(form), headers=FORM
    )
    signed(request, credentials=credentials)
    header = request.headers["Authorization"]
    assert valid("POST", str(request.url), urlencode(form), header, secret, secret[::-1])


def test_a_form_with_a_charset_is_still_a_form():
    plain = httpx.Request("POST", "https://api.x.com/a.json", content=b"a=b", headers=FORM)
    charset = httpx.Request(
        "POST",
        "https://api.x.com/a.json",
        content=b"a=b",
        headers={"Content-Type": "Application/X-WWW-form-urlencoded; charset=utf-8"},
    )
    assert signature_of(plain) == signature_of(charset)


def test_the_moment_of_the_intent_is_signed_and_not_the_moment_of_the_call():
    intent = AT - timedelta(minutes=7)
    request = httpx.Request("POST", "https://api.x.com/a.json", extensions={"signed_at": intent})
    assert header_fields(signed(request).headers["Authorization"])["oauth_timestamp"] == str(1318622958 - 420)


def test_without_a_given_moment_the_clock_is_signed():
    request = httpx.Request("GET", "https://api.x.com/a.json")
    assert header_fields(signed(request).headers["Authorization"])["oauth_timestamp"] == "1318622958"


def test_a_naive_moment_is_refused():
    naive = AT.replace(tzinfo=None)
    with pytest.raises(ValueError, match="aware"):
        signed(httpx.Request("GET", "https://api.x.com/a.json", extensions={"signed_at": naive}))


def test_every_request_has_its_own_nonce():
    assert len({new_nonce() for _ in range(100)}) == 100


def test_credentials_do_not_show_their_secrets():
    for shown in (repr(PUBLISHED), str(PUBLISHED), f"{PUBLISHED}"):
        assert PUBLISHED.consumer_key in shown
        for secret in (PUBLISHED.consumer_secret, PUBLISHED.token, PUBLISHED.token_secret):
            assert secret not in shown


def test_signing_logs_nothing_of_the_message(caplog):
    caplog.set_level(logging.DEBUG)
    signed(httpx.Request("POST", "https://api.x.com/a.json", data={"message": "between us"}))
    assert "between" not in caplog.text
