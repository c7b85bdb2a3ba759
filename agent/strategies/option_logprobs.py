"""Options scored by the model's own probabilities; nothing is generated, so nothing can fail to be read.

`cloze`: the log-probability of each option's words after the question, per token; one call an option. This was the best way
of asking in arXiv 2603.25960 (abstract). It needs an endpoint that echoes log-probabilities on `/completions` (vLLM does)
and takes no pictures. `letters`: the probability of each letter as the first token, averaged over all cyclic orders of the
options, for endpoints that only tell the first token's alternatives; one call an order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agent.models.completions import Request
from agent.strategies.asking import Asker
from agent.strategies.contract import Outcome, Question, StrategyName
from agent.strategies.voting import decide, original, reordered, rotations, told
from agent.strategies.wording import body, rendered, user

_ALTERNATIVES = 20
"""The most that vLLM gives by default (`--max-logprobs`)."""


@dataclass(frozen=True)
class OptionLogprobs:
    """`votes` of the outcome are shares that sum to 1: a ranking, not a calibrated probability."""

    scoring: Literal["cloze", "letters"] = "cloze"
    name: StrategyName = "option_logprobs"
    closed_only: bool = True

    def answer(self, question: Question, asker: Asker) -> Outcome:
        """One call for each option (cloze) or order (letters)."""
        if self.scoring == "letters" or question.pictures:
            return self._by_letters(question, asker)
        parts = body(question, asker, max(len(option.text) for option in question.options), options=())
        prompt = rendered(asker, "strategy_cloze", evidence=parts["evidence"], question=parts["question"])
        scores = asker.score_all(prompt, [f" {option.text}" for option in question.options])
        if any(score is None for score in scores):
            # Options that were not scored cannot lose: no choice is made.
            return Outcome(
                strategy=self.name, failed=asker.spent.failed, notes=("Not every option was scored.", *told(asker))
            )
        likely = {o.letter: s.per_token for o, s in zip(question.options, scores, strict=True) if s is not None}
        votes = _shares(likely)
        choice, tied = decide(votes, question.letters)
        return Outcome(
            strategy=self.name, choice=choice, votes=votes, tied=tied, failed=asker.spent.failed, notes=told(asker)
        )  # fmt: skip

    def _by_letters(self, question: Question, asker: Asker) -> Outcome:
        orders = rotations(len(question.options))
        requests = []
        for order in orders:
            options = reordered(question.options, order)
            words = rendered(asker, "strategy_direct", **body(question, asker, 1, options=options))
            requests.append(Request((user(words, question.pictures),), 1, top_logprobs=_ALTERNATIVES))
        sums = dict.fromkeys(question.letters, 0.0)
        read = unparsed = 0
        for order, reply in zip(orders, asker.ask_all(requests), strict=True):
            if reply is None:
                continue
            shares = letter_shares(reply.first_token, question.letters)
            unparsed += not shares
            read += bool(shares)
            for letter, share in shares.items():
                sums[original(letter, question.options, order)] += share
        votes = {letter: value / read for letter, value in sums.items()} if read else {}
        choice, tied = decide(votes, question.letters)
        return Outcome(
            strategy=self.name, choice=choice, votes=votes, tied=tied, unparsed=unparsed, failed=asker.spent.failed,
            notes=told(asker),
        )  # fmt: skip


def letter_shares(alternatives: Mapping[str, float], letters: tuple[str, ...]) -> dict[str, float]:
    """Probability of each letter among the first token's alternatives, scaled to sum to 1; empty when none is there.

    "B", " B" and "▁B" are the same letter.
    """
    mass = dict.fromkeys(letters, 0.0)
    for token, logprob in alternatives.items():
        letter = token.strip(" \t\n▁Ġ(*")
        if letter in mass:
            mass[letter] += math.exp(logprob)
    total = sum(mass.values())
    return {letter: value / total for letter, value in mass.items()} if total > 0 else {}


def _shares(scores: Mapping[str, float]) -> dict[str, float]:
    highest = max(scores.values())
    raised = {letter: math.exp(value - highest) for letter, value in scores.items()}
    total = sum(raised.values())
    return {letter: value / total for letter, value in raised.items()}
