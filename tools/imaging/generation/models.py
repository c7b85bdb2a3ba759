"""The shipped weights, loaded once, and the step they share: a plain image led through codec and flow."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import MissingRequirement, SettingError
from tools.imaging.generation.networks import Weights, load_weights
from tools.imaging.generation.rectified import MOST_STEPS, sample
from tools.imaging.generation.train import encode

Array = NDArray[np.float32]
Look = Literal["learned", "procedural"]
Check = Callable[[float], None]
FOLDER = Path(__file__).parent / "weights"
STEPS = 8
Kind = Literal["film", "volume"]
DEFAULT_LOOK: dict[Kind, Look] = {"film": "learned", "volume": "procedural"}
"""No weights of the volume model ship: what paints volumes by default are rules."""


@lru_cache(maxsize=4)
def weights(path: Path) -> Weights:
    """Weights of a file, read once."""
    return load_weights(path)


def shipped(name: Kind) -> Weights:
    """The weights that ship.

    Raises:
        MissingRequirement: none ship for this kind.
    """
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        command = f"consilium synth train {name} --data DIR --out DIR, then --weights DIR/{name}.safetensors"
        raise MissingRequirement(f"The weights of the {name} model (--look learned)", command)
    return weights(path)


def checked_steps(steps: int) -> int:
    """The number of sampling steps, if it is allowed.

    Raises:
        SettingError: it is not 1 to 50.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise SettingError(f"The sampler takes 1 to {MOST_STEPS} steps, got {steps}.")
    return steps


@torch.no_grad()
def paint(model: Weights, plain: Array, facts: Array, steps: int, seed: int, check: Check = lambda share: None) -> Array:
    """The learned look of a plain image (on the codec's scale) of any size that the codec's levels divide.

    What the codec loses of the plain image, its sharp edges, is known exactly and is given back: the learned part changes
    shade and texture, and cannot blur or move an endplate.
    """
    given = torch.from_numpy(np.ascontiguousarray(plain))[None, None]
    condition = encode(model.codec, given, model.scale)
    generator = torch.Generator().manual_seed(seed)
    latent = sample(model.flow, condition, torch.from_numpy(facts)[None], steps, generator, check)
    both = model.codec.decode(torch.cat([latent, condition]) * model.scale)  # type: ignore[operator]
    made = given + both[:1] - both[1:]
    return np.asarray(made[0, 0].float().numpy(), dtype=np.float32)
