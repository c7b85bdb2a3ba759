"""The trainer of the film encoders: masked pretraining, then contrast of views, labels and reports.

The objective `separate` gives the small film encoder, with reports as vectors of a text encoder that stays as it is;
`unified` gives one encoder that learns to read films, texts and pairs.

Everything random comes from one generator that is saved with the weights, so a run that was stopped goes on to the same
result as one that was not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.errors import InputError
from core.ports import Encoder
from retrieval.images.augment import augment, hidden_patches
from retrieval.images.losses import contrast_labels, contrast_reports, contrast_views, masked_error
from retrieval.images.network import FilmEncoder, MaskedDecoder, Projection
from retrieval.images.pictures import SIZE
from retrieval.images.trainingset import TrainingSet
from retrieval.images.unified_encoder import KIND
from retrieval.images.unified_network import UnifiedEncoder
from retrieval.images.unified_train import UnifiedTrainee, films_loss, reports_loss
from retrieval.images.words import Vocabulary

Stage = Literal["masked", "contrast"]
Report = Callable[[str], None]


class TrainConfig(BaseModel):
    """How to train; written beside the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: Literal["separate", "unified"] = "separate"
    seed: int = 20
    masked_epochs: int = Field(default=12, ge=0)
    contrast_epochs: int = Field(default=36, ge=0)
    batch: int = Field(default=192, ge=4)
    rate: float = Field(default=1.5e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    visible: float = Field(default=0.1, gt=0, lt=1)
    views_weight: float = Field(default=1.0, ge=0)
    labels_weight: float = Field(default=1.0, ge=0)
    reports_weight: float = Field(default=1.0, ge=0)
    strength: float = Field(default=1.0, ge=0, le=1)
    half: bool = Field(default=True, description="Convolutions in bfloat16: nearly three times as fast on recent CPUs.")


class Trainee(nn.Module):
    """The encoder and the parts that only training needs."""

    def __init__(self, text_dimension: int) -> None:
        super().__init__()
        self.encoder = FilmEncoder()
        self.decoder = MaskedDecoder()
        self.views = Projection(FilmEncoder.dimension)
        self.labels = Projection(FilmEncoder.dimension)
        self.pictures = nn.Linear(FilmEncoder.dimension, 96)
        self.reports = nn.Linear(text_dimension, 96)


@dataclass
class _Run:
    trainee: Trainee | UnifiedTrainee
    optimizer: torch.optim.AdamW
    generator: torch.Generator
    device: torch.device
    epoch: int = 0


def train(
    data: TrainingSet,
    out: Path,
    config: TrainConfig,
    text: Encoder | None = None,
    report: Report = print,
    device: str = "cpu",
    stop_after: int | None = None,
) -> FilmEncoder | UnifiedEncoder:
    """Train into the folder `out`, going on where an earlier run there was stopped; returns the encoder.

    Args:
        data: pictures with what is known of them.
        out: gets `encoder.safetensors`, `config.json`, `log.jsonl`, and `resume.safetensors` until the end.
        config: the recipe; a run with another recipe in the same folder is refused.
        text: encoder of reports; needed where pictures have reports, except for the objective `unified`.
        report: called with a line per epoch.
        device: `cpu` or `cuda`.
        stop_after: stop after so many epochs in all (the run can be taken up again).

    Raises:
        InputError: too few pictures, no reports for the objective `unified`, or `out` holds a run of another recipe.
    """
    if len(data) < config.batch // 4:
        raise InputError(
            f"Training needs at least {config.batch // 4} pictures for batches of {config.batch}, got {len(data)}."
        )
    vocabulary = _vocabulary(data) if config.objective == "unified" else None
    out.mkdir(parents=True, exist_ok=True)
    _check_recipe(out, config)
    torch.manual_seed(config.seed)
    run = _start(config, text, vocabulary, torch.device(device))
    _take_up(run, out)
    told = _report_vectors(data, text) if vocabulary is None else torch.from_numpy(vocabulary.encode(data.reports))
    total = config.masked_epochs + config.contrast_epochs
    while run.epoch < min(total, stop_after if stop_after is not None else total):
        stage: Stage = "masked" if run.epoch < config.masked_epochs else "contrast"
        loss = _epoch(run, data, told, config, stage)
        run.epoch += 1
        report(f"epoch {run.epoch}/{total} {stage} loss {loss:.4f}")
        with (out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({"epoch": run.epoch, "stage": stage, "loss": round(loss, 5)}) + "\n")
        _save(run, out)
    encoder = _finished(run.trainee.to("cpu").eval(), data, vocabulary, out / "encoder.safetensors")
    if run.epoch == total:
        (out / "resume.safetensors").unlink(missing_ok=True)
    return encoder


def _vocabulary(data: TrainingSet) -> Vocabulary:
    if not any(data.reports):
        raise InputError(
            "The objective 'unified' learns from films with reports; no picture has one (a column 'report' in the table)."
        )
    return Vocabulary.of(data.reports)


def _finished(
    trainee: Trainee | UnifiedTrainee, data: TrainingSet, vocabulary: Vocabulary | None, path: Path
) -> FilmEncoder | UnifiedEncoder:
    """The encoder as it will be used, written to `path`."""
    about: dict[str, str] = {}
    encoder: FilmEncoder | UnifiedEncoder
    if isinstance(trainee, UnifiedTrainee) and vocabulary is not None:
        encoder = trainee.unified
        about = {"kind": KIND, "vocabulary": json.dumps(vocabulary.words)}
    else:
        encoder = _standardised(trainee.encoder, data)
    save_file({name: value.contiguous() for name, value in encoder.state_dict().items()}, path, about)
    return encoder


def _standardised(encoder: FilmEncoder, data: TrainingSet) -> FilmEncoder:
    """With the mean and spread of its features over the training pictures."""
    with torch.inference_mode():
        batches = [encoder(torch.from_numpy(data.pictures[start : start + 256])) for start in range(0, len(data), 256)]
        features = torch.cat(batches)
    encoder.center.copy_(features.mean(0))
    encoder.spread.copy_(features.std(0).clamp(min=1e-3))
    return encoder


def _check_recipe(out: Path, config: TrainConfig) -> None:
    path = out / "config.json"
    if path.is_file() and TrainConfig.model_validate_json(path.read_text(encoding="utf-8")) != config:
        raise InputError(f"{out.name!r} holds a run of another recipe ({path.name}); give another --out, or remove it.")
    path.write_text(config.model_dump_json(indent=1), encoding="utf-8")


def _start(config: TrainConfig, text: Encoder | None, vocabulary: Vocabulary | None, device: torch.device) -> _Run:
    trainee = Trainee(text.dimension if text else 1) if vocabulary is None else UnifiedTrainee(len(vocabulary))
    trainee.to(device)
    trainee.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(trainee.parameters(), lr=config.rate, weight_decay=config.weight_decay)
    return _Run(trainee, optimizer, torch.Generator().manual_seed(config.seed), device)


def _report_vectors(data: TrainingSet, text: Encoder | None) -> Tensor | None:
    if text is None or not any(data.reports):
        return None
    return torch.from_numpy(text.encode(list(data.reports)))


def _epoch(run: _Run, data: TrainingSet, reports: Tensor | None, config: TrainConfig, stage: Stage) -> float:
    run.trainee.train()
    losses = []
    batches = list(_batches(data.labels, config, run.generator))
    for number, rows in enumerate(batches):
        _set_rate(run, config, stage, number / len(batches))
        pictures = torch.from_numpy(data.pictures[rows])
        if stage == "masked":
            loss = _masked_loss(run, pictures, config)
        else:
            known = torch.from_numpy(data.labels[rows]).to(run.device)
            told = None if reports is None else _reports_of(rows, data, reports)
            loss = _contrast_loss(run, pictures, known, told, config)
        run.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(run.trainee.parameters(), 5.0)
        run.optimizer.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def _batches(labels: np.ndarray, config: TrainConfig, generator: torch.Generator) -> Iterator[np.ndarray]:
    """Rows drawn so that rare labels come more often (by the inverse square root of their share), an epoch's worth."""
    values, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = torch.from_numpy(1 / np.sqrt(counts[inverse])) if len(values) > 1 else torch.ones(len(labels))
    rows = torch.multinomial(weights, len(labels), replacement=True, generator=generator).numpy()
    size = min(config.batch, len(rows))
    for start in range(0, len(rows) - size + 1, size):
        yield rows[start : start + size]


def _set_rate(run: _Run, config: TrainConfig, stage: Stage, within: float) -> None:
    """One warm-up epoch, then a cosine, for each stage anew."""
    done = run.epoch + within - (config.masked_epochs if stage == "contrast" else 0)
    total = config.masked_epochs if stage == "masked" else config.contrast_epochs
    factor = done if done < 1 else 0.5 * (1 + math.cos(math.pi * min(done / max(total, 1), 1)))
    for group in run.optimizer.param_groups:
        group["lr"] = config.rate * max(factor, 1e-3)


def _masked_loss(run: _Run, pictures: Tensor, config: TrainConfig) -> Tensor:
    views = augment(pictures, run.generator, 0.5 * config.strength)
    shown = hidden_patches(len(views), SIZE, run.generator, config.visible).to(run.device)
    views = views.to(run.device)
    with torch.autocast(run.device.type, torch.bfloat16, enabled=config.half):
        painted = run.trainee.decoder(run.trainee.encoder.maps(views, shown)[1])
    return masked_error(painted.float(), views, shown)


def _contrast_loss(
    run: _Run, pictures: Tensor, labels: Tensor, told: tuple[Tensor, Tensor] | None, config: TrainConfig
) -> Tensor:
    first, second = (augment(pictures, run.generator, config.strength).to(run.device) for _ in range(2))
    if isinstance(run.trainee, UnifiedTrainee):
        return _unified_loss(run, run.trainee, torch.cat([first, second]), labels, told, config)
    with torch.autocast(run.device.type, torch.bfloat16, enabled=config.half):
        features = run.trainee.encoder(torch.cat([first, second]))
    features = features.float()
    half = len(pictures)
    loss: Tensor = features.sum() * 0
    if config.views_weight:
        views = run.trainee.views(features)
        loss = loss + config.views_weight * contrast_views(views[:half], views[half:])
    if config.labels_weight and bool((labels >= 0).any()):
        loss = loss + config.labels_weight * contrast_labels(run.trainee.labels(features), torch.cat([labels, labels]))
    if told is not None and config.reports_weight and len(told[0]) > 1:
        where, vectors = told
        pictures_side = nn.functional.normalize(run.trainee.pictures(features[:half][where]), dim=1)
        reports_side = nn.functional.normalize(run.trainee.reports(vectors.to(run.device)), dim=1)
        loss = loss + config.reports_weight * contrast_reports(pictures_side, reports_side)
    return loss


def _unified_loss(
    run: _Run,
    trainee: UnifiedTrainee,
    views: Tensor,
    labels: Tensor,
    told: tuple[Tensor, Tensor] | None,
    config: TrainConfig,
) -> Tensor:
    network = trainee.unified
    half = len(views) // 2
    with torch.autocast(run.device.type, torch.bfloat16, enabled=config.half):
        tokens = network.film_tokens(views)
        vectors = network.vectors(network.mixed(tokens, None))
        loss = films_loss(trainee, vectors, labels, config.views_weight, config.labels_weight)
        if told is not None and config.reports_weight and len(told[0]) > 1:
            where, numbers = (part.to(run.device) for part in told)
            alone, other = vectors[:half][where], vectors[half:][where]
            loss = loss + config.reports_weight * reports_loss(
                network, tokens[:half][where], alone, other, numbers, run.generator
            )
    return loss


def _reports_of(rows: np.ndarray, data: TrainingSet, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Places in the batch of pictures with a report, each report once, and the reports' vectors."""
    first: dict[str, int] = {}
    for place, row in enumerate(rows):
        if data.reports[row]:
            first.setdefault(data.reports[row], place)
    places = list(first.values())
    return torch.tensor(places, dtype=torch.long), vectors[torch.as_tensor(rows[places], dtype=torch.long)]


def _save(run: _Run, out: Path) -> None:
    state = {f"model.{name}": value for name, value in run.trainee.state_dict().items()}
    for number, parameter in run.optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{number}.{name}": value for name, value in parameter.items()}
    state["generator"] = run.generator.get_state()
    state["epoch"] = torch.tensor(run.epoch)
    temporary = out / "resume.new"
    save_file({name: value.contiguous() for name, value in state.items()}, temporary)
    temporary.replace(out / "resume.safetensors")


def _take_up(run: _Run, out: Path) -> None:
    path = out / "resume.safetensors"
    if not path.is_file():
        return
    state = load_file(path)
    run.trainee.load_state_dict({name[6:]: value for name, value in state.items() if name.startswith("model.")})
    current = run.optimizer.state_dict()
    for name, value in state.items():
        if name.startswith("optimizer."):
            _, number, field = name.split(".")
            current["state"].setdefault(int(number), {})[field] = value
    run.optimizer.load_state_dict(current)
    run.generator.set_state(state["generator"])
    run.epoch = int(state["epoch"])
