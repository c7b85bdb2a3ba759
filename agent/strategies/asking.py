"""Asks on behalf of a strategy: counts calls and tokens, holds the budget, runs what is independent side by side."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from agent.models.completions import Completions, Likelihood, Reply, Request, Usage
from agent.models.tokens import estimate_messages
from core.errors import ConsiliumError, EndpointError, ToolCancelled

_HOPELESS = 3
"""So many failures without one success mean that the endpoint is away: the rest is not tried."""
_T = TypeVar("_T", Reply, Likelihood)


class BudgetReached(ConsiliumError):  # noqa: N818 - reads as the sentence it is
    """The next call would pass the budget of calls or tokens."""


@dataclass(frozen=True)
class Budget:
    """Most calls, and most tokens read and written, of one strategy on one question."""

    calls: int = 64
    tokens: int = 400_000


@dataclass
class Spent:
    """What was used so far."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    failed: int = 0
    refused: int = 0
    """Calls that were not made because the budget was used up."""

    @property
    def tokens(self) -> int:
        """Read and written together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass
class Asker:
    """One question's access to the model.

    `context` is the model's context in tokens, `answer_tokens` the most that a free-form reply may have, `parallel` how
    many calls may run at a time (1: strictly one after the other). `prompts` collects the templates used, for provenance.
    """

    completions: Completions
    budget: Budget = field(default_factory=Budget)
    context: int = 16_384
    answer_tokens: int = 768
    image_tokens: int = 1_536
    parallel: int = 1
    stopped: Callable[[], bool] = lambda: False
    spent: Spent = field(default_factory=Spent)
    prompts: dict[str, str] = field(default_factory=dict)
    _succeeded: int = 0
    _last_error: EndpointError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, request: Request) -> Reply:
        """One call.

        Raises:
            BudgetReached: it was not made.
            EndpointError: it failed; it counts as a call.
            ToolCancelled: the person stopped.
        """
        return self._counted(lambda: self.completions.chat(self._within(request)))

    def score(self, prompt: str, continuation: str) -> Likelihood:
        """Log-probability of a continuation; raises as `ask`."""
        return self._counted(lambda: self.completions.likelihood(prompt, continuation))

    def ask_all(self, requests: Sequence[Request]) -> list[Reply | None]:
        """Independent calls, replies in the order of the requests; None for each that failed or had no budget left.

        Raises:
            EndpointError: no call of this question has succeeded.
            ToolCancelled: the person stopped.
        """
        return self._all([lambda request=request: self.ask(request) for request in requests])  # type: ignore[misc]

    def score_all(self, prompt: str, continuations: Sequence[str]) -> list[Likelihood | None]:
        """Log-probabilities of several continuations; as `ask_all`."""
        return self._all([lambda text=text: self.score(prompt, text) for text in continuations])  # type: ignore[misc]

    def room(self, max_tokens: int, pictures: int = 0) -> int:
        """Tokens that a prompt may have beside a reply of `max_tokens` and the pictures."""
        return self.context - max_tokens - pictures * self.image_tokens

    def tokens_left(self) -> int:
        """Of the budget."""
        return max(0, self.budget.tokens - self.spent.tokens)

    def _within(self, request: Request) -> Request:
        """The reply is kept to what the budget has left."""
        prompt = estimate_messages(request.messages, self.image_tokens)
        return replace(request, max_tokens=max(1, min(request.max_tokens, self.tokens_left() - prompt)))

    def _all(self, calls: Sequence[Callable[[], _T]]) -> list[_T | None]:
        alone = self.parallel == 1
        done = [self._or_none(call) for call in calls] if alone else self._side_by_side(calls)
        if calls and self._succeeded == 0 and self._last_error is not None:
            raise self._last_error
        return done

    def _side_by_side(self, calls: Sequence[Callable[[], _T]]) -> list[_T | None]:
        done: list[_T | None] = []
        with ThreadPoolExecutor(self.parallel, thread_name_prefix="strategy") as pool:
            for start in range(0, len(calls), self.parallel):
                wave = calls[start : start + self.parallel]
                # Each thread runs in a copy of this context, in which the turn's open connections are noted.
                futures = [pool.submit(contextvars.copy_context().run, self._or_none, call) for call in wave]
                done += [future.result() for future in futures]
        return done

    def _or_none(self, call: Callable[[], _T]) -> _T | None:
        if self._succeeded == 0 and self.spent.failed >= _HOPELESS:
            return None
        try:
            return call()
        except BudgetReached:
            return None
        except EndpointError as error:
            self._last_error = error
            return None

    def _counted(self, call: Callable[[], _T]) -> _T:
        if self.stopped():
            raise ToolCancelled("Stopped.")
        with self._lock:
            if self.spent.calls >= self.budget.calls or self.tokens_left() == 0:
                self.spent.refused += 1
                raise BudgetReached(
                    f"The budget of {self.budget.calls} calls and {self.budget.tokens} tokens is used up: "
                    f"{self.spent.calls} calls, {self.spent.tokens} tokens."
                )
            self.spent.calls += 1
        try:
            reply = call()
        except EndpointError:
            if self.stopped():  # the connection was cut because the person stopped
                raise ToolCancelled("Stopped.") from None
            with self._lock:
                self.spent.failed += 1
            raise
        self._add(reply.usage)
        return reply

    def _add(self, usage: Usage) -> None:
        with self._lock:
            self._succeeded += 1
            self.spent.prompt_tokens += usage.prompt_tokens
            self.spent.completion_tokens += usage.completion_tokens
            self.spent.estimated |= usage.estimated
