"""Trying a campaign on yourself before customers get it."""

import click

from service.cli.common import CommandGroup, account_asking, campaign_of, console, me, now, opened
from service.errors import Invalid
from service.intake.values.identity import X_HANDLE
from service.outreach import rehearsal
from service.outreach.clients import client_of
from service.outreach.context import Workplace
from service.requests.outcomes import Advance, Note, Outcome, Postpone, Retry, Stop, Switch, Unclear
from service.states import State


@click.group(cls=CommandGroup)
def campaigns() -> None:
    """Campaigns: which card and texts, for which conversations."""


@campaigns.command(name="try")
@click.argument("name")
@click.option("--to", "handle", required=True, help="Your own account, as @handle.")
@click.option("--account", "account_name", help="The X account that writes. Default: the campaign's first.")
@click.pass_context
def try_(context: click.Context, name: str, handle: str, account_name: str | None) -> None:
    """Send the whole sequence to your own account, as a test, and show what X answers at each step.

    It really is sent, by the first of the campaign's ways that X does not refuse. It counts in no figure;
    X's own limits apply.
    """
    settings, engine = opened(context, withheld=())
    place = Workplace.open(engine, settings, me())
    campaign = campaign_of(settings, name)
    account = account_asking(settings, campaign, account_name)
    if X_HANDLE.fullmatch(handle.removeprefix("@")) is None:
        raise Invalid("not_a_handle", "Give your handle on X, e.g. --to @acme.")
    request = rehearsal.begin(place, campaign, account, handle, me(), now())
    with client_of(settings, engine, account, now) as client:
        for step in rehearsal.walk(place, account, request.id, client, now):
            console.print(f"{step.endpoint:20} {said(step.outcome)}", soft_wrap=True)
    ended = rehearsal.now_stands(place, request.id)
    console.print(f"{ended.state}{f' ({ended.reason})' if ended.reason else ''}, asked by {ended.way}: {ended.id}")
    if ended.state is State.CARD_SENT:
        console.print(f"page: {place.links.to(ended.id)}", soft_wrap=True)
    else:
        goes_on = "; the worker continues it" if ended.is_open else ""
        console.print(f"See `dm-feedback requests show {ended.id}`{goes_on}.")
        context.exit(1)


def said(outcome: Outcome) -> str:  # noqa: PLR0911 - one a kind of outcome
    """What X's answer meant, in a line."""
    match outcome:
        case Advance(to):
            return f"ok: {to}"
        case Note(reason):
            return f"ok, and silent: {reason}"
        case Stop(end, reason, detail):
            return f"{end}: {reason}. {detail or ''}".rstrip()
        case Switch(reason, detail):
            return f"refused, the next way is used: {reason}. {detail or ''}".rstrip()
        case Unclear(detail=detail):
            return f"no clear answer, looked up by the worker. {detail or ''}".rstrip()
        case Retry(reason, detail) | Postpone(_, reason, detail):
            return f"not now: {reason}. {detail or ''}".rstrip()
        case _:
            return type(outcome).__name__.lower()
