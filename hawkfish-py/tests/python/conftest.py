"""A service on the simulator, which whoever runs the tests has started, and small ones for what a good service never does."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, NamedTuple, Optional

import pytest


class Service(NamedTuple):
    url: str
    username: str
    password: str


@pytest.fixture(scope="session")
def service() -> Service:
    """Simulated machines whose time goes on by itself."""
    told = os.environ.get("HAWKFISH_TEST_SERVICE", "").split()
    if len(told) != 3:
        missing = "HAWKFISH_TEST_SERVICE is missing; cargo nextest run -p hawkfish-py starts a service"
        if os.environ.get("HAWKFISH_TEST_REQUIRE") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return Service(*told)


class Answer(NamedTuple):
    status: int
    body: Optional[dict[str, Any]] = None
    headers: dict[str, str] = {}


class Asked(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Mock:
    """Answers as a function says, and notes what it was asked."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        mock = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, json.loads(body) if body else None)
                mock.asked.append(asked)
                given = answer(asked)
                sent = json.dumps(given.body).encode() if given.body is not None else b""
                self.send_response(given.status)
                for name, value in given.headers.items():
                    self.send_header(name, value)
                if given.status != 204:
                    self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


Start = Callable[[Callable[[Asked], Answer]], Mock]


@pytest.fixture
def mock() -> Iterator[Start]:
    started: list[Mock] = []

    def start(answer: Callable[[Asked], Answer]) -> Mock:
        started.append(Mock(answer))
        return started[-1]

    yield start
    for each in started:
        each.close()
