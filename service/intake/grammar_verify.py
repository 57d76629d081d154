"""The grammar of `verify`: in, a table or a list of tables; out, checked specs, or every mistake with its path.

A list (or `any_of`) is alternatives, `all_of` demands several together. Knows no key: keys.py puts them to the specs.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates_schema

from service.intake.expressions import Expression, ExpressionError, compile_expression
from service.intake.times import FORMATS
from service.intake.verify_parts import SignatureAt, Signed, SignedTime
from service.intake.verify_public import ED25519, RSA
from service.settings.shapes import Problem
from service.settings.values import Duration

Spec = dict[str, Any]  # one checked table; `kind` says which
BODY_PARTS = frozenset({"body", "body_compact"})
PLAIN_PARTS = BODY_PARTS | {"method", "url"}
PREFIXED_PARTS = ("literal:", "header:", "sig:")
DEFAULT_TOLERANCE = timedelta(seconds=300)


def _one_of(*words: str) -> validate.OneOf:
    return validate.OneOf(words, error=f"must be one of {', '.join(words)}")


class SignatureField(fields.Field[SignatureAt]):
    """Where the signature stands: a header's name, or a table of header, prefix, kv, list."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> SignatureAt:
        table = {"header": value} if isinstance(value, str) else value
        wrong = not isinstance(table, Mapping) or not all(isinstance(each, str) for each in table.values())
        if wrong or not table.get("header") or table.keys() - {"header", "prefix", "kv", "list"}:
            raise ValidationError('must be a header\'s name or {header = "…", prefix = "…", kv = "…" or list = "…"}')
        if "kv" in table and "list" in table:
            raise ValidationError("is either kv (k=v,k=v) or list, not both")
        return SignatureAt(**{**table, "header": table["header"].lower()})


class TimestampTable(Schema):
    """The signed time."""

    class Meta:
        """Unknown keys are errors."""

        unknown = RAISE

    source = fields.String(
        required=True, data_key="from", validate=validate.Regexp(r"^(header|sig):.", error="must be header:… or sig:…")
    )
    format = fields.String(load_default="digits_auto", validate=_one_of(*FORMATS))
    tolerance = Duration(load_default=DEFAULT_TOLERANCE)
    required = fields.Boolean(load_default=True)

    @post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> SignedTime:
        """Make the shape; header names are compared in lower case."""
        return SignedTime(**{**data, "source": _lower_header(data["source"])})


class KindTable(Schema):
    """What every kind with keys takes."""

    class Meta:
        """Unknown keys are errors."""

        unknown = RAISE

    kind = fields.String(required=True)
    keys = fields.List(fields.String(validate=validate.Length(min=1)), load_default=None)


class SignedTable(KindTable):
    """What hmac and public_key share."""

    key_prefix = fields.String(load_default="")
    prefixed_only = fields.Boolean(load_default=False)
    signed = fields.List(fields.String(), load_default=("body",))
    signature = SignatureField(required=True)
    encoding = fields.String(load_default="hex", validate=_one_of("hex", "base64"))
    timestamp = fields.Nested(TimestampTable, load_default=None)

    @validates_schema
    def _covers(self, data: dict[str, Any], **_kwargs: Any) -> None:
        unknown = [p for p in data["signed"] if p not in PLAIN_PARTS and not p.startswith(PREFIXED_PARTS)]
        if unknown:
            raise ValidationError(
                f"'{unknown[0]}' is no part; there are literal:…, header:…, sig:…, method, url, body, body_compact",
                "signed",
            )
        if not BODY_PARTS & set(data["signed"]):
            raise ValidationError("does not cover the body: anybody could put another one under it", "signed")
        time = data["timestamp"]
        if time and time.source not in [_lower_header(each) for each in data["signed"]]:
            raise ValidationError(
                f"'{time.source}' is not among the signed parts, so anybody could change it", "timestamp"
            )

    @post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> Spec:
        """Put the signed parts together."""
        parts = tuple(_lower_header(each) for each in data.pop("signed"))
        signed = Signed(parts, data.pop("signature"), data.pop("encoding"), data.pop("timestamp"))
        return {**data, "signed": signed}


class HmacTable(SignedTable):
    """kind = "hmac"."""

    digest = fields.String(required=True, validate=_one_of("sha1", "sha256", "sha384", "sha512"))
    key_encoding = fields.String(load_default="utf8", validate=_one_of("utf8", "hex", "base64"))


class PublicKeyTable(SignedTable):
    """kind = "public_key"."""

    algorithm = fields.String(required=True, validate=_one_of(RSA, ED25519))


class StaticTable(KindTable):
    """kind = "static"."""

    header = fields.String(load_default=None)
    query = fields.String(load_default=None)
    scheme = fields.String(load_default="")

    @validates_schema
    def _one_place(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if bool(data["header"]) == bool(data["query"]):
            raise ValidationError("write either header or query: the place of the token", "header")

    @post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> Spec:
        """Lower the header's name."""
        return {**data, "header": data["header"].lower() if data["header"] else None}


class BasicTable(KindTable):
    """kind = "basic"; the keys are the passwords."""

    user = fields.String(required=True, validate=validate.Length(min=1))


class BodyEqualsTable(Schema):
    """kind = "body_equals", inside all_of only."""

    class Meta:
        """Unknown keys are errors."""

        unknown = RAISE

    kind = fields.String(required=True)
    expression = fields.Raw(required=True)
    equals = fields.Raw(required=True)

    @post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> Spec:
        """Compile the expression; one expected value or several."""
        expected = data["equals"] if isinstance(data["equals"], list) else [data["equals"]]
        if not expected or not all(isinstance(each, str) and each for each in expected):
            raise ValidationError("must be a text, or a list of texts", "equals")
        return {"kind": "body_equals", "expression": _compiled(data["expression"]), "expected": tuple(expected)}


KINDS: dict[str, type[Schema]] = {
    "hmac": HmacTable,
    "public_key": PublicKeyTable,
    "static": StaticTable,
    "basic": BasicTable,
    "twilio": KindTable,
    "body_equals": BodyEqualsTable,
}


def load_verify(given: Any, path: str, problems: list[Problem]) -> Spec | None:
    """Check `verify`. Returns a tree of specs under `any_of` and `all_of`; None where there are mistakes."""
    before = len(problems)
    spec = _load(given, path, problems, ())
    if spec["kind"] != "any_of":
        spec = {"kind": "any_of", "of": [(path, spec)]}
    return spec if len(problems) == before else None


def _load(given: Any, path: str, problems: list[Problem], inside: tuple[str, ...]) -> Spec:
    if isinstance(given, list):
        given = {"any_of": given}
    if not isinstance(given, Mapping):
        problems.append(Problem(path, "must be a table with a kind, or a list of them"))
        return {"kind": ""}
    for group in ("any_of", "all_of"):
        if group in given:
            return _load_group(group, given, path, problems, inside)
    kind = given.get("kind")
    if kind not in KINDS:
        problems.append(Problem(f"{path}.kind", f"must be one of {', '.join(KINDS)}"))
        return {"kind": ""}
    if kind == "body_equals" and "all_of" not in inside:
        problems.append(Problem(path, "body_equals proves nothing alone; put it into all_of beside a signature"))
    try:
        loaded: Spec = KINDS[kind]().load(given)
    except ValidationError as error:
        problems += [Problem(f"{path}.{key}", text) for key, text in _messages(error.messages)]
        return {"kind": ""}
    return loaded


def _load_group(
    group: str, given: Mapping[str, Any], path: str, problems: list[Problem], inside: tuple[str, ...]
) -> Spec:
    members = given[group]
    if len(given) > 1 or not isinstance(members, list) or not members or group in inside or inside[-1:] == ("all_of",):
        problems.append(Problem(path, f"{group} must stand alone, outside another group, and be a list of tables"))
        return {"kind": ""}
    inner = path if group == "any_of" else f"{path}.{group}"
    of = [(f"{inner}[{i}]", _load(each, f"{inner}[{i}]", problems, (*inside, group))) for i, each in enumerate(members)]
    if group == "all_of" and all(each["kind"] == "body_equals" for _, each in of):
        problems.append(Problem(path, "all_of needs a signature or a token beside body_equals"))
    return {"kind": group, "of": of}


def _messages(messages: Any) -> list[tuple[str, str]]:
    found = []
    for key, each in messages.items():
        if isinstance(each, Mapping):
            found += [(f"{key}.{inner}", text) for inner, text in _messages(each)]
        else:
            found += [(str(key), str(text)) for text in each]
    return found


def _compiled(text: Any) -> Expression:
    try:
        return compile_expression(text, root_names=frozenset({"b", "root"}))
    except ExpressionError as error:
        raise ValidationError(str(error), "expression") from error


def _lower_header(part: str) -> str:
    return part.lower() if part.startswith("header:") else part
