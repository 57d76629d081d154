"""The same sequence over X's v2, by OAuth 1.0a and OAuth 2.0: limits, look-ups, expiring and lost tokens."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.accounts import holds, standing, tokens
from service.accounts.tokens import AccountTokens
from service.db import reading, writing
from service.models import x_token
from service.requests import sends
from service.settings import SettingsError
from service.states import Kind, State
from service.x_api import AccountProblem, Bearer, Credentials, Temporary, XClientV2, XSignIn
from service.x_api.oauth2 import IssuedTokens, new_challenge
from tests.support import Clock, Dated, Dropping, World, settings_of

TEXTS = {"en": {"opening": "Thanks for writing.", "card": "How did we do?", "page": "Answer here: {page}"}}
V2 = {"accounts__acme__api": "v2", "campaigns__care__ways": ["page"], "campaigns__care__texts": TEXTS}
OAUTH_2 = {**V2, "accounts__acme__client_id": "app-1"}
BACK = "http://127.0.0.1:8765/"


def of_x(world: World) -> Callable[[], float]:
    """A stopwatch that goes as X's clock does, whatever ours is set to."""
    return lambda: world.x.get("/_control/clock").get_json()["now_ms"] / 1000


class Over(World):
    """A world that writes over v2; `connect` signs its account in by OAuth 2.0."""

    def client(self, name: str, transport: httpx.BaseTransport | None = None) -> XClientV2:
        a = self.settings.accounts[name]
        wire = transport or Dropping(httpx.WSGITransport(app=self.x_app))
        signer: Credentials | Bearer = Credentials(
            a.consumer_key, a.consumer_secret, a.token or "", a.token_secret or ""
        )
        if a.client_id is not None:
            alive = a.signature_tolerance
            signer = Bearer(self.tokens(name), clock=self.clock, alive=alive, stopwatch=of_x(self))
        return XClientV2(signer, base_url=a.base_url, clock=self.clock, transport=wire)

    def sign_in(self, name: str = "acme") -> XSignIn:
        a = self.settings.accounts[name]
        wire = Dropping(httpx.WSGITransport(app=self.x_app))
        assert a.client_id is not None
        return XSignIn(a.client_id, a.client_secret, base_url=a.base_url, clock=self.clock, transport=wire)

    def tokens(self, name: str = "acme") -> AccountTokens:
        return AccountTokens(self.engine, name, lambda: self.place.hash_key, self.sign_in(name), self.clock)

    def connect(self, name: str = "acme") -> None:
        challenge, sign_in = new_challenge(), self.sign_in(name)
        address = sign_in.address("http://sandbox.test/i/oauth2/authorize", BACK, challenge)
        sent = httpx.URL(self.x.get(address).headers["Location"])
        assert sent.params["state"] == challenge.state
        granted = sign_in.exchange(sent.params["code"], BACK, challenge)
        with writing(self.engine) as connection:
            tokens.put(connection, name, granted, self.place.hash_key, self.clock.now)

    def asked(self, endpoint: str) -> list[Any]:
        return [each for each in self.truth()["requests"] if each["endpoint"] == endpoint]

    def release(self, name: str = "acme") -> None:
        with writing(self.engine) as connection:
            holds.release(connection, name, self.clock.now)

    def held(self) -> str | None:
        with reading(self.engine) as connection:
            return standing.standings(connection)[0].hold_reason


@pytest.fixture
def over(engine: sa.Engine) -> Callable[..., Over]:
    def build(switches: dict[str, Any] | None = None, **changes: Any) -> Over:
        built = Over(engine, settings_of(**{**V2, **changes}), assumptions=switches or {})
        built.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
        return built

    return build


def sent(world: World) -> list[str]:
    return [each["text"] for each in world.truth()["messages"]]


def test_the_whole_sequence_goes_over_v2(over: Callable[..., Over]) -> None:
    world = over()
    request_id = world.ended()
    world.forward(minutes=2)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.way) == (State.CARD_SENT, "page")
    assert sent(world) == ["Thanks for writing.", f"Answer here: {world.place.links.to(request_id)}"]
    assert {each["endpoint"].startswith("2/") for each in world.truth()["requests"]} == {True}


def test_receives_your_dm_is_can_dm(over: Callable[..., Over]) -> None:
    world = over()
    world.customers({"user_id": "502", "can_dm": False})
    request_id = world.ended(x_user_id="502")
    world.forward(minutes=2)
    world.run()
    assert (world.request(request_id).state, world.request(request_id).reason) == (State.SKIPPED, "cannot_dm")


def test_a_user_x_does_not_find_is_skipped(over: Callable[..., Over]) -> None:
    world = over()
    request_id = world.ended(x_user_id="999")
    world.forward(minutes=2)
    world.run()
    assert (world.request(request_id).state, world.request(request_id).reason) == (State.SKIPPED, "unreachable")


@pytest.mark.parametrize("fault", ["drop_after_commit", "half_json"])
@pytest.mark.parametrize("skip", [0, 1])
def test_an_unclear_send_is_looked_up_with_that_one_person(over: Callable[..., Over], fault: str, skip: int) -> None:
    world = over()
    world.fault(endpoint="2/dm_conversations/messages", fault=fault, skip=skip, times=1)
    request_id = world.ended()
    world.forward(minutes=2)
    world.turns(8, minutes=2)
    assert world.request(request_id).state == State.CARD_SENT
    assert len(sent(world)) == 2, "none twice"
    assert world.asked("2/dm_conversations/dm_events")
    assert world.asked("direct_messages/events/list") == []


class Complaining(Dropping):
    """An X that answers a look-up with 200 and nothing but errors, as v2 does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/dm_events"):
            return httpx.Response(200, json={"errors": [{"title": "Not StepResult Error"}]}, request=request)
        return super().handle_request(request)


def test_a_failed_list_proves_no_absence(over: Callable[..., Over]) -> None:
    world = over()
    world.clients["acme"] = world.client("acme", Complaining(httpx.WSGITransport(app=world.x_app)))
    world.fault(endpoint="2/dm_conversations/messages", fault="drop_after_commit", times=1)
    request_id = world.ended()
    world.later(16, minutes=10)
    assert sent(world) == ["Thanks for writing."]
    assert (world.request(request_id).state, world.request(request_id).reason) == (State.UNKNOWN, "unclear_send")


class Empty(Dropping):
    """An X whose lists come out empty while its sends are done, as in an outage."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/dm_events"):
            return httpx.Response(200, json={"meta": {"result_count": 0}}, request=request)
        return super().handle_request(request)


class Endless(Dropping):
    """An X whose list with 501 has no messages and no end: each page names another next one."""

    pages = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/with/501/dm_events"):
            return super().handle_request(request)
        self.pages += 1
        return httpx.Response(200, json={"meta": {"next_token": str(self.pages)}}, request=request)


def test_a_list_with_one_customer_that_does_not_end_leaves_calls_for_the_others(over: Callable[..., Over]) -> None:
    world = over()
    world.clients["acme"] = world.client("acme", Endless(httpx.WSGITransport(app=world.x_app)))
    world.customers({"user_id": "502", "can_dm": True})
    world.fault(endpoint="2/dm_conversations/messages", fault="drop_after_commit", times=2)
    endless, other = world.ended(), world.ended("c-2", x_user_id="502")
    world.later(40, minutes=5)
    assert (world.request(endless).state, world.request(other).state) == (State.UNKNOWN, State.CARD_SENT)


def another(world: Over) -> None:
    """Somebody else gets both messages, and X's list has had its time to show them."""
    world.customers({"user_id": "502", "can_dm": True})
    world.ended(conversation_id="c-2", x_user_id="502")
    world.later(6, minutes=2)
    assert len(sent(world)) == 2


def test_a_list_with_whom_we_write_to_first_is_held_to_what_somebody_else_has(over: Callable[..., Over]) -> None:
    world = over()
    another(world)
    world.clients["acme"] = world.client("acme", Empty(httpx.WSGITransport(app=world.x_app)))
    world.fault(endpoint="2/dm_conversations/messages", fault="status_after_commit", times=1)
    request_id = world.ended(ended_at=world.clock.now)
    world.later(16, minutes=10)
    assert [each["text"] for each in world.truth()["messages"] if each["recipient"] == "501"] == ["Thanks for writing."]
    assert (world.request(request_id).state, world.request(request_id).reason) == (State.UNKNOWN, "unclear_send")


CARDS = {"campaigns__care__ways": ["card"]}
NO_CARDS = {"card_dm_in_list": False, "pair_scope": "off"}  # X's own guard against a second card would hide ours


def test_a_list_that_shows_no_cards_proves_no_card_absent(over: Callable[..., Over]) -> None:
    """It shows the opening, to this customer and to others."""
    world = over(NO_CARDS, **CARDS)
    another(world)
    world.fault(endpoint="feedback/create", fault="status_after_commit", times=1)
    request_id = world.ended(ended_at=world.clock.now)
    world.later(16, minutes=10)
    assert [each["via"] for each in world.truth()["messages"] if each["recipient"] == "501"] == ["dm", "card"]
    assert (world.request(request_id).state, world.request(request_id).reason) == (State.UNKNOWN, "unclear_send")


def test_a_list_without_cards_still_proves_openings(over: Callable[..., Over]) -> None:
    """Also while a card to somebody else is looked for in vain."""
    world = over(NO_CARDS, **CARDS)
    another(world)
    world.customers({"user_id": "503", "can_dm": True})
    world.fault(endpoint="feedback/create", fault="status_after_commit", times=1)
    card = world.ended(conversation_id="c-3", x_user_id="503", ended_at=world.clock.now)
    world.forward(minutes=2)
    world.run()
    world.fault(endpoint="2/dm_conversations/messages", fault="drop_before", times=1)
    request_id = world.ended(ended_at=world.clock.now)
    world.forward(minutes=2)
    world.turns(12, minutes=2)
    assert world.request(request_id).state == State.CARD_SENT
    assert world.request(card).state == State.DM_SENT
    assert [each["via"] for each in world.truth()["messages"] if each["recipient"] == "503"] == ["dm", "card"]


@pytest.mark.parametrize("others", [False, True])
def test_a_send_that_never_arrived_is_sent_again(over: Callable[..., Over], others: bool) -> None:
    world = over()
    if others:
        another(world)
    world.fault(endpoint="2/dm_conversations/messages", fault="drop_before", times=1)
    request_id = world.ended(ended_at=world.clock.now)
    world.forward(minutes=2)
    world.turns(12, minutes=2)
    assert world.request(request_id).state == State.CARD_SENT
    assert len(sent(world)) == 2 + 2 * others


def test_a_window_holds_as_many_messages_as_x_takes(over: Callable[..., Over]) -> None:
    world = over({"rate_limits": True}, accounts__acme__dms_per_window=4)
    for number in range(4):
        world.customers({"user_id": str(601 + number), "can_dm": True})
        world.ended(conversation_id=f"c-{number}", x_user_id=str(601 + number))
    world.forward(minutes=2)
    world.run()
    assert len(sent(world)) == 4
    world.forward(minutes=16)
    world.run()
    assert len(sent(world)) == 8
    assert not [each for each in world.truth()["requests"] if each["status"] == 429]


def test_accounts_of_one_app_share_its_day_fairly(engine: sa.Engine) -> None:
    """Six a day of the app: the busy account leaves the other its half as long as that one needs it, then takes it."""
    settings = settings_of(
        accounts__acme__app_dms_per_day=6,
        accounts__acme__expected_per_day=1,  # nobody is drawn out
        campaigns__care__stale_after="3d",  # nor too late, when the day's slots are free again
        **V2,
        accounts__bravo={
            "user_id": "77", "screen_name": "bravo", "base_url": "http://sandbox.test", "api": "v2",
            "consumer_key": "ck-acme", "consumer_secret": "cs-acme", "token": "77-t", "token_secret": "ts-b",
            "app_dms_per_day": 6,
        },
        sources__crm__account="acme",
    )  # fmt: skip
    world = Over(engine, settings)
    people = [{"user_id": str(600 + number), "can_dm": True} for number in range(8)]
    world.customers(*people)
    waits = world.ended(conversation_id="b", x_user_id="607", account="bravo")
    world.set(waits, scheduled_at=world.clock.now + timedelta(minutes=30))
    for number in range(5):
        world.ended(conversation_id=f"a-{number}", x_user_id=str(600 + number))
    world.forward(minutes=2)
    world.run()
    assert len(sent(world)) == 4, "three of its half, and the one that bravo's two do not need"
    world.forward(minutes=40)
    world.run()
    assert world.request(waits).state == State.CARD_SENT
    assert len(sent(world)) == 6
    world.forward(days=1, minutes=30)
    world.run()
    assert len(sent(world)) > 6


def test_what_another_account_of_the_app_sends_over_v1_1_uses_nothing_of_the_day_over_v2(engine: sa.Engine) -> None:
    """X counts the calls of each of its APIs by themselves; accounts may go over to v2 one after the other."""
    settings = settings_of(
        accounts__acme__app_dms_per_day=4,
        **V2,
        accounts__bravo={
            "user_id": "77", "screen_name": "bravo", "base_url": "http://sandbox.test",
            "consumer_key": "ck-acme", "consumer_secret": "cs-acme", "token": "77-t", "token_secret": "ts-b",
        },
        sources__crm__account="acme",
    )  # fmt: skip
    world = Over(engine, settings)
    world.customers({"user_id": "601", "can_dm": True})
    for number in range(5):
        theirs = world.ended(conversation_id=f"b-{number}", x_user_id=str(700 + number), account="bravo")
        world.set(theirs, state="card_sent", dm_sent_at=world.clock.now, card_sent_at=world.clock.now)
        with writing(engine) as connection:
            for kind in Kind.OPENING, Kind.ASKING:
                attempt = sends.intend(connection, world.request(theirs), kind, world.clock.now)
                sends.settle(connection, attempt, "sent", "answer", world.clock.now, f"{kind}-{number}")
    mine = world.ended(conversation_id="a", x_user_id="601")
    world.forward(minutes=2)
    world.run()
    assert world.request(mine).state == State.CARD_SENT


# -- OAuth 2.0 --------------------------------------------------------------------------------------------------------


def test_an_account_that_nobody_connected_is_held_and_says_so(over: Callable[..., Over]) -> None:
    world = over(**OAUTH_2)
    request_id = world.ended()
    world.forward(minutes=2)
    world.run()
    assert (world.held(), world.request(request_id).reason) == ("sign_in_lost", "account_held")
    assert world.truth()["requests"] == []


def test_a_connected_account_writes_and_renews_its_tokens_as_they_end(over: Callable[..., Over]) -> None:
    world = over(**OAUTH_2)
    world.connect()
    first = world.ended()
    world.forward(minutes=2)
    world.run()
    world.customers({"user_id": "502", "can_dm": True})
    for _ in range(3):  # each refresh token is good once: a second use of one would lose the sign-in
        world.forward(hours=3)
        world.tokens().current()
    second = world.ended(conversation_id="c-2", x_user_id="502", ended_at=world.clock.now)
    world.forward(minutes=2)
    world.run()
    assert [world.request(each).state for each in (first, second)] == [State.CARD_SENT] * 2
    assert [each["status"] for each in world.asked("oauth2/token")] == [200] * 4


@pytest.mark.parametrize(("lives", "used"), [(8, 6), (60, 45), (7200, 7140)])
def test_a_token_is_used_until_shortly_before_it_ends(over: Callable[..., Over], lives: int, used: int) -> None:
    world = over(**OAUTH_2)
    with writing(world.engine) as connection:
        short = IssuedTokens("short", "not-x-s", timedelta(seconds=lives))
        tokens.put(connection, "acme", short, world.place.hash_key, world.clock.now)
    world.clock.forward(seconds=used - 1)
    assert world.tokens().current() == "short"
    world.clock.forward(seconds=1)
    with pytest.raises(AccountProblem):
        world.tokens().current()


@pytest.mark.parametrize("minutes", [-60, 6])
def test_a_clock_that_is_set_wrong_between_two_calls_is_noticed_before_the_send(
    over: Callable[..., Over], minutes: int
) -> None:
    world = over(**OAUTH_2)
    world.connect()
    with world.client("acme", Dated(world)) as x:
        x.show_user(user_id="501")
        world.clock.forward(minutes=minutes)
        with pytest.raises(Temporary, match="clock"):
            x.send_dm("501", "Hello.", signed_at=world.clock.now)
        assert x.verify_credentials().value.id, "who we are is so at any time"
    assert sent(world) == []


class Mute(Dated):
    """The same, whose line breaks as soon as it is asked who we are."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/2/users/me"):
            raise httpx.ReadTimeout("no answer", request=request)
        return super().handle_request(request)


def test_a_question_for_the_time_that_is_lost_is_no_lost_message(over: Callable[..., Over]) -> None:
    world = over(**OAUTH_2)
    world.connect()
    with world.client("acme", Mute(world)) as x:
        x.show_user(user_id="501")
        world.clock.forward(minutes=6)
        with pytest.raises(Temporary) as lost:
            x.send_dm("501", "Hello.", signed_at=world.clock.now)
    assert lost.value.reason == "read_timeout"
    assert sent(world) == []


@pytest.mark.parametrize("minutes", [-60, -6, 6, 60])
def test_while_our_clock_is_wrong_nothing_is_sent_and_nothing_proven(over: Callable[..., Over], minutes: int) -> None:
    """Else the message X has would be looked for at another time, not found, and sent again."""
    world = over(**OAUTH_2)
    world.connect()
    world.clients["acme"] = world.client("acme", Dated(world))
    another(world)
    world.fault(endpoint="2/dm_conversations/messages", fault="status_after_commit", times=1)
    request_id = world.ended(ended_at=world.clock.now)
    world.forward(minutes=2)
    world.run()
    world.clock.forward(minutes=minutes)
    world.later(8, minutes=2)
    assert len(sent(world)) == 3, "the opening that is unclear"
    world.clock.forward(minutes=-minutes)
    world.later(30, minutes=2)
    assert world.request(request_id).state == State.CARD_SENT
    assert len(sent(world)) == 4


def test_a_message_goes_once_the_clock_is_right_again(over: Callable[..., Over]) -> None:
    """X is asked for the time first: there may be nothing else to ask it for."""
    world = over(**OAUTH_2)
    world.connect()
    with world.client("acme", Dated(world)) as x:
        world.clock.forward(minutes=6)
        for _ in range(2):
            with pytest.raises(Temporary, match="clock"):
                x.show_user(user_id="501")
            with pytest.raises(Temporary, match="clock"):
                x.send_dm("501", "Hello.", signed_at=world.clock.now)
        world.clock.forward(minutes=-6)
        assert x.send_dm("501", "Hello.", signed_at=world.clock.now).value.id
    assert sent(world) == ["Hello."]


def test_tokens_are_encrypted_in_the_database(over: Callable[..., Over]) -> None:
    world = over(**OAUTH_2)
    world.connect()
    token = world.tokens().current()
    with reading(world.engine) as connection:
        row = connection.execute(sa.select(x_token)).one()
    assert token not in str(row)
    assert "refresh" not in repr(IssuedTokens("a-token", "a-refresh-token", world.clock.now - world.clock.now))


def test_a_token_that_x_revokes_early_is_renewed_and_the_message_sent_once(over: Callable[..., Over]) -> None:
    world = over(**OAUTH_2)
    world.connect()
    world.x_app.extensions["sandbox"].sign_ins.access.clear()
    request_id = world.ended()
    world.forward(minutes=2)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert len(sent(world)) == 2


@pytest.mark.parametrize(("status", "code"), [(400, 1), (401, 1), (403, 1)])
def test_a_refresh_token_that_x_refuses_holds_the_account(over: Callable[..., Over], status: int, code: int) -> None:
    world = over(**OAUTH_2)
    world.connect()
    world.forward(hours=3)
    world.fault(endpoint="oauth2/token", fault="status", status=status, code=code, times=1)
    request_id = world.ended(ended_at=world.clock.now)
    world.forward(minutes=2)
    world.run()
    assert world.held() == "sign_in_lost"
    world.run()
    assert len(world.asked("oauth2/token")) == 2, "the consent and one refusal: X is not asked again"
    world.release()  # it was the app that X refused: a wrong client_id, which is right by now
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


def test_a_late_failure_keeps_tokens_renewed_meanwhile(over: Callable[..., Over]) -> None:
    world = over(**OAUTH_2)
    world.connect()
    late, other = world.tokens(), world.tokens()
    held = late._held()
    world.forward(hours=3)
    renewed = other.current()
    assert late._ask(held) == renewed  # X refuses the token that the other has spent
    assert late.current() == renewed


def test_a_late_renewal_leaves_what_a_person_has_connected_meanwhile(over: Callable[..., Over]) -> None:
    world = over(**OAUTH_2)
    world.connect()
    late, held = world.tokens(), world.tokens()._held()
    world.connect()
    connected = late.current()
    assert late._ask(held) == connected == late.current()


@pytest.mark.parametrize("ahead", [-90, -1, 1, 90])
def test_two_machines_with_differing_clocks_do_not_renew_at_once(over: Callable[..., Over], ahead: int) -> None:
    world = over(**OAUTH_2)
    world.connect()
    one, other = world.tokens(), world.tokens()
    other._clock = Clock(world.clock.now + timedelta(seconds=ahead))
    held = one._held()
    assert (one._begin(held), other._begin(held)) == (True, False)


def test_tokens_are_kept_when_the_database_is_back(over: Callable[..., Over], monkeypatch: pytest.MonkeyPatch) -> None:
    world = over(**OAUTH_2)
    world.connect()
    world.forward(hours=3)
    real, tries = tokens.renew, list[int]()

    def away_once(*args: Any) -> bool:
        tries.append(1)
        if len(tries) == 1:
            raise sa.exc.OperationalError("UPDATE", {}, Exception("locked"))
        return real(*args)

    monkeypatch.setattr(tokens, "renew", away_once)
    monkeypatch.setattr(tokens, "KEEP_AGAIN_S", 0)
    assert world.tokens().current()
    assert len(tries) == 2
    assert len(world.asked("oauth2/token")) == 2, "the consent and one renewal"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_unwell_token_endpoint_costs_only_time(over: Callable[..., Over], status: int) -> None:
    world = over(**OAUTH_2)
    world.connect()
    world.forward(hours=3)
    world.fault(endpoint="oauth2/token", fault="status", status=status, code=130, times=2)
    request_id = world.ended(ended_at=world.clock.now)
    world.forward(minutes=2)
    world.turns(10, minutes=5)
    assert world.held() is None
    assert world.request(request_id).state == State.CARD_SENT
    assert len(sent(world)) == 2


@pytest.mark.parametrize("fault", ["drop_after_commit", "half_json"])
def test_an_answer_with_the_next_token_that_gets_lost_loses_the_sign_in(over: Callable[..., Over], fault: str) -> None:
    """Nothing can prevent it: X has spent the old one. It costs a person's sign-in, and no customer anything."""
    world = over(**OAUTH_2)
    world.connect()
    world.forward(hours=3)
    world.fault(endpoint="oauth2/token", fault=fault, times=1)
    request_id = world.ended(ended_at=world.clock.now)
    world.forward(minutes=2)
    world.turns(4, minutes=5)
    assert world.held() == "sign_in_lost"
    assert world.request(request_id).reason == "account_held"
    assert sent(world) == []
    world.connect()
    world.release()
    world.turns(3, minutes=5)
    assert world.request(request_id).state == State.CARD_SENT


def test_two_workers_renew_once(over: Callable[..., Over]) -> None:
    world = over(**OAUTH_2)
    world.connect()
    one, other = world.tokens(), world.tokens()
    old = one.current()
    world.forward(hours=3)
    assert one.renewed(old) == other.renewed(old) == other.current()
    assert len(world.asked("oauth2/token")) == 2


def test_a_message_of_a_worker_that_slept_is_not_let_out(over: Callable[..., Over]) -> None:
    world = over(**OAUTH_2)
    world.connect()
    meant = world.clock.now
    world.forward(minutes=6)
    with pytest.raises(Temporary):
        world.clients["acme"].send_dm("501", "late", signed_at=meant)
    assert sent(world) == []


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        (
            {"accounts__acme__api": "v2", "campaigns__care__ways": ["quick_reply"]},
            "campaigns.care.ways",
            "v2 does not support",
        ),
        ({"accounts__acme__client_id": "a"}, "accounts.acme.client_id", "refuses OAuth 2.0 on v1.1"),
        ({**OAUTH_2, "campaigns__care__ways": ["card", "page"]}, "campaigns.care.ways", "only v1.1 supports"),
        ({"accounts__acme__token": None}, "accounts.acme.token", "is missing"),
        ({**V2, "accounts__acme__dms_per_day": 1500}, "accounts.acme.dms_per_day", "1440"),
    ],
)
def test_settings_v2_and_oauth_2_cannot_serve_are_reported(changes: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(**{"campaigns__care__texts": {"en": {**TEXTS["en"], "quick_reply": "Tap one."}}, **changes})
    assert [each for each in refused.value.problems if each.path == path and words in each.sentence]


@pytest.mark.parametrize("many", [5, 20])
def test_more_unclear_sends_than_calls_in_a_window_are_all_cleared_up(over: Callable[..., Over], many: int) -> None:
    """Whether X's lists hide what we sent is asked before they have used up the window."""
    world = over()
    world.customers(*({"user_id": str(600 + n), "can_dm": True} for n in range(many)))
    first = world.ended(x_user_id="501")
    world.forward(minutes=2)
    world.turns(4, minutes=6)
    assert world.request(first).state == State.CARD_SENT
    requests = [world.ended(f"d-{n}", x_user_id=str(600 + n)) for n in range(many)]
    world.forward(minutes=2)
    world.fault(endpoint="2/dm_conversations/messages", fault="drop_before", times=many)
    world.turns(60, minutes=4)
    assert {world.request(each).state for each in requests} == {State.CARD_SENT}
