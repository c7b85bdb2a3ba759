"""The synthesis as a rule beside the others in `consilium fracture evaluate`, and how good its pictures are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from core.types import Frozen
from tools.imaging.fractures.baselines import Judged
from tools.imaging.fractures.cases import Case
from tools.imaging.fractures.genant import grade_of
from tools.imaging.fractures.heights import Measured
from tools.imaging.healthivert.dataset import as_input
from tools.imaging.healthivert.grade_svm import GradeSvm
from tools.imaging.healthivert.inference import HealthyPainter
from tools.imaging.healthivert.mask_band import painted_rows
from tools.imaging.healthivert.rhlv import central_slices
from tools.imaging.healthivert.spine import PreparedSpine, prepare_spine

THRESHOLDS, SVM = "synthesis, thresholds", "synthesis, SVM"


class PictureScores(Frozen):
    """Of healthy vertebrae painted over: against what was there. PSNR in dB over the painted rows, height error in mm."""

    levels: int
    psnr_db: float
    ssim: float
    dice: float
    height_mae_mm: float
    seconds_per_vertebra: float


@dataclass
class SynthesisRule:
    """Judges the levels of a case by painting them; remembers how long it took and how its healthy pictures compare."""

    painter: HealthyPainter
    svm: GradeSvm | None = None
    seconds: list[float] = field(default_factory=list)
    pictures: list[tuple[float, float, float, float]] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """The rows it adds to the table."""
        return (THRESHOLDS, SVM) if self.svm else (THRESHOLDS,)

    def judge(self, case: Case, measured: Sequence[Measured]) -> dict[str, dict[str, Judged | None]]:
        """Level to rule to verdict; a case without a CT is declined."""
        if case.ct is None:
            return {item.level: dict.fromkeys(self.names) for item in measured}
        spine = prepare_spine(case.ct, case.mask)
        verdicts: dict[str, dict[str, Judged | None]] = {}
        for item in measured:
            begin = time.perf_counter()
            loss = self.painter.synthesize(spine, item.level).rhlv if item.level in spine.levels else None
            self.seconds.append(time.perf_counter() - begin)
            verdicts[item.level] = dict.fromkeys(self.names)
            if loss is None:
                continue
            verdicts[item.level][THRESHOLDS] = Judged(grade_of(max(loss.thirds)), loss.thirds, loss.synthetic_mm)
            if self.svm:
                verdicts[item.level][SVM] = Judged(self.svm.grade(loss.thirds), loss.thirds, loss.synthetic_mm)
        healthy = [level for level, known in case.known.items() if known.grade == 0 and level in spine.levels]
        self.pictures += [score for level in healthy for score in picture_scores(self.painter, spine, level)]
        return verdicts

    def summary(self) -> PictureScores | None:
        """Means over all healthy levels seen."""
        if not self.pictures:
            return None
        psnr, ssim, dice, height = (float(value) for value in np.nanmean(self.pictures, axis=0))
        return PictureScores(
            levels=len(self.pictures), psnr_db=round(psnr, 2), ssim=round(ssim, 3), dice=round(dice, 3),
            height_mae_mm=round(height, 2), seconds_per_vertebra=round(float(np.median(self.seconds)), 3),
        )  # fmt: skip


def picture_scores(painter: HealthyPainter, spine: PreparedSpine, level: str) -> Iterable[tuple[float, float, float, float]]:
    """PSNR, SSIM, Dice and height error of the middle slice of a healthy level, compared at its true height."""
    number = spine.levels.index(level) + 1
    slices = central_slices(spine.body(level))
    if not slices:
        return
    at = slices[len(slices) // 2]
    seen = painter.paint_over(spine, level, at)
    if seen is None:
        return
    image, probability, left, (start, stop) = seen.ct, seen.probability, seen.left, seen.span
    inner = painted_rows(painter.config.rows, painter.config.band, stop - start)
    columns = slice(max(left, 0), min(left + image.shape[1], spine.ct.shape[1]))
    within = slice(columns.start - left, columns.stop - left)
    true = as_input(spine.ct[start:stop, columns, at])
    painted, mask = image[inner, within], probability[inner, within] > 0.5
    body = spine.bodies[start:stop, columns, at] == number
    error = float(((painted - true) ** 2).mean()) / 4
    dice = 2 * float((mask & body).sum()) / max(float(mask.sum() + body.sum()), 1.0)
    yield -10 * float(np.log10(max(error, 1e-10))), _ssim(painted, true), dice, abs(seen.height - (stop - start))


def _ssim(
    painted: np.ndarray[tuple[int, ...], np.dtype[np.float32]], true: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> float:
    """Structural similarity over windows of 7 pixels; Wang et al., IEEE Trans Image Process 2004;13:600-612."""
    from torch.nn import functional

    x, y = (torch.from_numpy((image + 1) / 2).float()[None, None] for image in (painted, true))

    def mean(image: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(image, 7, stride=1)

    if min(x.shape[2:]) < 7:
        return float("nan")
    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    score = (2 * mx * my + 0.01**2) * (2 * both + 0.03**2) / ((mx**2 + my**2 + 0.01**2) * (vx + vy + 0.03**2))
    return float(score.mean())
