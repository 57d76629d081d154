"""Who may read what: roles that list rows get figures of rows, the others get releases."""

from service.auth.keys import Reader
from service.errors import NotAllowed

READERS_OF_ANSWERS = ("admin", "supervisor")
EVERYBODY = (*READERS_OF_ANSWERS, "analyst")


def sees_rows(reader: Reader) -> bool:
    """Whether this reader may list rows."""
    return reader.role in READERS_OF_ANSWERS


def demand_account(reader: Reader, account: str | None, what: str) -> None:
    """Refuse to write of an account the key does not cover, or of all with a key for some. Raises NotAllowed."""
    if account is not None:
        reader.demand(account)
    elif reader.accounts:
        raise NotAllowed("account_not_allowed", f"Your key covers {', '.join(reader.accounts)}: say {what}.")
