"""Settings that work but whose consequence an operator should know, for `config check`.

Nothing here stops a start. Never shows a secret.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from service.language_tags import TAG, nearest_first
from service.network.addresses import is_open_to_the_road, is_this_machine
from service.settings.asking import SENT, Account, Campaign, Texts
from service.settings.checks import placeholders_of
from service.settings.secret_advice import secret_warnings
from service.settings.sections import Mistake, Service, Settings, Web
from service.settings.values import host_and_port
from service.text import as_tag, folded


def warnings(settings: Settings) -> Iterator[Mistake]:
    """Settings that work but whose consequence an operator should know."""
    yield from _web_warnings(settings.service, settings.web)
    yield from secret_warnings(settings)
    for name in ("url", "read_url"):
        yield from _database_warnings(name, getattr(settings.database, name) or "")
    for account in settings.accounts.values():
        yield from _account_warnings(account, settings.campaigns)
    for campaign in settings.campaigns:
        yield from _campaign_warnings(f"campaigns.{campaign.name}", campaign)
    yield from _never_reached(settings.campaigns)
    yield from _left_from_the_example(settings)


def _left_from_the_example(settings: Settings) -> Iterator[Mistake]:
    """Addresses of the example, or of a preset, that nobody has replaced."""
    sources = settings.sources.items()
    shown = {"service.public_url": settings.service.public_url}
    shown |= {f"campaigns.{each.name}.privacy_url": each.privacy_url for each in settings.campaigns}
    shown |= {f"sources.{name}.conversation_url": each.conversation_url or "" for name, each in sources}
    asked = {f"sources.{name}.api": each.api for name, each in sources if each.api is not None}
    shown |= {
        f"{path}.{key}": getattr(api, key) or "" for path, api in asked.items() for key in ("base_url", "token_url")
    }
    for path, url in shown.items():
        if re.match(r"https?://(([^/]+\.)?example\.com|YOURS)\b", url):
            yield Mistake(path, "is the example's address; write your own")


def _never_reached(campaigns: Sequence[Campaign]) -> Iterator[Mistake]:
    """Campaigns below one that takes all that they would: the first whose filters fit takes a conversation."""
    for place, campaign in enumerate(campaigns):
        above = next((each for each in campaigns[:place] if _takes_all_of(each, campaign)), None)
        if above is not None:
            sentence = (
                f"never gets a conversation, because '{above.name}' above it matches them all; move it above that one"
            )
            yield Mistake(f"campaigns.{campaign.name}", sentence)


def _takes_all_of(above: Campaign, campaign: Campaign) -> bool:
    """Whether each filter lets everything through that the other one's does, compared as conversations are."""
    for name in ("sources", "accounts", "teams", "tags", "channels", "languages"):
        wide, narrow = {each for each, *_ in _forms(above, name)}, _forms(campaign, name)
        if wide and not (narrow and all(wide.intersection(each) for each in narrow)):
            return False
    return _held_back(above) <= _held_back(campaign)


def _forms(campaign: Campaign, name: str) -> list[list[str]]:
    """Each word of a filter as conversations are compared with it, and after a language its more general forms."""
    words: Sequence[str] = getattr(campaign, name)
    return [nearest_first(each) or [""] if name == "languages" else [SAME.get(name, str)(each)] for each in words]


def _held_back(campaign: Campaign) -> set[str]:
    return set(map(as_tag, campaign.without_tags))


def _filter_warnings(path: str, campaign: Campaign) -> Iterator[Mistake]:
    """Filters that no conversation can match."""
    for name, same in SAME.items():
        for i, each in enumerate(getattr(campaign, name)):
            if not same(each):
                sentence = "is empty, so it matches no conversation; write a word, or leave it out"
                yield Mistake(f"{path}.{name}[{i}]", sentence)
    if campaign.tags and set(map(as_tag, campaign.tags)) <= _held_back(campaign):
        yield Mistake(f"{path}.tags", "are also in without_tags, so nobody would ever be asked; take them out of one")


def _account_warnings(account: Account, campaigns: Iterable[Campaign]) -> Iterator[Mistake]:
    path = f"accounts.{account.name}"
    if is_open_to_the_road(account.base_url):
        sentence = "uses http:// to another machine, so tokens and texts could be read on the network; write https://"
        yield Mistake(f"{path}.base_url", sentence)
    if account.token_of not in {None, account.user_id}:
        sentence = (
            f"belongs to X user {account.token_of}, but user_id is {account.user_id}; use both from the same account"
        )
        yield Mistake(f"{path}.token", sentence)
    if account.webhook_password is not None and len(account.webhook_password) < STRONG_PASSWORD:
        yield Mistake(f"{path}.webhook_password", "is too short: X requires at least 20 random characters")
    mine = [each for each in campaigns if not each.accounts or account.name in each.accounts]
    if account.webhook_user is None and any("card" in each.ways for each in mine):
        yield Mistake(f"{path}.webhook_user", "is not set: answers arrive by polling only, up to a day late")
    nameless = {f"{{{name}}} in {each.name}" for each in mine for name in _names_the_account(each)}
    if nameless and not account.screen_name:
        sentence = f"is not set, so these of your texts name nobody: {', '.join(sorted(nameless))}; write the handle"
        yield Mistake(f"{path}.screen_name", sentence)


def _names_the_account(campaign: Campaign) -> set[str]:
    """The placeholders of its texts that the account's handle stands in for."""
    sent = (getattr(texts, key) or "" for texts in campaign.texts.values() for key in SENT)
    named = {"screen_name"} if campaign.display_name else {"screen_name", "display_name", "question"}
    return named & set().union(*map(placeholders_of, sent))


def _campaign_warnings(path: str, campaign: Campaign) -> Iterator[Mistake]:
    if campaign.stale_after <= campaign.delay:
        yield Mistake(f"{path}.stale_after", "is shorter than the delay, so nobody would ever be asked")
    if campaign.test:
        yield Mistake(f"{path}.test", "is true, so its answers count neither at X nor here")
    if "quick_reply" in campaign.ways:
        sentence = (
            "a tap is a message in the account's DMs, so anyone who reads them (agents too) sees who gave which score"
        )
        yield Mistake(f"{path}.ways", f"has quick_reply: {sentence}; card and page avoid this")
    if campaign.type == "nps" and "card" in campaign.ways:
        yield Mistake(
            f"{path}.type",
            "is nps, but some X clients (XChat) show an NPS card as a raw id; prefer csat until X fixes this",
        )
    codes = {f"{path}.texts.{each}": each for each in campaign.texts}
    codes |= {f"{path}.languages[{i}]": each for i, each in enumerate(campaign.languages)}
    for where in (where for where, code in codes.items() if TAG.fullmatch(code) is None):
        yield Mistake(where, "is not a language code, so it matches no conversation; write one such as 'de' or 'pt-BR'")
    yield from _filter_warnings(path, campaign)
    for language, texts in campaign.texts.items():
        yield from _text_warnings(f"{path}.texts.{language}", texts, by_card="card" in campaign.ways)


def _text_warnings(path: str, texts: Texts, *, by_card: bool) -> Iterator[Mistake]:
    yield from _unseen(path, texts)
    if NEEDS_CARD.search(texts.card):
        sentence = "makes sense only with the card, which X's web client and old apps do not show"
        yield Mistake(f"{path}.card", sentence)
    if texts.page and by_card and not any("{page}" in each for each in (texts.card, texts.opening or "")):
        sentence = (
            "and the opening both lack {page}, so a customer who sees no card cannot answer; add it to one of them"
        )
        yield Mistake(f"{path}.card", sentence)
    for key in SENT:
        if BEGS.search(getattr(texts, key) or ""):
            yield Mistake(f"{path}.{key}", "asks for a particular score; honest feedback needs a neutral question")


def _unseen(where: str, texts: Texts) -> Iterator[Mistake]:
    """Invisible characters in texts: unclear sends are looked up in X's list, which may show texts without them."""
    for key in SENT:
        hidden = sorted({f"U+{ord(char):04X}" for char in UNSEEN.findall(getattr(texts, key) or "")})
        if hidden:
            sentence = f"contains {', '.join(hidden)}, which is invisible and which X may drop when it shows the text"
            yield Mistake(f"{where}.{key}", f"{sentence}; take it out")


def _web_warnings(service: Service, web: Web) -> Iterator[Mistake]:
    if is_open_to_the_road(service.public_url):
        sentence = (
            "uses http://, so answers and keys could be read on the network; put TLS in front of dm-feedback "
            "and write https://"
        )
        yield Mistake("service.public_url", sentence)
    if urlsplit(service.public_url).path.strip("/"):
        sentence = (
            "has a path, below which only webhooks work: the question page and the dashboard lead to the root of the "
            "host; give dm-feedback a host of its own"
        )
        yield Mistake("service.public_url", sentence)
    if not web.secure_cookies and not is_this_machine(urlsplit(service.public_url).hostname):
        sentence = "is false, so dashboard sessions are also sent without TLS; set it only on your own machine"
        yield Mistake("web.secure_cookies", sentence)
    alone = is_this_machine(host_and_port(web.bind)[0])
    if not web.trusted_proxies and not alone:
        sentence = (
            "is 0, but other machines can reach the port. Put a reverse proxy that buffers requests in front of "
            "dm-feedback and write how many there are; otherwise the proxy's address is taken for every client's"
        )
        yield Mistake("web.trusted_proxies", sentence)
    elif web.trusted_proxies and not web.proxy_networks and not alone:
        sentence = (
            "is not set, so anyone who reaches the port may claim any client address; write the networks of "
            "your proxies"
        )
        yield Mistake("web.proxy_networks", sentence)


def _database_warnings(name: str, url: str) -> Iterator[Mistake]:
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        hosts = ",".join(asked.get("host", [parts.netloc.rpartition("@")[2]])).split(",")  # libpq's word stands above
        if all(is_this_machine(urlsplit(f"//{each}").hostname) for each in hosts):  # of a path there is no hostname
            return
    except ValueError:  # opening it says what is right
        return
    mode = asked.get("sslmode", [""])[-1]
    if mode in {"disable", "allow", "prefer"}:
        sentence = (
            f"has sslmode={mode}, so answers could be read on the network; leave it out (require) or write verify-full"
        )
        yield Mistake(f"database.{name}", sentence)
    elif parts.scheme.startswith("postgresql") and not mode.startswith("verify-"):
        sentence = (
            "uses TLS without checking the server's certificate; write sslmode=verify-full and sslrootcert=FILE, "
            "unless you control the whole network path"
        )
        yield Mistake(f"database.{name}", sentence)


UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
SAME: Mapping[str, Callable[[str], str]] = {
    "teams": folded, "channels": folded, "tags": as_tag, "without_tags": as_tag,
}  # fmt: skip
"""What is compared of a filter's words, as outreach does."""
STRONG_PASSWORD = 20
NEEDS_CARD = re.compile(
    r"\b(below|above|tap|click|press|card|button|stars?|unten|hier|abajo|ci-dessous)\b", re.IGNORECASE
)
BEGS = re.compile(r"\b(10 out of 10|five stars?|5 stars?|top score|best score|highest)\b", re.IGNORECASE)
