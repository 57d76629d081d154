"""Every code and every form in which X refuses."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.states import Skip
from service.x_api import errors
from service.x_api.codes import CODES, STATUSES, STOPS_AT_ONCE, STOPS_READING
from service.x_api.errors import (
    AccountProblem,
    AlreadyDone,
    MessageRefused,
    OutcomeUnknown,
    RateLimited,
    RecipientRefused,
    Retired,
    Temporary,
    Unexplained,
    UnknownToX,
    XError,
)
from service.x_api.refusal import error_from

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GONE, FORBIDDEN, INVALID = (
    f"https://api.twitter.com/2/problems/{name}"
    for name in ("resource-not-found", "client-forbidden", "invalid-request")
)

# The table of the reference, by hand: code, the status X sends with it, what it means to us.
DOCUMENTED = [
    (32, 401, AccountProblem),
    (89, 403, AccountProblem),
    (89, 401, AccountProblem),
    (99, 403, AccountProblem),
    (37, 403, AccountProblem),
    (53, 401, AccountProblem),
    (92, 403, AccountProblem),
    (231, 403, AccountProblem),
    (467, 403, AccountProblem),
    (136, 403, RecipientRefused),
    (344, 403, RateLimited),
    (135, 401, Temporary),
    (215, 400, AccountProblem),
    (220, 403, AccountProblem),
    (87, 403, AccountProblem),
    (93, 403, AccountProblem),
    (261, 403, AccountProblem),
    (416, 401, AccountProblem),
    (415, 403, AccountProblem),
    (453, 403, AccountProblem),
    (64, 403, AccountProblem),
    (326, 403, AccountProblem),
    (226, 403, AccountProblem),
    (476, 403, RecipientRefused),
    (17, 404, RecipientRefused),
    (34, 404, UnknownToX),
    (50, 404, RecipientRefused),
    (63, 403, RecipientRefused),
    (108, 404, RecipientRefused),
    (108, 403, RecipientRefused),
    (144, 404, UnknownToX),
    (150, 403, RecipientRefused),
    (349, 403, RecipientRefused),
    (389, 403, RecipientRefused),
    (151, 403, RecipientRefused),
    (354, 403, MessageRefused),
    (214, 400, MessageRefused),
    (214, 403, MessageRefused),
    (38, 403, MessageRefused),
    (187, 403, MessageRefused),
    (185, 403, RateLimited),
    (139, 403, AlreadyDone),
    (88, 429, RateLimited),
    (130, 503, Temporary),
    (131, 500, Temporary),
    (251, 410, Retired),
    (68, 410, Retired),
    (355, 409, AlreadyDone),
    (502, 429, RateLimited),
]


def answer(status, body=b"", headers=None, *, sends=False):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_from(status, headers or {}, raw, sends=sends, now=NOW)


def coded(code, message="said X"):
    return {"errors": [{"code": code, "message": message}]}


@pytest.mark.parametrize(("code", "status", "kind"), DOCUMENTED)
def test_a_documented_code_means_what_the_table_says(code, status, kind):
    error = answer(status, coded(code))
    assert type(error) is kind
    assert (error.code, error.http_status) == (code, status)
    assert error.reason == CODES[code].reason
    assert str(error) == error.sentence == CODES[code].sentence


def test_no_code_is_in_the_table_without_being_documented():
    assert set(CODES) == {code for code, _, _ in DOCUMENTED}


def test_reasons_are_stable_words_and_sentences_are_sentences():
    rows = [*CODES.values(), *STATUSES.values()]
    assert len({row.reason for row in rows}) == len(rows)
    assert all(row.reason.replace("_", "").isalpha() and row.reason.islower() for row in rows)
    assert all(row.sentence[0].isupper() and row.sentence.endswith((".", "?")) for row in rows)


def test_the_reasons_others_build_on():
    words = {88: "rate_limit", 349: "cannot_dm", 150: "not_following", 226: "looks_automated", 89: "token_invalid"}
    assert {code: CODES[code].reason for code in words} == words


def test_a_refused_customer_ends_a_request_in_a_word_of_the_ledger():
    assert {Skip(row.ends_as) for row in CODES.values()} == {Skip.CANNOT_DM, Skip.UNREACHABLE}
    assert {code for code, row in CODES.items() if row.ends_as == "cannot_dm"} == {136, 150, 349, 389, 476}


def test_refusals_of_every_call_stop_reading_too():
    assert {
        "account_locked", "account_suspended", "app_suspended", "bad_authentication", "keys_not_verified",
        "not_authenticated", "sign_in_lost", "tls_required", "token_invalid", "unauthorized", "wrong_kind_of_token",
    } == STOPS_READING  # fmt: skip


@pytest.mark.parametrize("kind", [AccountProblem, UnknownToX, Retired])
def test_errors_every_request_would_meet_are_about_us(kind):
    assert kind("It is said of all.", reason="r").about_us
    assert not RecipientRefused("It is said of one.", reason="r").about_us


@pytest.mark.parametrize(
    ("code", "status", "kind"), [row for row in DOCUMENTED if row[1] < 500 and row[0] not in {130, 131}]
)
def test_a_refusal_of_a_send_with_a_code_was_not_sent(code, status, kind):
    assert type(answer(status, coded(code), sends=True)) is kind


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 408, 499, 301, 302, 303, 307])
@pytest.mark.parametrize("body", [b"", b"<html>oops</html>", coded(131), coded(349)])
def test_after_a_send_only_a_clear_refusal_is_a_refusal(status, body):
    error = answer(status, body, sends=True)
    assert type(error) is OutcomeUnknown
    assert error.http_status == status


@pytest.mark.parametrize("code", [130, 131])
def test_an_internal_error_after_a_send_is_unknown_whatever_its_status(code):
    assert type(answer(403, coded(code), sends=True)) is OutcomeUnknown


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, UnknownToX),
        (302, Temporary),
        (308, UnknownToX),
        (400, Unexplained),
        (401, AccountProblem),
        (402, AccountProblem),
        (403, AccountProblem),
        (404, UnknownToX),
        (407, AccountProblem),
        (408, Temporary),
        (409, AlreadyDone),
        (410, Retired),
        (418, Unexplained),
        (420, RateLimited),
        (422, Unexplained),
        (425, Temporary),
        (429, RateLimited),
        (499, Temporary),
        (500, Temporary),
        (503, Temporary),
        (599, Temporary),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!DOCTYPE html><h1>No</h1>", id="HTML"),
        pytest.param(b"\xff\xfe\x00", id="not text"),
        pytest.param({"error": "Not authorized."}, id="error text"),
        pytest.param({"errors": "Not authorized."}, id="errors text"),
        pytest.param({"title": "T", "detail": "D", "type": "about:blank", "status": 403}, id="v2 problem"),
        pytest.param({"errors": [{"message": "no code"}, None, 7], "title": "T"}, id="v2 problem with errors"),
        pytest.param([], id="a list"),
        pytest.param(b'"text"', id="a text"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"errors":[{"message":"Ra', id="half JSON before the code"),
        pytest.param(b'{"errors":[{"code":34', id="half JSON inside the code"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(
            {"errors": [{"code": True}, {"code": "x"}, {"code": -1}, {"code": 1.5}]}, id="codes that are none"
        ),
    ],
)
def test_without_a_code_the_status_speaks(status, kind, body):
    error = answer(status, body)
    assert type(error) is kind
    assert error.code is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(coded(349), id="errors list"),
        pytest.param({"errors": {"code": 349}}, id="errors object"),
        pytest.param({"error": {"code": 349}}, id="error object"),
        pytest.param({"code": 349, "message": "m"}, id="bare object"),
        pytest.param(coded("349"), id="code as text"),
        pytest.param({"errors": [{"code": 99999}, {"code": 349}]}, id="a known code after an unknown one"),
        pytest.param({"error": "text", "errors": [{"code": 349}]}, id="both forms"),
        pytest.param(b'{"errors":[{"code": 349 ,"message":"You cann', id="half JSON after the code"),
    ],
)
def test_a_code_is_found_in_every_form_of_body(body):
    assert type(answer(403, body)) is RecipientRefused


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("client-forbidden", AccountProblem, "client_forbidden"),
        ("unsupported-authentication", AccountProblem, "wrong_kind_of_token"),
        ("oauth1-permissions", AccountProblem, "app_permissions"),
        ("invalid-request", MessageRefused, "invalid_request"),
        ("resource-not-found", RecipientRefused, "no_such_resource"),
        ("usage-capped", RateLimited, "usage_capped"),
        ("nobody-knows", AccountProblem, "forbidden"),
    ],
)
def test_a_v2_problem_is_identified_by_the_last_part_of_its_type(name, kind, reason):
    body = {"title": "T", "detail": "D", "status": 403, "type": f"https://api.twitter.com/2/problems/{name}"}
    assert (type(answer(403, body)), answer(403, body).reason) == (kind, reason)


def test_v2_reports_an_unreachable_customer_in_words_only():
    detail = "You do not have permission to DM one or more participants."
    error = answer(403, {"title": "Forbidden", "detail": detail, "type": "about:blank", "status": 403}, sends=True)
    assert (type(error), error.row.ends_as) == (RecipientRefused, "cannot_dm")


@pytest.mark.parametrize("status", [401, 403])
def test_only_what_comes_without_a_code_may_pass(status):
    """v2 refuses single customers in words nobody knows, and what stands before X has refused single calls."""
    body = {"title": "Forbidden", "detail": "This operation is not permitted.", "type": "about:blank", "status": 403}
    assert all(answer(status, said, sends=True).row.may_pass for said in (body, b"<html>", b""))
    assert not answer(status, coded(32), sends=True).row.may_pass
    assert {"unauthorized"} == STOPS_READING - STOPS_AT_ONCE


def test_the_hybrid_of_453_holds_the_account():
    body = {
        "errors": [{"message": "You currently have access to a subset", "code": 453}],
        "title": "Forbidden",
        "status": 403,
        "type": "https://api.twitter.com/2/problems/client-forbidden",
    }
    assert (type(answer(403, body)), answer(403, body).reason) == (AccountProblem, "access_level")


def test_a_code_speaks_before_the_status():
    assert type(answer(429, coded(226))) is AccountProblem
    assert type(answer(403, coded(88))) is RateLimited


@pytest.mark.parametrize("status", [400, 403, 418])
def test_an_unknown_code_is_a_verdict_on_nobody(status):
    error = answer(status, coded(99999))
    assert (type(error), error.code, error.reason) == (Unexplained, 99999, "unexplained")
    assert not error.about_us


@pytest.mark.parametrize("status", [400, 418, 422])
def test_a_refusal_without_a_code_has_not_looked_at_the_message(status):
    assert answer(status, b"<html>no</html>").about_us


def test_a_duplicate_is_recognised_by_code_or_words():
    said = answer(403, coded(151, "There was an error sending your message: Whoops! You Already Said that."))
    assert (type(said), said.code, said.reason, said.row.had_before) == (MessageRefused, 151, "duplicate", True)
    assert answer(403, coded(187)).row.had_before
    assert not answer(403, coded(151)).row.had_before


@pytest.mark.parametrize(
    "said", [coded(151, "You have already sent this message."), coded(99999, "Status is a duplicate.")]
)
def test_a_duplicate_is_recognised_by_other_words_too(said):
    assert answer(403, said, sends=True).row.had_before


@pytest.mark.parametrize(
    "said",
    [
        {"detail": "This message has already been sent."},
        {"errors": [{"message": "Identical to a recent message."}]},
        {"title": "Duplicate message", "detail": "You are not permitted to do this.", "type": "about:blank"},
        {"reason": "duplicate-message"},
        {"type": "https://api.x.com/2/problems/duplicate-content", "title": "Forbidden"},
        {"error": "You already said that."},
        {"errors": [{"message": "duplicate message"}], "title": "Invalid Request", "type": INVALID},
    ],
)
def test_a_duplicate_is_recognised_wherever_x_says_it(said):
    found = answer(403, said, sends=True)
    assert (found.reason, found.row.had_before) == ("duplicate", True)


def test_a_parameter_that_quotes_our_own_words_is_no_duplicate():
    said = coded(214, "message_data.text: 'We have already sent you a duplicate' is not valid")
    assert not answer(400, said, sends=True).row.had_before


@pytest.mark.parametrize("quoted", ["[If you have already sent [it]\nthanks]", '"identical"', "`already said`"])
@pytest.mark.parametrize("kind", [INVALID, "about:blank"])
def test_what_x_quotes_of_our_own_words_is_no_duplicate(quoted, kind):
    said = {
        "errors": [{"message": f"The `text` value {quoted} is not valid"}],
        "type": kind,
        "title": "Invalid Request",
    }
    assert not answer(400, said, sends=True).row.had_before


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        ([{"code": 349}, {"code": 326}], 326, "account_locked"),
        ([{"code": 99999}, {"code": 349}, {"code": 453}], 453, "access_level"),
        ([{"code": 349}, {"code": 150}], 349, "cannot_dm"),
        ([{"code": 453}, {"code": 326}], 453, "access_level"),
        ([{"type": GONE}, {"type": FORBIDDEN}], None, "client_forbidden"),
        ([{"type": FORBIDDEN}, {"code": 349}], 349, "cannot_dm"),
    ],
)
def test_of_several_errors_the_one_about_our_account_counts(said, code, reason):
    error = answer(403, {"errors": said})
    assert (error.code, error.reason) == (code, reason)


def test_a_send_of_unclear_outcome_tells_of_the_account_all_the_same():
    error = answer(500, coded(326), sends=True)
    assert (type(error), error.reason, error.row.kind) == (OutcomeUnknown, "outcome_unknown", AccountProblem)


def test_a_duplicate_in_words_only_is_no_verdict():
    said = json.dumps({"title": "Forbidden", "detail": "You are not allowed to send duplicate content."}).encode()
    found = answer(403, said, sends=True)
    assert (type(found), found.row.had_before, found.about_us) == (Unexplained, True, False)
    assert not answer(403, said).row.had_before


@pytest.mark.parametrize("code", [214, 38])
def test_a_bad_parameter_is_named_and_its_value_is_not_repeated(code):
    error = answer(400, coded(code, "event.target.recipient_id: 'call me at home' is not a valid Long"))
    assert "recipient_id" in error.sentence
    assert "home" not in error.sentence


def test_words_of_x_are_not_repeated():
    secret = "our own text, sent back to us"
    for code, status, _ in DOCUMENTED:
        error = answer(status, coded(code, secret))
        assert secret not in f"{error} {error!r} {error.__dict__}"


RESET = int(NOW.timestamp()) + 300


@pytest.mark.parametrize(
    ("headers", "reset_at"),
    [
        ({"x-rate-limit-reset": str(RESET)}, NOW + timedelta(seconds=300)),
        ({"X-Rate-Limit-Reset": str(RESET)}, NOW + timedelta(seconds=300)),
        ({"x-rate-limit-reset": str(RESET), "retry-after": "7"}, NOW + timedelta(seconds=300)),
        ({"x-rate-limit-reset": "0"}, None),
        ({"x-rate-limit-reset": str(RESET - 330)}, None),
        ({"x-rate-limit-reset": "0", "retry-after": "600"}, NOW + timedelta(seconds=600)),
        ({"x-rate-limit-reset": str(RESET - 300), "retry-after": "0"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 11:59:00 GMT"}, None),
        ({"retry-after": "7"}, NOW + timedelta(seconds=7)),
        ({"retry-after": "Sun, 22 Nov 2026 12:05:00 GMT"}, NOW + timedelta(minutes=5)),
        ({"retry-after": "Sun, 22 Nov 2026 12:05:00 -0000"}, NOW + timedelta(minutes=5)),
        ({"x-rate-limit-reset": "soon", "retry-after": "9"}, NOW + timedelta(seconds=9)),
        ({}, None),
        ({"x-rate-limit-reset": ""}, None),
        ({"x-rate-limit-reset": str(RESET * 1000)}, None),
        ({"x-rate-limit-reset": "9" * 40}, None),
        ({"x-rate-limit-reset": "²"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "999999999"}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -1200"}, None),
        ({"retry-after": "whenever"}, None),
    ],
)
@pytest.mark.parametrize("status", [420, 429])
def test_a_limit_has_a_reset_or_none(status, headers, reset_at):
    error = answer(status, coded(88), headers, sends=True)
    assert type(error) is RateLimited
    assert error.reset_at == reset_at


DAY_RESET = RESET + 3600


@pytest.mark.parametrize(
    ("left", "reset_at"),
    [
        ({"x-rate-limit-remaining": "0"}, NOW + timedelta(seconds=300)),
        ({"x-rate-limit-remaining": "14"}, None),
        ({"x-rate-limit-remaining": "14", "retry-after": "7"}, NOW + timedelta(seconds=7)),
        (
            {"x-rate-limit-remaining": "14", "x-user-limit-24hour-remaining": "0",
             "x-user-limit-24hour-reset": str(DAY_RESET)},
            NOW + timedelta(seconds=3900),
        ),
        (
            {"x-rate-limit-remaining": "0", "x-app-limit-24hour-remaining": "0",
             "x-app-limit-24hour-reset": str(DAY_RESET)},
            NOW + timedelta(seconds=3900),
        ),
        (
            {"x-rate-limit-remaining": "0", "x-user-limit-24hour-remaining": "900",
             "x-user-limit-24hour-reset": str(DAY_RESET)},
            NOW + timedelta(seconds=300),
        ),
    ],
)  # fmt: skip
def test_only_the_window_that_is_used_up_says_when_to_come_back(left, reset_at):
    """X refuses for another limit than the one it counts in its headers, such as a customer's one card a day."""
    error = answer(429, coded(88), {"x-rate-limit-reset": str(RESET), **left}, sends=True)
    assert error.reset_at == reset_at


@pytest.mark.parametrize("code", [185, 344, 502])
def test_a_limit_of_the_accounts_day_rests_for_a_while_where_x_names_no_time(code):
    unnamed, named = answer(403, coded(code), {}), answer(403, coded(code), {"retry-after": "7"})
    assert (unnamed.reset_at, unnamed.back_at(NOW)) == (None, NOW + timedelta(minutes=15))
    assert named.reset_at == named.back_at(NOW) == NOW + timedelta(seconds=7)
    assert answer(429).back_at(NOW) is None


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"x-transaction-id": "abc123"}, "abc123"),
        ({"x-transaction": "00ff"}, "00ff"),
        ({"X-Transaction": "a\nb" + "x" * 100}, "ab" + "x" * 62),
        ({}, None),
    ],
)
def test_the_transaction_number_of_x_is_kept(headers, kept):
    assert answer(403, coded(349), headers).transaction == kept


def test_every_class_drawn_in_the_docstring_exists_and_is_an_x_error():
    drawn = [line.split()[1] for line in errors.__doc__.splitlines() if "-- " in line]
    assert len(drawn) == 11
    assert {name: getattr(errors, name).__mro__[1] for name in drawn} == dict.fromkeys(drawn, XError)


@settings(max_examples=100, deadline=None)
@given(
    status=st.integers(300, 999),
    body=st.binary(max_size=60) | st.sampled_from([b"{", b'{"errors":', b'{"errors":[{"code":1e999}]}', b"NaN"]),
    sends=st.booleans(),
)
def test_no_answer_is_too_strange(status, body, sends):
    assert isinstance(error_from(status, {}, body, sends=sends, now=NOW), XError)
