"""The API's description as YAML, made from the routes themselves; no settings file is needed."""

import tomllib

import click
from sqlalchemy.engine import Engine

from service.app import create_app
from service.cli.config import EXAMPLE
from service.db import open_engine
from service.settings import Settings, from_tree
from service.web import openapi_yaml


class PlaceholderEnvironment(dict[str, str]):
    """An environment in which every secret of the example has a value: the description holds none of them."""

    def __contains__(self, _name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"whsec_{'A' * 32}" if name.endswith("WEBHOOK_KEY") else "x" * 32


@click.command()
def openapi() -> None:
    """Print the API's description (OpenAPI 3.1); the file openapi.yaml is this output."""
    click.echo(description(), nl=False)


def description() -> str:
    """Return the description of the routes as they are."""
    return openapi_yaml(create_app(*_example()))


def paths() -> list[str]:
    """Return the paths there are, with `<name>` for what varies."""
    return sorted({rule.rule for rule in create_app(*_example()).url_map.iter_rules()})


def _example() -> tuple[Settings, Engine]:
    settings = from_tree(tomllib.loads(EXAMPLE.read_text("utf-8")), PlaceholderEnvironment())
    return settings, open_engine("sqlite:///never-opened.db")
