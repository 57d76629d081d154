"""A badly behaved X: a real socket on loopback whose every connection runs a small script."""

import socket
import threading
from contextlib import contextmanager


class Line:
    """Runs `script(connection, line)` for each connection; remembers what was asked."""

    def __init__(self, script):
        self.script = script
        self.requests = []
        self.connections = 0
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.threads.append(threading.Thread(target=self._run, args=(connection,)))
            self.threads[-1].start()

    def _run(self, connection):
        with connection:
            try:
                self.script(connection, self)
            except OSError:
                return

    def read_request(self, connection):
        """The head and the whole body of one request; empty when the client has gone."""
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(65536)
            if not chunk:
                return b""
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
        while len(body) < int(lengths[0] if lengths else 0):
            body += connection.recv(65536)
        self.requests.append((head, body))
        return head + b"\r\n\r\n" + body

    def close(self):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)


@contextmanager
def open_line(script):
    line = Line(script)
    try:
        yield line
    finally:
        line.close()


def answer(body, *, head=b"HTTP/1.1 200 OK", extra=b""):
    return head + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n" + extra + b"\r\n" + body


def trickle(begins):
    """What begins an answer so, and then says a space now and then, as long as anybody listens."""

    def say(connection, line):
        line.read_request(connection)
        connection.sendall(begins)
        while not line.over.wait(0.02):
            connection.sendall(b" ")

    return say
