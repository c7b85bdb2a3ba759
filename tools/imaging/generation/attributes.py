"""What a prompt asks for, as data that a person can read and change before anything is drawn."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from core.types import Frozen
from tools.imaging.compression import Kind, rim_loss
from tools.imaging.labels import LEVELS
from tools.imaging.vertebra_shape import Fracture

Region = Literal["thoracic", "thoracolumbar", "lumbar"]
Density = Literal["normal", "osteopenia", "osteoporosis"]
View = Literal["ap", "pa", "lateral", "left_oblique", "right_oblique"]
Curve = Literal["normal", "increased", "reduced"]
Size = Literal["small", "average", "large"]
Sex = Literal["unspecified", "female", "male"]

VIEWS: tuple[View, ...] = get_args(View)
KINDS: tuple[Kind, ...] = get_args(Kind)
REGION_LEVELS: dict[Region, tuple[str, str]] = {
    "thoracic": ("T3", "T12"),
    "thoracolumbar": ("T9", "L4"),
    "lumbar": ("T11", "L5"),
}
"""First and last level drawn when no levels are named."""
WHOLE: tuple[str, ...] = LEVELS[LEVELS.index("T1") : LEVELS.index("L5") + 1]
"""The levels of the model's world, from head to foot."""
LEAST_LOSS, MOST_LOSS = 10.0, 60.0
"""Per cent of height at the points that Genant reads: less cannot be told from normal variation, more is not drawn."""
MOST_FRACTURES = 4
MOST_COBB = 50.0
MOST_COUNT = 100


class Wish(Frozen):
    """One deformed vertebra: where, in which shape, and how much height it has lost.

    `percent` is the greatest loss at the six points of Genant et al. (J Bone Miner Res 1993;8:1137-48).
    """

    level: str
    kind: Kind = "wedge"
    percent: float = Field(ge=LEAST_LOSS, le=MOST_LOSS)

    def fracture(self, upper_share: float = 1.0) -> Fracture:
        """The compression whose loss at the six points is `percent`."""
        return Fracture(self.kind, self.percent / 100 / max(rim_loss(self.kind, 1.0)), upper_share)


class SpineAttributes(Frozen):
    """Everything that decides the anatomy, apart from the seed that draws one patient of this description.

    `levels` run from head to foot; `cobb_deg` is the angle of a scoliosis, 0 for none; `age` is in years.
    """

    region: Region = "lumbar"
    levels: tuple[str, ...] = ()
    fractures: tuple[Wish, ...] = ()
    density: Density = "normal"
    kyphosis: Curve = "normal"
    lordosis: Curve = "normal"
    cobb_deg: float = Field(default=0.0, ge=0.0, le=MOST_COBB)
    size: Size = "average"
    sex: Sex = "unspecified"
    age: int | None = Field(default=None, ge=18, le=105)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = [level for level in self.levels if level not in WHOLE]
        if wrong:
            raise ValueError(f"levels must be T1 to L5, got {', '.join(wrong)}")
        shown = self.shown_levels
        if list(shown) != list(WHOLE[WHOLE.index(shown[0]) : WHOLE.index(shown[0]) + len(shown)]):
            raise ValueError(f"levels must follow each other from head to foot, got {', '.join(shown)}")
        if len(shown) < 3:
            raise ValueError(f"at least 3 neighbouring levels are needed, got {', '.join(shown)}")
        places = [wish.level for wish in self.fractures]
        if len(places) > MOST_FRACTURES or len(set(places)) < len(places):
            raise ValueError(f"at most {MOST_FRACTURES} levels, each once, can be deformed, got {', '.join(places)}")
        if set(places) - set(shown):
            raise ValueError(f"a deformed level must be among {shown[0]} to {shown[-1]}, got {', '.join(places)}")
        return self

    @property
    def shown_levels(self) -> tuple[str, ...]:
        """The levels that are drawn: those named, or those of the region."""
        if self.levels:
            return self.levels
        return levels_between(*REGION_LEVELS[self.region])


def levels_between(first: str, last: str) -> tuple[str, ...]:
    """Levels from the first to the last, in the order from head to foot."""
    one, two = sorted((WHOLE.index(first), WHOLE.index(last)))
    return WHOLE[one : two + 1]
