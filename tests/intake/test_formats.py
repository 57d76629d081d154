"""Bodies other than JSON: forms with a JSON field, multipart, XML."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.intake.delivery.formats import BodyProblem, multipart, xml
from service.intake.mapping.events import ConversationEnded, Unmappable
from service.intake.mapping.readings import read
from tests.intake.app import define, post

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SOAP = b"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:sobject">
 <soapenv:Body><n:notifications xmlns:n="http://soap.sforce.com/2005/09/outbound"><OrganizationId>00D1</OrganizationId>
  <Notification><Id>04l1</Id><sObject type="Case"><sf:Id>500A</sf:Id>
  <sf:Note>a &amp; b</sf:Note></sObject></Notification>
  <Notification><Id>04l2</Id><sObject type="Case"><sf:Id>500B</sf:Id></sObject></Notification><!-- end -->
 </n:notifications></soapenv:Body></soapenv:Envelope>"""


def boundary_body(**fields: str) -> bytes:
    parts = "".join(f'--B\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items())
    file = '--B\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nxx\r\n'
    return f"{parts}{file}--B--\r\n".encode()


def first(body: bytes, content_type: str, **definition: Any) -> Any:
    return read(define("token", **definition), post(body, {"content-type": content_type}), NOW)[0]


def test_a_form_may_hold_json_in_a_field() -> None:
    form = b"payload=%7B%22e%22%3A%22end%22%2C%22id%22%3A7%7D&ended_at=1763830800"
    found = first(
        form,
        "application/x-www-form-urlencoded",
        endpoint={"body": ["form"]},
        events={"ended": "from_json(b.payload).e=='end'", "reopened": ""},
        map={"conversation_id": "from_json(b.payload).id"},
    )
    assert isinstance(found, ConversationEnded)
    assert found.conversation_id == "7"


def test_a_multipart_form_is_read_without_its_files() -> None:
    body = boundary_body(event="conversation.ended", conversation_id="c-ü", ended_at="1763830800")
    found = first(body, 'multipart/form-data; boundary="B"', endpoint={"body": ["multipart", "json"]})
    assert found.conversation_id == "c-ü"
    assert multipart(boundary_body(a="1"), "B") == {"a": "1"}


@pytest.mark.parametrize(
    ("body", "boundary", "problem"),
    [
        (b"", "B", "not_a_form"),
        (boundary_body(), "B", "empty_body"),
        (boundary_body(a="1"), "", "not_a_form"),
        (boundary_body(a="1")[:-20], "B", "not_a_form"),
        (boundary_body(**{f"n{n}": "1" for n in range(1100)}), "B", "not_a_form"),
    ],
)
def test_a_multipart_form_that_is_none_says_so(body: bytes, boundary: str, problem: str) -> None:
    with pytest.raises(BodyProblem) as caught:
        multipart(body, boundary)
    assert caught.value.code == problem


def test_xml_becomes_objects_texts_and_lists_of_what_repeats() -> None:
    told = xml(SOAP.decode())["Envelope"]["Body"]["notifications"]
    assert told["OrganizationId"] == "00D1"
    assert told["Notification"][0] == {"Id": "04l1", "sObject": {"@type": "Case", "Id": "500A", "Note": "a & b"}}
    assert [each["sObject"]["Id"] for each in told["Notification"]] == ["500A", "500B"]
    assert xml("<a><b/><c x='1'>t</c></a>") == {"a": {"b": "", "c": {"@x": "1", "#text": "t"}}}


EVENT = "<e><event>conversation.ended</event><conversation_id>c-1</conversation_id>"
EVENT += "<ended_at>2026-11-22T11:00:00Z</ended_at><agent_id>{}</agent_id></e>"
OF_XML = {"endpoint": {"body": ["xml"]}, "events": {"ended": "b.e.event=='conversation.ended'", "reopened": ""}}
OF_XML["map"] = {each: f"b.e.{each}" for each in ("conversation_id", "ended_at", "agent_id")}


def xml_event(body: bytes, content_type: str) -> Any:
    return first(body, content_type, **OF_XML)


NAMED = [
    (written, header, within)
    for written in ("utf-8", "iso-8859-1", "windows-1252")
    for header in ("utf-8", None, written)
    for within in ("UTF-8", None, written)
    if written in {"utf-8", header, within}
]


@pytest.mark.parametrize(("written", "header", "within"), NAMED)
def test_xml_is_read_in_the_charset_of_the_header_or_its_own(
    written: str, header: str | None, within: str | None
) -> None:
    """One of the two names it, whatever the other says."""
    kind = f"text/xml; charset={header}" if header else "text/xml"
    top = f'<?xml version="1.0" encoding="{within}"?>' if within else ""
    assert xml_event((top + EVENT.format("Müller")).encode(written), kind).agent_id == "Müller"


def test_utf_8_is_told_from_another_charset_beside_it() -> None:
    for header, within in (("iso-8859-1", "UTF-8"), ("utf-8", "windows-1252")):
        told = f'<?xml version="1.0" encoding="{within}"?>{EVENT.format("Müller")}'.encode()
        assert xml_event(told, f"text/xml; charset={header}").agent_id == "Müller"


@pytest.mark.parametrize("kind", ["text/xml", "application/xml; charset=utf-8", "text/xml; charset=utf-16"])
@pytest.mark.parametrize(("within", "written"), [("utf-16", "utf-8"), ("UTF-16", "utf-16"), ("utf-8", "utf-16-le")])
def test_xml_in_utf_16_shows_by_its_bytes_alone(kind: str, within: str, written: str) -> None:
    told = f'\n<?xml version="1.0" encoding="{within}"?>{EVENT.format("Müller")}'
    assert xml_event(told.encode(written), kind).agent_id == "Müller"


@pytest.mark.parametrize(
    "broken",
    [b"\xff", b"\x0b", b"\x00", b"&#xD83D;", b"&#xd83d;&#xde00;", b"&#11;", b"&#0;", b"&#x110000;", b"\xef\xbf\xbf"],
)
def test_what_xml_forbids_costs_the_character_alone(broken: bytes) -> None:
    body = EVENT.format("M").encode()
    found = xml_event(body.replace(b">M<", b">M" + broken + b"ller<"), "text/xml")
    assert (found.conversation_id, found.agent_id) == ("c-1", None)
    assert "broken on its way" in "; ".join(found.notes)
    assert xml_event(body.replace(b"</e>", b"<other>" + broken + b"</other></e>"), "text/xml").agent_id == "M"


def test_a_reference_to_a_character_is_that_character() -> None:
    assert xml("<a>&#x41;&#252;&#x1F600;&#9;b&amp;#11;</a>") == {"a": "Aü😀\tb&#11;"}


BOMB = b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>'
OUTSIDE = b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty_body"),
        (b"<a>", "not_xml"),
        (b"{}", "not_xml"),
        (b"\xff\xfe\x00", "not_xml"),
        (b"<?xml version='1.0' encoding='klingon'?><a>\xe9</a>", "unknown_charset"),
        (b"<a>&#99999999999;</a>", "not_xml"),
        (BOMB, "xml_document_type"),
        (OUTSIDE, "xml_document_type"),
        (b'<!DOCTYPE l SYSTEM "http://evil.example/x.dtd"><l/>', "xml_document_type"),
        (b"<a>" * 100 + b"</a>" * 100, "too_deep"),
        (b"<a>" * 50_000, "not_xml"),
    ],
)
def test_xml_that_is_dangerous_or_none_is_refused(body: bytes, problem: str) -> None:
    assert isinstance(first(body, "text/xml", endpoint={"body": ["xml"]}), Unmappable)
    assert first(body, "text/xml", endpoint={"body": ["xml"]}).reason == problem


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=300) | st.text("<>/a b='\"&;!-[]?", max_size=200).map(str.encode),
    kind=st.sampled_from(["xml", "multipart"]),
)
def test_no_bytes_make_a_reader_raise_anything_else(body: bytes, kind: str) -> None:
    content_type = {"xml": "application/xml", "multipart": "multipart/form-data; boundary=B"}[kind]
    assert isinstance(first(body, content_type, endpoint={"body": [kind]}), Unmappable)
