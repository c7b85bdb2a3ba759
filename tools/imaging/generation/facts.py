"""The facts of a prompt as numbers for the learned models: their text embedding, made from what the prompt was read as."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.imaging.generation.attributes import SpineAttributes

_DENSITIES = ("normal", "osteopenia", "osteoporosis")
_REGIONS = ("lumbar", "thoracolumbar", "thoracic")
_KINDS = ("wedge", "biconcave", "crush")
_CURVES = {"reduced": -1.0, "normal": 0.0, "increased": 1.0}
_SIZES = {"small": -1.0, "average": 0.0, "large": 1.0}


def facts_of(attributes: SpineAttributes, azimuth_deg: float = 0.0, *, real: bool = True) -> NDArray[np.float32]:
    """Twenty numbers: look (of real scans or of drawn ones), view, density, region, deformities, curves, person.

    Args:
        attributes: what the prompt asks for.
        azimuth_deg: of a film: 0 frontal, 90 lateral.
        real: ask for the look of the real scans of the training.
    """
    angle = np.radians(azimuth_deg)
    worst = {kind: max((w.percent for w in attributes.fractures if w.kind == kind), default=0.0) / 60 for kind in _KINDS}
    age = 0.0 if attributes.age is None else (attributes.age - 60) / 25
    sex = {"female": -1.0, "male": 1.0}.get(attributes.sex, 0.0)
    return np.array(
        [
            float(real), float(not real), np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle),
            *(float(attributes.density == name) for name in _DENSITIES),
            *(float(attributes.region == name) for name in _REGIONS),
            *(worst[kind] for kind in _KINDS),
            _CURVES[attributes.kyphosis], attributes.cobb_deg / 50, _SIZES[attributes.size], age, sex,
        ],
        dtype=np.float32,
    )  # fmt: skip
