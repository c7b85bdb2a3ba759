"""Everything that decides what a training run makes; with the data it fixes the weights."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, model_validator

from core.errors import FileError
from core.types import Frozen

WEIGHTS_NAME, GRADES_NAME = "healthivert.safetensors", "grades.json"
"""Files of a training run, and of the weights that ship."""


class GanConfig(Frozen):
    """Sizes, schedule and loss weights. Defaults of the weights are the paper's.

    `rows` and `columns` are pixels of 1 mm of the network's input, along the spine and front to back.
    """

    rows: int = Field(multiple_of=16, ge=64)
    columns: int = Field(multiple_of=16, ge=32)
    band: int = Field(ge=16)
    ngf: int = Field(ge=2)
    batch: int = Field(ge=1)
    steps: int = Field(ge=1)
    classifier_steps: int = Field(ge=0)
    phantoms: int = Field(ge=1)
    seed: int
    learning_rate: float = 2e-4
    beta1: float = 0.5
    pixel_weight: float = 200.0
    edge_weight: float = 800.0
    target_dice_weight: float = 15.0
    neighbour_dice_weight: float = 10.0
    height_weight: float = 40.0
    adversarial_weight: float = 1 / 6
    bfloat16: bool = Field(default=False, description="Networks in bfloat16 while training; heights and losses never.")

    @model_validator(mode="after")
    def _band_fits(self) -> GanConfig:
        if self.band % 2 or self.band > self.rows // 2:
            raise ValueError(f"band must be even and at most half of rows ({self.rows}), got {self.band}")
        return self


def load_config(name: str) -> GanConfig:
    """A preset of `config.yaml` by name, or the first entry of a YAML file of the same form.

    Raises:
        FileError: no such preset or file, or a value that is not allowed.
    """
    path = Path(name)
    is_file = path.suffix in (".yaml", ".yml")
    if is_file and not path.is_file():
        raise FileError(f"The configuration {name!r} is not there.")
    text = (path if is_file else files("tools.imaging.healthivert") / "config.yaml").read_text(encoding="utf-8")
    presets = yaml.safe_load(text)
    if not isinstance(presets, dict) or not presets:
        raise FileError(f"The configuration {name!r} must be a YAML mapping of a name to its values.")
    chosen = next(iter(presets)) if is_file else name
    if chosen not in presets:
        raise FileError(f"There is no preset {name!r}. Presets: {', '.join(presets)}; or give a YAML file.")
    try:
        return GanConfig.model_validate(presets[chosen])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FileError(
            f"The configuration {chosen!r} has a wrong value at {where or 'its top'}: {first['msg']}."
        ) from error
