"""Who may read what: roles that list rows get figures of rows, the others get releases."""

from service.auth.keys import Reader

READERS_OF_ANSWERS = ("admin", "supervisor")
EVERYBODY = (*READERS_OF_ANSWERS, "analyst")


def sees_rows(reader: Reader) -> bool:
    """Whether this reader may list rows."""
    return reader.role in READERS_OF_ANSWERS
