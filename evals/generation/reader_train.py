"""Trains the film reader on projections of drawn patients of its own: `python -m evals.generation.reader_train OUT`.

Its patients are drawn from seeds that neither the generator's training nor the benchmark uses.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from evals.generation.reader import MULTIPLE, VIEW_CLASSES, ReaderNet
from tools.imaging.generation.anatomy import Grid, voxelise
from tools.imaging.generation.attributes import WHOLE
from tools.imaging.generation.captions import random_attributes
from tools.imaging.generation.dataset import body_grid, film_window, spine_column
from tools.imaging.generation.fields import smooth_field
from tools.imaging.generation.film_model import PIXEL_MM
from tools.imaging.generation.patient import Patient, draw_patient
from tools.imaging.generation.projection import develop, project
from tools.imaging.generation.texture import textured
from tools.imaging.vertebra_shape import endplates

Array = NDArray[np.float32]
FIRST_SEED = 500_000
_BATCH = 6
_AZIMUTHS = {"frontal": 0.0, "lateral": 90.0, "left_oblique": 45.0, "right_oblique": -45.0}


@dataclass(frozen=True)
class Example:
    """A film, its view's number, and for lateral ones body (0 or 1) and level (place over 16)."""

    film: Array
    view: int
    body: Array | None = None
    place: Array | None = None


def examples_of(seed: int) -> list[Example]:
    """One patient: two lateral films with their bodies, one of the plain and one of the textured CT, and the other views."""
    attributes = random_attributes(seed, most_fractures=3)
    patient = draw_patient(attributes, seed)
    levels = attributes.shown_levels
    anatomy = voxelise(patient, body_grid(patient, levels))
    rng = np.random.default_rng([seed, 21])
    grain = smooth_field(rng, anatomy.plain.shape, 2.5)
    plain = np.asarray(anatomy.plain + rng.uniform(5, 30) * grain, dtype=np.float32)
    rich = textured(anatomy.plain, anatomy.tissue, seed, noise_hu=float(rng.uniform(10, 28)))
    made: list[Example] = []
    for name in ("lateral", *_AZIMUTHS):
        ct = plain if name == "lateral" and not made else rich if name == "lateral" or rng.random() < 0.5 else plain
        azimuth = _AZIMUTHS[name]
        path = project(ct, PIXEL_MM, azimuth)
        column = spine_column(anatomy.grid, patient, levels, azimuth) + rng.uniform(-14, 14)
        film = film_window(develop(path, PIXEL_MM), column)
        body, place = _bodies(patient, anatomy.grid, path.shape, column) if name == "lateral" else (None, None)
        made.append(Example(film, VIEW_CLASSES.index(name), body, place))
    return made


def _bodies(patient: Patient, grid: Grid, shape: tuple[int, ...], column: float) -> tuple[Array, Array]:
    """Mid-sagittal sections of the bodies on a lateral film, and the place of the nearest one, over 16."""
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    z = grid.low[2] + grid.spacing_mm * (grid.shape[2] - 1) - rows * PIXEL_MM
    y = grid.low[1] + grid.spacing_mm * (grid.shape[1] - 1) - columns * PIXEL_MM
    body = np.zeros(shape, dtype=np.float32)
    nearest = np.full(shape, np.inf)
    place = np.zeros(shape, dtype=np.float32)
    for number, item in enumerate(patient.vertebrae):
        front, up = item.axes[0, 1:] / np.linalg.norm(item.axes[0, 1:]), item.axes[2, 1:] / np.linalg.norm(item.axes[2, 1:])
        dy, dz = y - item.centre[1], z - item.centre[2]
        a, u = dy * front[0] + dz * front[1], dy * up[0] + dz * up[1]
        top, bottom = endplates(item.shape, item.fracture, a, np.zeros_like(a))
        body[(u < top) & (u > bottom) & (np.abs(a) < item.shape.depth_mm / 2)] = 1
        away = np.hypot(dy, dz)
        place[away < nearest] = number / (len(WHOLE) - 1)
        nearest = np.minimum(nearest, away)
    return film_window(body, column), film_window(place, column)


def train(out: Path, patients: int, steps: int, seed: int, say: Callable[[str], None], start: Path | None = None) -> Path:
    """Draw the patients (kept beside the weights for another run), write `reader.safetensors`; `start`: go on from it."""
    from safetensors.torch import load_file, save_file

    (out / "patients").mkdir(parents=True, exist_ok=True)
    groups = _by_rows([example for number in range(patients) for example in _kept(out / "patients", number, say)])
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 22])
    net = ReaderNet()
    if start is not None:
        net.load_state_dict({key: value.float() for key, value in load_file(start).items()})
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps + 1, pct_start=0.1)
    recent = []
    for step in range(steps):
        loss = _loss(net, _batch(groups, rng))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        recent.append(float(loss.detach()))
        if step % 100 == 0:
            say(f"reader {step}: {np.mean(recent[-100:]):.4f}")
    path = out / "reader.safetensors"
    save_file({key: value.to(torch.float16).contiguous() for key, value in net.state_dict().items()}, path,
              {"patients": str(patients), "steps": str(steps), "seed": str(seed)})  # fmt: skip
    return path


def _kept(folder: Path, number: int, say: Callable[[str], None]) -> list[Example]:
    """The films of one patient, drawn at the first call."""
    path = folder / f"{number:04d}.npz"
    if not path.exists():
        made = examples_of(FIRST_SEED + number)
        blank = np.zeros_like(made[0].film)
        np.savez(
            path,
            films=np.array([item.film for item in made], dtype=np.float16),
            views=np.array([item.view for item in made]),
            bodies=np.array([blank if item.body is None else item.body for item in made], dtype=np.float16),
            places=np.array([blank if item.place is None else item.place for item in made], dtype=np.float16),
        )
        say(f"patient {number} drawn")
    with np.load(path) as file:
        films, views, bodies, places = (file[name] for name in ("films", "views", "bodies", "places"))
    lateral = VIEW_CLASSES.index("lateral")
    return [
        Example(film, int(view), body if view == lateral else None, place if view == lateral else None)
        for film, view, body, place in zip(*(v.astype(np.float32) for v in (films, views, bodies, places)), strict=True)
    ]


def _by_rows(examples: list[Example]) -> list[list[Example]]:
    """Films of one height together: a batch has one height."""
    groups: dict[int, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.film.shape[0], []).append(example)
    return list(groups.values())


def _batch(groups: list[list[Example]], rng: np.random.Generator) -> list[Example]:
    sizes = np.array([len(group) for group in groups], dtype=float)
    group = groups[int(rng.choice(len(groups), p=sizes / sizes.sum()))]
    high = group[0].film.shape[0]
    take = int(high * rng.uniform(0.8, 1.05)) // MULTIPLE * MULTIPLE
    take = min(take, high // MULTIPLE * MULTIPLE)
    return [_disturbed(group[int(rng.integers(len(group)))], take, rng) for _ in range(_BATCH)]


def _disturbed(example: Example, take: int, rng: np.random.Generator) -> Example:
    """Another size, contrast, blur, grain, uneven shade, and a part of the rows."""
    zoom = rng.uniform(0.88, 1.12)
    rows, columns = example.film.shape
    start = int(rng.integers(rows - take + 1))
    box = slice(start, start + take)
    film: NDArray[np.floating] = ndimage.gaussian_filter(example.film[box], rng.uniform(0.0, 1.1))
    film = np.sign(film) * np.abs(film) ** rng.uniform(0.8, 1.25) * rng.uniform(0.6, 1.4) + rng.uniform(-0.2, 0.2)
    shade = ndimage.zoom(rng.normal(size=(5, 4)), (take / 5, columns / 4), order=1)
    film = film + rng.uniform(0, 0.08) * shade[:take, :columns]
    grain = ndimage.gaussian_filter(rng.normal(size=film.shape), rng.uniform(0.3, 1.0))
    film = np.clip(film + rng.uniform(0, 0.06) * grain / grain.std(), -1, 1)
    film = _zoomed(film, zoom, smooth=True)
    if example.body is None or example.place is None:
        return Example(film, example.view)
    return Example(film, example.view, _zoomed(example.body[box], zoom, smooth=True), _zoomed(example.place[box], zoom))


def _zoomed(image: NDArray[np.floating], zoom: float, *, smooth: bool = False) -> Array:
    """Enlarged about its middle on the same grid."""
    rows, columns = image.shape
    offset = [(n - 1) / 2 * (1 - 1 / zoom) for n in (rows, columns)]
    values = np.asarray(image, dtype=np.float64)
    made = ndimage.affine_transform(values, np.array([1 / zoom, 1 / zoom]), offset, order=1 if smooth else 0, mode="nearest")
    return np.asarray(made, dtype=np.float32)


def _loss(net: ReaderNet, batch: list[Example]) -> Tensor:
    films = torch.from_numpy(np.stack([item.film for item in batch]))[:, None]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps, views = net(films)
    maps, views = maps.float(), views.float()
    loss: Tensor = 0.5 * nn.functional.cross_entropy(views, torch.tensor([item.view for item in batch]))
    shown = [
        (row, item.body, item.place) for row, item in enumerate(batch) if item.body is not None and item.place is not None
    ]
    if not shown:
        return loss
    rows = [row for row, _, _ in shown]
    body = torch.from_numpy(np.stack([one for _, one, _ in shown]))
    place = torch.from_numpy(np.stack([one for _, _, one in shown]))
    # Discs are a few pixels high and tell one body from the next (as in U-Net's weights at borders).
    around = nn.functional.max_pool2d(body, 9, stride=1, padding=4)
    weight = 0.3 + 3 * around - 1.5 * body
    each = nn.functional.binary_cross_entropy_with_logits(maps[rows, 0], body, reduction="none")
    loss = loss + (each * weight).sum() / weight.sum()
    inside = body > 0.5
    loss = loss + 6 * ((maps[rows, 1] - place).abs() * inside).sum() / inside.sum().clamp(min=1)
    return loss


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--start", type=Path)
    arguments = parser.parse_args()
    a = arguments
    print(train(a.out, a.patients, a.steps, a.seed, lambda line: print(line, flush=True), a.start))


if __name__ == "__main__":
    main()
