"""One trace per conversation over real processes, received by a real collector: from the webhook to the answer."""

import gzip
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy.engine import Engine

from service.errors import Unavailable
from service.metrics import otel
from service.telemetry import traces
from tests.processes import ledger
from tests.processes.children import ROOT, cli, run_cli, until
from tests.processes.deliveries import deliver
from tests.processes.site import Site
from tests.processes.x import X, running_x

COMMENT, SCORE = "Jane-was-kind-0815", 4


class Collector:
    """Takes OTLP over HTTP as protobuf, and keeps what came."""

    def __init__(self) -> None:
        self.spans: dict[bytes, list[tuple[str, Any]]] = {}
        self.bodies: list[bytes] = []
        self.paths: set[str] = set()
        self._lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                packed = self.headers.get("Content-Encoding") == "gzip"
                collector.take(self.path, gzip.decompress(body) if packed else body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, path: str, body: bytes) -> None:
        told = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self.paths.add(path)
            self.bodies.append(body)
            for resource in told.resource_spans:
                who = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.instance.id")
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.spans.setdefault(span.trace_id, []).append((who, span))

    def of(self, request_id: str) -> list[tuple[str, Any]]:
        with self._lock:
            return list(self.spans.get(otel.ids_of(request_id)[0].to_bytes(16), []))

    def names(self, request_id: str) -> list[str]:
        return [span.name for _, span in self.of(request_id)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def quick_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")


def customer_of(conversation_id: str) -> str:
    return str(10_000_000 + zlib.crc32(conversation_id.encode()))


TOLD = {
    "conversation received", "step from identified", "step from dm_allowed", "step from dm_sent", "answer received",
    "POST /1.1/direct_messages/events/new.json", "POST /1.1/feedback/create.json",
}  # fmt: skip


def test_a_conversation_is_one_trace_from_webhook_to_answer(
    tmp_path: Path, engine: Engine, database_url: str, collector: Collector, quick_traces: None
) -> None:
    changes = {"service__traces_to": collector.url, "campaigns__care__delay": "0s", "web__workers": 1}
    site = Site(tmp_path, database_url, scale=150, changes=changes, pushes_to=frozenset({"acme"})).write()
    config = ("--config", str(site.config))
    with running_x(site) as x, cli("web", tmp_path, *config, "web"), cli("worker", tmp_path, *config, "worker"):
        until(lambda: deliver(site, "t-1") == 200, 60, "web answers")
        until(lambda: ledger.states(engine).get("card_sent") == 1, 60, "the card is sent")
        x.tell(f"/customers/{customer_of('t-1')}/answer", {"score": SCORE, "text": COMMENT})
        [request_id] = ids(engine)
        until(lambda: {*collector.names(request_id)} >= TOLD, 60, "web and worker have told it")
    found = collector.of(request_id)
    assert [span.name for _, span in found].count("conversation received") == 1
    assert {who.partition("-")[0] for who, _ in found} == {"web", "worker"}
    assert len(collector.spans) == 1
    assert collector.paths == {"/v1/traces"}
    hangs_together(request_id, [span for _, span in found])
    for private in (COMMENT, customer_of("t-1"), "How did we do?", "agent-1", "Thanks for writing"):
        assert not any(private.encode() in body for body in collector.bodies), private


def hangs_together(request_id: str, spans: list[Any]) -> None:
    """Every span has a parent that is there, but the one the trace begins with; none ends before it begins."""
    root = otel.ids_of(request_id)[1].to_bytes(8)
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    assert by_id[root].name == "conversation received"
    assert not by_id[root].parent_span_id
    assert all(span.parent_span_id in by_id for span in spans if span.span_id != root)
    calls = [span for span in spans if span.name.startswith(("GET ", "POST "))]
    assert calls
    assert all(by_id[span.parent_span_id].name.startswith("step from") for span in calls)
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)


def ids(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT id FROM feedback_request")]


def test_a_collector_that_is_away_costs_spans_and_nothing_else(
    site_of: Callable[..., Site], x: X, sqlite_engine: Engine, sqlite_url: str
) -> None:
    site = site_of(sqlite_url, service__traces_to="http://127.0.0.1:1")
    config = ("--config", str(site.config))
    with (
        cli("web", site.directory, *config, "web") as web,
        cli("worker", site.directory, *config, "worker") as worker,
    ):
        until(lambda: deliver(site, "t-1") == 200, 60, "web answers")
        until(lambda: ledger.states(sqlite_engine).get("card_sent") == 1, 60, "the card is sent")
        assert worker.terminate(60) == 0
        assert web.terminate(60) == 0


def test_a_worker_that_begins_anew_sends_its_last_spans_before(
    site_of: Callable[..., Site], x: X, sqlite_engine: Engine, sqlite_url: str, collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    site = site_of(sqlite_url, service__traces_to=collector.url)
    [request_id] = ledger.ended(sqlite_engine)
    with cli("worker", site.directory, "--config", str(site.config), "worker") as worker:
        until(lambda: ledger.states(sqlite_engine).get("card_sent") == 1, 60, "the card is sent")
        assert not collector.names(request_id)
        worker.hang_up()
        until(lambda: "step from dm_sent" in collector.names(request_id), 60, "the last spans have come")


def test_without_a_collector_nothing_of_it_is_imported_and_nothing_is_made() -> None:
    """Nor is anything imported that only changes a schema, to learn which one this code needs."""
    code = (
        "import sys\nfrom service import app, serving\nfrom service.metrics import otel\n"
        "from service.telemetry import traces\nfrom service.worker import loop\notel.begin(None, 'web')\n"
        "from service import migrations\nassert migrations.head()\n"
        "with traces.step() as began: traces.call('GET /x', 1.0, {}, failed=False)\n"
        "assert traces.LISTENER.hear is None and traces.CALLS.get() is None\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'alembic'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_request_has_the_same_trace_everywhere_and_another_has_another() -> None:
    assert otel.ids_of("fr_1") == otel.ids_of("fr_1")
    assert otel.ids_of("fr_1") != otel.ids_of("fr_2")
    assert all(otel.ids_of("fr_1"))


def test_without_the_extra_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(Unavailable, match="pip install 'dm-feedback\\[otel\\]'"):
        otel.begin("http://127.0.0.1:4318", "web")
    assert traces.LISTENER.hear is None
    assert not otel.is_installed()


def test_config_check_rejects_an_invalid_collector_address(site_of: Callable[..., Site], sqlite_url: str) -> None:
    site: Site = site_of(sqlite_url, service__traces_to="collector:4318")
    done = run_cli("--config", str(Path(site.config)), "config", "check")
    assert done.returncode == 78
    assert "service.traces_to" in done.stderr
