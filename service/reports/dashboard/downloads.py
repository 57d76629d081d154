"""Downloads."""
import flask
from service.reports.dashboard.place import Place
def add(pages: flask.Blueprint, place: Place) -> None:
    pass
