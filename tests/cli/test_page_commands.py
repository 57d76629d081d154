"""`dm-feedback page preview` prints the page as a customer sees it, without a database."""

import json

from tests.cli.installation import Cli


def test_the_page_of_a_campaign_is_printed_in_a_language(cli: Cli) -> None:
    said = cli.says("page", "preview", "care", "--language", "de-AT")
    assert 'lang="de"' in said
    assert "Sehr zufrieden" in said
    assert "<form" in said
    assert json.dumps("Danke, Ihre Antwort ist gespeichert.", ensure_ascii=False).strip('"') in cli.says(
        "page", "preview", "care", "--language", "de", "--answered"
    )


def test_it_lists_its_languages(cli: Cli) -> None:
    assert cli.says("page", "preview", "care", "--language", "list").startswith("ar, de, en, es, fr, hi, id, it, ja")


def test_an_unknown_campaign_or_account_is_reported(cli: Cli) -> None:
    assert cli.refuses("page", "preview", "nope")[1] == "no_such_campaign"
    assert cli.refuses("page", "preview", "care", "--account", "nope")[1] == "unknown_account"
