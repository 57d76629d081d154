"""OAuth 1.0a is really verified, by published vectors and against oauthlib as an independent signer."""

import json
from dataclasses import replace

import pytest

from service.sandbox import oauth
from service.sandbox.writing import XRefusal

SECRETS = ("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE")
GIVEN = {
    "oauth_consumer_key": "xvz1evFS4wEEPTGEFPHBog",
    "oauth_nonce": "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
    "oauth_signature_method": "HMAC-SHA1",
    "oauth_timestamp": "1318622958",
    "oauth_token": "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
    "oauth_version": "1.0",
}
V1_FORM = "status=Hello+Ladies+%2B+Gentlemen%2C+a+signed+OAuth+request%21"
V5_FORM = (
    "type=nps&to_user_id=343434343434&message=Thanks+for+chatting+with+us%21+How+did+we+do%3F"
    "&privacy_url=https%3A%2F%2Fbusiness.example%2Fprivacy&external_id=ticket_5555&question_variant_id=3"
    "&display_name=Caf%C3%A9+%26+Co&test=true"
)


@pytest.mark.parametrize(
    ("method", "url", "query", "form", "signature"),
    [
        (
            "POST",
            "https://api.x.com/1.1/statuses/update.json",
            "include_entities=true",
            V1_FORM,
            "Ls93hJiZbQ3akF3HF3x1Bz8/zU4=",
        ),
        (
            "POST",
            "https://api.twitter.com/1.1/statuses/update.json",
            "include_entities=true",
            V1_FORM,
            "hCtSmYh+iHYCEqBWrE7C7hYmtUk=",
        ),
        ("POST", "https://api.x.com/1.1/feedback/create.json", "", V5_FORM, "A+oPzM5d0+b89LlHn1HNdpFyeys="),
        ("POST", "https://api.twitter.com/1.1/feedback/create.json", "", V5_FORM, "gqXu6eWCoZJY2v1Rk9agEw0V8EA="),
        (
            "POST",
            "https://api.x.com/1.1/direct_messages/events/new.json",
            "",
            None,
            "Xt2L45sZVfR3XX3sbVgZKhuP1OQ=",
        ),
        (
            "GET",
            "https://api.x.com/1.1/feedback/events.json",
            "from_time=1451936737470&to_time=1452023137470&count=100",
            None,
            "FIZ0uMechfffLFSztlwX0Bsy8G4=",
        ),
    ],
)
def test_the_published_vectors_are_reproduced(method, url, query, form, signature):
    assert oauth.sign(GIVEN, oauth.SignatureBase(method, url, query, form), SECRETS) == signature


def test_duplicate_keys_are_refused():
    with pytest.raises(XRefusal) as refused:
        oauth.sign(GIVEN, oauth.SignatureBase("GET", "https://api.x.com/1.1/x.json", "a=1&a=2", None), SECRETS)
    assert (refused.value.status, refused.value.code) == (401, 32)


def test_a_good_signature_is_answered_with_the_access_level(x, control):
    given = x.get("account/verify_credentials")
    assert given.status == 200
    assert given.body["id_str"] == "1212121212121"
    assert given.headers["x-access-level"] == "read-write-directmessages"


def test_odd_characters_in_a_form_are_signed_as_decoded(x, control):
    assert x.card("501", display_name="Café & Co ~*'()", message="a+b c%20d&e=f ☃").status == 200


def test_a_changed_form_field_breaks_the_signature(x, control, card_form_501):
    url, headers, body = x.signed("POST", "/1.1/feedback/create.json", form=card_form_501)
    given = x.send("POST", url, headers, body.replace("ticket_5555", "ticket_6666"))
    assert (given.status, given.code) == (401, 32)


def test_a_json_body_is_not_part_of_the_signature(x, control):
    assert x.dm("501").status == 200


def test_a_json_body_signed_as_a_form_is_refused(x, control):
    url, headers, _ = x.signed("POST", "/1.1/direct_messages/events/new.json", form={"text": "hello"})
    body = json.dumps({"event": {}})
    given = x.send("POST", url, headers | {"Content-Type": "application/json"}, body)
    assert (given.status, given.code) == (401, 32)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, 32),
        ({"resource_owner_secret": "wrong"}, 401, 32),
        ({"client_key": "unknown"}, 401, 32),
        ({"resource_owner_key": "unknown"}, 401, 89),
        ({"timestamp": "1789999699"}, 401, 135),
        ({"timestamp": "1790000301"}, 401, 135),
        ({"timestamp": "1789999701"}, 200, None),
        ({"signature_method": "PLAINTEXT"}, 400, 215),
    ],
)
def test_keys_time_and_method_are_checked(x, control, changes, status, code):
    url, headers, _ = x.signed("GET", "/1.1/account/verify_credentials.json", **changes)
    given = x.send("GET", url, headers)
    assert given.status == status
    if code is not None:
        assert given.code == code


@pytest.mark.parametrize("authorization", [None, "Bearer abc", "OAuth garbage", 'OAuth oauth_token="1"'])
def test_missing_or_garbage_credentials_are_answered_400_215(x, control, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    given = x.send("GET", "http://x.test/1.1/account/verify_credentials.json", headers)
    assert (given.status, given.code) == (400, 215)


def test_a_replayed_nonce_is_refused(x, control):
    url, headers, _ = x.signed("GET", "/1.1/account/verify_credentials.json")
    assert x.send("GET", url, headers).status == 200
    given = x.send("GET", url, headers)
    assert (given.status, given.code) == (401, 32)


def test_the_signature_covers_the_host(x, control):
    _, headers, _ = x.signed("GET", "/1.1/account/verify_credentials.json")
    assert x.send("GET", "http://elsewhere.test/1.1/account/verify_credentials.json", headers).code == 32


def test_moving_the_sandbox_clock_leaves_oauth_on_the_real_time(x, control):
    control.advance(10 * 86_400)
    assert x.get("account/verify_credentials").status == 200


@pytest.mark.parametrize(("switch", "status"), [("accept", 200), ("refuse", 401)])
def test_oauth_body_hash_is_a_switch(x, control, switch, status):
    control.switch(oauth_body_hash=switch)
    url, headers, _ = x.signed("GET", "/1.1/account/verify_credentials.json")
    given = oauth.read_header(headers["Authorization"]) | {"oauth_body_hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="}
    signed = oauth.SignatureBase("GET", url, "", None)
    given["oauth_signature"] = oauth.sign(given, signed, (x.account.consumer_secret, x.account.token_secret))
    header = "OAuth " + ", ".join(f'{key}="{oauth._escape(value)}"' for key, value in given.items())
    assert x.send("GET", url, {"Authorization": header}).status == status


def test_replaced_credentials_stop_working(x, control):
    assert x.get("account/verify_credentials").status == 200
    anew = {"token": "another-token", "token_secret": "another-secret"}
    said = control.post("/credentials", account=x.account.user_id, **anew)
    assert said == {"account": x.account.user_id, "changed": ["token", "token_secret"]}
    refused = x.get("account/verify_credentials")
    assert (refused.status, refused.code) == (401, 89)
    x.account = replace(x.account, **anew)
    assert x.get("account/verify_credentials").body["id_str"] == x.account.user_id
    control.post("/credentials", account=x.account.user_id, consumer_secret="another")
    refused = x.get("account/verify_credentials")
    assert (refused.status, refused.code) == (401, 32)


@pytest.mark.parametrize(
    ("given", "status"),
    [({"account": "1"}, 404), ({}, 404), ({"token": ""}, 400), ({"token": 1}, 400), ({"password": "p"}, 400)],
)
def test_invalid_credentials_change_nothing(x, given, status):
    body = {"account": x.account.user_id, **given} if given and "account" not in given else given
    assert x.sandbox.post("/_control/credentials", base_url="http://x.test", json=body).status_code == status
    assert x.get("account/verify_credentials").status == 200
