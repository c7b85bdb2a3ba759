"""Attributes to words: the captions that go with training pictures, and a plain statement of what was drawn.

Every caption reads back: `read_prompt(caption(a)).attributes` equals `a` in all that a prompt can say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tools.imaging.generation.attributes import (
    KINDS,
    REGION_LEVELS,
    Density,
    Region,
    Size,
    SpineAttributes,
    View,
    Wish,
    levels_between,
)
from tools.imaging.generation.prompt_fractures import SEVERITY

Choose = Callable[[Sequence[str]], str]
_VIEW_WORDS: dict[View, tuple[str, ...]] = {
    "ap": ("AP", "anteroposterior", "frontal"),
    "pa": ("PA", "posteroanterior"),
    "lateral": ("lateral",),
    "left_oblique": ("left oblique", "LPO"),
    "right_oblique": ("right oblique", "RPO"),
}
_KIND_WORDS = {
    "wedge": ("wedge fracture", "wedge deformity"),
    "biconcave": ("biconcave fracture", "biconcave deformity"),
    "crush": ("crush fracture", "collapse"),
}
_DENSITY_WORDS: dict[Density, tuple[str, ...]] = {
    "normal": ("", "normal bone density"),
    "osteopenia": ("osteopenia", "low bone density"),
    "osteoporosis": ("osteoporosis", "osteoporotic bone"),
}
_SIZE_WORDS: dict[Size, str] = {"small": "small", "average": "", "large": "tall"}


def caption(attributes: SpineAttributes, views: Sequence[View] = (), seed: int | None = None) -> str:
    """One wording of the attributes; another seed gives other words, no seed the plainest ones."""
    rng = None if seed is None else np.random.default_rng([seed, 15])

    def one_of(words: Sequence[str]) -> str:
        return words[0] if rng is None else words[int(rng.integers(len(words)))]

    parts = [_opening(attributes, views, one_of), *_fracture_words(attributes.fractures, one_of)]
    if not attributes.fractures:
        parts.append(one_of(("no fracture", "without any fracture")))
    if words := one_of(_DENSITY_WORDS[attributes.density]):
        parts.append(words)
    for curve, name in ((attributes.kyphosis, "kyphosis"), (attributes.lordosis, "lordosis")):
        if curve != "normal":
            parts.append(f"{curve} {name}")
    if attributes.cobb_deg:
        parts.append(f"scoliosis of {attributes.cobb_deg:g} degrees")
    return ", ".join([*parts, *_person(attributes)])


def _opening(attributes: SpineAttributes, views: Sequence[View], one_of: Choose) -> str:
    if attributes.levels:
        what = f"spine from {attributes.levels[0]} to {attributes.levels[-1]}"
    else:
        what = f"{attributes.region} spine"
    if not views:
        return f"{one_of(('CT', 'CT volume'))} of the {what}"
    named = " and ".join(one_of(_VIEW_WORDS[view]) for view in views)
    return f"{named} {one_of(('radiograph', 'film', 'x-ray'))} of the {what}"


def _fracture_words(wishes: Sequence[Wish], one_of: Choose) -> list[str]:
    found = []
    for wish in wishes:
        amount = f"{wish.percent:g} %"
        for word in ("mild", "moderate", "severe"):
            if SEVERITY[word] == wish.percent:
                amount = one_of((word, amount))
        found.append(f"{amount} {one_of(_KIND_WORDS[wish.kind])} of {wish.level}")
    return found


def _person(attributes: SpineAttributes) -> list[str]:
    words = [_SIZE_WORDS[attributes.size]] if attributes.size != "average" else []
    if attributes.age is not None:
        words.append(f"{attributes.age}-year-old")
    if attributes.sex != "unspecified":
        words.append("woman" if attributes.sex == "female" else "man")
    elif words:
        words.append("patient")
    return [" ".join(words)] if words else []


def random_attributes(seed: int, region: Region | None = None, most_fractures: int = 2) -> SpineAttributes:
    """Attributes drawn evenly over the model's world, for training and for judging."""
    rng = np.random.default_rng([seed, 14])
    names: tuple[Region, ...] = ("lumbar", "thoracolumbar", "thoracic")
    chosen = region or names[int(rng.choice(3, p=(0.45, 0.35, 0.2)))]
    inner = levels_between(*REGION_LEVELS[chosen])[1:-1]
    number = int(rng.integers(0, most_fractures + 1))
    places = sorted(rng.choice(len(inner), size=number, replace=False))
    wishes = tuple(
        Wish(level=inner[int(place)], kind=KINDS[int(rng.integers(3))], percent=float(rng.integers(15, 56)))
        for place in places
    )
    densities: tuple[Density, ...] = ("normal", "osteopenia", "osteoporosis")
    sizes: tuple[Size, ...] = ("average", "average", "small", "large")
    return SpineAttributes(
        region=chosen,
        fractures=wishes,
        density=densities[int(rng.integers(3))],
        kyphosis=("normal", "normal", "increased", "reduced")[int(rng.integers(4))],
        lordosis=("normal", "normal", "increased", "reduced")[int(rng.integers(4))],
        cobb_deg=float(rng.choice([0.0, 0.0, 0.0, 12.0, 25.0, 40.0])),
        size=sizes[int(rng.integers(4))],
        sex=("female", "male", "unspecified")[int(rng.integers(3))],
        age=int(rng.integers(40, 90)) if rng.random() < 0.5 else None,
    )
