"""Majority votes: counted by the letters of the question as asked, ties broken in a fixed way and told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent.strategies.asking import Asker
from agent.strategies.contract import Option, Outcome, Question, StrategyName

Order = tuple[int, ...]
"""Which option stands at each place: the option at place i is `options[order[i]]`."""


def rotations(count: int) -> list[Order]:
    """All cyclic orders: every option stands once at every place. The first is the order as asked."""
    return [tuple((start + place) % count for place in range(count)) for start in range(count)]


def reordered(options: Sequence[Option], order: Order) -> tuple[Option, ...]:
    """The options in another order, lettered anew."""
    return tuple(Option(letter=options[place].letter, text=options[index].text) for place, index in enumerate(order))


def original(letter: str, options: Sequence[Option], order: Order) -> str:
    """The letter, as asked, of the option that had `letter` in the given order."""
    place = [option.letter for option in options].index(letter)
    return options[order[place]].letter


def decide(votes: dict[str, float], preferred: Iterable[str | None]) -> tuple[str | None, tuple[str, ...]]:
    """The letter with most votes, and the letters that tie for it.

    A tie goes to the first of `preferred` (votes in the order they were cast) that is among the tied.
    """
    if not votes:
        return None, ()
    most = max(votes.values())
    tied = tuple(sorted(letter for letter, count in votes.items() if abs(count - most) < 1e-9))
    if len(tied) == 1:
        return tied[0], ()
    return next((letter for letter in preferred if letter in tied), tied[0]), tied


def majority(
    name: StrategyName, question: Question, cast: Sequence[str | None], asker: Asker, *, unparsed: int,
    text: str = "", notes: tuple[str, ...] = (),
) -> Outcome:  # fmt: skip
    """The outcome of a vote; `cast` are the votes in the order of the calls, None for those without one."""
    counts = {letter: float(sum(vote == letter for vote in cast)) for letter in question.letters}
    votes = {letter: count for letter, count in counts.items() if count}
    choice, tied = decide(votes, cast)
    return Outcome(
        strategy=name, choice=choice, text=text, votes=votes, tied=tied, unparsed=unparsed, failed=asker.spent.failed,
        notes=(*notes, *told(asker)),
    )  # fmt: skip


def told(asker: Asker) -> tuple[str, ...]:
    """What a person should know of how the asking went."""
    spent, notes = asker.spent, []
    if spent.refused:
        notes.append(
            f"The budget ended the strategy early: {spent.calls} of {spent.calls + spent.refused} calls were made "
            f"({spent.tokens} tokens; allowed are {asker.budget.calls} calls and {asker.budget.tokens} tokens)."
        )
    if spent.failed:
        notes.append(f"{spent.failed} of {spent.calls} calls to the model failed and had no vote.")
    return tuple(notes)
