"""`consilium eval questions`: closed questions to a served model by a strategy, without and with retrieved evidence.

Like for like: the same questions, strategy, prompts, seeds and budget on both sides; the evidence is the only difference.
Each question is asked anew, and nothing is carried from one to the next (Medprompt's reasoning for its own examples is).
As in MIRAGE (Xiong et al. 2024), the search is given the question without its options. A question without a readable choice
counts as wrong; one whose calls all failed counts as wrong too and is told apart.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.adapters import evidence_text
from agent.by_strategy import Ways
from agent.connecting import ways_of
from agent.models.endpoint import Endpoint, find_endpoint
from agent.models.lines import Lines, noted_in
from agent.models.preflight import preflight
from agent.strategies.asking import BudgetReached
from agent.strategies.contract import Outcome, Strategy
from agent.strategies.examples import Solved, read_solved
from core.errors import EndpointError, InputError
from core.ports import Encoder, Retriever
from core.settings import Settings, load_settings
from core.types import Frozen

_RESAMPLES = 2000
_GIVE_UP_AFTER = 5
"""So many questions in a row without any reply: the endpoint is away."""


class Asked(Frozen):
    """One question, asked once."""

    id: str
    group: str
    tools: str
    strategy: str
    choice: str | None
    answer: str
    right: bool
    votes: dict[str, float]
    tied: bool
    unparsed: int
    failed: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    passages: int
    error: str = ""


class Figure(Frozen):
    """A mean with its bootstrap 95 % interval (percentiles over resampled questions)."""

    mean: float
    low: float
    high: float


class Row(Frozen):
    """One set on one side. `chance` is the accuracy of guessing; calls and tokens are means of a question."""

    group: str
    tools: str
    questions: int
    accuracy: Figure
    chance: float
    unanswered: int
    errors: int
    with_evidence: int
    calls: float
    tokens: float
    estimated: bool


class Gain(Frozen):
    """Accuracy with evidence less accuracy without, paired by question."""

    group: str
    questions: int
    difference: Figure


@dataclass
class _Bench:
    ways: Ways
    retriever: Retriever | None
    k: int
    patience_s: float

    def ask(self, item: Solved, tools: str) -> Asked:
        """A fresh asker for each question, so that budget and counts begin at nothing."""
        lines: tuple[str, ...] = ()
        if tools == "on" and self.retriever is not None:
            found = self.retriever.search(item.text, self.k).passages
            lines = tuple(f"[{number}] {evidence_text(passage)}" for number, passage in enumerate(found, start=1))
        question = item.asked().model_copy(update={"evidence": lines})
        strategy = self._strategy(item)
        asker = self.ways.new_asker(lambda: False)
        connections, error = Lines(), ""
        connections.patience_s = self.patience_s
        try:
            with noted_in(connections):
                outcome = strategy.answer(question, asker)
        except (EndpointError, BudgetReached) as fault:
            outcome, error = Outcome(strategy=strategy.name), str(fault)
        spent = asker.spent
        return Asked(
            id=item.id, group=item.group, tools=tools, strategy=strategy.name, choice=outcome.choice, answer=item.answer,
            right=outcome.choice == item.answer, votes=outcome.votes, tied=bool(outcome.tied), unparsed=outcome.unparsed,
            failed=spent.failed, calls=spent.calls, prompt_tokens=spent.prompt_tokens,
            completion_tokens=spent.completion_tokens, estimated=spent.estimated, passages=len(lines), error=error,
        )  # fmt: skip

    def _strategy(self, item: Solved) -> Strategy:
        lettered = item.text + "".join(f"\n{option.letter}) {option.text}" for option in item.options)
        return self.ways.choose(lettered).strategy


def run(arguments: argparse.Namespace) -> int:
    """Ask, print the table or JSON; 3 when the endpoint went away."""
    settings = load_settings(
        model=arguments.model, model_name=arguments.model_name, strategy=arguments.strategy, examples=arguments.examples,
        indexes=tuple(arguments.indexes) if arguments.indexes else None,
    )  # fmt: skip
    if settings.model == "embedded":
        raise InputError("Closed questions need a served model: --model URL. The embedded model chooses nothing.")
    items = chosen(read_solved(Path(arguments.data)), arguments.sets, arguments.limit, arguments.seed)
    _refuse_leak(items, settings)
    endpoint = find_endpoint(settings)
    sides = ("off", "on") if arguments.tools == "both" else (arguments.tools,)
    bench = _bench(settings, endpoint, arguments.k, searches="on" in sides)
    asked = list(_all(bench, items, sides, Path(arguments.out) if arguments.out else None))
    rows, gains = summary(asked, items, arguments.seed)
    told = {
        "model": endpoint.model, "endpoint": endpoint.base_url, "strategy": settings.strategy, "seed": arguments.seed,
        "rows": [row.model_dump() for row in rows], "gains": [gain.model_dump() for gain in gains],
    }  # fmt: skip
    if arguments.out:
        (Path(arguments.out) / "summary.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    print(json.dumps(told) if arguments.json else _table(endpoint, settings, rows, gains))
    return 0


def _bench(settings: Settings, endpoint: Endpoint, k: int, *, searches: bool) -> _Bench:
    from retrieval.encoders import MiniLM
    from retrieval.several import open_indexes

    encoder: Encoder = MiniLM()
    seen = preflight(endpoint, settings.api_key.get_secret_value(), settings.home / "preflight")
    retriever = open_indexes(settings.home, settings.indexes, encoder) if searches else None
    return _Bench(ways_of(settings, endpoint, seen, encoder), retriever, k, settings.rate_limit_wait_s)


def chosen(items: Sequence[Solved], sets: Sequence[str], limit: int, seed: int) -> list[Solved]:
    """The questions of the sets, or `limit` of each set drawn by the seed, in the file's order.

    Raises:
        InputError: a set that the file does not have.
    """
    groups = list(dict.fromkeys(item.group for item in items))
    unknown = [name for name in sets if name not in groups]
    if unknown:
        raise InputError(f"The file has no set {unknown[0]!r}. It has: {', '.join(groups) or 'one without a name'}.")
    kept = []
    for group in sets or groups:
        own = [item for item in items if item.group == group]
        if 0 < limit < len(own):
            places = sorted(random.Random(seed).sample(range(len(own)), limit))  # noqa: S311 - no secret
            own = [own[place] for place in places]
        kept += own
    return kept


def _refuse_leak(items: Sequence[Solved], settings: Settings) -> None:
    """Examples that are among the questions would give their answers away."""
    if settings.examples is None:
        return
    known = {" ".join(item.text.lower().split()) for item in read_solved(settings.examples)}
    leaked = [item.id for item in items if " ".join(item.text.lower().split()) in known]
    if leaked:
        raise InputError(
            f"{len(leaked)} of the {len(items)} questions are also among the examples ({leaked[0]!r} is one): give examples "
            "of another split."
        )


def _all(bench: _Bench, items: Sequence[Solved], sides: Sequence[str], out: Path | None) -> Iterator[Asked]:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "rows.jsonl").write_text("", encoding="utf-8")
    silent = 0
    for item in items:
        for side in sides:
            asked = bench.ask(item, side)
            silent = silent + 1 if asked.error else 0
            if silent >= _GIVE_UP_AFTER:
                raise EndpointError(f"{silent} questions in a row had no reply. The last fault: {asked.error}")
            if out is not None:
                with (out / "rows.jsonl").open("a", encoding="utf-8") as file:
                    file.write(asked.model_dump_json() + "\n")
            yield asked


def summary(asked: Sequence[Asked], items: Sequence[Solved], seed: int) -> tuple[list[Row], list[Gain]]:
    """Rows by set and side, and the paired gains where both sides were asked."""
    chance = {(item.group, item.id): 1 / len(item.options) for item in items}
    rows, gains = [], []
    for group in dict.fromkeys(one.group for one in asked):
        sides = {side: [a for a in asked if a.group == group and a.tools == side] for side in ("off", "on")}
        rows += [_row(group, side, own, chance, seed) for side, own in sides.items() if own]
        if sides["off"] and sides["on"]:
            paired = np.array(
                [float(on.right) - float(off.right) for off, on in zip(sides["off"], sides["on"], strict=True)]
            )
            gains.append(Gain(group=group, questions=len(paired), difference=_figure(paired, seed)))
    return rows, gains


def _row(group: str, side: str, own: Sequence[Asked], chance: dict[tuple[str, str], float], seed: int) -> Row:
    return Row(
        group=group, tools=side, questions=len(own),
        accuracy=_figure(np.array([float(one.right) for one in own]), seed),
        chance=float(np.mean([chance[one.group, one.id] for one in own])),
        unanswered=sum(one.choice is None for one in own), errors=sum(bool(one.error) for one in own),
        with_evidence=sum(one.passages > 0 for one in own), calls=float(np.mean([one.calls for one in own])),
        tokens=float(np.mean([one.prompt_tokens + one.completion_tokens for one in own])),
        estimated=any(one.estimated for one in own),
    )  # fmt: skip


def _figure(values: NDArray[np.float64], seed: int) -> Figure:
    draws = np.random.default_rng(seed).integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), (2.5, 97.5))
    return Figure(mean=float(values.mean()), low=float(low), high=float(high))


def _table(endpoint: Endpoint, settings: Settings, rows: Sequence[Row], gains: Sequence[Gain]) -> str:
    told = [f"{endpoint.model} at {endpoint.base_url}, strategy {settings.strategy}, indexes {', '.join(settings.indexes)}"]
    for row in rows:
        about = "about " if row.estimated else ""
        told.append(
            f"{row.group or '-':10} tools {row.tools:3}  {_shown(row.accuracy)}  chance {row.chance:.3f}  "
            f"n {row.questions}, {row.with_evidence} with evidence, {row.unanswered} unanswered, {row.errors} errors  "
            f"{row.calls:.1f} calls, {about}{row.tokens:.0f} tokens a question"
        )
    told += [f"{gain.group or '-':10} on - off   {_shown(gain.difference, '+')}" for gain in gains]
    return "\n".join(told)


def _shown(figure: Figure, sign: str = "") -> str:
    return f"{figure.mean:{sign}.3f} [{figure.low:{sign}.3f}, {figure.high:{sign}.3f}]"
