"""Faults and pushes over real TCP: dropped after the commit, hanging, garbled; and a receiver that records pushes."""

import base64
import hashlib
import hmac
import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from oauthlib.oauth1 import Client

from service.sandbox import Assumptions, SandboxConfig, SandboxServer, demo_account

IN_THE_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")  # a shell makes it ignore Ctrl-C
PATIENCE_S = 120  # costs nothing where all is well
CARD = {"type": "csat", "message": "How did we do?", "privacy_url": "https://b.example/p"}


@dataclass
class Wire:
    """A real HTTP client of a real sandbox."""

    server: SandboxServer
    http: httpx.Client

    def dm(self, recipient="501", timeout=PATIENCE_S):
        path, account = "/1.1/direct_messages/events/new.json", demo_account()
        signer = Client(account.consumer_key, account.consumer_secret, account.token, account.token_secret)
        url, headers, _ = signer.sign(self.server.url + path, "POST")
        inner = {"target": {"recipient_id": recipient}, "message_data": {"text": "hello"}}
        body = {"event": {"type": "message_create", "message_create": inner}}
        return self.http.post(url, json=body, headers=headers, timeout=timeout)

    def card(self, recipient="501"):
        account = demo_account()
        signer = Client(account.consumer_key, account.consumer_secret, account.token, account.token_secret)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(CARD | {"to_user_id": recipient})
        url, headers, body = signer.sign(self.server.url + "/1.1/feedback/create.json", "POST", body, form)
        return self.http.post(url, content=body, headers=headers)

    def control(self, path, **body):
        given = self.http.post(f"{self.server.url}/_control{path}", json=body)
        assert given.status_code == 200, given.text
        return given.json()

    def truth(self, **query):
        return self.http.get(f"{self.server.url}/_control/truth", params=query).json()

    def until(self, good):
        """Wait for what background threads do; a fact, not a pause."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            truth = self.truth()
            if good(truth):
                return truth
            threading.Event().wait(0.01)
        raise AssertionError(self.truth())


@pytest.fixture(scope="module")
def running():
    config = SandboxConfig(assumptions=Assumptions(list_lag_s=0, rate_limits=False), push_workers=1)
    with SandboxServer(config) as server, httpx.Client(trust_env=False, verify=False) as http:
        yield Wire(server, http)


@pytest.fixture
def wire(running):
    running.control("/reset")
    running.control("/customers", customers=[{"user_id": "501"}])
    return running


def committed(wire):
    return wire.truth(requests="0")["counts"]["messages"]


@pytest.mark.parametrize("how", ["reset", "close"])
def test_drop_after_commit_stores_the_message_and_kills_the_connection(wire, how):
    wire.control("/faults", fault="drop_after_commit", endpoint="direct_messages/events/new", times=1, how=how)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        wire.dm()
    truth = wire.truth()
    line = truth["requests"][0]
    assert truth["counts"]["messages"] == 1
    assert (line["status"], line["fault"]) == (None, "drop_after_commit")
    assert line["committed"] == truth["messages"][0]["id"]
    assert wire.dm().status_code == 200


def test_a_reset_is_a_tcp_reset(wire):
    wire.control("/faults", fault="drop_before", endpoint="*", times=1)
    with pytest.raises(httpx.ReadError, match="reset"):
        wire.dm()


def test_drop_before_stores_nothing(wire):
    wire.control("/faults", fault="drop_before", times=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        wire.dm()
    assert committed(wire) == 0


def test_a_card_dropped_after_commit_exists_with_its_dm(wire):
    wire.control("/faults", fault="drop_after_commit", endpoint="feedback/create", recipient="501", times=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        wire.card()
    truth = wire.truth()
    assert truth["cards"][0]["dm_id"] == truth["messages"][0]["id"]
    assert wire.card().status_code == 429


@pytest.mark.parametrize(
    ("rule", "status", "code", "stored"),
    [
        ({"fault": "status_after_commit"}, 503, 130, 1),
        ({"fault": "status_after_commit", "status": 500, "code": 131}, 500, 131, 1),
        ({"fault": "status", "status": 403, "code": 326}, 403, 326, 0),
        ({"fault": "status", "status": 401, "code": 89}, 401, 89, 0),
        ({"fault": "429"}, 429, 88, 0),
    ],
)
def test_status_faults_before_and_after_the_commit(wire, rule, status, code, stored):
    wire.control("/faults", times=1, **rule)
    given = wire.dm()
    assert (given.status_code, given.json()["errors"][0]["code"]) == (status, code)
    assert committed(wire) == stored


def test_429_with_and_without_headers(wire):
    def now_s():
        return wire.http.get(f"{wire.server.url}/_control/clock").json()["now_ms"] / 1000

    before_s = now_s()
    wire.control("/faults", fault="429", reset_in_s=30, retry_after_s=7, times=1)
    wire.control("/faults", fault="429", headers=False, times=1)
    first, second = wire.dm(), wire.dm()
    assert before_s - 1 <= int(first.headers["x-rate-limit-reset"]) - 30 <= now_s() + 1
    assert first.headers["retry-after"] == "7"
    assert not {"x-rate-limit-reset", "retry-after"} & set(second.headers)


@pytest.mark.parametrize(("when", "stored"), [("after", 1), ("before", 0)])
def test_a_hanging_answer_ends_when_the_client_leaves(wire, when, stored):
    wire.control("/faults", fault="hang", when=when, times=1)
    with pytest.raises(httpx.ReadTimeout):
        wire.dm(timeout=0.1)
    assert wire.until(lambda truth: truth["counts"]["messages"] == stored)


def test_a_reset_lets_hanging_requests_go(wire):
    wire.control("/faults", fault="hang", times=1)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(wire.dm)
        wire.until(lambda truth: truth["counts"]["messages"] == 1)
        wire.control("/reset")
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            hanging.result()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_slow_answer_comes_in_the_end(wire, when):
    wire.control("/faults", fault="slow", seconds=0.1, when=when, times=1)
    start = time.monotonic()
    assert wire.dm().status_code == 200
    assert time.monotonic() - start >= 0.1


@pytest.mark.parametrize(("fault", "status", "stored"), [("html", 503, 0), ("empty", 200, 0), ("half_json", 200, 1)])
def test_garbled_answers_are_no_json(wire, fault, status, stored):
    wire.control("/faults", fault=fault, times=1)
    given = wire.dm()
    assert given.status_code == status
    with pytest.raises(ValueError):
        given.json()
    assert committed(wire) == stored
    assert wire.dm().status_code == 200


def test_garbling_can_be_moved_to_the_other_side(wire):
    wire.control("/faults", fault="html", when="after", status=502, times=1)
    assert (wire.dm().status_code, committed(wire)) == (502, 1)


def test_rules_match_recipient_account_and_skip(wire):
    wire.control("/customers", customers=[{"user_id": "502"}])
    wire.control("/faults", fault="status", recipient="502", skip=1, times=1)
    wire.control("/faults", fault="status", account="someone else")
    assert [wire.dm(one).status_code for one in ("501", "502", "501", "502", "502")] == [200, 200, 200, 503, 200]
    rules = wire.http.get(f"{wire.server.url}/_control/faults").json()["rules"]
    assert [rule["hits"] for rule in rules] == [1, 0]
    first = rules[0]["id"]
    assert wire.http.delete(f"{wire.server.url}/_control/faults", params={"id": first}).json() == {"removed": 1}
    assert wire.http.delete(f"{wire.server.url}/_control/faults").json() == {"removed": 1}


def test_an_after_commit_fault_waits_for_a_commit(wire):
    wire.control("/faults", fault="status_after_commit", times=1)
    assert [wire.dm("7").status_code, wire.dm().status_code, wire.dm().status_code] == [404, 503, 200]


def test_probability_is_seeded(wire):
    def outcomes():
        wire.control("/reset")
        wire.control("/customers", customers=[{"user_id": "501"}])
        wire.control("/faults", fault="status", probability=0.5)
        return [wire.dm().status_code for _ in range(20)]

    first = outcomes()
    assert {200, 503} == set(first)
    assert outcomes() == first


def test_connections_are_kept_and_fifty_at_once_are_served(wire):
    def several(_):
        with httpx.Client(trust_env=False, verify=False) as http:
            mine = Wire(wire.server, http)
            return [mine.dm().status_code for _ in range(4)]

    with ThreadPoolExecutor(50) as pool:
        assert [status for part in pool.map(several, range(50)) for status in part] == [200] * 200
    ids = [one["id"] for one in wire.truth()["messages"]]
    assert len(set(ids)) == 200
    stream = wire.http.get(f"{wire.server.url}/_control/clock").extensions["network_stream"]
    again = wire.http.get(f"{wire.server.url}/_control/clock").extensions["network_stream"]
    assert stream.get_extra_info("client_addr") == again.get_extra_info("client_addr")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("start", [(), IN_THE_BACKGROUND], ids=["from a terminal", "in the background"])
def test_serve_runs_in_a_process_of_its_own_until_it_is_told_to_stop(stop, start):
    program = (
        "from service.sandbox import *; serve(SandboxConfig.demo(), '127.0.0.1', 0, lambda url: print(url, flush=True))"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [*start, sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root
    ) as it:
        url = it.stdout.readline().decode().strip()
        assert httpx.get(f"{url}/_control", trust_env=False, verify=False).json()["endpoints"]["users/show"]
        it.send_signal(stop)
        assert it.wait(timeout=PATIENCE_S) == 0
        assert it.stderr.read() == b""


def test_a_defect_of_the_sandbox_is_a_500_and_no_dropped_connection(wire, capsys):
    account = demo_account()
    signer = Client(account.consumer_key, account.consumer_secret, account.token, account.token_secret)
    wire.server.world.rules.append("not a rule")
    url, headers, _ = signer.sign(wire.server.url + "/1.1/account/verify_credentials.json")
    given = wire.http.get(url, headers=headers)
    assert (given.status_code, given.json()["errors"][0]["code"]) == (500, 131)
    assert "AttributeError" in capsys.readouterr().err


def test_scripts_run_while_nobody_asks(wire):
    wire.control("/clock", speed=1000)
    wire.control("/customers", customers=[{"user_id": "501", "script": [{"after_s": 20, "score": 3}]}])
    card = wire.card().json()
    world = wire.server.world
    end = time.monotonic() + PATIENCE_S
    while world.cards[int(card["id"])].score is None and time.monotonic() < end:
        threading.Event().wait(0.005)
    assert world.cards[int(card["id"])].score == 3


@dataclass
class Receiver:
    url: str
    statuses: list
    got: list = field(default_factory=list)


@pytest.fixture
def receiver():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            kept.got.append((dict(self.headers), body))
            self.send_response(kept.statuses.pop(0) if kept.statuses else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Receiver(f"http://127.0.0.1:{server.server_port}/hook", [])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()


@pytest.fixture
def pushed(wire, receiver):
    wire.control("/webhooks", url=receiver.url, user="x", password="secret")
    wire.control("/customers", range={"first_id": 1000, "count": 10})
    return receiver


def quiet(truth):
    return truth["pending"]["pushes"] == 0


def test_a_push_has_the_documented_body_and_basic_auth(wire, pushed):
    wire.card()
    wire.control("/customers/501/answer", score=4, text="Good")
    truth = wire.until(quiet)
    assert truth["counts"]["pushes"] == {"delivered": 2}
    headers, body = pushed.got[1]
    event = json.loads(body)
    assert headers["authorization"] == "Basic " + base64.b64encode(b"x:secret").decode()
    assert headers["content-type"] == "application/json"
    assert "x-twitter-webhooks-signature" not in headers
    assert (event["event_type"], event["feedback"]["question_variant_id"]) == ("feedback.updated", 0)
    assert event["feedback"]["response"]["score"]["value"] == 4
    assert truth["pushes"][1]["status"] == 200


def test_pushes_have_switches(wire, pushed):
    changes = {"webhook_signature": True, "webhook_on_create": False, "webhook_question_variant_id": "string"}
    wire.http.put(f"{wire.server.url}/_control/assumptions", json=changes)
    wire.card()
    wire.control("/customers/501/answer", score=4)
    wire.until(quiet)
    ((headers, body),) = pushed.got
    digest = hmac.new(demo_account().consumer_secret.encode(), body, hashlib.sha256).digest()
    assert headers["x-twitter-webhooks-signature"] == "sha256=" + base64.b64encode(digest).decode()
    assert json.loads(body)["feedback"]["question_variant_id"] == "0"
    wire.http.put(f"{wire.server.url}/_control/assumptions", json={"webhooks": False})
    wire.control("/customers/501/answer", text="more")
    assert len(wire.truth()["pushes"]) == 1


def test_a_refused_push_is_tried_again_by_switch(wire, pushed):
    pushed.statuses += [500, 500, 503]
    wire.card("1000")
    truth = wire.until(quiet)
    assert (truth["pushes"][0]["outcome"], truth["pushes"][0]["status"]) == ("refused", 500)
    wire.http.put(f"{wire.server.url}/_control/assumptions", json={"webhook_retries": 2})
    wire.card("1001")
    for attempts in (1, 2):
        wire.until(lambda truth, n=attempts: truth["pushes"][1]["attempts"] == n and quiet(truth))
        wire.control("/clock", advance_s=5)
    truth = wire.until(lambda truth: truth["pushes"][1]["attempts"] == 3 and quiet(truth))
    assert truth["pushes"][1]["outcome"] == "delivered"


def test_pushes_get_lost_and_doubled(wire, pushed):
    wire.control("/webhooks", mode={"lose": 1})
    wire.card("1000")
    wire.control("/webhooks", mode={"double": 1})
    wire.card("1001")
    truth = wire.until(quiet)
    assert [(one["fault"], one["outcome"]) for one in truth["pushes"]] == [
        ("lost", "lost"),
        (None, "delivered"),
        ("doubled", "delivered"),
    ]
    assert len({body for _, body in pushed.got}) == 1
    assert len(pushed.got) == 2


def test_pushes_are_delayed_and_reordered(wire, pushed):
    wire.control("/webhooks", mode={"delay": 1, "delay_s": [100, 200]})
    wire.card("1000")
    wire.control("/webhooks", mode={"reorder": 1})
    wire.card("1001")
    wire.card("1002")
    wire.until(lambda _: len(pushed.got) == 2)
    wire.control("/clock", advance_s=200)
    truth = wire.until(quiet)
    seen = [json.loads(body)["feedback"]["to_user_id"] for _, body in pushed.got]
    assert seen == ["1002", "1001", "1000"]
    assert [one["fault"] for one in truth["pushes"]] == ["delayed", "reordered", None]


def test_a_held_push_goes_out_when_nothing_overtakes_it(wire, pushed):
    wire.control("/webhooks", mode={"reorder": 1})
    wire.card("1000")
    wire.control("/clock", advance_s=30)
    assert wire.until(quiet)["counts"]["pushes"] == {"delivered": 1}


def test_an_unreachable_receiver_is_on_record(wire):
    wire.control("/webhooks", url="http://127.0.0.1:9/hook")
    wire.card()
    assert wire.until(quiet)["pushes"][0]["outcome"] == "unreachable"
