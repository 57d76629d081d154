"""Which campaign takes a conversation, and whether it is drawn: frozen texts, or a Stop. Pure.

The first campaign in the settings whose filters all match takes it. Draws are keyed hashes of the conversation: nobody
can predict or influence them, and a replay draws the same lot. All inputs go into the ledger.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.ids import draw
from service.language_tags import nearest_first, plainly
from service.requests.outcomes import Outcome, Plan, Postpone, Stop
from service.requests.request import Alternative, Draws, Request
from service.settings import Account, Campaign, Texts
from service.states import Skip, State
from service.text import as_tag, folded
from service.ways import WAYS, links, opening
from service.x_api.questions import SCORE_RANGE, question


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a campaign may look at."""

    request_id: str
    id: str
    source: str
    account: str
    ended_at: datetime
    team_id: str | None
    tags: Sequence[str]
    channel: str | None
    language: str | None
    x_handle: str | None
    stale_at: datetime | None = None  # not stale before this: a person has resumed the request


def conversation_of(request: Request) -> Conversation:
    """Return what a campaign may look at of a request."""
    return Conversation(
        request_id=request.id,
        id=request.conversation_id,
        source=request.source,
        account=request.account,
        ended_at=request.ended_at,
        team_id=request.team_id,
        tags=request.tags,
        channel=request.channel,
        language=request.language,
        x_handle=request.x_handle,
        stale_at=request.stale_at,
    )


def choose(
    conversation: Conversation,
    campaigns: Iterable[Campaign],
    account: Account,
    *,
    hash_key: str,
    expected_per_day: int,
) -> Outcome:
    """Choose the campaign, draw, and freeze card and texts until the campaign's delay is over."""
    campaign = next((each for each in campaigns if takes(each, conversation)), None)
    if campaign is None:
        return Stop(State.SKIPPED, Skip.NO_CAMPAIGN)
    draws = decide(conversation, campaign, account, hash_key=hash_key, expected_per_day=expected_per_day)
    # Frozen whatever was drawn: a person may resume a conversation that was not drawn.
    plan = freeze(conversation, campaign, account, draws, links.hash_of(hash_key, conversation.request_id))
    for lot, reason in (("sample", Skip.SAMPLED_OUT), ("budget", Skip.QUOTA)):
        if not draws[lot]["drawn"]:
            return Stop(State.SKIPPED, reason, plan=plan)
    return Postpone(conversation.ended_at + campaign.delay, "delay", plan=plan)


def takes(campaign: Campaign, conversation: Conversation) -> bool:
    """Whether every filter of the campaign matches. An empty filter matches everything.

    Words match however they are written (`text.as_tag`): somebody who tags `No_Survey` means `no-survey`.
    """
    tags = set(map(as_tag, conversation.tags))
    one_of = (
        (campaign.sources, {conversation.source}),
        (campaign.accounts, {conversation.account}),
        (campaign.teams, _folded([conversation.team_id])),
        (campaign.channels, _folded([conversation.channel])),
        (set(map(plainly, campaign.languages)), set(nearest_first(conversation.language))),
        (set(map(as_tag, campaign.tags)), tags),
    )
    held_back = tags & set(map(as_tag, campaign.without_tags))
    return not held_back and all(not wanted or _folded(wanted) & given for wanted, given in one_of)


def _folded(words: Iterable[str | None]) -> set[str]:
    return {folded(each) for each in words if each is not None}


def decide(
    conversation: Conversation, campaign: Campaign, account: Account, *, hash_key: str, expected_per_day: int
) -> Draws:
    """Draw the two lots and return them with all inputs.

    Only what passes the sample is drawn for the budget. Each campaign calculates as if all conversations of the account
    were its own, so campaigns with different samples together never exceed the budget, but may leave some unused.
    """
    key = (conversation.source, conversation.id, conversation.ended_at.isoformat())
    way = WAYS[campaign.ways[0]]
    per_day = opening.per_day(account, way) if campaign.opening else way.per_day(account)
    asking = expected_per_day * campaign.sample
    share = min(1.0, per_day / asking) if asking > 0 else 1.0
    sample_lot = draw(hash_key, "sample", campaign.name, *key)
    budget_lot = draw(hash_key, "budget", account.name, *key)
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


def freeze(conversation: Conversation, campaign: Campaign, account: Account, draws: Draws, page_hash: str) -> Plan:
    """Return the plan with its rendered texts; later changes of the settings do not affect it.

    Only the link to the page is inserted when they leave.
    """
    texts = campaign.texts[language_of(conversation.language, campaign)]
    values = _values(conversation, campaign, account)
    first, *others = (Alternative(name, WAYS[name].freeze(texts, values)) for name in campaign.ways)
    stale_at = conversation.ended_at + campaign.stale_after
    return Plan(
        campaign=campaign.name,
        type=campaign.type,
        question_variant_id=campaign.question_variant_id,
        display_name=campaign.display_name,
        privacy_url=campaign.privacy_url,
        test=campaign.test,
        way=first.way,
        opening_text=_opening(campaign, texts, values),
        card_text=first.text,
        alternatives=tuple(others),
        page_hash=page_hash,
        decision=draws,
        stale_at=max(stale_at, conversation.stale_at or stale_at),
    )


def _values(conversation: Conversation, campaign: Campaign, account: Account) -> Mapping[str, str]:
    """What the placeholders of a campaign's texts stand for."""
    name = campaign.display_name or account.screen_name
    scores = SCORE_RANGE[campaign.type]
    return {
        "display_name": name,
        "screen_name": account.screen_name,
        "handle": f"@{conversation.x_handle}" if conversation.x_handle else "",
        "question": question(campaign.type, campaign.question_variant_id, name),
        "scale": f"{min(scores)}-{max(scores)}",
        "page": links.PLACE,
    }


def _opening(campaign: Campaign, texts: Texts, values: Mapping[str, str]) -> str | None:
    return texts.opening.format_map(values) if campaign.opening and texts.opening else None


def languages_of(request: Request, campaigns: Iterable[Campaign]) -> tuple[str, ...]:
    """Return in which languages to say what no text of the campaign does: the customer's, then that of its texts."""
    texts = (language_of(request.language, each) for each in campaigns if each.name == request.campaign)
    return tuple(each for each in (request.language, *texts) if each)


def language_of(language: str | None, campaign: Campaign) -> str:
    """Return the language to write in: the customer's, its more general form (`pt` for `pt-BR`), or the default."""
    there = {plainly(each): each for each in campaign.texts}
    return next((there[each] for each in nearest_first(language) if each in there), campaign.default_language)
