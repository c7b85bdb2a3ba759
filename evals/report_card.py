"""`consilium report card`: the MI-CLAIM-GEN checklist, filled from what was measured.

Miao et al., "The Minimum information about CLinical Artificial Intelligence Checklist for Generative Modeling Research
(MI-CLAIM-GEN)", arXiv 2403.02558. Figures are read from the JSON that the `eval` commands print, one file a command in a folder;
what is not there is called not measured. Nothing is filled in by hand that a command could measure.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from core.errors import FileError
from core.types import Frozen

State = Literal["yes", "partly", "no", "not measured"]


class Item(Frozen):
    """One line of the checklist."""

    part: str
    item: str
    state: State
    told: str


def run(arguments: argparse.Namespace) -> int:
    """Print the card."""
    folder = Path(arguments.results) if arguments.results else None
    if folder is not None and not folder.is_dir():
        raise FileError(
            f"There is no folder {arguments.results!r}; it should hold what `consilium eval NAME --json` printed, as NAME.json."
        )
    items = card(folder)
    if arguments.json:
        print(json.dumps([item.model_dump() for item in items], ensure_ascii=False))
        return 0
    part = ""
    for item in items:
        if item.part != part:
            part = item.part
            print(f"\n## {part}\n")
        print(f"- [{'x' if item.state == 'yes' else ' '}] {item.item} ({item.state}): {item.told}")
    return 0


def card(folder: Path | None) -> list[Item]:
    """Every item, in the checklist's order."""
    design, data = "1. Study design", "2. Data"
    model, performance = "3. Model and adaptation", "4. Performance and comparison"
    examination, safety, pipeline = "5. Examination", "6. Safety and privacy", "7. Reproducible pipeline"
    return [
        Item(part=design, item="Clinical problem and setting", state="yes", told="evidence beside a clinician: vertebral fractures, records, literature; research only (docs/safety.md)"),
        Item(part=design, item="Research question and outcome", state="yes", told="every sentence tied to evidence; docs/trust.md and docs/benchmarks.md name the bars"),
        Item(part=design, item="Users in the loop", state="no", told="no clinician has used it in a study"),
        Item(part=data, item="Training data described", state="yes", told="docs/data-and-licences.md and the card of every tool; synthetic and few cases are named as such"),
        Item(part=data, item="Separation of training and test", state="partly", told="stated with each figure; some rules were chosen while seeing development sets (docs/prediction.md)"),
        Item(part=data, item="Patient demographics of the test data", state="partly", told="only for the record models (docs/prediction.md)"),
        Item(part=model, item="Generative model named, version, access", state="yes", told="in every answer's provenance: model id, endpoint, prompt hashes"),
        Item(part=model, item="Prompts given", state="yes", told="prompts/templates, versioned and hashed"),
        Item(part=model, item="Fine-tuning described", state="yes", told="no language model is fine-tuned"),
        *_measured(folder, performance, examination, safety),
        Item(part=examination, item="Failure modes described", state="yes", told="known failures stand in every tool's card and in docs/trust.md"),
        Item(part=examination, item="Fairness across groups", state="not measured", told="apart from age bands of the record models"),
        Item(part=pipeline, item="Code available", state="yes", told="Apache-2.0"),
        Item(part=pipeline, item="Runs from a clean checkout", state="yes", told="make run; make test"),
        Item(part=pipeline, item="A turn can be replayed", state="yes", told="ask --bundle, replay, audit verify"),
        Item(part=pipeline, item="Data available", state="partly", told="open sets are named with where to get them; none is in the repository"),
    ]  # fmt: skip


def _measured(folder: Path | None, performance: str, examination: str, safety: str) -> list[Item]:
    made = {name: _result(folder, name) for name in ("trust", "deidentify", "injection", "fuzz", "restarts", "retrieval")}
    return [
        _item(performance, "Retrieval against baselines", "retrieval", made["retrieval"], _as_it_is),
        _item(examination, "Unsupported statements", "trust", made["trust"], _as_it_is),
        _item(safety, "De-identification", "deidentify", made["deidentify"], _deidentified),
        _item(safety, "Prompt injection", "injection", made["injection"], _injected),
        _item(safety, "Hostile files", "fuzz", made["fuzz"], _fuzzed),
        _item(safety, "Kills under load", "restarts", made["restarts"], _restarted),
    ]


def _item(part: str, item: str, name: str, found: JsonValue, words: object) -> Item:
    if found is None:
        return Item(part=part, item=item, state="not measured", told=f"consilium eval {name} --json > RESULTS/{name}.json")
    try:
        told = words(found)  # type: ignore[operator]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FileError(
            f"{name}.json is not what `consilium eval {name} --json` prints ({type(error).__name__})."
        ) from error
    return Item(part=part, item=item, state="yes", told=told)


def _result(folder: Path | None, name: str) -> JsonValue:
    if folder is None or not (folder / f"{name}.json").exists():
        return None
    try:
        found: JsonValue = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"{name}.json cannot be read: {error}.") from error
    return found


def _as_it_is(found: JsonValue) -> str:
    return json.dumps(found, ensure_ascii=False)[:600]


def _deidentified(found: dict[str, dict[str, list[dict[str, float]]]]) -> str:
    scores = found["held out"]["scores"]
    worst = min(scores, key=lambda s: s["found"] / s["count"])
    low = sum(s["found"] / s["count"] < 0.99 for s in scores)
    return (
        f"generated notes of other templates: {len(scores) - low} of {len(scores)} kinds at 99 % recall or more, lowest "
        f"{worst['category']} {100 * worst['found'] / worst['count']:.1f} %, precision {100 * float(str(found['held out']['precision'])):.1f} %"
    )


def _injected(found: list[dict[str, int]]) -> str:
    tried, ran = sum(o["attempts"] for o in found), sum(o["effects_run"] + o["secrets_left"] for o in found)
    return f"{tried} attempts over {len(found)} planners, {sum(o['seen_and_obeyed'] for o in found)} obeyed by the model, {ran} with an effect"


def _fuzzed(found: dict[str, list[str]]) -> str:
    return f"{found['files']} mutated files, {len(found['faults'])} faults"


def _restarted(found: dict[str, list[str]]) -> str:
    return f"{found['rounds']} kills with {found['users']} users, {found['acknowledged']} turns given back, {len(found['faults'])} faults"
