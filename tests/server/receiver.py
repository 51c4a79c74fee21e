"""Somebody who is told of jobs: a web server that notes what it gets, and fails when it should."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.patience import PATIENCE_S


@dataclass(frozen=True)
class Told:
    """A message that has come."""

    path: str
    title: str
    body: str
    mood: str


class Webhook(ThreadingHTTPServer):
    """Takes messages at any path. Its port is its own, also before it listens there.

    Attributes
    ----------
    answers
        By path, the codes that it answers one after the other; 0 for none at all. Afterwards 200.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.server_bind()
        self.answers: dict[str, list[int]] = {}
        self.got: queue.Queue[Told] = queue.Queue()
        self.released = threading.Event()

    def url(self, path: str) -> str:
        """The URL of a path as Apprise writes it, with a password."""
        return f"json://me:the-password@127.0.0.1:{self.server_port}/{path}"

    def next(self) -> Told:
        """The next message."""
        return self.got.get(timeout=PATIENCE_S)

    @property
    def rest(self) -> list[Told]:
        """What has come and nobody has looked at."""
        found = []
        while not self.got.empty():
            found.append(self.got.get())
        return found


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        told: dict[str, Any] = json.loads(self.rfile.read(length))
        path = self.path.strip("/")
        several = self.server.answers.get(path, [])
        code = several.pop(0) if several else 200
        self.server.got.put(Told(path, told["title"], told["message"], told["type"]))
        if code == 0:
            self.server.released.wait(PATIENCE_S)
            code = 500
        try:
            self.send_response(code)
            if 300 <= code < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:
            pass  # whoever asked waits no longer

    def do_GET(self) -> None:  # who is sent on asks for a page
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def webhook() -> Iterator[Webhook]:
    """One that takes messages for as long as it is wanted."""
    with Webhook() as made, taking(made):
        yield made


@contextmanager
def taking(made: Webhook) -> Iterator[None]:
    """Take messages for a while; before that whoever tells one is refused, as nobody listens."""
    made.server_activate()
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        made.released.set()
        made.shutdown()
        thread.join()
