"""X's webhook proofs, against vectors."""

import pytest

from service.x_api.webhook import crc_response, verify_signature

SECRET = "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"
FEEDBACK = (
    b'{"event_type":"feedback.updated","created_at":"Sat Dec 15 17:58:22 +0000 2015",'
    b'"feedback":{"id":"123456789","type":"nps"}}'
)
SPACED = (
    b'{"event_type": "feedback.updated", "created_at": "Sat Dec 15 17:58:22 +0000 2015", '
    b'"feedback": {"id": "123456789", "type": "nps"}}'
)
ACTIVITY = (
    b'{"for_user_id":"4337869213","direct_message_events":[{"type":"message_create",'
    b'"id":"954491830116155396","created_timestamp":"1516403560557"}]}'
)
W2 = "sha256=85+dfEXc5z/vvz50wPfzd2xQi059QFqW+e0kxnLxmQY="
W3 = "sha256=KSyjdr5HDHAM5R2u9PAqtAJ9Wc+RP3W+0m3JZ0GCbFs="
W4 = "sha256=i6Dth0K1xy6frMP9z7gQjhdMe03lNd/yOAloMeSlq7Y="
W5 = "sha256=uf7k/xKIslGeqOIFv7VwD9YIyE/5fnaKnIGM41/BxLk="


def test_a_challenge_is_answered():  # W1
    assert crc_response(SECRET, "challenge_string") == "sha256=nlBfoc+sYi739ivT57rTKKl7OQM8PcJSNybJqfjoBUk="


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        pytest.param(FEEDBACK, W2, id="W2"),
        pytest.param(SPACED, W3, id="W3"),
        pytest.param(ACTIVITY, W4, id="W4"),
        pytest.param(b"", W5, id="W5"),
        pytest.param(FEEDBACK, f" {W2} ", id="space around the header"),
    ],
)
def test_a_signature_of_x_is_accepted(raw, header):
    assert verify_signature(SECRET, raw, header)


@pytest.mark.parametrize(
    ("secret", "raw", "header"),
    [
        pytest.param(SECRET, SPACED, W2, id="the same JSON written differently"),
        pytest.param(SECRET, FEEDBACK, W3, id="a signature of other bytes"),
        pytest.param(SECRET + "x", FEEDBACK, W2, id="another secret"),
        pytest.param(SECRET, FEEDBACK, None, id="no header"),
        pytest.param(SECRET, FEEDBACK, "", id="an empty header"),
        pytest.param(SECRET, FEEDBACK, W2.removeprefix("sha256="), id="no prefix"),
        pytest.param(SECRET, FEEDBACK, W2[:-1], id="cut short"),
        pytest.param(SECRET, FEEDBACK, "sha256=é\udcff", id="not ASCII"),
        pytest.param(
            "", b"", "sha256=thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0=", id="an empty secret proves nothing"
        ),
    ],
)
def test_everything_else_is_refused(secret, raw, header):
    assert not verify_signature(secret, raw, header)


@pytest.mark.parametrize("raw", [b"challenge_string", b"hCAAAAAA", b"5"], ids=["text", "could be packed", "JSON"])
def test_what_anybody_can_have_signed_as_a_challenge_is_no_body(raw):
    """Of letters and digits alone one can make a packed body that says anything."""
    assert not verify_signature(SECRET, raw, crc_response(SECRET, raw.decode()))


def test_a_challenge_is_not_answered_without_a_secret():
    with pytest.raises(ValueError, match="secret"):
        crc_response("", "challenge_string")


def test_an_odd_challenge_is_answered_too():
    assert crc_response(SECRET, "\ud800é").startswith("sha256=")
