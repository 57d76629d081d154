"""The worker class gunicorn runs: answers on its listening sockets until told to stop.

gunicorn itself binds, forks, watches, reloads and stops us. Its own `gthread` would give a thread to every slow client
(measured in tests/bench/README.md).
"""

import gc
import os
import resource
import signal
import time
from contextlib import suppress
from typing import ClassVar

from gunicorn.workers import base

from service.listening.answering import Application
from service.listening.connection import Connection
from service.listening.lanes import Lanes
from service.listening.reader import Connections
from service.process import STOPS
from service.web import slow_routes

LINGER_S = 2.0  # a kept connection may be sending its next request while we stop
FILES_WANTED = 16_384


class EventWorker(base.Worker):  # type: ignore[misc]  # gunicorn carries no types
    """One process: a thread that reads all clients, and threads that answer complete requests."""

    alive: bool
    body_at_most: ClassVar[int] = 1024 * 1024

    @classmethod
    def taking(cls, body_at_most: int) -> "type[EventWorker]":
        """Return the class for bodies of this size."""
        return type(cls.__name__, (cls,), {"body_at_most": max(body_at_most, cls.body_at_most)})

    def init_process(self) -> None:
        """Make room for as many connections as we say we take, and go on."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = min(FILES_WANTED, hard) if hard != resource.RLIM_INFINITY else FILES_WANTED
        if soft < wanted:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        super().init_process()

    def init_signals(self) -> None:
        """Have handlers, then let in what has come since we were forked."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)

    def run(self) -> None:
        """Serve until told to stop; then let what has begun end."""
        gc.freeze()  # objects here by now stay; collecting them would stop every client for 50 ms
        places = min(self.cfg.worker_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        reader = Connections(self.cfg, self._dispatch, places=places, body_at_most=self.body_at_most)
        application = Application(self.wsgi, self.cfg, reader.answered, lambda: not self.alive)
        self._lanes = Lanes(application, self.cfg.threads, slow_routes.of(self.wsgi))
        reader.wake_by(self.PIPE[0])
        reader.listen(self.sockets)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            reader.turn(0.5)
        self.alive = False
        reader.deafen(self.sockets)
        self._stop(reader)

    def _dispatch(self, connection: Connection, request: object) -> None:
        self.nr += 1
        if self.nr >= self.max_requests:
            self.alive = False
        self._lanes.dispatch(connection, request)

    def _stop(self, reader: Connections) -> None:
        for each in self.sockets:
            each.close()
        now = time.monotonic()
        linger, end = now + LINGER_S, now + self.cfg.graceful_timeout
        while now < end and (reader.busy or now < linger):
            self.notify()
            reader.turn(0.1)
            now = time.monotonic()
            if now >= linger:
                reader.close_waiting()
        self._lanes.stop()
        if not reader.busy:
            reader.close()
