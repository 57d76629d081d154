"""Tells a look-up in words, for people. Shows no token, and a body only if it was kept."""

import json
from collections.abc import Iterator

from service.crm_api.get import OK
from service.crm_api.look_up_result import CrmCall, LookUpResult

PROBLEMS = {
    "refused": "REFUSED: the CRM does not accept the credentials, or its address may not be called; see "
    "sources.NAME.api",
    "limited": "LIMITED: the CRM's rate limit is reached; it is asked again later",
    "away": "AWAY: the CRM did not answer properly; the worker would try again",
}
FORBIDDEN = 403
MAY_NOT = (
    "FORBIDDEN: the CRM accepts the credentials, but they may not read this: a permission or scope is missing, or this "
    "one ticket is private"
)
FACTS = ("x_user_id", "x_handle", "trust", "channel", "on_x", "language", "agent_id", "team_id", "tags")


def told(looked: LookUpResult, confirm: str) -> Iterator[str]:
    """Describe each call, each fact, and what would follow. `confirm` is the source's setting."""
    for asked in looked.asked:
        yield from _call(asked)
    for name in FACTS:
        value = getattr(looked, name)
        if value not in (None, ()) and (name != "trust" or looked.x_user_id or looked.x_handle):
            yield f"  = {name:<12}{_plain(value)}"
    yield from (f"  careful: {_plain(each)}" for each in looked.notes)
    yield _end(looked, confirm)


def _call(asked: CrmCall) -> Iterator[str]:
    answer = str(asked.status) if asked.status is not None else "-"
    took = f"{asked.took.total_seconds() * 1000:.0f} ms"
    yield f"GET {_plain(asked.path)}   {answer}   {took}   {', '.join(asked.found) or asked.note or 'nothing of use'}"
    if asked.body is not None:
        yield json.dumps(asked.body, indent=1)


def trusted(trust: str, confirm: str) -> str:
    """Say how far somebody's identity is trusted, and what must be proven first."""
    typed = trust == "crm_entered" and confirm == "inbound_dm"
    return f"(trust {trust}{'; typed by people, so only if they wrote to the account' if typed else ''})"


def _end(looked: LookUpResult, confirm: str) -> str:
    if looked.problem:
        later = f", in {looked.again_in.total_seconds():.0f} s" if looked.again_in else ""
        forbidden = looked.problem == "refused" and bool(looked.asked) and looked.asked[-1].status == FORBIDDEN
        return (MAY_NOT if forbidden else PROBLEMS[looked.problem]) + later
    if looked.on_x is False:
        return "nobody is asked: the conversation was not on X (channel)"
    if looked.x_user_id or looked.x_handle:
        who = looked.x_user_id or f"@{looked.x_handle}"
        return f"would be asked: {who} {trusted(looked.trust, confirm)}"
    return f"nobody is asked: {_nobody(looked)} (no_x_identity)"


def _nobody(looked: LookUpResult) -> str:
    """Why nobody was found, for the person who set it up."""
    if not looked.asked or all(each.status is None for each in looked.asked):
        return "what stands in the paths is not known, and nothing asked; name --conversation, --customer or --tenant"
    if all(each.status != OK for each in looked.asked):
        return "the CRM knows no such conversation or customer; is it the id that its events carry? Is base_url right?"
    return "the CRM answered, and nothing in it says who the customer is on X; --show-body shows what there is"


def _plain(value: object) -> str:
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(value))
