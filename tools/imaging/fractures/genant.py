"""Relative height loss, Genant grade and shape.

Grades: 0 below 20 % loss, 1 from 20, 2 from 25, 3 from 40 % (Genant et al., J Bone Miner Res 1993;8:1137-48). RHLV is
(expected - measured) / (expected + 1e-6) as in HealthiVert-GAN (arXiv 2503.05990); here the expected height comes from the
neighbours and not from a synthesised vertebra.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.imaging.fractures.expected import Expected, expect
from tools.imaging.fractures.heights import Measured, Spine, Thirds, Unmeasured

METHOD = "neighbour-referenced heights"
_GRADES = ((0.40, 3), (0.25, 2), (0.20, 1))
_SHAPE_FROM = 0.20
_CRUSH_POSTERIOR = 0.15


@dataclass(frozen=True)
class Graded:
    """A level with its loss per third against what the neighbours predict."""

    measured: Measured
    expected: Expected
    loss: Thirds
    grade: int
    shape: str
    warnings: tuple[str, ...]

    @property
    def level(self) -> str:
        """Name of the level."""
        return self.measured.level


def grade_of(loss: float) -> int:
    """Genant grade of a relative height loss."""
    return next((grade for least, grade in _GRADES if loss >= least), 0)


def shape_of(loss: Thirds) -> str:
    """Which thirds lost height: "crush" when the back did too, "wedge" when the front did most, else "biconcave"."""
    front, middle, back = loss
    if max(loss) < _SHAPE_FROM:
        return "none"
    if back >= _CRUSH_POSTERIOR and min(front, middle) >= _CRUSH_POSTERIOR:
        return "crush"
    return "biconcave" if middle > front else "wedge"


def grade_spine(spine: Spine) -> tuple[list[Graded], list[Unmeasured]]:
    """Grade every measured level; those without two usable neighbours are skipped."""
    graded, skipped = [], list(spine.skipped)
    for level in spine.measured:
        expected = expect(level, spine.measured)
        if expected is None:
            skipped.append(Unmeasured(level.level, "fewer than two neighbours can be measured to compare it with"))
            continue
        loss = tuple((want - have) / (want + 1e-6) for want, have in zip(expected.heights, level.heights, strict=True))
        thirds: Thirds = (loss[0], loss[1], loss[2])
        grade = grade_of(max(thirds))
        graded.append(Graded(level, expected, thirds, grade, shape_of(thirds), (*_warn(thirds, expected), *level.warnings)))
    return graded, skipped


def _warn(loss: Thirds, expected: Expected) -> tuple[str, ...]:
    worst = max(range(3), key=lambda third: loss[third])
    margin = expected.half_width[worst] / expected.heights[worst]
    low, high = grade_of(loss[worst] - margin), grade_of(loss[worst] + margin)
    warnings = []
    if low != high:
        warnings.append(f"Within the 95 % interval of the expected height the grade could be {low} to {high}.")
    if len(expected.neighbours) < 3:
        warnings.append(f"Only {len(expected.neighbours)} neighbours could be used: the interval is wide.")
    return tuple(warnings)
