"""Who is answered next: turns run in a few places, and those who wait for one are taken round-robin by owner.

One person with twenty questions does not keep another with one waiting behind all of them. The queue is bounded, as a
whole and per owner: who finds it full is told so at once, with the seconds after which trying again makes sense.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.errors import TooBusy, ToolCancelled

_POLL_S = 0.05
_FIRST_GUESS_S = 5.0


class Ticket:
    """A place in the queue. `FairQueue.place` waits with it and frees the running place afterwards."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.called = threading.Event()


class FairQueue:
    """At most `running` turns at once, `waiting` behind them, `per_owner` of one owner in both together.

    Safe to use from several threads. Within an owner first come is first served; between owners it goes round.
    """

    def __init__(self, running: int, waiting: int, per_owner: int) -> None:
        self._places = running
        self._most = waiting
        self._per_owner = per_owner
        self._lock = threading.Lock()
        self._active: dict[str, int] = {}
        self._lines: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._mean_s = _FIRST_GUESS_S

    @property
    def running(self) -> int:
        """Turns that run now."""
        with self._lock:
            return sum(self._active.values())

    @property
    def waiting(self) -> int:
        """Turns that wait now."""
        with self._lock:
            return self._waiting()

    def enter(self, owner: str) -> Ticket:
        """Take a place, running or waiting.

        Raises:
            TooBusy: the queue is full, or the owner has as many questions in it as one may have.
        """
        with self._lock:
            mine = self._active.get(owner, 0) + len(self._lines.get(owner, ()))
            if mine >= self._per_owner:
                raise TooBusy(
                    f"At most {self._per_owner} questions of one user are answered or wait at a time; "
                    f"{mine} of yours do.", self._mean_s,
                )  # fmt: skip
            ticket = Ticket(owner)
            if sum(self._active.values()) < self._places:
                self._call(ticket)
                return ticket
            if self._waiting() >= self._most:
                wait = self._mean_s * (self._most + 1) / self._places
                raise TooBusy(f"All {self._places} places are taken and {self._most} questions wait already.", wait)
            self._lines.setdefault(owner, deque()).append(ticket)
            return ticket

    @contextmanager
    def place(self, ticket: Ticket, cancelled: threading.Event, tell: Callable[[int], None]) -> Iterator[None]:
        """Wait for the ticket's turn, hold a running place, free it.

        Args:
            ticket: from `enter`.
            cancelled: gives the wait up.
            tell: called with the position, 1 for the next one, whenever it changes.

        Raises:
            ToolCancelled: `cancelled` was set while waiting.
        """
        started = 0.0
        try:
            self._wait(ticket, cancelled, tell)
            started = time.monotonic()
            yield
        finally:
            self._leave(ticket, time.monotonic() - started if started else None)

    def give_up(self, ticket: Ticket) -> None:
        """Free a ticket that `place` was never entered with."""
        self._leave(ticket, None)

    def position(self, ticket: Ticket) -> int:
        """Which one the ticket is in the order in which places will be given: 1 is next, 0 runs already."""
        with self._lock:
            if ticket.called.is_set():
                return 0
            ahead = 0
            depth = list(self._lines[ticket.owner]).index(ticket)
            seen_own = False
            for owner, line in self._lines.items():
                seen_own = seen_own or owner == ticket.owner
                ahead += min(len(line), depth if owner == ticket.owner or seen_own else depth + 1)
            return ahead + 1

    def _wait(self, ticket: Ticket, cancelled: threading.Event, tell: Callable[[int], None]) -> None:
        told = 0
        while not ticket.called.wait(_POLL_S if told else 0):
            if cancelled.is_set():
                raise ToolCancelled("Stopped.")
            now = self.position(ticket)
            if now and now != told:
                told = now
                tell(now)

    def _leave(self, ticket: Ticket, seconds: float | None) -> None:
        with self._lock:
            if not ticket.called.is_set():
                self._lines[ticket.owner].remove(ticket)
                self._drop_if_empty(ticket.owner)
                return
            left = self._active[ticket.owner] - 1
            if left:
                self._active[ticket.owner] = left
            else:
                del self._active[ticket.owner]
            if seconds is not None:
                self._mean_s = 0.8 * self._mean_s + 0.2 * seconds
            self._call_next()

    def _call_next(self) -> None:
        if not self._lines or sum(self._active.values()) >= self._places:
            return
        owner, line = next(iter(self._lines.items()))
        ticket = line.popleft()
        self._lines.move_to_end(owner)
        self._drop_if_empty(owner)
        self._call(ticket)

    def _call(self, ticket: Ticket) -> None:
        self._active[ticket.owner] = self._active.get(ticket.owner, 0) + 1
        ticket.called.set()

    def _drop_if_empty(self, owner: str) -> None:
        if not self._lines[owner]:
            del self._lines[owner]

    def _waiting(self) -> int:
        return sum(len(line) for line in self._lines.values())
