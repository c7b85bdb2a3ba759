"""Near solved questions as examples, with reasoning that the model made itself; shuffled options; a majority vote.

Medprompt (Nori et al. 2023, "Can Generalist Foundation Models Outcompete Special-Purpose Tuning? Case Study in Medicine"):
1. the k training questions nearest to the question by embedding (k = 5),
2. each with a chain of thought written by the model, kept only if it led to the right answer,
3. the question asked several times (5) with its options shuffled, and a majority vote.
The reasoning is made when an example is first needed and kept between runs. Chain of thought and examples cost small
medical models accuracy (arXiv 2603.25960), so this is chosen by a person, never by default.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from agent.models.completions import Message, Request
from agent.models.tokens import estimate_messages
from agent.strategies.asking import Asker, BudgetReached
from agent.strategies.contract import Outcome, Question, Sampling, StrategyName
from agent.strategies.examples import ExamplePool, Solved, Thoughts
from agent.strategies.parsing import parse_choice, without_thoughts
from agent.strategies.voting import Order, majority, original, reordered
from agent.strategies.wording import body, rendered, user
from core.errors import EndpointError

_TEMPLATE = "strategy_thought"


@dataclass(frozen=True)
class Medprompt:
    """`neighbours` examples, `votes` shuffles; at most `tries` questions are worked through to find the examples."""

    pool: ExamplePool
    neighbours: int = 5
    votes: int = 5
    tries: int = 15
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.0))
    name: StrategyName = "medprompt"
    closed_only: bool = True

    def answer(self, question: Question, asker: Asker) -> Outcome:
        """One call for each example whose reasoning is not known yet, then `votes` calls."""
        examples, note = self._examples(question, asker)
        orders = shuffles(len(question.options), self.votes, self.sampling.seed)
        requests = [self._request(question, order, examples, asker) for order in orders]
        cast: list[str | None] = []
        texts: list[str] = []
        unparsed = 0
        for order, reply in zip(orders, asker.ask_all(requests), strict=True):
            vote, text = None, without_thoughts(reply.text) if reply is not None else ""
            if reply is not None:
                letter = parse_choice(text, reordered(question.options, order))
                vote = original(letter, question.options, order) if letter else None
                unparsed += vote is None
            cast.append(vote)
            texts.append(text)
        return majority(self.name, question, cast, asker, unparsed=unparsed, notes=note)

    def _examples(self, question: Question, asker: Asker) -> tuple[list[tuple[Solved, str]], tuple[str, ...]]:
        rendered(asker, _TEMPLATE, evidence="", question="", options="")  # notes the hash that the reasoning is kept under
        thoughts = self.pool.thoughts(asker.completions.endpoint.model, asker.prompts[_TEMPLATE])
        found: list[tuple[Solved, str]] = []
        for tried, item in enumerate(self.pool.nearest(question.text)):
            if len(found) == self.neighbours or tried == self.tries:
                break
            try:
                reasoning = self._reasoning(item, thoughts, asker)
            except BudgetReached:
                break
            except EndpointError:
                continue
            if reasoning:
                found.append((item, reasoning))
        missing = self.neighbours - len(found)
        note = f"Only {len(found)} of {self.neighbours} examples were found whose own reasoning led to the right answer."
        return found, (note,) if missing else ()

    def _reasoning(self, item: Solved, thoughts: Thoughts, asker: Asker) -> str:
        known = thoughts.get(item)
        if known is not None:
            return known
        words = rendered(asker, _TEMPLATE, **body(item.asked(), asker, asker.answer_tokens))
        text = without_thoughts(asker.ask(Request((user(words),), asker.answer_tokens)).text)
        kept = text if parse_choice(text, item.options) == item.answer else ""
        thoughts.keep(item, kept)
        return kept

    def _request(self, question: Question, order: Order, examples: list[tuple[Solved, str]], asker: Asker) -> Request:
        options = reordered(question.options, order)
        asked = rendered(asker, _TEMPLATE, **body(question, asker, asker.answer_tokens, options=options))
        last = user(asked, question.pictures)
        shown: list[Message] = []
        room = asker.room(asker.answer_tokens) - estimate_messages([last], asker.image_tokens)
        for item, reasoning in examples:  # nearest first: those that do not fit are the farthest
            words = rendered(asker, _TEMPLATE, **body(item.asked(), asker, asker.answer_tokens))
            pair: list[Message] = [user(words), {"role": "assistant", "content": reasoning}]
            room -= estimate_messages(pair)
            if room < 0:
                break
            shown = [*pair, *shown]  # the nearest stands next to the question
        return Request((*shown, last), asker.answer_tokens, self.sampling.temperature, self.sampling.seed)


def shuffles(count: int, votes: int, seed: int) -> list[Order]:
    """`votes` random orders; the first is the order as asked. The same seed gives the same orders."""
    shuffler = random.Random(seed)  # noqa: S311 - no secret
    orders = [tuple(range(count))]
    while len(orders) < votes:
        order = list(range(count))
        shuffler.shuffle(order)
        orders.append(tuple(order))
    return orders
