"""Bodies other than JSON: forms, multipart, XML become plain values, or BodyProblem.

Files in a form are skipped. A document type in XML is refused: its entities could explode or lead elsewhere. What XML
forbids as a character costs itself, not the delivery.
"""

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NoReturn
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import MultiPartParser

MAX_DEPTH = 64
MAX_FIELDS = 1000
BROKEN = "\ufffd"  # what stands where a byte was no letter
FORBIDDEN = re.compile(
    r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,9}));"
)
"""What is no character of XML (1.0, section 2.2), or a reference that may be to one."""

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


class BodyProblem(Exception):
    """The body cannot be read. `code` is stable, `sentence` says what would be right."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def form(text: str, charset: str) -> dict[str, str]:
    """Read a form."""
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding=charset)
    except ValueError as error:
        raise BodyProblem("not_a_form", f"The form has more than {MAX_FIELDS} fields.") from error
    if not fields:
        raise BodyProblem("empty_body", "The body is empty; send the event as a form.")
    return dict(fields)


def multipart(body: bytes, boundary: str) -> dict[str, str]:
    """Read the fields of a multipart form; files are skipped."""
    parser = MultiPartParser(stream_factory=lambda *_args, **_kwargs: BytesIO(), max_form_parts=MAX_FIELDS)
    try:
        fields, _files = parser.parse(BytesIO(body), boundary.encode("latin-1", "replace"), len(body))
    except (ValueError, HTTPException) as error:
        raise BodyProblem("not_a_form", f"The body is not a multipart form of at most {MAX_FIELDS} fields.") from error
    if not fields:
        raise BodyProblem("empty_body", "The form has no fields.")
    return {name: str(value) for name, value in fields.items()}


def xml(text: str) -> dict[str, Any]:
    """Read XML: an element becomes its text, or an object of attributes (`@name`) and children; repeats a list."""
    text = text.strip()
    if not text:
        raise BodyProblem("empty_body", "The body is empty; send the event as XML.")
    try:
        root = fromstring(FORBIDDEN.sub(_permitted, text), forbid_dtd=True)
    except DefusedXmlException as error:
        raise BodyProblem(
            "xml_document_type", "XML with a document type or entities of its own is not accepted."
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise BodyProblem("not_xml", "The body is not XML.") from error
    return {_bare(root.tag): _value(root, 1)}


def _permitted(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else int(found[2] or 0)
    return BROKEN if code > sys.maxunicode or FORBIDDEN.fullmatch(chr(code)) else found[0]


def _value(element: Element, depth: int) -> Any:
    if depth > MAX_DEPTH:
        _too_deep()
    text = (element.text or "").strip()
    found: dict[str, Any] = {f"@{_bare(name)}": value for name, value in element.attrib.items()}
    for name, value in _children(element, depth):
        known = found.get(name)
        if isinstance(known, list):  # a value itself is never a list
            known.append(value)
        else:
            found[name] = value if name not in found else [known, value]
    if not found:
        return text
    return {**found, **({"#text": text} if text else {})}


def _children(element: Element, depth: int) -> Iterator[tuple[str, Any]]:
    return ((_bare(child.tag), _value(child, depth + 1)) for child in element if isinstance(child.tag, str))


def _bare(name: str) -> str:
    return name.rpartition("}")[2]


def _too_deep() -> NoReturn:
    raise BodyProblem("too_deep", f"The body nests deeper than {MAX_DEPTH} levels.")
