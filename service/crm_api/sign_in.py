"""The headers that sign a call in at a source's API. OAuth 2.0 tokens are fetched and cached.

A token is renewed a minute before it expires, and once if it is refused earlier. Never shows or logs one.
"""

import base64
import re
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from service.crm_api.get import OK, NoAnswer, post
from service.settings.sources import Api

EARLY = timedelta(seconds=60)
DEFAULT_LIFE, LONGEST_S = timedelta(minutes=5), 86_400  # some say by a huge number that a token never ends
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
A_WORD = re.compile("[a-z_]{1,40}")


class SignIn:
    """One source's sign-in. Threads share it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._token: str | None = None
        self._until: datetime | None = None

    def headers(self, now: datetime) -> Mapping[str, str]:
        """Return the headers of a call at `now`. Raises NoAnswer if no token can be had."""
        api = self._api
        if api.user is not None:
            pair = f"{api.user}:{api.password or ''}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        token = api.token if api.token_url is None else self._fresh_token(now)
        return {} if token is None else self._with(token)

    def forget(self, sent: Mapping[str, str]) -> bool:
        """Drop the token of headers that were refused, unless it was replaced meanwhile.

        False if another try would send the same.
        """
        with self._lock:
            if self._token is not None and sent == self._with(self._token):
                self._token = self._until = None
            return self._api.token_url is not None

    def _with(self, token: str) -> Mapping[str, str]:
        scheme = self._api.scheme if self._api.header.lower() == "authorization" else ""
        return {self._api.header: f"{scheme}{token}"}

    def _fresh_token(self, now: datetime) -> str:
        with self._lock:
            if self._token is None or self._until is None or now >= self._until - EARLY:
                self._token, life = self._fetched()
                self._until = now + life
            return self._token

    def _fetched(self) -> tuple[str, timedelta]:
        api = self._api
        form = {"grant_type": "client_credentials", "client_id": api.client_id, "client_secret": api.client_secret}
        form |= {"scope": api.scope} if api.scope else {}
        got = post(api.token_url or "", urlencode(form).encode(), FORM, api.networks)
        found: Any = got.value if isinstance(got.value, dict) else {}
        token = found.get("access_token") if got.status == OK else None
        if not isinstance(token, str) or not token:
            reason = "refused" if got.status in {400, 401, 403} else "status"
            raise NoAnswer(reason, f"The token endpoint answered {got.status}{_why(found)}, without a token.")
        life = found.get("expires_in")
        return token, timedelta(seconds=min(life, LONGEST_S)) if isinstance(life, int) and life > 0 else DEFAULT_LIFE


def _why(found: Any) -> str:
    """The word by which OAuth 2.0 says what is wrong, such as invalid_scope; nothing that could be a secret."""
    error = found.get("error")
    return f" ({error})" if isinstance(error, str) and A_WORD.fullmatch(error) else ""
