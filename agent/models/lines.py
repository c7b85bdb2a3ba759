"""The connections of a running turn: counted, cut by a stop, and patient with an endpoint that is busy.

A blocking read cannot be told to stop from another thread, but its socket can be shut: the read ends, and the server sees
its client leave and stops generating. The transport makes a new connection for every request and notes its socket
with the turn that runs in this context.

An endpoint that answers 429 or 503 and says when to come back (Retry-After) is asked again then, as long as the turn's
budget of waiting lasts. Without that header, or past the budget, the answer goes on to the caller as it is.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

_BUSY = (429, 503)


class Lines:
    """The open connections of one turn. `requests` counts what was sent to the model, `waited_s` the waiting."""

    def __init__(self) -> None:
        self.requests = 0
        self.waited_s = 0.0
        self.on_wait: Callable[[float], None] = lambda seconds: None
        self.on_sent: Callable[[], None] = lambda: None
        self.patience_s = 0.0
        self._sockets: list[socket.socket] = []
        self._cut = False
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def sent(self) -> None:
        """A request goes out."""
        with self._lock:
            self.requests += 1
        self.on_sent()

    def wait(self, seconds: float) -> bool:
        """Wait if the budget allows it; whether the request may be sent again."""
        with self._lock:
            if self._cut or self.waited_s + seconds > self.patience_s:
                return False
            self.waited_s += seconds
        self.on_wait(seconds)
        return not self._stop.wait(seconds)

    def note(self, connection: socket.socket) -> None:
        """A connection was opened; it is shut at once when the turn was already stopped."""
        with self._lock:
            self._sockets.append(connection)
            if self._cut:
                _shut(connection)

    def cut(self) -> None:
        """Shut every connection, now and later."""
        with self._lock:
            self._cut = True
            self._stop.set()
            for connection in self._sockets:
                _shut(connection)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it may have ended by itself
        connection.shutdown(socket.SHUT_RDWR)


_current: ContextVar[Lines | None] = ContextVar("lines", default=None)


def current() -> Lines | None:
    """The lines of the turn that runs in this context."""
    return _current.get()


@contextmanager
def noted_in(lines: Lines) -> Iterator[None]:
    """Requests made within this context are noted in `lines`."""
    token = _current.set(lines)
    try:
        yield
    finally:
        _current.reset(token)


class NotedTransport(httpx.HTTPTransport):
    """Notes the socket of each request with the turn that makes it."""

    def __init__(self) -> None:
        # A kept connection would not be opened again, and so not be noted.
        super().__init__(limits=httpx.Limits(max_keepalive_connections=0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its connection can be cut while it waits."""
        lines = _current.get()

        def trace(event: str, info: dict[str, object]) -> None:
            if lines is not None and event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
                connection = getattr(info["return_value"], "get_extra_info")("socket")  # noqa: B009 - untyped
                lines.note(connection)

        request.extensions = {**request.extensions, "trace": trace}
        while True:
            if lines is not None and request.method == "POST":
                lines.sent()
            response = super().handle_request(request)
            seconds = retry_after(response)
            if lines is None or seconds is None or not lines.wait(seconds):
                return response
            response.close()


def retry_after(response: httpx.Response) -> float | None:
    """Seconds after which a busy endpoint wants to be asked again; None when it is not busy or does not say.

    The header is a number of seconds or an HTTP date (RFC 9110, 10.2.3).
    """
    told = response.headers.get("Retry-After", "").strip()
    if response.status_code not in _BUSY or not told:
        return None
    if re.fullmatch(r"\d+(?:\.\d+)?", told):
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
