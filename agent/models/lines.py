"""The connections of a running turn, so that a stop reaches the endpoint at once.

A blocking read cannot be told to stop from another thread, but its socket can be shut: the read ends, and the server sees
its client leave and stops generating. The transport makes a new connection for every request and notes its socket
with the turn that runs in this context.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

import httpx


class Lines:
    """The open connections of one turn."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._cut = False
        self._lock = threading.Lock()

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
            for connection in self._sockets:
                _shut(connection)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it may have ended by itself
        connection.shutdown(socket.SHUT_RDWR)


_current: ContextVar[Lines | None] = ContextVar("lines", default=None)


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
        return super().handle_request(request)
