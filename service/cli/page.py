"""The question page before anybody gets its link: in, a campaign and a language; out, what a customer sees."""

import click

from service.cli.common import account_of, settings_of
from service.errors import NotFound
from service.results.page.drawn import PageState, question_page
from service.results.page.found import Said
from service.results.page.question import ask, own_words
from service.results.page.sender import sender_of
from service.settings import Account, Campaign, Settings
from service.ways.catalogue import choose, languages


@click.group()
def page() -> None:
    """The question page that customers answer on where no card shows."""


@page.command()
@click.argument("campaign")
@click.option("--language", default="en", show_default=True, help="The customer's language, e.g. de or pt-BR.")
@click.option("--account", help="Whose page; needed where the campaign asks for several accounts.")
@click.option("--answered", is_flag=True, help="The page after a score was given.")
@click.pass_context
def preview(context: click.Context, campaign: str, language: str, account: str | None, *, answered: bool) -> None:
    """Print the page of CAMPAIGN as HTML.

    For example: dm-feedback page preview care --language de > page.html

    Nothing is stored and no database is needed. `--language list` names the languages with words of their own.
    """
    if language == "list":
        click.echo(", ".join(sorted(each.code for each in languages().values())))
        return
    settings = settings_of(context)
    chosen, spoken = _campaign(settings, campaign), choose([language])
    whose = sender_of(_account(settings, chosen, account))
    wording = own_words(settings.campaigns, chosen.name, spoken)
    question = ask(chosen.type, chosen.question_variant_id, chosen.display_name or whose.name, spoken, wording)
    notice = spoken.say("Thank you, your answer is saved.") if answered else ""
    shown = PageState(Said(scored=answered, commented=False), chosen.privacy_url, notice)
    click.echo(question_page(whose, question, shown, spoken).html)


def _campaign(settings: Settings, name: str) -> Campaign:
    found = next((each for each in settings.campaigns if each.name == name), None)
    if found is None:
        known = ", ".join(each.name for each in settings.campaigns) or "none yet"
        raise NotFound("no_such_campaign", f"There is no campaign '{name}' in the settings; there is {known}.")
    return found


def _account(settings: Settings, campaign: Campaign, name: str | None) -> Account:
    names = [name] if name else [*campaign.accounts, *settings.accounts]
    return account_of(settings, names[0])
