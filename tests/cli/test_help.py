"""Every command explains itself, needs no settings for it, and documents every option."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from service import __version__
from service.cli import COMMANDS, main

NamedCommand = tuple[tuple[str, ...], click.Command]


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[NamedCommand]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            each = command.get_command(context, name)
            assert each is not None
            yield from commands(each, (*path, name))


ALL = list(commands(main))


def named(found: NamedCommand) -> str:
    return " ".join(found[0]) or "dm-feedback"


@pytest.mark.parametrize("found", ALL, ids=named)
def test_help_says_in_a_sentence_what_a_command_does(found: NamedCommand) -> None:
    path, command = found
    done = CliRunner().invoke(main, [*path, "--help"], prog_name="dm-feedback")
    assert done.exit_code == 0
    assert done.stdout.startswith(" ".join(("Usage: dm-feedback", *path)))
    said = (command.help or "").strip()
    assert said
    assert said[0].isupper()
    assert said.splitlines()[0].rstrip().endswith((".", ":"))
    assert command.get_short_help_str(80), "the list above has it too"
    assert "..." not in done.stdout.partition("\nCommands:")[2], "no sentence breaks off"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_itself_says(name: str) -> None:
    command = dict(ALL)[(name,)]
    assert command.name == name
    assert COMMANDS[name][1] == command.get_short_help_str(100)


def test_an_option_that_does_not_speak_for_itself_has_a_help_text() -> None:
    clear = {"account", "reason", "conversation", "limit"}
    silent = [
        f"{named((path, command))} --{option.name}"
        for path, command in ALL
        for option in command.params
        if isinstance(option, click.Option)
        and not option.help
        and option.name not in clear
        and not isinstance(option.type, click.Choice)
        and not isinstance(option.type, click.DateTime)
        and option.metavar is None
        and not option.prompt
        and option.name not in {"name", "help", "version"}
    ]
    assert silent == []


def test_no_command_at_all_shows_where_to_begin() -> None:
    done = CliRunner().invoke(main, [], prog_name="dm-feedback")
    assert "dm-feedback config example > dm-feedback.toml" in done.output
    assert "bash deploy/demo" in done.output


def test_the_version_is_said() -> None:
    assert (
        CliRunner().invoke(main, ["--version"], prog_name="dm-feedback").stdout
        == f"dm-feedback, version {__version__}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["reqests"], "No such command 'reqests'"),
        (["keys", "create"], "Missing option '--name'"),
        (
            ["keys", "create", "--name", "x", "--role", "agent"],
            "'agent' is not one of 'admin', 'supervisor', 'analyst'",
        ),
        (["requests", "list", "--state", "asked"], "'asked' is not one of 'received'"),
        (["deliveries", "list", "--outcome", "lost"], "'lost' is not one of 'accepted'"),
        (["requests", "list", "--limit", "0"], "0 is not in the range"),
        (["results", "reconcile", "--account", "acme", "--from", "today", "--to", "x"], "does not match the formats"),
        (["opt-out", "import", "/no/such/file"], "does not exist"),
        (["export"], "Missing option '--out'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_typing_mistake_is_answered_with_what_would_be_right(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(main, arguments, prog_name="dm-feedback")
    assert done.exit_code == 2
    assert says in done.stderr
