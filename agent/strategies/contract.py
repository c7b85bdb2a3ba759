"""What every strategy takes and gives.

A strategy asks a served model one question, perhaps many times, and says what came of it and what it took. It sees the
evidence that the tools found and calls no tools itself.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import Field

from agent.strategies.asking import Asker
from core.types import Frozen

StrategyName = Literal[
    "plain", "rationale_first", "medprompt", "ensemble_refinement", "permutation_voting", "option_logprobs"
]
LETTERS = string.ascii_uppercase


class Option(Frozen):
    """One of the answers that a closed question offers."""

    letter: str
    text: str


class Question(Frozen):
    """A question as a strategy gets it.

    `options` are empty for an open question. `evidence` are numbered lines, the most relevant first: what does not fit
    is left out from the back. `pictures` are data URIs.
    """

    text: str
    options: tuple[Option, ...] = ()
    evidence: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of the options, in order."""
        return tuple(option.letter for option in self.options)


class Outcome(Frozen):
    """What a strategy came to.

    `votes` are by the letters of the question as it was asked, however the options were shuffled for the model: counts,
    or shares of probability for log-probability scoring. `choice` is None when nothing could be read from the replies,
    and for open questions, whose answer is `text`. `unparsed` replies named no option, `failed` calls got no reply.
    """

    strategy: StrategyName
    choice: str | None = None
    text: str = ""
    votes: dict[str, float] = Field(default={})
    tied: tuple[str, ...] = ()
    unparsed: int = 0
    failed: int = 0
    notes: tuple[str, ...] = ()


class Strategy(Protocol):
    """A way of asking.

    Contract:
      * `answer` makes all its calls through the asker, which counts them and holds the budget.
      * a call that fails, or a reply that names no option, costs its vote and nothing else.
      * when the budget ends it early, it answers with the votes there are and says so in `notes`.
      * it raises `EndpointError` when no call at all succeeded, and `ToolCancelled` when the person stopped.
    """

    @property
    def name(self) -> StrategyName:
        """Its fixed name."""
        ...

    @property
    def closed_only(self) -> bool:
        """Whether it can only choose among options."""
        ...

    def answer(self, question: Question, asker: Asker) -> Outcome:
        """Ask, and say what came of it."""
        ...


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn: `seed` + number of the sample is sent with each, so that a run can be repeated."""

    temperature: float = 0.7
    seed: int = 1


def options_of(texts: tuple[str, ...]) -> tuple[Option, ...]:
    """Letter the options A, B, C, ..."""
    return tuple(Option(letter=letter, text=text) for letter, text in zip(LETTERS, texts, strict=False))
