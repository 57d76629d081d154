"""Mistakes that only show when sections are compared with each other. They stop the start."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from string import Formatter
from typing import Any

from service.settings.asking import SENT, Account, Campaign, Texts
from service.settings.sections import Database, Mistake


def crossings(parts: dict[str, Any]) -> Iterator[Mistake]:
    """Mistakes that only show when sections are compared. What could not be loaded is None."""
    accounts, sources, campaigns = (
        {name: each for name, each in parts[section].items() if each is not None}
        for section in ("accounts", "sources", "campaigns")
    )
    yield from _account_crossings(accounts)
    for name, source in sources.items():
        if source.api is not None:
            yield from (Mistake(f"sources.{name}.api.{key}", sentence) for key, sentence in source.api.mistakes())
        if parts["accounts"] and source.account not in parts["accounts"]:
            wrong = f"there is no account '{source.account}'" if source.account else "is missing"
            yield Mistake(f"sources.{name}.account", f"{wrong}; write one of {_list(parts['accounts'])}")
    for name, campaign in campaigns.items():
        yield from _campaign_crossings(f"campaigns.{name}", campaign, parts)
    if parts["database"] is not None:
        yield from _replica_crossings(parts["database"])
    if parts["worker"] is not None and parts["worker"].lease < timedelta(seconds=2):
        yield Mistake("worker.lease", "must be at least 2s, and should outlast a call to X, which may take 40s")


def _replica_crossings(database: Database) -> Iterator[Mistake]:
    if database.read_url is None:
        return
    if not all(each.startswith("postgresql") for each in (database.url, database.read_url)):
        yield Mistake(
            "database.read_url", "needs PostgreSQL at both addresses, because SQLite has no replica; leave it out"
        )
    elif database.read_url == database.url:
        yield Mistake(
            "database.read_url", "is the same as database.url; write the address of a replica, or leave it out"
        )


def _account_crossings(accounts: dict[str, Account]) -> Iterator[Mistake]:
    first: dict[str, str] = {}
    for name, account in accounts.items():
        # X's limits are per account: two tables for one would double them
        if first.setdefault(account.user_id, name) != name:
            other = first[account.user_id]
            yield Mistake(f"accounts.{name}.user_id", f"is also the one of '{other}'; write one table per account")
        yield from _sign_in_crossings(f"accounts.{name}", account)
        for here, there in (("webhook_user", "webhook_password"), ("webhook_password", "webhook_user")):
            if not getattr(account, here) and getattr(account, there):
                yield Mistake(f"accounts.{name}.{here}", f"is missing; {there} does nothing without it")


def _sign_in_crossings(path: str, account: Account) -> Iterator[Mistake]:
    """OAuth 1.0a needs two tokens; OAuth 2.0 stores its own, and X accepts it for v2 only."""
    if account.client_id is None:
        yield from (
            Mistake(f"{path}.{key}", MISSING) for key in ("token", "token_secret") if getattr(account, key) is None
        )
    elif account.api != "v2":
        yield Mistake(f"{path}.client_id", 'works only with api = "v2", because X refuses OAuth 2.0 on v1.1')
    if account.api == "v2" and account.dms_per_day > MOST_DMS_OVER_V2:
        yield Mistake(
            f"{path}.dms_per_day", f"is more than X accepts over v2 in 24 h; write at most {MOST_DMS_OVER_V2}"
        )


def _way_crossings(path: str, campaign: Campaign, accounts: dict[str, Account]) -> Iterator[Mistake]:
    """Ways an account's API cannot do, used by a campaign that may take its conversations."""
    for name in campaign.accounts or accounts:
        account = accounts.get(name)
        if account is None:
            continue
        if account.api == "v2" and "quick_reply" in campaign.ways:
            yield Mistake(
                f"{path}.ways",
                f"has 'quick_reply', which v2 does not support, and accounts.{name}.api is v2; leave it out",
            )
        if account.client_id is not None and "card" in campaign.ways:
            yield Mistake(
                f"{path}.ways",
                f"has 'card', which only v1.1 supports, but accounts.{name} signs in with OAuth 2.0; use 'page'",
            )


def _campaign_crossings(path: str, campaign: Campaign, parts: dict[str, Any]) -> Iterator[Mistake]:
    if campaign.type == "nps" and campaign.question_variant_id > MAX_NPS_VARIANT:
        yield Mistake(f"{path}.question_variant_id", "must be 0 to 9: X has no other nps questions")
    if campaign.default_language not in campaign.texts:
        sentence = f"is '{campaign.default_language}', which has no texts; write one of {_list(campaign.texts)}"
        yield Mistake(f"{path}.default_language", sentence)
    if not campaign.ways or len(set(campaign.ways)) < len(campaign.ways):
        yield Mistake(f"{path}.ways", "must name at least one way of asking, and each only once")
    yield from _way_crossings(path, campaign, parts["accounts"])
    for language, texts in campaign.texts.items():
        yield from _text_crossings(f"{path}.texts.{language}", campaign, texts)
    for kind in ("sources", "accounts"):
        for each in getattr(campaign, kind):
            if parts[kind] and each not in parts[kind]:
                sentence = f"there is no '{each}' in [{kind}]; write one of {_list(parts[kind])}"
                yield Mistake(f"{path}.{kind}", sentence)


def _text_crossings(where: str, campaign: Campaign, texts: Texts) -> Iterator[Mistake]:
    """Texts the campaign's ways need, and texts that could not be rendered."""
    if campaign.opening and not texts.opening:
        yield Mistake(f"{where}.opening", "is missing; write it, or set opening = false for the campaign")
    for way in campaign.ways:
        if not getattr(texts, way):
            yield Mistake(f"{where}.{way}", f"is missing; the way '{way}' needs a text")
    if "page" in campaign.ways and texts.page and "{page}" not in texts.page:
        yield Mistake(f"{where}.page", "does not contain {page}, the placeholder for the link")
    if texts.thanks is not None and placeholders_of(texts.thanks) - {"page"}:
        yield Mistake(f"{where}.thanks", "may contain {page}, but no other placeholder")
    for key in SENT:
        for wrong in _wrong_braces(getattr(texts, key) or ""):
            yield Mistake(f"{where}.{key}", wrong)


MISSING = "is missing; write it, or refer to it by a name that ends in _env, _file or _command"
MOST_DMS_OVER_V2 = 1440
MAX_NPS_VARIANT = 9
PLACEHOLDERS = ("display_name", "screen_name", "handle", "question", "scale", "page")


def _wrong_braces(template: str) -> list[str]:
    """Say why a text cannot be rendered: it would fail for every conversation of the campaign."""
    try:
        found = placeholders(template)
    except ValueError:
        return ["has an unmatched brace; close the placeholder, or write {{ or }} for a literal brace"]
    known = _list(PLACEHOLDERS)
    return [
        f"has the unknown placeholder {{{each}}}; the known ones are {known}"
        for each in found
        if each not in PLACEHOLDERS
    ]


def placeholders_of(template: str) -> set[str]:
    """The same as a set; a brace without its partner stands for itself."""
    try:
        return set(placeholders(template))
    except ValueError:
        return {template}


def placeholders(template: str) -> list[str]:
    """Return what is in braces in `template`, as written; doubled braces are literal. Raises ValueError.

    Parsed as rendering parses it, so that nothing passes here and fails there.
    """
    return [
        name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
        for _, name, form, conversion in Formatter().parse(template)
        if name is not None
    ]


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none yet"
