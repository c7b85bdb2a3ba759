"""Why a level has its grade: which neighbours the expected height rests on, and what changes without each of them."""

from __future__ import annotations

from collections.abc import Sequence

from core.types import Frozen
from tools.imaging.fractures.expected import expect
from tools.imaging.fractures.genant import Graded, genant_grade, grades_within
from tools.imaging.fractures.heights import Measured, Thirds


class WithoutNeighbour(Frozen):
    """The level graded anew without one neighbour; `shift_mm` is how the expected height of the worst third moves."""

    neighbour: str
    grade: int | None
    rhlv_worst: float | None
    shift_mm: float | None


class Explanation(Frozen):
    """The numbers behind one grade. `worst` is the third that decides; heights in mm."""

    level: str
    grade: int
    worst: str
    height_mm: float
    expected_mm: float
    interval_mm: tuple[float, float]
    rhlv: float
    genant_loss: float
    grades_in_interval: tuple[int, int]
    neighbours: tuple[str, ...]
    left_out_as_low: tuple[str, ...]
    without: tuple[WithoutNeighbour, ...]
    text: str


_NAMES = ("anterior", "middle", "posterior")


def explain(item: Graded, spine: Sequence[Measured]) -> Explanation:
    """Explain one graded level from the measured spine it belongs to."""
    worst = max(range(3), key=lambda third: item.loss[third])
    have, want, half = (values[worst] for values in (item.measured.heights, item.expected.heights, item.expected.half_width))
    without = tuple(_without(item, spine, name, worst) for name in item.expected.neighbours)
    low, high = grades_within(item)
    result = Explanation(
        level=item.level,
        grade=item.grade,
        worst=_NAMES[worst],
        height_mm=round(have, 2),
        expected_mm=round(want, 2),
        interval_mm=(round(want - half, 2), round(want + half, 2)),
        rhlv=round(item.loss[worst], 4),
        genant_loss=round(max(item.rim_loss), 4),
        grades_in_interval=(low, high),
        neighbours=item.expected.neighbours,
        left_out_as_low=item.expected.deformed,
        without=without,
        text="",
    )
    return result.model_copy(update={"text": _text(result)})


def _without(item: Graded, spine: Sequence[Measured], name: str, worst: int) -> WithoutNeighbour:
    expected = expect(item.measured, spine, without=(name,))
    if expected is None:
        return WithoutNeighbour(neighbour=name, grade=None, rhlv_worst=None, shift_mm=None)
    loss = _loss(expected.heights, item.measured.heights)
    shift = expected.heights[worst] - item.expected.heights[worst]
    return WithoutNeighbour(
        neighbour=name, grade=genant_grade(loss), rhlv_worst=round(loss[worst], 4), shift_mm=round(shift, 2)
    )


def _loss(expected: Thirds, heights: Thirds) -> Thirds:
    front, middle, back = ((want - have) / (want + 1e-6) for want, have in zip(expected, heights, strict=True))
    return front, middle, back


def _text(known: Explanation) -> str:
    lines = [
        f"{known.level} is Genant grade {known.grade}: its {known.worst} height is {known.height_mm:.1f} mm where "
        f"{known.expected_mm:.1f} mm (95 % interval {known.interval_mm[0]:.1f} to {known.interval_mm[1]:.1f}) is expected, "
        f"a loss of {100 * known.rhlv:.0f} % on the mean of the third and {100 * known.genant_loss:.0f} % at the points "
        "that Genant reads. The thresholds are 20, 25 and 40 %.",
        f"The expected height rests on {', '.join(known.neighbours)} and on the parts of {known.level} that lost no height.",
    ]
    if known.left_out_as_low:
        lines.append(f"Left out as low themselves: {', '.join(known.left_out_as_low)}.")
    moved = [entry for entry in known.without if entry.grade is not None and entry.grade != known.grade]
    declined = [entry.neighbour for entry in known.without if entry.grade is None]
    strongest = max(known.without, key=lambda entry: abs(entry.shift_mm or 0.0), default=None)
    if moved:
        lines.append("The grade would change without " + ", ".join(f"{m.neighbour} (to {m.grade})" for m in moved) + ".")
    elif not declined:
        lines.append("The grade stays the same without any one of them.")
    if declined:
        lines.append(f"It could not be graded without {', '.join(declined)}.")
    if strongest and strongest.shift_mm is not None:
        lines.append(
            f"{strongest.neighbour} counts most: without it the expected height moves by {strongest.shift_mm:+.1f} mm."
        )
    return " ".join(lines)
