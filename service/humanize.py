"""Numbers and spans of time as people say them: `1 worker`, `1,204 workers`, `12 min`."""

MINUTE, HOUR, DAY = 60, 3600, 86400


def many(n: int, one: str, several: str = "") -> str:
    """Return the number with its noun; `several` if the plural does not end in s."""
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def age(seconds: float | None) -> str:
    """Write a span as people do: 42 s, 12 min, 5 h, 3 d; nothing if there is none."""
    if seconds is None:
        return ""
    for unit, length, until in (("s", 1, 2 * MINUTE), ("min", MINUTE, 2 * HOUR), ("h", HOUR, 48 * HOUR)):
        if seconds < until:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / DAY:.0f} d"
