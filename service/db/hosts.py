"""Addresses of a database with several hosts: in, one as PostgreSQL writes it; out, one as SQLAlchemy reads it.

`postgresql://user:password@one:5432,two:5432/name?target_session_attrs=read-write` tries each in turn and takes the one
that writes, so a cluster that has lost its leader is found again without anything before it.
"""

import re
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url

SEVERAL = re.compile(r"(?P<before>postgresql(?:\+\w+)?://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*,[^/?#@]*)(?P<after>[/?#].*|)")


def parse(url: str) -> URL:
    """Read an address of a database. Raises what SQLAlchemy raises."""
    found = SEVERAL.fullmatch(url)
    if found is None:
        return make_url(url)
    apart = [_apart(each) for each in found["hosts"].split(",")]
    names, ports = (quote(",".join(each), safe=",:") for each in zip(*apart, strict=True))
    after = found["after"] or "/"
    return make_url(f"{found['before']}{after}{'&' if '?' in after else '?'}host={names}&port={ports}")


def hosts(url: URL) -> list[str | None]:
    """Return every host of an address, without ports; None stands for this machine's socket."""
    several = url.query.get("host")
    if several is None:
        return [url.host]
    each = several.split(",") if isinstance(several, str) else several
    return [one if one.startswith("/") or one.count(":") > 1 else _apart(one)[0] for one in each]


def _apart(host: str) -> tuple[str, str]:
    """`one:5432` and `[::1]:5432` are a name and a port; without one it is PostgreSQL's usual."""
    name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "5432")
    return name.strip("[]"), port
