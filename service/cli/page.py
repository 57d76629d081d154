"""A preview of the question page, for a campaign and a language."""

import click

from service.cli.common import CommandGroup, account_asking, campaign_of, settings_of
from service.results.page.branding import sender_of
from service.results.page.question import ask, own_words
from service.results.page.rendering import PageState, question_page
from service.results.page.token_lookup import AnsweredParts
from service.ways.catalogue import choose, languages


@click.group(cls=CommandGroup)
def page() -> None:
    """The question page, on which customers answer without X's card."""


@page.command()
@click.argument("campaign")
@click.option("--language", default="en", show_default=True, help="The customer's language, e.g. de or pt-BR.")
@click.option("--account", help="Whose page; needed if the campaign asks for several accounts.")
@click.option("--answered", is_flag=True, help="Show the page as it is after a score was given.")
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
    chosen, spoken = campaign_of(settings, campaign), choose([language])
    whose = sender_of(account_asking(settings, chosen, account))
    wording = own_words(settings.campaigns, chosen.name, spoken)
    question = ask(chosen.type, chosen.question_variant_id, chosen.display_name or whose.name, spoken, wording)
    notice = spoken.say("Thank you, your answer is saved.") if answered else ""
    shown = PageState(AnsweredParts(scored=answered, commented=False), chosen.privacy_url, notice)
    click.echo(question_page(whose, question, shown, spoken).html)
