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
    told = xml(SOAP)["Envelope"]["Body"]["notifications"]
    assert told["OrganizationId"] == "00D1"
    assert told["Notification"][0] == {"Id": "04l1", "sObject": {"@type": "Case", "Id": "500A", "Note": "a & b"}}
    assert [each["sObject"]["Id"] for each in told["Notification"]] == ["500A", "500B"]
    assert xml(b"<a><b/><c x='1'>t</c></a>") == {"a": {"b": "", "c": {"@x": "1", "#text": "t"}}}


BOMB = b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>'
OUTSIDE = b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty_body"),
        (b"<a>", "not_xml"),
        (b"{}", "not_xml"),
        (b"\xff\xfe\x00", "not_xml"),
        (b"<?xml version='1.0' encoding='klingon'?><a/>", "not_xml"),
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
