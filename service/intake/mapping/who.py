"""Who took part: the customer on X and who handled the conversation, or None with a note.

A handle counts only for conversations on X; a bot or the system is never an agent, whatever id it carries.
"""

from service.intake.mapping.one_item import OneItem
from service.intake.values import fields, identity
from service.models import HANDLED_BY
from service.text import folded


def somebody(item: OneItem, given: str | None) -> str | None:
    """Return an id, unless it is one the vendor uses for nobody."""
    return None if given is None or folded(given) in item.definition.grammar.people.nobody else given


def handled_by(item: OneItem) -> str | None:
    """Return human, ai, both or nobody; None if the source does not say."""
    found: str | None = item.soft("handled_by", fields.text)
    if found is None or folded(found) in HANDLED_BY:
        return None if found is None else folded(found)
    item.notes.append(f"handled_by is none of {', '.join(HANDLED_BY)}")
    return None


def identity_of(item: OneItem, channel: str | None) -> tuple[str | None, str | None, str]:
    """Return id, handle and the trust of the better one. A field is what the map says, never what it looks like."""
    trust, rule = item.definition.grammar.identity, item.definition.grammar.channel
    user_id = _identified(item, "x_user_id")
    if rule.on_x and folded(channel or "") not in rule.on_x:
        if user_id and rule.own_id:
            _not_on_x(item, "x_user_id")
            user_id = None
        if item.soft("x_handle", identity.x_handle):
            _not_on_x(item, "x_handle")
        return user_id, None, trust.x_user_id if user_id else "crm_entered"
    handle = _identified(item, "x_handle")
    if user_id:
        return user_id, handle, trust.x_user_id
    if handle:
        return None, handle, trust.x_handle
    handle = _identified(item, "x_profile_url")
    return None, handle, trust.x_profile_url if handle else "crm_entered"


def _not_on_x(item: OneItem, name: str) -> None:
    item.notes.append(f"{name} does not count: nothing says that the conversation was on X")


def _identified(item: OneItem, name: str) -> str | None:
    given = item.soft(name, lambda value: value)
    return identity.read(name, given, item.notes)
