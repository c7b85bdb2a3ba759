"""Prometheus metrics. Labels are names of ours alone: no user, no conversation, no words of anyone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from core.types import Turn

MEDIA_TYPE = CONTENT_TYPE_LATEST
_TURN_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_HTTP_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_METHODS = frozenset({"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"})


class Metrics:
    """All metrics of one service, in a registry of their own."""

    def __init__(self, tools: Iterable[str], load: Callable[[], tuple[int, int]], version: str) -> None:
        self._registry = CollectorRegistry()
        self._tools = frozenset(tools)
        self._turns = Counter("consilium_turns", "Questions by how they ended", ["outcome"], registry=self._registry)
        self._turn_s = Histogram(
            "consilium_turn_seconds", "Seconds from question to answer", buckets=_TURN_S, registry=self._registry
        )
        self._calls = Counter(
            "consilium_tool_calls", "Tool calls by tool and status", ["tool", "status"], registry=self._registry
        )
        self._call_s = Histogram(
            "consilium_tool_seconds", "Seconds of a tool call", ["tool"], buckets=_TURN_S, registry=self._registry
        )
        self._tokens = Counter(
            "consilium_tokens", "Tokens as the model endpoint counted them", ["kind"], registry=self._registry
        )
        self._requests = Counter(
            "consilium_http_requests", "API requests", ["route", "method", "status"], registry=self._registry
        )
        self._request_s = Histogram(
            "consilium_http_seconds", "Seconds of an API request", ["route"], buckets=_HTTP_S, registry=self._registry
        )
        running = Gauge("consilium_turns_running", "Questions being answered", registry=self._registry)
        running.set_function(lambda: load()[0])
        waiting = Gauge("consilium_turns_waiting", "Questions that wait for a place", registry=self._registry)
        waiting.set_function(lambda: load()[1])
        Info("consilium_build", "The program", registry=self._registry).info({"version": version})

    def turn(self, turn: Turn) -> None:
        """Count a turn that ended."""
        self._turns.labels(_outcome(turn)).inc()
        if turn.answer is not None and turn.answer.provenance is not None:
            self._turn_s.observe(turn.answer.provenance.seconds)
            if used := turn.answer.provenance.model_use:
                self._tokens.labels("prompt").inc(used.prompt_tokens)
                self._tokens.labels("completion").inc(used.completion_tokens)
        for call in turn.calls:
            # A model may call a tool that there is not by any words it likes.
            name = call.name if call.name in self._tools else "unknown"
            self._calls.labels(name, call.status).inc()
            self._call_s.labels(name).observe(call.seconds)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an API request by its route's template, never its address."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._request_s.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)


def _outcome(turn: Turn) -> str:
    if turn.answer is None:
        return turn.error_kind or "fault"
    return "abstained" if turn.answer.abstained else "answered"
