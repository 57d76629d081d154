"""Names of HTTP statuses: the phrase, and the name of the answer in our description.

Both come from a pinned package. The interpreter's own table (`http.HTTPStatus`) was renamed in Python 3.13, and clients
generated from the description must not depend on who runs us.
"""

from collections.abc import Mapping

from werkzeug.http import HTTP_STATUS_CODES

PHRASES: Mapping[int, str] = HTTP_STATUS_CODES


def component(status: int) -> str:
    """Return the name under `#/components/responses`."""
    return PHRASES[status].upper().replace(" ", "_").replace("-", "_").replace("'", "")


def reference(status: int) -> dict[str, str]:
    """Return the reference to the shared answer of this status."""
    return {"$ref": f"#/components/responses/{component(status)}"}
