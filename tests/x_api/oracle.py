"""OAuth 1.0a written again with the standard library alone: judges the signatures our client makes."""

import base64
import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit


def enc(text: str) -> str:
    return quote(text, safe="-._~")


def sign(method: str, url: str, pairs: list[tuple[str, str]], consumer_secret: str, token_secret: str) -> str:
    parts = urlsplit(url)
    pairs = [*pairs, *parse_qsl(parts.query, keep_blank_values=True)]
    joined = "&".join(f"{key}={value}" for key, value in sorted((enc(key), enc(value)) for key, value in pairs))
    base = "&".join([method, enc(f"{parts.scheme}://{parts.netloc}{parts.path}"), enc(joined)])
    key = f"{enc(consumer_secret)}&{enc(token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()).decode()


def header_fields(header: str) -> dict[str, str]:
    return {key: unquote(value) for key, value in re.findall(r'(\w+)="([^"]*)"', header)}


def valid(method: str, url: str, form: str, header: str, consumer_secret: str, token_secret: str) -> bool:
    fields = header_fields(header)
    given = fields.pop("oauth_signature")
    pairs = [*fields.items(), *parse_qsl(form, keep_blank_values=True)]
    return given == sign(method, url, pairs, consumer_secret, token_secret)
