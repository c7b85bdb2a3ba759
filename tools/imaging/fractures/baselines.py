"""Simple rules that the neighbour model must beat; they are reported beside it every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tools.imaging.fractures.expected import expect
from tools.imaging.fractures.genant import METHOD, genant_grade, grade_of
from tools.imaging.fractures.heights import Measured, Thirds
from tools.imaging.labels import place_of


@dataclass(frozen=True)
class Judged:
    """What a rule says of one level; the thirds of loss and expected height only where the rule has them."""

    grade: int
    loss: Thirds | None = None
    expected: Thirds | None = None


Rule = Callable[[Measured, Sequence[Measured]], Judged | None]


def model(level: Measured, spine: Sequence[Measured]) -> Judged | None:
    """What `consilium fracture grade` does."""
    expected = expect(level, spine)
    return _against(level, expected.heights) if expected else None


def own_ratio(level: Measured, spine: Sequence[Measured]) -> Judged | None:
    """Lowest third over the highest third of the same vertebra (it cannot see a crush)."""
    tallest = max(level.heights)
    return _against(level, (tallest, tallest, tallest))


def neighbour_reference(level: Measured, spine: Sequence[Measured]) -> Judged | None:
    """Mean of the next vertebra above and the next below, or the one that there is."""
    place = place_of(level.level)
    near = [item.heights for item in spine if 0 < abs(place_of(item.level) - place) <= 1]
    if not near:
        return None
    a, m, p = (float(value) for value in np.mean(near, axis=0))
    return _against(level, (a, m, p))


def totalsegmentator_rule(level: Measured, spine: Sequence[Measured]) -> Judged | None:
    """Heights at 15, 50 and 85 % of the depth on the mid-sagittal line; deformed when the lowest is below .8 of the highest.

    After the spine report of TotalSegmentator (Apache-2.0), on our body and endplates instead of its grid. It only says
    deformed or not; the degree is given by the same thresholds as everywhere here.
    """
    body = level.body
    lines = np.abs(body.right) <= 2
    heights = []
    for share in (0.15, 0.5, 0.85):
        at = body.back + share * (body.front - body.back)
        column = body.height[int(np.abs(body.anterior - at).argmin()), lines]
        if not np.isfinite(column).any():
            return None
        heights.append(float(np.nanmean(column)))
    return Judged(grade_of(1 - min(heights) / max(heights)))


def _against(level: Measured, expected: Thirds) -> Judged:
    a, m, p = ((want - have) / (want + 1e-6) for want, have in zip(expected, level.heights, strict=True))
    return Judged(genant_grade((a, m, p)), (a, m, p), expected)


RULES: dict[str, Rule] = {
    METHOD: model,
    "own ratio": own_ratio,
    "adjacent neighbours": neighbour_reference,
    "TotalSegmentator's rule": totalsegmentator_rule,
}
"""Name to rule; the first is the tool's own."""
