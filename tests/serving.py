"""Serves an application on a local port until the block ends.

werkzeug's server checks twice a second whether it should stop, and whoever stops it waits for that: here it checks more
often.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from wsgiref.types import WSGIApplication

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.serving import WSGIRequestHandler, make_server

LOOK_EVERY_S = 0.01


class Silent(WSGIRequestHandler):
    """werkzeug's own, without its log."""

    def log(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Proof:
    """Files that show who somebody is, over TLS."""

    certificate: Path
    key: Path


def own_certificate(directory: Path, name: str) -> Proof:
    """A certificate for a name that stands for itself: whoever trusts it trusts nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    plain, pem = serialization.NoEncryption(), serialization.Encoding.PEM
    proof = Proof(directory / "fullchain.pem", directory / "privkey.pem")
    proof.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    proof.certificate.write_bytes(made.public_bytes(pem))
    return proof


@contextmanager
def served(application: WSGIApplication, *, tls: bool = False, proof: Proof | None = None) -> Iterator[str]:
    """Serve it until the block ends; over TLS with this certificate, or with one that nobody vouches for."""
    tls = tls or proof is not None
    context = (str(proof.certificate), str(proof.key)) if proof else "adhoc" if tls else None
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, args=(LOOK_EVERY_S,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
