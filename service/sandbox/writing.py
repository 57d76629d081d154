"""How X writes things down: error bodies, dates, and the refusal every endpoint may raise. Knows no state."""

from collections.abc import Mapping
from datetime import UTC, datetime

MESSAGES: Mapping[int, str] = {
    17: "No user matches for specified terms.",
    32: "Could not authenticate you.",
    34: "Sorry, that page does not exist.",
    50: "User not found.",
    63: "User has been suspended.",
    87: "Client is not permitted to perform this action.",
    88: "Rate limit exceeded",
    89: "Invalid or expired token.",
    108: "Cannot find specified user.",
    130: "Over capacity",
    131: "Internal error",
    135: "Timestamp out of bounds.",
    150: "You cannot send messages to users who are not following you.",
    151: "There was an error sending your message: Whoops! You already said that.",
    185: "User is over daily status update limit.",
    215: "Bad Authentication data.",
    220: "Your credentials do not allow access to this resource.",
    187: "Status is a duplicate.",
    226: "This request looks like it might be automated.",
    251: "This endpoint has been retired and should not be used.",
    349: "You cannot send messages to this user.",
    354: "The text of your direct message is over the max character limit.",
}


class XRefusal(Exception):
    """An answer with an X error: HTTP status, X code, sentence, and headers when it needs some."""

    def __init__(
        self, status: int, code: int, message: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code
        self.message = message or MESSAGES.get(code, "Refused.")
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, object]:
        """The JSON X sends with it."""
        return {"errors": [{"code": self.code, "message": self.message}]}


def refusal(answer: str, message: str | None = None) -> XRefusal:
    """A refusal from a switch such as "403/349"."""
    status, code = answer.split("/")
    return XRefusal(int(status), int(code), message)


def x_date(at_ms: int, style: str) -> str:
    """`Mon Dec 10 22:03:43 +0000 2018`, or the same without spaces when style is "collapsed"."""
    text = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%a %b %d %H:%M:%S +0000 %Y")
    return text.replace(" ", "") if style == "collapsed" else text
