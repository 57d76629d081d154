"""A page token is made again from its request, found by its hash, and reveals nothing."""

import re

from service.ways.links import Links, hash_of, token, token_hash

KEY, OTHER = "k" * 32, "o" * 32


def test_the_same_request_has_the_same_token_and_another_key_another() -> None:
    assert token(KEY, "fr_1") == token(KEY, "fr_1")
    assert len({token(KEY, "fr_1"), token(KEY, "fr_2"), token(OTHER, "fr_1")}) == 3


def test_a_token_is_128_bits_that_need_no_escaping() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", token(KEY, f"fr_{each}")) for each in range(200))


def test_the_link_is_written_where_the_text_has_its_place_and_found_by_the_hash() -> None:
    links = Links(KEY, "https://f.example/")
    assert links.written_into("Answer: {page}", "fr_1") == f"Answer: https://f.example/f/{token(KEY, 'fr_1')}"
    assert token_hash(token(KEY, "fr_1")) == hash_of(KEY, "fr_1")


def test_an_invalid_token_has_no_hash() -> None:
    assert token_hash(token(KEY, "fr_1")) is not None
    for wrong in ("", "x", "a" * 23, "a" * 21 + "/", "ä" * 22, token(KEY, "fr_1") + "\n", "\x00" * 22):
        assert token_hash(wrong) is None
