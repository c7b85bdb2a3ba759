"""A question, and an asker of a scripted endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agent.models.completions import Completions
from agent.models.endpoint import Endpoint
from agent.strategies.asking import Asker, Budget
from agent.strategies.contract import Question, options_of
from tests.agent.openai_server import Script, serving

QUESTION = Question(
    text="Which shape does T12 have?",
    options=options_of(("wedge", "biconcave", "crush")),
    evidence=("[1] T12 has lost 32 % of its anterior height.", "[2] The posterior height of T12 is kept."),
)
OPEN = Question(text="What is known of T12?", evidence=QUESTION.evidence)


@contextmanager
def asking(script: Script, **more: Any) -> Iterator[Asker]:
    budget = Budget(more.pop("calls", 64), more.pop("tokens", 400_000))
    with serving(script) as url:
        yield Asker(Completions(Endpoint(url, "scripted"), "", 2.0), budget, **more)


def prompt_of(request: dict[str, Any]) -> str:
    """The words of the last message."""
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[-1]["text"])


def options_in(request: dict[str, Any]) -> list[str]:
    """The options in the order in which they were offered."""
    block = prompt_of(request).partition("Options\n")[2].partition("\n\n")[0]
    return [line[3:] for line in block.splitlines()]


def letter_for(option: str) -> Any:
    """A reply that finds an option wherever it stands."""
    return lambda request: "ABCDEFGHIJ"[options_in(request).index(option)]
