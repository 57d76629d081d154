"""Which thread answers a request: each kind has its lane, and a full lane never takes another's threads.

Deliveries go to one thread, which takes whatever has come meanwhile and settles all of it by one commit. Sources whose
keys must be fetched from somewhere, or whose bodies are parsed before they are proven, have a thread each, so a dead
address, or a stranger, only holds up that source. X's webhooks have threads of their own, and so do health checks: they
must never wait, or whoever watches us would kill us for a database that hangs. Everything that people and tools read
shares the rest.
"""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from urllib.parse import unquote

from gunicorn.http.message import Request

from service.intake.delivery.inbound import DELIVERIES
from service.listening.answering import Application, Open
from service.listening.connection import Connection

THREADS_OF = {"/healthz": 1, "/readyz": 1, "/webhooks/": 2}
"""What has threads of its own, by how its path begins, and how many."""

TOGETHER_AT_MOST = 64
BYTES_AT_MOST = 512 * 1024  # some thousand items: nobody should wait for seconds because others send a lot
Job = tuple[Connection, Request]


class Lanes:
    """The threads of one process. `apart` are the delivery addresses with a thread of their own."""

    def __init__(self, application: Application, threads: int, apart: Iterable[str] = ()) -> None:
        self._application = application
        self._readers = ThreadPoolExecutor(threads, "reading")
        self._quick = {begins: ThreadPoolExecutor(number, begins) for begins, number in THREADS_OF.items()}
        self._together = BatchLane(application)
        self._apart = {address: BatchLane(application) for address in apart}

    def dispatch(self, connection: Connection, request: Request) -> None:
        """Hand a request to its lane."""
        path = unquote(request.path)  # as it is routed
        if path.startswith(DELIVERIES):
            self._apart.get(path.rstrip("/").lower(), self._together).add((connection, request))
        else:
            quick = (pool for begins, pool in self._quick.items() if path.startswith(begins))
            next(quick, self._readers).submit(self._answer, connection, request)

    def _answer(self, connection: Connection, request: Request) -> None:
        """Answer in this thread, even what would have been settled with others."""
        opened = self._application.call(connection, request)
        if opened is not None:
            _settle(self._application, [opened])

    def stop(self) -> None:
        """Take nothing more; what runs may end."""
        for pool in (self._readers, *self._quick.values()):
            pool.shutdown(wait=False)


class BatchLane:
    """One thread for requests whose answers are settled together."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._queue: SimpleQueue[Job] = SimpleQueue()
        threading.Thread(target=self._run, name="deliveries", daemon=True).start()

    def add(self, job: Job) -> None:
        """Take a request."""
        self._queue.put(job)

    def _run(self) -> None:
        while True:
            _settle(self._application, self._gather())

    def _gather(self) -> list[Open]:
        """Wait for one request; call the application for it and for everything that has come by then."""
        opened: list[Open] = []
        taken = size = 0  # of all: who is refused at once comes again at once, and the others wait for the commit
        job: Job | None = self._queue.get()
        while job is not None:
            found = self._application.call(*job)
            taken += 1
            if found is None:
                size += len(job[1].body.getbuffer())
            else:
                size += len(found.later.matter)  # unpacked, a few kilobytes may be a thousand items
                opened.append(found)
            full = taken >= TOGETHER_AT_MOST or size >= BYTES_AT_MOST
            job = None if full else self._next()
        return opened

    def _next(self) -> Job | None:
        try:
            return self._queue.get_nowait()
        except Empty:
            return None


def _settle(application: Application, opened: list[Open]) -> None:
    for settle in {each.later.settle for each in opened}:
        these = [each for each in opened if each.later.settle == settle]
        try:
            settled = list(zip(these, settle([each.later.matter for each in these]), strict=True))
        except Exception as error:  # noqa: BLE001 - nobody may wait for ever for a thread that died
            settled = [(each, error) for each in these]
        for each, outcome in settled:
            application.settled(each, outcome)
