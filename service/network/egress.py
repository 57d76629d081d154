"""How calls leave this machine: which proxy carries them, and whose certificates they trust.

Said once, when a process has read its settings. Nothing is taken from the environment. A proxy opens a tunnel (CONNECT)
and sees where a call goes, never what is in it. Resolves nothing and calls nobody.
"""

from dataclasses import dataclass

from service.network.addresses import is_this_machine


@dataclass(frozen=True, slots=True)
class Egress:
    """The way out. `trusted_ca`: PEM of authorities to trust besides the public ones."""

    proxy: str | None = None
    trusted_ca: str | None = None


_CHOSEN = [Egress()]


def configure(egress: Egress) -> None:
    """Choose the way out of this process; connections that are open keep theirs."""
    _CHOSEN[0] = egress


def chosen() -> Egress:
    """Return the way out of this process."""
    return _CHOSEN[0]


def proxy_to(scheme: str, host: str) -> str | None:
    """Return the proxy for calls to a host, or None: they go directly, as those to this machine always do."""
    return None if scheme != "https" or is_this_machine(host) else chosen().proxy
