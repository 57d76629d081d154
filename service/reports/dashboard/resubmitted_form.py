"""A form that was sent after its session had ended: its fields survive the sign-in.

The browser carries them through the sign-in page and then sees its form filled in. Nothing typed is lost, nothing is
stored by us, and nothing is done until its author has sent it again.
"""

from dataclasses import dataclass

import flask

ACTION, FIELD = "unsent_action", "unsent."
OURS = {"form_token", "key", "next"}


@dataclass(frozen=True, slots=True)
class ResubmittedForm:
    """Where a form was sent, and what was in it."""

    action: str
    fields: tuple[tuple[str, str], ...]

    @property
    def back(self) -> str:
        """Where the form stood, if it says so."""
        return dict(self.fields).get("back", "")

    def carried(self) -> list[tuple[str, str]]:
        """The form as hidden fields of the sign-in page."""
        return [(ACTION, self.action), *((FIELD + name, value) for name, value in self.fields)]


def of_request() -> ResubmittedForm | None:
    """The fields of the present form; None if it is just a button."""
    given = flask.request.form.items(multi=True)
    fields = tuple((name, value) for name, value in given if name not in OURS)
    return ResubmittedForm(flask.request.path, fields) if fields else None


def of_sign_in() -> ResubmittedForm | None:
    """What the sign-in page carried; None for most."""
    form = flask.request.form
    fields = tuple((n.removeprefix(FIELD), v) for n, v in form.items(multi=True) if n.startswith(FIELD))
    return ResubmittedForm(form[ACTION], fields) if form.get(ACTION) and fields else None
