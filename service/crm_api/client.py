"""One source's API: a path in, an answer or `NoAnswer` out. Signs in, and once more if the token was refused."""

from collections.abc import Callable, Mapping

from service.clock import Clock
from service.crm_api.get import CrmResponse, get, post
from service.crm_api.sign_in import SignIn
from service.settings.sources import Api

REFUSED = 401


class Client:
    """Speaks to one source's API. Threads share it."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._sign_in = SignIn(api)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> CrmResponse:
        """GET a path below the base address. Raises NoAnswer."""
        return self._signed(lambda url, sent: get(url, sent, self._api.networks), path, headers or {})

    def post(self, path: str, question: bytes, headers: Mapping[str, str] | None = None) -> CrmResponse:
        """POST a question in JSON, for APIs that are searched so. Raises NoAnswer."""
        beside = {**(headers or {}), "Content-Type": "application/json"}
        return self._signed(lambda url, sent: post(url, question, sent, self._api.networks), path, beside)

    def _signed(
        self, ask: Callable[[str, Mapping[str, str]], CrmResponse], path: str, beside: Mapping[str, str]
    ) -> CrmResponse:
        url = self._api.base_url.rstrip("/") + path
        signed = self._sign_in.headers(self._clock())
        got = ask(url, {**beside, **signed})
        if got.status == REFUSED and self._sign_in.forget(signed):  # a token may end before its time
            got = ask(url, {**beside, **self._sign_in.headers(self._clock())})
        return got
