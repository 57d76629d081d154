"""The /_control routes: customers, faults, clock, switches, pushes and the truth. For this machine only.

JSON as grammar.py describes it; 400 with a sentence for what does not fit. Not part of the X it controls: calls here
are not in the record of requests.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from flask import Blueprint, Response, jsonify, request

from service.sandbox import assumptions, cards, customers, faults, grammar, messages, schedule, truth, users
from service.sandbox.config import signing_with
from service.sandbox.gate import Route, customer_token
from service.sandbox.loopback import is_loopback
from service.sandbox.oauth2_tokens import TOKEN
from service.sandbox.state import Hook, Message, PushMode, StoredCard, World
from service.sandbox.writing import XRefusal

_KEEP = {"clock", "assumptions", "customers", "faults", "webhooks"}
SIGNS_WITH = frozenset({"consumer_key", "consumer_secret", "token", "token_secret"})
Handler = Callable[..., Any]


class ControlRefused(Exception):
    """An answer of /_control that is not a success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def blueprint(world: World, endpoints: tuple[Route, ...]) -> Blueprint:
    """The routes of one world."""
    control = Control(world, endpoints)
    routes = Blueprint("control", __name__, url_prefix="/_control")
    table: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "", control.index),
        ("GET", "/truth", control.truth),
        ("GET", "/clock", control.clock),
        ("POST", "/clock", control.move_clock),
        ("POST", "/reset", control.reset),
        ("POST", "/customers", control.create_customers),
        ("GET", "/customers/<user_id>", control.customer),
        ("POST", "/customers/<user_id>/answer", control.answer),
        ("POST", "/customers/<user_id>/dm", control.inbound_dm),
        ("GET", "/faults", control.faults),
        ("POST", "/faults", control.add_faults),
        ("DELETE", "/faults", control.remove_faults),
        ("GET", "/assumptions", control.assumptions),
        ("PUT", "/assumptions", control.change_assumptions),
        ("POST", "/credentials", control.change_credentials),
        ("GET", "/webhooks", control.webhooks),
        ("POST", "/webhooks", control.change_webhooks),
    )
    for method, path, handler in table:
        routes.add_url_rule(path, f"{method} {path}".replace(".", ""), handler, methods=[method])
    routes.before_request(_only_loopback)
    routes.register_error_handler(ControlRefused, _render)
    routes.register_error_handler(
        KeyError, lambda error: _render(ControlRefused(400, "invalid", f"{error} is missing."))
    )
    routes.register_error_handler(ValueError, lambda error: _render(ControlRefused(400, "invalid", str(error))))
    routes.register_error_handler(TypeError, lambda error: _render(ControlRefused(400, "invalid", str(error))))
    return routes


class Control:
    """One method per route; each answers JSON."""

    def __init__(self, world: World, endpoints: tuple[Route, ...]) -> None:
        self.world = world
        self.endpoints = {one.name: one for one in endpoints}

    def index(self) -> Any:
        """Every control, with examples."""
        shown = {one.name: f"{','.join(one.methods)} {one.rule}" for one in self.endpoints.values()}
        return {**grammar.INDEX, "endpoints": shown}

    def truth(self) -> Any:
        """Everything this X knows."""
        schedule.settle(self.world)
        return jsonify(truth.truth(self.world, request.args))

    def clock(self) -> Any:
        """The clock's time and speed."""
        with self.world.lock:
            return {"now_ms": self.world.clock.now_ms(), "speed": self.world.clock.speed}

    def move_clock(self) -> Any:
        """Move the clock forward, or change its speed."""
        given = _body({"advance_s", "speed"})
        with self.world.lock:
            if "speed" in given:
                self.world.clock.set_speed(float(given["speed"]))
            self.world.clock.advance(float(given.get("advance_s", 0)))
            schedule.settle(self.world)
            self.world.changed.notify_all()
        return self.clock()

    def reset(self) -> Any:
        """Forget everything but what `keep` names."""
        keep = set(_body({"keep"}).get("keep", []))
        if keep - _KEEP:
            raise ControlRefused(400, "invalid", f"keep can name {', '.join(sorted(_KEEP))}.")
        with self.world.lock:
            self.world.clear(frozenset(keep))
            self.world.changed.notify_all()
        return self.clock()

    def create_customers(self) -> Any:
        """Create customers: a list, a range, or the default profile."""
        given = _body({"customers", "range", "default"})
        created = 0
        with self.world.lock:
            if "default" in given:
                customers.check_profile(given["default"])
                self.world.default_profile = dict(given["default"])
            if "customers" in given:
                created += customers.create_many(self.world, given["customers"])
            if "range" in given:
                span = given["range"]
                created += customers.create_range(
                    self.world, int(span["first_id"]), int(span["count"]), span.get("profile", {})
                )
        return {"created": created}

    def customer(self, user_id: str) -> Any:
        """One customer's profile, credentials and cards."""
        with self.world.lock:
            self._person(user_id)
            token, token_secret = customer_token(user_id)
            return {
                **asdict(self.world.people[user_id]),
                "token": token,
                "token_secret": token_secret,
                "cards": [str(one.id) for one in self.world.cards_to[user_id]],
            }

    def answer(self, user_id: str) -> Any:
        """Answer or dismiss a customer's card at once."""
        given = _body({"score", "text", "dismiss", "feedback_id"})
        if type(given.get("score", 0)) is not int or not isinstance(given.get("text", ""), str):
            raise ControlRefused(400, "invalid", "score is an integer and text a string.")
        with self.world.lock:
            now_ms = schedule.settle(self.world)
            card = self._card(user_id, given.get("feedback_id"))
            try:
                if given.get("score") is not None or given.get("text"):
                    cards.answer(self.world, card, given.get("score"), given.get("text"), now_ms)
            except XRefusal as error:
                raise ControlRefused(409, "refused", error.message) from None
            if given.get("dismiss"):
                cards.dismiss(self.world, card, now_ms)
            return truth.card_row(card)

    def inbound_dm(self, user_id: str) -> Any:
        """The customer writes to the business, or taps the quick reply of this number (the newest prompt's)."""
        given = _body({"text", "account", "tap"})
        with self.world.lock:
            now_ms = schedule.settle(self.world)
            self._person(user_id)
            account = given.get("account", next(iter(self.world.accounts)))
            if account not in self.world.accounts:
                raise ControlRefused(404, "no_account", f"There is no account {account}.")
            if "tap" in given:
                message = self._tap(user_id, account, given["tap"], now_ms)
            else:
                text = str(given.get("text", ""))
                message = messages.commit(self.world, user_id, account, text, via="customer", at_ms=now_ms)
            return truth.message_row(message)

    def faults(self) -> Any:
        """The rules of faults."""
        with self.world.lock:
            return {"rules": [asdict(rule) for rule in self.world.rules]}

    def add_faults(self) -> Any:
        """Add rules: all of them, or none if one is wrong."""
        given = request.get_json(silent=True, force=True)
        raw = given.get("rules", [given]) if isinstance(given, dict) else None
        if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
            raise ControlRefused(400, "invalid", "Send one rule, or {'rules': [...]}.")
        with self.world.lock:
            rules = [faults.read_rule(self.world, one) for one in raw]
            strange = {rule.endpoint for rule in rules} - set(self.endpoints) - {"*", TOKEN}
            if strange:
                raise ControlRefused(400, "invalid", f"There is no endpoint {', '.join(sorted(strange))}.")
            self.world.rules += rules
            return {"ids": [rule.id for rule in rules]}

    def remove_faults(self) -> Any:
        """Remove one rule, or all."""
        wanted = request.args.get("id")
        with self.world.lock:
            kept = [rule for rule in self.world.rules if wanted is not None and str(rule.id) != wanted]
            removed = len(self.world.rules) - len(kept)
            self.world.rules = kept
            return {"removed": removed}

    def assumptions(self) -> Any:
        """The switches."""
        with self.world.lock:
            return {"assumptions": assumptions.described(self.world.assumptions)}

    def change_assumptions(self) -> Any:
        """Change some switches."""
        changes = _body(None)
        with self.world.lock:
            self.world.assumptions = self.world.assumptions.merged(changes)
        return self.assumptions()

    def change_credentials(self) -> Any:
        """Give an account other credentials; its old ones are refused from now on."""
        given = _body({"account", *SIGNS_WITH})
        with self.world.lock:
            if given.get("account") not in self.world.accounts:
                raise ControlRefused(404, "no_account", f"There is no account {given.get('account')}.")
            account = self.world.accounts[given.pop("account")]
            if not all(isinstance(value, str) and value for value in given.values()):
                raise ControlRefused(400, "invalid", f"{', '.join(sorted(SIGNS_WITH))} are texts.")
            self.world.know(signing_with(self.world.accounts.values(), account, **given))
        return {"account": account.user_id, "changed": sorted(given)}

    def webhooks(self) -> Any:
        """How pushes behave, and where they go."""
        with self.world.lock:
            hooks = {user_id: {"url": one.url, "user": one.user} for user_id, one in self.world.hooks.items()}
            return {"mode": asdict(self.world.push_mode), "accounts": hooks}

    def change_webhooks(self) -> Any:
        """Change how pushes behave, where they go, or both."""
        given = _body({"mode", "account", "url", "user", "password", "activity_url"})
        with self.world.lock:
            chosen = [given["account"]] if "account" in given else list(self.world.hooks)
            if set(chosen) - set(self.world.hooks):
                raise ControlRefused(404, "no_account", f"There is no account {given['account']}.")
            if "mode" in given:
                self.world.push_mode = _mode(given["mode"])
            if "url" in given:
                for user_id in chosen:
                    old = self.world.hooks[user_id].activity_url
                    self.world.hooks[user_id] = Hook(given["url"], given.get("user"), given.get("password"), old)
            if "activity_url" in given:
                for user_id in chosen:
                    self.world.hooks[user_id].activity_url = given["activity_url"]
        return self.webhooks()

    def _tap(self, user_id: str, account: str, option: object, now_ms: int) -> Message:
        prompt = messages.newest_prompt(self.world, account, user_id)
        if prompt is None or not isinstance(option, int) or not 0 <= option < len(prompt.options):
            raise ControlRefused(404, "no_option", f"Customer {user_id} has no such quick reply.")
        return messages.tap(self.world, prompt, option, now_ms)

    def _person(self, user_id: str) -> None:
        if user_id in self.world.accounts or users.find(self.world, user_id) is None:
            raise ControlRefused(404, "no_customer", f"There is no customer {user_id}.")

    def _card(self, user_id: str, feedback_id: object) -> StoredCard:
        for card in reversed(self.world.cards_to.get(user_id, [])):
            if feedback_id is None or str(card.id) == str(feedback_id):
                return card
        raise ControlRefused(404, "no_card", f"Customer {user_id} holds no such card.")


def _mode(raw: Mapping[str, Any]) -> PushMode:
    unknown = set(raw) - {item.name for item in fields(PushMode)}
    if unknown:
        raise ValueError(f"The mode has unknown keys: {', '.join(sorted(unknown))}.")
    values = {name: float(value) for name, value in raw.items() if name != "delay_s"}
    if not all(0 <= value <= 1 for value in values.values()):
        raise ValueError("Probabilities are between 0 and 1.")
    least, most = raw.get("delay_s", (1.0, 60.0))
    return PushMode(**values, delay_s=(float(least), float(most)))


def _body(known: set[str] | None) -> dict[str, Any]:
    # JSON whatever the header says: `curl -d` calls it a form, and would be heard as nothing at all
    given = request.get_json(silent=True, force=True) if request.get_data() else {}
    if not isinstance(given, dict):
        raise ControlRefused(400, "invalid", "Send a JSON object as application/json.")
    if known is not None and set(given) - known:
        raise ControlRefused(400, "invalid", f"Known keys are {', '.join(sorted(known))}.")
    return given


def _only_loopback() -> Response | None:
    if is_loopback(request.remote_addr):
        return None
    return _render(ControlRefused(403, "loopback_only", "/_control can be used from this machine only."))


def _render(problem: ControlRefused) -> Response:
    response = jsonify({"code": problem.code, "message": problem.message})
    response.status_code = problem.status
    return response
