"""The agent's answer made by a strategy: over the evidence that its tools found, with the vote told as what it is.

The model's own last message is the draft. For a closed question the strategy chooses the option, and the sentences beside
the choice are the draft's, when it chose the same, or the model's account of the evidence for and against. For an open
one the strategy's text takes the draft's place. Either way every sentence is checked against the evidence afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage

from agent.adapters import evidence_text
from agent.events import Notice, TextDelta
from agent.ledger import TurnRun
from agent.models.completions import Request
from agent.strategies.asking import Asker, BudgetReached
from agent.strategies.choose import Chosen, choose
from agent.strategies.closed import as_question
from agent.strategies.contract import Outcome, Question, Strategy, StrategyName
from agent.strategies.parsing import parse_choice, without_thoughts
from agent.strategies.voting import told
from agent.strategies.wording import body, rendered, user
from core.errors import EndpointError
from core.types import Choice, StrategyUse

_FEWEST_WORDS = 6
"""A draft that is shorter says no more than the letter."""
CHOSE = "The model chose"
_SAID = re.compile(
    r"\A(?:the )?(?:correct |final )?answer(?: is|:)\W*[A-J]\b[).:*\s]*"
    r"|\s*(?:the )?(?:correct |final )?answer(?: is|:)\W*[A-J]\b\W*\Z",
    re.IGNORECASE,
)
"""The letter in the draft, which the sentence before it says already."""


@dataclass(frozen=True)
class Ways:
    """The strategies of an endpoint. `wanted` is a name or "auto"; `new_asker` takes what tells that a turn was stopped."""

    strategies: Mapping[StrategyName, Strategy]
    wanted: str
    logprobs: bool
    new_asker: Callable[[Callable[[], bool]], Asker]
    seed: int = 1

    def choose(self, text: str) -> Chosen:
        """The strategy for a question."""
        return choose(as_question(text), self.strategies, self.wanted, logprobs=self.logprobs)


def answered(draft: AIMessage, asked: str, pictures: Sequence[str], run: TurnRun, ways: Ways, chosen: Chosen) -> AIMessage:
    """The draft, or the message that a strategy makes of it; costs and votes are noted in the run."""
    name = chosen.strategy.name
    if name == "plain":
        run.strategy = StrategyUse(name=name, why=chosen.why, calls=0, prompt_tokens=0, completion_tokens=0)
        if ways.wanted not in ("auto", "plain"):
            run.warnings.append(f"The strategy {ways.wanted} was not used: {chosen.why}.")
        return draft
    show = run.hush()
    lines = tuple(f"[{item.id}] {evidence_text(item)}" for item in run.evidence)
    question = as_question(asked).model_copy(update={"evidence": lines, "pictures": tuple(pictures)})
    asker = ways.new_asker(run.cancelled.is_set)
    run.emit(Notice(level="info", text=f"Answering by {name.replace('_', ' ')} ({chosen.why})."))
    try:
        outcome = chosen.strategy.answer(question, asker)
    except (EndpointError, BudgetReached) as error:
        outcome = Outcome(strategy=name, failed=asker.spent.failed, notes=(f"The strategy {name} gave no answer: {error}",))
    text = _text(str(draft.text), question, outcome, asker)
    _note(run, chosen, question, outcome, asker, ways.seed)
    show(TextDelta(text=text))
    return draft.model_copy(update={"content": text, "response_metadata": {"finish_reason": "stop"}})


def _text(draft: str, question: Question, outcome: Outcome, asker: Asker) -> str:
    if not question.options:
        return outcome.text or draft
    if outcome.choice is None:
        return draft
    text = next(option.text for option in question.options if option.letter == outcome.choice)
    sentence = f"{CHOSE} {outcome.choice}: {text.rstrip('.')}."
    plain = without_thoughts(draft)
    bare = _SAID.sub("", plain).strip()
    if parse_choice(plain, question.options) == outcome.choice and len(bare.split()) >= _FEWEST_WORDS:
        return f"{sentence}\n\n{bare}"
    return f"{sentence}\n\n{_account(question, outcome.choice, text, asker)}".strip()


def _account(question: Question, letter: str, text: str, asker: Asker) -> str:
    """What the evidence says for and against the choice, in the model's words; one call more. Nothing without evidence."""
    if not question.evidence:
        return ""
    words = rendered(asker, "strategy_explain", choice=f"{letter}) {text}", **body(question, asker, asker.answer_tokens))
    try:
        return without_thoughts(asker.ask(Request((user(words, question.pictures),), asker.answer_tokens)).text)
    except (BudgetReached, EndpointError):
        return ""


def _note(run: TurnRun, chosen: Chosen, question: Question, outcome: Outcome, asker: Asker, seed: int) -> None:
    spent = asker.spent
    run.prompts.update(asker.prompts)
    run.used(spent.prompt_tokens, spent.completion_tokens, estimated=spent.estimated)
    run.strategy = StrategyUse(
        name=outcome.strategy, why=chosen.why, calls=spent.calls, prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens, estimated=spent.estimated, votes=outcome.votes,
        unparsed=outcome.unparsed, failed=spent.failed, seed=seed,
    )  # fmt: skip
    run.warnings += [note for note in (*outcome.notes, *told(asker)) if note not in run.warnings]
    if not question.options:
        return
    if outcome.choice is None:
        run.warnings.append("The strategy chose no option; this is the model's plain answer.")
        return
    text = next(option.text for option in question.options if option.letter == outcome.choice)
    run.choice = Choice(letter=outcome.choice, text=text, votes=outcome.votes, tied=outcome.tied)
    run.warnings.append(
        f"{outcome.choice} is the model's choice ({_votes(outcome)}); the sentences beside it are checked against "
        "evidence, the choice is not."
    )
    if outcome.tied:
        run.warnings.append(f"The vote was a tie between {' and '.join(outcome.tied)}.")


def _votes(outcome: Outcome) -> str:
    if outcome.strategy == "option_logprobs":
        return "shares of probability: " + ", ".join(f"{letter} {share:.2f}" for letter, share in outcome.votes.items())
    return "votes: " + ", ".join(f"{letter} {count:.0f}" for letter, count in outcome.votes.items())
