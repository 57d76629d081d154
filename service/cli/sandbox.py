"""Starts the sandbox, our stand-in for X."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import click
from marshmallow import ValidationError

from service.cli.common import console
from service.errors import Invalid
from service.sandbox import SandboxConfig
from service.sandbox import serve as serve_sandbox
from service.sandbox.crm import Crms, CrmServer
from service.sandbox.crm.people import KEY
from service.settings.values import host_and_port, to_listen_on


@click.command()
@click.option("--bind", default="127.0.0.1:8090", show_default=True, help="host:port to listen on; port 0 picks one.")
@click.option("--file", "file", type=click.Path(path_type=Path, exists=True), help="A configuration file, JSON.")
@click.option("--speed", type=float, help="How fast its clock runs; 60 is a minute per second.")
@click.option("--crm", "with_crms", is_flag=True, help="Stand-ins for CRMs as well, on the next port.")
def sandbox(bind: str, file: Path | None, speed: float | None, *, with_crms: bool) -> None:
    """Run the sandbox, a stand-in for X: develop and test without any access to X.

    It verifies signatures, keeps limits, remembers every message and lets scripted customers answer. GET /_control
    explains how to make customers and faults. Without --file every numeric user id is a customer who may answer.
    --crm adds stand-ins for the APIs of CRMs, for trying look-ups; everybody is known there, as user<ID>.
    """
    try:
        to_listen_on(bind)
        host, port = host_and_port(bind)
    except ValidationError as error:
        raise Invalid("bad_bind", f"'{bind}' is not of the form host:port, such as 127.0.0.1:8090.") from error
    try:
        config = SandboxConfig.from_file(file) if file else SandboxConfig.demo()
        config = replace(config, speed=config.speed if speed is None else speed)
    except ValueError as error:
        raise Invalid("bad_sandbox_configuration", f"{file or 'The configuration'} cannot be used: {error}") from error

    def ready(url: str) -> None:
        console.print(f"X sandbox on {url}   controls: {url}/_control")
        for account in config.accounts:
            console.print(f"  account {account.screen_name}  user_id {account.user_id}")
            console.print(f"    consumer_key {account.consumer_key}   consumer_secret {account.consumer_secret}")
            console.print(f"    token {account.token}   token_secret {account.token_secret}")

    with _crms(host or "127.0.0.1", port + 1 if port else 0) if with_crms else nullcontext():
        serve_sandbox(config, host or "127.0.0.1", port, ready)


@contextmanager
def _crms(host: str, port: int) -> Iterator[None]:
    with CrmServer(Crms(everybody=True), host, port) as crms:
        console.print(f"CRM sandbox on {crms.url}   controls: {crms.url}/_control")
        console.print(f"  base_url of a source: {crms.url}/zendesk, …; the key of every vendor: {KEY}")
        yield
