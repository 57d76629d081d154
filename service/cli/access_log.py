"""The access log: verify its chain, show its newest link, stream it as JSON lines."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from sqlalchemy.engine import Connection, Engine

from service.auth import chain
from service.auth.chain import AccessLine, Link
from service.cli.common import CommandGroup, console, errors, opened, when
from service.db import reading
from service.errors import Conflict, Invalid
from service.humanize import many
from service.reports.rows.atomic_file import appearing, demand_file

LOOK_EVERY_S = 2.0
ANCHOR = re.compile("([0-9]{1,18}):([0-9a-f]{64})")


@click.group(cls=CommandGroup)
def access_log() -> None:
    """The access log: who read, exported or changed what, tamper-evident."""


@access_log.command()
@click.option("--anchor", metavar="NUMBER:HASH", help="A link that `head` once printed: is it still there?")
@click.pass_context
def verify(context: click.Context, anchor: str | None) -> None:
    """Find changed, missing and reordered lines. Exits with 1 if there are any.

    Says when the log begins: that should be as long ago as `privacy.keep_access_log`, or when the service began.
    """
    _, engine = opened(context)
    with reading(engine) as connection:
        broken = [*chain.verify(connection), *_not_anchored(connection, anchor)]
        head, waiting = chain.newest(connection), chain.unsealed(connection)
        first = next(iter(chain.some_after(connection, 0)), None)
    for sentence in broken:
        errors.print(sentence, style="red", soft_wrap=True)
    if broken:
        context.exit(1)
    # who can change the anchor can remove the beginning: only its date tells that from retention
    since = "" if first is None else f" from line {first.number} of {when(first.at)}"
    console.print(f"Complete{since} to line {head.number}, {head.hash}; {waiting} wait to be sealed.", soft_wrap=True)


def _not_anchored(connection: Connection, anchor: str | None) -> list[str]:
    """What contradicts a link kept elsewhere: only that reveals a chain that was rebuilt as a whole."""
    if anchor is None:
        return []
    kept = _link(anchor)
    if kept is None:
        raise Invalid("bad_anchor", "--anchor is not NUMBER:HASH as `dm-feedback access-log head` prints it.")
    found = chain.hash_of(connection, kept.number)
    if found is None:
        return [f"There is no line {kept.number} any more, though it was anchored; was it pruned?"]
    return [] if found == kept.hash else [f"Line {kept.number} is not the one that was anchored."]


def _link(text: str) -> Link | None:
    found = ANCHOR.fullmatch(text)
    return None if found is None else Link(int(found[1]), found[2])


@access_log.command()
@click.pass_context
def head(context: click.Context) -> None:
    """Print the newest link of the chain, NUMBER:HASH. Keep it where nobody here can change it."""
    _, engine = opened(context)
    chain.seal_what_waits(engine)
    with reading(engine) as connection:
        newest = chain.newest(connection)
    click.echo(f"{newest.number}:{newest.hash}")


@access_log.command()
@click.option("--after", type=int, default=0, show_default=True, help="Start after the line with this number.")
@click.option("--follow", is_flag=True, help="Keep printing new lines until interrupted.")
@click.option("--state", type=click.Path(path_type=Path), help="A file that remembers the last line printed.")
@click.pass_context
def stream(context: click.Context, after: int, state: Path | None, *, follow: bool) -> None:
    """Print the log as JSON Lines, for a SIEM."""
    _, engine = opened(context)
    place = Link(after, "")
    if state is not None:
        demand_file(state)
    if state is not None and state.exists():
        place = max(_kept(state), place, key=lambda each: each.number)
    while True:
        for last in _printed(engine, place):
            place = last
            if state is not None:
                _keep(state, place)
        if not follow:
            return _say_what_waits(engine)
        time.sleep(LOOK_EVERY_S)


def _say_what_waits(engine: Engine) -> None:
    with reading(engine) as connection:
        waiting = chain.unsealed(connection)
    if waiting:
        errors.print(f"{many(waiting, 'newer line')} not printed: a worker seals them, or `access-log head`.")


def _kept(state: Path) -> Link:
    """The last line printed. Without its hash, if somebody wrote the number alone."""
    text = state.read_text("utf-8", "replace").strip() or "0"
    number = Link(int(text), "") if re.fullmatch("[0-9]{1,18}", text) else None
    if (found := _link(text) or number) is None:
        raise Invalid("bad_state", f"{state} does not contain a line number; give another file with --state.")
    return found


def _keep(state: Path, place: Link) -> None:
    """On a full disk the old one stays."""
    with appearing(state) as file:
        file.write(f"{place.number}:{place.hash}\n".encode())


def _printed(engine: Engine, place: Link) -> Iterator[Link]:
    """Print everything; yield the last line of each page. Outside of a transaction: the pipe's reader may be slow."""
    while page := _page(engine, place):
        for line in page:
            click.echo(json.dumps(line.told(), separators=(",", ":")))
        place = Link(page[-1].number or place.number, page[-1].hash or "")
        yield place


def _page(engine: Engine, place: Link) -> Sequence[AccessLine]:
    with reading(engine) as connection:
        there = chain.hash_of(connection, place.number) if place.hash else None  # None: or it was pruned
        if place.number > chain.newest(connection).number or there not in {None, place.hash}:
            sentence = (
                f"Line {place.number}, which was printed last, is not in this log. Was a backup restored? Print what "
                "follows it, from its line `db.restored` on: --after, and another file with --state."
            )
            raise Conflict("log_begins_anew", sentence)
        return chain.some_after(connection, place.number)
