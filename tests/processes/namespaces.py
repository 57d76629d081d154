"""Network namespaces as machines, each with one link to here that can be cut. Needs root and `ip`."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FORWARDS = Path("/proc/sys/net/ipv4/ip_forward")


@contextmanager
def forwarding() -> Iterator[None]:
    """Let one machine reach another, and leave the system as it was."""
    before = FORWARDS.read_text("ascii")
    FORWARDS.write_text("1", "ascii")
    try:
        yield
    finally:
        FORWARDS.write_text(before, "ascii")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@dataclass(frozen=True)
class Machine:
    """A network namespace; `network` is the first half of its addresses."""

    number: int
    network: str = "10.213"

    @property
    def name(self) -> str:
        return f"dmf{os.getpid() % 10_000}m{self.number}"

    @property
    def link(self) -> str:
        return f"dm{os.getpid() % 10_000}v{self.number}"

    @property
    def here(self) -> str:
        """Our end of its link."""
        return f"{self.network}.{self.number}.1"

    @property
    def there(self) -> str:
        """Its own address."""
        return f"{self.network}.{self.number}.2"

    def __enter__(self) -> Self:
        ip("netns", "add", self.name)
        ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("addr", "add", f"{self.here}/24", "dev", self.link)
        ip("link", "set", self.link, "up")
        for words in (("addr", "add", f"{self.there}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            ip("-n", self.name, *words)
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("-n", self.name, "route", "add", "default", "via", self.here)
        return self

    def __exit__(self, *_: object) -> None:
        ip("netns", "del", self.name)  # the link goes with it

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Take the machine from the net for a while."""
        ip("link", "set", self.link, "down")
        yield
        ip("link", "set", self.link, "up")

    def cut_for(self, seconds: float) -> None:
        with self.cut():
            time.sleep(seconds)

    def words(self, *words: str) -> tuple[str, ...]:
        """A command on this machine."""
        return ("ip", "netns", "exec", self.name, *words)
