"""What programs ask any site for: /.well-known/security.txt (RFC 9116), /robots.txt, no icon.

Nothing here is for search engines. Never anything of a customer, an account or a figure.
"""

from datetime import timedelta

import flask

from service.auth import declares
from service.clock import Clock
from service.errors import NotFound
from service.settings import Settings

GOOD_FOR = timedelta(days=180)
SECURITY = "/.well-known/security.txt"
TEXT = "text/plain; charset=utf-8"
NOTHING_TO_FIND = "User-agent: *\nDisallow: /\n"


def register_well_known(app: flask.Flask, settings: Settings, clock: Clock) -> None:
    """Add the routes."""
    contact = settings.web.security_contact

    @app.get(SECURITY)
    @declares("nobody: whom to tell of a fault")
    def security_txt() -> flask.Response:
        if contact is None:
            raise NotFound("no_security_contact", "The operator has named no contact (web.security_contact).")
        until = (clock() + GOOD_FOR).strftime("%Y-%m-%dT00:00:00Z")
        home = settings.service.public_url.rstrip("/")
        lines = (f"Contact: {contact}", f"Expires: {until}", "Preferred-Languages: en", f"Canonical: {home}{SECURITY}")
        return flask.Response("\n".join((*lines, "")), content_type=TEXT)

    @app.get("/robots.txt")
    @declares("nobody: what search engines may read")
    def robots_txt() -> flask.Response:
        return flask.Response(NOTHING_TO_FIND, content_type=TEXT)

    @app.get("/favicon.ico")
    @declares("nobody: there is none")
    def favicon() -> flask.Response:
        """No icon: browsers ask for one on the question page, which is the business's and shows no logo of ours."""
        return flask.Response(status=204, headers={"Cache-Control": "public, max-age=86400"})
