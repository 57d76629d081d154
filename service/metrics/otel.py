"""Traces for an OpenTelemetry collector, sent as OTLP over HTTP.

Only if `service.traces_to` names a collector; otherwise nothing of it is imported. The ids of a trace and its first
span are derived from the request's id, so spans of web, workers and other machines end up in one trace. Spans are sent
in the background: a collector that is away costs spans and nothing else. OTEL_* variables (samplers, headers, limits)
apply.
"""

import hashlib
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from service import __version__
from service.errors import Unavailable
from service.process import name_of
from service.telemetry import traces
from service.telemetry.traces import TracedSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

PATH = "/v1/traces"
EXPORT_WITHIN_S = 3  # how long an ending process waits for a collector that is away
MISSING = "it needs OpenTelemetry: pip install 'dm-feedback[otel]', in a checkout '.[otel]'; or leave the setting out."


def begin(traces_to: str | None, role: str) -> Callable[[], None]:
    """Send this process's spans there, if anywhere; return what sends the last ones.

    Python does so itself at its end, but not where a process replaces itself or leaves a hanging thread behind.
    Raises Unavailable if the extra is not installed.
    """
    if traces_to is None:
        return _nothing
    demand_installed(traces_to)
    provider, ids = _provider(traces_to, role)
    tracer = provider.get_tracer("dm-feedback", __version__)
    traces.listen(lambda request_id, span, first: _emit(tracer, ids, request_id, span, first=first))
    return lambda: _end(provider)


def _nothing() -> None:
    """Nothing was begun."""


def _end(provider: "TracerProvider") -> None:
    """Send what is left, in a thread: a collector that is away may take that long for each batch."""
    last = threading.Thread(target=provider.shutdown, name="last-spans", daemon=True)
    last.start()
    last.join(EXPORT_WITHIN_S)


def demand_installed(traces_to: str | None) -> None:
    """Refuse a collector if the extra to send to it is missing. Raises Unavailable."""
    if traces_to is not None and not is_installed():
        raise Unavailable("traces_need_otel", f"service.traces_to names a collector; {MISSING}")


def is_installed() -> bool:
    """Whether the extra is there."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False


def ids_of(request_id: str) -> tuple[int, int]:
    """Return the ids of a request's trace and of its first span."""
    digest = hashlib.sha256(f"dm-feedback trace {request_id}".encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


class GivenIds(threading.local):
    """The ids of this thread's next span, if they are not to be random."""

    given: tuple[int, int] | None = None


def _provider(traces_to: str, role: str) -> "tuple[TracerProvider, GivenIds]":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    ids = GivenIds()

    class Ids(RandomIdGenerator):
        """Drawn, but for the first span of a request."""

        def generate_trace_id(self) -> int:
            return super().generate_trace_id() if ids.given is None else ids.given[0]

        def generate_span_id(self) -> int:
            return super().generate_span_id() if ids.given is None else ids.given[1]

    instance = f"{role}-{name_of()}"
    who = {"service.name": "dm-feedback", "service.version": __version__, "service.instance.id": instance}
    provider = TracerProvider(resource=Resource.create(who), id_generator=Ids())
    exporter = OTLPSpanExporter(endpoint=traces_to.rstrip("/") + PATH, timeout=EXPORT_WITHIN_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider, ids


def _emit(tracer: "Tracer", ids: GivenIds, request_id: str, span: TracedSpan, *, first: bool) -> None:
    from opentelemetry import trace
    from opentelemetry.context import Context

    trace_id, root_id = ids_of(request_id)
    if first:
        ids.given = (trace_id, root_id)
        try:
            _write(tracer, span, Context(), {"request.id": request_id})
        finally:
            ids.given = None
        return
    root = trace.SpanContext(trace_id, root_id, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))
    parent = trace.set_span_in_context(trace.NonRecordingSpan(root), Context())
    _write(tracer, span, parent, {"request.id": request_id})


def _write(tracer: "Tracer", span: TracedSpan, parent: object, more: dict[str, str]) -> None:
    """Write a span and what was asked of X for it."""
    from opentelemetry import trace

    kind = trace.SpanKind.CLIENT if not more else trace.SpanKind.INTERNAL
    facts = {**more, **span.facts}
    written = tracer.start_span(span.name, parent, kind, facts, start_time=span.began)  # type: ignore[arg-type]  # a Context
    if span.failed:
        written.set_status(trace.StatusCode.ERROR)
    for each in span.calls:
        _write(tracer, each, trace.set_span_in_context(written), {})
    written.end(span.ended)
