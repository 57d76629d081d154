"""Runs gunicorn. Holds no rule.

`deploy/gunicorn.conf.py` has the same settings for those who start gunicorn themselves.
"""

import atexit
import errno
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.app import create_app
from service.clock import utc_now
from service.db.outages import is_away, why_away
from service.encrypting.in_force import demand_keys, engine_of
from service.errors import Unavailable
from service.listening.worker import EventWorker
from service.metrics import otel, served, totals
from service.network import egress
from service.process import STOPS, kept_for_a_child, leave_no_core, share_arenas
from service.settings import X_TOKENS, Settings, load
from service.settings.values import host_and_port
from service.startup import demand_fitting, note_settings
from service.telemetry import logs

log = structlog.get_logger(__name__)
LOOK_FOR_ROOM_S = 0.1
LOOK_AGAIN_S = 2.0  # for a database that is away as a process begins
TAKEN = "stop what uses it, or set web.bind to another port"
NOT_OURS = "set web.bind to an address of this machine, or 0.0.0.0 or [::] for all, and a port this account may use"
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn makes its own private file there


def options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings, each with its reason."""
    return {
        "bind": settings.web.bind,
        # No thread waits for a client, and deliveries share commits: see service/listening.
        "worker_class": EventWorker.taking(settings.web.max_body_bytes),
        "workers": settings.web.workers,
        "threads": settings.web.threads,
        # A slow client costs a place but no thread; if all are taken, the longest waiting one goes.
        "worker_connections": 4000,
        # The longest documented query has 250 ids; service/listening/framing.py bounds the line.
        "limit_request_line": 0,
        # Limits a leak in any library; the jitter keeps processes from restarting together.
        "max_requests": 500_000,
        "max_requests_jitter": 100_000,
        # A request under way may finish: an accepted delivery is answered.
        "graceful_timeout": 20,
        "timeout": 60,
        # gunicorn >= 25.1 opens a control socket in the home directory; two services of a user overwrite each other's.
        "control_socket_disable": True,
        # Engines and threads are made after the fork: SQLite handles and PostgreSQL sockets must not be shared.
        "preload_app": False,
        # A heartbeat file on a blocking disk would get healthy workers killed.
        "worker_tmp_dir": str(IN_MEMORY) if os.access(IN_MEMORY, os.W_OK) else tempfile.gettempdir(),
        # Log lines are ours; an access log would carry nothing that the ledger does not.
        "accesslog": None,
        # Its warnings quote a header it cannot read, and with it a key.
        "loglevel": "error",
        "logger_class": GunicornLog,
        # service/web/proxy_headers.py alone decides whose forwarded headers to believe.
        "forwarded_allow_ips": "",
        # No client may set the application's path prefix: it could get around a proxy's rules.
        "forwarder_headers": "",
    }


class GunicornLog(Logger):  # type: ignore[misc]  # gunicorn carries no types
    """gunicorn's lines, written where all libraries' are: a pipeline that reads JSON would drop its own."""

    def setup(self, cfg: Any) -> None:
        """Give up handlers of its own."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn carries no types
    """gunicorn with our options and application, without its command line."""

    def __init__(self, settings: Settings, read: Callable[[], Settings | None]) -> None:
        self._settings, self._read = settings, read
        super().__init__()

    def run(self) -> None:
        """Serve until told to stop."""
        SteadyArbiter(self).run()

    def takes_new_settings(self) -> bool:
        """Read the settings again and say whether they are used from now on."""
        found = self._read()
        if found is None or not _is_free(found.web.bind, self._settings.web.bind):
            return False
        self._settings = found
        engine = engine_of(found)
        note_settings(found, engine, utc_now())
        engine.dispose()  # new processes are about to be forked
        return True

    def load_config(self) -> None:
        """Take the options."""
        for name, value in options(self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the application, in the worker process."""
        engine = engine_of(self._settings)
        _once_it_answers(engine, demand_keys)
        return _counting(self._settings, engine)


class SteadyArbiter(Arbiter):  # type: ignore[misc]  # as above
    """gunicorn's arbiter, whose processes hear a stop from their first moment on.

    On SIGHUP new processes use the new settings and old ones finish. If the settings are not usable the processes stay.
    New ones would wait silently for a database that is away, while the running ones answer 503.
    """

    def reload(self) -> None:
        """Start new processes if there are new settings."""
        if self.app.takes_new_settings():
            super().reload()

    def spawn_worker(self) -> int:
        """Fork a process. It lets the signals in once it has handlers for them."""
        with kept_for_a_child(*STOPS):
            return super().spawn_worker()  # type: ignore[no-any-return]


def _once_it_answers(engine: Engine, ask: Callable[[Engine], None]) -> None:
    """Ask the database, again and again while it is away: gunicorn would end all processes if one failed to start.

    The process exits if it is told to stop meanwhile, or if its parent is gone.
    """
    parent, told_before = os.getppid(), signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while not _is_there(engine, ask):
            if os.getppid() != parent:
                sys.exit(0)
            time.sleep(LOOK_AGAIN_S)
    finally:
        signal.signal(signal.SIGTERM, told_before)


def _is_there(engine: Engine, ask: Callable[[Engine], None]) -> bool:
    try:
        ask(engine)
    except SQLAlchemyError as error:
        if not is_away(error):
            raise
        log.warning("database_away", why=why_away(error))
        return False
    return True


def serve_web(settings: Settings, read: Callable[[], Settings | None]) -> None:
    """Serve until told to stop. On SIGHUP `read` returns new settings, or None to keep the old ones."""
    Gunicorn(settings, read).run()


def demand_free(bind: str, patience_s: float = 0) -> None:
    """Check before anything is started that nobody else listens there, or will soon. Raises Unavailable."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return _demand_free(bind)
        except Unavailable:
            if time.monotonic() >= until:
                raise
        time.sleep(min(patience_s, LOOK_FOR_ROOM_S))


def _demand_free(bind: str) -> None:
    host, port = host_and_port(bind)
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            probe.bind((host, port))
    except OSError as error:
        do = TAKEN if error.errno == errno.EADDRINUSE else NOT_OURS
        sentence = f"{bind} cannot be listened on ({error.strerror}): {do}."
        raise Unavailable("address_taken", sentence) from error


def _is_free(bind: str, ours: str) -> bool:
    """Whether we could listen there. If somebody else does, gunicorn would lose the address it has."""
    try:
        if bind != ours:
            demand_free(bind)
    except Unavailable as error:
        log.error("settings_not_taken", problems=[error.sentence])  # noqa: TRY400 - no bug
        return False
    return True


def from_environment() -> Any:
    """Build the application from the settings DM_FEEDBACK_CONFIG names, for gunicorn's own command line."""
    settings = load(Path(os.environ.get("DM_FEEDBACK_CONFIG", "dm-feedback.toml")), withheld=X_TOKENS)
    engine = engine_of(settings)
    # as `dm-feedback web` does: refuse to start rather than fail at each delivery
    _once_it_answers(engine, partial(demand_fitting, settings))
    return _counting(settings, engine)


def _counting(settings: Settings, engine: Engine) -> Any:
    """Build the application, and store its counts until the process ends."""
    # the process that forked us may have begun with other settings
    logs.configure(settings.service.log_format)
    egress.configure(settings.service.egress)
    share_arenas()
    leave_no_core()
    otel.begin(settings.service.traces_to, "web")
    ended = threading.Event()
    keeping = totals.keep_on(totals.Keeper(engine, "web", utc_now(), serves=served.of(settings)), ended)
    atexit.register(keeping.join, totals.LAST_S)
    atexit.register(ended.set)  # the last one registered is called first
    return create_app(settings, engine)
