"""A hundred prompts through the whole path, and what is measured on the results: height loss, level, view.

Volumes are measured twice: by our grader on the mask, and by `ct_reading` on the CT's intensities. Of films the view is
read by `view_reader`, which knows nothing of how they were made, and the endplates are looked for by `film_reading`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.types import Frozen
from evals.generation.ct_reading import graded_twice
from evals.generation.film_reading import losses, read_bodies
from evals.generation.view_reader import shipped_view_reader
from tools.imaging.compression import Kind
from tools.imaging.fractures.genant import Graded
from tools.imaging.generation.anatomy import Anatomy
from tools.imaging.generation.attributes import KINDS, REGION_LEVELS, SpineAttributes, View, Wish, levels_between
from tools.imaging.generation.captions import caption, random_attributes
from tools.imaging.generation.dataset import spine_column
from tools.imaging.generation.film_model import make_body, make_film
from tools.imaging.generation.models import Look
from tools.imaging.generation.projection import AZIMUTH
from tools.imaging.generation.prompt import read_prompt
from tools.imaging.generation.volume_model import make_volume

FIRST_SEED = 900_000
"""Apart from the seeds of every training."""
_VIEWS: tuple[View, ...] = ("lateral", "lateral", "ap", "left_oblique", "right_oblique", "pa")
_CLASS = {"ap": "frontal", "pa": "frontal"}
PLAIN = "plain"
"""The projection before any look, as a row of its own."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Prompt:
    """Words, what they stand for, and the view of a film."""

    words: str
    attributes: SpineAttributes
    view: View
    seed: int


class Measured(Frozen):
    """One deformed level: per cent asked for and measured (None: not measurable)."""

    level: str
    kind: Kind
    asked: float
    measured: float | None


class LoopRow(Frozen):
    """One prompt: its levels, whether the worst levels are those asked for (None: nothing measured), the view, seconds."""

    words: str
    levels: tuple[Measured, ...]
    right: bool | None
    view_right: bool | None = None
    seconds: float = 0.0
    cobb_deg: float = 0.0


def prompts(count: int, seed: int) -> list[Prompt]:
    """Prompts with one deformed level each, every fifth with two; wording, region, severity and person vary."""
    made = []
    for number in range(count):
        own = FIRST_SEED + 10_000 * seed + number
        attributes = random_attributes(own, most_fractures=0)
        rng = np.random.default_rng([own, 41])
        inner = levels_between(*REGION_LEVELS[attributes.region])[1:-1]
        places = sorted(rng.choice(len(inner), size=2 if number % 5 == 4 else 1, replace=False))
        wishes = tuple(
            Wish(level=inner[int(place)], kind=KINDS[int(rng.integers(3))], percent=float(rng.integers(15, 56)))
            for place in places
        )
        attributes = attributes.model_copy(update={"fractures": wishes})
        view = _VIEWS[number % len(_VIEWS)]
        made.append(Prompt(caption(attributes, (), own), attributes, view, own))
    return made


def volume_rows(asked: list[Prompt], look: Look, steps: int, say: Say) -> tuple[list[LoopRow], list[LoopRow]]:
    """Volumes of the prompts, measured on the mask and on the CT."""
    by_mask, by_ct = [], []
    for number, item in enumerate(asked):
        started = time.monotonic()
        made = make_volume(read_prompt(item.words).attributes, item.seed, size=48, look=look, steps=steps)
        seconds = time.monotonic() - started
        mask_grades, ct_grades = graded_twice(made.ct, made.mask)
        by_mask.append(_row(item, _losses(mask_grades), seconds))
        by_ct.append(_row(item, _losses(ct_grades), seconds))
        say(f"volume {number + 1} of {len(asked)}, {look}: {seconds:.1f} s")
    return by_mask, by_ct


def film_rows(asked: list[Prompt], looks: tuple[Look, ...], steps: int, say: Say) -> dict[str, list[LoopRow]]:
    """Films of the prompts: the view on the film that was asked for, levels and loss on a lateral one.

    Beside the looks stands the plain projection that they start from: what is missed there is the reading's own.
    """
    rows: dict[str, list[LoopRow]] = {name: [] for name in (*looks, PLAIN)}
    for number, item in enumerate(asked):
        request = read_prompt(caption(item.attributes, (item.view,), item.seed))
        started = time.monotonic()
        body = make_body(request.attributes, item.seed)
        drawing = time.monotonic() - started
        views = tuple(dict.fromkeys((*request.views[:1], "lateral")))
        for look in looks:
            started = time.monotonic()
            made = {view: make_film(body, request.attributes, view, item.seed, look=look, steps=steps) for view in views}
            seconds = drawing + (time.monotonic() - started) / len(views)
            rows[look].append(_film_row(item, body, {view: film.film for view, film in made.items()}, seconds))
        rows[PLAIN].append(_film_row(item, body, {view: film.plain for view, film in made.items()}, drawing))
        say(f"film {number + 1} of {len(asked)}: {seconds:.1f} s")
    return rows


def _film_row(item: Prompt, body: Anatomy, films: dict[View, NDArray[np.float32]], seconds: float) -> LoopRow:
    levels = item.attributes.shown_levels
    column = spine_column(body.grid, body.patient, levels, AZIMUTH["lateral"])
    read = read_bodies(films["lateral"], body.patient, body.grid, levels, column)
    row = _row(item, losses(read), seconds)
    view = shipped_view_reader().read(films[item.view])
    return row.model_copy(
        update={"view_right": view == _CLASS.get(item.view, item.view), "cobb_deg": item.attributes.cobb_deg}
    )


def _losses(graded: list[Graded]) -> dict[str, float]:
    return {item.level: max(item.rim_loss) for item in graded}


def _row(item: Prompt, losses: dict[str, float], seconds: float) -> LoopRow:
    wishes = item.attributes.fractures
    shown = item.attributes.shown_levels
    inside = {level: loss for level, loss in losses.items() if level in shown}
    worst = sorted(inside, key=lambda level: -inside[level])[: len(wishes)]
    levels = tuple(
        Measured(
            level=wish.level,
            kind=wish.kind,
            asked=wish.percent,
            measured=round(100 * losses[wish.level], 2) if wish.level in losses else None,
        )
        for wish in wishes
    )
    return LoopRow(
        words=item.words, levels=levels, right=set(worst) == {wish.level for wish in wishes}, seconds=round(seconds, 2)
    )


class LoopScore(Frozen):
    """Correlation and mean error of the loss, level and view right, each with its 95 % interval; how many counted."""

    correlation: float
    correlation_interval: tuple[float, float]
    mae: float
    bias: float
    losses: int
    unmeasured: int
    level_right: float | None
    level_interval: tuple[float, float]
    level_counted: int
    view_right: float | None
    view_interval: tuple[float, float]
    view_counted: int
    median_seconds: float


def score(rows: list[LoopRow]) -> LoopScore:
    """Sum up. A level that could not be measured counts as wrong, and its loss is left out of the correlation."""
    counted = [row for row in rows if row.right is not None]
    pairs = [(m.asked, m.measured) for row in counted for m in row.levels if m.measured is not None]
    asked, measured = (np.array(values, dtype=float) for values in zip(*pairs, strict=True)) if pairs else (np.zeros(0),) * 2
    r = float(np.corrcoef(asked, measured)[0, 1]) if len(pairs) > 3 else float("nan")
    half = 1.96 / np.sqrt(max(len(pairs) - 3, 1))
    level = [bool(row.right) for row in counted]
    view = [row.view_right for row in rows if row.view_right is not None]
    return LoopScore(
        correlation=round(r, 4),
        correlation_interval=(
            round(float(np.tanh(np.arctanh(r) - half)), 4),
            round(float(np.tanh(np.arctanh(r) + half)), 4),
        ),
        mae=round(float(np.abs(measured - asked).mean()), 2) if pairs else float("nan"),
        bias=round(float((measured - asked).mean()), 2) if pairs else float("nan"),
        losses=len(pairs),
        unmeasured=sum(len(row.levels) for row in counted) - len(pairs),
        level_right=share(level),
        level_interval=wilson(sum(level), len(level)),
        level_counted=len(level),
        view_right=share(view),
        view_interval=wilson(sum(view), len(view)),
        view_counted=len(view),
        median_seconds=round(float(np.median([row.seconds for row in rows])), 2),
    )


def share(values: list[bool]) -> float | None:
    """Mean of yes and no, None without any."""
    return round(sum(values) / len(values), 4) if values else None


def wilson(right: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if total == 0:
        return 0.0, 1.0
    p, z = right / total, 1.96
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return round(float(middle - half), 4), round(float(middle + half), 4)
