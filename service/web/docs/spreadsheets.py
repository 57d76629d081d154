"""How spreadsheets read us: two pages with pictures under /docs. They hold no data.

The pictures show a real session of LibreOffice 7.4 with this service. A test follows both pages: it calls every address
and runs every command on them.
"""

from pathlib import Path

import flask

from service.auth import declares
from service.errors import NotFound
from service.web.docs.pages import public

PAGES = {"key": "spreadsheets_key.html", "feed": "spreadsheets_feed.html"}
PICTURES = Path(__file__).with_name("static") / "spreadsheets"


def register_spreadsheets(app: flask.Flask, public_url: str) -> None:
    """Add the pages and their pictures."""
    here = public_url.rstrip("/")
    pictures = {each.name: each.read_bytes() for each in PICTURES.glob("*.png")}  # 70 kB in all

    @app.get("/docs/spreadsheets/<way>")
    @declares("nobody: how to read us holds no data")
    def how_to(way: str) -> flask.Response:
        if way not in PAGES:
            raise NotFound("no_such_page", "Spreadsheets read by key or by feed: /docs/spreadsheets/key, …/feed.")
        return public(flask.render_template(PAGES[way], here=here), "text/html; charset=utf-8")

    @app.get("/docs/spreadsheets/pictures/<name>")
    @declares("nobody: pictures of a spreadsheet hold no data")
    def picture(name: str) -> flask.Response:
        if name not in pictures:
            raise NotFound("no_such_picture", "There is no picture of this name.")
        return public(pictures[name], "image/png")
