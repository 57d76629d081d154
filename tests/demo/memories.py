"""Three memories that agree, made from the script; whatever reconcile.py finds is then a lie a test has put in."""

import hashlib
import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from service.demo import cast, script
from service.demo.crm import PostedDelivery
from service.demo.memories import Memories, ShownAnswer, ToldToTool
from service.demo.read_back import AttemptRow, Ledger, RequestRow, ResultRow
from service.states import State

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def agreeing() -> Memories:
    """What all participants remember of a run without trouble."""
    written = script.write(8)
    posted = [each for delivery in written.deliveries for each in _posts(delivery)]
    counter = itertools.count(1000)
    requests, messages, cards, visits = [], [], [], []
    for (source, conversation_id, end), (customer, fate) in written.ends.items():
        asked = fate[0] == State.CARD_SENT
        made = _request(source, conversation_id, end, customer, fate)
        if asked:
            dm, card_dm, card = (str(next(counter)) for _ in range(3))
            made = replace(made, dm_event_id=dm, card_dm_id=card_dm, feedback_id=card if made.by_card else None)
            messages += [_message(dm, made, "dm"), _message(card_dm, made, "card")]
            if made.by_card:
                cards.append(_card(card, made, customer))
            else:
                messages += _typed(str(next(counter)), customer)
                visits += _visits(customer)
        requests.append(made)
    attempts = [each for request in requests if request.dm_event_id for each in _attempts(request)]
    results = [_result(card) for card in cards if card["score"] or card["text"]]
    results += [
        each for request in requests if request.card_dm_id and not request.by_card for each in _otherwise(request)
    ]
    truth = {
        "messages": messages,
        "cards": cards,
        "requests": [_call(each, requests) for each in attempts],
        "pushes": [],
        "visits": visits,
    }
    told = {each.request_id: ShownAnswer(each.score, each.text) for each in results}
    by_id = {each.id: each for each in requests}
    scored = [by_id[each.request_id] for each in results if each.score is not None]
    n = Counter(each.type for each in scored if not each.test)
    stored = {(each.delivery.source, each.digest, each.delivery.message_id) for each in posted if each.status == 200}
    ledger = Ledger(requests, attempts, results, [(source, digest) for source, digest, _ in stored])
    return Memories(written, posted, ledger, truth, ToldToTool(told, dict(told), dict(n)))


def ended_at(end: int, delivery_id: str) -> datetime:
    return NOW + timedelta(minutes=end, microseconds=int(hashlib.sha256(delivery_id.encode()).hexdigest()[:4], 16))


def _posts(delivery: script.ScriptedDelivery) -> list[PostedDelivery]:
    at = ended_at(delivery.end, delivery.conversation_id)
    digest = hashlib.sha256(script.body(delivery, at)).hexdigest()
    status, said = delivery.answers
    copies = [{"duplicate": 1}] * (delivery.at_once - 1)
    return [PostedDelivery(delivery, at, digest, status, each) for each in (said, *copies)]


def _request(source: str, conversation_id: str, end: int, customer: cast.Customer, fate: script.Fate) -> RequestRow:
    known = customer not in cast.NOT_AT_X and customer.known_by != "nothing"
    return RequestRow(
        f"fr_{conversation_id}_{end}", source, conversation_id, ended_at(end, conversation_id), customer.account,
        customer.user_id if known else None, "nps" if customer.account == cast.SHOP else "csat",
        "rehearsal" in customer.tags, fate[0], fate[1], "Hello.", PROMPTS.get(customer.account, "How was it?"),
        None, None, None, WAYS.get(customer.account),
    )  # fmt: skip


def _message(x_id: str, request: RequestRow, via: str) -> dict[str, Any]:
    text = str(request.opening_text if via == "dm" else request.card_text)
    text = text.replace("{page}", f"http://127.0.0.1/f/{request.x_user_id}")
    via = via if request.by_card else "dm"
    return {"id": x_id, "sender": request.account, "recipient": request.x_user_id, "text": text, "via": via}


WAYS = {cast.HELP: "quick_reply", cast.WEB: "page"}
PROMPTS = {cast.HELP: "Tap one.", cast.WEB: "Answer here: {page}"}


def _typed(x_id: str, customer: cast.Customer) -> list[dict[str, Any]]:
    said = [
        f"{each['tap'] + 1} Well" if "tap" in each else each["dm"]
        for each in customer.script
        if {"tap", "dm"} & {*each}
    ]
    return [
        {"id": x_id, "sender": customer.user_id, "recipient": "us", "text": text, "via": "customer"} for text in said
    ]


def _visits(customer: cast.Customer) -> list[dict[str, Any]]:
    preview = {"user_id": customer.user_id, "score": None, "text": None}
    return [
        preview,
        *({**preview, "score": each["score"], "text": each.get("text")} for each in customer.script if "page" in each),
    ]


def _otherwise(request: RequestRow) -> list[ResultRow]:
    customer = next(each for each in cast.CAST if each.user_id == request.x_user_id)
    given = [*((int(each["text"][0]), None) for each in _typed("0", customer)),
             *((each["score"], each["text"]) for each in _visits(customer) if each["score"])]  # fmt: skip
    return [ResultRow(request.id, None, score, text, "page", 1, 0) for score, text in given]


def _card(x_id: str, request: RequestRow, customer: cast.Customer) -> dict[str, Any]:
    score = next((each["score"] for each in customer.script if "score" in each), None)
    text = next((each["text"] for each in customer.script if "text" in each), None)
    return {
        "id": x_id, "external_id": request.id, "to": request.x_user_id, "type": request.type, "test": request.test,
        "dm_id": request.card_dm_id, "score": None if score is None else {"value": score},
        "text": None if text is None else {"value": text},
    }  # fmt: skip


def _attempts(request: RequestRow) -> list[AttemptRow]:
    return [
        AttemptRow(request.id, "dm", "sent", "answer", request.dm_event_id),
        AttemptRow(request.id, "card", "sent", "answer", request.feedback_id or request.card_dm_id),
    ]


def _call(attempt: AttemptRow, requests: list[RequestRow]) -> dict[str, Any]:
    recipient = next(each.x_user_id for each in requests if each.id == attempt.request_id)
    endpoint = cast.DM if attempt.kind == "dm" else cast.CARD
    return {"endpoint": endpoint, "recipient": recipient, "committed": attempt.x_id, "fault": None, "status": 200}


def _result(card: dict[str, Any]) -> ResultRow:
    score, text = ((card[name] or {}).get("value") for name in ("score", "text"))
    return ResultRow(card["external_id"], card["id"], score, text, "webhook", 1, 0)
