"""One source's API: in, its settings and a path; out, an answer, or `Away`. Signs in, and once more if need be."""

from collections.abc import Callable, Mapping
from datetime import datetime

from service.crm_api.get import Got, get
from service.crm_api.sign_in import SignIn
from service.settings.sources import Api

REFUSED = 401


class Client:
    """Speaks to one source's API. Threads share it."""

    def __init__(self, api: Api, clock: Callable[[], datetime]) -> None:
        self._api = api
        self._clock = clock
        self._sign_in = SignIn(api)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Got:
        """GET a path below the base address. Raises NoAnswer."""
        url, beside = self._api.base_url.rstrip("/") + path, headers or {}
        got = get(url, {**beside, **self._sign_in.headers(self._clock())}, self._api.networks)
        if got.status == REFUSED and self._sign_in.forget():  # a token may end before its time
            got = get(url, {**beside, **self._sign_in.headers(self._clock())}, self._api.networks)
        return got
