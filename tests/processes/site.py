"""A service's settings on disk with scaled-down time spans, and a sandbox with the same scale.

Takes a folder, a database, ports and a scale; writes a TOML file for `dm-feedback` and a JSON file for its sandbox. X's
clock and ours stay real (times of messages are compared), so the clock is not faster, but every span is shorter: at
1:60 the DM list lags 0-3 s instead of 0-180 s, a signature lives 5 s instead of 300 s, a rate window lasts 15 s instead
of 15 min, and the service is told so.
"""

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import SOURCE_KEY

CARD, OPENING = "How did we do?", "Thanks for writing to {screen_name}."


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Site:
    """The addresses and files of one service under test."""

    directory: Path
    database_url: str
    accounts: tuple[str, ...] = ("acme",)
    web_port: int = field(default_factory=free_port)
    x_port: int = field(default_factory=free_port)
    scale: int = 60
    changes: dict[str, Any] = field(default_factory=dict)
    pushes_to: frozenset[str] = frozenset()
    assumptions: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=lambda: {"can_dm": True})

    @property
    def config(self) -> Path:
        return self.directory / "dm-feedback.toml"

    @property
    def x_file(self) -> Path:
        return self.directory / "sandbox.json"

    @property
    def x_url(self) -> str:
        return f"http://127.0.0.1:{self.x_port}"

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    def write(self) -> "Site":
        """Write both files."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config.write_text("\n".join(toml(_changed(self.tree(), self.changes))), "utf-8")
        self.x_file.write_text(json.dumps(self._sandbox()), "utf-8")
        return self

    def tree(self) -> dict[str, Any]:
        """The settings, before `changes`."""
        return {
            "service": {"secret_key": "0123456789abcdef0123456789abcdef-chaos", "public_url": self.web_url},
            "database": {"url": self.database_url},
            "web": {"bind": f"127.0.0.1:{self.web_port}", "workers": 2, "threads": 4},
            "worker": {"concurrency": 8, "lease": "3s", "idle": "100ms", "shutdown_within": "5s"},
            "accounts": {name: self.account(number, name) for number, name in enumerate(self.accounts)},
            "sources": {
                "crm": {
                    "preset": "standard",
                    "keys": [SOURCE_KEY],
                    "account": self.accounts[0],
                    "accounts": list(self.accounts),
                }
            },
            "campaigns": {
                "care": {
                    "type": "csat",
                    "privacy_url": "https://acme.example/privacy",
                    "delay": "500ms",
                    "texts": {"en": {"opening": OPENING, "card": CARD}},
                }
            },
        }

    def account(self, number: int, name: str) -> dict[str, Any]:
        """The settings of an account."""
        return {
            **_keys(number, name),
            "base_url": self.x_url,
            "window": f"{900 // self.scale}s",
            # a second for us to ask and X to answer
            "list_lag": f"{180_000 // self.scale + 1000}ms",
            "signature_tolerance": f"{300 // self.scale}s",
            "unknown_after": f"{7200 // self.scale}s",
            "expected_per_day": 1,
            "webhook_user": "x",
            "webhook_password": "a-long-random-password-1",
        }

    def _sandbox(self) -> dict[str, Any]:
        accounts = [{"name": name, **_keys(number, name)} for number, name in enumerate(self.accounts)]
        for account in accounts:
            if account["name"] in self.pushes_to:
                url = f"{self.web_url}/webhooks/x/{account['name']}"
                account |= {"webhook_url": url, "webhook_user": "x", "webhook_password": "a-long-random-password-1"}
        scaled = {
            "list_lag_s": [0, 180 / self.scale],
            "rate_window_s": 900 // self.scale,
            "oauth_tolerance_s": 300 // self.scale,
            "rate_reset_clock": "wall",
            # X's own guard against a second card would hide ours
            "pair_scope": "off",
            "auto_create_customers": True,
        }
        return {
            "accounts": accounts,
            "assumptions": {**scaled, **self.assumptions},
            "default_profile": self.profile,
            "push_timeout_s": 2.0,
        }


def toml(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterable[str]:
    """A dict of tables as the lines of a TOML file; JSON's scalars are TOML too."""
    plain = {key: value for key, value in tree.items() if not isinstance(value, dict)}
    if path and plain:
        yield f"[{'.'.join(path)}]"
    yield from (f"{key} = {_inline(value)}" for key, value in plain.items())
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from toml(value, (*path, key))


def _inline(value: Any) -> str:
    """A value on one line, also a table within a list."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


def _keys(number: int, name: str) -> dict[str, str]:
    user_id = str(1_212_121_212_000 + number)
    return {
        "user_id": user_id,
        "screen_name": f"{name}care",
        "consumer_key": f"ck-{name}",
        "consumer_secret": f"cs-{name}",
        "token": f"{user_id}-t-{name}",
        "token_secret": f"ts-{name}",
    }


def _changed(tree: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return tree
