"""/_control: customers and their scripts, clock, reset, switches, truth, and its own documentation."""

import json

import pytest

from service.sandbox import Assumptions, BusinessAccount, SandboxConfig, create_sandbox
from service.sandbox.grammar import INDEX, ROUTES
from service.sandbox.state import Visit

BASE = "http://x.test"


def test_every_example_of_the_grammar_works(x, control):
    x.card("501")
    for route in ROUTES:
        given = x.sandbox.open(route["path"], method=route["method"], base_url=BASE, json=route.get("body"))
        assert given.status_code == 200, (route["path"], given.data)
        if route["path"] == "/_control/customers":  # the customers are new, their cards are not
            assert given.get_json()["created"] == 20_004
            x.card("501")
        if route["path"] == "/_control/reset":
            control.customer("501")


def test_the_index_names_every_route_and_endpoint(app, control):
    index = control.get()
    documented = {(one["method"], one["path"].replace("501", "<user_id>")) for one in index["routes"]}
    real = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/_control")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert documented == real
    assert len(index["endpoints"]) == 18


@pytest.mark.parametrize(
    ("peer", "status"),
    [("127.0.0.1", 200), ("127.8.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.1", 403), ("", 403)],
)
def test_only_this_machine_may_control(app, peer, status):
    given = app.test_client().get(
        "/_control/truth", environ_base={"REMOTE_ADDR": peer}, headers={"X-Forwarded-For": "127.0.0.1"}
    )
    assert given.status_code == status


def test_a_script_is_played_at_its_own_times(x, control):
    script = [{"after_s": 1.5, "score": 4}, {"after_s": 3, "text": "Thanks"}, {"after_s": 4, "dm": "One more thing"}]
    control.customer("501", script=script)
    x.card("501")
    assert control.truth()["pending"]["agenda"] == 3
    control.advance(2)
    card = control.truth()["cards"][0]
    assert (card["score"], card["text"]) == ({"value": 4, "at_ms": 1_790_000_001_500}, None)
    control.advance(86_400)
    card = control.truth()["cards"][0]
    assert card["text"] == {"value": "Thanks", "at_ms": 1_790_000_003_000}
    assert [one["at_ms"] for one in card["updates"]] == [1_790_000_000_000, 1_790_000_001_500, 1_790_000_003_000]
    assert control.truth()["messages"][-1]["via"] == "customer"


def test_scripts_dismiss_stay_silent_and_roll_dice(x, control):
    control.customer("502", script=[{"after_s": 1, "dismiss": True}, {"after_s": 2, "score": 5}])
    control.customer("503", script=[{"never": True}])
    control.customer("504", script=[{"after_s": 1, "score": "random", "text": "both"}])
    for one in ("502", "503", "504"):
        x.card(one)
    control.advance(10)
    truth = control.truth()
    dismissed, silent, rolled = truth["cards"]
    assert dismissed["dismissed_ms"] == 1_790_000_001_000
    assert dismissed["score"] is None
    assert truth["script_errors"][0]["status"] == 403
    assert silent["updates"] == [{"event_type": "feedback.created", "at_ms": 1_790_000_000_000}]
    assert rolled["score"]["value"] in range(1, 6)
    assert len(rolled["updates"]) == 2


def test_a_default_profile_chooses_among_scripts_by_customer(x, control):
    control.switch(auto_create_customers=True)
    control.post("/customers", default={"script_any_of": [[{"after_s": 1, "score": 5}], []]})
    for number in range(40):
        x.card(str(7_000 + number))
    control.advance(2)
    answered = control.truth()["counts"]["answered"]
    assert 0 < answered < 40


@pytest.mark.parametrize(("switch", "answered"), [(False, 1), (True, 0)])
def test_an_unrendered_nps_card_is_never_answered(x, control, switch, answered):
    control.switch(nps_unrendered=switch)
    control.customer("501", script=[{"after_s": 0, "score": 9}])
    x.card("501", type="nps")
    assert control.truth()["counts"]["answered"] == answered


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/customers", {"customers": [{"user_id": "abc"}]}),
        ("/customers", {"customers": [{"user_id": "7", "colour": "red"}]}),
        ("/customers", {"customers": [{"user_id": "7", "can_dm": "perhaps"}]}),
        ("/customers", {"customers": [{"user_id": "7", "dm_error": "no"}]}),
        ("/customers", {"customers": [{"user_id": "7", "script": {"after_s": 1}}]}),
        ("/customers", {"customers": [{"user_id": "7", "script": [{"after_s": -1}]}]}),
        ("/customers", {"customers": [{"user_id": "7", "script": [{"score": "five"}]}]}),
        ("/customers", {"customers": [{"user_id": "7", "script": [{"shout": "x"}]}]}),
        ("/customers", {"customers": [{"user_id": "7"}, {"user_id": "99"}]}),
        ("/customers", {"default": {"colour": "red"}}),
        ("/faults", {"fault": "earthquake"}),
        ("/faults", {"fault": "slow", "colour": "red"}),
        ("/faults", {"fault": "slow", "id": 4}),
        ("/faults", {"fault": "status", "when": "after"}),
        ("/faults", {"fault": "hang", "how": "gently"}),
        ("/faults", {"fault": "slow", "endpoint": "tweets"}),
        ("/faults", {"rules": "all"}),
        ("/faults", {"fault": "slow", "times": "1"}),
        ("/faults", {"fault": "slow", "recipient": 501}),
        ("/customers", {"customers": [{"user_id": "7", "script": [{"dm": 5}]}]}),
        ("/customers", {"range": {"first_id": 7}}),
        ("/customers/501/answer", {"score": 4.5}),
        ("/clock", {"advance_s": -1}),
        ("/clock", {"speed": -1}),
        ("/clock", {"back_s": 1}),
        ("/reset", {"keep": ["everything"]}),
        ("/webhooks", {"mode": {"lose": 2}}),
        ("/webhooks", {"mode": {"eat": 1}}),
    ],
)
def test_invalid_input_is_answered_400_with_a_sentence(x, control, path, body):
    given = x.sandbox.post(f"/_control{path}", base_url=BASE, json=body)
    assert given.status_code == 400, given.data
    assert x.sandbox.get("/_control/customers/7", base_url=BASE).status_code == 404, "nobody is created"
    assert given.get_json()["code"] == "invalid"
    assert given.get_json()["message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": 1},
        {"dates": "roman"},
        {"dms_per_day": "many"},
        {"pair_limit": "no"},
        {"list_lag_s": [5, 1]},
        {"events_empty_pages": [0]},
        {"shut_down": 1},
        {"card_expires_after_s": -1},
        {"create_status": True},
    ],
)
def test_a_wrong_switch_changes_nothing(x, control, changes):
    before = control.get("/assumptions")
    given = x.sandbox.put("/_control/assumptions", base_url=BASE, json={"urls_as_tco": False, **changes})
    assert given.status_code == 400
    assert control.get("/assumptions") == before


def test_a_customer_answers_at_once_or_is_refused(x, control):
    def answer(user_id, **body):
        return x.sandbox.post(f"/_control/customers/{user_id}/answer", base_url=BASE, json=body)

    assert answer("501", score=5).status_code == 404
    card_id = x.card("501").body["id"]
    assert answer("501", score=5, feedback_id=card_id).get_json()["score"]["value"] == 5
    assert answer("501", score=4).status_code == 409
    assert x.sandbox.get("/_control/customers/888", base_url=BASE).status_code == 404
    assert x.sandbox.post("/_control/customers/888/dm", base_url=BASE, json={"text": "x"}).status_code == 404


def test_the_truth_has_filters(x, control):
    control.customer("502")
    x.dm("501", "first")
    control.advance(10)
    x.dm("502", "second")
    x.card("502")
    whole = control.truth()
    assert [one["text"] for one in whole["messages"]] == ["first", "second", "How did we do?"]
    assert whole["counts"]["messages_via"] == {"dm": 2, "card": 1}
    assert whole["counts"]["requests"]["direct_messages/events/new"] == {"200": 2}
    assert [one["committed"] for one in whole["requests"][:2]] == [one["id"] for one in whole["messages"][:2]]
    assert whole["cards"][0]["dm_id"] == whole["messages"][2]["id"]
    assert "requests" not in control.truth(requests="0")
    assert [one["text"] for one in control.truth(recipient="501")["messages"]] == ["first"]
    assert len(control.truth(since_ms=str(1_790_000_010_000))["messages"]) == 2


def test_a_refusal_is_on_record_with_its_code(x, control):
    x.dm("7")
    line = control.truth()["requests"][0]
    wanted = {"endpoint": "direct_messages/events/new", "status": 404, "code": 50, "recipient": "7", "committed": None}
    assert {name: line[name] for name in wanted} == wanted


def test_reset_clears_everything_except_what_it_keeps(app, x, control):
    app.extensions["sandbox"].visits.append(Visit(link="http://127.0.0.1/f/old", user_id="5", at_ms=1))
    control.switch(dates="collapsed")
    control.fault("slow", times=1)
    control.advance(500)
    x.dm("501")
    assert control.post("/reset", keep=["customers", "assumptions", "clock"])["now_ms"] == 1_790_000_500_000
    truth = control.truth()
    assert (truth["counts"]["messages"], truth["visits"]) == (0, [])
    assert control.get("/faults")["rules"] == []
    assert control.get("/assumptions")["assumptions"]["dates"]["value"] == "collapsed"
    assert x.get("users/show", user_id="501").status == 200
    assert control.post("/reset")["now_ms"] == 1_790_000_000_000
    assert control.get("/assumptions")["assumptions"]["dates"]["value"] == "spaced"
    assert x.get("users/show", user_id="501").code == 50


def test_the_clock_runs_at_its_speed(app, wall, control):
    assert control.post("/clock", speed=60)["speed"] == 60
    wall[0] += 10
    assert control.get("/clock")["now_ms"] == 1_790_000_600_000
    control.post("/clock", speed=0)
    wall[0] += 10
    assert control.get("/clock")["now_ms"] == 1_790_000_600_000


def test_a_configuration_is_read_from_json(tmp_path):
    account = {
        "name": "A",
        "user_id": "5",
        "screen_name": "a",
        "consumer_key": "k",
        "consumer_secret": "s",
        "token": "t",
        "token_secret": "u",
    }
    path = tmp_path / "sandbox.json"
    path.write_text(json.dumps({"accounts": [account], "assumptions": {"dates": "collapsed"}, "speed": 2, "seed": 7}))
    config = SandboxConfig.from_file(path)
    assert config.accounts == (BusinessAccount(**account),)
    assert (config.assumptions, config.speed, config.seed) == (Assumptions(dates="collapsed"), 2, 7)


def test_the_documented_configuration_is_one():
    config = SandboxConfig.from_dict(INDEX["config"]["example"])
    assert config.accounts[0].webhook_user == "x"
    assert config.assumptions.auto_create_customers is True


@pytest.mark.parametrize(
    "raw",
    [
        {"colour": 1},
        {"accounts": []},
        {"accounts": [{"name": "A"}]},
        {"accounts": [{"colour": 1}]},
        {"speed": -1},
        {"assumptions": {"x": 1}},
    ],
)
def test_a_wrong_configuration_is_refused(raw):
    with pytest.raises(ValueError):
        SandboxConfig.from_dict(raw)


def test_the_demo_needs_no_configuration():
    client = create_sandbox(SandboxConfig.demo()).test_client()
    given = client.get("/_control/customers/4711")
    assert given.status_code == 200
    assert client.get("/_control/assumptions").get_json()["assumptions"]["auto_create_customers"]["value"] is True


def test_two_customers_can_exchange_their_handles(x, control):
    control.post("/customers", customers=[{"user_id": "7", "screen_name": "a"}, {"user_id": "8", "screen_name": "b"}])
    control.post("/customers", customers=[{"user_id": "7", "screen_name": "b"}, {"user_id": "8", "screen_name": "a"}])
    assert [x.get("users/show", screen_name=name).body["id_str"] for name in ("a", "b")] == ["8", "7"]
