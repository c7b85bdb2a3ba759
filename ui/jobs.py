"""Questions being answered in the background: closing the page does not end one, and coming back finds it again."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from agent.events import Event, TurnDone
from core.errors import ConsiliumError
from ui.render import Live

_LOG = logging.getLogger(__name__)
_FAULT = "This question could not be answered because of a fault in Consilium. Ask again."
_KEPT = 256
_TICK_S = 1.0
_GATHER_S = 0.08
"""Changes that come closer together than this are told as one: a page draws no faster."""

Ask = Callable[[threading.Event], Iterator[Event]]


@dataclass
class Job:
    """A question of a conversation, from its first event to its last."""

    owner: str
    conversation: str
    live: Live
    stop: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    failure: str = ""
    began: float = field(default_factory=time.monotonic)
    version: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def follow(self) -> Iterator[Live]:
        """What the question looks like whenever something changes, and each second for the time left; ends with it."""
        seen = -1
        while True:
            with self.changed:
                if self.version == seen and not self.done:
                    self.changed.wait(_TICK_S)
                done, seen = self.done, self.version
            yield self.live
            if done:
                return
            time.sleep(_GATHER_S)

    def run(self, ask: Ask) -> None:
        """Take in the events of the turn, in this thread."""
        try:
            for event in ask(self.stop):
                if isinstance(event, TurnDone):
                    break
                self._tell(event)
        except ConsiliumError as error:
            self.failure = str(error)
        except Exception:  # the page must not stay in its running state
            _LOG.exception("A turn ended by an unexpected error")
            self.failure = _FAULT
        with self.changed:
            self.done = True
            self.changed.notify_all()

    def halt(self) -> None:
        """Ask it to stop; the page shows so at once."""
        self.stop.set()
        with self.changed:
            self.live.stopping = True
            self.version += 1
            self.changed.notify_all()

    def _tell(self, event: Event) -> None:
        with self.changed:
            self.live.take(event)
            self.version += 1
            self.changed.notify_all()


class Jobs:
    """The questions of this process, at most one a conversation, and the last ones that ended. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: OrderedDict[tuple[str, str], Job] = OrderedDict()

    def begin(self, owner: str, conversation: str, question: str, ask: Ask) -> Job | None:
        """Answer in a thread of its own; None when a question of the conversation is being answered already."""
        key = (owner, conversation)
        with self._lock:
            before = self._jobs.get(key)
            if before is not None and not before.done:
                return None
            job = Job(owner, conversation, Live(question))
            self._jobs[key] = job
            self._jobs.move_to_end(key)
            self._forget()
        threading.Thread(target=job.run, args=(ask,), daemon=True, name="question").start()
        return job

    def of(self, owner: str, conversation: str) -> Job | None:
        """The question being answered in a conversation."""
        with self._lock:
            job = self._jobs.get((owner, conversation))
        return job if job is not None and not job.done else None

    def all_of(self, owner: str) -> tuple[Job, ...]:
        """An owner's questions, running and lately ended, oldest first."""
        with self._lock:
            return tuple(job for (name, _), job in self._jobs.items() if name == owner)

    def stop(self, owner: str, conversation: str) -> bool:
        """Ask the running question to stop; whether there was one."""
        job = self.of(owner, conversation)
        if job is not None:
            job.halt()
        return job is not None

    def _forget(self) -> None:
        ended = [key for key, job in self._jobs.items() if job.done]
        for key in ended[: max(len(self._jobs) - _KEPT, 0)]:
            del self._jobs[key]


class Watching:
    """Which conversation each open page shows, so that a question goes on being told only to pages that show it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._count = 0

    def show(self, page: str, conversation: str) -> int:
        """A page shows a conversation from now on; the number tells this time from others."""
        with self._lock:
            self._count += 1
            self._pages[page] = (conversation, self._count)
            self._pages.move_to_end(page)
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
            return self._count

    def still(self, page: str, number: int) -> bool:
        """Whether the page has shown nothing else since."""
        with self._lock:
            return self._pages.get(page, ("", 0))[1] == number
