"""What a status is called: in, its number; out, HTTP's phrase, and the name of its answer in our description.

Both come from a table that is pinned with us. The interpreter's own (`http.HTTPStatus`) was renamed in Python 3.13, and
what clients are generated from may not depend on who runs us.
"""

from collections.abc import Mapping

from werkzeug.http import HTTP_STATUS_CODES

PHRASES: Mapping[int, str] = HTTP_STATUS_CODES


def component(status: int) -> str:
    """Return the name under `#/components/responses`."""
    return PHRASES[status].upper().replace(" ", "_").replace("-", "_").replace("'", "")


def reference(status: int) -> dict[str, str]:
    """Return what stands for the shared answer of this status."""
    return {"$ref": f"#/components/responses/{component(status)}"}
