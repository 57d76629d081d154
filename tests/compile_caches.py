"""Keeps compiled SQL, route builders, templates and certificates for a whole test run.

A service process keeps them all its life, but each test opens engines and applications of its own and would compile
everything again: 31 of 82 ms of a test that sends were spent on writing the same SQL. Here engines of one kind share
statements, also with engines of later tests that have the same keys at rest. Applications share read routes with their
URL builders (most of the 90 ms an application takes to build) and page templates. What a type of SQLAlchemy's takes is
found out once, not for each value of a time, and the certificates of the system, of which httpx makes a context for
each call (17 ms), are read once.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from types import MethodType
from typing import Any

import httpx
import sqlalchemy.util
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from service.at_rest import columns
from service.at_rest.columns import keyring_of
from service.at_rest.keyring import Keyring

MANY = 3000
Key = tuple[Any, ...]
_compile = Rule.compile


def keep() -> None:
    """From here on."""
    Engine._compiled_cache = property(lambda _engine: STATEMENTS, lambda _engine, _own: None)
    columns.Keyring = KEYRINGS.lend
    Rule.compile = _compiled
    Flask.jinja_options = {"bytecode_cache": Pages()}
    sqlalchemy.util.get_cls_kwargs = cache(sqlalchemy.util.get_cls_kwargs)
    httpx._transports.default.create_ssl_context = cache(httpx.create_ssl_context)


class Statements(LRUCache[Key, Any]):
    """SQLAlchemy's cache keyed by the engine's dialect: engines that write the same SQL share it."""

    def get(self, key: Key, default: Any = None) -> Any:
        return super().get(_alike(key), default)

    def __setitem__(self, key: Key, value: Any) -> None:
        super().__setitem__(_alike(key), value)


def _alike(key: Key) -> Key:
    dialect, *rest = key
    return (dialect.name, dialect.dbapi, keyring_of(dialect), *rest)


class Keyrings:
    """Keyrings that serve one test after another: a statement encrypts with the one it was compiled for."""

    def __init__(self) -> None:
        self._kept: dict[Key, list[Keyring]] = {}
        self._lent: Counter[Key] = Counter()

    def lend(self, texts: Sequence[str]) -> Keyring:
        """One with these keys that no other engine of this test has."""
        kept, number = self._kept.setdefault(tuple(texts), []), self._lent[*texts]
        self._lent[*texts] += 1
        if number == len(kept):
            kept.append(Keyring(texts))
        kept[number].__dict__.clear()
        kept[number].__init__(texts)  # type: ignore[misc]  # as new
        return kept[number]

    def take_back(self) -> None:
        """A test is over, and its engines with it."""
        self._lent.clear()


KEYRINGS = Keyrings()
STATEMENTS = Statements(MANY)
READ: dict[Key, Rule] = {}


def _compiled(rule: Rule) -> None:
    """What a route's text is read into: the same for every rule of this text, but that each writes URLs for its map."""
    if rule.defaults or rule.host:
        return _compile(rule)
    key = (rule.rule, rule.subdomain, rule.merge_slashes)
    if key not in READ:
        _compile(rule)
        READ[key] = rule
    like = READ[key]
    rule.arguments = set(like.arguments)
    rule._parts, rule._trace, rule._converters = like._parts, like._trace, like._converters
    rule._build, rule._build_unknown = (MethodType(each.__func__, rule) for each in (like._build, like._build_unknown))
    return None


class Pages(BytecodeCache):
    """Compiled templates, each as long as its source is unchanged."""

    def __init__(self) -> None:
        self._kept: dict[Key, Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.code
