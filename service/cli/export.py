"""Conversations and their answers as a file, with a manifest beside it."""

from pathlib import Path
from typing import Any

import click

from service.auth import Reader
from service.cli.common import console, filters_of, me, now, opened
from service.cli.progress import counting
from service.errors import Invalid
from service.humanize import many
from service.process import ending_on, hang_ups
from service.reports import filters
from service.reports.rows import export as exporting
from service.reports.rows.as_csv import Form
from service.reports.rows.formats import FORMATS


@click.command()
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: by the file's name.")
@click.option(
    "--filter", "given", multiple=True, metavar="NAME=VALUE", help="As in the API: account=acme, since=2026-11-01 …"
)
@click.option("--bom", is_flag=True, help="Begin a CSV with a byte order mark, for old Excel.")
@click.option("--separator", type=click.Choice(["comma", "semicolon"]), default="comma", help="The separator of a CSV.")
@click.option("--raw", is_flag=True, help="CSV: no apostrophe before texts that a spreadsheet would compute.")
@click.pass_context
def export(context: click.Context, /, out: Path, kind: str | None, given: tuple[str, ...], **form: Any) -> None:
    """Write conversations and their answers to a file, with a manifest beside it.

    For results only: --filter answered=true.
    """
    settings, engine = opened(context)
    reader = Reader("cli", me(), "admin", ())
    filter_ = filters.parse(filters_of(given), reader, settings)
    kind = kind or out.suffix.lstrip(".").lower() or "csv"
    if kind not in FORMATS:
        raise Invalid("unknown_format", f"'{kind}' is not a format we have; there are {', '.join(FORMATS)}.")
    with counting("rows") as show, ending_on(*hang_ups()):  # which removes what is written so far
        manifest = exporting.write_file(
            engine, settings, reader, filter_, out, kind, now(), show, form=Form(**form)
        )  # fmt: skip
    console.print(f"{many(manifest.rows, 'row')} in {out}, manifest in {out}.manifest.json")
