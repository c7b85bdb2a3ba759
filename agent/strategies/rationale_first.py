"""The rationale before the answer, in two calls.

After the two-stage reasoning of MedThink (Gai et al. 2024, "MedThink: Explaining Medical Visual Question Answering via
Multimodal Decision-Making Rationale"): the first call writes the decision's rationale, the second answers with it in view.
The paper trains a model for this; here an untrained one is asked, so its figures do not carry over.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.models.completions import Request
from agent.strategies.asking import Asker, BudgetReached
from agent.strategies.contract import Outcome, Question, StrategyName
from agent.strategies.parsing import parse_choice, without_thoughts
from agent.strategies.voting import majority, told
from agent.strategies.wording import body, closing, rendered, user


@dataclass(frozen=True)
class RationaleFirst:
    """Rationale, then answer; both without sampling."""

    name: StrategyName = "rationale_first"
    closed_only: bool = False

    def answer(self, question: Question, asker: Asker) -> Outcome:
        """Two calls, the second with the first one's words."""
        limit = asker.answer_tokens
        words = rendered(asker, "strategy_rationale", **body(question, asker, limit))
        first = asker.ask(Request((user(words, question.pictures),), limit))
        rationale = without_thoughts(first.text)
        parts = body(question, asker, limit, extra=rationale)
        words = rendered(asker, "strategy_rationale_answer", rationale=rationale, closing=closing(question, asker), **parts)
        try:
            text = without_thoughts(asker.ask(Request((user(words, question.pictures),), limit)).text)
        except BudgetReached:
            return Outcome(strategy=self.name, text=rationale, notes=told(asker))
        if not question.options:
            return Outcome(strategy=self.name, text=text, notes=told(asker))
        vote = parse_choice(text, question.options)
        return majority(self.name, question, [vote], asker, unparsed=int(vote is None), text=rationale)
