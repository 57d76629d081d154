"""Feedback requests: list, show, retry, cancel."""

from collections.abc import Iterator

import click
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.cli.common import CommandGroup, account_of, console, me, now, opened, table_of, when
from service.db import reading
from service.errors import NotFound
from service.humanize import many
from service.models import feedback_request, result, send_attempt, transition
from service.outreach import by_hand
from service.outreach.context import Workplace
from service.requests.request import Draws
from service.settings import Settings
from service.states import ENDS, State

fr = feedback_request.c


@click.group(cls=CommandGroup)
def requests() -> None:
    """Feedback requests: one per ended conversation, each with one outcome and its reason."""


@requests.command(name="list")
@click.option("--state", type=click.Choice([each.value for each in State]), help="Only requests in this state.")
@click.option("--reason", help="For instance cooldown, cannot_dm, stale.")
@click.option("--account")
@click.option("--conversation", help="The conversation's id in the CRM.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.pass_context
def show_list(
    context: click.Context,
    state: str | None,
    reason: str | None,
    account: str | None,
    conversation: str | None,
    limit: int,
) -> None:
    """Show requests, the newest first."""
    settings, engine = opened(context)
    wanted = ((fr.state, state), (fr.reason, reason), (fr.account, account), (fr.conversation_id, conversation))
    query = sa.select(feedback_request).where(*(column == value for column, value in wanted if value is not None))
    table = table_of("id", "account", "conversation", "ended", "state", "reason", "due")
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(fr.updated_at.desc(), fr.id.desc()).limit(limit)).all()
    if not rows:
        _demand_known(settings, account, reason)
    for row in rows:
        due = when(row.scheduled_at) if row.outcome_at is None else ""
        table.add_row(row.id, row.account, row.conversation_id, when(row.ended_at), row.state, row.reason or "", due)
    console.print(table)


def _demand_known(settings: Settings, account: str | None, reason: str | None) -> None:
    """Refuse what finds nothing because it is misspelt. An account that was removed is still found by its requests."""
    if account is not None:
        account_of(settings, account)
    if reason is not None and reason not in ENDS:
        sentence = f"No such request has the reason '{reason}'; ends have {', '.join(ENDS)}."
        raise NotFound("unknown_reason", sentence)


@requests.command()
@click.argument("request_id")
@click.pass_context
def show(context: click.Context, request_id: str) -> None:
    """Show the whole life of one request, line by line."""
    _, engine = opened(context)
    with reading(engine) as connection:
        row = connection.execute(sa.select(feedback_request).where(fr.id == request_id)).one_or_none()
        if row is None:
            raise NotFound("unknown_request", f"There is no request '{request_id}'; see `dm-feedback requests list`.")
        console.print(f"{row.id}  {row.state}{': ' + row.reason if row.reason else ''}", style="bold")
        facts = (
            ("conversation", f"{row.source} / {row.conversation_id}, ended {when(row.ended_at)}"),
            ("customer", " ".join(filter(None, [row.x_user_id, row.x_handle and f"@{row.x_handle}"])) or "not known"),
            ("agent, team", f"{row.agent_id or '-'}, {row.team_id or '-'}"),
            ("account, campaign", f"{row.account}, {row.campaign or 'not chosen yet'}{' (test)' if row.test else ''}"),
            *_draws(row.decision),
        )
        for name, value in facts:
            console.print(f"  {name:18} {value}", soft_wrap=True)
        _history(connection, request_id)
        _attempts(connection, request_id)
        _result(connection, request_id)


def _draws(decision: Draws | None) -> Iterator[tuple[str, str]]:
    """Each draw against its share: a number below the share is asked."""
    for name, draw in (decision or {}).items():
        verdict = "asked" if draw["drawn"] else "not asked"
        yield f"{name} lot", f"{draw['lot']:.3f} of 0 to 1, {verdict}: {draw['share']:.0%} are"


def _history(connection: Connection, request_id: str) -> None:
    tr = transition.c
    console.print("\nhistory")
    for line in connection.execute(sa.select(transition).where(tr.request_id == request_id).order_by(tr.id)):
        change = line.to_state if line.from_state == line.to_state else f"{line.from_state} -> {line.to_state}"
        why = " ".join(filter(None, [line.reason, line.detail]))
        console.print(f"  {when(line.at)}  {change:28} {line.event:10} {why}  {line.actor}", soft_wrap=True)


def _attempts(connection: Connection, request_id: str) -> None:
    snd = send_attempt.c
    console.print("\nsends")
    for line in connection.execute(
        sa.select(send_attempt).where(snd.request_id == request_id).order_by(snd.intended_at)
    ):
        outcome = line.outcome or "in flight or unclear"
        console.print(f"  {when(line.intended_at)}  {line.kind:4} {outcome}  {line.evidence or ''} {line.x_id or ''}")


def _result(connection: Connection, request_id: str) -> None:
    row = connection.execute(sa.select(result).where(result.c.request_id == request_id)).one_or_none()
    if row is None or (row.score is None and row.text is None):
        console.print("\nno answer so far")
        return
    # The words themselves are for supervisors, in the API and the dashboard, where reading them is logged.
    console.print(
        f"\nanswer: {'score ' + when(row.score_at) if row.score is not None else 'no score'}, "
        f"{'text ' + when(row.text_at) if row.text is not None else 'no text'}, {many(row.update_count, 'update')}, "
        f"first by {row.first_channel}"
    )


@requests.command()
@click.argument("request_id")
@click.option(
    "--i-accept-a-second-message",
    "accept",
    is_flag=True,
    help="Send although an earlier message may have arrived: the customer may get it twice.",
)
@click.pass_context
def retry(context: click.Context, request_id: str, *, accept: bool) -> None:
    """Try a skipped, failed or unknown request again. All rules and limits still apply."""
    settings, engine = opened(context)
    place = Workplace.open(engine, settings, me())
    state = by_hand.retry(place, request_id, by=me(), accept_second_message=accept, now=now())
    console.print(f"{request_id} continues from '{state}'; `dm-feedback requests show {request_id}` shows the outcome.")


@requests.command()
@click.argument("request_id")
@click.pass_context
def cancel(context: click.Context, request_id: str) -> None:
    """End a request that has not ended yet. A link in its opening DM stops working."""
    settings, engine = opened(context)
    state = by_hand.cancel(Workplace.open(engine, settings, me()), request_id, by=me(), now=now())
    console.print(f"{request_id} is cancelled.")
    if state is State.UNKNOWN:
        console.print("It ends as 'unknown': a message may have been sent that the restored database does not know of.")
