"""The same question with its options in every cyclic order, and a majority vote.

Small medical models choose by position: on MedMCQA and PubMedQA another order of the options changed 59.1 % of MedGemma's
answers, and voting over orders gained 4 points where chain of thought and few-shot examples lost (abstract of
arXiv 2603.25960). Cyclic orders (each option once at each place, as in Zheng et al. 2024, "Large Language Models Are Not
Robust Multiple Choice Selectors", ICLR) need as many calls as there are options.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.models.completions import Request
from agent.strategies.asking import Asker
from agent.strategies.contract import Outcome, Question, StrategyName
from agent.strategies.parsing import parse_choice
from agent.strategies.voting import majority, original, reordered, rotations
from agent.strategies.wording import LETTER_TOKENS, body, rendered, user


@dataclass(frozen=True)
class PermutationVoting:
    """One call for each cyclic order, without sampling. A tie goes to the vote cast first, that of the order as asked."""

    name: StrategyName = "permutation_voting"
    closed_only: bool = True

    def answer(self, question: Question, asker: Asker) -> Outcome:
        """As many calls as there are options."""
        orders = rotations(len(question.options))
        requests = []
        for order in orders:
            options = reordered(question.options, order)
            words = rendered(asker, "strategy_direct", **body(question, asker, LETTER_TOKENS, options=options))
            requests.append(Request((user(words, question.pictures),), LETTER_TOKENS))
        cast: list[str | None] = []
        unparsed = 0
        for order, reply in zip(orders, asker.ask_all(requests), strict=True):
            vote = None
            if reply is not None:
                letter = parse_choice(reply.text, reordered(question.options, order))
                vote = original(letter, question.options, order) if letter else None
                unparsed += vote is None
            cast.append(vote)
        return majority(self.name, question, cast, asker, unparsed=unparsed)
