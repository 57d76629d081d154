"""Customers who open the link in a DM and answer on the page behind it, over real HTTP.

Visits go on the agenda and are done by background threads, each recorded. By switch a preview bot opens every link
first, as X's own and a phone's do. Never holds the lock while the page thinks.
"""

import re
from collections.abc import Iterator
from functools import partial

import httpx

from service.sandbox import schedule
from service.sandbox.cards import SCORES
from service.sandbox.state import Action, Message, Visit, World

LINK = re.compile(r"https?://[^\s]+/f/[A-Za-z0-9_-]+")
LONGEST_S = 10.0


def plan(world: World, message: Message) -> None:
    """Plan what the recipient does about the link in a DM, if there is one."""
    found = LINK.search(message.text)
    person = world.people.get(message.recipient)
    if found is None or person is None:
        return
    if world.assumptions.link_previews:
        _go(world, Visit(link=found[0], user_id=message.recipient, at_ms=message.at_ms))
    for action in person.script:
        if action.page:
            due_ms = message.at_ms + int(action.after_s * 1000)
            schedule.at(world, due_ms, partial(_answer, world, found[0], message.recipient, action))


def _answer(world: World, link: str, user_id: str, action: Action, at_ms: int) -> None:
    score = world.rng.choice(SCORES["csat"]) if isinstance(action.score, str) else action.score
    _go(world, Visit(link=link, user_id=user_id, at_ms=at_ms, score=score, text=action.text))


def _go(world: World, visit: Visit) -> None:
    world.visits.append(visit)
    world.visitors.submit(_visit, visit)


def _visit(visit: Visit) -> None:
    try:
        with httpx.Client(timeout=LONGEST_S, trust_env=False, follow_redirects=True) as browser:
            visit.statuses.append(browser.get(visit.link).status_code)
            for form in _forms(visit):
                visit.statuses.append(browser.post(visit.link, data=form).status_code)
    except (httpx.HTTPError, httpx.InvalidURL):
        visit.statuses.append(0)


def _forms(visit: Visit) -> Iterator[dict[str, str]]:
    if visit.score is not None:
        yield {"score": str(visit.score)}
    if visit.text is not None:
        yield {"comment": visit.text}
