"""Who the customer is on X: the field decides the kind of identity, never its look."""

from typing import Any

import pytest

from service.intake.values.identity import handle_from_url, x_handle, x_user_id


@pytest.mark.parametrize("value", ["2244994945", "1", "9223372036854775807", " 12 ", 2244994945, 2**53])
def test_an_id_is_1_to_19_digits(value: Any) -> None:
    assert x_user_id(value) == str(value).strip()


@pytest.mark.parametrize(
    "value",
    [
        "", "0", "007", "-1", "1.5", "1e9", "12345678901234567890", "@acme", "acme", "x:2244994945", "٣٤٥",
        "3f0e0a3e-1111-4000-8000-000000000001", 2**53 + 1, 0, -5, 1.0, True, None, [], {}, "22\n44",
    ],
)  # fmt: skip
def test_anything_else_is_no_id(value: Any) -> None:
    assert x_user_id(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("acme_fan", "acme_fan"), ("@Acme_Fan", "Acme_Fan"), ("123456", "123456"), ("a" * 15, "a" * 15), (" @x ", "x"),
        ("\u2066@acme_fan\u2069", "acme_fan"), ("\uff20acme_fan", "acme_fan"), ("@\uff41cme\u200b", "acme"),
    ],
)  # fmt: skip
def test_a_handle_loses_one_at_sign_and_may_be_all_digits(value: str, expected: str) -> None:
    assert x_handle(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "", "@", "@@acme", "a" * 16, "acme fan", "acme.fan", "fan@example.com", "äcme", 7, None, ["a"], "acme\u00b2",
        "https://evil.example/acme", "https://x.com/i/user/7", "acme/fan", "\u217acme",
    ],
)  # fmt: skip
def test_anything_else_is_no_handle(value: Any) -> None:
    assert x_handle(value) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://x.com/acme_fan", "http://twitter.com/acme_fan/", "https://www.x.com/acme_fan/status/1",
        "https://mobile.twitter.com/acme_fan?s=20#top", "x.com/acme_fan", "https://X.com/acme_fan",
        "https://twitter.com/@acme_fan", "\u200ehttps://x.com/acme_fan\u200e",
    ],
)  # fmt: skip
def test_a_profile_s_address_gives_the_handle(url: str) -> None:
    assert handle_from_url(url) == "acme_fan"
    assert x_handle(url) == "acme_fan"  # people paste it into the field of the handle


@pytest.mark.parametrize(
    "url",
    [
        "https://x.com/", "https://x.com/i/user/2244994945", "https://twitter.com/intent/user?user_id=1",
        "https://x.com/share?text=a", "https://x.com/home", "https://x.com/Search?q=a", "https://evil.example/acme_fan",
        "https://x.com.evil.example/acme_fan", "https://evil.example/x.com/acme_fan", "https://user@x.com/acme_fan",
        "ftp://x.com/acme_fan", "https://x.com:8443/acme_fan", "https://[x.com/acme_fan", "acme_fan", "", 5, None,
        "javascript://x.com/acme_fan",
    ],
)  # fmt: skip
def test_other_addresses_give_no_handle(url: Any) -> None:
    assert handle_from_url(url) is None
