"""OAuth 2.0 at the sandbox: who gets tokens, and faults of the token endpoint."""

from dataclasses import replace

import pytest

from service.sandbox import SandboxConfig, create_sandbox, demo_account
from tests.sandbox.conftest import BASE, OTHER, Control

APP = replace(OTHER, client_id="app")


@pytest.fixture
def control():
    return Control(create_sandbox(SandboxConfig(accounts=(demo_account(), APP))).test_client())


def ask(control, **form):
    given = {"grant_type": "refresh_token", "refresh_token": "good", **form}
    return control.sandbox.post("/2/oauth2/token", base_url=BASE, data=given)


def test_whoever_does_not_say_which_app_it_is_gets_nothing(control):
    control.sandbox.application.extensions["sandbox"].sign_ins.refresh["good"] = APP.user_id
    asked = {"code_challenge_method": "S256", "code_challenge": "x", "redirect_uri": "http://127.0.0.1/"}
    consent = control.sandbox.get("/i/oauth2/authorize", base_url=BASE, query_string=asked)
    assert (consent.status_code, ask(control).status_code) == (400, 401)
    assert ask(control, client_id="app").status_code == 200, "the token is still good"


@pytest.mark.parametrize(("fault", "when"), [("html", "before"), ("empty", "before"), ("half_json", "after")])
def test_a_spoiled_answer_spends_the_token_only_after_the_commit(control, fault, when):
    control.sandbox.application.extensions["sandbox"].sign_ins.refresh["good"] = APP.user_id
    control.fault(fault, endpoint="oauth2/token", times=1)
    spoiled = ask(control, client_id="app")
    assert spoiled.get_json(silent=True) is None
    (line,) = control.truth()["requests"]
    assert (line["fault"], line["status"]) == (fault, spoiled.status_code)
    assert ask(control, client_id="app").status_code == (200 if when == "before" else 400)
