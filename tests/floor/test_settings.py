"""Settings: every mistake at once with what would be right; secret references; advice; no secret shown."""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clock import zone_names
from service.intake.definition.load import load_definitions
from service.results.page.branding import mistakes as mistakes_of_pictures
from service.settings import PLACEHOLDERS, X_TOKENS, Mistake, Settings, SettingsError, from_tree, load, reference
from service.settings.advice import warnings
from service.settings.asking import WAYS, Texts
from service.settings.declare import declared, section_of
from service.settings.secret_advice import secrets_of
from service.settings.sections import NAMED_SECTIONS, SECTIONS
from service.settings.sources import Api
from tests.processes.site import toml
from tests.support import SOURCE_KEY, settings_of, tree

TOP = Path(__file__).parents[2]
EXAMPLE = TOP / "service" / "settings" / "example.toml"

TEN_MISTAKES = """
[service]
secret_key_env = "NO_SUCH_VARIABLE"
time_zone = "Mars/Olympus"

[web]
workers = "four"
colour = "red"

[worker]
idle = "soon"

[accounts.acme]
user_id = "acme"
consumer_key = "ck"
consumer_secret = "cs"
token = "t"
token_secret_file = "/no/such/file"

[sources.crm]
preset = "standard"
account = "acne"
keys = ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]

[campaigns.care]
type = "csat"
privacy_url = "acme.example/privacy"
[campaigns.care.texts.en]
opening = "Hello."
card = "How did we do?"

[campaigns.later]
type = "csat"
privacy_url = "https://acme.example/privacy"
opening = false
[campaigns.later.texts.en]
card = "How did {agent_name} do?"
"""


def mistakes(environ: Mapping[str, str] | None = None, **changes: Any) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        from_tree(tree(**changes), environ or {})
    found = {problem.path: problem.sentence for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems), "a mistake is named once"
    return found


def advice(**changes: Any) -> dict[str, str]:
    return {warning.path: warning.sentence for warning in warnings(settings_of(**changes))}


def test_a_file_with_ten_mistakes_names_all_ten_at_once(tmp_path: Path) -> None:
    file = tmp_path / "dm-feedback.toml"
    file.write_text(TEN_MISTAKES, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file, {})
    assert {problem.path: problem.sentence for problem in caught.value.problems} == {
        "service.secret_key_env": "the environment has no variable 'NO_SUCH_VARIABLE'; set it before starting",
        "service.time_zone": "no such time zone; write an IANA name such as 'Europe/Berlin' or 'UTC'",
        "web.workers": "must be a whole number, without quotes",
        "web.colour": "no such setting; `dm-feedback config reference` lists them all",
        "worker.idle": "a span of time is a number and a unit, such as '90s', '5m', '24h' or '7d'",
        "accounts.acme.user_id": "an X user id is 1 to 19 digits without a leading zero, written as a string",
        "accounts.acme.token_secret_file": "the file '/no/such/file' cannot be read (No such file or directory); "
        "mount it, or correct the path",
        "sources.crm.account": "there is no account 'acne'; write one of 'acme'",
        "campaigns.care.privacy_url": "must be a full address such as 'https://feedback.example.com'",
        "campaigns.later.texts.en.card": "has the unknown placeholder {agent_name}; the known ones are 'display_name', "
        "'screen_name', 'handle', 'question', 'scale', 'page'",
    }
    assert len(caught.value.problems) == 10
    assert all(problem.path in str(caught.value) for problem in caught.value.problems)


# -- references


def test_a_secret_comes_from_the_environment() -> None:
    settings = from_tree(tree(service={"secret_key_env": "KEY"}), {"KEY": "k" * 40})
    assert settings.service.secret_key == "k" * 40


def test_a_secret_comes_from_a_file_without_its_last_line_break(tmp_path: Path) -> None:
    for content in ("k" * 40, "k" * 40 + "\n", "\ufeff" + "k" * 40 + "\r\n", "k" * 40 + "\n\n"):
        (tmp_path / "key").write_text(content, "utf-8", newline="")
        settings = from_tree(tree(service={"secret_key_file": str(tmp_path / "key")}), {})
        assert settings.service.secret_key == "k" * 40


def test_spaces_in_a_secrets_file_belong_to_the_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f" {'k' * 40} \n", "utf-8")
    assert from_tree(tree(service={"secret_key_file": str(tmp_path / "key")}), {}).service.secret_key == f" {'k' * 40} "


def test_a_line_break_at_the_end_of_a_variable_is_no_part_of_the_secret() -> None:
    settings = from_tree(tree(service={"secret_key_env": "KEY"}), {"KEY": "k" * 40 + "\r\n"})
    assert settings.service.secret_key == "k" * 40


def test_a_relative_secrets_file_lies_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40, "utf-8")
    settings = from_tree(tree(service={"secret_key_file": "key"}), {}, tmp_path)
    assert settings.service.secret_key == "k" * 40


def test_a_secret_comes_from_what_a_command_prints(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("k" * 40 + "\n", "utf-8")
    settings = from_tree(tree(service={"secret_key_command": ["cat", "vault"]}), {}, tmp_path)
    assert settings.service.secret_key == "k" * 40
    several = tree(sources__crm={"preset": "standard", "keys_command": [["printf", "%s", SOURCE_KEY], ["echo", "b"]]})
    assert from_tree(several, {}).sources["crm"].keys == (SOURCE_KEY, "b")


def test_a_command_is_not_given_what_is_piped_to_us() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as piped, os.fdopen(writing, "w") as pipe:
        pipe.write("501\n")
        pipe.flush()
        before = os.dup(0)
        os.dup2(piped.fileno(), 0)
        try:
            settings = from_tree(tree(service={"secret_key_command": ["sh", "-c", f"cat; printf {'k' * 40}"]}), {})
        finally:
            os.dup2(before, 0)
            os.close(before)
        assert settings.service.secret_key == "k" * 40
        assert piped.readline() == "501\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["false"], "the command 'false' ended with 1; it must print the secret and end with 0"),
        (["true"], "the command 'true' printed nothing; it must print the secret and end with 0"),
        (
            ["/no/such/vault", "hunter2"],
            "the command '/no/such/vault' cannot be run; correct its path or its permissions",
        ),
        (["a\0b"], "the command 'a\0b' cannot be run; correct its path or its permissions"),
        (["printf", r"\377"], "what the command 'printf' printed is not text in UTF-8"),
        ("vault read", 'must be a command and its words, such as ["vault", "read", "…"]'),
        ([], "must be a text in quotes"),
    ],
)
def test_a_command_that_gives_no_secret_is_named_without_its_words(words: Any, says: str) -> None:
    assert list(mistakes(service={"secret_key_command": words}).values()) == [says]


def test_every_text_may_be_a_reference() -> None:
    settings = from_tree(tree(database={"url_env": "URL"}), {"URL": "postgresql://u:p@h/n"})
    assert settings.database.url == "postgresql://u:p@h/n"


def test_a_list_is_referred_to_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(f"{SOURCE_KEY}\n", "utf-8")
    by_env = tree(sources__crm={"preset": "standard", "keys_env": ["NEW", "OLD"]})
    assert from_tree(by_env, {"NEW": "n" * 30, "OLD": SOURCE_KEY}).sources["crm"].keys == ("n" * 30, SOURCE_KEY)
    by_file = tree(sources__crm={"preset": "standard", "keys_file": [str(tmp_path / "old")]})
    assert from_tree(by_file, {}).sources["crm"].keys == (SOURCE_KEY,)


def test_a_missing_reference_in_a_list_is_named_by_its_index() -> None:
    crm = {"preset": "standard", "keys_env": ["NEW", "OLD"]}
    assert mistakes({"NEW": SOURCE_KEY}, sources__crm=crm) == {
        "sources.crm.keys_env[1]": "the environment has no variable 'OLD'; set it before starting"
    }


@pytest.mark.parametrize(
    "given",
    [
        {"secret_key": "k" * 40, "secret_key_env": "KEY"},
        {"secret_key": "k" * 40, "secret_key_file": "/no/such/file"},
        {"secret_key_env": "KEY", "secret_key_file": "/no/such/file"},
    ],
)
def test_what_is_given_twice_is_a_mistake(given: dict[str, str]) -> None:
    (path, sentence) = mistakes({"KEY": "k" * 40}, service=given).popitem()
    assert path in {"service.secret_key_env", "service.secret_key_file"}
    assert sentence == (
        "'secret_key' is given twice; write only one of 'secret_key', 'secret_key_env', 'secret_key_file' or "
        "'secret_key_command'"
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"secret_key_env": 5}, "must be the name of a variable, in quotes"),
        ({"secret_key_file": 5}, "must be the name of a file, in quotes"),
        ({"secret_key_env": "LATIN"}, "the variable 'LATIN' is not text in UTF-8"),
        ({"secret_key_file": "/proc/self/exe"}, "the file '/proc/self/exe' is not text in UTF-8"),
        ({"secret_key_file": "/"}, "the file '/' cannot be read (Is a directory); mount it, or correct the path"),
        ({"secret_key_file": "a\0b"}, "the file 'a\0b' is not text in UTF-8"),
    ],
)
def test_a_reference_that_cannot_be_followed_is_named_once(given: dict[str, Any], says: str) -> None:
    assert list(mistakes({"LATIN": "k\udce9" * 20}, service=given).values()) == [says]


@pytest.mark.parametrize(
    ("url", "read_url", "says"),
    [
        ("sqlite:///a.db", "postgresql://u:p@h/n", "SQLite has no replica"),
        ("postgresql://u:p@h/n", "sqlite:///a.db", "SQLite has no replica"),
        ("postgresql://u:p@h/n", "postgresql://u:p@h/n", "is the same as database.url"),
        ("postgresql://u:p@h/n", "mysql://u:p@h/n", "must be sqlite:/// and a file"),
    ],
)
def test_a_replica_is_another_postgresql(url: str, read_url: str, says: str) -> None:
    found = mistakes(database={"url": url, "read_url": read_url})
    assert says in found["database.read_url"]


# -- single values


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("90s", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("24 h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_a_span_is_a_number_and_a_unit(written: str, meant: timedelta) -> None:
    assert settings_of(campaigns__care__cooldown=written).campaigns[0].cooldown == meant


@pytest.mark.parametrize("written", ["", "7", "d", "-1d", "7 days", "1h30m", "1e3s", "7d\n", 7, 7.5, True, ["7d"]])
def test_an_invalid_span_is_a_mistake(written: Any) -> None:
    assert "such as '90s'" in mistakes(campaigns__care__cooldown=written)["campaigns.care.cooldown"]


@pytest.mark.parametrize("written", ["36501d", "9" * 400 + "d"])
def test_a_span_too_long_to_calculate_with_is_a_mistake(written: str) -> None:
    assert mistakes(privacy__keep_texts=written) == {"privacy.keep_texts": "a span of time is at most 36500d"}


@pytest.mark.parametrize(
    "path",
    [
        "worker__idle",
        "web__session_idle",
        "reports__answer_window",
        "accounts__acme__window",
        "accounts__acme__poll_every",
        "accounts__acme__poll_window",
    ],
)
def test_an_interval_cannot_be_zero(path: str) -> None:
    assert mistakes(**{path: "0s"}) == {path.replace("__", "."): "must be longer than 0"}


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.text(), max_size=3) | st.none())
def test_any_value_of_a_span_is_accepted_or_reported(written: Any) -> None:
    problems: list[Mistake] = []
    try:
        settings_of(worker__idle=written)
    except SettingsError as error:
        problems = error.problems
    assert {problem.path for problem in problems} <= {"worker.idle"}


@pytest.mark.parametrize("written", ["Berlin", "", "../etc/passwd", 5, ["UTC"], True])
def test_a_zone_is_an_iana_name(written: Any) -> None:
    assert "IANA name" in mistakes(accounts__acme__time_zone=written)["accounts.acme.time_zone"]
    assert settings_of(accounts__acme__time_zone="Asia/Kolkata").accounts["acme"].time_zone == ZoneInfo("Asia/Kolkata")


def test_the_files_of_time_zones_are_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []
    monkeypatch.setattr("service.clock.available_timezones", lambda: looks.append(None) or {"UTC", "Asia/Kolkata"})
    zone_names.cache_clear()
    try:
        settings_of(service__time_zone="Asia/Kolkata", accounts__acme__time_zone="Asia/Kolkata")
    finally:
        zone_names.cache_clear()
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["21:00", "08:00"], (time(21), time(8))),
        (["08:30:15", "12:00"], (time(8, 30, 15), time(12))),
        ([time(21), time(8)], (time(21), time(8))),
    ],
)
def test_quiet_hours_are_two_times_of_day(written: Any, meant: tuple[time, time]) -> None:
    assert settings_of(accounts__acme__quiet_hours=written).accounts["acme"].quiet_hours == meant


@pytest.mark.parametrize(
    "written",
    [
        [],
        ["21:00"],
        ["21:00", "22:00", "23:00"],
        ["9pm", "8am"],
        ["24:00", "08:00"],
        "21:00",
        21,
        ["21:00", 8],
        ["21:00+01:00", "08:00+01:00"],
        ["08:00", "08:00"],
        {"21:00": 1, "08:00": 1},
    ],
)
def test_invalid_quiet_hours_are_a_mistake(written: Any) -> None:
    assert "quiet hours" in mistakes(accounts__acme__quiet_hours=written)["accounts.acme.quiet_hours"]


@pytest.mark.parametrize(
    ("path", "written", "says"),
    [
        ("service__secret_key", "short", "at least 16 characters"),
        ("service__secret_key", 5, "a text in quotes"),
        ("service__log_format", "xml", "'json' or 'text'"),
        ("service__public_url", "feedback.example.com", "full address"),
        ("service__public_url", "http://[", "full address"),
        ("service__public_url", "https://host:port", "full address"),
        ("service__public_url", "https://a b", "full address"),
        ("service__public_url", "https://feedback.acme.example/?from=crm", "must end before any '?'"),
        ("service__public_url", "https://me:word@feedback.acme.example", "hold no user"),
        ("database__url", "mysql://localhost/x", "sqlite:///"),
        ("database__url", "sqlite://", "sqlite:///"),
        ("database__url", "sqlite:///:memory:", "sqlite:///"),
        ("database__url", "sqlite:///file:ledger.db?uri=true", "sqlite:///"),  # would follow the working directory
        ("web__bind", "8000", "host:port"),
        ("web__bind", "localhost:http", "host:port"),
        ("web__bind", "127.0.0.1:65536", "host:port"),
        ("web__workers", 0, "from 1 to 64"),
        ("web__security_contact", "me@example.com", "mailto:security@example.com"),
        ("web__workers", 1.5, "whole number"),
        ("web__workers", True, "whole number"),
        ("web__secure_cookies", "perhaps", "true or false"),
        ("worker__metrics_bind", "9100", "host:port"),
        ("worker__lease", "1s", "at least 2s, and should outlast a call"),
        ("reports__embargo", "tomorrow", "'none' or 'next_day'"),
        ("accounts__acme__user_id", 1212, "a text in quotes"),
        ("accounts__acme__user_id", "12\n", "1 to 19 digits"),
        ("accounts__acme__user_id", "٣", "1 to 19 digits"),
        ("accounts__acme__user_id", "1" * 20, "1 to 19 digits"),
        ("accounts__acme__token", "", "must not be empty"),
        ("accounts__acme__screen_name", 1212, "a text in quotes"),
        ("accounts__acme__expected_per_day", 0, "from 1 to 1000000"),
        ("accounts__acme__name", "other", "the name comes from the table"),
        ("campaigns__care__type", "stars", "'csat' or 'nps'"),
        ("campaigns__care__question_variant_id", 38, "from 0 to 37"),
        ("campaigns__care__display_name", "x" * 21, "1 to 20 characters"),
        ("campaigns__care__sample", 1.1, "from 0.0 to 1.0"),
        ("campaigns__care__sample", "half", "must be a number"),
        ("campaigns__care__texts", {}, "at least one language"),
        ("campaigns__care__teams", "red", 'must be a list, such as ["one", "two"]'),
        ("sources__crm__keys", SOURCE_KEY, "must be a list"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(path: str, written: Any, says: str) -> None:
    ((where, sentence),) = mistakes(**{path: written}).items()
    assert where == path.replace("__", ".")
    assert says in sentence


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"accounts__acme__webhook_networks": ["10.0.0.0/8", "300.1.1.1"]}, "accounts.acme.webhook_networks[1]", "199"),
        ({"web__proxy_networks": ["10.0.0.300"]}, "web.proxy_networks[0]", "is no network"),
        ({"web__origins": ["https://board.example/x"]}, "web.origins[0]", "without a path"),
        ({"service__outgoing_proxy": "http://proxy.example/pac.js"}, "service.outgoing_proxy", "a host and a port"),
        ({"service__outgoing_proxy": "proxy:3128"}, "service.outgoing_proxy", "a full address"),
        ({"service__trusted_ca": "/etc/ssl/ours.pem"}, "service.trusted_ca", "no certificates as PEM"),
        ({"web__origins": ["*"]}, "web.origins[0]", "without a path"),
        ({"web__origins": ["null"]}, "web.origins[0]", "without a path"),
        ({"campaigns__care__texts__en": {"opening": "Hi"}}, "campaigns.care.texts.en.card", "is missing"),
        ({"campaigns__care__texts__en": "Hi"}, "campaigns.care.texts.en", "must be a table"),
        ({"colours": {}}, "colours", "no such section; there are service, database,"),
        ({"worker": 3}, "worker", "must be a table: [worker]"),
        ({"accounts": {}}, "accounts", "at least one table: [accounts.NAME]"),
        ({"campaigns": {"care": 3}}, "campaigns.care", "must be a table: [campaigns.care]"),
        ({"sources__Zendesk": {"preset": "token", "keys": ["x" * 30]}}, "sources.Zendesk.name", "lower-case letters"),
        ({"service": {}}, "service.secret_key", "is missing; write it, or refer to it"),
        ({"campaigns__care__privacy_url": None}, "campaigns.care.privacy_url", "is missing: your privacy policy"),
        ({"campaigns__care__key": 3}, "campaigns.care.key", "no such setting"),
        ({"campaigns__care__texts__en__value": "Hi"}, "campaigns.care.texts.en.value", "no such setting"),
    ],
)
def test_a_mistake_deep_down_is_named_by_its_path(changes: dict[str, Any], where: str, says: str) -> None:
    found = mistakes(**changes)
    assert list(found) == [where]
    assert says in found[where]


@pytest.mark.parametrize("written", ["acmecare", "@acmecare"])
def test_a_handle_is_taken_with_the_at_and_without(written: str) -> None:
    assert settings_of(accounts__acme__screen_name=written).accounts["acme"].screen_name == "acmecare"


@pytest.mark.parametrize("table", [*SECTIONS, "accounts__acme", "campaigns__care", "campaigns__care__texts__en"])
def test_a_misspelt_setting_is_never_silently_without_effect(table: str) -> None:
    path = f"{table}__valuex".replace("__", ".")
    assert mistakes(**{f"{table}__valuex": 1}) == {
        path: "no such setting; `dm-feedback config reference` lists them all"
    }


def test_a_misspelt_setting_is_told_which_one_may_be_meant() -> None:
    asked = {"web__worker": 2, "accounts__acme__userid": "1", "accounts__acme__nme": "Acme"}
    said = mistakes(**asked, campaigns__care__texts__en__opening_text="Hi.")
    assert {path: sentence.rpartition("; ")[2] for path, sentence in said.items()} == {
        "web.worker": "did you mean workers?",
        "accounts.acme.userid": "did you mean user_id?",
        "accounts.acme.nme": "`dm-feedback config reference` lists them all",  # `name` is that of the table
        "campaigns.care.texts.en.opening_text": "did you mean opening?",
    }


def test_a_misspelt_setting_of_a_source_is_found_by_its_definition() -> None:
    settings = settings_of(sources__crm__valuex=1)
    with pytest.raises(SettingsError) as caught:
        load_definitions(settings.sources)
    assert caught.value.problems[0].path == "sources.crm.valuex"


# -- sections held against each other

SECOND = {**tree()["accounts"]["acme"], "user_id": "3434", "screen_name": "other"}


def test_the_only_account_is_implied() -> None:
    assert settings_of().sources["crm"].account == "acme"


def test_with_two_accounts_a_source_must_say_which() -> None:
    assert mistakes(accounts__other=SECOND) == {"sources.crm.account": "is missing; write one of 'acme', 'other'"}
    assert settings_of(accounts__other=SECOND, sources__crm__account="other").sources["crm"].account == "other"


def test_the_first_language_is_the_one_to_fall_back_to() -> None:
    assert (
        settings_of(campaigns__care__texts__de={"opening": "Hallo", "card": "Na?"}).campaigns[0].default_language
        == "en"
    )


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"sources__crm__account": "acne"}, "sources.crm.account", "there is no account 'acne'; write one of 'acme'"),
        (
            {"sources__crm__api": {"base_url": "https://crm.acme.example", "password": "p"}},
            "sources.crm.api.user",
            "is missing; password is used with it only",
        ),
        (
            {"sources__crm__api": {"base_url": "https://crm.acme.example", "scope": "read"}},
            "sources.crm.api.token_url",
            "is missing; scope is used with it only",
        ),
        ({"campaigns__care__sources": ["crm", "cmr"]}, "campaigns.care.sources", "no 'cmr' in [sources]"),
        ({"campaigns__care__accounts": ["acne"]}, "campaigns.care.accounts", "no 'acne' in [accounts]"),
        ({"campaigns__care__default_language": "fr"}, "campaigns.care.default_language", "is 'fr', which has no texts"),
        (
            {"campaigns__care__texts": {"en": {"card": "Hi"}}},
            "campaigns.care.texts.en.opening",
            "or set opening = false",
        ),
        (
            {"campaigns__care__type": "nps", "campaigns__care__question_variant_id": 10},
            "campaigns.care.question_variant_id",
            "0 to 9",
        ),
        ({"accounts__acme__webhook_password": None}, "accounts.acme.webhook_password", "webhook_user does nothing"),
        ({"accounts__acme__webhook_user": None}, "accounts.acme.webhook_user", "webhook_password does nothing"),
        (
            {"accounts__other": {**SECOND, "user_id": "1212121212121"}, "sources__crm__account": "acme"},
            "accounts.other.user_id",
            "is also the one of 'acme'",
        ),
    ],
)
def test_sections_are_checked_against_each_other(changes: dict[str, Any], where: str, says: str) -> None:
    ((path, sentence),) = mistakes(**changes).items()
    assert path == where
    assert says in sentence


@pytest.mark.parametrize(
    "text",
    ["Thanks :-}", "Hi {handle", "{", "{handle}}", "{handle[0}", "{handle!}", "{handle!rr}", "{{handle}", "{a{b}}"],
)
@pytest.mark.parametrize("key", ["opening", "card"])
def test_a_brace_without_its_partner_is_a_mistake_in_the_text(text: str, key: str) -> None:
    ((path, sentence),) = mistakes(**{f"campaigns__care__texts__en__{key}": text}).items()
    assert path == f"campaigns.care.texts.en.{key}"
    assert sentence.startswith("has an unmatched brace;")


@pytest.mark.parametrize(
    "inside", ["", "0", "handle.x", "handle[0]", "handle!r", "handle:>10", "handle:{scale}", " handle", "agent_name"]
)
def test_only_the_plain_placeholders_are_placeholders(inside: str) -> None:
    ((path, sentence),) = mistakes(campaigns__care__texts__en__card=f"Hi {{{inside}}}!").items()
    assert path == "campaigns.care.texts.en.card"
    assert sentence.startswith(f"has the unknown placeholder {{{inside}}}; the known ones are 'display_name', ")


VALUES = dict.fromkeys(PLACEHOLDERS, "x")


@given(st.text("{}:!.[]0 handle", max_size=20) | st.sampled_from(["{{:-}}", "{handle} {scale}", "{{{handle}}}"]))
def test_a_text_that_passes_can_be_written(text: str) -> None:
    card = f"Hi {text}"
    with suppress(SettingsError):
        settings_of(campaigns__care__texts__en__card=card)
        assert card.format_map(VALUES).startswith("Hi ")


@pytest.mark.parametrize("setting", ["consumer_key", "consumer_secret", "token", "token_secret", "client_secret"])
@pytest.mark.parametrize("wrong", ["\u2026", "\u201cabc\u201d", "ab\ncd", "ab\u200bcd", "\u0430bc", "a\tb"], ids=ascii)
def test_what_no_key_of_xs_can_be_is_refused(setting: str, wrong: str) -> None:
    ((path, sentence),) = mistakes(**{f"accounts__acme__{setting}": wrong}).items()
    assert path == f"accounts.acme.{setting}"
    assert sentence.startswith("holds what no key of X's does")
    assert wrong == "\u2026" or wrong not in sentence


def test_a_user_of_basic_auth_with_a_colon_is_refused() -> None:
    ((path, sentence),) = mistakes(accounts__acme__webhook_user="x:y").items()
    assert path == "accounts.acme.webhook_user"
    assert "Basic auth ends the user there" in sentence


def test_a_key_over_many_lines_is_usual_for_a_pem() -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----"
    assert advice(sources__crm__keys=[pem, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef=="]) == {}


def test_an_account_with_a_mistake_of_its_own_is_no_missing_account() -> None:
    assert list(mistakes(accounts__acme__token="")) == ["accounts.acme.token"]


@pytest.mark.parametrize("way", WAYS)
def test_a_way_of_asking_needs_its_text(way: str) -> None:
    texts = {"opening": "Thanks.", "card": "How did we do?", "page": "Here: {page}", "quick_reply": "Tap."}
    lacking = {"en": {name: text for name, text in texts.items() if name != way}}
    assert (
        "is missing"
        in mistakes(campaigns__care__ways=[way], campaigns__care__texts=lacking)[f"campaigns.care.texts.en.{way}"]
    )


def test_the_text_of_the_page_has_room_for_its_link() -> None:
    changes = {"campaigns__care__ways": ["page"], "campaigns__care__texts__en__page": "How was it?"}
    assert mistakes(**changes) == {
        "campaigns.care.texts.en.page": "does not contain {page}, the placeholder for the link"
    }


# -- advice


def test_the_usual_settings_need_no_advice() -> None:
    assert advice() == {}
    own = {"service__public_url": "http://[::1]:8000", "web__secure_cookies": False, "web__bind": "[::1]:8000"}
    assert advice(**own, accounts__acme__base_url="http://127.0.0.2:9999") == {}
    behind = {"web__trusted_proxies": 1, "web__proxy_networks": ["10.0.0.0/8"]}
    assert advice(web__bind="0.0.0.0:8000", **behind) == {}


def test_an_account_without_cards_needs_no_card_webhook() -> None:
    none = {"accounts__acme__webhook_user": None, "accounts__acme__webhook_password": None}
    by_page = {"campaigns__care__ways": ["page"], "campaigns__care__texts__en__page": "How was it? {page}"}
    assert "accounts.acme.webhook_user" in advice(**none)
    assert advice(**none, **by_page, campaigns__care__type="nps", service__public_url="https://f.acme.example") == {}


def test_texts_that_name_an_account_without_a_handle_are_pointed_out() -> None:
    """They would be sent with nothing where the name belongs. A campaign's own name stands for both others."""
    texts = {"en": {"opening": "Thanks for writing to {display_name}.", "card": "{question}", "page": "{page}"}}
    nameless = {"accounts__acme__screen_name": "", "campaigns__care__texts": texts}
    said = advice(**nameless, campaigns__care__display_name=None)["accounts.acme.screen_name"]
    assert "{display_name} in care, {question} in care;" in said
    for named in ({"accounts__acme__screen_name": "acme"}, {"campaigns__care__display_name": "Acme"}):
        assert "accounts.acme.screen_name" not in advice(**{**nameless, "campaigns__care__display_name": None, **named})


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"service__secret_key": "0123456789abcdef"}, "service.secret_key", "is weak"),
        ({"service__secret_key": "ab" * 32}, "service.secret_key", "is weak"),
        ({"sources__crm__keys": [SOURCE_KEY, "shortkey"]}, "sources.crm.keys[1]", "is short"),
        ({"accounts__acme__webhook_password": "hunter2"}, "accounts.acme.webhook_password", "at least 20"),
        (
            {"accounts__acme__webhook_user": None, "accounts__acme__webhook_password": None},
            "accounts.acme.webhook_user",
            "by polling only",
        ),
        ({"campaigns__care__test": True}, "campaigns.care.test", "count neither at X nor here"),
        ({"campaigns__care__type": "nps"}, "campaigns.care.type", "raw id"),
        (
            {
                "campaigns__care__ways": ["card", "quick_reply"],
                "campaigns__care__texts__en__quick_reply": "How was it?",
            },
            "campaigns.care.ways",
            "sees who gave which score",
        ),
        (
            {"campaigns__care__texts__german": {"opening": "x", "card": "y"}},
            "campaigns.care.texts.german",
            "is not a language code",
        ),
        ({"campaigns__care__languages": ["en", "Deutsch"]}, "campaigns.care.languages[1]", "is not a language code"),
        (
            {"campaigns__care__texts__en__card": "Please tap a number."},
            "campaigns.care.texts.en.card",
            "only with the card",
        ),
        (
            {"campaigns__care__texts__de": {"opening": "x", "card": "Hier:"}},
            "campaigns.care.texts.de.card",
            "only with the card",
        ),
        (
            {"campaigns__care__texts__en__opening": "Give us 5 stars!"},
            "campaigns.care.texts.en.opening",
            "asks for a particular score",
        ),
        (
            {"service__public_url": "http://feedback.acme.example"},
            "service.public_url",
            "put TLS in front of dm-feedback",
        ),
        (
            {"service__public_url": "https://feedback.acme.example", "web__secure_cookies": False},
            "web.secure_cookies",
            "without TLS",
        ),
        ({"database__url": "postgresql://u:p@db.example/n?sslmode=prefer"}, "database.url", "sslmode=prefer"),
        (
            {
                "database__url": "postgresql://u:p@db.example/n?sslmode=verify-full",
                "database__read_url": "postgresql://u:p@two.example/n?sslmode=prefer",
            },
            "database.read_url",
            "sslmode=prefer",
        ),
        ({"database__url": "postgresql://u:p@db.example/n"}, "database.url", "sslmode=verify-full"),
        *(
            ({"database__url": f"postgresql://{each}&sslmode=disable"}, "database.url", "sslmode=disable")
            for each in (
                "u:p@/n?host=db.example",
                "u:p@/n?host=a.example:5432&host=b.example:5432",
                "u:p@/n?host=/run,b.example",
                "u:p@localhost,b.example:5432/n?target_session_attrs=any",
                "u:p@localhost/n?host=db.example",
            )
        ),
        ({"service__public_url": "https://acme.example/feedback/"}, "service.public_url", "a host of its own"),
        ({"web__bind": "0.0.0.0:8000"}, "web.trusted_proxies", "buffers requests"),
        ({"web__bind": "0.0.0.0:8000", "web__trusted_proxies": 1}, "web.proxy_networks", "claim any client address"),
        ({"accounts__acme__base_url": "http://x.example"}, "accounts.acme.base_url", "could be read on the network"),
        ({"sources__crm__keys": [f"{SOURCE_KEY} "]}, "sources.crm.keys[0]", "ends with a space"),
        ({"accounts__acme__token_secret": "\nts-acme"}, "accounts.acme.token_secret", "begins or ends"),
        ({"accounts__acme__token_secret": "ts-acme\u200b"}, "accounts.acme.token_secret", "begins or ends"),
        ({"accounts__acme__token_secret": "'ts-acme'"}, "accounts.acme.token_secret", "is in quotes"),
        ({"accounts__acme__webhook_user": "x\t"}, "accounts.acme.webhook_user", "begins or ends"),
        ({"accounts__acme__webhook_user": '"x"'}, "accounts.acme.webhook_user", "is in quotes"),
        (
            {
                "accounts__acme__client_id": "id\u200b",
                "accounts__acme__api": "v2",
                "campaigns__care__ways": ["page"],
                "campaigns__care__texts__en__page": "How was it? {page}",
            },
            "accounts.acme.client_id",
            "ends",
        ),
        ({"sources__crm__keys": [f"\u201c{SOURCE_KEY}\u201d"]}, "sources.crm.keys[0]", "is in quotes"),
        ({"sources__crm__keys": [f"{SOURCE_KEY}\nOTHER=1"]}, "sources.crm.keys[0]", "holds a line break"),
        ({"sources__crm__keys": [f"{SOURCE_KEY[:9]}\u200b{SOURCE_KEY[9:]}"]}, "sources.crm.keys[0]", "invisible"),
        ({"sources__crm__keys": [f"{SOURCE_KEY}\\n"]}, "sources.crm.keys[0]", "ends with a backslash and a letter"),
        ({"sources__crm__keys": [f"CRM_KEY={SOURCE_KEY}"]}, "sources.crm.keys[0]", "begins with a name and '='"),
        ({"sources__crm__keys": [f"Bearer {SOURCE_KEY}"]}, "sources.crm.keys[0]", "begins with a word of the header's"),
        ({"sources__crm__keys": ["${KEY_OF_OUR_HELP_DESK}"]}, "sources.crm.keys[0]", "nothing was filled in"),
        ({"accounts__acme__webhook_password": "Change-me-before-use"}, "accounts.acme.webhook_password", "nothing was"),
        ({"accounts__acme__token": "<your token>"}, "accounts.acme.token", "nothing was filled in"),
        ({"accounts__acme__token": "${X_TOKEN}"}, "accounts.acme.token", "nothing was filled in"),
        (
            {"sources__crm__api": {"base_url": "https://crm.acme.example", "token": "Bearer abc"}},
            "sources.crm.api.token",
            "begins with a word of the header's",
        ),
        ({"privacy__encryption_key": f"{'k' * 40} "}, "privacy.encryption_key[0]", "begins or ends"),
        ({"campaigns__care__teams": [" "]}, "campaigns.care.teams[0]", "is empty"),
        ({"campaigns__care__without_tags": ["spam", "#"]}, "campaigns.care.without_tags[1]", "is empty"),
        (
            {"campaigns__care__tags": ["vip"], "campaigns__care__without_tags": ["spam", "#VIP"]},
            "campaigns.care.tags",
            "are also in without_tags",
        ),
        ({"campaigns__care__texts__en__card": "How\u200b did we do?"}, "campaigns.care.texts.en.card", "U+200B"),
        ({"accounts__acme__token": "99-t-acme"}, "accounts.acme.token", "belongs to X user 99"),
        (
            {"campaigns__care__delay": "5m", "campaigns__care__stale_after": "5m"},
            "campaigns.care.stale_after",
            "nobody would ever be asked",
        ),
        ({"service__public_url": "https://feedback.example.com"}, "service.public_url", "write your own"),
        ({"campaigns__care__privacy_url": "https://a.example.com/p"}, "campaigns.care.privacy_url", "write your own"),
        (
            {"sources__crm__conversation_url": "https://example.com/{conversation_id}"},
            "sources.crm.conversation_url",
            "write your own",
        ),
    ],
)
def test_questionable_settings_are_warned_about(changes: dict[str, Any], where: str, says: str) -> None:
    ((path, sentence),) = advice(**changes).items()
    assert path == where
    assert says in sentence


@pytest.mark.parametrize(
    ("above", "below", "reached"),
    [
        ({}, {}, False),
        ({}, {"teams": ["gold"]}, False),
        ({"teams": ["gold"]}, {}, True),
        ({"teams": ["gold"]}, {"teams": ["gold", "blue"]}, True),
        ({"teams": ["gold", "blue"]}, {"teams": ["gold"], "tags": ["vip"]}, False),
        ({"without_tags": ["spam"]}, {}, True),
        ({"without_tags": ["spam"]}, {"without_tags": ["abuse", "spam"]}, False),
        ({"without_tags": ["no_survey"]}, {"without_tags": ["No survey"]}, False),
        ({"tags": ["#VIP"], "teams": ["Gold"]}, {"tags": ["vip"], "teams": ["gold "]}, False),
        ({"languages": ["zh-Hant", "de"]}, {"languages": ["zh_TW", "de-AT"]}, False),
        ({"languages": ["de-AT"]}, {"languages": ["de"]}, True),
    ],
)
def test_a_campaign_below_one_that_takes_all_of_its_conversations_is_named(
    above: dict[str, Any], below: dict[str, Any], *, reached: bool
) -> None:
    care = tree()["campaigns"]["care"]
    found = advice(campaigns__care=care | above, campaigns__late=care | below)
    assert list(found) == ([] if reached else ["campaigns.late"])
    assert all("because 'care' above it matches them all" in each for each in found.values())


# -- no secret shown

SECRET = "hush-0123456789-abcdefgh-ijklmnop"


def secret_settings() -> Settings:
    keys = {name: f"{SECRET}-{name}" for name in ("consumer_key", "consumer_secret", "token", "token_secret")}
    return settings_of(
        service__secret_key=SECRET,
        database__url=f"postgresql://u:{SECRET}@h/n",
        accounts__acme={"user_id": "1", "webhook_user": "x", "webhook_password": SECRET, **keys},
        sources__crm={"preset": "token", "keys": [SECRET], "verify": [{"kind": "basic", "user": SECRET}]},
    )


def parts(thing: Any) -> Iterator[Any]:
    """The settings, every dataclass in them, and whatever holds one."""
    yield thing
    if is_dataclass(thing):
        for each in fields(thing):
            yield from parts(getattr(thing, each.name))
    elif isinstance(thing, Mapping | tuple):
        for each in thing.values() if isinstance(thing, Mapping) else thing:
            if not isinstance(each, str):
                yield from parts(each)


def test_no_secret_stands_in_any_repr() -> None:
    shown = [part for part in parts(secret_settings()) if is_dataclass(part)]
    assert {type(part).__name__ for part in shown} >= {
        "Settings",
        "Service",
        "Database",
        "Account",
        "Source",
        "Campaign",
    }
    for part in shown:
        assert SECRET not in repr(part)
        assert SECRET not in str(part)


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ({"user": "a-key-of-the-crm", "password": "X"}, ["a-key-of-the-crm"]),
        ({"user": "ana@acme.example", "password": "a-key-of-the-crm"}, ["a-key-of-the-crm"]),
        ({"user": "a-key-of-the-crm", "password": ""}, ["a-key-of-the-crm"]),
        ({"token": "a-key-of-the-crm"}, ["a-key-of-the-crm"]),
    ],
)
def test_a_word_that_a_crm_wants_beside_the_secret_is_none(said: dict[str, str], secret: list[str]) -> None:
    """`config check` looks for secrets in a file that everybody may read."""
    found = settings_of(sources__crm__api={"base_url": "https://crm.acme.example", **said}).sources["crm"]
    assert secrets_of(found) == [SOURCE_KEY, *secret]


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("sqlite:////srv/a:b@c/x.db", []),
        ("postgresql://db.acme.example/feedback", []),
        ("postgresql://feedback@db.acme.example:5432/feedback", []),
        ("postgresql+psycopg://feedback:a-long%40password@db.acme.example/feedback", ["a-long%40password"]),
    ],
)
def test_of_an_address_the_password_is_the_secret(address: str, secret: list[str]) -> None:
    assert secrets_of(settings_of(database__url=address).database) == secret
    assert secrets_of(settings_of(service__outgoing_proxy="http://proxy:3128").service) == secrets_of(
        settings_of().service
    )


def test_what_is_declared_a_secret_is_shown_in_no_repr() -> None:
    shapes = [*SECTIONS.values(), *NAMED_SECTIONS.values(), Texts]
    secret = {(shape, name) for shape in shapes for name, what in declared(shape).items() if what.secret}
    assert len(secret) == 13
    shown = {(shape, field.name) for shape in shapes for field in fields(shape) if field.repr}
    assert not shown & secret


def test_every_attribute_of_a_section_is_declared_once_and_nowhere_else() -> None:
    for shape in [*SECTIONS.values(), *NAMED_SECTIONS.values(), Texts]:
        assert list(declared(shape)) == [field.name for field in fields(shape)]
        assert list(section_of(shape)().fields) == list(declared(shape))


@pytest.mark.parametrize(
    "changes",
    [
        {"service__secret_key": "hunter2"},
        {"database__url": "mysql://u:hunter2@h/n"},
        {"sources__crm__keys": "hunter2"},
        {"accounts__acme__webhook_password": ["hunter2"]},
    ],
)
def test_a_mistake_does_not_repeat_the_secret(changes: dict[str, Any]) -> None:
    assert "hunter2" not in str(mistakes(**changes))


# -- what a process is not to hold


def test_web_never_reads_what_only_a_worker_needs_of_x() -> None:
    environ = {name: value for name, value in example_environment().items() if name not in X_NAMES}
    account = load(EXAMPLE, environ, withheld=X_TOKENS).accounts["acme"]
    assert {account.consumer_key, account.token, account.token_secret} == {"held by the worker alone"}
    assert account.consumer_secret == environ["X_CONSUMER_SECRET"]
    given = load(EXAMPLE, example_environment(), withheld=X_TOKENS)
    assert not set(given.accounts["acme"].__getstate__()) & {example_environment()[name] for name in X_NAMES}
    with pytest.raises(SettingsError):
        load(EXAMPLE, environ)


X_NAMES = {"X_CONSUMER_KEY", "X_TOKEN", "X_TOKEN_SECRET"}


# -- where the database lies


def written(folder: Path, url: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "dm-feedback.toml"
    text = EXAMPLE.read_text("utf-8").replace("sqlite:///.state/dm-feedback.db", url)
    assert url in text
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("sqlite:///a/x.db", "sqlite:///{folder}/a/x.db"),
        ("sqlite:///x.db?timeout=1", "sqlite:///{folder}/x.db?timeout=1"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        ("sqlite:///~/x.db", "sqlite:///~/x.db"),
        ("postgresql://h/n", "postgresql://h/n"),
    ],
)
def test_a_relative_database_lies_beside_the_settings_wherever_one_stands(
    url: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "etc", url)
    for place in (tmp_path, tmp_path / "etc"):
        monkeypatch.chdir(place)
        assert load(file, example_environment()).database.url == meant.format(folder=tmp_path / "etc")
    assert load(Path("dm-feedback.toml"), example_environment()).database.url == meant.format(folder=tmp_path / "etc")


def test_a_database_at_the_former_place_is_never_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "etc", "sqlite:///x.db")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.db").touch()
    with pytest.raises(SettingsError) as caught:
        load(file, example_environment())
    (problem,) = caught.value.problems
    assert problem.path == "database.url"
    assert f"there is a database at {tmp_path}/x.db" in problem.sentence
    (tmp_path / "etc" / "x.db").touch()
    assert load(file, example_environment()).database.url == f"sqlite:///{tmp_path}/etc/x.db"


# -- the file itself


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _file: None, "there is no such file; `dm-feedback config example > dm-feedback.toml` writes one"),
        (lambda file: file.mkdir(), "cannot be read (Is a directory)"),
        (lambda file: file.write_text("[service", "utf-8"), "is not TOML"),
        (lambda file: file.write_bytes(b"[service]\nsecret_key = '\xff'"), "is not TOML"),
        (lambda file: file.write_text(f"a = {'[' * 5000}{']' * 5000}", "utf-8"), "brackets nested too deeply"),
        (lambda file: file.write_text(f"a = {'9' * 5000}", "utf-8"), "a number that is too long"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_mistake(
    make: Callable[[Path], Any], says: str, tmp_path: Path
) -> None:
    file = tmp_path / "dm-feedback.toml"
    make(file)
    with pytest.raises(SettingsError) as caught:
        load(file, {})
    (problem,) = caught.value.problems
    assert problem.path == str(file)
    assert says in problem.sentence


def example_environment() -> dict[str, str]:
    names = re.findall(r'^\w+_env = \[?"(\w+)"', EXAMPLE.read_text("utf-8"), re.MULTILINE)
    assert len(names) >= 7
    return {name: SOURCE_KEY if "WEBHOOK_KEY" in name else f"{name}-0123456789abcdefghij" for name in names}


def test_the_example_is_accepted_and_needs_only_its_secrets() -> None:
    settings = load(EXAMPLE, example_environment())
    assert {each.sentence for each in warnings(settings)} == {"is the example's address; write your own"}
    assert list(load_definitions(settings.sources, tuple(settings.accounts))) == ["crm"]
    with pytest.raises(SettingsError) as caught:
        load(EXAMPLE, {})
    assert {problem.path.rpartition("_")[2].rstrip("[0]") for problem in caught.value.problems} == {"env"}


def test_settings_are_built_once_and_cannot_be_changed() -> None:
    settings = settings_of()
    for part in parts(settings):
        if is_dataclass(part):
            with pytest.raises(AttributeError):
                part.__setattr__(fields(part)[0].name, None)


# -- the reference


def test_every_setting_is_read_by_somebody() -> None:
    """Else it would be accepted and without effect, as a misspelt one is not."""
    code = "\n".join(file.read_text("utf-8") for file in (TOP / "service").rglob("*.py"))
    kinds = (*SECTIONS.values(), *NAMED_SECTIONS.values(), Api)
    declared = {each.name for kind in kinds for each in fields(kind)}
    declared |= {each.name for each in fields(Texts)} - set(WAYS)  # a way reads the text of its name
    assert {name for name in declared if not re.search(rf"\.{name}\b", code)} == set()


def test_the_reference_knows_every_setting_once() -> None:
    paths = [doc.path for doc in reference()]
    assert len(paths) == len(set(paths)) > 80
    for doc in reference():
        assert doc.description
        assert doc.default


def test_a_default_in_the_reference_is_the_default() -> None:
    minimal = tree()
    for section in ("database", "web", "worker", "privacy", "reports"):
        minimal.pop(section)
    settings = from_tree(minimal, {})
    for doc in reference():
        section, _, name = doc.path.partition(".")
        if section in SECTIONS and doc.default not in {"required", "none"}:
            written = tomllib.loads(f"x = {_toml(doc.default)}")["x"]
            again = from_tree({**minimal, section: {**minimal.get(section, {}), name: written}}, {})
            assert again == settings, doc.path


def _toml(default: str) -> str:
    if ", " in default:
        return json.dumps(default.split(", "))
    return default if re.fullmatch(r"\d+|true|false", default) else f'"{default}"'


def test_a_problem_is_a_path_and_a_sentence() -> None:
    assert str(SettingsError([Mistake("a.b", "is wrong"), Mistake("c", "too")])) == "a.b is wrong; c too"


@pytest.mark.parametrize(
    ("ways", "texts", "warned"),
    [
        (["card", "page"], {"card": "How did we do?", "page": "Here: {page}"}, True),
        (["card"], {"card": "How did we do?", "page": "Here: {page}"}, True),
        (["card", "page"], {"card": "How did we do? {page}", "page": "Here: {page}"}, False),
        (["card"], {"opening": "Thanks. {page}", "card": "How did we do?", "page": "Here: {page}"}, False),
        (["page"], {"card": "How did we do?", "page": "Here: {page}"}, False),
        (["card"], {"card": "How did we do?"}, False),
    ],
)
def test_customers_without_cards_should_get_a_link(ways: list[str], texts: dict[str, str], warned: bool) -> None:
    written = {"en": {"opening": "Thanks.", **texts}}
    found = advice(campaigns__care__ways=ways, campaigns__care__texts=written)
    assert ("campaigns.care.texts.en.card" in found) == warned


@pytest.mark.parametrize("key", ["opening", "card", "quick_reply", "page"])
def test_a_text_that_begs_for_a_good_score_is_reported(key: str) -> None:
    texts = {"opening": "Thanks.", "card": "How did we do?", "page": "Here: {page}", "quick_reply": "Tap."}
    begging = {"en": {**texts, key: f"{texts[key]} Please give 5 stars."}}
    assert "asks for a particular score" in str(advice(campaigns__care__texts=begging))


# -- files of the settings


def kept(tmp_path: Path, text: str, **changes: Any) -> Path:
    (tmp_path / "dm-feedback.toml").write_text(text + "\n".join(toml(tree(**changes))), "utf-8")
    return tmp_path / "dm-feedback.toml"


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    assert load(kept(tmp_path, "\ufeff")).accounts["acme"].name == "acme"


def test_a_relative_picture_lies_beside_the_settings_from_wherever_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"a picture")
    settings = load(kept(tmp_path, "", accounts__acme__page_logo="logo.png"))
    assert mistakes_of_pictures(settings.accounts.values()) == []
    settings = load(kept(tmp_path, "", accounts__acme__page_logo=str(tmp_path / "logo.png")))
    assert mistakes_of_pictures(settings.accounts.values()) == []
    settings = load(kept(tmp_path, "", accounts__acme__page_logo="none.png"))
    [wrong] = mistakes_of_pictures(settings.accounts.values())
    assert wrong.path == "accounts.acme.page_logo"


def test_a_picture_where_the_process_was_started_is_found_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, settings = tmp_path / "started", tmp_path / "settings"
    for folder in (started, settings):
        folder.mkdir()
    (started / "logo.png").write_bytes(b"a picture")
    monkeypatch.chdir(started)
    read = load(kept(settings, "", accounts__acme__page_logo="logo.png"))
    assert mistakes_of_pictures(read.accounts.values()) == []
