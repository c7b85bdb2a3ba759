"""Relative height loss, Genant grade and shape.

Grades: 0 below 20 % loss, 1 from 20, 2 from 25, 3 from 40 % (Genant et al., J Bone Miner Res 1993;8:1137-48). RHLV is
(expected - measured) / (expected + 1e-6) as in HealthiVert-GAN (arXiv 2503.05990); here the expected height comes from the
neighbours and not from a synthesised vertebra.

RHLV is a mean over a third of the depth, but Genant's readers put their points at the rims and at the deepest place: a
straight wedge that lost 25 % at its rim has lost 20 % on the mean of its anterior third. So the loss at the six points is
continued from the thirds, and that gives the grade.

An estimated loss has an error, and mild losses are far more frequent than great ones, so the most probable grade changes
at limits a little off the thresholds of the true loss. They follow by Bayes' rule from an error of 2 % (standard
deviation), the frequencies of the grades in the training part of VerSe 2019 (594, 63, 50, 22 of 729), a loss spread evenly
within each grade up to 70 %, and a half-normal deviation of 7 % among grade 0; see `decision_limits`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.imaging.fractures.checks import Flag
from tools.imaging.fractures.expected import Expected, expect
from tools.imaging.fractures.heights import Measured, Spine, Thirds, Unmeasured

METHOD = "neighbour-referenced heights"
_GRADES = ((0.40, 3), (0.25, 2), (0.20, 1))
_LIMITS = ((0.419, 3), (0.266, 2), (0.184, 1))
_FREQUENCY = (594, 63, 50, 22)
_EVEN = ((0.20, 0.25), (0.25, 0.40), (0.40, 0.70))
_TO_RIM = 0.40
"""The rim (91 % of the depth) lies this far beyond the middle of the outer third, in distances of the thirds' middles."""
_TO_DEEPEST = 0.25
"""A dip at its deepest against the mean of the middle third, in excess over the outer thirds."""
_CRUSH_POSTERIOR = 0.15
_FEW = 3


@dataclass(frozen=True)
class Graded:
    """A level with its loss per third against what the neighbours predict."""

    measured: Measured
    expected: Expected
    loss: Thirds
    grade: int
    shape: str
    warnings: tuple[Flag, ...]

    @property
    def rim_loss(self) -> Thirds:
        """Loss at Genant's six points; its largest value gives the grade."""
        return rim_losses(self.loss)

    @property
    def margin(self) -> float:
        """Half width of the 95 % interval of the worst third's loss: error of the expected height and of the mask."""
        worst = max(range(3), key=lambda third: self.loss[third])
        return (
            float(np.hypot(self.expected.half_width[worst], 1.96 * self.measured.spread[worst]))
            / self.expected.heights[worst]
        )

    @property
    def level(self) -> str:
        """Name of the level."""
        return self.measured.level


def grade_of(loss: float) -> int:
    """Genant grade of a true relative height loss, by the published thresholds."""
    return next((grade for least, grade in _GRADES if loss >= least), 0)


def decision_limits(error: float = 0.02, healthy: float = 0.07) -> tuple[float, float, float]:
    """Where the most probable grade changes from 0 to 1, 1 to 2 and 2 to 3; `_LIMITS` are these.

    Args:
        error: standard deviation of an estimated loss.
        healthy: of the true deviations among vertebrae of grade 0, a half-normal spread cut at 20 %.
    """
    step = 0.0005
    true = np.arange(0, _EVEN[-1][1], step)
    density = [np.exp(-0.5 * (true / healthy) ** 2) * (true < _EVEN[0][0])]
    density += [((true >= low) & (true < high)).astype(float) for low, high in _EVEN]
    weighted = np.array([share / share.sum() * count for share, count in zip(density, _FREQUENCY, strict=True)])
    estimated = np.arange(0.10, 0.50, 0.001)
    likelihood = np.exp(-0.5 * ((estimated[:, None] - true[None, :]) / error) ** 2)
    best = (likelihood @ weighted.T).argmax(axis=1)
    one, two, three = (float(estimated[int((best >= grade).argmax())]) for grade in (1, 2, 3))
    return one, two, three


def most_probable_grade(loss: float) -> int:
    """Genant grade of an estimated loss at the six points."""
    return next((grade for least, grade in _LIMITS if loss >= least), 0)


def rim_losses(loss: Thirds) -> Thirds:
    """Loss at the anterior rim, the deepest place of the middle, and the posterior rim, continued from the thirds' means."""
    front, middle, back = loss
    return (
        front + _TO_RIM * max(0.0, front - middle),
        middle + _TO_DEEPEST * max(0.0, middle - (front + back) / 2),
        back + _TO_RIM * max(0.0, back - middle),
    )


def genant_grade(loss: Thirds) -> int:
    """Genant grade of a vertebra from the mean loss of its thirds."""
    return most_probable_grade(max(rim_losses(loss)))


def shape_of(loss: Thirds) -> str:
    """Where the six points lost height: "crush" when at the back too, "wedge" when most in front, else "biconcave"."""
    front, middle, back = loss
    if most_probable_grade(max(loss)) == 0:
        return "none"
    if back >= _CRUSH_POSTERIOR and min(front, middle) >= _CRUSH_POSTERIOR:
        return "crush"
    return "biconcave" if middle > front else "wedge"


def grade_spine(spine: Spine) -> tuple[list[Graded], list[Unmeasured]]:
    """Grade every measured level; one without any other vertebra is skipped."""
    graded, skipped = [], list(spine.skipped)
    for level in spine.measured:
        expected = expect(level, spine.measured)
        if expected is None:
            skipped.append(Unmeasured(level.level, "no other vertebra can be measured to compare it with"))
            continue
        loss = tuple((want - have) / (want + 1e-6) for want, have in zip(expected.heights, level.heights, strict=True))
        thirds: Thirds = (loss[0], loss[1], loss[2])
        rims = rim_losses(thirds)
        item = Graded(level, expected, thirds, most_probable_grade(max(rims)), shape_of(rims), level.warnings)
        graded.append(replace(item, warnings=(*_warn(item), *level.warnings)))
    return graded, skipped


def grades_within(item: Graded) -> tuple[int, int]:
    """Lowest and highest grade within the 95 % interval of the expected height."""
    worst = max(item.rim_loss)
    return most_probable_grade(worst - item.margin), most_probable_grade(worst + item.margin)


def _warn(item: Graded) -> tuple[Flag, ...]:
    low, high = grades_within(item)
    warnings = []
    if low != high:
        text = f"Within the 95 % interval of the expected height the grade could be {low} to {high}."
        warnings.append(Flag("grade_uncertain", text))
    plain = grade_of(max(item.rim_loss))
    if plain != item.grade:
        text = (
            f"A loss of {100 * max(item.rim_loss):.1f} % lies near a threshold: by the plain thresholds (20, 25, 40 %) it "
            f"would be grade {plain}; grade {item.grade} is the more probable for an estimated loss."
        )
        warnings.append(Flag("near_threshold", text))
    used = len(item.expected.neighbours)
    if used < _FEW:
        what = "Only one neighbour" if used == 1 else f"Only {used} neighbours"
        warnings.append(Flag("few_neighbours", f"{what} could be used: the interval is wide."))
    return tuple(warnings)
