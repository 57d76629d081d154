"""Feedback webhooks: every event of a card is pushed to its account's URL with Basic auth, as X does.

Background threads send; `PushMode` decides what goes wrong on the way (lost, doubled, delayed, reordered). Never holds
the lock while the receiver thinks.
"""

import hmac
import json
import threading
from base64 import b64encode
from dataclasses import replace
from functools import partial

import httpx

from service.sandbox import schedule
from service.sandbox.render import event_json
from service.sandbox.state import Hook, Push, StoredCard, World

RETRY_AFTER_MS = 5_000
#: A push held back to be overtaken goes out at the latest after this long.
HELD_MS = 30_000


def push(world: World, card: StoredCard, event_type: str, at_ms: int) -> None:
    """Record the push and let it go, or let it go wrong; call it under the lock."""
    rules = world.assumptions
    if not rules.webhooks or world.hooks[card.sender].url is None:
        return
    if event_type == "feedback.created" and not rules.webhook_on_create:
        return
    body = json.dumps(event_json(world, card, event_type, at_ms, rules.webhook_question_variant_id)).encode()
    launch(
        world,
        Push(
            id=world.next_number(),
            at_ms=at_ms,
            account=card.sender,
            card_id=card.id,
            event_type=event_type,
            body=body,
        ),
    )


def deliver(world: World, item: Push, client: httpx.Client) -> None:
    """One attempt over the network, and its outcome on record."""
    hook = world.hooks[item.account]
    item.attempts += 1
    try:
        answer = client.post(
            (hook.activity_url if item.to == "activity" else hook.url) or "",
            content=item.body,
            headers=_headers(world, item, hook),
        )
        item.status = answer.status_code
        item.outcome = "delivered" if answer.is_success else "refused"
    except (httpx.HTTPError, httpx.InvalidURL):
        item.status, item.outcome = None, "unreachable"
    if item.outcome != "delivered" and item.attempts <= world.assumptions.webhook_retries:
        with world.lock:
            schedule.at(world, world.clock.now_ms() + RETRY_AFTER_MS, partial(_queue, world, item))


def launch(world: World, item: Push) -> None:
    """Let a push go, or let it go wrong; call it under the lock."""
    mode, dice = world.push_mode, world.rng
    world.pushes.append(item)
    if dice.random() < mode.lose:
        item.fault, item.outcome = "lost", "lost"
        return
    if dice.random() < mode.double:
        twin = replace(item, id=world.next_number(), fault="doubled")
        world.pushes.append(twin)
        _queue(world, twin, item.at_ms)
    if dice.random() < mode.delay:
        item.fault = "delayed"
        due_ms = item.at_ms + int(dice.uniform(*mode.delay_s) * 1000)
        schedule.at(world, due_ms, partial(_queue, world, item))
    elif world.held is None and dice.random() < mode.reorder:
        item.fault, world.held = "reordered", item
        schedule.at(world, item.at_ms + HELD_MS, partial(_let_go, world, item))
    else:
        _queue(world, item, item.at_ms)
        if world.held is not None:
            _let_go(world, world.held, item.at_ms)


def _let_go(world: World, item: Push, at_ms: int) -> None:
    if world.held is item:
        world.held = None
        _queue(world, item, at_ms)


def _queue(world: World, item: Push, _at_ms: int) -> None:
    item.outcome = "queued"
    world.outbox.put(item)
    while len(world.push_threads) < world.config.push_workers:
        thread = threading.Thread(target=_work, args=(world,), name="sandbox-push", daemon=True)
        world.push_threads.append(thread)
        thread.start()


def _work(world: World) -> None:
    with httpx.Client(timeout=world.config.push_timeout_s, trust_env=False) as client:
        while (item := world.outbox.get()) is not None:
            deliver(world, item, client)


def _headers(world: World, item: Push, hook: Hook) -> dict[str, str]:
    headers = {"content-type": "application/json", "user-agent": "dm-feedback-sandbox"}
    if hook.user is not None and item.to == "feedback":
        credentials = f"{hook.user}:{hook.password or ''}".encode()
        headers["authorization"] = "Basic " + b64encode(credentials).decode()
    if world.assumptions.webhook_signature or item.to == "activity":
        secret = world.accounts[item.account].consumer_secret
        digest = hmac.digest(secret.encode(), item.body, "sha256")
        headers["x-twitter-webhooks-signature"] = "sha256=" + b64encode(digest).decode()
    return headers


def stop(world: World) -> None:
    """Let the push threads end once their queue is empty."""
    for _ in world.push_threads:
        world.outbox.put(None)
    for thread in world.push_threads:
        thread.join(timeout=5)
    world.push_threads.clear()
