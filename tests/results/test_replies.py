"""Customers answer by DM (a tap, a bare number, stop) over real HTTP between the sandbox and our one address."""

import gzip
import hmac
import json
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from structlog.testing import capture_logs

from service.customers.hash_key import open_key
from service.db import reading, writing
from service.errors import ServiceError, problem
from service.ids import person
from service.models import feedback_request, metadata, opt_out, prompt_reply
from service.results import replies, x_activity
from service.results.x_activity import blueprint
from service.sandbox import pushes
from service.settings.load import ELSEWHERE
from service.ways import quick_reply
from service.ways.catalogue import languages
from service.x_api import DirectMessage
from tests.results.cards import HOUR, NOW, US, request, result_of
from tests.results.cards import settings as settings_of
from tests.results.outside import Outside
from tests.serving import served

SETTINGS = settings_of()
STOPS = {
    "ar": "توقف", "de": "abmelden", "en": "stop", "es": "baja", "fr": "arrêt",
    "hi": "बंद करें", "id": "berhenti", "it": "basta", "ja": "配信停止", "ko": "중지",
    "nl": "afmelden", "pl": "wypisz", "pt-br": "pare", "tr": "DURDUR", "zh-hans": "退订",
}  # fmt: skip
HOOK = "/webhooks/x"


def prompted(engine, **changes):
    """A request whose prompt with quick replies is with the customer."""
    return request(engine, feedback_id=None, card_dm_id="77", way="quick_reply", campaign="care", **changes)


def key_of(engine):
    return open_key(engine, SETTINGS.service.secret_key)


def metadata_of(engine, row, score):
    return quick_reply.options(key_of(engine), row["id"], "csat", {})[score - 1].metadata


def message(row, text, number=1, at=NOW, tapped=None, **changes):
    content = {"text": text} | ({"quick_reply_response": {"type": "options", "metadata": tapped}} if tapped else {})
    return {
        "type": "message_create",
        "id": str(number),
        "created_timestamp": str(int(at.timestamp() * 1000)),
        "message_create": {
            "target": {"recipient_id": US}, "sender_id": row["x_user_id"], "message_data": content, **changes,
        },
    }  # fmt: skip


def pushed(*messages, user_id=US):
    return {"for_user_id": user_id, "direct_message_events": list(messages)}


def web(settings, engine, clock=lambda: NOW):
    app = Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.register_error_handler(ServiceError, lambda error: (problem(error, "r1"), error.status, error.headers))
    app.register_blueprint(blueprint(settings, engine, clock))
    return app


def browser(engine):
    return web(SETTINGS, engine).test_client()


def post(client, body, secret="sandbox-consumer-secret", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    proof = "sha256=" + b64encode(hmac.digest(secret.encode(), raw, "sha256")).decode()
    return client.post(HOOK, data=raw, headers={"x-twitter-webhooks-signature": proof, **headers})


def say(engine, row, *messages):
    given = post(browser(engine), pushed(*messages))
    assert given.status_code == 200, given.get_data()
    return result_of(engine, row)


def shown(found):
    return None if found is None else (found["score"], found["score_way"], found["first_channel"], found["anomalies"])


# -- taps


def test_a_tap_is_an_answer_with_the_time_of_the_tap(engine):
    row = prompted(engine)
    found = say(engine, row, message(row, "4", tapped=metadata_of(engine, row, 4), at=NOW - timedelta(minutes=5)))
    assert shown(found) == (4, "quick_reply", "dm", 0)
    assert (found["score_at"], found["score_seen_at"]) == (NOW - timedelta(minutes=5), NOW)


@pytest.mark.parametrize("odd", ["soon", 0, True, {}])
def test_an_odd_date_costs_neither_a_tap_nor_a_number_nor_a_stop(engine, odd):
    tapped, typed, stopped = (prompted(engine, x_user_id=each) for each in ("601", "602", "603"))
    said = (
        message(tapped, 5, tapped=metadata_of(engine, tapped, 4)),
        message(typed, "5", 2),
        message(stopped, "STOP", 3),
    )
    say(engine, tapped, *({**each, "created_timestamp": odd} for each in said))
    assert [shown(result_of(engine, row)) for row in (tapped, typed)] == [
        (score, "quick_reply", "dm", 0) for score in (4, 5)
    ]
    with reading(engine) as connection:
        assert connection.scalars(sa.select(opt_out.c.reason)).all() == ["asked_by_customer"]


def test_the_same_push_again_changes_nothing(engine):
    row = prompted(engine)
    body = message(row, "4", tapped=metadata_of(engine, row, 4))
    assert say(engine, row, body) == say(engine, row, body, body)


def test_a_second_tap_is_kept_and_not_applied(engine):
    row = prompted(engine)
    second = message(row, "1", 2, NOW + HOUR, metadata_of(engine, row, 1))
    assert shown(say(engine, row, second, message(row, "4", tapped=metadata_of(engine, row, 4)))) == (
        4,
        "quick_reply",
        "dm",
        1,
    )


def test_a_tap_on_an_old_prompt_answers_the_old_question(engine):
    old = prompted(engine, card_sent_at=NOW - 30 * HOUR)
    new = prompted(engine, x_user_id=old["x_user_id"])
    say(engine, old, message(old, "2", tapped=metadata_of(engine, old, 2)))
    assert (shown(result_of(engine, old))[0], result_of(engine, new)) == (2, None)


def test_foreign_forged_and_unknown_taps_are_ignored(engine):
    row, other = prompted(engine), prompted(engine)
    forged = metadata_of(engine, row, 4)[:-1] + "_"
    for body in (
        message(other, "4", tapped=metadata_of(engine, row, 4)),
        message(row, "4", tapped=forged),
        message(row, "4", tapped="someone else's metadata"),
        message(row, "4", tapped=metadata_of(engine, {"id": "fr_nobody"}, 4)),
    ):
        assert say(engine, row, body) is None
    assert result_of(engine, other) is None


# -- typed


@pytest.mark.parametrize("text", ["4", " 4 ", "4.", "4!", "\u0664", "\u096a", "4\ufe0f\u20e3"])
def test_a_bare_number_that_comes_first_counts(engine, text):
    row = prompted(engine)
    assert shown(say(engine, row, message(row, text))) == (4, "quick_reply", "dm", 0)


@pytest.mark.parametrize("text", ["0", "6", "44", "4 stars", "four", "-4", "<4", "4%", "4,5", ""])
def test_other_texts_are_no_score(engine, text):
    row = prompted(engine)
    assert say(engine, row, message(row, text)) is None


@pytest.mark.parametrize("text", ["10", "1\ufe0f\u20e30\ufe0f\u20e3", "\U0001f51f"])
def test_a_ten_counts_as_any_keyboard_writes_it(engine, text):
    """Else promoters alone would be missing."""
    row = prompted(engine, type="nps")
    assert shown(say(engine, row, message(row, text))) == (10, "quick_reply", "dm", 0)


def test_a_number_after_other_messages_does_not_count(engine):
    row = prompted(engine)
    say(engine, row, message(row, "One more thing: my order"))
    assert say(engine, row, message(row, "4", 2, NOW + timedelta(minutes=1))) is None


@pytest.mark.parametrize("word", ["stop", None])
def test_a_number_after_a_tap_or_a_stop_does_not_count(engine, word):
    """Who taps 4 and types 2 later answers something else, and who opted out gives no score any more."""
    row = prompted(engine)
    before = say(engine, row, message(row, word or "4", tapped=None if word else metadata_of(engine, row, 4)))
    assert shown(before) == (None if word else (4, "quick_reply", "dm", 0))
    assert say(engine, row, message(row, "2", 2, NOW + timedelta(minutes=3))) == before


def test_of_two_numbers_in_one_push_the_first_one_typed_counts(engine):
    row = prompted(engine)
    both = (message(row, "2", 2, NOW + timedelta(minutes=1)), message(row, "5", 1, NOW))
    assert shown(say(engine, row, *both)) == (5, "quick_reply", "dm", 0)


def test_an_undated_number_counts_as_received_now(engine):
    row = prompted(engine)
    undated = {key: value for key, value in message(row, "5", 1).items() if key != "created_timestamp"}
    found = say(engine, row, undated, message(row, "2", 2, NOW - timedelta(minutes=1)))
    assert (shown(found), found["update_count"]) == ((2, "quick_reply", "dm", 0), 1)


def test_a_number_before_the_prompt_or_to_a_card_or_from_a_stranger_is_none(engine):
    row = prompted(engine)
    card = request(engine, way="card")
    assert say(engine, row, message(row, "4", at=row["card_sent_at"] - timedelta(minutes=1))) is None
    assert say(engine, card, message(card, "4")) is None
    assert say(engine, row, message({"x_user_id": "999"}, "4")) is None


@pytest.mark.parametrize("way", ["card", "page", None])
def test_a_number_typed_after_a_newer_question_answers_no_older_one(engine, way):
    old = prompted(engine, card_sent_at=NOW - 30 * HOUR)
    request(engine, way=way, x_user_id=old["x_user_id"], card_sent_at=NOW - HOUR)
    assert say(engine, old, message(old, "4")) is None
    late = message(old, "4", 2, NOW - 2 * HOUR)
    assert shown(say(engine, old, late)) == (4, "quick_reply", "dm", 0), "that came before"


@pytest.mark.parametrize("asked_at", [None, NOW + HOUR])
def test_a_number_typed_after_a_newer_opening_answers_no_older_question(engine, asked_at):
    """Its question waits, is unclear at X, or came after the number: none of them makes it one for another agent."""
    old = prompted(engine, card_sent_at=NOW - 30 * HOUR)
    newer = {"state": "dm_sent", "dm_sent_at": NOW - HOUR, "card_sent_at": asked_at}
    prompted(engine, x_user_id=old["x_user_id"], **newer)
    assert say(engine, old, message(old, "4")) is None
    assert shown(say(engine, old, message(old, "4", 2, NOW - 2 * HOUR))) == (4, "quick_reply", "dm", 0)


def test_a_number_typed_at_the_moment_of_the_prompt_counts_also_of_a_campaign_that_is_gone(engine):
    row = request(engine, way="quick_reply", campaign="gone", card_sent_at=NOW)
    assert shown(say(engine, row, message(row, "4"))) == (4, "quick_reply", "dm", 0)


def test_undated_messages_count_only_from_the_customer_to_us(engine):
    row = prompted(engine, card_sent_at=NOW - HOUR)
    said = DirectMessage("1", text="4", sender_id=row["x_user_id"], recipient_id=US)
    with writing(engine) as connection:
        for wrong in (
            replace(said, sender_id=None), replace(said, sender_id=US), replace(said, recipient_id="9"),
            replace(said, recipient_id=None),
        ):  # fmt: skip
            assert replies.take(connection, SETTINGS, SETTINGS.accounts["shop"], wrong, NOW) is None
        assert replies.take(connection, SETTINGS, SETTINGS.accounts["shop"], said, NOW) == "applied"
        assert replies.take(connection, SETTINGS, SETTINGS.accounts["shop"], said, NOW + HOUR) is None
    found = result_of(engine, row)
    assert (found["score_at"], found["score_seen_at"], found["update_count"]) == (None, NOW, 1)


def test_an_undated_tap_that_comes_again_changes_nothing(engine):
    row = prompted(engine)
    said = DirectMessage("1", row["x_user_id"], US, tapped=metadata_of(engine, row, 4))
    with writing(engine) as connection:
        told = [replies.take(connection, SETTINGS, SETTINGS.accounts["shop"], said, NOW + n * HOUR) for n in range(3)]
    assert told == ["applied", "repeat", "repeat"]


def test_a_tap_of_a_customer_known_only_by_hash_counts(engine):
    """Whatever age `keep_identities` leaves them: a button stays where it is."""
    row = prompted(engine)
    tap = message(row, "4", tapped=metadata_of(engine, row, 4))
    with writing(engine) as connection:
        known = {"x_user_id": None, "person": person(key_of(engine), row["x_user_id"])}
        connection.execute(sa.update(feedback_request).where(feedback_request.c.id == row["id"]).values(known))
    assert shown(say(engine, row, tap)) == (4, "quick_reply", "dm", 0)


def test_an_account_takes_no_tap_for_anothers_request(engine):
    row = prompted(engine, account="other")
    assert say(engine, row, message(row, "4", tapped=metadata_of(engine, row, 4))) is None


def test_typed_numbers_do_not_count_where_the_campaign_says_so(engine):
    row = prompted(engine)
    wanted = settings_of()
    campaigns = tuple(replace(each, typed_scores=False) for each in wanted.campaigns)
    client = web(replace(wanted, campaigns=campaigns), engine).test_client()
    assert post(client, pushed(message(row, "4"))).status_code == 200
    assert result_of(engine, row) is None
    assert post(client, pushed(message(row, "4", 2, tapped=metadata_of(engine, row, 4)))).get_json() == {"received": 1}


# -- stop


@pytest.mark.parametrize(
    "word",
    [
        "stop",
        "Stop!",
        " unsubscribe ",
        "\u505c\u6b62",
        "\uff33\uff34\uff2f\uff30\u3002",
        "opt  out",
        "arre\u0302t\u200b",
        '"STOP".',
        "\u201cStop\u201d",
        "\u00abstop\u00bb",
        "\u00a1stop!",
        "*stop*,",
        "Stop \U0001f64f\U0001f3fd",
        "\u062a\u0648\u0642\u0641\u061f",
        *STOPS.values(),
    ],
)
def test_stop_counts_from_everybody_we_wrote_to(engine, word):
    row = prompted(engine)
    say(engine, row, message(row, word))
    with reading(engine) as connection:
        assert connection.scalars(sa.select(opt_out.c.reason)).all() == ["asked_by_customer"]


def test_customers_of_each_language_we_ask_in_can_stop_us():
    assert languages().keys() - STOPS.keys() == set(), "add its word to STOP_WORDS in settings/sections.py and here"


def test_a_picture_alone_stops_nobody(engine):
    row = prompted(engine)
    own = replace(SETTINGS, privacy=replace(SETTINGS.privacy, stop_words=("\U0001f6d1",)))
    for text, heard in (("\U0001f44d", []), ("\U0001f6d1", ["asked_by_customer"])):
        said = DirectMessage("1", text=text, sender_id=row["x_user_id"], recipient_id=US)
        with writing(engine) as connection:
            replies.take(connection, own, own.accounts["shop"], said, NOW)
            assert connection.scalars(sa.select(opt_out.c.reason)).all() == heard


def test_stop_counts_from_customers_known_only_by_hash(engine):
    row = request(engine, person=person(key_of(engine), "7007"), x_user_id=None)
    say(engine, row, message({**row, "x_user_id": "7007"}, "stop"))
    with reading(engine) as connection:
        assert connection.scalars(sa.select(opt_out.c.person)).all() == [person(key_of(engine), "7007")]


def test_the_words_that_stop_us_are_the_settings_own(engine):
    row, settings = prompted(engine), settings_of()
    own = replace(settings, privacy=replace(settings.privacy, stop_words=("Genug",)))
    for text, heard in (("stop", []), ("genug!", ["asked_by_customer"])):
        said = DirectMessage("1", text=text, sender_id=row["x_user_id"], recipient_id=US)
        with writing(engine) as connection:
            replies.take(connection, own, own.accounts["shop"], said, NOW)
            assert connection.scalars(sa.select(opt_out.c.reason)).all() == heard


def test_an_opt_out_is_logged_once_it_is_committed(engine):
    row, shop = prompted(engine), SETTINGS.accounts["shop"]
    said = DirectMessage("1", text="stop", sender_id=row["x_user_id"], recipient_id=US)
    with capture_logs() as lines:
        for divisor in (0, 1):
            with suppress(ZeroDivisionError), writing(engine) as connection:
                replies.take(connection, SETTINGS, shop, said, NOW)
                assert lines == []
                assert 1 // divisor
    assert lines == [{"event": "customer_opted_out", "log_level": "info", "account": "shop"}]


@pytest.mark.parametrize("word", ["please stop", "stop the delivery", "nonstop"])
def test_stop_within_a_sentence_is_ignored(engine, word):
    row = prompted(engine)
    say(engine, row, message(row, word))
    say(engine, row, message({"x_user_id": "999"}, "stop"))
    with reading(engine) as connection:
        assert connection.scalars(sa.select(opt_out.c.reason)).all() == []


# -- everything else


def test_other_words_are_neither_stored_nor_logged(engine):
    row = prompted(engine)
    with capture_logs() as lines:
        say(engine, row, message(row, "MYSECRET and my address"))
    assert "MYSECRET" not in repr(lines)
    with reading(engine) as connection:
        for table in metadata.sorted_tables:
            assert "MYSECRET" not in repr(connection.execute(sa.select(table)).all()), table.name
        assert connection.scalars(sa.select(prompt_reply.c.request_id)).all() == [row["id"]]


def test_our_own_messages_and_other_accounts_are_passed_over(engine):
    row = prompted(engine)
    ours = message({"x_user_id": US}, "4", target={"recipient_id": row["x_user_id"]})
    assert say(engine, row, ours) is None
    assert post(browser(engine), pushed(message(row, "4"), user_id="5")).get_json() == {"received": 0}


# -- the address


def test_an_unsigned_or_wrongly_signed_push_is_refused(engine):
    row = prompted(engine)
    client, body = browser(engine), json.dumps(pushed(message(row, "4"))).encode()
    assert client.post(HOOK, data=body).status_code == 401
    assert post(client, body, secret="another").status_code == 401
    assert client.post(HOOK, data=body, headers={"x-twitter-webhooks-signature": "sha256=\xff"}).status_code == 401
    assert result_of(engine, row) is None


@pytest.mark.parametrize("raw", [b"", b"[null]", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"for_user_id":1e999}'])
def test_a_signed_unreadable_push_is_acknowledged(engine, raw):
    assert post(browser(engine), raw).get_json() == {"received": 0}


def test_a_compressed_push_is_decompressed_after_verification(engine):
    row = prompted(engine)
    raw = gzip.compress(json.dumps(pushed(message(row, "4"))).encode())
    assert post(browser(engine), raw, **{"Content-Encoding": "gzip"}).get_json() == {"received": 1}


@pytest.mark.parametrize(
    ("raw", "encoding", "status"),
    [
        (gzip.compress(b" " * 5_000_000, mtime=0), "gzip", 413),
        (b"\xff is no gzip", "gzip", 415),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 415),
        (b"\xff", "br", 415),
    ],
    ids=["bomb", "no gzip", "half", "unknown"],
)
def test_decompression_bombs_and_broken_encodings_are_refused(engine, raw, encoding, status):
    given = post(browser(engine), raw, **{"Content-Encoding": encoding})
    assert (given.status_code, bool(given.get_json()["detail"])) == (status, True)


def test_a_challenge_is_answered_with_the_secret_of_the_app(engine):
    given = browser(engine).get(HOOK, query_string={"crc_token": "challenge_string"})
    proof = b64encode(hmac.digest(b"sandbox-consumer-secret", b"challenge_string", "sha256")).decode()
    assert (given.status_code, given.get_json()) == (200, {"response_token": f"sha256={proof}"})
    assert browser(engine).get(HOOK, query_string={"crc_token": '{"for_user_id":"2"}'}).status_code == 400
    assert browser(engine).get(HOOK).status_code == 400


@pytest.mark.parametrize("encoding", [None, "deflate", "deflate, deflate"])
def test_the_answer_to_a_challenge_signs_no_push(engine, encoding):
    """A challenge is letters and digits, and so may a packed push be: anybody could have one of theirs signed."""
    client, told = browser(engine), {} if encoding is None else {"Content-Encoding": encoding}
    proof = client.get(HOOK, query_string={"crc_token": "7"}).get_json()["response_token"]
    given = client.post(HOOK, data=b"7", headers={"x-twitter-webhooks-signature": proof, **told})
    assert (given.status_code, given.get_json()["code"]) == (401, "wrong_signature")


@pytest.mark.parametrize(
    ("secrets", "asked", "answered_by"),
    [
        (("one", "one"), None, "one"),
        (("one", "two"), None, None),
        (("one", "two"), "care", "two"),
        (("one", "two"), "shop", "one"),
        (("one", "one"), "care", "one"),
        (("one", "two"), "nobody", None),
        (("one", "one"), "nobody", None),
    ],
)
def test_of_several_apps_the_one_that_an_account_is_named_of_answers(sqlite_engine, secrets, asked, answered_by):
    """Web holds no app's key, but for their secrets."""
    shop, (first, second) = SETTINGS.accounts["shop"], secrets
    accounts = {
        "shop": replace(shop, consumer_key=ELSEWHERE, consumer_secret=first),
        "care": replace(shop, name="care", user_id="5", consumer_key=ELSEWHERE, consumer_secret=second),
    }
    client = web(replace(SETTINGS, accounts=accounts), sqlite_engine).test_client()
    query = {"crc_token": "challenge_string"} | ({} if asked is None else {"app": asked})
    given = client.get(HOOK, query_string=query)
    if answered_by is None:
        assert (given.status_code, given.get_json()["code"]) == (404, "unknown_app")
        return
    proof = b64encode(hmac.digest(answered_by.encode(), b"challenge_string", "sha256")).decode()
    assert given.get_json() == {"response_token": f"sha256={proof}"}


def test_a_push_counts_for_the_named_account_of_the_signing_app(engine):
    shop = SETTINGS.accounts["shop"]
    row = prompted(engine)
    accounts = {
        "other": replace(shop, name="other", user_id=US, consumer_key="k2", consumer_secret="another app's"),
        "care": replace(shop, name="care", user_id="5"),
        "shop": shop,
    }
    client = web(replace(SETTINGS, accounts=accounts), engine).test_client()
    assert post(client, pushed(message(row, "4"))).get_json() == {"received": 1}
    assert result_of(engine, row)["score"] == 4


def test_a_push_of_hundreds_keeps_nobody_from_writing_for_long(engine):
    """Some hundred are taken in per commit, and an answer among the last of them counts."""
    row = prompted(engine)
    others = [message({"x_user_id": str(900_000 + n)}, "hello", 100 + n) for n in range(2 * x_activity.AT_ONCE)]
    commits = []
    sa.event.listen(engine, "commit", commits.append)
    post(browser(engine), pushed(*others, message(row, "4", 9, at=NOW + timedelta(minutes=1))))
    assert len(commits) == 3
    assert result_of(engine, row)["score"] == 4


# -- the whole way, over sockets


@pytest.mark.parametrize("form", ["x_activity", "account_activity"])
def test_a_customer_who_taps_and_one_who_types_answer_by_x_s_own_pushes(engine, form):
    x = Outside(activity_form=form)
    tapping, typing = (prompted(engine, card_sent_at=x.now, x_user_id=str(700 + n)) for n in range(2))
    with served(web(SETTINGS, engine, lambda: datetime.now(UTC))) as url:
        x.control("POST", "/webhooks", activity_url=f"{url}{HOOK}")
        for row in (tapping, typing):
            options = quick_reply.options(key_of(engine), row["id"], "csat", {})
            x.client.send_dm(row["x_user_id"], "How did we do?", signed_at=x.now, options=options)
        x.advance(timedelta(minutes=1))
        x.control("POST", f"/customers/{tapping['x_user_id']}/dm", tap=1)
        x.control("POST", f"/customers/{typing['x_user_id']}/dm", text="5")
        pushes.stop(x.world)
    assert (shown(result_of(engine, tapping)), shown(result_of(engine, typing))) == (
        (2, "quick_reply", "dm", 0), (5, "quick_reply", "dm", 0),
    )  # fmt: skip
    assert {each.outcome for each in x.world.pushes if each.to == "activity"} == {"delivered"}
