"""A turn as an asynchronous stream of events, for handlers that run on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from agent.events import Event, TextDelta, TurnDone
from agent.turns import RunningTurn
from core.types import Turn

SILENCE_S = 15.0
"""Proxies close connections on which nothing comes for long; a sign of life is sent this often."""


class TurnEvents:
    """The events of one turn. Made on the event loop, filled from the turn's thread; iterate once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._running: RunningTurn | None = None
        self._listen: Callable[[Event], object] | None = None

    def emit(self, event: Event) -> None:
        """Take an event from the turn's thread."""
        with suppress(RuntimeError):  # the loop has ended: the service is going down and nobody listens
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def began(self, running: RunningTurn) -> None:
        """The turn that fills this."""
        self._running = running

    def tap(self, listen: Callable[[Event], object]) -> None:
        """Also tell every event that is not the last to a listener, on the event loop, when `end` waits for it."""
        self._listen = listen

    def stop(self) -> None:
        """Stop the turn; nothing when it has ended already."""
        if self._running is not None:
            self._running.stop()

    def join(self) -> None:
        """Wait for the end of the turn's thread; blocks."""
        if self._running is not None:
            self._running.join()

    async def __aiter__(self) -> AsyncIterator[Event | None]:
        """Events up to `TurnDone`; None for every `SILENCE_S` without one.

        Text that piled up while the receiver was busy comes as one piece.
        """
        ahead: Event | None = None
        while True:
            event = ahead if ahead is not None else await self._next()
            ahead = None
            if isinstance(event, TextDelta):
                pieces = [event.text]
                while not self._events.empty():
                    ahead = self._events.get_nowait()
                    if not isinstance(ahead, TextDelta):
                        break
                    pieces.append(ahead.text)
                    ahead = None
                event = TextDelta(text="".join(pieces)) if len(pieces) > 1 else event
            yield event
            if isinstance(event, TurnDone):
                return

    async def end(self) -> Turn:
        """Wait for the turn's end."""
        async for event in self:
            if isinstance(event, TurnDone):
                return event.turn
            if event is not None and self._listen is not None:
                self._listen(event)
        raise AssertionError("a turn's events end with TurnDone")

    async def _next(self) -> Event | None:
        if not self._events.empty():
            return self._events.get_nowait()
        try:
            async with asyncio.timeout(SILENCE_S):
                return await self._events.get()
        except TimeoutError:
            return None


class Disconnecting(Protocol):
    """The one thing of a request that is needed here."""

    def is_disconnected(self) -> Awaitable[bool]:
        """Whether the client is gone."""
        ...


_LOOK_S = 0.25


async def end_or_leave(events: TurnEvents, request: Disconnecting) -> Turn:
    """The turn as it ended. When the client goes away first, the turn is stopped."""
    ending = asyncio.ensure_future(events.end())
    try:
        while not ending.done():
            await asyncio.wait({ending}, timeout=_LOOK_S)
            if not ending.done() and await request.is_disconnected():
                events.stop()
        return ending.result()
    except asyncio.CancelledError:
        events.stop()
        ending.cancel()
        raise
