"""What the papers say about this installation, as words by name. Never a secret, never a customer."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from service.auth.keys import ROLES
from service.humanize import many
from service.privacy.housekeeping import identities_kept
from service.settings import Campaign, Settings
from service.settings.reference import reference

NOBODY = "[to fill in]"
UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}
AT_REST = (
    "once `dm-feedback privacy encrypt` has been run, comments, notes, DM texts, raw deliveries, names and customers' "
    "ids are encrypted (AES-256-GCM, bound to row and column; AES-256-SIV for ids that are compared). Scores, times, "
    "tags and the ids of staff are not encrypted: use an encrypted disk as well"
)
NOT_AT_REST = "**not encrypted by the service (`privacy.encryption_key` is not set): use an encrypted disk**"


def facts_of(settings: Settings, now: datetime) -> Mapping[str, str]:
    """Return the value of every placeholder in the papers."""
    keep = settings.privacy
    return {
        "date": f"{now:%Y-%m-%d}",
        "address": settings.service.public_url,
        "zone": settings.service.time_zone.key,
        "contact": settings.web.security_contact or f"{NOBODY} (`web.security_contact` is not set)",
        "database": settings.database.url.partition(":")[0],
        "accounts": _listed(f"{each.name} (@{each.screen_name or '?'})" for each in settings.accounts.values()),
        "sources": _listed(f"{each.name} ({each.preset or 'own definition'})" for each in settings.sources.values()),
        "traces": _listed([_host(settings.service.traces_to)] if settings.service.traces_to else []),
        "proxy": _listed([_host(settings.service.outgoing_proxy)] if settings.service.outgoing_proxy else []),
        "x_hosts": _listed({_host(each.base_url) for each in settings.accounts.values()}),
        "campaigns": "\n".join(map(_campaign, settings.campaigns)),
        "policies": _listed({each.privacy_url for each in settings.campaigns}),
        "keep_deliveries": _span(keep.keep_deliveries),
        "keep_repeats": _span(max(keep.keep_repeats, keep.keep_deliveries)),
        "keep_texts": _span(keep.keep_texts),
        "keep_identities": _span(identities_kept(settings)),
        "keep_history": _span(keep.keep_history),
        "keep_access_log": _span(keep.keep_access_log),
        "erase_scores": "is erased too" if keep.erase_scores else "remains as a count without any person",
        "erase_by_two": "two people over the API, one at a terminal" if keep.erase_by_two else "one person",
        "min_score_n": str(settings.reports.min_score_n),
        "min_comments_n": str(settings.reports.min_comments_n),
        "cooldown": _listed({_span(each.cooldown) for each in settings.campaigns}),
        "at_rest": AT_REST if keep.encryption_key else NOT_AT_REST,
        "proxies": str(settings.web.trusted_proxies),
        "roles": "\n".join(f"| {name} | {may} |" for name, may in ROLES.items()),
        "limits": "\n".join(_limits(settings)),
    }


def _campaign(each: Campaign) -> str:
    return f"| {each.name} | {each.type} | {', '.join(each.ways)} | {', '.join(each.texts)} | {each.privacy_url} |"


def _limits(settings: Settings) -> Iterator[str]:
    """The settings that limit something, with their values."""
    for doc in reference():
        section, _, name = doc.path.partition(".")
        value = getattr(getattr(settings, section), name) if section in {"web", "worker", "reports"} else None
        if isinstance(value, int | timedelta) and not isinstance(value, bool):
            yield f"| `{doc.path}` | {_span(value) if isinstance(value, timedelta) else value} | {doc.description} |"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "none"


def _host(address: str) -> str:
    return urlsplit(address).hostname or address


def _span(length: timedelta) -> str:
    """In the largest unit without a remainder."""
    for name, unit in UNITS.items():
        if length and not length % unit:
            return many(length // unit, name)
    return f"{length.total_seconds():g} seconds"
