"""The app's one webhook: every DM to or from an account is pushed to it, signed, as X does.

Two forms, chosen by a switch: Account Activity and X Activity. pushes.py sends them and makes them go wrong.
"""

import json
from typing import Any

from service.sandbox import pushes
from service.sandbox.render_dm import message_json
from service.sandbox.state import Message, Push, World


def push(world: World, message: Message) -> None:
    """Tell each account that has part in this message and an address for it; call it under the lock."""
    for account in {message.sender, message.recipient} & set(world.accounts):
        if world.hooks[account].activity_url is not None:
            kind = "dm.sent" if message.sender == account else "dm.received"
            shown = message_json(world, message)
            number, at_ms = world.next_number(), message.at_ms
            body = json.dumps(_body(world.assumptions.activity_form, number, account, kind, shown)).encode()
            item = Push(id=number, at_ms=at_ms, account=account, card_id=0, event_type=kind, body=body, to="activity")
            pushes.launch(world, item)


def _body(form: str, number: int, account: str, kind: str, shown: dict[str, Any]) -> dict[str, Any]:
    payload = {"direct_message_events": [shown], "users": {}}
    if form == "account_activity":
        return {"for_user_id": account, **payload}
    event = {"event_uuid": str(number), "filter": {"user_id": account}, "event_type": kind, "tag": ""}
    return {"data": {**event, "payload": payload}}
