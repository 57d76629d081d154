"""How to report a fault: in, the settings; out, /.well-known/security.txt (RFC 9116). None where nobody is named."""

from collections.abc import Callable
from datetime import datetime, timedelta

import flask

from service.auth import declares
from service.errors import NotFound
from service.settings import Settings

GOOD_FOR = timedelta(days=180)
PATH = "/.well-known/security.txt"


def register_security_txt(app: flask.Flask, settings: Settings, clock: Callable[[], datetime]) -> None:
    """Add the one route."""
    contact = settings.web.security_contact

    @app.get(PATH)
    @declares("nobody: whom to tell of a fault")
    def security_txt() -> flask.Response:
        if contact is None:
            raise NotFound("no_security_contact", "The operator named no contact (web.security_contact).")
        until = (clock() + GOOD_FOR).strftime("%Y-%m-%dT00:00:00Z")
        home = settings.service.public_url.rstrip("/")
        lines = (f"Contact: {contact}", f"Expires: {until}", "Preferred-Languages: en", f"Canonical: {home}{PATH}")
        return flask.Response("\n".join((*lines, "")), content_type="text/plain; charset=utf-8")
