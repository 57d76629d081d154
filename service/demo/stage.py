"""Settings of the service and of the sandbox for one play, in a folder, with new keys.

Both are files that a person can read afterwards. Secrets are drawn anew for every run and open nothing else.
"""

import base64
import json
import secrets
import socket
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from service.demo.cast import HELP
from service.sandbox.crm.people import KEY
from service.settings import Settings, load

LOCAL = "127.0.0.1"
NO_CRM = f"http://{LOCAL}:1"  # nobody listens there
USUAL_PORTS = (8000, 8090)  # the service's and the sandbox's, where somebody looks for them
#: How this X behaves. None of it is out of the question for the real one.
MISBEHAVIOUR: dict[str, Any] = {
    "question_variant_id": "alternate",
    "webhook_question_variant_id": "alternate",
    "events_24h_rule": False,
    "events_empty_pages": [1],
    "rate_window_s": 20,
    "link_previews": True,
}
#: Pushes of answers get lost, doubled, late, or overtaken.
LOSSES = {"lose": 0.07, "double": 0.08, "delay": 0.08, "delay_s": [1, 3], "reorder": 0.1}


@dataclass(frozen=True, slots=True)
class Pace:
    """How long uncertainty lasts, in seconds: the lag of X's DM list, and how late a lost call may arrive."""

    lag_s: int = 4
    signature_s: int = 8


UNHURRIED = Pace()


@dataclass(frozen=True, slots=True)
class Stage:
    """Addresses, files and keys of one run."""

    folder: Path
    service_url: str
    x_url: str
    signing_key: str
    source_token: str
    settings: Settings

    @property
    def settings_file(self) -> Path:
        """What the service is started with."""
        return self.folder / "dm-feedback.toml"

    @property
    def x_file(self) -> Path:
        """What the sandbox is started with."""
        return self.folder / "sandbox.json"


def build(
    folder: Path,
    database_url: str | None = None,
    *,
    pace: Pace = UNHURRIED,
    usual_ports: bool = False,
    crm_url: str = NO_CRM,
) -> Stage:
    """Write both settings into `folder`, which must exist; without `database_url` SQLite is used there too.

    `crm_url` is the address of the CRM's own API.
    """
    service_port, x_port = free_ports(USUAL_PORTS if usual_ports else (0, 0))
    service_url, x_url = f"http://{LOCAL}:{service_port}", f"http://{LOCAL}:{x_port}"
    signing_key = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    source_token = secrets.token_hex(24)
    names = ("secret_key", "consumer_key", "consumer_secret", "token", "token_secret", "webhook_password")
    template = (resources.files("service.demo") / "settings.toml").read_text("utf-8")
    written = Template(template).substitute(
        {name: secrets.token_hex(32) for name in names},
        service_url=service_url,
        bind=f"{LOCAL}:{service_port}",
        x_url=x_url,
        database_url=database_url or f"sqlite:///{folder / 'dm-feedback.db'}",
        signing_key=signing_key,
        source_token=source_token,
        crm_url=crm_url,
        crm_key=KEY,
        **asdict(pace),
    )
    file = folder / "dm-feedback.toml"
    file.write_text(written, "utf-8")
    stage = Stage(folder, service_url, x_url, signing_key, source_token, load(file, {}))
    stage.x_file.write_text(json.dumps(_x(stage, pace), indent=2), "utf-8")
    return stage


def free_ports(wanted: tuple[int, ...]) -> list[int]:
    """Return a free port for each wanted one: that one if it is free, else any."""
    held = [_bound(port) for port in wanted]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def _bound(port: int) -> socket.socket:
    """All stay bound until all are found, so that no two are the same."""
    try:
        return socket.create_server((LOCAL, port))
    except OSError:
        return socket.create_server((LOCAL, 0))


def _x(stage: Stage, pace: Pace) -> dict[str, Any]:
    accounts = [
        {
            "name": f"Acme {account.name}",
            "user_id": account.user_id,
            "screen_name": account.screen_name,
            "consumer_key": account.consumer_key,
            "consumer_secret": account.consumer_secret,
            "token": account.token,
            "token_secret": account.token_secret,
            "webhook_url": account.webhook_user and f"{stage.service_url}/webhooks/x/{account.name}",
            "webhook_user": account.webhook_user,
            "webhook_password": account.webhook_password,
            "activity_url": f"{stage.service_url}/webhooks/x" if account.name == HELP else None,
        }
        for account in stage.settings.accounts.values()
    ]
    doubt = {"list_lag_s": [0.3, pace.lag_s * 0.75], "oauth_tolerance_s": pace.signature_s}
    return {"accounts": accounts, "assumptions": {**MISBEHAVIOUR, **doubt}}
