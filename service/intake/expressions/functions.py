"""The functions definitions may call: JMESPath's own, and ours for taking texts apart.

A function returns null where there is nothing to work on. evaluate.py limits the cost of a call, except where a result
can outgrow its input.
"""

import json
from typing import Any

from jmespath import functions

from service.intake.values.identity import handle_from_url

TEXT: Any = {"types": ["string", "null"]}
PLAIN_TEXT: Any = {"types": ["string"]}
NUMBER: Any = {"types": ["number"]}
LONGEST_TEXT = 64 * 1024


class OurFunctions(functions.Functions):
    """JMESPath's functions and seven of ours."""

    @functions.signature(TEXT)
    def _func_lower(self, text: str | None) -> str | None:
        """The text in lower case."""
        return None if text is None else text.lower()

    @functions.signature(TEXT)
    def _func_x_handle_from_url(self, url: str | None) -> str | None:
        """The handle in the address of a profile on X."""
        return handle_from_url(url)

    @functions.signature({"types": [], "variadic": True})
    def _func_first_non_empty(self, *values: Any) -> Any:
        """The first value that is neither null nor empty."""
        return next((value for value in values if value not in (None, "", [], {})), None)

    @functions.signature(TEXT, PLAIN_TEXT)
    def _func_split(self, text: str | None, separator: str) -> list[str] | None:
        """The parts of a text between separators."""
        return None if text is None else text.split(separator)

    @functions.signature(TEXT, NUMBER, NUMBER)
    def _func_substring(self, text: str | None, start: int, count: int) -> str | None:
        """`count` letters from `start` on; a start below 0 counts from the end."""
        return None if text is None else text[int(start) :][: max(0, int(count))]

    @functions.signature(TEXT, PLAIN_TEXT, PLAIN_TEXT)
    def _func_replace(self, text: str | None, old: str, new: str) -> str | None:
        """The text with `new` wherever it has `old`."""
        if text is None or not old:
            return text
        if len(text) + text.count(old) * len(new) > LONGEST_TEXT:
            raise ValueError
        return text.replace(old, new)

    @functions.signature(TEXT)
    def _func_from_json(self, text: str | None) -> Any:
        """The value of a JSON text, as some CRMs put into a form field; null if it is not JSON."""
        if text is None or len(text) > LONGEST_TEXT:
            return None
        try:
            return json.loads(text, parse_constant=lambda _name: None)
        except (ValueError, RecursionError):
            return None


FUNCTIONS = OurFunctions()
