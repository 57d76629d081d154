"""Makes a valid input odd in one place, with a random generator."""

import copy
import json
from random import Random
from typing import Any

WORDS: tuple[str, ...] = (
    "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\u202e\u2066gnp.exe", "\ufeff", "🙂" * 10_000,
    "x" * 20_000, "=1+1",
    ";=cmd|' /C calc'!A0", "@SUM(1)", "\n=1", "'", '"; DROP TABLE api_key; --', "<script>alert(1)</script>",
    "{{7*7}}",
    "../../etc/passwd", "%00", "%", "%ff%fe", "\r\nX-Injected: y", "\x1b]0;owned\x07\x1b[2J", "null", "true", "NaN",
    "1e999", "-1", "9" * 5000, "٣", "ß", "İ", "e\u0301", "ﬀ", "0001-01-01", "9999-12-31T23:59:59+23:59",
    "2026-13-45T99:99:99Z", "Sat Dec 15 17:59:22 +0000 2015", "/Date(9999999999999999)/", "[" * 3000, "(" * 600,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 0.5, 1e308, -1e308, 10**30, 10**400, 2**63, [], {}, [[]], [None], {"a": 1},
    [{"id": None}],
    {"": {}}, [[[[[[[[1]]]]]]]], *WORDS,
)  # fmt: skip
BYTES: tuple[bytes, ...] = (
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 50_000, b'{"a":' * 20_000, b"9" * 5_000, b"9" * 1_000_000,
    b'{"x":1e999}', b'"\\ud800"', b"a=%ff&b=%00", b"<a/>", b"\x1f\x8b\x08", b"null", b"{}", b"[]",
    b"\r\n\r\n", b"0\r\n",
    b"zz\r\n", b"{" + b'"k":1,' * 5_000 + b'"k":1}', b'{"a":NaN}', b"--x\r\n",
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, the whole first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def with_odd(dice: Random, value: Any) -> Any:
    """A JSON value in which one to three places hold something else, lie deeper, or have another name."""
    found = json.loads(json.dumps(value))
    for _ in range(dice.randint(1, 3)):
        path = dice.choice(places(found))
        if not path:
            found = _value(dice) if dice.random() < 0.05 else found
            continue
        here = found
        for key in path[:-1]:
            here = here[key]
        way = dice.random()
        if isinstance(here, dict) and way < 0.15:
            here[dice.choice(WORDS)[:50]] = here.pop(path[-1])
        elif way < 0.25:
            here[path[-1]] = {"again": here[path[-1]], "and": [here[path[-1]]]}
        else:
            here[path[-1]] = _value(dice)
    return found


def _value(dice: Random) -> Any:
    return copy.deepcopy(dice.choice(VALUES))  # what is put in may be changed in its turn


def text(dice: Random, right: str = "") -> str:
    """A word: odd, random, or the right one with something done to it."""
    way = dice.random()
    if way < 0.4:
        return dice.choice(WORDS)
    if way < 0.6:
        return "".join(
            chr(dice.choice((dice.randrange(32, 127), dice.randrange(0x110000)))) for _ in range(dice.randrange(12))
        )
    return _cut(dice, right, dice.choice(WORDS)[:40])


def raw(dice: Random, right: bytes = b"") -> bytes:
    """Bytes: odd, random, or the right ones with some flipped, cut, doubled, or something put in."""
    way = dice.random()
    if way < 0.1:
        return dice.choice(BYTES)
    if way < 0.2 or not right:
        return dice.randbytes(dice.randrange(80))
    found = bytearray(right)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(found) + 1)
        way = dice.random()
        if way < 0.4 and place < len(found):
            found[place] ^= 1 << dice.randrange(8)
        elif way < 0.6:
            del found[place : place + dice.randrange(1, 40)]
        else:
            found[place:place] = dice.choice(BYTES)[:60] if way < 0.8 else found[place : place + 40]
    return bytes(found)


def as_json(value: Any) -> bytes:
    """JSON as strangers write it: half a surrogate and numbers without an end included."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _cut(dice: Random, right: str, odd: str) -> str:
    place = dice.randrange(len(right) + 1)
    return right[:place] + odd + right[place + dice.choice((0, 0, 1, 5)) :]
