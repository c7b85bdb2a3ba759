"""Training of the style network: simulated looks of one CT's films, and real films as references.

Pairs: the computed film of a view, and the same view with a look drawn at random; the style code is read from another view
with that look, so it can carry the look and nothing of the anatomy. Real films have no pair: there the grey values'
quantiles and the strength of details at three scales must become the reference's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from tools.imaging.volume import Volume
from tools.imaging.xray.body import find_body
from tools.imaging.xray.geometry import Detector, View
from tools.imaging.xray.radiograph import Request, synthesize
from tools.imaging.xray.style.looks import content_of, draw_look, film_with
from tools.imaging.xray.style.network import CODE, StyleNet, pose_of

WEIGHTS, ABOUT = "style.safetensors", "style.json"
Array = NDArray[np.float32]
_LEARN_MM = 1.5


@dataclass(frozen=True)
class Recipe:
    """Settings of a run; the defaults are those of the shipped weights."""

    views: int = 48
    side: int = 96
    steps: int = 240
    batch: int = 6
    rate: float = 2e-3
    real_every: int = 4
    similarity: float = 1.0
    seed: int = 7


@dataclass(frozen=True)
class View2D:
    """One training view: content (side, side), paths (2, side, side), pose (4,), mm per pixel."""

    content: Array
    paths: Array
    pose: Tensor
    mm: float


def training_views(cts: Sequence[Volume], recipe: Recipe) -> list[View2D]:
    """Views at random angles of the whole patient and of boxes within."""
    rng = np.random.default_rng(recipe.seed)
    cts = [_coarser(ct) for ct in cts]
    bodies = [find_body(ct) for ct in cts]
    views = []
    for number in range(recipe.views):
        ct, body = cts[number % len(cts)], bodies[number % len(cts)]
        standard = number % 2 == 0
        azimuth = float(rng.choice([0, 180, 270, 90])) if standard else float(rng.uniform(0, 360))
        view = View(azimuth, 0.0 if standard else float(rng.uniform(-20, 20)))
        box = None
        if number % 3 == 2:
            half = rng.uniform(60, 110)
            middle = rng.uniform(body.low + half, np.maximum(body.high - half, body.low + half + 1))
            box = (middle - half, middle + half)
        request = Request(view, Detector(recipe.side, recipe.side), collimate=False)
        film = synthesize(ct, request, body=body, box=box)
        views.append(
            View2D(
                content_of(film.dense, film.camera.mm_per_pixel),
                film.paths,
                pose_of(view.azimuth, view.elevation),
                film.camera.mm_per_pixel,
            )
        )
    return views


def _coarser(ct: Volume) -> Volume:
    """Every n-th voxel, at most `_LEARN_MM` apart: training films are small."""
    step = [max(1, int(_LEARN_MM / mm)) for mm in ct.spacing_mm]
    affine = ct.affine @ np.diag([*step, 1])
    return Volume(np.ascontiguousarray(ct.data[:: step[0], :: step[1], :: step[2]]), affine)


def train(
    cts: Sequence[Volume], references: Sequence[Array], out: Path, recipe: Recipe, about: dict[str, str]
) -> dict[str, float]:
    """Train and write weights and card data into `out`; returns the last losses.

    Args:
        cts: HU, at least one.
        references: real films (rows, columns), 0 to 1, bone bright; may be empty.
        out: folder.
        recipe: settings.
        about: what it was trained on, in words, for the card.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed + 1)
    started = time.process_time()
    views = training_views(cts, recipe)
    net = StyleNet()
    optimiser = torch.optim.Adam(net.parameters(), lr=recipe.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    codes: list[Tensor] = []
    means: dict[str, float] = {}
    for step in range(recipe.steps):
        real = bool(references) and step % recipe.real_every == recipe.real_every - 1
        losses = _real(net, views, references, rng, recipe) if real else _paired(net, views, rng, recipe, codes)
        optimiser.zero_grad()
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        for name, loss in losses.items():
            means[name] = 0.95 * means.get(name, float(loss.detach())) + 0.05 * float(loss.detach())
    _write(net, torch.cat(codes[-200:]), out, recipe, {**about, "processor_seconds": f"{time.process_time() - started:.0f}"})
    return means


def _paired(
    net: StyleNet, views: list[View2D], rng: np.random.Generator, recipe: Recipe, codes: list[Tensor]
) -> dict[str, Tensor]:
    picked = [views[int(i)] for i in rng.integers(len(views), size=2 * recipe.batch)]
    mine, others = picked[: recipe.batch], picked[recipe.batch :]
    looks = [draw_look(rng) for _ in mine]
    target = _stack([film_with(v.paths, v.mm, look) for v, look in zip(mine, looks, strict=True)])
    reference = _stack([film_with(v.paths, v.mm, look) for v, look in zip(others, looks, strict=True)])
    content = _stack([v.content for v in mine])
    code = net.encoder(reference)
    codes.append(code.detach())
    pose = torch.stack([v.pose for v in mine])
    film = net(content, pose, code)
    grainy = net(content, pose, code, torch.randn_like(content))
    return {
        "tone": functional.l1_loss(film, functional.avg_pool2d(target, 3, 1, 1)),
        "edges": 0.5 * functional.l1_loss(_gradient(film), _gradient(functional.avg_pool2d(target, 3, 1, 1))),
        "grain": 4 * (_fine(grainy) - _fine(target)).abs().mean(),
        "similarity": recipe.similarity * dissimilarity(film, content),
        "code": 0.01 * code.square().mean(),
    }


def _real(
    net: StyleNet, views: list[View2D], references: Sequence[Array], rng: np.random.Generator, recipe: Recipe
) -> dict[str, Tensor]:
    mine = [views[int(i)] for i in rng.integers(len(views), size=recipe.batch)]
    content, pose = _stack([v.content for v in mine]), torch.stack([v.pose for v in mine])
    reference = _stack([_part(references[int(rng.integers(len(references)))], rng, recipe.side) for _ in mine])
    film = net(content, pose, net.encoder(reference), torch.randn_like(content))
    levels = torch.linspace(0.05, 0.95, 19)
    # Only the patient's pixels: how much open field there is belongs to the view, not to the style.
    wanted = torch.stack([one[one > 0.02].quantile(levels) for one in reference])
    got = torch.stack([one[one > 0.02].quantile(levels) for one in film])
    return {
        "real_tone": 0.5 * functional.l1_loss(got, wanted),
        "real_grain": 2 * (_fine(film) - _fine(reference)).abs().mean(),
        "real_similarity": recipe.similarity * dissimilarity(film, content),
    }


def _part(film: Array, rng: np.random.Generator, side: int) -> Array:
    """A part of a real film at a random scale, mirrored at random."""
    share = rng.uniform(0.6, 1.0)
    rows, columns = (int(n * share) for n in film.shape)
    top, left = (int(rng.integers(n - m + 1)) for n, m in zip(film.shape, (rows, columns), strict=True))
    cut = torch.from_numpy(np.ascontiguousarray(film[top : top + rows, left : left + columns]))[None, None]
    small = functional.interpolate(cut, (side, side), mode="area")[0, 0].numpy()
    return np.ascontiguousarray(small[:, ::-1]) if rng.random() < 0.5 else small


def _stack(films: Sequence[Array]) -> Tensor:
    return torch.from_numpy(np.stack(films).astype(np.float32))[:, None]


def _gradient(film: Tensor) -> Tensor:
    return torch.cat([film[:, :, 1:, :-1] - film[:, :, :-1, :-1], film[:, :, :-1, 1:] - film[:, :, :-1, :-1]], dim=1)


def _fine(film: Tensor) -> Tensor:
    """Mean strength of details at three scales, (n, 3)."""
    return torch.stack(
        [
            (film - functional.avg_pool2d(film, k, 1, k // 2, count_include_pad=False)).abs().mean(dim=(1, 2, 3))
            for k in (3, 5, 9)
        ],
        1,
    )


def dissimilarity(film: Tensor, content: Tensor) -> Tensor:
    """The DRR-similarity term: one minus the correlation of the two films' gradients, 0 to 2."""
    one, two = _gradient(film).flatten(1), _gradient(content).flatten(1)
    return 1 - functional.cosine_similarity(one, two, dim=1, eps=1e-6).mean()


def _write(net: StyleNet, codes: Tensor, out: Path, recipe: Recipe, about: dict[str, str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    spread = torch.cov(codes.T) if len(codes) > CODE else torch.eye(CODE)
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    save_file({**tensors, "codes.mean": codes.mean(dim=0), "codes.covariance": spread.contiguous()}, out / WEIGHTS)
    text = json.dumps({"recipe": asdict(recipe), **about}, indent=1, sort_keys=True)
    (out / ABOUT).write_text(text + "\n", encoding="utf-8")
