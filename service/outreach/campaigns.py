"""Which campaign takes a conversation, and who is drawn: in, a request row; out, frozen texts or a Stop. Pure.

The first campaign of the file whose every filter fits takes it. Draws are keyed hashes of the conversation: nobody
can foretell or influence them, and the same input draws the same lot on replay. All inputs go into the ledger.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.ids import draw
from service.outreach.machine import Outcome, Postpone, Stop
from service.settings import Account, Campaign
from service.states import Skip, State
from service.x_api.questions import SCORE_RANGE, question


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a campaign may look at."""

    id: str
    source: str
    account: str
    ended_at: datetime
    team_id: str | None
    tags: Sequence[str]
    channel: str | None
    language: str | None
    x_handle: str | None
    stale_at: datetime | None = None  # not stale before this: a person has taken the request up again


def choose(
    conversation: Conversation,
    campaigns: Iterable[Campaign],
    account: Account,
    *,
    secret_key: str,
    expected_per_day: int,
) -> Outcome:
    """Choose the campaign, draw, and freeze card and texts until the campaign's delay is over."""
    campaign = next((each for each in campaigns if takes(each, conversation)), None)
    if campaign is None:
        return Stop(State.SKIPPED, Skip.NO_CAMPAIGN)
    decision = decide(conversation, campaign, account, secret_key=secret_key, expected_per_day=expected_per_day)
    facts = {"campaign": campaign.name, "test": campaign.test, "type": campaign.type, "decision": decision}
    # Frozen before the lots are drawn: a person may take up a conversation that no lot fell on.
    facts |= freeze(conversation, campaign, account)
    stale_at = conversation.ended_at + campaign.stale_after
    facts["stale_at"] = max(stale_at, conversation.stale_at or stale_at)
    for lot, reason in (("sample", Skip.SAMPLED_OUT), ("budget", Skip.QUOTA)):
        if not decision[lot]["drawn"]:
            return Stop(State.SKIPPED, reason, facts=facts)
    return Postpone(conversation.ended_at + campaign.delay, "delay", facts=facts)


def takes(campaign: Campaign, conversation: Conversation) -> bool:
    """Say whether every filter of the campaign fits. An empty filter fits everything."""
    one_of = (
        (campaign.sources, conversation.source),
        (campaign.accounts, conversation.account),
        (campaign.teams, conversation.team_id),
        (campaign.channels, conversation.channel),
        (campaign.languages, conversation.language),
    )
    tags = set(conversation.tags)
    return (
        all(not wanted or given in wanted for wanted, given in one_of)
        and (not campaign.tags or not tags.isdisjoint(campaign.tags))
        and tags.isdisjoint(campaign.without_tags)
    )


def decide(
    conversation: Conversation, campaign: Campaign, account: Account, *, secret_key: str, expected_per_day: int
) -> dict[str, Any]:
    """Draw the two lots and return them with all that went in.

    Only what the sample lets through asks for the budget. Each campaign reckons as if all of the account's
    conversations were its own: together campaigns of different samples never ask for more than the budget, and may
    leave a part of it unused.
    """
    key = (conversation.source, conversation.id, conversation.ended_at.isoformat())
    per_day = min(account.cards_per_day, account.dms_per_day) if campaign.opening else account.cards_per_day
    asking = expected_per_day * campaign.sample
    share = min(1.0, per_day / asking) if asking > 0 else 1.0
    sample_lot = draw(secret_key, "sample", campaign.name, *key)
    budget_lot = draw(secret_key, "budget", account.name, *key)
    return {
        "sample": {"lot": sample_lot, "share": campaign.sample, "drawn": sample_lot < campaign.sample},
        "budget": {
            "lot": budget_lot,
            "share": share,
            "per_day": per_day,
            "expected_per_day": expected_per_day,
            "sample": campaign.sample,
            "drawn": budget_lot < share,
        },
    }


def freeze(conversation: Conversation, campaign: Campaign, account: Account) -> dict[str, Any]:
    """Return the card and its rendered texts as columns; later changes of the settings do not reach them."""
    texts = campaign.texts[language_of(conversation.language, campaign)]
    name = campaign.display_name or account.screen_name
    scores = SCORE_RANGE[campaign.type]
    values = {
        "display_name": name,
        "screen_name": account.screen_name,
        "handle": f"@{conversation.x_handle}" if conversation.x_handle else "",
        "question": question(campaign.type, campaign.question_variant_id, name),
        "scale": f"{min(scores)}-{max(scores)}",
    }
    return {
        "question_variant_id": campaign.question_variant_id,
        "display_name": campaign.display_name,
        "privacy_url": campaign.privacy_url,
        "opening_text": texts.opening.format_map(values) if campaign.opening and texts.opening else None,
        "card_text": texts.card.format_map(values),
    }


def language_of(language: str | None, campaign: Campaign) -> str:
    """Return the language to write in: the customer's, its base (`pt` for `pt-BR`), or the campaign's default."""
    by_lower = {each.lower(): each for each in campaign.texts}
    wanted = (language or "").lower().replace("_", "-")
    return by_lower.get(wanted) or by_lower.get(wanted.partition("-")[0]) or campaign.default_language
