"""Which strategy a question gets: the one that was set, or the one that fits the question and the endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.strategies.contract import Question, Strategy, StrategyName


@dataclass(frozen=True)
class Chosen:
    """A strategy and the reason in words."""

    strategy: Strategy
    why: str


def choose(question: Question, strategies: Mapping[StrategyName, Strategy], wanted: str, *, logprobs: bool) -> Chosen:
    """`wanted` is a name or "auto".

    auto: closed questions are scored by log-probability where the endpoint gives them, else put to a vote over orders;
    open ones get one plain answer. Chain of thought and examples are never chosen by themselves: they cost small medical
    models accuracy (arXiv 2603.25960).
    """
    if wanted != "auto":
        strategy = strategies[wanted]  # type: ignore[index]
        if strategy.closed_only and not question.options:
            return Chosen(strategies["plain"], f"{wanted} chooses among options and the question has none")
        return Chosen(strategy, "set")
    if not question.options:
        return Chosen(strategies["plain"], "open question")
    if logprobs:
        return Chosen(strategies["option_logprobs"], "closed question, and the endpoint gives log-probabilities")
    return Chosen(strategies["permutation_voting"], "closed question")
