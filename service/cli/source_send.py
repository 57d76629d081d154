"""Tries a source: sends one of its preset's deliveries, renewed and signed with its key, to the running service."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import click

from service.cli.common import now, settings_of, source_of
from service.crm_api.get import OK, NoAnswer, deliver
from service.errors import Invalid
from service.intake.definition.load import load_definitions
from service.intake.definition.proofs import each_of
from service.intake.definition.tables import Definition
from service.intake.delivery.decode import unpacked
from service.intake.delivery.inbound import Inbound, parse_request_file
from service.intake.explain import AT_MOST
from service.intake.mapping.events import ConversationEnded
from service.intake.mapping.readings import read
from service.intake.sample import TryOf, sample
from service.intake.verify import Refusal, Verified, Verifier, verify
from service.intake.verify.plain import BodyEquals
from service.intake.verify.signing import signed
from service.settings import Settings
from service.text import harmless

NOT_FROM_HERE = "It is sent to this machine, or by https to a public address: use --to http://127.0.0.1:8000."


@click.command()
@click.argument("source")
@click.argument("file", required=False)
@click.option("--to", help="The service's address if it is not public_url, e.g. http://127.0.0.1:8000.")
@click.option("--conversation", help="The conversation's id in the CRM. Default: a new one.")
@click.option("--customer", help="The customer's id in the CRM, to be looked up.")
@click.option("--x-user-id", help="The customer's id on X. They may really be written to.")
@click.option("--x-handle", help="The customer's handle on X. They may really be written to.")
@click.pass_context
def send(context: click.Context, /, source: str, file: str | None, to: str | None, **said: str | None) -> None:
    """Send a signed delivery to the running service, as the source's CRM would.

    Without FILE it sends the preset's own example, ended just now, which names nobody on X unless you do. A FILE is
    sent as it is, to whomever it names. Exits with 1 if the delivery is not accepted.
    """
    settings = settings_of(context)
    definition = definition_of(settings, source)
    inbound = _proven(definition, _delivery(settings, definition, file, TryOf(**said)))
    address = _address(settings, inbound, to)
    click.echo(f"POST {urlsplit(address)._replace(query='').geturl()}   {len(inbound.body)} bytes, signed")
    try:
        got = deliver(address, inbound.body, inbound.headers)
    except NoAnswer as error:
        why = f"{error} Is the service running? Use --to for another address."
        raise Invalid("not_sent", NOT_FROM_HERE if error.reason == "forbidden" else why) from error
    for line in _told(definition, inbound, got.status, got.value):
        click.echo(harmless(line))
    if got.status != OK:
        context.exit(1)


def definition_of(settings: Settings, source: str) -> Definition:
    """Return one source of the settings, compiled. Raises NotFound."""
    source_of(settings, source)
    return load_definitions(settings.sources, settings.accounts)[source]


def _delivery(settings: Settings, definition: Definition, file: str | None, said: TryOf) -> Inbound:
    public_url = settings.service.public_url
    if file is not None:
        if said != TryOf():
            options = "--conversation, --customer, --x-user-id and --x-handle"
            raise Invalid("file_as_it_is", f"A FILE is sent as it is, to whomever it names: leave out {options}.")
        return parse_request_file(Path(file).read_bytes(), public_url, definition.name)
    preset = settings.sources[definition.name].preset
    if preset is None:
        raise Invalid("no_file", "The source has a definition of its own: name the FILE that holds a delivery.")
    inbound = sample(preset, public_url, definition.name, said, now())
    for each in read(definition, inbound, now()):
        if isinstance(each, ConversationEnded) and (each.x_user_id, each.x_handle) == (said.x_user_id, said.x_handle):
            return inbound
    raise Invalid("not_told", "With your settings, the preset's example does not report this event; give a FILE.")


def _proven(definition: Definition, inbound: Inbound) -> Inbound:
    """Sign for the first verifier that one of our keys satisfies."""
    lacks = []
    for verifier in definition.verifiers:
        try:
            found = _signed(verifier, inbound)
        except Refusal as refusal:
            lacks.append(refusal.sentence)
            continue
        if found is None:
            continue
        verdict = verify((verifier,), found, now())
        if isinstance(verdict, Verified):
            return found
        lacks.append(verdict.sentence)
    why = [*lacks, "That needs the vendor's private key, or a token inside the body."][0]
    raise Invalid("cannot_sign", f"A delivery of this source cannot be signed here. {why}")


def _signed(verifier: Verifier, inbound: Inbound) -> Inbound | None:
    """The delivery with each proof that a verifier wants; what a body must say, it says or not. Raises Refusal."""
    found: Inbound | None = inbound
    for each in each_of((verifier,)):
        if found is not None and not isinstance(each, BodyEquals):
            found = signed(each, found, now())
    return found


def _address(settings: Settings, inbound: Inbound, to: str | None) -> str:
    ours = settings.service.public_url
    address, _, written = inbound.url.partition("?")
    query = urlencode(inbound.query) or written
    return (to or ours).rstrip("/") + address.removeprefix(ours.rstrip("/")) + (f"?{query}" if query else "")


def _told(definition: Definition, inbound: Inbound, status: int, answer: object) -> Iterator[str]:
    """What the service answered, and where to look next."""
    yield f"answered {status}   {answer if answer is not None else ''}".rstrip()
    for each in read(definition, unpacked(inbound, AT_MOST), now()) if status == OK else ():
        if isinstance(each, ConversationEnded):
            yield f"to look on: dm-feedback requests list --conversation {each.conversation_id}"
