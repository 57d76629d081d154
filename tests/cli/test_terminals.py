"""Control characters from customers and CRMs are shown on a terminal and have no effect."""

import io
import sys

import pytest

from service.cli.common import console
from service.process import write_utf8
from service.text import harmless
from tests.cli.installation import Cli

NASTY = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\x00\r"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb\x00", "a\\rb\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("line\n\tnext [bold] :smile:", "line\n\tnext [bold] :smile:"),
        ("Grüße 🙂 \u200d שלום", "Grüße 🙂 \u200d שלום"),
    ],
)
def test_control_characters_are_shown_escaped(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_no_command_that_shows_foreign_text_lets_it_through(cli: Cli) -> None:
    request_id = cli.answered(NASTY.replace("\x00", ""), 1, "comment")
    for words in (
        ("requests", "list"),
        ("requests", "show", request_id),
        ("requests", "show", NASTY.replace("\x00", "")),
    ):
        done = cli(*words, code=1 if words[-1].startswith("\x1b") else 0)
        for said in (done.stdout, done.stderr):
            assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(said), words
    assert "\\x1b]0;owned\\x07" in cli.says("requests", "show", request_id)


@pytest.mark.parametrize(
    "words", [("keys", "list"), ("feeds", "list"), ("accounts", "list"), ("status",), ("requests", "list")]
)
def test_no_list_cuts_what_it_shows_on_a_narrow_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    cli.says("keys", "create", "--name", "somebody whose name is long")
    cli.says("feeds", "create", "--name", "a spreadsheet with a long name", "--figure", "summary")
    cli.answered("crm-1", 1)
    monkeypatch.setattr(console, "_width", 60)
    assert "\u2026" not in cli.says(*words)


class Stream(io.TextIOWrapper):
    is_terminal = False

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("is_terminal", "written"), [(False, "Grüße…\n".encode()), (True, "Grüße?\n".encode("latin-1"))]
)
def test_a_file_is_written_as_utf_8_in_any_locale_and_a_terminal_shows_what_it_can(
    monkeypatch: pytest.MonkeyPatch, written: bytes, *, is_terminal: bool
) -> None:
    buffer = io.BytesIO()
    stream = Stream(buffer, encoding="latin-1")
    stream.is_terminal = is_terminal
    monkeypatch.setattr(sys, "stdout", stream)
    write_utf8()
    stream.write("Grüße…\n")
    stream.flush()
    assert buffer.getvalue() == written
