"""Calls to X and CRMs through a proxy: a real one that opens tunnels, and servers that only it can find."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask, jsonify

from service.crm_api.get import NoAnswer, get
from service.network import egress
from service.network.egress import Egress
from service.network.transport import trusted
from service.x_api.client import XClient
from service.x_api.errors import Unreachable
from service.x_api.oauth1 import Credentials
from service.x_api.wire import Timeouts
from tests.floor.tunnel import NAME, far
from tests.serving import Proof, own_certificate, served

KEYS = Credentials("ck", "consumer secret", "tk", "token secret")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def proof(tmp_path: Path) -> Proof:
    return own_certificate(tmp_path, NAME)


@contextmanager
def x() -> Iterator[XClient]:
    patient = Timeouts(read=30, total=60)
    with XClient(KEYS, base_url=f"https://{NAME}", patience=patient, clock=lambda: NOW) as client:
        yield client


def test_x_is_called_through_it_and_it_sees_where_alone(proof: Proof) -> None:
    with far(proof) as proxy, x() as client:
        client.verify_credentials()
        [(head, body)] = proxy.requests
    assert head.startswith(f"CONNECT {NAME}:443 HTTP/1.1\r\n".encode())
    assert b"verify_credentials" not in head + body


def test_a_crm_is_called_through_it_by_a_name_only_the_proxy_knows(proof: Proof) -> None:
    with far(proof):
        assert get(f"https://{NAME}/contacts/4711").value == {"custom_attributes": {"x_user_id": "501"}}


def test_a_proxy_that_refuses_us_is_said_to_be_the_reason_and_nothing_was_sent(proof: Proof) -> None:
    with far(proof, proxied_by="us:wrong"):
        with x() as client, pytest.raises(Unreachable) as at_x:
            client.verify_credentials()
        with pytest.raises(NoAnswer) as at_crm:
            get(f"https://{NAME}/contacts/4711")
    assert at_x.value.reason == "proxy_error"
    assert str(at_crm.value) == (
        "The proxy (service.outgoing_proxy) refused the connection: 407 Proxy Authentication Required."
    )


def test_what_stands_in_our_own_networks_and_this_machine_is_called_directly(proof: Proof) -> None:
    here = Flask("here")
    here.add_url_rule("/a", "a", view_func=lambda: jsonify(near=True))
    with far(proof) as proxy, served(here) as url:
        assert get(f"{url}/a").value == {"near": True}
        with pytest.raises(NoAnswer, match="certificate cannot be trusted"), served(here, tls=True) as near:
            get(f"{near}/a", networks=["127.0.0.0/8"])
        assert proxy.requests == []


def test_an_address_in_a_private_network_is_refused_before_the_proxy_hears_of_it(proof: Proof) -> None:
    with far(proof) as proxy:
        for host in ("10.0.0.1", "169.254.169.254", "[fd00::1]"):
            with pytest.raises(NoAnswer, match="private network"):
                get(f"https://{host}/a")
        assert proxy.requests == []


def test_a_certificate_of_ones_own_is_trusted_beside_the_public_ones_and_no_other(proof: Proof, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with far(proof):
        egress.configure(Egress(egress.proxy_to("https", NAME), own_certificate(other, NAME).certificate.read_text()))
        with x() as client, pytest.raises(Unreachable) as caught:
            client.verify_credentials()
    assert caught.value.reason == "certificate_not_trusted"
    assert len(trusted().get_ca_certs()) > 100, "the public ones are still trusted"
