"""How many of what, as people write it: in, a number and a word; out, `1 worker`, `0 workers`, `1,204 workers`."""


def many(n: int, one: str, several: str = "") -> str:
    """Return the number with its word; `several` where an s does not make it."""
    return f"{n:,} {one if n == 1 else several or one + 's'}"
