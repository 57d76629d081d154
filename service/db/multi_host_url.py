"""PostgreSQL addresses with several hosts, turned into what SQLAlchemy understands.

`postgresql://user:password@one:5432,two:5432/name?target_session_attrs=read-write` tries each host and takes the one
that accepts writes, so a fail-over needs nothing in front of the database.
"""

import re
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url

SEVERAL = re.compile(r"(?P<before>postgresql(?:\+\w+)?://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*,[^/?#@]*)(?P<after>[/?#].*|)")


def parse(url: str) -> URL:
    """Parse a database address. Raises what SQLAlchemy raises."""
    found = SEVERAL.fullmatch(url)
    if found is None:
        return make_url(url)
    apart = [_apart(each) for each in found["hosts"].split(",")]
    names, ports = (quote(",".join(each), safe=",:") for each in zip(*apart, strict=True))
    after = found["after"] or "/"
    return make_url(f"{found['before']}{after}{'&' if '?' in after else '?'}host={names}&port={ports}")


def hosts(url: URL) -> list[str | None]:
    """Return the hosts of a URL, without ports; None stands for this machine's socket."""
    several = url.query.get("host")
    if several is None:
        return [url.host]
    each = several.split(",") if isinstance(several, str) else several
    return [one if one.startswith("/") or one.count(":") > 1 else _apart(one)[0] for one in each]


def _apart(host: str) -> tuple[str, str]:
    """Split `one:5432` or `[::1]:5432` into name and port; the default is PostgreSQL's."""
    name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "5432")
    return name.strip("[]"), port
