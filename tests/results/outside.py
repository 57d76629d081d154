"""X as the real sandbox app in this process, with a clock that tests set; our client speaks to it over WSGI."""

from datetime import UTC, datetime, timedelta

import httpx

from service.sandbox import Assumptions, SandboxConfig, create_sandbox, demo_account
from service.sandbox.render import event_json
from service.x_api import Credentials, XClient
from service.x_api.client import Card
from tests.results.cards import NOW, request
from tests.support import later

BASE = "http://x.test"


class Outside:
    def __init__(self, start=NOW, **assumptions):
        chosen = {"auto_create_customers": True, "cards_per_day": 100_000, **assumptions}
        config = SandboxConfig(assumptions=Assumptions(**chosen), speed=0, start_at_s=start.timestamp())
        self._wall = start.timestamp()
        self.app = create_sandbox(config, wall=lambda: self._wall)
        self.world = self.app.extensions["sandbox"]
        keys = demo_account()
        self.calls = []
        self.client = _InTens(
            Credentials(keys.consumer_key, keys.consumer_secret, keys.token, keys.token_secret),
            base_url=BASE,
            clock=lambda: self.now,
            transport=_Counting(httpx.WSGITransport(self.app), self.calls),
        )

    @property
    def now(self):
        return datetime.fromtimestamp(self.world.clock.now_ms() / 1000, UTC)

    def advance(self, span):
        self._wall += span / timedelta(seconds=1)
        later(self.app, span)

    def control(self, method, path, **body):
        answer = self.app.test_client().open(f"/_control{path}", method=method, base_url=BASE, json=body)
        assert answer.status_code == 200, answer.data
        return answer.get_json()

    def others_call(self, endpoint, times):
        """Somebody else, with the same account: X counts their calls together with ours."""
        window = self.world.windows.setdefault((demo_account().user_id, endpoint), [self.world.clock.now_ms(), 0])
        window[1] += times

    def send_card(self, engine, **recorded):
        """A card at X and its request with us, as outreach leaves it; `recorded` is what it could not record."""
        fields = {"feedback_id": None, "card_dm_id": None, "card_sent_at": self.now, "updated_at": self.now}
        row = request(engine, **fields, **recorded) if recorded else None
        if row is None:
            row = self._sent(engine)
        else:
            self._card(row)
        return row

    def _sent(self, engine):
        row = {"id": f"fr_x{len(self.world.cards)}", "x_user_id": str(600_000 + len(self.world.cards))}
        card = self._card(row)
        ids = {"feedback_id": card.id, "card_dm_id": card.dm_id}
        return request(engine, **row, **ids, card_sent_at=self.now, updated_at=self.now)

    def _card(self, row):
        card = Card("csat", row["x_user_id"], "How did we do?", "https://shop.example/p", external_id=row["id"])
        return self.client.create_feedback(card, signed_at=self.now).value

    def answer(self, row, **given):
        self.control("POST", f"/customers/{row['x_user_id']}/answer", **given)

    def news(self):
        """Every event of every card, as X would push it."""
        form = self.world.assumptions.webhook_question_variant_id
        return [
            event_json(self.world, self.world.cards[card_id], kind, at_ms, form)
            for at_ms, _, card_id, kind in self.world.events[demo_account().user_id]
        ]

    def truth_of(self, row):
        """(score, score_at, text, text_at) as X holds it, in the whole seconds in which X writes dates."""
        card = next(each for each in self.world.cards.values() if each.external_id == row["id"])
        text = (card.text or "").replace("\x00", "") or None  # no database of ours holds NUL
        if card.score is None and text is None:
            return None
        return (card.score, _second(card.score, card.score_ms), text, _second(text, card.text_ms))


class _InTens(XClient):
    """Reads events in pages of ten, so that a few answers fill several."""

    def list_feedback_events(self, **wanted):
        return super().list_feedback_events(**wanted, count=10)


class _Counting(httpx.BaseTransport):
    def __init__(self, inner, calls):
        self._inner, self._calls = inner, calls

    def handle_request(self, request):
        self._calls.append(request.url)
        return self._inner.handle_request(request)


def _second(value, at_ms):
    return None if value is None else datetime.fromtimestamp(at_ms // 1000, UTC)
