"""Does something leak? Does it work for everyone? Checks on a sample and on its predictions, kept in every model card.

Leakage: a single feature that tells the outcome nearly alone, records on both sides of a split, outcomes among the
features. Fairness: AUROC, observed/expected, and true and false positive rates at one threshold, by subgroup, with
patient-level bootstrap intervals (equalised odds: Hardt, Price and Srebro, NeurIPS 2016).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.ehr.risk.features import Table
from tools.ehr.risk.fingerprint import Marks
from tools.ehr.risk.metrics import AGE_BANDS, auroc, auroc_interval, band_name, observed_expected

Array = NDArray[np.float64]
TELLING = 0.97
"""A single feature of at least this AUROC (either way) is taken for the outcome itself."""
_LARGE = 50000
LEAST = 30
"""Rows of either class that a subgroup needs before its figures are told."""
_SEXES = {"Gender|last": ("female", "male")}
_PREFIXES = ("gender//", "sex//", "race//")
_ICU = {1: "coronary unit", 2: "cardiac surgery unit", 3: "medical unit", 4: "surgical unit"}


class Subgroup(BaseModel):
    """Figures of one subgroup; intervals are 95 % of 200 bootstraps of patients."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    n: int
    positives: int
    auroc: float
    auroc_ci: tuple[float, float]
    oe: float
    oe_ci: tuple[float, float]
    true_positive_rate: float
    false_positive_rate: float


class OddsGap(BaseModel):
    """How far the flagging of a family of subgroups is from equalised odds: widest gaps with 95 % intervals."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    true_positive_rate: float
    true_positive_rate_ci: tuple[float, float]
    false_positive_rate: float
    false_positive_rate_ci: tuple[float, float]


class LeakageAudit(BaseModel):
    """What a sample gives away without any measured value, on patients held out; AUROC of small boostings.

    `counts_only`: how often things were measured. `clock_only`: the hours since admission, of tasks that ask every hour.
    `strongest`: the single feature that tells the outcome best (either way). `twins`: records with the content of another
    patient's, which could stand on both sides of a split.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    strongest: str
    strongest_auroc: float
    counts_only: float | None
    clock_only: float | None
    twins: int

    def rows(self) -> list[tuple[str, str]]:
        """Check and result, as they are told."""
        known = [("how often things were measured, alone", self.counts_only), ("the clock alone", self.clock_only)]
        told = [(name, f"{value:.3f}") for name, value in known if value is not None]
        told.append((f"the most telling single feature ({self.strongest})", f"{self.strongest_auroc:.3f}"))
        return [*told, ("records with the content of another patient's", str(self.twins))]


def leakage_audit(
    table: Table, y: Array, patient: NDArray[np.int64], fold: NDArray[np.int64], marks: Marks | None
) -> LeakageAudit:
    """The audit that every model card keeps; `fold` (rows,) holds patients apart."""
    single = _single_aurocs(table, y)
    best = int(np.argmax(single)) if len(single) else -1
    endings = {"counts_only": ("|count", "|present", "|count12", "|count2"), "clock_only": ("|clock",)}
    found: dict[str, float | None] = {}
    for kind, ending in endings.items():
        columns = [index for index, name in enumerate(table.names) if name.endswith(ending)]
        found[kind] = _boosted_auroc(table.x[:, columns], y, fold) if columns else None
    return LeakageAudit(
        strongest=table.names[best] if best >= 0 else "",
        strongest_auroc=round(float(single[best]), 4) if best >= 0 else 0.5,
        counts_only=found["counts_only"],
        clock_only=found["clock_only"],
        twins=0 if marks is None else _twins(marks, patient),
    )


def _single_aurocs(table: Table, y: Array) -> NDArray[np.float64]:
    """AUROC of each feature alone, the better of both directions, on the rows that have it; shape (features,)."""
    out = np.full(len(table.names), 0.5)
    rows = np.arange(len(y))
    if len(rows) > 20000:  # enough to tell .97 from .9
        rows = np.random.default_rng(0).choice(rows, 20000, replace=False)
    for index in range(len(table.names)):
        column = table.x[rows, index].astype(np.float64)
        there = ~np.isnan(column)
        few = there.sum() < max(100, 0.02 * len(rows))
        if few or min(y[rows][there].sum(), (1 - y[rows][there]).sum()) < 20:
            continue
        area = auroc(y[rows][there], column[there])
        out[index] = max(area, 1 - area)
    return out


def _boosted_auroc(x: NDArray[np.float32], y: Array, fold: NDArray[np.int64]) -> float:
    """Of 60 rounds of boosting, mean over folds held out in turn; of a large sample, the first two folds speak for all."""
    import lightgbm as lgb

    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "seed": 1, "deterministic": True, "num_leaves": 15}
    areas = []
    for held in np.unique(fold)[: 2 if len(y) > _LARGE else None]:
        mine = fold == held
        trees = lgb.train({**settings, "min_child_samples": 40}, lgb.Dataset(x[~mine], y[~mine]), 60)
        areas.append(auroc(y[mine], np.asarray(trees.predict(x[mine], num_threads=1))))
    return round(float(np.nanmean(areas)), 4)


def _twins(marks: Marks, patient: NDArray[np.int64]) -> int:
    """Records whose content is that of another patient's."""
    pairs = np.unique(np.stack([marks.astype(np.int64), patient]), axis=1)
    values, number = np.unique(pairs[0], return_counts=True)
    return int(np.isin(marks, values[number > 1].astype(marks.dtype)).sum())


def leaks(table: Table, y: Array, outcomes: tuple[str, ...] = ()) -> list[str]:
    """What of a sample looks like leakage, in words; empty when nothing does."""
    found = [f"the outcome {name!r} is among the features" for name in outcomes if f"{name}|last" in table.names]
    single = zip(table.names, _single_aurocs(table, y), strict=True)
    return found + [f"{name} alone tells the outcome (AUROC {area:.3f})" for name, area in single if area >= TELLING]


def shared(first: Marks, second: Marks) -> int:
    """How many records of the second set have the content of one of the first."""
    return int(np.isin(second, first).sum())


def groups_of(table: Table, age: Array) -> dict[str, NDArray[np.bool_]]:
    """Sex, race, type of unit and band of age, as far as the features tell them; masks of shape (rows,)."""
    out: dict[str, NDArray[np.bool_]] = {}
    for low, high in AGE_BANDS:
        out[f"age {band_name(low, high)}"] = (age >= low) & (age < high)
    for index, name in enumerate(table.names):
        column = table.x[:, index]
        if name in _SEXES:
            for value, word in enumerate(_SEXES[name]):
                out[word] = column == value
        elif name == "ICUType|last":
            out |= {word: column == value for value, word in _ICU.items()}
        elif name.lower().startswith(_PREFIXES) and name.endswith("|present"):
            out[name.removesuffix("|present").replace("//", " ").lower()] = column > 0
    return out


def fairness(
    y: Array, p: Array, groups: dict[str, NDArray[np.bool_]], patient: NDArray[np.int64], rounds: int = 200
) -> list[Subgroup]:
    """Figures per subgroup of predictions p (NaN: no estimate). The threshold is the one that flags a fifth of all rows."""
    there = ~np.isnan(p)
    threshold = float(np.quantile(p[there], 0.8)) if there.any() else 1.0
    out = []
    for name, mask in groups.items():
        mine = mask & there
        positives = int(y[mine].sum())
        if min(positives, int(mine.sum()) - positives) < LEAST:
            continue
        own, risk, people = y[mine], p[mine], patient[mine]
        flagged = risk > threshold
        low, high = auroc_interval(own, risk, people, rounds)
        out.append(
            Subgroup(
                name=name, n=int(mine.sum()), positives=positives, auroc=round(auroc(own, risk), 4),
                auroc_ci=(round(low, 4), round(high, 4)), oe=round(observed_expected(own, risk), 4),
                oe_ci=_oe_interval(own, risk, people, rounds),
                true_positive_rate=round(float(flagged[own > 0].mean()), 4),
                false_positive_rate=round(float(flagged[own == 0].mean()), 4),
            )
        )  # fmt: skip
    return out


def _oe_interval(y: Array, p: Array, patient: NDArray[np.int64], rounds: int) -> tuple[float, float]:
    people, index = np.unique(patient, return_inverse=True)
    observed, expected = np.bincount(index, weights=y), np.bincount(index, weights=p)
    random = np.random.default_rng(0)
    values = []
    for _ in range(rounds):
        drawn = random.integers(0, len(people), len(people))
        values.append(observed[drawn].sum() / max(expected[drawn].sum(), 1e-9))
    low, high = np.percentile(values, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


FAMILIES = {"sex": ("female", "male"), "age": ("age ",), "unit": tuple(_ICU.values()), "race": ("race ",)}
"""Groups that are compared with each other, by the beginning of their names."""


def equalised_odds(
    y: Array, p: Array, groups: dict[str, NDArray[np.bool_]], patient: NDArray[np.int64], rounds: int = 200
) -> dict[str, OddsGap]:
    """By family of subgroups, the widest gaps in true and in false positive rate, with intervals; as in `fairness` flagged.

    Groups with fewer than `LEAST` rows of a class are left out; a family of one has no gap.
    """
    there = ~np.isnan(p)
    flagged = p > (float(np.quantile(p[there], 0.8)) if there.any() else 1.0)
    people, index = np.unique(patient, return_inverse=True)
    random = np.random.default_rng(0)
    drawn = (np.bincount(random.integers(0, len(people), len(people)), minlength=len(people)) for _ in range(rounds))
    weights = [np.ones(len(y)), *(number[index].astype(np.float64) for number in drawn)]
    out = {}
    for family, beginnings in FAMILIES.items():
        masks = [mask & there for name, mask in groups.items() if name.startswith(beginnings)]
        masks = [mask for mask in masks if min(y[mask].sum(), (1 - y[mask]).sum()) >= LEAST]
        if len(masks) < 2:
            continue
        gaps = np.array([_gaps(y, flagged, masks, weight) for weight in weights])
        low, high = np.nanpercentile(gaps[1:], [2.5, 97.5], axis=0)
        ends = [(round(float(a), 4), round(float(b), 4)) for a, b in zip(low, high, strict=True)]
        out[family] = OddsGap(
            true_positive_rate=round(float(gaps[0, 0]), 4), true_positive_rate_ci=ends[0],
            false_positive_rate=round(float(gaps[0, 1]), 4), false_positive_rate_ci=ends[1],
        )  # fmt: skip
    return out


def _gaps(y: Array, flagged: NDArray[np.bool_], masks: list[NDArray[np.bool_]], weight: NDArray[np.float64]) -> Array:
    """Widest gap of true and of false positive rate between the masks, with rows weighted; shape (2,)."""
    rates = np.full((2, len(masks)), np.nan)
    for place, mask in enumerate(masks):
        for kind, label in enumerate((1, 0)):
            own = weight * (mask & (y == label))
            if own.sum() > 0:
                rates[kind, place] = (own * flagged).sum() / own.sum()
    return np.asarray(np.nanmax(rates, axis=1) - np.nanmin(rates, axis=1))
