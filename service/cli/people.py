"""Names of agents and teams: imported from CSV, listed, forgotten."""

import csv
import sys
from pathlib import Path

import click

from service.auth import log_access
from service.cli.common import CommandGroup, console, me, now, opened
from service.db import EPOCH, reading, writing
from service.errors import NotFound
from service.humanize import many
from service.reports.formula_injection import guarded
from service.reports.people import names_csv, stored
from service.reports.people.name_at import EVERY_ACCOUNT, KINDS


@click.group(cls=CommandGroup)
def people() -> None:
    """Names of agents and teams, shown beside the CRM's ids."""


@people.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_context
def import_file(context: click.Context, file: Path) -> None:
    """Import names from a CSV with the columns kind, id, name and, if needed, since and account.

    \b
    kind,id,name,since,account
    agent,8812,Ana Kim,,
    agent,8812,Ana Kim-Roth,2026-03-01,
    team,t-4,Refunds,,acme

    kind is agent or team. since is the first day a name is valid; without it, from the beginning. A conversation keeps
    the name valid at its end, so a name from March is not shown for February. An empty name ends the one before. A
    wrong line stops the whole file. Names in the settings ([people.agents], [people.teams]) need no import.
    """  # noqa: D301 - \b is click's mark for "keep these lines"
    settings, engine = opened(context)
    lines = names_csv.lines_of(file.read_text("utf-8-sig", "replace"), settings)
    with writing(engine) as connection:
        new = stored.keep(connection, lines, me(), now())
        log_access(connection, me(), "people.import", {"names": len(lines), "new": new}, now())
    console.print(f"{many(new, 'name')} stored, {len(lines) - new} were known.")


@people.command(name="list")
@click.pass_context
def show(context: click.Context) -> None:
    """Print all names as CSV, with who gave them. `people import` reads the same format."""
    settings, engine = opened(context)
    with reading(engine) as connection:
        found = stored.listed(connection, settings)
    file = csv.writer(sys.stdout, lineterminator="\r\n")
    file.writerow(names_csv.LISTED)
    zone = settings.service.time_zone
    for each in found:
        since = "" if each.since == EPOCH else each.since.astimezone(zone).date().isoformat()
        account = "" if each.account == EVERY_ACCOUNT else each.account
        words = (guarded(word) for word in (each.person_id, each.name or ""))
        file.writerow((each.kind, *words, since, account, each.given_by))


@people.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("person_id", metavar="ID")
@click.pass_context
def forget(context: click.Context, kind: str, person_id: str) -> None:
    """Delete every name of an agent or a team, earlier ones too. The id and the figures stay."""
    settings, engine = opened(context)
    with writing(engine) as connection:
        gone = stored.forget(connection, kind, person_id, me(), now())
        log_access(connection, me(), "people.forget", {"kind": kind, "id": person_id, "names": gone}, now())
    own = settings.people.agents if kind == "agent" else settings.people.teams
    if not gone and person_id not in own:
        raise NotFound("no_such_name", f"There is no name of the {kind} '{person_id[:40]}'.")
    console.print(f"{many(gone, 'name')} deleted.")
    if person_id in own:
        console.print(f"The settings file still names this {kind}: remove the line from [people.{kind}s].")
