"""The grammar of a look-up: the steps that ask a CRM who its customer is on X.

Up to three GETs below the address in the settings. Each step reads its answer (`a`) and what is known so far (`k`) with
expressions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, NewType

from service.crm_api.path import mistakes
from service.intake.expressions.compiled import Expression
from service.intake.values.identity import TRUSTS
from service.settings.declare import REQUIRED, setting
from service.settings.values import one_of

MOST_STEPS = 3
ANSWER_ROOTS = frozenset({"a", "k"})
OF_AN_EVENT = ("conversation_id", "customer_ref", "tenant", "channel", "agent_id")
FromAnswer = NewType("FromAnswer", Expression)
Kept = NewType("Kept", Mapping[str, Any])
Sent = NewType("Sent", Mapping[str, str])


@dataclass(frozen=True, slots=True)
class Find:
    """What a step's answer may tell, each an expression over `a` and `k`."""

    x_user_id: FromAnswer | None = setting(None, "the numeric id on X")
    x_handle: FromAnswer | None = setting(None, "the handle on X")
    x_profile_url: FromAnswer | None = setting(None, "the address of the profile on X")
    channel: FromAnswer | None = setting(None, "where the conversation took place")
    language: FromAnswer | None = setting(None, "the customer's language")
    agent_id: FromAnswer | None = setting(None, "who handled it last; if set, every conversation is looked up")
    team_id: FromAnswer | None = setting(None, "their team; the same")
    tags: FromAnswer | None = setting(None, "tags beside the event's; the same")

    def each(self) -> Iterator[tuple[str, Any]]:
        """The expressions by field."""
        return ((one.name, getattr(self, one.name)) for one in fields(self) if getattr(self, one.name) is not None)


@dataclass(frozen=True, slots=True)
class Step:
    """One GET."""

    path: str = setting(REQUIRED, f"the path, with {', '.join(f'{{{name}}}' for name in OF_AN_EVENT)} and kept values")
    when: FromAnswer | None = setting(None, "only if this is true for what is known so far (`k`)")
    find: Find = setting({}, "what its answer may say")
    keep: Kept = setting({}, "values for the paths of later steps, each an expression over the response")
    headers: Sent = setting({}, "headers the API needs besides authentication, such as its version")
    trust: str = setting("crm_entered", "how far its data about the customer is trusted", one_of(*TRUSTS))


def step_mistakes(steps: tuple[Step, ...]) -> Iterator[tuple[str, str]]:
    """What is wrong with the steps of a look-up: where, and what would be right."""
    if len(steps) > MOST_STEPS:
        yield "", f"has {len(steps)} steps; a look-up has at most {MOST_STEPS}"
    known = set(OF_AN_EVENT)
    for position, step in enumerate(steps):
        yield from ((f"[{position}].path", sentence) for sentence in mistakes(step.path, known))
        known |= set(step.keep)
