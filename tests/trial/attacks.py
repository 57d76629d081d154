"""Attacks over HTTP, as anybody on the network can make them; each returns how it held, or raises AssertionError."""

import gzip
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.processes.deliveries import signed
from tests.trial.place import ESCAPE, FORMULA, WORDS, Place, told

TOP = Path(__file__).parents[2]
OPEN = {"/.well-known/security.txt", "/healthz", "/readyz", "/favicon.ico", "/robots.txt", "/webhooks/crm/source"}
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
HEADS = (
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    b"POST /v1/opt-outs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"\x00\x01\x02\r\n\r\n",
)
HOOK = "/webhooks/crm/crm"


def reads_without_a_key(place: Place) -> str:
    document = yaml.safe_load((TOP / "openapi.yaml").read_text("utf-8"))
    paths = [path.replace("{", "").replace("}", "") for path in document["paths"]]
    said = {path: place.get(path).status_code for path in paths}
    said |= {f"{path}?key=x": place.get(path, "dmf_0.0").status_code for path in paths[:5]}  # more would be a flood
    let_in = {path for path, status in said.items() if status < 300 and path.partition("?")[0] not in OPEN}
    assert let_in == set(), let_in
    assert "acme" not in "".join(place.get(path).text for path in OPEN)
    assert len(paths) > 25
    return f"{len(paths)} paths without a key, five with an invented key: only the {len(OPEN)} public ones answer"


def guesses_keys(place: Place) -> str:
    wrong = [place.get("/v1/results", f"dmf_{number:012d}.guess").status_code for number in range(14)]
    assert wrong[-1] == 429, wrong
    return f"14 guesses: {wrong.count(401)} times 401, then {wrong.count(429)} times 429"


def locks_others_out(place: Place) -> str:
    for number in range(40):
        place.get("/v1/results", f"dmf_{number:012d}.flood")
    assert place.get("/v1/results", place.keys["supervisor"]).status_code == 200
    return "after 40 wrong keys from the same address, a valid key still works"


def claims_another_address(place: Place) -> str:
    spoofed = [
        place.get("/v1/results", f"dmf_{number:012d}.spoof", **{"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(12)
    ]
    assert spoofed[-1] == 429, spoofed
    assert "203.0.113." not in place.says("access-log", "stream")
    return "12 forged forwarded addresses count as one for the limit, and none appears in the access log"


def sends_what_is_broken(place: Place) -> str:
    bodies = [b"x" * 3_000_000, DEEP, b"\xff\xfe\x00", b"[" * 500_000, b"{}", b'{"data": 1e999}']
    said = [place.http.post(HOOK, content=body).status_code for body in bodies]
    said += [place.http.post("/v1/opt-outs", content=body, headers=_as(place, "admin")).status_code for body in bodies]
    said += [_raw(place, words) for words in HEADS]
    assert all(status == 0 or 400 <= status < 500 for status in said), said
    assert place.get("/healthz").status_code == 200
    return f"{len(said)} oversized, deeply nested or broken bodies and headers: {sorted(set(said))}, no server error"


def sends_what_takes_long(place: Place) -> str:
    packed = gzip.compress(b"[" + b'{"a":1},' * 120_000 + b"1]")
    tongues = {"Accept-Language": "-".join("a" * 4000)}
    began = time.monotonic()
    said = [place.http.post(HOOK, content=packed, headers={"Content-Encoding": "gzip"}).status_code for _ in range(20)]
    said += [place.get(f"/f/{number:022d}", **tongues).status_code for number in range(20)]
    took = time.monotonic() - began
    assert set(said) == {401, 404}, said
    assert took < len(said) * 0.2, took
    each = 1000 * took / len(said)
    return f"{len(said)} bodies: megabytes of JSON compressed, languages of 4,000 parts: {each:.0f} ms each"


def asks_for_leave(place: Place) -> str:
    post = f"POST {HOOK} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n".encode()
    said = [
        _raw(place, post + b"Content-Length: 2\r\n\r\n{}"),
        _raw(place, post + b"Content-Length: 99999999\r\n\r\n"),
        _raw(place, b"GET /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"),
        _raw(place, b"GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n"),
    ]
    assert said == [401, 413, 404, 417], said
    return f"with a body, too large, without a body, another expectation: {said}"


def has_a_body_signed(place: Place) -> str:
    asked = {
        body: place.http.get("/webhooks/x/acme", params={"crc_token": body}) for body in ("hCAAAA", "[]", '{"a":1}')
    }
    assert [each.status_code for each in asked.values()] == [200, 400, 400]
    proof = {"x-twitter-webhooks-signature": asked["hCAAAA"].json()["response_token"]}
    said = [place.http.post("/webhooks/x", content=b"hCAAAA", headers={**proof, "Content-Encoding": coding}).status_code
            for coding in ("identity", "deflate")]  # fmt: skip
    assert said == [401, 401], said
    return "only letters are signed as a challenge, and a body of letters alone is refused, plain or deflated"


def learns_from_readyz(place: Place) -> str:
    seen = place.get("/readyz")
    assert "acme" not in seen.text
    assert len(seen.text) < 60, seen.text
    assert "acme" in place.get("/readyz", place.keys["monitor"]).text
    return f"without a key: {seen.text.strip()!r}; details need a key"


def learns_which_sources(place: Place) -> str:
    body, headers = told(place, "unknown")
    wrong = {**headers, "webhook-signature": "v1,AAAA"}
    known, unknown = (
        place.http.post(f"/webhooks/crm/{name}", content=body, headers=wrong) for name in ("crm", "nobody")
    )
    said = [{**each.json(), "request_id": ""} for each in (known, unknown)]
    assert said[0] == said[1], said
    assert known.status_code == unknown.status_code == 401
    return "an existing source and a missing one give the same response"


def acts_through_a_browser(place: Place) -> str:
    with httpx.Client(base_url=place.site.web_url, trust_env=False) as browser:
        key = {"key": place.keys["supervisor"]}
        foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert browser.post("/dashboard/sign-in", data=key, headers=foreign).status_code == 403
        entered = browser.post("/dashboard/sign-in", data=key)
        assert "HttpOnly" in entered.headers["set-cookie"]
        assert "SameSite=Lax" in entered.headers["set-cookie"]
        browser.headers["Cookie"] = entered.headers["set-cookie"].partition(";")[0]  # it is for https alone
        assert browser.post("/dashboard/sign-out", headers=foreign).status_code == 403
        assert browser.post("/dashboard/sign-out", data={"form_token": "0" * 64}).status_code == 403
        page = browser.get("/dashboard/")
        assert page.status_code == 200
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    return "sign-in and sign-out from another origin: 403; wrong form token: 403; framing forbidden"


def invents_conversations(place: Place) -> str:
    body, headers = told(place, "forged")
    changed = body.replace(b"4711", b"4712")
    old = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 4000)}
    said = [place.http.post(HOOK, content=content, headers=sent).status_code for content, sent in
            ((changed, headers), (body, old), (body, {}), (body, headers), (body, headers))]  # fmt: skip
    assert said == [401, 401, 401, 200, 200], said
    accepted = place.number("SELECT count(*) FROM delivery_item WHERE outcome = 'accepted'")
    requests = place.number("SELECT count(*) FROM feedback_request")
    assert accepted == requests
    return (
        f"one changed byte, an old date, no signature: 401; the same delivery twice: accepted once ({requests} in all)"
    )


def reads_more_than_the_key(place: Place) -> str:
    rows = ("/v1/results", "/v1/results.csv", "/v1/requests", "/v1/changes", "/v1/access-log", "/v1/customers/4711")
    for role in ("monitor", "hand_in", "analyst"):
        said = {path: place.get(path, place.keys[role]).status_code for path in rows}
        assert set(said.values()) == {403}, (role, said)
    for path in ("/metrics", "/v1/access-log", "/v1/customers/4711"):
        assert place.get(path, place.keys["supervisor"]).status_code == 403, path
    elsewhere = place.key("--role", "supervisor", "--network", "198.51.100.0/24")
    narrow = place.key("--role", "supervisor", "--route", "/v1/summary")
    other = place.key("--role", "supervisor", "--account", "globex") if _has(place, "globex") else narrow
    assert place.get("/v1/results", elsewhere).status_code in {401, 403, 429}
    assert place.get("/v1/results", narrow).status_code == 403
    assert WORDS not in place.get("/v1/results?account=acme", other).text
    return "monitor, hand_in, analyst: no rows; supervisor: no metrics, log, customer data; limits of a key hold"


def asks_so_much(place: Place) -> str:
    done: list[int] = []

    def ask() -> None:
        with httpx.Client(base_url=place.site.web_url, timeout=60, trust_env=False) as http:
            sent = _as(place, "supervisor")
            done.extend(http.get("/v1/results.csv", headers=sent).status_code for _ in range(6))

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for each in threads:
        each.start()
    took = []
    for number in range(10):
        body, headers = told(place, f"busy-{number}")
        answer = place.http.post(HOOK, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        took.append(answer.elapsed.total_seconds())
    for each in threads:
        each.join()
    assert set(done) <= {200, 429, 503}, set(done)
    return f"with 24 concurrent file exports, 10 deliveries were accepted, the slowest in {max(took):.1f} s"


def becomes_a_formula(place: Place) -> str:
    file = place.get("/v1/results.csv", place.keys["supervisor"]).text
    assert f',"{FORMULA[:6]}' not in file
    assert f",{FORMULA[:6]}" not in file
    body, _ = told(place, f"esc-{ESCAPE}")
    assert place.http.post(HOOK, content=body, headers=signed("m-esc", body)).status_code == 200
    for words in (("requests", "list"), ("customers", "export", "4711"), ("deliveries", "list")):
        assert "\x1b]" not in place.says(*words), words
    return "no cell begins like a formula; an escape sequence in an id does not reach the terminal"


def _as(place: Place, role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {place.keys[role]}"}


def _has(place: Place, account: str) -> bool:
    return account in place.site.accounts


def _raw(place: Place, words: bytes) -> int:
    """Bytes on a connection; the status that comes back, 0: none."""
    with socket.create_connection(("127.0.0.1", place.site.web_port), timeout=20) as connection:
        connection.settimeout(20)
        try:
            connection.sendall(words)
            connection.shutdown(socket.SHUT_WR)
            head: Any = connection.recv(64).split()
        except OSError:
            return 0
    return int(head[1]) if len(head) > 1 else 0
