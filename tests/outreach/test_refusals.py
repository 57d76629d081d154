"""X's refusals: one that is about us ends no request, and one that proves a message arrived counts as sent."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.accounts import holds, standing
from service.db import reading, writing
from service.models import strange_refusal
from service.states import Failure, Skip, State
from service.x_api import AccountProblem
from tests.outreach.test_unclear import NEW, messages, ready
from tests.support import START, World

Said = tuple[int, Any, dict[str, str]]
USERS, FRIENDSHIP = "users/show", "friendships/show"
GONE = "<html>not found</html>"


def user(request: httpx.Request) -> Said:
    return 200, {"id_str": request.url.params.get("user_id", "501"), "screen_name": "u", "can_dm": True}, {}


def coded(code: int, status: int = 403, message: str = "x", **headers: str) -> Said:
    return status, {"errors": [{"code": code, "message": message}]}, headers


@pytest.fixture
def played(world_of: Callable[..., World]) -> Callable[..., World]:
    """A world whose X answers as told: by a part of the path, everything else with a user or 404."""

    def build(answers: Mapping[str, Said | Callable[[httpx.Request], Said]], **changes: Any) -> World:
        world = world_of(**{"campaigns__care__delay": "1s", **changes})

        def answer(request: httpx.Request) -> httpx.Response:
            told = next((told for part, told in answers.items() if part in request.url.path), None)
            told = told or (user if USERS in request.url.path else coded(34, 404))
            status, body, headers = told(request) if callable(told) else told
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            return httpx.Response(status, content=content, headers=headers)

        world.clients = {"acme": world.client("acme", httpx.MockTransport(answer))}
        return world

    return build


def forward(world: World, seconds: float = 0) -> None:
    world.clock.forward(seconds=seconds)
    world.run()


def ended(world: World, count: int = 5) -> list[str]:
    return [world.ended(f"c-{n}", x_user_id=str(600 + n)) for n in range(count)]


def outcomes(world: World, ids: list[str]) -> set[tuple[str, str | None]]:
    return {(world.request(each).state, world.request(each).reason) for each in ids}


def stands(world: World) -> standing.AccountStanding:
    with reading(world.engine) as connection:
        (found,) = standing.standings(connection)
    return found


def lift_hold(world: World) -> None:
    with writing(world.engine) as connection:
        holds.release(connection, "acme", world.clock.now)


# -- a code about us


@pytest.mark.parametrize("code", [467, 231, 37])
@pytest.mark.parametrize("where", [NEW, USERS])
def test_a_code_about_us_holds_the_account_and_burns_no_request(played: Any, where: str, code: int) -> None:
    world = played({where: coded(code)})
    ids = ended(world)
    for seconds in (0, 5, 600):
        forward(world, seconds)
    assert stands(world).hold_code == code
    assert all(world.request(each).outcome_at is None for each in ids)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("where", [NEW, USERS])
def test_a_code_about_us_holds_the_account_whatever_its_status(played: Any, where: str, status: int) -> None:
    world = played({where: coded(326, status)})
    ids = ended(world)
    for seconds in (0, 5, 600):
        forward(world, seconds)
    assert (stands(world).hold_code, stands(world).hold_reason) == (326, "account_locked")
    assert all(world.request(each).outcome_at is None for each in ids)


@pytest.mark.parametrize("code", [37, 87, 220, 453, 467])
def test_an_app_that_may_not_ask_for_friendships_writes_all_the_same(played: Any, code: int) -> None:
    def silent(request: httpx.Request) -> Said:
        return 200, {"id_str": request.url.params["user_id"], "screen_name": "u"}, {}

    sent = {NEW: (200, {"event": {"id": "77"}}, {}), "feedback/create": (200, {"id": "88"}, {})}
    world = played({USERS: silent, FRIENDSHIP: coded(code), **sent})
    ids = ended(world)
    for seconds in (0, 5, 5, 5):
        forward(world, seconds)
    assert stands(world).hold_reason is None
    assert outcomes(world, ids) == {(State.CARD_SENT, None)}


def test_the_accounts_day_is_used_up_and_it_pauses_and_goes_on(played: Any) -> None:
    answers = {NEW: coded(344)}
    world = played(answers)
    ids = ended(world)
    for seconds in (0, 5):
        forward(world, seconds)
    assert stands(world).hold_reason is None
    assert stands(world).paused_until == world.clock.now + timedelta(minutes=15)
    assert all(world.request(each).outcome_at is None for each in ids)
    assert {world.request(each).attempts for each in ids} == {0}


@pytest.mark.parametrize("code", [88, 185, 344, 502])
def test_one_customer_whom_another_tool_has_asked_today_delays_nobody_for_long(played: Any, code: int) -> None:
    def some(request: httpx.Request) -> Said:
        return coded(code) if b"to_user_id=600" in request.content else (200, {"id": "88"}, {})

    world = played({NEW: (200, {"event": {"id": "77"}}, {}), "feedback/create": some})
    ids = ended(world)
    for _ in range(8):
        forward(world, 60)
    assert outcomes(world, ids[1:]) == {(State.CARD_SENT, None)}
    assert outcomes(world, ids[:1]) == {(State.DM_SENT, "rate_limited")}


def test_an_unknown_code_met_by_three_customers_in_a_row_is_about_us(played: Any) -> None:
    world = played({NEW: coded(99999)})
    ids = ended(world)
    for seconds in (0, 5):
        forward(world, seconds)
    assert (stands(world).hold_code, stands(world).hold_reason) == (99999, "unexplained")
    assert all(world.request(each).outcome_at is None for each in ids)


def test_an_unknown_code_on_a_look_up_counts_too(played: Any) -> None:
    world = played({USERS: coded(99999)})
    ids = ended(world)
    forward(world)
    forward(world, 5)
    assert stands(world).hold_code == 99999
    assert all(world.request(each).outcome_at is None for each in ids)


def test_one_customer_meeting_it_repeatedly_holds_nothing(played: Any) -> None:
    def some(request: httpx.Request) -> Said:
        if b'"600"' in request.content:
            return coded(99999)
        return 200, {"event": {"id": "77"}}, {}

    world = played({NEW: some, "feedback/create": (200, {"id": "88"}, {})})
    ids = ended(world)
    for _ in range(8):
        forward(world, 60)
    assert stands(world).hold_reason is None
    assert outcomes(world, ids[1:]) == {(State.CARD_SENT, None)}
    assert outcomes(world, ids[:1]) == {(State.DM_ALLOWED, "unexplained")}


IN_WORDS = {"title": "Forbidden", "type": "about:blank", "status": 403, "detail": "This operation is not permitted."}


def test_words_nobody_knows_are_like_a_code_nobody_knows(played: Any) -> None:
    """X's v2 has no codes. It says so of some customers, between others who are written to."""

    def some(request: httpx.Request) -> Said:
        return (403, IN_WORDS, {}) if b'"600"' in request.content else (200, {"event": {"id": "77"}}, {})

    answers = {NEW: some, "feedback/create": (200, {"id": "88"}, {})}
    world = played(answers)
    ids = ended(world)
    for _ in range(3):
        forward(world, 60)
    assert stands(world).hold_reason is None
    assert outcomes(world, ids[1:]) == {(State.CARD_SENT, None)}
    assert outcomes(world, ids[:1]) == {(State.DM_ALLOWED, "forbidden")}
    answers[NEW] = (403, IN_WORDS, {})
    more = [world.ended(f"c-{n}", x_user_id=str(n), ended_at=world.clock.now) for n in range(700, 705)]
    for _ in range(3):
        forward(world, 60)
    assert stands(world).hold_reason == "forbidden"
    assert all(world.request(each).outcome_at is None for each in more)


@pytest.mark.parametrize("said", [(401, "", {}), (403, "<html>Just a moment...</html>", {})])
@pytest.mark.parametrize("where", [USERS, NEW])
def test_one_call_refused_without_a_code_holds_nobody_and_one_after_another_does(
    played: Any, said: Said, where: str
) -> None:
    """X's edge, or what stands before it, has refused single calls of accounts that were in order."""
    refusals = [said]

    def once(request: httpx.Request) -> Said:
        return refusals.pop() if refusals else user(request) if where == USERS else a_card_or(request)

    answers = {where: once, "feedback/create": (200, {"id": "88"}, {}), **({} if where == NEW else {NEW: a_card_or})}
    world = played(answers, worker__concurrency=1)
    ids = ended(world, 3)
    for _ in range(5):
        forward(world, 60)
    assert (stands(world).hold_reason, outcomes(world, ids)) == (None, {(State.CARD_SENT, None)})
    refusals += [said] * 3
    more = [world.ended(f"c-{n}", x_user_id=str(n), ended_at=world.clock.now) for n in range(700, 705)]
    for _ in range(5):
        forward(world, 60)
    assert stands(world).hold_reason == ("unauthorized" if said[0] == 401 else "forbidden")
    assert all(world.request(each).outcome_at is None for each in more)


def test_keys_that_x_refuses_one_customer_for_some_minutes_are_refused_to_all(played: Any) -> None:
    """A quiet account asks nobody else, and its conversations would end failed one after the other, unsaid."""
    world = played({USERS: lambda _: (401, {}, {})}, worker__concurrency=1)
    (only,) = ended(world, 1)
    forward(world, 60)
    assert stands(world).hold_reason is None
    for _ in range(12):
        forward(world, 60)
    assert stands(world).hold_reason == "unauthorized"
    assert world.request(only).outcome_at is None


def test_a_customer_alone_whose_messages_x_refuses_as_if_our_keys_were_wrong_holds_nobody_up(played: Any) -> None:
    def alone(request: httpx.Request) -> Said:
        return (401, "", {}) if b'"600"' in request.content else a_card_or(request)

    world = played({NEW: alone, "feedback/create": (200, {"id": "88"}, {})}, worker__concurrency=1)
    [refused] = ended(world, 1)
    others = []
    for number in range(700, 715):
        others.append(world.ended(f"c-{number}", x_user_id=str(number), ended_at=world.clock.now))
        forward(world, 60)
    forward(world, 60)
    assert (stands(world).hold_reason, outcomes(world, others)) == (None, {(State.CARD_SENT, None)})
    assert world.request(refused).attempts >= 4


@pytest.mark.parametrize(("reason", "held"), [("unauthorized", False), ("token_invalid", True), ("forbidden", False)])
def test_a_single_reading_call_holds_the_account_only_where_x_says_why(world: World, reason: str, held: bool) -> None:
    with writing(world.engine) as connection:
        holds.hold_if_refused(connection, "acme", AccountProblem("No.", reason=reason), world.clock.now)
    assert (stands(world).hold_reason == reason) is held


@pytest.mark.parametrize("said", [(403, IN_WORDS, {}), coded(99999)])
def test_a_few_who_meet_it_again_and_again_hold_nobody_up(played: Any, said: Said) -> None:
    """By day there were successes between them. In the night only they are tried again, and nothing new is learnt."""

    def some(request: httpx.Request) -> Said:
        return said if any(b'"60%d"' % n in request.content for n in (0, 2, 4)) else a_card_or(request)

    world = played({NEW: some, "feedback/create": (200, {"id": "88"}, {})}, worker__concurrency=1)
    ids = ended(world, 6)
    for _ in range(24 * 2):
        forward(world, 1800)
    assert stands(world).hold_reason is None
    assert [world.request(each).state for each in ids].count(State.CARD_SENT) == 3


@pytest.mark.parametrize("said", [coded(214, 400), coded(38), (409, "", {})])
def test_a_question_x_refuses_is_no_verdict_on_whom_it_was_about(played: Any, said: Said) -> None:
    """Say, for a field that the app's plan does not include."""
    world = played({USERS: said}, worker__concurrency=1)
    ids = ended(world, 8)
    for _ in range(8):
        forward(world, 60)
    assert stands(world).hold_reason in {"parameter_bad", "parameter_missing", "conflict"}
    assert all(world.request(each).outcome_at is None for each in ids)


def test_a_success_resets_the_count(played: Any) -> None:
    def some(request: httpx.Request) -> Said:
        to = json.loads(request.content)["event"]["message_create"]["target"]["recipient_id"]
        return (200, {"event": {"id": to}}, {}) if to == "603" else coded(99999)

    world = played({NEW: some, "feedback/create": (200, {"id": "88"}, {})})
    held = []
    for met in ((601, 602), (603,), (604,), (605, 606)):  # all within the four seconds before the first is tried again
        for number in met:
            world.ended(f"c-{number}", x_user_id=str(number))
        forward(world)
        forward(world, 1)
        held.append(stands(world).hold_code)
    assert held == [None, None, None, 99999]


def unsaid(request: httpx.Request) -> Said:
    """Whom we follow, and not whether we may write to them."""
    return 200, {"relationship": {"source": {"id_str": "1"}, "target": {"id_str": request.url.params["target_id"]}}}, {}


def test_another_refusal_does_not_reset_the_count(played: Any) -> None:
    """Of whom X never said yes, it says so only when we write."""

    def who(request: httpx.Request) -> Said:
        status, body, headers = user(request)
        return (status, {**body, "can_dm": None}, headers) if body["id_str"] == "603" else (status, body, headers)

    def some(request: httpx.Request) -> Said:
        return coded(349) if b'"603"' in request.content else coded(99999)

    world = played({USERS: who, FRIENDSHIP: unsaid, NEW: some})
    for met in ((601, 602), (603,), (604,)):
        ids = [world.ended(f"c-{number}", x_user_id=str(number)) for number in met]
        forward(world)
        forward(world, 1)
        if met == (603,):
            assert outcomes(world, ids) == {(State.SKIPPED, Skip.CANNOT_DM)}
    assert stands(world).hold_code == 99999


def test_a_release_resets_the_count(played: Any) -> None:
    world = played({NEW: coded(99999)})
    ended(world)
    forward(world, 0)
    forward(world, 5)
    lift_hold(world)
    with reading(world.engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(strange_refusal)) == 0


@pytest.mark.parametrize("columns", [{"x_user_id": "601"}, {"x_user_id": None, "x_handle": "ada"}])
def test_a_customer_who_blocked_us_is_unreachable(played: Any, columns: dict[str, Any]) -> None:
    world = played({USERS: coded(136)})
    blocked = world.ended("c-1", **columns)
    forward(world)
    forward(world, 5)
    assert outcomes(world, [blocked]) == {(State.SKIPPED, Skip.CANNOT_DM)}


# -- a path that is gone


@pytest.mark.parametrize("answer", [coded(34, 404), (404, GONE, {}), (400, "Bad Request", {}), (301, "", {})])
@pytest.mark.parametrize("where", ["/1.1/", NEW, "feedback/create"])
def test_a_missing_endpoint_is_about_us(played: Any, answer: Said, where: str) -> None:
    sent = (200, {"event": {"id": "77"}}, {})
    world = played({where: answer, NEW: sent})
    known = world.ended("a", x_user_id="601")
    by_name = world.ended("b", x_user_id=None, x_handle="fan")
    for seconds in (0, 5, 60):
        forward(world, seconds)
    assert stands(world).hold_reason in {"no_such_page", "not_found", "bad_request", "moved"}
    assert all(world.request(each).outcome_at is None for each in (known, by_name))


@pytest.mark.parametrize("code", [17, 50, 108])
def test_only_three_codes_speak_of_a_person(played: Any, code: int) -> None:
    world = played({USERS: coded(code, 404)})
    named = world.ended("a", x_user_id=None, x_handle="fan")
    known = world.ended("b", x_user_id="601")
    forward(world)
    forward(world, 5)
    assert outcomes(world, [named]) == {(State.SKIPPED, Skip.NO_X_IDENTITY)}
    assert outcomes(world, [known]) == {(State.SKIPPED, Skip.UNREACHABLE)}
    assert stands(world).hold_reason is None


# -- a verdict on one customer after another


def a_card_or(request: httpx.Request) -> Said:
    return 200, {"event": {"id": json.loads(request.content)["event"]["message_create"]["target"]["recipient_id"]}}, {}


@pytest.mark.parametrize(
    ("where", "code", "status"),
    [
        (NEW, 349, 403), (NEW, 150, 403), (NEW, 151, 403), (NEW, 108, 404), (NEW, 354, 400), (NEW, 38, 400),
        (NEW, 187, 403),
        ("feedback/create", 349, 403), ("feedback/create", 214, 400), ("feedback/create", 354, 403),
    ],
)  # fmt: skip
def test_repeated_refusals_are_no_verdict_on_customers(played: Any, where: str, code: int, status: int) -> None:
    """The account is restricted, or the campaign's address of its privacy notice is none: X says it of each message."""
    answers = {where: coded(code, status)} | ({} if where == NEW else {NEW: a_card_or})
    world = played(answers, worker__concurrency=1)
    ids = ended(world, 12)
    for _ in range(12):
        forward(world, 60)
    assert stands(world).hold_code == code
    assert [world.request(each).outcome_at is None for each in ids].count(False) == 2
    answers[where] = (200, {"id": "88"}, {}) if where != NEW else a_card_or
    answers["feedback/create"] = (200, {"id": "88"}, {})
    lift_hold(world)
    for _ in range(12):
        forward(world, 60)
    assert [world.request(each).state for each in ids].count(State.CARD_SENT) == 10


def test_refusals_without_a_can_dm_are_about_the_customers(played: Any) -> None:
    """An app without the privilege learns only from the message itself who takes none."""

    def silent(request: httpx.Request) -> Said:
        return 200, {"id_str": request.url.params["user_id"], "screen_name": "u"}, {}

    world = played({USERS: silent, FRIENDSHIP: unsaid, NEW: coded(349)}, worker__concurrency=1)
    ids = ended(world)
    for _ in range(5):
        forward(world, 60)
    assert outcomes(world, ids) == {(State.SKIPPED, Skip.CANNOT_DM)}
    assert stands(world).hold_reason is None


def test_refusals_between_successes_are_about_the_customers(played: Any) -> None:
    def every_other(request: httpx.Request) -> Said:
        said = a_card_or(request)
        return coded(349) if int(said[1]["event"]["id"]) % 2 else said

    world = played({NEW: every_other, "feedback/create": (200, {"id": "88"}, {})}, worker__concurrency=1)
    ids = ended(world, 8)
    for _ in range(8):
        forward(world, 60)
    assert stands(world).hold_reason is None
    assert outcomes(world, ids) == {(State.CARD_SENT, None), (State.SKIPPED, Skip.CANNOT_DM)}


# -- a limit whose end is over already


@pytest.mark.parametrize(
    ("headers", "at_most"),
    [
        ({"x-rate-limit-reset": "0"}, 2),
        ({"x-rate-limit-reset": "0", "retry-after": "600"}, 1),
        ({"x-rate-limit-reset": "past"}, 2),
        ({}, 2),
    ],
)
@pytest.mark.parametrize("where", [NEW, USERS])
def test_a_reset_in_the_past_is_ignored(played: Any, where: str, headers: dict[str, str], at_most: int) -> None:
    calls = 0

    def refuse(request: httpx.Request) -> Said:
        nonlocal calls
        calls += 1
        past = str(int(world.clock.now.timestamp()) - 30)
        said = {name: past if value == "past" else value for name, value in headers.items()}
        return coded(88, 429, **said)

    world = played({where: refuse}, worker__concurrency=1)
    ids = ended(world, 8)
    forward(world)
    for _ in range(59):
        forward(world, 1)
    assert 1 <= calls <= at_most
    assert {world.request(each).attempts for each in ids} == {0}


# -- said again


@pytest.mark.parametrize("answer", ["403/187", "403/151"])
@pytest.mark.parametrize(
    ("endpoint", "kind", "forgets"),
    [(NEW, "dm", {"list_lag_s": 86_400}), ("feedback/create", "card", {"card_dm_in_list": False})],
)
def test_a_repeat_refused_as_duplicate_proves_the_first_arrived(
    world_of: Callable[..., World], answer: str, endpoint: str, kind: str, forgets: dict[str, Any]
) -> None:
    world = world_of({"duplicate_dm": answer, **forgets})
    world.customers({"user_id": "501", "can_dm": True})
    world.fault(endpoint=endpoint, fault="drop_after_commit", times=1)
    request_id = ready(world)
    world.turns(12, seconds=60)
    first, repeat = [each for each in world.attempts(request_id) if each.kind == kind]
    assert (first.outcome, first.evidence) == ("sent", "duplicate")
    assert (repeat.outcome, repeat.evidence) == ("not_sent", "refused")
    assert world.request(request_id).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)
    asked_again = world.ended("c-2", ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert (world.request(asked_again).state, world.request(asked_again).reason) == (State.SKIPPED, Skip.COOLDOWN)


def test_a_duplicate_of_anothers_message_is_refused_as_before(world: World) -> None:
    world.fault(endpoint=NEW, fault="status", status=403, code=187, times=1)
    request_id = ready(world)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.reason) == (State.FAILED, Failure.MESSAGE_REFUSED)


# -- shown otherwise


TEXTS = {
    "opening": 'Thanks, \u2764\ufe0f \u201crid\u00e9r\u201d \u2067Ada\u2069: it\'s "so - or so".',
    "card": "How\u200b did we do?",
}


@pytest.mark.parametrize("shown", ["visible", "escaped"])
def test_a_text_altered_by_x_is_recognised(world_of: Callable[..., World], shown: str) -> None:
    world = world_of({"list_texts": shown}, campaigns__care__texts__en=TEXTS)
    world.customers({"user_id": "501", "can_dm": True})
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    request_id = ready(world, opening_text=TEXTS["opening"], card_text=TEXTS["card"])
    world.turns(8, seconds=60)
    assert world.request(request_id).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def test_an_ambiguous_text_ends_unknown_and_is_not_repeated(world_of: Callable[..., World]) -> None:
    world = world_of({"list_texts": "rewritten"})
    world.customers({"user_id": "501", "can_dm": True})
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    request_id = ready(world, opening_text=TEXTS["opening"])
    world.turns(30, seconds=60)
    row = world.request(request_id)
    assert (row.state, row.detail) == (State.UNKNOWN, "X shows a message so similar that it may be this one.")
    assert [each.evidence for each in world.attempts(request_id)] == ["alike"]
    assert (messages(world, "dm"), messages(world, "card")) == (1, 0)
    assert stands(world).x_away_since is None, "X has answered since, if only by its list"


# -- a yes in another form than X's

DM, CARD = "0192f3c1-a2b3-4c5d-8e7f-8091a2b3c4d5", "e" * 64


@pytest.mark.parametrize(
    ("dm_at", "card_at"),
    [
        ("1563133949197", "Sat Dec 15 17:58:20 +0000 2015"),
        ("32503680000000", "2999-01-01T00:00:00Z"),
        (None, None),
    ],
    ids=["long ago", "in a thousand years", "not said"],
)
def test_an_implausible_date_of_a_new_message_is_ignored(played: Any, dm_at: Any, card_at: Any) -> None:
    """Much is reckoned from it: until when the page answers, when X is asked, since when it is polled."""
    sent = {"event": {"id": DM, "created_timestamp": dm_at}}
    card = {"id": CARD, "dm_id": "77", "created_at": card_at}
    world = played({NEW: (200, sent, {}), "feedback/create": (200, card, {})})
    [request_id] = ended(world, 1)
    forward(world)
    forward(world, 5)
    row = world.request(request_id)
    assert (row.state, row.dm_sent_at, row.card_sent_at) == (State.CARD_SENT, world.clock.now, world.clock.now)


def test_ids_that_are_no_numbers_are_kept_as_they_are(played: Any) -> None:
    world = played(
        {NEW: (200, {"event": {"id": DM}}, {}), "feedback/create": (201, {"id": CARD, "dm_id": DM + "2"}, {})}
    )
    [request_id] = ended(world, 1)
    forward(world)
    forward(world, 5)
    row = world.request(request_id)
    assert (row.state, row.dm_event_id, row.feedback_id, row.card_dm_id) == (State.CARD_SENT, DM, CARD, DM + "2")
    assert {each.x_id for each in world.attempts(request_id)} == {DM, CARD}


LATER = str(int((START + timedelta(hours=20)).timestamp()))
THEIR_DAY = [
    {"x-rate-limit-remaining": "980", "x-rate-limit-reset": LATER},
    {"x-rate-limit-reset": LATER},
    {"retry-after": "72000"},
    {},
]


@pytest.mark.parametrize("headers", THEIR_DAY, ids=str)
def test_one_customers_own_limit_pauses_nobody_else_for_long(played: Any, headers: dict[str, str]) -> None:
    """X's one card a day and customer: whatever it says of when, it says of this one."""

    def some(request: httpx.Request) -> Said:
        return coded(88, 429, **headers) if b"to_user_id=600" in request.content else (200, {"id": "88"}, {})

    world = played({NEW: (200, {"event": {"id": "77"}}, {}), "feedback/create": some}, worker__concurrency=1)
    ids = ended(world, 3)
    for _ in range(8):
        forward(world, 60)
    assert outcomes(world, ids[1:]) == {(State.CARD_SENT, None)}
    assert outcomes(world, ids[:1]) == {(State.DM_SENT, "rate_limited")}


def test_a_limit_met_by_several_customers_is_the_accounts(played: Any) -> None:
    asked = list[bytes]()

    def all_day(request: httpx.Request) -> Said:
        asked.append(request.content)
        return coded(88, 429, **{"retry-after": "72000"})

    world = played({NEW: (200, {"event": {"id": "77"}}, {}), "feedback/create": all_day}, worker__concurrency=1)
    ids = ended(world, 5)
    for _ in range(60):
        forward(world, 60)
    assert stands(world).paused_until is not None
    assert world.clock.now + timedelta(hours=10) < stands(world).paused_until
    assert len(asked) <= 12, "and then it rests"
    assert all(world.request(each).outcome_at is None for each in ids)
