"""config and db: every mistake says what would be right; the state of a database."""

import re
import socket
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy.engine import Engine

from service import migrations
from service.customers.hash_key import open_key
from service.db import open_engine, reading, writing
from service.metrics import otel
from service.requests import restored, seals
from service.settings import reference
from tests.cli.installation import Cli
from tests.processes.site import free_port
from tests.support import SOURCE_KEY, settings_of, tree

# -- config check


def test_correct_settings_are_reported_correct(cli: Cli) -> None:
    said = cli.says("config", "check")
    assert said == "dm-feedback.toml is right: 1 account, 1 source, 1 campaign, 0 warnings.\n"


def test_advice_is_shown_and_is_no_mistake(cli: Cli) -> None:
    cli.write(campaigns__care__test=True, campaigns__care__type="nps")
    lines = cli.says("config", "check").splitlines()
    assert lines[0].startswith("campaigns.care.test is true, so its answers count neither at X nor here")
    assert lines[1].startswith("campaigns.care.type is nps, but some X clients")
    assert lines[-1].endswith("2 warnings.")


def test_a_database_file_readable_by_others_is_reported(cli: Cli) -> None:
    file = cli.directory / "open.db"
    file.touch(0o644)
    cli.write(database__url=f"sqlite:///{file}")
    said = cli.says("config", "check").splitlines()
    assert said[0] == f"database.url others on this machine may read it; run `chmod 600 {file}`"
    assert said[1].endswith("1 warning.")
    file.chmod(0o600)
    assert cli.says("config", "check").endswith("0 warnings.\n")


def test_a_settings_file_with_secrets_readable_by_others_is_reported(cli: Cli) -> None:
    cli.config.chmod(0o644)
    said = cli.says("config", "check").splitlines()
    assert said[0] == (
        "dm-feedback.toml holds secrets, and others on this machine may read it; run `chmod 600 dm-feedback.toml`"
    )
    assert said[1].endswith("1 warning.")


def test_weak_or_altered_keys_of_a_source_are_reported(cli: Cli) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    pem = weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    token = {"kind": "static", "query": "token"}
    cli.write(
        sources__chat={"preset": "freshchat", "keys": [pem]},
        sources__help={"preset": "token", "keys": ["a+long-token-of-thirty-letters"], "verify": token},
    )
    said = cli.says("config", "check")
    assert "sources.chat.keys holds an RSA key of 1024 bits; ask the sender for one of at least 2048" in said
    assert "sources.help.keys 'token' stands in the address: there write + as %2B" in said
    assert "a+long" not in said


def test_every_mistake_is_in_one_table_and_the_exit_code_is_78(cli: Cli) -> None:
    cli.write(web__colour="red", worker__idle="soon", sources__crm__account="acne")
    done = cli("config", "check", code=78)
    assert done.stdout == ""
    assert "dm-feedback.toml: 3 to correct" in done.stderr
    for words in (
        "web.colour",
        "no such setting; `dm-feedback config reference` lists them all",
        "worker.idle",
        "a span of time is a number and a unit, such as '90s', '5m', '24h' or '7d'",
        "sources.crm.account",
        "there is no account 'acne'; write one of 'acme'",
    ):
        assert words in done.stderr


def test_mistakes_of_a_definition_are_named_together_with_those_of_the_file(cli: Cli) -> None:
    broken = {"preset": "token", "keys": ["a-long-token-of-thirty-letters"], "map": {"agent_id": "b..x"}}
    cli.write(sources__help=broken, web__workers=0)
    done = cli("config", "check", code=78)
    assert "2 to correct" in done.stderr
    assert "web.workers" in done.stderr
    assert "sources.help.map.agent_id" in done.stderr


def test_a_picture_that_is_not_there_is_a_mistake(cli: Cli) -> None:
    cli.write(accounts__acme__page_logo="none.png")
    done = cli("config", "check", code=78)
    assert "accounts.acme.page_logo" in done.stderr
    assert "accounts.acme.page_logo" in cli("serve", code=78).stderr


def test_a_definition_alone_can_be_the_mistake(cli: Cli) -> None:
    cli.write(sources__help={"preset": "zendesc", "keys": ["a-long-token-of-thirty-letters"]})
    done = cli("config", "check", code=78)
    assert "sources.help.preset" in done.stderr
    assert "there is no preset 'zendesc'; there are" in done.stderr


def test_brackets_in_a_mistake_are_shown_as_they_are(cli: Cli) -> None:
    cli.config.write_text("worker = 3\n[campaigns]\n", "utf-8")
    done = cli("config", "check", code=78)
    assert "must be a table: [worker]" in done.stderr
    assert "needs at least one table: [campaigns.NAME]" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("config", "check"),
        ("db", "status"),
        ("keys", "list"),
        ("serve",),
        ("web",),
        ("worker",),
        ("requests", "list"),
        ("prune",),
    ],
    ids=" ".join,
)
def test_without_a_settings_file_every_command_says_how_to_make_one(cli: Cli, arguments: tuple[str, ...]) -> None:
    cli.config.unlink()
    done = cli(*arguments, code=78)
    assert "there is no such file" in done.stderr
    assert "`dm-feedback config example > dm-feedback.toml`" in done.stderr


def test_after_a_restore_a_new_order_of_changes_begins(cli: Cli) -> None:
    with reading(cli.engine) as connection:
        before = seals.epoch(connection)
    said = cli.says("db", "restored", "--yes")
    with reading(cli.engine) as connection:
        after = seals.epoch(connection)
    assert before != after
    assert "410, changes_begin_anew" in said
    (((action, detail)),) = cli.audit()
    assert (action, detail["epoch"]) == ("db.restored", after)
    assert "0 requests are open: each is looked up at X before anything is sent." in said
    assert "repeat erasures and opt-outs" in said
    assert "Analysts and feeds get no new figures for answers from before now" in said
    with reading(cli.engine) as connection:
        (found,) = restored.restores(connection)
    assert detail["known_until"] == found.known_until.isoformat()


def test_without_confirmation_no_new_order_begins(cli: Cli) -> None:
    with reading(cli.engine) as connection:
        before = seals.epoch(connection)
    assert "will read everything again" in cli("db", "restored", code=1, input="n\n").output
    with reading(cli.engine) as connection:
        assert seals.epoch(connection) == before


# -- config reference, config example


def test_the_reference_lists_every_setting_with_its_default(cli: Cli) -> None:
    said = cli.says("config", "reference")
    for doc in reference():
        first = re.escape(doc.default.split(", ")[0])
        assert re.search(rf"^ *{re.escape(doc.path)} +{first}", said, re.MULTILINE), doc.path


def test_the_example_can_be_used_at_once(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    text = cli.says("config", "example")
    assert tomllib.loads(text)["campaigns"]["care"]["type"] == "csat"
    cli.config.write_text(text, "utf-8")
    for name in re.findall(r'^\w+_env = \[?"(\w+)"', text, re.MULTILINE):
        assert name in cli("config", "check", code=78).stderr
        monkeypatch.setenv(name, SOURCE_KEY if "WEBHOOK_KEY" in name else f"{name}-0123456789abcdefghij")
    *warnings, last = cli.says("config", "check").splitlines()
    assert last.endswith("3 warnings.")
    assert all(each.endswith("is the example's address; write your own") for each in warnings)


# -- db


@pytest.fixture
def empty(tmp_path: Path) -> Cli:
    return Cli(tmp_path, open_engine(f"sqlite:///{tmp_path}/empty.db"))


def test_an_empty_database_is_upgraded_once_and_safely_again(empty: Cli) -> None:
    assert empty.refuses("db", "status")[1] == "no_database"
    assert empty.says("db", "upgrade") == f"The schema went from nothing to {migrations.head()}.\n"
    assert empty.says("db", "upgrade") == f"The schema is at {migrations.head()}.\n"
    assert empty.says("db", "status") == f"database {migrations.head()}, code {migrations.head()}\n"


@pytest.mark.parametrize(
    "arguments", [("keys", "list"), ("requests", "list"), ("worker",), ("web",), ("opt-out", "count")], ids=" ".join
)
def test_commands_refuse_an_empty_database_and_say_how_to_go_on(empty: Cli, arguments: tuple[str, ...]) -> None:
    sentence, code = empty.refuses(*arguments)
    assert code == "no_database"
    assert sentence.startswith(f"There is no file {empty.directory}/empty.db: correct database.url")
    assert "run `dm-feedback db upgrade`" in sentence
    assert not (empty.directory / "empty.db").exists(), "a mistyped address is no ledger"
    (empty.directory / "empty.db").touch()
    sentence, code = empty.refuses(*arguments)
    assert code == "schema_behind"
    assert "run `dm-feedback db upgrade`" in sentence


def test_what_prevents_a_start_is_no_warning(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    open_key(cli.engine, settings_of().service.secret_key)
    cli.write(service__secret_key="another-secret-of-32-characters!")
    assert "service.secret_key is not the one" in " ".join(cli("config", "check", code=78).stderr.split())
    cli.write(service__traces_to="http://127.0.0.1:4318")
    monkeypatch.setattr(otel, "is_installed", lambda: False)
    assert "service.traces_to" in cli("config", "check", code=78).stderr


def test_a_check_before_an_upgrade_reads_the_existing_schema(cli: Cli) -> None:
    open_key(cli.engine, settings_of().service.secret_key)
    with writing(cli.engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0040'")
    assert cli.says("config", "check").endswith("0 warnings.\n")
    assert "db upgrade" in cli("config", "check", "--for", "web", code=78).stderr, "its reload would not be taken"
    cli.write(service__secret_key="another-secret-of-32-characters!")
    assert "service.secret_key is not the one" in " ".join(cli("config", "check", code=78).stderr.split())


def test_a_database_that_is_away_is_said_to_be_by_a_check(cli: Cli) -> None:
    cli.write(database__url="postgresql://nobody@127.0.0.1:1/nothing")
    said = cli.says("config", "check")
    assert "database.url does not listen at that address; its contents were not checked\n" in said


def test_a_check_for_a_process_says_what_would_keep_that_process_from_starting(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {name: each for name, each in tree()["accounts"]["acme"].items() if name != "token"}
    cli.write(accounts__acme={**account, "token_env": "X_TOKEN"})
    cli("config", "check", code=78)
    cli("config", "check", "--for", "worker", code=78)
    cli.says("config", "check", "--for", "web")
    monkeypatch.setenv("X_TOKEN", "1212121212121-t")
    cli.says("config", "check", "--for", "worker")
    cli.write(database__url="postgresql://nobody@127.0.0.1:1/nothing")
    assert cli.refuses("config", "check", "--for", "web")[1] == "database_away"
    cli.write(database__url=f"sqlite:///{cli.directory}/none.db")
    assert cli.refuses("config", "check", "--for", "serve")[1] == "no_database"


def test_a_database_of_another_user_is_refused_with_its_owner(cli: Cli) -> None:
    (cli.directory / "folder.db").mkdir()
    cli.write(database__url=f"sqlite:///{cli.directory}/folder.db")
    sentence, code = cli.refuses("keys", "list")
    assert code == "database_away"
    assert sentence.endswith("run this as the service's account.")


@pytest.mark.parametrize("command", ["serve", "web"])
def test_a_taken_address_is_one_sentence(cli: Cli, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cli.write(web__bind=f"127.0.0.1:{taken.getsockname()[1]}")
        sentence, code = cli.refuses(command)
    assert code == "address_taken"
    assert sentence.endswith("stop what uses it, or set web.bind to another port.")


def test_an_error_of_its_children_ends_serve(cli: Cli) -> None:
    cli.write(web__bind=f"127.0.0.1:{free_port()}")
    open_key(cli.engine, settings_of().service.secret_key)
    cli.write(web__bind=f"127.0.0.1:{free_port()}", service__secret_key="another-secret-of-32-characters!")
    for arguments in (("serve",), ("web",), ("worker",), ("keys", "list")):
        assert cli.refuses(*arguments)[0].startswith("service.secret_key is not the one")


def test_a_newer_database_is_left_alone(cli: Cli) -> None:
    cli.write(web__bind=f"127.0.0.1:{free_port()}")
    with writing(cli.engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("UPDATE schema_floor SET revision = '9998'")
    for arguments in (("db", "upgrade"), ("db", "status"), ("keys", "list"), ("serve",)):
        assert cli.refuses(*arguments)[1] == "schema_ahead"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://nobody:hunter2@127.0.0.1:1/nothing", "database_away"),
        ("postgresql://nobody:hunter2@host:port/nothing", "database_url"),
        ("sqlite:////proc/nowhere/x.db", "database_place"),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_sentence(cli: Cli, url: str, code: str) -> None:
    cli.write(database__url=url)
    for arguments in (("db", "upgrade"), ("keys", "list")):
        sentence, given = cli.refuses(*arguments)
        assert given == code
        assert "hunter2" not in sentence


def test_a_file_that_is_no_database_is_one_sentence(cli: Cli) -> None:
    (cli.directory / "not.db").write_text("once upon a time, " * 1000, "utf-8")
    cli.write(database__url=f"sqlite:///{cli.directory}/not.db")
    sentence, code = cli.refuses("keys", "list")
    assert sentence.startswith("The database cannot be used: file is not a database. Write the path of the right file")
    assert code == "database_away"


def test_the_revision_is_shown_of_both_kinds_of_database(engine: Engine, tmp_path: Path) -> None:
    assert Cli(tmp_path, engine).says("db", "status").startswith(f"database {migrations.head()}")
