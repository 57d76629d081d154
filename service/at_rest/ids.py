"""Ids that SQL compares: an id is always encrypted to the same word, so that equal ids can be found.

AES-256-SIV under a key derived from the digest key, per kind of id and not per row: somebody who has the file sees that
two rows belong to one person, but not to whom. A comparison matches both the encrypted and the plain form, so nothing
is missed while rows are being moved from one to the other.
"""

import json
from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from service.at_rest import unreadable
from service.at_rest.columns import AtRest, keyring_of, report_unreadable
from service.at_rest.keyring import HANDLE, Keyring, damaged
from service.at_rest.unreadable import is_unreadable
from service.errors import Unavailable


class EncryptedId(AtRest):
    """A column of ids. `kind`: what they are ids of, the same in every table."""

    cache_ok = True

    class comparator_factory(sa.types.TypeDecorator.Comparator[Any], sa.Text.Comparator[Any]):  # noqa: N801 - SQLAlchemy's
        """Compares with both forms of an id."""

        def operate(self, op: Any, *other: Any, **how: Any) -> Any:
            """Compare."""
            plain = super().operate(op, *other, **how)
            if op is operators.eq and isinstance(other[0], (str, sa.BindParameter)):
                return EitherForm(plain, self.expr, self._forms_of(other[0]))
            if op is operators.in_op and isinstance(other[0], Collection):
                return EitherFormOfAny(plain, self.expr, self._forms_of(list(other[0])))
            return plain

        def _forms_of(self, given: Any) -> Any:
            forms = Forms(self.type.kind)  # type: ignore[attr-defined]  # an EncryptedId has one
            return sa.type_coerce(given, forms) if isinstance(given, sa.BindParameter) else sa.literal(given, forms)

    def __init__(self, kind: str, length: int) -> None:
        super().__init__()
        self.kind, self.length = kind, length

    def bind_processor(self, dialect: Dialect) -> Any:
        """Return what encrypts ids when written; without keys nothing."""
        keyring = keyring_of(dialect)
        return None if keyring is None else lambda value: self.encrypt(keyring, value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy's
        """Return what decrypts ids when read; without keys nothing."""
        keyring = keyring_of(dialect)
        return None if keyring is None else lambda value: self.read(keyring, value)

    def encrypt(self, keyring: Keyring, value: str | None) -> str | None:
        """Return an id as it is to be stored. Raises Unavailable for an unreadable marker."""
        if is_unreadable(value):
            raise damaged(self.kind)
        return keyring.encrypt_id(value, self.kind) if value and keyring.encrypts_ids else value

    def read(self, keyring: Keyring, value: str | None) -> str | None:
        """Return an id that was read; one that fails to decrypt is logged, counted, and replaced by a marker."""
        if value is None:
            return None
        try:
            return keyring.decrypt_id(value, self.kind)
        except Unavailable:
            report_unreadable(keyring, self.kind, "")
            return unreadable.TEXT


def is_handle(column: sa.Column[Any], handles: Iterable[str]) -> sa.ColumnElement[bool]:
    """Say which rows hold one of these handles, however it is written."""
    return sa.type_coerce(sa.func.lower(column), column.type).in_([each.lower() for each in handles])


CONVERSATION_ID, X_USER_ID = EncryptedId("conversation_id", 256), EncryptedId("x_user_id", 20)
X_HANDLE = EncryptedId(HANDLE, 15)


class Forms(sa.types.TypeDecorator[Any]):
    """Ids to look for, as JSON: each in every form in which it may be stored."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return all forms."""
        keyring = keyring_of(dialect)
        if value is None or keyring is None:
            return None
        given = [value] if isinstance(value, str) else [each for each in value if each is not None]
        return json.dumps([form for each in given for form in keyring.forms(each, self.kind)])


class EitherForm(FunctionElement[bool]):
    """A comparison of ids that matches both stored forms."""

    inherit_cache = True
    name = "either_form"
    type = sa.Boolean()

    def self_group(self, against: Any = None) -> Any:  # noqa: ARG002 - SQLAlchemy's
        """Return itself, or SQLAlchemy would make SQLite compare it with 1, past every index."""
        return self


class EitherFormOfAny(EitherForm):
    """The same for several ids."""

    inherit_cache = True
    name = "either_form_of_any"


@compiles(EitherForm)
def _either(element: EitherForm, compiler: SQLCompiler, **how: Any) -> str:
    plain, column, wanted = element.clauses
    if keyring_of(compiler.dialect) is None:
        return compiler.process(plain, **how)
    where, forms = compiler.process(column, **how), compiler.process(wanted, **how)
    if compiler.dialect.name == "postgresql":
        forms = f"CAST({forms} AS JSON)"
    if not isinstance(element, EitherFormOfAny):  # not as a list, whose length the query planner would overestimate
        return f"{where} IN (({forms}) ->> 0, ({forms}) ->> 1)"
    if compiler.dialect.name == "postgresql":
        return f"{where} = ANY (ARRAY(SELECT json_array_elements_text({forms})))"
    return f"{where} IN (SELECT value FROM json_each({forms}))"  # noqa: S608 - names of ours
