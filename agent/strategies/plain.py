"""One call: the letter of an option, or the answer to an open question. What every other strategy is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from agent.models.completions import Request
from agent.strategies.asking import Asker
from agent.strategies.contract import Outcome, Question, StrategyName
from agent.strategies.parsing import parse_choice, without_thoughts
from agent.strategies.voting import majority, told
from agent.strategies.wording import LETTER_TOKENS, body, rendered, user


@dataclass(frozen=True)
class Plain:
    """Asks once, without sampling."""

    name: StrategyName = "plain"
    closed_only: bool = False

    def answer(self, question: Question, asker: Asker) -> Outcome:
        """One call."""
        if not question.options:
            parts = body(question, asker, asker.answer_tokens)
            words = rendered(asker, "strategy_open", evidence=parts["evidence"], question=parts["question"])
            reply = asker.ask(Request((user(words, question.pictures),), asker.answer_tokens))
            return Outcome(strategy=self.name, text=without_thoughts(reply.text), notes=told(asker))
        words = rendered(asker, "strategy_direct", **body(question, asker, LETTER_TOKENS))
        reply = asker.ask(Request((user(words, question.pictures),), LETTER_TOKENS))
        vote = parse_choice(reply.text, question.options)
        return majority(self.name, question, [vote], asker, unparsed=int(vote is None))
