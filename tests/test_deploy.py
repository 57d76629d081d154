"""Each file in deploy/ is read by its own tool as far as possible; a missing tool is named."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service import __version__
from service.db import open_engine, reading, writing
from service.settings import load
from tests.processes.children import until

TOP = Path(__file__).parents[1]
DEPLOY = TOP / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
OVERLAYS = ("postgresql", "sqlite")
EXPOSED_LESS_THAN = 2.5
NOBODY = 65534


def tool(name: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} comes with {package}")


def said(*words: str | Path, **more: Any) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@tool("systemd-analyze", "systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_units_and_their_exposure(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text("utf-8")
    assert "ExecStart=/opt/dm-feedback/bin/dm-feedback " in text
    here = tmp_path / unit.name.replace("@", "@1")
    here.write_text(text.replace("/opt/dm-feedback/bin/dm-feedback", sys.executable), "utf-8")
    assert said("systemd-analyze", "verify", here).strip() == ""
    exposure = re.search(r"level for .*: ([0-9.]+)", said("systemd-analyze", "security", "--offline=true", here))
    assert exposure is not None
    assert float(exposure[1]) < EXPOSED_LESS_THAN


def test_a_reload_is_told_to_have_failed_where_the_process_would_not_take_the_settings() -> None:
    for unit in UNITS:
        does = dict(re.findall(r"^Exec(Start|Reload)=(.*)$", unit.read_text("utf-8"), re.MULTILINE))
        process = does["Start"].removeprefix("/opt/dm-feedback/bin/dm-feedback ")
        first = f"ExecReload=/opt/dm-feedback/bin/dm-feedback config check --for {process}\n"
        assert f"{first}ExecReload={does['Reload']}\n" in unit.read_text("utf-8")
        assert does["Reload"] == "/bin/kill -HUP $MAINPID"


def test_a_stop_is_waited_for_longer_than_calls_in_flight_take() -> None:
    within = load_example().worker.shutdown_within.total_seconds()
    for unit in UNITS:
        waits = re.search(r"^TimeoutStopSec=(\d+)$", unit.read_text("utf-8"), re.MULTILINE)
        assert waits is not None
        assert int(waits[1]) > within + 5
    for each in pods():
        assert each["terminationGracePeriodSeconds"] > within + 5 or "restartPolicy" in each


def test_a_worker_gets_what_web_has_and_then_its_own() -> None:
    """So what only a worker may hold is written once, and its login at the database is not web's."""
    unit = (DEPLOY / "systemd" / "dm-feedback-worker@.service").read_text("utf-8")
    assert re.findall("^EnvironmentFile=-/etc/dm-feedback/(.*)$", unit, re.MULTILINE) == ["web.env", "worker.env"]
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    assert compose["services"]["worker"]["env_file"] == [".env", "worker.env"]
    [pod] = [each["containers"][0] for each in pods() if each["containers"][0]["args"] == ["worker"]]
    assert [each["secretRef"]["name"] for each in pod["envFrom"]] == ["dm-feedback-web", "dm-feedback-worker"]


def load_example() -> Any:
    from tests.support import settings_of

    return settings_of()


def rendered(overlay: str) -> list[dict[str, Any]]:
    """What kustomize makes of an overlay; without kubectl, the files themselves."""
    if shutil.which("kubectl"):
        text = said("kubectl", "kustomize", DEPLOY / "kubernetes" / overlay)
        return [each for each in yaml.safe_load_all(text) if each]
    files = [*(DEPLOY / "kubernetes" / "base").glob("*.yaml"), *(DEPLOY / "kubernetes" / overlay).glob("*.yaml")]
    found = [each for file in files for each in yaml.safe_load_all(file.read_text("utf-8")) if each]
    return [each for each in found if each["kind"] != "Kustomization"]


def pods() -> Iterator[dict[str, Any]]:
    for overlay in OVERLAYS:
        for each in rendered(overlay):
            if "template" in each.get("spec", {}):
                yield {"terminationGracePeriodSeconds": 40, **each["spec"]["template"]["spec"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_keeps_to_restricted_pod_security(overlay: str) -> None:
    found = rendered(overlay)
    [namespace] = [each for each in found if each["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    seen = 0
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            seen += 1
    assert seen == 4


def test_a_pod_that_upgrades_its_file_has_an_hour_before_it_must_answer() -> None:
    """Killed in the middle it would begin anew, for ever."""
    [pod] = [each for each in pods() if each["containers"][0]["args"] == ["serve"]]
    probe = pod["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 3600


def test_no_secret_stands_in_a_manifest_and_web_gets_none_of_x() -> None:
    for overlay in OVERLAYS:
        assert not [each for each in rendered(overlay) if each["kind"] == "Secret"]
    [web] = [
        each for each in rendered("postgresql") if each["kind"] == "Deployment" and each["metadata"]["name"] == "web"
    ]
    [container] = web["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "dm-feedback-web"}}]


def test_nothing_may_be_reached_but_what_a_policy_names_and_one_pod_always_stays() -> None:
    found = rendered("postgresql")
    policies = [each for each in found if each["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in [each["spec"] for each in policies]
    kept = {each["metadata"]["name"]: each["spec"]["minAvailable"] for each in found if "Disruption" in each["kind"]}
    assert kept == {"web": 1, "worker": 1}


@tool("kubectl", "kubernetes-client")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_names_one_image_by_our_version_and_one_file_of_settings(overlay: str) -> None:
    found = rendered(overlay)
    images = {each["image"] for pod in pods() for each in pod["containers"]}
    assert images == {f"registry.example.com/dm-feedback:{__version__}"}
    [settings] = [each for each in found if each["kind"] == "ConfigMap"]
    named = {volume["configMap"]["name"] for pod in pods() for volume in pod["volumes"] if "configMap" in volume}
    assert settings["metadata"]["name"] in named


def test_the_settings_of_the_pods_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DM_FEEDBACK_SECRET_KEY", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/x.db")
    text = (DEPLOY / "kubernetes" / "base" / "dm-feedback.toml").read_text("utf-8")
    assert set(tomllib.loads(text)) == {"service", "database", "web"}
    from tests.support import tree

    example = tmp_path / "dm-feedback.toml"
    from tests.processes.site import toml

    rest = {name: table for name, table in tree().items() if name not in {"service", "database", "web"}}
    example.write_text(text + "\n" + "\n".join(toml(rest)), "utf-8")
    assert load(example).web.trusted_proxies == 1


@tool("caddy", "Debian's caddy")
def test_caddy_accepts_the_configuration(tmp_path: Path) -> None:
    text = (DEPLOY / "proxy" / "Caddyfile").read_text("utf-8").replace("/var/log/caddy", str(tmp_path))
    file = tmp_path / "Caddyfile"
    file.write_text(text, "utf-8")
    home = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    assert "Valid configuration" in said("caddy", "validate", "--config", file, "--adapter", "caddyfile", env=home)
    assert "buffer_requests" not in text, "Caddy knows no such word from 2.8 on, and 2.6.2 none of the newer ones"


def test_caddy_logs_nothing_that_is_a_key() -> None:
    """A source's token may stand in the query or in any header, and Caddy names both in errors as well."""
    general, _, site = (DEPLOY / "proxy" / "Caddyfile").read_text("utf-8").partition("feedback.example.com {")
    assert re.findall(r"^\tlog\b.*", site, re.MULTILINE) == ["\tlog"], "a log of its own would leave errors unfiltered"
    assert "max_size 1MiB" in site, "1MB is less than web.max_body_bytes"
    assert {"request>headers delete", "resp_headers delete"} <= {each.strip() for each in general.splitlines()}
    found = re.search(r'request>uri regexp "(.*)" "(.*)"', general)
    assert found is not None
    shown = {
        "/v1/feeds/0123456789ab/SECRET.csv?x=1": "/v1/feeds/0123456789ab/--",
        "/f/SECRET": "/f/-",
        "/v1/customers/7717": "/v1/customers/-",
        "/v1/opt-outs/7717": "/v1/opt-outs/-",
        "/v1/conversations/crm/5158/link": "/v1/conversations/crm/-/link",
        "/webhooks/crm/desk?token=SECRET": "/webhooks/crm/desk-",
        "/v1/results.csv": "/v1/results.csv",
    }
    assert {each: re.sub(found[1], found[2].replace("$1", r"\1"), each) for each in shown} == shown


@tool("sqlite3", "sqlite3")
def test_the_backup_both_readmes_name_is_whole_and_makes_nothing_of_a_mistyped_file(tmp_path: Path) -> None:
    texts = [file.read_text("utf-8") for file in (TOP / "README.md", DEPLOY / "README.md")]
    [command] = {each for text in texts for each in re.findall(r"`(\(umask 077; sqlite3 [^`]*)`", text)}
    live, copy, mistyped = (tmp_path / name for name in ("live.db", "copy.db", "life.db"))

    def saved(file: Path) -> bool:
        words = command.replace("FILE", str(file)).replace("COPY", str(copy))
        return subprocess.run(["bash", "-c", words], capture_output=True, check=False).returncode == 0

    assert not saved(mistyped)
    assert not mistyped.exists()
    assert not copy.exists()
    engine = open_engine(f"sqlite:///{live}")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t AS SELECT 1 AS x")
    with reading(engine):  # its log is not in the file yet
        assert saved(live)
    engine.dispose()
    assert copy.stat().st_mode & 0o077 == 0
    assert said("sqlite3", "-readonly", copy, "SELECT x FROM t") == "1\n"


def test_the_database_of_compose_is_there_only_when_it_can_be_reached() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    assert services["database"]["healthcheck"]["test"] == [
        "CMD-SHELL",
        "pg_isready -h 127.0.0.1 -U feedback -d feedback",
    ]
    assert services["upgrade"]["depends_on"] == {"database": {"condition": "service_healthy"}}


def test_after_a_reboot_all_of_compose_comes_back_and_no_log_fills_the_disk() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    assert all("max-size" in each["logging"]["options"] for each in services.values())
    del services["upgrade"]  # which ends by itself
    assert {each["restart"] for each in services.values()} == {"unless-stopped"}


def test_nothing_of_ours_holds_the_password_of_composes_superuser() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    del services["database"]
    assert {name: each["environment"]["POSTGRES_SUPERUSER_PASSWORD"] for name, each in services.items()} == {
        "upgrade": "", "web": "", "worker": "",
    }  # fmt: skip


INTERPRETER = """#!/usr/bin/env bash
# What deploy/environment asks of an interpreter, noted; the first environment that is made waits for a word.
here=%(here)s
echo "$*" >>"$here/asked"
case "$1 $2" in
  "-m venv")
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
    until [ -e "$here/go" ]; do sleep 0.05; done ;;
  "-m pip") ;;
  *) exec %(python)s "$@" ;;
esac
"""


def test_two_first_starts_create_one_environment(tmp_path: Path) -> None:
    """The README starts two commands at once."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(DEPLOY / "environment", tmp_path / "deploy")
    (tmp_path / "deploy" / "requirements.txt").write_text("nothing\n", "utf-8")
    python, asked = tmp_path / "python", tmp_path / "asked"
    python.write_text(INTERPRETER % {"here": tmp_path, "python": sys.executable}, "utf-8")
    python.chmod(0o755)
    begin = ["bash", "-c", f"set -euo pipefail; source {tmp_path}/deploy/environment; install requirements.txt"]
    environ = {**os.environ, "PYTHON": str(python)}

    def times(word: str) -> int:
        return sum(word in line for line in asked.read_text("utf-8").splitlines()) if asked.exists() else 0

    with subprocess.Popen(begin, env=environ, stdout=-1, stderr=-1) as first:
        until(lambda: times("-m venv") == 1, 120, "the first makes it")
        with subprocess.Popen(begin, env=environ, stdout=-1, stderr=-1) as second:
            until(lambda: times("flock") == 2 or times("-m pip install") == 1, 120, "the second has come to it")
            (tmp_path / "go").touch()
            assert (first.wait(120), second.wait(120)) == (0, 0)
    assert (times("-m venv"), times("-m pip install")) == (1, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_an_environment_that_is_somebody_elses_is_left_as_it_is() -> None:
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        (top / "deploy").mkdir()
        (top / ".venv" / "bin").mkdir(parents=True)
        (top / ".venv" / "bin" / "python").symlink_to("/root/nobody-else-reads-this")
        (top / "deploy" / "requirements.txt").touch()
        (top / "python").write_text("#!/bin/sh\nexit 0\n", "utf-8")  # new enough, and has all that is asked for
        shutil.copy(DEPLOY / "environment", top / "deploy")
        for each in (top, top / "python"):
            each.chmod(0o755)
        done = subprocess.run(
            ["bash", "-c", f"source {top}/deploy/environment; install requirements.txt"],
            user=NOBODY, env={"PATH": "/usr/bin:/bin", "PYTHON": str(top / "python")}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "or does not run for" in done.stderr
        assert (top / ".venv" / "bin" / "python").is_symlink()
        assert "cannot remove" not in done.stderr


def test_every_file_of_the_service_is_in_the_wheel() -> None:
    globs = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]["service"]
    service = TOP / "service"
    packed = {path for each in globs for path in service.glob(each)}
    ours = {path for path in service.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in ours - packed if path.suffix != ".py"} == set()


def test_the_changelog_has_a_section_for_this_version() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    assert f"### {__version__}" in text
    assert set(re.findall(r"/opt/dm-feedback-([0-9][0-9.]*[0-9])", text)) == {__version__}, "and it is installed by it"
