"""PostgreSQL in trouble: a full disk, a host name that moved, an expired certificate."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.exc import OperationalError

from service.db import open_engine
from service.db.outages import NO_TLS, advice, why_away
from tests.processes.children import run_cli, until
from tests.processes.deliveries import deliver, post
from tests.processes.postgres import Server, its_user, migrated
from tests.processes.site import Site, free_port
from tests.processes.test_bad_disk import stored, web_of

ROOM = 96 * 1024 * 1024
WRAPPER = next(iter(sorted(Path("/usr/lib").glob("*/libnss_wrapper.so"))), None)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server("bad")
    yield made
    made.close()


@contextmanager
def small_disk(server: Server) -> Iterator[None]:
    """A file system of its own for the server, as small as it can live on."""
    uid, gid = pwd.getpwnam(str(its_user())).pw_uid, pwd.getpwnam(str(its_user())).pw_gid
    options = f"size={ROOM},uid={uid},gid={gid},mode=0755"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", server.place], check=False)
    if done.returncode != 0:
        pytest.skip("may not mount a file system")
    try:
        yield
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop()
        subprocess.run(["umount", "-l", server.place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_full_disk_costs_time_and_no_delivery(server: Server, site_of: Callable[..., Site]) -> None:
    with small_disk(server):
        server.make().start(wal_init_zero="off", max_wal_size="32MB", min_wal_size="32MB", max_connections="40")
        site = site_of(migrated(server, "feedback"))
        with web_of(site):
            taken = ["before"]
            assert deliver(site, "before") == 200
            fill(server.place / "ballast")
            number = 0
            while (refused := post(site, f"full-{number}")).status_code == 200:
                taken.append(f"full-{number}")
                number += 1
            assert refused.status_code == 503
            assert refused.json()["code"] == "store_unavailable"
            (server.place / "ballast").unlink()
            if not alive(server):
                server.start()  # as its unit would: it ends where it cannot write its log
            until(lambda: deliver(site, f"full-{number}") == 200, 60, "deliveries are taken again")
            taken.append(f"full-{number}")
        engine = open_engine(site.database_url)
        assert stored(engine)[1] == len(taken)
        engine.dispose()


def test_that_it_speaks_no_tls_is_told_with_what_would_be_right(server: Server) -> None:
    server.make().start(port=str(free_port()), listen_addresses="127.0.0.1")
    engine = open_engine(f"postgresql://postgres@127.0.0.1:{server.port}/postgres?sslmode=require")
    with pytest.raises(OperationalError) as caught, engine.connect():
        pass
    assert why_away(caught.value) == NO_TLS
    assert NO_TLS in advice(caught.value)


def fill(ballast: Path) -> None:
    """Leave no byte."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def alive(server: Server) -> bool:
    try:
        return server.says("SELECT 1") == "1"
    except Exception:  # noqa: BLE001 - whichever way it does not answer
        return False


@pytest.mark.skipif(WRAPPER is None, reason="a name is changed by Debian's libnss-wrapper")
def test_a_host_name_that_moves_is_followed(
    server: Server, site_of: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, port = tmp_path / "hosts", free_port()
    hosts.write_text("127.0.0.1 db.example\n", "utf-8")
    monkeypatch.setenv("LD_PRELOAD", str(WRAPPER))
    monkeypatch.setenv("NSS_WRAPPER_HOSTS", str(hosts))
    server.make().start(listen_addresses="127.0.0.1", port=str(port), wal_level="replica")
    other = Server("bad2").copy(server)
    try:
        other.start(listen_addresses="127.0.0.2", port=str(port))
        server.says("CREATE DATABASE feedback")
        url = f"postgresql://postgres@db.example:{port}/feedback?sslmode=disable"
        site = site_of(url)
        assert run_cli("--config", str(site.config), "db", "upgrade").returncode == 0
        with web_of(site):
            assert deliver(site, "before") == 200
            server.stop("fast")  # which lets the other have everything
            other.promote()
            assert deliver(site, "between") == 503
            hosts.write_text("127.0.0.2 db.example\n", "utf-8")
            until(lambda: deliver(site, "after") == 200, 60, "the new address is found")
        assert other.says("SELECT count(*) FROM feedback_request", "feedback") == "2"
    finally:
        other.close()


def test_an_expired_certificate_is_refused_and_a_new_one_accepted(server: Server, site_of: Callable[..., Site]) -> None:
    port = free_port()
    server.make()
    certificate(server.place, timedelta(days=-1))
    tls = {"ssl": "on", "ssl_cert_file": str(server.place / "cert.pem"), "ssl_key_file": str(server.place / "key.pem")}
    server.start(listen_addresses="127.0.0.1", port=str(port), **tls)
    server.says("CREATE DATABASE feedback")
    trusted = f"sslmode=verify-full&sslrootcert={server.place / 'cert.pem'}"
    site = site_of(f"postgresql://postgres@localhost:{port}/feedback?{trusted}")
    refused = run_cli("--config", str(site.config), "db", "upgrade")
    assert refused.returncode == 1
    assert "certificate" in refused.stderr
    assert "(database_away)" in refused.stderr
    assert "Traceback" not in refused.stderr
    certificate(server.place, timedelta(days=1))
    server.says("SELECT pg_reload_conf()")
    until(lambda: run_cli("--config", str(site.config), "db", "upgrade").returncode == 0, 60, "it is taken")


def certificate(place: Path, left: timedelta) -> None:
    """A key and a certificate of localhost's, good until so long from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + left)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for file, content in (("key.pem", plain), ("cert.pem", made.public_bytes(pem))):
        (place / file).write_bytes(content)
        (place / file).chmod(0o600 if file == "key.pem" else 0o644)
        if (user := its_user()) is not None:
            shutil.chown(place / file, user)
