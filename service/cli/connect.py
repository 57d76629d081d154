"""Signs an X account in by OAuth 2.0 (PKCE) on a terminal; the tokens go into the database."""

from urllib.parse import parse_qs, urlsplit

import click

from service.accounts import holds, moving, standing, tokens
from service.auth import log_access
from service.cli.common import account_of, console, me, now, opened
from service.customers.hash_key import open_key
from service.db import writing
from service.errors import Conflict, Invalid
from service.outreach.clients import client_with, sign_in_of
from service.settings import Account
from service.x_api import XError
from service.x_api.oauth2 import IssuedTokens, Pkce, new_challenge

BACK_TO = "http://127.0.0.1:8765/"


@click.command()
@click.argument("account")
@click.option("--back-to", default=BACK_TO, show_default=True, help="One of the app's call-back addresses at X.")
@click.pass_context
def connect(context: click.Context, account: str, back_to: str) -> None:
    """Sign an account in with OAuth 2.0. If it was on hold because its sign-in was lost, it continues.

    Open the address shown while signed in to X as the account. X then sends your browser to the call-back address.
    Nothing has to answer there: copy the whole address from the browser and paste it here.
    """
    settings, engine = opened(context, withheld=())
    asked = account_of(settings, account)
    if asked.client_id is None:
        raise Invalid("signs_with_keys", f"accounts.{account} signs with its four keys; write client_id for OAuth 2.0.")
    sign_in, challenge = sign_in_of(asked, now), new_challenge()
    console.print(sign_in.address(asked.sign_in_url, back_to, challenge), soft_wrap=True)
    code = code_of(click.prompt("The address your browser was sent to", hide_input=False), challenge)
    try:
        granted = sign_in.exchange(code, back_to, challenge)
    except XError as error:
        raise Conflict("not_connected", f"X gave no tokens: {error.sentence} Begin again.") from error
    _demand_refresh(granted)
    user_id = _whose(asked, granted)
    key = open_key(engine, settings.service.secret_key)
    with writing(engine) as connection:
        standing.enrol(connection, [account], now())
        tokens.put(connection, account, granted, key, now())
        held = holds.signed_in(connection, account, now())
        elsewhere = account in moving.moved(connection)
        log_access(connection, me(), "account.connect", {"account": account}, now())
    console.print(f"{account} is connected as {user_id}{_and_then(account, held, elsewhere=elsewhere)}", soft_wrap=True)


def _and_then(account: str, held: str | None, *, elsewhere: bool) -> str:
    if elsewhere:
        return "; it belongs to another database, and nothing is sent for it from this one."
    if held is not None:
        return f"; it stays on hold ({held}): `dm-feedback accounts release {account}` lets it continue."
    return " and continues."


def code_of(pasted: str, challenge: Pkce) -> str:
    """Read the code from the address X sent the browser to. Raises Invalid if it is not our call-back."""
    query = parse_qs(urlsplit(pasted.strip()).query)
    if query.get("state") != [challenge.state]:
        raise Invalid(
            "not_this_sign_in", "This is not the address of this sign-in. Paste the whole address, or start again."
        )
    if len(query.get("code", [])) != 1:
        raise Invalid("no_consent", f"X returned no code ({', '.join(query.get('error', ['none named']))[:40]}).")
    return query["code"][0]


def _whose(account: Account, granted: IssuedTokens) -> str:
    """Return the X id of who signed in. Asked before anything is stored: workers sign with what they find there."""
    try:
        with client_with(account, granted, now) as client:
            who = client.verify_credentials().value
    except XError as error:
        raise Conflict("not_connected", f"X does not accept the new tokens: {error.sentence}") from error
    if (why := holds.for_access(account, who)) is not None:
        raise Conflict("another_account", f"X says that this is {who.id}, but the settings say {account.user_id} "
                       f"({why.reason}); sign in as @{account.screen_name}.")  # fmt: skip
    return who.id


def _demand_refresh(granted: IssuedTokens) -> None:
    if granted.refresh_token is None:
        raise Conflict("no_refresh_token", "X gave no refresh token; does the app have the scope offline.access?")
