"""Patients like this one: groups of at least ten stays, the nearest of them, and what became of those in them.

No stay is kept. The reference is microaggregated (MDAV: Domingo-Ferrer and Mateo-Sanz, IEEE TKDE 2002;14:189-201): every
group has at least `FLOOR` stays and only its mean vector, its counts of outcomes and its means of a few variables are
written, so an answer is k-anonymous from the start. Vectors are principal components of normal scores; the search is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError, InputError, MissingRequirement
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.features import Table
from tools.ehr.risk.network import Network, normal_scores

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]
FLOOR = 10
"""The least number of stays in a group."""
WANTED = 100
"""Groups are added, nearest first, until they hold this many stays."""
_KINDS = ("|last", "|mean", "|min24", "|max24", "|ratio", "|steps")
_TOLD = (
    "Age|last", "GCS|last", "HR|last", "MeanPressure|last", "Creatinine|last", "BUN|last", "Lactate|last", "Urine|sum",
    "WBC|last", "Platelets|last",
)  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """g groups in d dimensions.

    `names` are the features read, `knots` and `scores` map them to normal scores, `axes` (features, d) to components;
    `vectors` (g, d), `size` (g,), `outcomes` (g, 4): deaths, stays of known outcome, long stays, stays of known length;
    `told` (g, variables) means of `told_names`; `far` is the distance to the nearest group that 99 % of stays keep within.
    """

    names: tuple[str, ...]
    knots: Matrix
    scores: Matrix
    axes: Matrix
    vectors: Matrix
    size: NDArray[np.int32]
    outcomes: NDArray[np.int32]
    told_names: tuple[str, ...]
    told: Matrix
    far: float

    def place(self, table: Table) -> Matrix:
        """Components of n stays, shape (n, d)."""
        flat = np.zeros(0, np.int32)
        return np.asarray(Network(self.knots, self.scores, flat, ()).prepared(table.align(self.names)) @ self.axes)

    def near(self, vector: Matrix, wanted: int = WANTED) -> tuple[NDArray[np.int64], float]:
        """The groups nearest to a vector of shape (d,) that together hold `wanted` stays, and the distance to the first."""
        distance = np.linalg.norm(self.vectors - vector, axis=1)
        order = np.argsort(distance, kind="stable")
        enough = int(np.searchsorted(np.cumsum(self.size[order]), wanted)) + 1
        return order[:enough].astype(np.int64), float(distance[order[0]])

    def save(self, path: Path) -> None:
        """Write as safetensors; the names are its metadata."""
        from safetensors.numpy import save_file

        tensors = {
            "knots": self.knots, "scores": self.scores.astype(np.float16), "axes": self.axes.astype(np.float16),
            "vectors": self.vectors.astype(np.float16), "size": self.size, "outcomes": self.outcomes, "told": self.told,
        }  # fmt: skip
        words = {"names": "\n".join(self.names), "told_names": "\n".join(self.told_names), "far": repr(self.far)}
        save_file({name: np.ascontiguousarray(part) for name, part in tensors.items()}, path, metadata=words)


def load_reference(path: Path) -> Reference:
    """Read what `Reference.save` wrote.

    Raises:
        FileError: the file is not that, or a group is smaller than the floor.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            words = file.metadata() or {}
            part = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        out = Reference(
            tuple(words["names"].split("\n")), part["knots"], part["scores"].astype(np.float32),
            part["axes"].astype(np.float32), part["vectors"].astype(np.float32), part["size"], part["outcomes"],
            tuple(words["told_names"].split("\n")), part["told"], float(words["far"]),
        )  # fmt: skip
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise FileError(f"{path.name} does not hold groups of similar patients: {str(error)[:120]}") from error
    if out.size.min() < FLOOR:
        raise FileError(f"{path.name} has a group of {int(out.size.min())} stays; at least {FLOOR} are required.")
    return out


def shipped_reference() -> Reference:
    """The groups that ship.

    Raises:
        MissingRequirement: they were taken out.
    """
    found = files("tools.ehr.risk") / "weights" / "similar.safetensors"
    if not found.is_file():
        raise MissingRequirement("The groups of similar patients", "consilium ehr similar --build DIR --out FILE")
    with as_file(found) as path:
        return load_reference(path)


def build_reference(sample: Sample, dimensions: int = 24) -> Reference:
    """From a sample of the task icu_death on a set with outcomes.

    Raises:
        InputError: there are fewer than 20 groups' worth of stays.
    """
    n = len(sample.rows)
    if n < 20 * FLOOR:
        raise InputError(f"{n} stays; at least {20 * FLOOR} are needed for groups of {FLOOR}.")
    keep = [i for i, name in enumerate(sample.table.names) if name.endswith(_KINDS) and _common(sample.table.x[:, i])]
    names = tuple(sample.table.names[i] for i in keep)
    x = sample.table.x[:, keep]
    knots, scores = normal_scores(x)
    z = Network(knots, scores, np.zeros(0, np.int32), ()).prepared(x)
    _, _, right = np.linalg.svd((z - z.mean(axis=0))[:: max(1, n // 4000)], full_matrices=False)
    axes = right[:dimensions].T.astype(np.float32)
    vectors = (z @ axes).astype(np.float32)
    group = microaggregate(vectors, FLOOR)
    size = np.bincount(group).astype(np.int32)
    died = sample.rows.outcomes.get("In-hospital_death", np.full(n, np.nan))
    stay = sample.rows.outcomes.get("Length_of_stay", np.full(n, np.nan))
    stay = np.where(stay < 0, np.nan, stay)
    counts = [np.nan_to_num(died), ~np.isnan(died), np.nan_to_num(stay) > 7, ~np.isnan(stay)]
    outcomes = np.stack([np.bincount(group, weights=part.astype(float)) for part in counts], axis=1).astype(np.int32)
    told_names = tuple(name for name in _TOLD if name in sample.table.names)
    told = np.full((len(size), len(told_names)), np.nan, np.float32)
    for column, name in enumerate(told_names):
        values = sample.table.x[:, sample.table.names.index(name)]
        there = ~np.isnan(values)
        number = np.bincount(group[there], minlength=len(size))
        total = np.bincount(group[there], weights=values[there], minlength=len(size))
        # A mean of few would tell of few: below the floor it is not kept.
        told[:, column] = np.where(number >= FLOOR, total / np.maximum(number, 1), np.nan)
    exact = np.stack([np.bincount(group, weights=vectors[:, d]) / size for d in range(vectors.shape[1])], axis=1)
    means = exact.astype(np.float16).astype(np.float32)
    far = float(np.quantile(_distances_to_others(vectors, means, group, size), 0.99))
    return Reference(names, knots, scores, axes, means, size, outcomes, told_names, told, far)


def _distances_to_others(
    vectors: Matrix, means: Matrix, group: NDArray[np.int64], size: NDArray[np.int32]
) -> NDArray[np.float64]:
    """From each stay to the nearest group, its own taken without it: as far as a stay that is not in the reference."""
    out = np.empty(len(vectors))
    for row, vector in enumerate(vectors):
        distance = np.linalg.norm(means - vector, axis=1)
        own = group[row]
        distance[own] *= size[own] / max(size[own] - 1, 1)
        out[row] = distance.min()
    return out


def _common(column: Matrix) -> bool:
    return bool((~np.isnan(column)).mean() > 0.2)


def microaggregate(vectors: Matrix, floor: int) -> NDArray[np.int64]:
    """MDAV: a group per row, shape (n,); every group has `floor` rows, the last up to twice as many less one."""
    left = np.arange(len(vectors))
    group = np.full(len(vectors), -1, np.int64)
    number = 0
    while len(left) >= 2 * floor:
        centre = vectors[left].mean(axis=0)
        start = vectors[left[np.argmax(np.linalg.norm(vectors[left] - centre, axis=1))]]
        order = np.argsort(np.linalg.norm(vectors[left] - start, axis=1), kind="stable")
        group[left[order[:floor]]] = number
        left = left[np.sort(order[floor:])]
        number += 1
    group[left] = number
    return group


@dataclass(frozen=True)
class Alike:
    """What became of the stays nearest to a patient; rates are NaN where no outcome is known."""

    stays: int
    groups: int
    deaths: int
    known: int
    death_rate: float
    death_interval: tuple[float, float]
    long_stays: int
    long_rate: float
    base_death_rate: float
    means: dict[str, float]


def alike(reference: Reference, table: Table) -> Alike:
    """The outcomes of stays like the first row of a table.

    Raises:
        InputError: even the nearest group is farther than 99 % of the reference's own stays are from theirs.
    """
    chosen, first = reference.near(reference.place(table)[0])
    if first > reference.far:
        raise InputError(
            f"No similar patients: the nearest group of stays is {first / reference.far:.1f} times as far as nearly all "
            "stays of the reference are from theirs."
        )
    deaths, known, long_stays, lengths = (int(v) for v in reference.outcomes[chosen].sum(axis=0))
    weight = reference.size[chosen].astype(np.float64)
    means = {}
    for column, name in enumerate(reference.told_names):
        values = reference.told[chosen, column]
        there = ~np.isnan(values)
        if there.any():
            means[name] = float(np.average(values[there], weights=weight[there]))
    total = reference.outcomes.sum(axis=0)
    return Alike(
        stays=int(reference.size[chosen].sum()), groups=len(chosen), deaths=deaths, known=known,
        death_rate=deaths / known if known else float("nan"), death_interval=wilson(deaths, known), long_stays=long_stays,
        long_rate=long_stays / lengths if lengths else float("nan"), base_death_rate=float(total[0] / max(total[1], 1)),
        means=means,
    )  # fmt: skip


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (JASA 1927;22:209-212); NaN of nothing."""
    if not n:
        return float("nan"), float("nan")
    p = hits / n
    middle, spread = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return float((middle - spread) / (1 + z * z / n)), float((middle + spread) / (1 + z * z / n))
