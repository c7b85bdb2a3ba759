"""Several drafts, then several refined answers that have read all drafts, then a vote.

Ensemble refinement of Med-PaLM 2 (Singhal et al., "Toward expert-level medical question answering with large language
models", Nature Medicine 2025; 11 samples in the first stage and 33 in the second). For open questions, which cannot be
voted on, the drafts are followed by one refined answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.models.completions import Request
from agent.models.tokens import estimate_text
from agent.strategies.asking import Asker, BudgetReached
from agent.strategies.contract import Outcome, Question, Sampling, StrategyName
from agent.strategies.parsing import parse_choice, without_thoughts
from agent.strategies.voting import majority, told
from agent.strategies.wording import body, closing, fitting, rendered, user

_BESIDE = 400
"""Tokens of the template around the drafts."""


@dataclass(frozen=True)
class EnsembleRefinement:
    """`samples` drafts and `refinements` refined answers, all sampled."""

    samples: int = 11
    refinements: int = 33
    sampling: Sampling = field(default_factory=Sampling)
    name: StrategyName = "ensemble_refinement"
    closed_only: bool = False

    def answer(self, question: Question, asker: Asker) -> Outcome:
        """`samples` + `refinements` calls; `samples` + 1 for an open question."""
        template = "strategy_thought" if question.options else "strategy_open"
        parts = body(question, asker, asker.answer_tokens)
        if not question.options:
            parts = {"evidence": parts["evidence"], "question": parts["question"]}
        first = self._request(rendered(asker, template, **parts), question, asker)
        drafts = [
            without_thoughts(reply.text)
            for reply in asker.ask_all([self._seeded(first, number) for number in range(self.samples)])
            if reply is not None
        ]
        if not drafts:
            raise BudgetReached(told(asker)[0])
        second, note = self._refining(question, drafts, asker)
        if not question.options:
            return self._one(second, drafts, note, asker)
        replies = asker.ask_all([self._seeded(second, self.samples + number) for number in range(self.refinements)])
        texts = [without_thoughts(reply.text) if reply is not None else None for reply in replies]
        cast = [parse_choice(text, question.options) if text is not None else None for text in texts]
        unparsed = sum(text is not None and vote is None for text, vote in zip(texts, cast, strict=True))
        if not any(texts):  # the budget ended after the drafts: they vote
            cast = [parse_choice(draft, question.options) for draft in drafts]
            texts = list(drafts)
            unparsed = cast.count(None)
            note = (*note, "No refined answer was made; the drafts voted.")
        outcome = majority(self.name, question, cast, asker, unparsed=unparsed, notes=note)
        best = next((text for text, vote in zip(texts, cast, strict=True) if text and vote == outcome.choice), "")
        return outcome.model_copy(update={"text": best})

    def _one(self, request: Request, drafts: list[str], note: tuple[str, ...], asker: Asker) -> Outcome:
        try:
            text = without_thoughts(asker.ask(request).text)
        except BudgetReached:
            text, note = drafts[0], (*note, "No refined answer was made; this is the first draft.")
        return Outcome(strategy=self.name, text=text, failed=asker.spent.failed, notes=(*note, *told(asker)))

    def _refining(self, question: Question, drafts: list[str], asker: Asker) -> tuple[Request, tuple[str, ...]]:
        """The request with as many drafts as fit: evidence is kept before drafts."""
        numbered = [f"Draft {number}\n{draft}\n" for number, draft in enumerate(drafts, start=1)]
        beside = estimate_text("".join((question.text, *question.evidence, *(o.text for o in question.options)))) + _BESIDE
        room = asker.room(asker.answer_tokens, len(question.pictures)) - beside
        kept = fitting(numbered, room) or numbered[:1]
        parts = body(question, asker, asker.answer_tokens, extra="\n".join(kept))
        words = rendered(asker, "strategy_refine", drafts="\n".join(kept), closing=closing(question, asker), **parts)
        note = (
            (f"Only {len(kept)} of {len(drafts)} drafts fit into the model's context.",) if len(kept) < len(drafts) else ()
        )
        return self._request(words, question, asker), note

    def _request(self, words: str, question: Question, asker: Asker) -> Request:
        return Request((user(words, question.pictures),), asker.answer_tokens, self.sampling.temperature)

    def _seeded(self, request: Request, number: int) -> Request:
        return Request(request.messages, request.max_tokens, request.temperature, self.sampling.seed + number)
