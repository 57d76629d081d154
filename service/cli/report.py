"""The report of /dashboard/report as a file, for a mail or a schedule."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from service.auth import Reader, log_access
from service.cli.common import account_of, console, demand_said_once, filters_of, me, now, opened
from service.db import reading, writing
from service.errors import Invalid
from service.reports import filters
from service.reports.dashboard.report import paper
from service.reports.dashboard.report.content import CHOICES, CommentChoice, facts
from service.reports.dashboard.report.html import MadeBy, company_of, scope_of, sheet, title_of
from service.reports.dashboard.report.spans import LAST, ReportSpan, days_of, month_of
from service.reports.figures.labels import of_named
from service.reports.report_query import ReportQuery
from service.reports.rows.atomic_file import appearing, demand_file
from service.reports.thresholds import thresholds
from service.settings import Settings

DAY = click.DateTime(["%Y-%m-%d"])
DAYS = {"since", "until"}
WAYS = "Give --month, or --last, or both --from and --to."
ENDINGS = {".pdf", ".html"}


@click.command()
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A .pdf or .html.")
@click.option("--month", help="A month, such as 2026-10.")
@click.option("--last", type=click.Choice(list(LAST)), help="The last whole month, week or quarter. Default: month.")
@click.option("--from", "first", type=DAY, help="The first day.")
@click.option("--to", "last_day", type=DAY, help="The last day, included.")
@click.option("--account", "accounts", multiple=True, help="Only this account; may be repeated. Default: all.")
@click.option("--filter", "given", multiple=True, metavar="NAME=VALUE", help="As in the API: team_id=refunds …")
@click.option("--comments", type=click.Choice(list(dict(CHOICES))), default="mixed", show_default=True)
@click.option("--comment", "ids", multiple=True, help="A comment to show instead, by its request id; at most five.")
@click.option("--for", "role", type=click.Choice(["supervisor", "analyst"]), default="supervisor", show_default=True,
              help="Who will read it. An analyst's report has no comments and consists of whole releases.")  # fmt: skip
@click.option("--paper", "size", type=click.Choice(paper.PAPERS), default="A4", show_default=True)
@click.pass_context
def report(
    context: click.Context, /, out: Path, accounts: tuple[str, ...], given: tuple[str, ...], role: str, size: str,
    **asked: Any,
) -> None:  # fmt: skip
    """Write a month, a week or a quarter on one page, as PDF or HTML.

    \b
    dm-feedback report --month 2026-10 --account acme -o report.pdf
    dm-feedback report --last week --for analyst -o week.html
    """  # noqa: D301 - \b is click's mark for "keep these lines"
    settings, engine = opened(context)
    if out.suffix.lower() not in ENDINGS:
        raise Invalid("unknown_format", "A report is a .pdf or .html file; name it accordingly.")
    demand_file(out)
    for account in accounts:
        account_of(settings, account)
    at, reader, named = now(), Reader("cli", me(), role, accounts), filters_of(given)
    own = {"account": list(accounts)} if accounts else {}
    demand_said_once(own, named)
    if DAYS & named.keys():
        raise Invalid("which_days", f"A --filter cannot say which days. {WAYS}")
    wanted = filters.parse({**named, **own}, reader, settings)
    span, choice = _span(settings, at, asked), CommentChoice(asked["comments"], asked["ids"])
    with reading(engine) as connection:
        query = ReportQuery(connection, settings, reader, wanted, at)
        found = facts(query, span, choice)
        called = of_named(query, [(name, value) for name, values in named.items() for value in values])
    made = MadeBy(company_of(settings, accounts), me().removeprefix("cli:"), at, settings.service.time_zone)
    page = sheet(found, made, thresholds(settings), scope_of(found, called))
    document = paper.document(page, f"Customer feedback, {title_of(found)}", size)
    content = paper.pdf(document) if out.suffix.lower() == ".pdf" else document.encode()
    with writing(engine) as connection:
        detail = {"filter": found.filter.logged(), "rows": len(found.comments or ())}
        log_access(connection, me(), "report.file", detail, at)
    with appearing(out) as file:  # what customers wrote is for whoever asked for it
        file.write(content)
    console.print(f"{title_of(found)}: {out}")


def _span(settings: Settings, at: datetime, asked: dict[str, Any]) -> ReportSpan:
    """The days asked for in one of three ways. Raises Invalid."""
    first, last_day = asked["first"], asked["last_day"]
    ways = [bool(asked["month"]), bool(asked["last"]), bool(first or last_day)]
    if sum(ways) > 1 or bool(first) != bool(last_day):
        raise Invalid("which_days", WAYS)
    if asked["month"]:
        return month_of(asked["month"])
    if first and last_day:
        return days_of(first.date(), last_day.date())
    return LAST[asked["last"] or "month"](at.astimezone(settings.service.time_zone).date())
