"""All strategies, built from the settings; the one list of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from agent.models.completions import Completions
from agent.strategies.asking import Asker, Budget
from agent.strategies.contract import Strategy, StrategyName
from agent.strategies.ensemble_refinement import EnsembleRefinement
from agent.strategies.examples import ExamplePool, read_solved
from agent.strategies.medprompt import Medprompt
from agent.strategies.option_logprobs import OptionLogprobs
from agent.strategies.permutation_voting import PermutationVoting
from agent.strategies.plain import Plain
from agent.strategies.rationale_first import RationaleFirst
from core.errors import SettingError
from core.ports import Encoder
from core.settings import Settings

_FREE_FORM_TOKENS = 768
"""A chain of thought or an explanation; more would not be read."""


def standard_strategies(
    settings: Settings, encoder: Encoder, scoring: Literal["cloze", "letters"]
) -> dict[StrategyName, Strategy]:
    """By name. `medprompt` is there only when a file of examples is set.

    Raises:
        SettingError: medprompt is asked for without examples.
        FileError: the file of examples cannot be read.
    """
    strategies: list[Strategy] = [
        Plain(),
        RationaleFirst(),
        EnsembleRefinement(settings.ensemble_samples, settings.ensemble_refinements),
        PermutationVoting(),
        OptionLogprobs(scoring),
    ]
    if settings.examples is not None:
        folder = settings.home / "strategies"
        strategies.append(Medprompt(ExamplePool(read_solved(settings.examples), encoder, folder)))
    elif settings.strategy == "medprompt":
        raise SettingError(
            "The strategy medprompt needs a file of solved questions: --examples FILE, or the setting examples."
        )
    return {strategy.name: strategy for strategy in strategies}


def asker_of(
    settings: Settings, completions: Completions, context: int, image_tokens: int
) -> Callable[[Callable[[], bool]], Asker]:
    """Makes an asker for one question, with the budget of the settings."""

    def new(stopped: Callable[[], bool]) -> Asker:
        return Asker(
            completions,
            Budget(settings.strategy_calls, settings.strategy_tokens),
            context=context,
            answer_tokens=min(settings.answer_tokens, _FREE_FORM_TOKENS, context // 4),
            image_tokens=image_tokens,
            parallel=settings.strategy_parallel,
            stopped=stopped,
        )

    return new
