"""Every secret is changed while deliveries come: none is lost, and the old secrets open nothing any more.

A sender repeats what was not answered, as CRMs do. Keys of sources overlap for a while; the service's own secret wraps
its data keys anew; the database gets a second login before the first goes; an account whose tokens X no longer accepts
is held until a person has written the new ones.
"""

import base64
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url

from service.db import open_engine, reading
from service.models import account_state, feedback_request
from tests.failover.__main__ import written_to_twice
from tests.postgresql import on_server
from tests.processes import deliveries
from tests.processes.children import Child, cli, run_cli, until
from tests.processes.deliveries import deliver
from tests.processes.ledger import conversations
from tests.processes.site import Site
from tests.processes.x import X
from tests.support import SOURCE_KEY

NEW_KEY = "whsec_" + base64.b64encode(b"another-key-of-the-source-000001").decode()
OLD_SECRET = "0123456789abcdef0123456789abcdef-chaos"
PAUSE_S = 0.01  # between deliveries: without it the changes wait for the processor
NEW_SECRET = "fedcba9876543210fedcba9876543210-chaos"


class Sender:
    """Delivers one conversation after the other, each until it is answered 200."""

    def __init__(self, site: Site) -> None:
        self._site, self._over = site, threading.Event()
        self.delivered: list[str] = []
        self._thread = threading.Thread(target=self._deliver)

    @contextmanager
    def at_work(self) -> Iterator["Sender"]:
        self._thread.start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """Deliver no more."""
        self._over.set()
        self._thread.join()

    def more(self, number: int) -> None:
        """Wait until so many more are delivered."""
        before = len(self.delivered)
        until(lambda: len(self.delivered) >= before + number, 240, "deliveries are taken")

    def _deliver(self) -> None:
        while not self._over.wait(PAUSE_S):
            name = f"r-{len(self.delivered)}"
            while deliver(self._site, name) != 200 and not self._over.wait(0.05):
                pass
            if not self._over.is_set():
                self.delivered.append(name)


def serving(site: Site, role: str) -> Child:
    return cli(role, site.directory, "--config", str(site.config), role)


def change(site: Site, old: str, new: str) -> None:
    text = site.config.read_text("utf-8")
    assert old in text
    site.config.write_text(text.replace(old, new), "utf-8")


def signed_with(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr(deliveries, "SECRET", base64.b64decode(key.removeprefix("whsec_")))


def refused(site: Site) -> bool:
    return deliveries.post(site, "r-refused").status_code == 401


def test_a_key_of_a_source_is_changed_without_losing_a_delivery(
    site: Site, engine_of: Callable[[Site], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(site, "web") as web, Sender(site).at_work() as sender:
        sender.more(5)
        change(site, f'"{SOURCE_KEY}"', f'"{SOURCE_KEY}", "{NEW_KEY}"')
        web.hang_up()
        sender.more(5)
        signed_with(monkeypatch, NEW_KEY)
        sender.more(5)
        change(site, f'"{SOURCE_KEY}", ', "")
        web.hang_up()
        sender.more(5)
        signed_with(monkeypatch, SOURCE_KEY)
        until(lambda: refused(site), 60, "the old key opens nothing")
        signed_with(monkeypatch, NEW_KEY)
        sender.more(1)
    assert conversations(engine_of(site)) >= set(sender.delivered)


def test_the_services_own_secret_is_changed_without_losing_a_delivery(
    site: Site, engine_of: Callable[[Site], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DM_FEEDBACK_OLD_SECRET_KEY", OLD_SECRET)
    with Sender(site).at_work() as sender:
        with serving(site, "web"):
            sender.more(5)
            change(site, OLD_SECRET, NEW_SECRET)
            done = run_cli("--config", str(site.config), "keys", "rotate-secret", "--old-secret", OLD_SECRET)
            assert done.returncode == 0, done.stderr
            sender.more(5)
        with serving(site, "web"):
            sender.more(5)
    assert conversations(engine_of(site)) >= set(sender.delivered)
    change(site, NEW_SECRET, OLD_SECRET)
    refusal = run_cli("--config", str(site.config), "web")
    assert refusal.returncode == 1
    assert "secret" in refusal.stderr


def test_the_login_of_the_database_is_changed_without_losing_a_delivery(
    site_of: Callable[..., Site], postgresql_url: str
) -> None:
    url, names = make_url(postgresql_url), [f"login_{os.getpid()}_{n}" for n in (1, 2)]
    for name in names:
        on_server(postgresql_url, f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD 'before'")
    first, second = (url.set(username=name, password="before").render_as_string(False) for name in names)
    site = site_of(first)
    try:
        with serving(site, "web") as web, Sender(site).at_work() as sender:
            sender.more(5)
            change(site, first, second)
            web.hang_up()
            sender.more(5)
            until(lambda: logged_in(postgresql_url, names[0]) == 0, 60, "nobody uses the first login any more")
            on_server(postgresql_url, f"ALTER ROLE {names[0]} NOLOGIN")
            sender.more(5)
        own = open_engine(postgresql_url)
        assert conversations(own) >= set(sender.delivered)
        own.dispose()
    finally:
        for name in names:
            on_server(postgresql_url, f"DROP OWNED BY {name}")
            on_server(postgresql_url, f"DROP ROLE {name}")


def logged_in(url: str, name: str) -> int:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        wanted = sa.text("SELECT count(*) FROM pg_stat_activity WHERE usename = :name")
        found = connection.execute(wanted, {"name": name}).scalar()
    engine.dispose()
    return int(found or 0)


def test_an_accounts_tokens_at_x_are_changed_without_losing_a_message(
    site: Site, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    account, engine = site.account(0, "acme"), engine_of(site)
    anew = {"token": f"{account['user_id']}-t-anew", "token_secret": "ts-anew"}
    was = {name: account[name] for name in anew}
    try:
        with serving(site, "web"), Sender(site).at_work() as sender:
            with serving(site, "worker"):
                sender.more(5)
                until(lambda: states(engine)["card_sent"] > 0, 60, "a card is sent")
                x.tell("/credentials", {"account": account["user_id"], **anew})
                until(lambda: held(engine) is not None, 60, "X refuses the token, and nothing more is tried")
                sender.more(5)
            for name, value in anew.items():
                change(site, f'"{was[name]}"', f'"{value}"')
            with serving(site, "worker"):
                released = run_cli("--config", str(site.config), "accounts", "release", "acme")
                assert released.returncode == 0, released.stderr
                sender.more(5)
                sender.stop()
                until(lambda: set(states(engine)) == {"card_sent"}, 120, "everybody was asked")
        assert conversations(engine) >= set(sender.delivered)
        assert written_to_twice(x.ask("/truth", requests=0, pushes=0)) == 0
    finally:
        x.tell("/credentials", {"account": account["user_id"], **was})


def held(engine: Engine) -> str | None:
    with reading(engine) as connection:
        return connection.scalar(sa.select(account_state.c.hold_reason))


def states(engine: Engine) -> Counter[str]:
    with reading(engine) as connection:
        return Counter(connection.scalars(sa.select(feedback_request.c.state)))
