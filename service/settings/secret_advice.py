"""Secrets that are weak, or hardly what somebody meant to write, so that nothing would ever match them.

Nothing here stops a start, and nothing shows a secret.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import is_dataclass
from typing import Any

from service.settings.asking import Source
from service.settings.declare import declared
from service.settings.sections import Mistake, Settings


def secret_warnings(settings: Settings) -> Iterator[Mistake]:
    """Warn of what is odd about the secrets of all sections."""
    tables: dict[str, Any] = {name: getattr(settings, name) for name in ("service", "database", "privacy")}
    for kind in ("accounts", "sources"):
        tables |= {f"{kind}.{name}": each for name, each in getattr(settings, kind).items()}
    for path, table in tables.items():
        yield from (Mistake(f"{path}.{name}", sentence) for name, sentence in odd(table))
    key = settings.service.secret_key
    if len(key) < STRONG_SECRET or len(set(key)) < STRONG_VARIETY:
        yield Mistake("service.secret_key", "is weak; use 32 random bytes, e.g. from `openssl rand -hex 32`")
    for name, source in settings.sources.items():
        yield from _short_keys(name, source)


def odd(table: Any) -> Iterator[tuple[str, str]]:
    """Yield the secrets of a table that are hardly meant as they are, and why."""
    for name, text in _texts(table, SENT_WITH_THEM):
        sentence = next((each for each, is_so in ODD if is_so(text)), None)
        if sentence:
            yield name, sentence


def secrets_of(table: Any) -> list[str]:
    """The secret texts of one table of the settings, and of those in it: no word that only stands for one.

    Of a CRM's API the user is a secret only beside such a word (`password = "X"`), of an address the password.
    """
    texts = {name: _password(text) if name in ADDRESSES else text for name, text in _texts(table)}
    found = {name: text for name, text in texts.items() if len(text) >= LEAST}
    return [text for name, text in found.items() if not (name == "api.user" and "api.password" in found)]


def _password(address: str) -> str:
    return address.rpartition("@")[0].partition("://")[2].partition(":")[2]


def _texts(table: Any, also: Container[str] = ()) -> Iterator[tuple[str, str]]:
    for name, what in declared(type(table)).items():
        value = getattr(table, name)
        if is_dataclass(value):
            yield from ((f"{name}.{inner}", text) for inner, text in _texts(value, also))
        elif isinstance(value, str) and (what.secret or name in also):
            yield name, value
        elif isinstance(value, tuple) and what.secret:
            yield from ((f"{name}[{i}]", each) for i, each in enumerate(value))


def _short_keys(name: str, source: Source) -> Iterator[Mistake]:
    sentence = "is short; a token of at least 22 random characters cannot be guessed"
    for i, key in enumerate(source.keys):
        if len(key) < SHORT_KEY:
            yield Mistake(f"sources.{name}.keys[{i}]", sentence)


def _has_odd_ends(text: str) -> bool:
    return any(end.isspace() or not end.isprintable() for end in text[:1] + text[-1:])


def _holds_the_unseen(text: str) -> bool:
    return "-----BEGIN" not in text and not text.isprintable()


STRONG_SECRET = 32
STRONG_VARIETY = 8
SHORT_KEY = 22
LEAST = 8
ADDRESSES = ("url", "read_url", "outgoing_proxy")
SENT_WITH_THEM = ("webhook_user", "client_id")  # no secrets, and as wrong by one letter
MARK = "[\u2018-\u201f\u00ab\u00bb]"
IN_QUOTES = re.compile(f"([\"'`]).*\\1|{MARK}.*{MARK}", re.DOTALL)
NAMED = re.compile("(export )?([A-Z][A-Z0-9_]*|[a-z][a-z_]*)=[^=]")
SCHEME = re.compile("(bearer|basic|token) ", re.IGNORECASE)
NOT_FILLED_IN = re.compile(
    r"\$\{\w+\}|\{\{.*\}\}|(?i:change[-_]?me)|\bYOURS?\b|IDENTIFIER-OF|"
    r"^(\$[A-Z][A-Z0-9_]*|%[A-Z][A-Z0-9_]*%|<[^<>]*>|\.\.\.|\u2026)\Z"
)
REMOVE = "which counts as part of the secret; remove it unless you meant it"
WRITE_IT = "write the secret, or refer to it by a name that ends in _env, _file or _command"
ODD = (
    (f"begins or ends with a space, a line break or an invisible character, {REMOVE}", _has_odd_ends),
    (
        "is in quotes, which count as part of the secret (env files keep them); remove them unless you meant them",
        IN_QUOTES.fullmatch,
    ),
    (f"holds a line break, a tab or an invisible character, {REMOVE}", _holds_the_unseen),
    (f"ends with a backslash and a letter instead of a line break, {REMOVE}", re.compile(r"\\[nrt]\Z").search),
    (f"begins with a name and '=', {REMOVE}", NAMED.match),
    (f"begins with a word of the header's, {REMOVE}", SCHEME.match),
    (f"is a placeholder in which nothing was filled in; {WRITE_IT}", NOT_FILLED_IN.search),
)
