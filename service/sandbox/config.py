"""What a sandbox starts with: the business accounts, the switches, the speed of its clock, the seed of its dice.

From keyword arguments or a JSON file. The demo account's secrets are published here on purpose; they open nothing but a
sandbox.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from service.sandbox.assumptions import Assumptions


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessAccount:
    """A business account on the sandbox's X, and where its feedback webhooks go."""

    name: str
    user_id: str
    screen_name: str
    consumer_key: str
    consumer_secret: str
    token: str
    token_secret: str
    webhook_url: str | None = None
    webhook_user: str | None = None
    webhook_password: str | None = None
    activity_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


def signing_with(accounts: Iterable[BusinessAccount], which: BusinessAccount, **given: str) -> list[BusinessAccount]:
    """Return the accounts as one of them gets other credentials; a key of its app holds for all who share the app."""
    of_app = {name: value for name, value in given.items() if name.startswith("consumer")}

    def changed(each: BusinessAccount) -> BusinessAccount:
        if each == which:
            return replace(each, **given)
        return replace(each, **of_app) if each.consumer_key == which.consumer_key else each

    return [changed(each) for each in accounts]


def demo_account() -> BusinessAccount:
    """The account of `dm-feedback sandbox` without a configuration."""
    return BusinessAccount(
        name="Sandbox Coffee",
        user_id="1212121212121",
        screen_name="sandboxcoffee",
        consumer_key="sandbox-consumer-key",
        consumer_secret="sandbox-consumer-secret",  # noqa: S106 - opens nothing but a sandbox
        token="1212121212121-sandbox-token",  # noqa: S106 - the same
        token_secret="sandbox-token-secret",  # noqa: S106 - the same
    )


#: How the demo's customers behave: most answer, some write, some dismiss, some stay silent.
DEMO_PROFILE: dict[str, Any] = {
    "can_dm": True,
    "script_any_of": [
        [{"after_s": 20, "score": "random"}],
        [{"after_s": 15, "score": "random"}, {"after_s": 40, "text": "Quick and friendly, thank you."}],
        [{"after_s": 30, "score": "random", "text": "It took two attempts, but it works now."}],
        [{"after_s": 10, "dismiss": True}],
        [],
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Everything a sandbox needs to start. `start_at_s` None means the wall clock's now; `speed` 0 a standing clock."""

    accounts: tuple[BusinessAccount, ...] = field(default_factory=lambda: (demo_account(),))
    assumptions: Assumptions = field(default_factory=Assumptions)
    speed: float = 1.0
    start_at_s: float | None = None
    seed: int = 1
    default_profile: Mapping[str, Any] = field(default_factory=dict)
    push_workers: int = 4
    push_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.accounts:
            raise ValueError("A sandbox needs at least one account.")
        for name in ("user_id", "screen_name", "token"):
            if len({getattr(account, name) for account in self.accounts}) != len(self.accounts):
                raise ValueError(f"Two accounts of the sandbox have the same {name}.")
        if not 0 <= self.speed < math.inf or self.push_workers < 1:
            raise ValueError("speed must be a number that is not negative and push_workers must be at least 1.")

    @classmethod
    def demo(cls) -> "SandboxConfig":
        """One account, and every numeric user id is a customer who may answer."""
        return cls(assumptions=Assumptions(auto_create_customers=True), default_profile=DEMO_PROFILE)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "SandboxConfig":
        """A configuration from JSON: every key optional, unknown keys refused with ValueError."""
        values = dict(_known(cls, raw))
        values["assumptions"] = Assumptions().merged(values.get("assumptions", {}))
        try:
            if "accounts" in values:
                values["accounts"] = tuple(
                    BusinessAccount(**_known(BusinessAccount, one)) for one in values["accounts"]
                )
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"The sandbox configuration does not fit: {error}.") from error

    @classmethod
    def from_file(cls, path: Path) -> "SandboxConfig":
        """The same from a JSON file."""
        return cls.from_dict(json.loads(path.read_text("utf-8")))


def _known(cls: Any, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = set(raw) - {item.name for item in fields(cls)}
    if unknown:
        raise ValueError(f"The sandbox configuration has unknown keys: {', '.join(sorted(unknown))}.")
    return raw
