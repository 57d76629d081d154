"""Kinds of value that a definition knows beside those of the settings: expressions, words, header names, signed parts.

Each reads what TOML gives, or says what would be right. None knows which key it is for: tables.py and the kinds of
proof declare that.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import marshmallow as ma

from service.intake.definition.crm_lists import LISTED_ROOTS, FromListed
from service.intake.definition.steps import ANSWER_ROOTS, FromAnswer, Kept, Sent
from service.intake.definition.tables import RECEIVED, OverBody, When
from service.intake.expressions.compiled import ROOT_NAMES, Expression, ExpressionError, compile_expression
from service.intake.verify.signed_parts import PARTS, PLAIN_PARTS, PREFIXED_PARTS, Part, SignatureAt
from service.intake.verify.verifier import HeaderName
from service.settings.declare import KINDS, NamedTable, Section, reader_of
from service.text import folded

WRONG_SIGNATURE = (
    "must be a header's name or a table: "
    '{header = "…", prefix = "…", kv = "…" or list = "…", names = ["t", "v1"], separator = ";"}'
)
NAME = ma.validate.Regexp(r"^[a-z_]{1,40}\Z", error="names of what is kept are lower-case letters and _")
HEADER = ma.validate.Regexp(
    r"(?i)^(?!authorization|host|cookie|accept|content)[a-z][a-z0-9-]{0,60}\Z",
    error="is a header's name, and none of sign-in, host or content; credentials belong to [sources.NAME.api]",
)
HEADER_VALUE = ma.validate.Regexp(r"^[!-~][ -~]{0,200}\Z", error="must be printable ASCII")
A_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
NO_SUCH_KEY = "no such key; `dm-feedback sources grammar` lists them all"


class ExpressionField(ma.fields.Field[Expression | str | None]):
    """A JMESPath expression, compiled; an empty one removes the preset's."""

    def __init__(self, *, root_names: frozenset[str] | None = ROOT_NAMES, word: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root_names = root_names
        self.word = word

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Expression | str | None:
        if value == "" and not self.required:
            return None
        if value and value == self.word:
            return self.word
        try:
            return compile_expression(value, root_names=self.root_names)
        except ExpressionError as error:
            says = f"is missing: it {error}" if value == "" else str(error)
            raise ma.ValidationError(f"{says}; or write '{self.word}'" if self.word else says) from error


class FoldedWords(ma.fields.List[str]):
    """Words regardless of case, so that nobody loses a channel to a capital letter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ma.fields.String(), **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        words: list[Any] = super()._deserialize(*args, **kwargs)
        return frozenset(folded(str(each)) for each in words)


def header_name(given: str) -> str:
    """Return a header's name in lower case; one that no request can have is a mistake."""
    if not A_HEADER.fullmatch(given):
        raise ma.ValidationError(f"'{given}' is no header's name; write the name alone, such as x-signature")
    return given.lower()


class HeaderField(ma.fields.String):
    """A header's name, or none where the kind of proof has another place; requests are read in lower case."""

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        given = super()._deserialize(*args, **kwargs)
        return header_name(given) if given else given


class PartField(ma.fields.String):
    """A part of what is signed."""

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        part = super()._deserialize(*args, **kwargs)
        if part not in PLAIN_PARTS and not part.startswith(PREFIXED_PARTS):
            raise ma.ValidationError(f"'{part}' is no part; there are {PARTS}")
        return f"header:{header_name(part[7:])}" if part.startswith("header:") else part


class SignatureField(ma.fields.Field[SignatureAt]):
    """Where the signature is: a header's name, or a table."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        try:
            found = reader_of(SignatureAt, Table).load({"header": value} if isinstance(value, str) else value)
        except ma.ValidationError as error:
            raise ma.ValidationError(WRONG_SIGNATURE) from error
        if found.kv and found.list:
            raise ma.ValidationError("is either kv (k=v,k=v) or list, not both")
        return found


class Table(Section):
    """One table of a definition."""

    kinds: ClassVar[Mapping[Any, Any]] = {
        **KINDS,
        Any: ma.fields.Raw,
        Expression: ExpressionField,
        OverBody: partial(ExpressionField, root_names=None),
        When: partial(ExpressionField, word=RECEIVED),
        frozenset[str]: FoldedWords,
        HeaderName: HeaderField,
        Part: PartField,
        FromAnswer: partial(ExpressionField, root_names=ANSWER_ROOTS),
        FromListed: partial(ExpressionField, root_names=LISTED_ROOTS),
        Kept: partial(NamedTable, ma.fields.String(validate=NAME), ExpressionField(root_names=ANSWER_ROOTS)),
        Sent: partial(NamedTable, ma.fields.String(validate=HEADER), ma.fields.String(validate=HEADER_VALUE)),
        SignatureAt: SignatureField,
    }
    error_messages = {"unknown": NO_SUCH_KEY}  # noqa: RUF012 - marshmallow's own attribute
