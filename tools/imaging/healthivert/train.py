"""Training: resumable, on CPU or GPU, everything from one configuration.

A checkpoint holds the networks, both optimisers' moments and the step; a batch is drawn from (seed, step) alone. A run
that was stopped and resumed therefore ends with the weights of one that was not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from core.errors import FileError
from tools.imaging.healthivert.adversaries import Adversaries
from tools.imaging.healthivert.config import GanConfig
from tools.imaging.healthivert.dataset import Batch, draw_batch
from tools.imaging.healthivert.health_attention import FractureClassifier
from tools.imaging.healthivert.height import rejoin
from tools.imaging.healthivert.losses import Terms, generator_terms
from tools.imaging.healthivert.networks import Generator, Painted, bake
from tools.imaging.healthivert.spine import PreparedSpine

_CLASSIFIER, _GENERATOR = 1, 2
"""Keys that keep the random streams of the two parts apart."""
_CLASSIFIER_RATE = 1e-3
_SAVE_EVERY = 100


@dataclass
class Run:
    """A run in progress. `step` counts the generator's steps, `classifier_step` the classifier's, which comes first."""

    config: GanConfig
    generator: Generator
    adversaries: Adversaries
    classifier: FractureClassifier
    step: int = 0
    classifier_step: int = 0

    def __post_init__(self) -> None:
        rate, betas = self.config.learning_rate, (self.config.beta1, 0.999)
        self.optimisers = {
            "generator": torch.optim.Adam(self.generator.parameters(), rate, betas),
            "adversaries": torch.optim.Adam(self.adversaries.parameters(), rate, betas),
            "classifier": torch.optim.Adam(self.classifier.parameters(), _CLASSIFIER_RATE),
        }

    @property
    def networks(self) -> dict[str, nn.Module]:
        """By the name of their optimiser."""
        return {"generator": self.generator, "adversaries": self.adversaries, "classifier": self.classifier}


def start(config: GanConfig, device: str = "cpu") -> Run:
    """Networks with their first weights, drawn from the seed."""
    torch.manual_seed(config.seed)
    networks = Generator(config.ngf, config.band), Adversaries(config.ngf), FractureClassifier(config.ngf)
    generator, adversaries, classifier = networks
    # Channels last is a fifth faster on a CPU and changes no result.
    for network in networks:
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stub
    return Run(config, generator, adversaries, classifier)


def train(
    run: Run,
    spines: Sequence[PreparedSpine],
    checkpoint: Path | None = None,
    progress: Callable[[str], None] | None = None,
    seconds: float = float("inf"),
) -> bool:
    """Train until the configuration's steps are done, or the time is up; returns whether they are done.

    Args:
        run: from `start` or `resume`.
        spines: the training data.
        checkpoint: written every 100 steps and at the end.
        progress: told the losses every 50 steps.
        seconds: stop, with a checkpoint, after so long.
    """
    begin, config = time.monotonic(), run.config
    device = next(run.generator.parameters()).device.type
    while run.classifier_step < config.classifier_steps:
        batch = to_device(draw_batch(spines, config, (config.seed, _CLASSIFIER, run.classifier_step)), device)
        loss = classifier_update(run, batch)
        run.classifier_step += 1
        if progress and run.classifier_step % 50 == 0:
            progress(f"classifier {run.classifier_step}: {loss:.3f}")
    while run.step < config.steps and time.monotonic() - begin < seconds:
        batch = to_device(draw_batch(spines, config, (config.seed, _GENERATOR, run.step)), device)
        terms = update(run, batch)
        run.step += 1
        if progress and run.step % 50 == 0:
            progress(
                f"step {run.step}: " + ", ".join(f"{f.name} {getattr(terms, f.name).item():.2f}" for f in fields(terms))
            )
        if checkpoint and run.step % _SAVE_EVERY == 0:
            save_checkpoint(run, checkpoint)
    if checkpoint:
        save_checkpoint(run, checkpoint)
    return run.step >= config.steps


def classifier_update(run: Run, batch: Batch) -> float:
    """One step of the classifier on the slices with their band."""
    loss = functional.binary_cross_entropy_with_logits(run.classifier(batch.ct, batch.band), batch.fractured)
    _descend(run.optimisers["classifier"], loss)
    return float(loss.detach())


def rate_at(step: int, config: GanConfig) -> float:
    """The learning rate: constant, and over the last third falling to zero."""
    left = (config.steps - step) / config.steps
    return config.learning_rate * min(1.0, 3 * max(left, 0.0))


def update(run: Run, batch: Batch) -> Terms:
    """One step of the discriminators, then one of the generator."""
    for name in ("generator", "adversaries"):
        for group in run.optimisers[name].param_groups:
            group["lr"] = rate_at(run.step, run.config)
    attention = run.classifier.healthy_attention(batch.ct, batch.band)
    band, device = run.config.band, batch.ct.device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=run.config.bfloat16):
        low = run.generator(batch.ct, batch.band, batch.place, attention)
    painted = Painted(**{f.name: getattr(low, f.name).float() for f in fields(low)})

    def rejoined(ct: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return rejoin(ct, batch.heights, band, -1.0), rejoin(mask, batch.heights, band, 0.0)

    caught = run.adversaries.catch(
        rejoined(batch.true_ct, batch.true_target), rejoined(painted.ct.detach(), painted.target.detach())
    )
    _descend(run.optimisers["adversaries"], caught)
    terms = generator_terms(painted, batch, run.adversaries, run.config)
    _descend(run.optimisers["generator"], terms.total)
    return terms


def to_device(batch: Batch, device: str) -> Batch:
    """The batch on a device."""
    images = {f.name: getattr(batch, f.name).to(device) for f in fields(batch) if f.name != "heights"}
    return Batch(heights=batch.heights, **images)


def save_checkpoint(run: Run, path: Path) -> None:
    """Everything needed to go on, as safetensors; replaced in one step, so that a kill leaves the one before."""
    tensors: dict[str, Tensor] = {}
    for name, network in run.networks.items():
        tensors |= {f"{name}/{key}": value for key, value in network.state_dict().items()}
        for number, state in run.optimisers[name].state_dict()["state"].items():
            tensors |= {f"optimiser/{name}/{number}/{key}": value for key, value in state.items()}
    about = {"config": run.config.model_dump_json(), "step": str(run.step), "classifier_step": str(run.classifier_step)}
    building = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, building, metadata=about)
    building.replace(path)


def resume(path: Path, device: str = "cpu") -> Run:
    """Go on from a checkpoint.

    Raises:
        FileError: it is not there, or no checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about: Mapping[str, str] = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        config = GanConfig.model_validate(json.loads(about["config"]))
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise FileError(f"{path.name!r} is no checkpoint of a training run: {error}.") from error
    run = start(config, device)
    run.step, run.classifier_step = int(about["step"]), int(about["classifier_step"])
    for name, network in run.networks.items():
        network.load_state_dict(_under(f"{name}/", tensors))
        _load_moments(run.optimisers[name], _under(f"optimiser/{name}/", tensors))
    return run


def export(run: Run, path: Path, about: Mapping[str, str]) -> None:
    """Weights for inference alone: generator and classifier, spectral norms written in, half precision."""
    generator = Generator(run.config.ngf, run.config.band)
    generator.load_state_dict(run.generator.state_dict())
    generator.eval()
    bake(generator)
    tensors = {f"generator/{key}": value for key, value in generator.state_dict().items()}
    tensors |= {f"classifier/{key}": value for key, value in run.classifier.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"config": run.config.model_dump_json(), "step": str(run.step), **about}
    save_file({key: value.detach().cpu().half().contiguous() for key, value in tensors.items()}, path, metadata=metadata)


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _load_moments(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split("/")
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
