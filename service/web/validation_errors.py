"""Validation errors of a schema as one refusal with a stable code: all unknown names, or else all other mistakes."""

from collections.abc import Mapping
from typing import Any

from service.errors import Invalid, ServiceError


def refused(messages: Mapping[str, Any]) -> ServiceError:
    """Return the refusal for marshmallow's errors by name."""
    unknown = sorted(str(name) for name, says in messages.items() if says == ["Unknown field."])
    if unknown:
        return Invalid(
            "unknown_parameter",
            f"There is no parameter {', '.join(repr(name) for name in unknown)} here; see /docs.",
            errors={name: ["is not known here"] for name in unknown},
        )
    flat = {str(name): _sentences(says) for name, says in messages.items()}
    name, says = next(iter(flat.items()))
    return Invalid("invalid_parameter", f"'{name}' {says[0]}".rstrip(".") + ".", errors=flat)


def _sentences(says: Any) -> list[str]:
    if isinstance(says, Mapping):
        return [sentence for each in says.values() for sentence in _sentences(each)]
    return [str(each) for each in says] if isinstance(says, list) else [str(says)]
