"""Texts from and to X: clean for databases, readable for people, recognised again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.x_api.texts import clean, nearly_same_text, readable, same_text

ANY_TEXT = st.text(st.characters(), max_size=40)  # with lone surrogates and NUL


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("plain", "plain"),
        ("a\x00b", "ab"),
        ("a\ud800b\udfff", "a\ufffdb\ufffd"),
        ("smile \U0001f600", "smile \U0001f600"),
        ("", ""),
    ],
)
def test_a_text_becomes_one_that_both_databases_take(raw, cleaned):
    assert clean(raw) == cleaned


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT)
def test_every_text_becomes_encodable_and_stays_the_same_the_second_time(raw):
    cleaned = clean(raw)
    cleaned.encode("utf-8")
    assert "\x00" not in cleaned
    assert clean(cleaned) == cleaned


LINKS = [
    {"url": "https://t.co/ab", "expanded_url": "https://business.example/privacy", "indices": [0, 15]},
    {"url": "https://t.co/abc", "expanded_url": "https://business.example/?a=1&lt;=2"},
]


@pytest.mark.parametrize(
    ("shown", "typed"),
    [
        ("Tom &amp; Jerry &lt;3 &gt; all", "Tom & Jerry <3 > all"),
        ("&amp;lt; stays written out", "&lt; stays written out"),
        ("see https://t.co/ab.", "see https://business.example/privacy."),
        ("https://t.co/abc https://t.co/ab", "https://business.example/?a=1&lt;=2 https://business.example/privacy"),
        ("https://t.co/unknown", "https://t.co/unknown"),
    ],
)
def test_a_displayed_text_is_restored_as_typed(shown, typed):
    assert readable(shown, LINKS) == typed


@pytest.mark.parametrize(
    "urls", [None, {}, "x", 7, [None, 3, {}, {"url": "", "expanded_url": "u"}, {"url": 1, "expanded_url": 2}]]
)
def test_odd_entities_are_no_entities(urls):
    assert readable("https://t.co/ab", urls) == "https://t.co/ab"


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        ("How did we do?", "How did we do?"),
        ("Tom & Jerry <3", "Tom &amp; Jerry &lt;3"),
        ("a literal &amp; of ours", "a literal &amp;amp; of ours"),
        ("two\nlines  and space ", "two lines and space"),
        ("Café", "Cafe\u0301"),
        ("see business.example/privacy", "see http://business.example/privacy"),
        ("see https://business.example", "see https://business.example/"),
        ("see HTTPS://Business.Example/a.", "see https://business.example/a."),
        ("see (https://business.example/privacy).", "see (https://t.co/Ab12)."),
        ("see business.example today", "see https://t.co/Ab12 today"),
        ("nul\x00", "nul"),
        ("half \ud800", "half \ufffd"),
        ("zero\u200bwidth\u200d and \ufeffmark", "zerowidth and mark"),
        ("\u202bright to left\u202c \u200f", "right to left"),
        ("a heart \u2764\ufe0f", "a heart \u2764"),
        ("soft\u00adhyphen", "softhyphen"),
        ("""it's "fine\"""", "it&#39;s &quot;fine&quot;"),
        ("""it's "fine\"""", "it&amp;#x27;s &amp;quot;fine&quot;"),
        ("no\u00a0break", "no break"),
    ],
)
def test_our_text_is_recognised(ours, shown):
    assert same_text(ours, shown)
    assert same_text(shown, ours)


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        ("How did we do?", "How did we do"),
        ("How did we do?", "Thanks, bye"),
        ("How did we do?", ""),
        ("see https://business.example/a", "see https://business.example/b"),
        ("see (https://business.example/a).", "see [https://t.co/Ab12]"),
        ("case 17 is closed", "case 18 is closed"),
        ("no link here", "no https://t.co/Ab12 here"),
        ("see https://business.example/a today", "see https://t.co/Ab12"),
    ],
)
def test_another_text_is_not_ours(ours, shown):
    assert not same_text(ours, shown)


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        ("How did we do?", "How did we do"),
        ("\u201cFine\u201d \u2013 thanks, Ada \U0001f64f", '"Fine" - thanks, Ada :pray:'),
        ("See https://business.example/a?b=c today", "See  today"),
        ("\uff26\uff55\uff4c\uff4c width", "Full width"),
        ("Thank you for writing to us, Ada. How did we do?", "Thank you for writing to us, Ada. How did we d\u2026"),
        ("\U0001f64f", "\u2764"),
        (
            "Thank you for writing to us.",
            "From ACME: Thank you for writing to us. Reply STOP, and we write to you no more.",
        ),
        ("", ""),
    ],
)
def test_a_text_altered_in_a_way_nobody_foresaw_is_nearly_ours(ours, shown):
    assert nearly_same_text(ours, shown)


def test_a_list_that_shows_no_texts_may_show_ours():
    assert nearly_same_text("How did we do?", " ")
    assert not same_text("How did we do?", " ")


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        ("Thanks for writing to us. How did we do?", "Your parcel left our house this morning."),
        ("How did we do?", "\U0001f64f"),
        ("How did we do?", "How did we do in Paris, and will you come again next year with all of your friends?"),
    ],
)
def test_another_text_is_not_nearly_ours(ours, shown):
    assert not nearly_same_text(ours, shown)


def test_the_beginning_of_ours_is_nearly_ours_and_a_greeting_is_anybody_s():
    ours = "Thanks for writing to us, Ada. How did we do this time? It takes a minute."
    assert nearly_same_text(ours, "Thanks for writing to us, …")
    assert nearly_same_text(ours, "thanks for writing to u")
    assert not nearly_same_text(ours, "Thanks for writing")
    assert nearly_same_text(ours, "Thanks for \u2026")


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT)
def test_every_text_is_recognised_after_x_escaped_it(ours):
    escaped = ours.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert same_text(ours, escaped)
    assert same_text(ours, readable(escaped))


@pytest.mark.parametrize("escapes", [0, 1])
def test_a_reference_of_a_thousand_digits_is_no_character(escapes):
    shown = "&" + "amp;" * escapes + "#" + "1" * 5000 + ";"
    assert same_text(shown, shown)
    assert not same_text("How did we do?", shown)


@pytest.mark.parametrize("shown", ["/" * 1_000_000 + "x", "a." * 500_000 + "1", "-" * 1_000_000 + "x"], ids=len)
def test_a_message_of_slashes_or_dots_is_compared_at_once(shown):
    """What took as long as the square of its length would not come to its end here."""
    ours = "How did we do? https://feedback.example.com/f/1"
    assert not same_text(ours, shown)
    assert not nearly_same_text(ours, shown)
