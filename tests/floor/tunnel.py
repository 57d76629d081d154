"""A proxy that opens tunnels, and a far server that only it can find."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, jsonify

from service.network import egress
from service.network.egress import Egress
from tests.serving import Proof, served
from tests.x_api.lines import Line, open_line

NAME = "far.example.com"
ALLOWED = "Basic " + base64.b64encode(b"us:p@ss").decode()


@contextmanager
def tunnels(port: int) -> Iterator[Line]:
    """A proxy that knows one name, demands a password, and carries bytes it cannot read."""

    def script(connection: socket.socket, line: Line) -> None:
        head = line.read_request(connection).decode()
        if ALLOWED not in head:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        if not head.startswith(f"CONNECT {NAME}:443 "):
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port)) as far:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_carry, args=(far, connection))
            back.start()
            _carry(connection, far)
            back.join()

    with open_line(script) as line:
        yield line


def _carry(source: socket.socket, to: socket.socket) -> None:
    try:
        while some := source.recv(65536):
            to.sendall(some)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def far(proof: Proof, proxied_by: str = "us:p%40ss") -> Iterator[Line]:
    """A CRM and an X at NAME, which only the proxy finds, and a process set up to go through it."""
    app = Flask("far")
    app.add_url_rule("/contacts/4711", "contact", view_func=lambda: jsonify(custom_attributes={"x_user_id": "501"}))
    me = "/1.1/account/verify_credentials.json"
    app.add_url_rule(me, "me", view_func=lambda: jsonify(id_str="1", screen_name="us"))
    with served(app, proof=proof) as url, tunnels(int(url.rpartition(":")[2])) as proxy:
        address = proxy.url.replace("//", f"//{proxied_by}@")
        egress.configure(Egress(address, proof.certificate.read_text()))
        try:
            yield proxy
        finally:
            egress.configure(Egress())
