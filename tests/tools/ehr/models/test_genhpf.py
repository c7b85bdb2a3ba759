from __future__ import annotations

import numpy as np
import pytest
import torch

from tools.ehr.models.genhpf import HEADS, GenHPF, Head, Naming, joined, lab_class, sum_of_losses, tokenise, write_texts
from tools.ehr.models.sequences import Sequences, masked_mean, sequences
from tools.ehr.risk.cohort import make_rows
from tools.ehr.risk.events import ANCHOR, build

FIRST = Naming("chartevents", ("item", "value", "unit"), {"A": "heart rate", "B": "creatinine"}, {"A": "bpm"})
SECOND = Naming("vitals", ("label", "result", "units"), {"A": "rate of the heart", "B": "serum creatinine"}, {"A": "bpm"})


def records(n: int = 240, seed: int = 0) -> tuple[Sequences, np.ndarray]:
    """Label 1 exactly where creatinine is at least 5; the heart rate is noise."""
    random = np.random.default_rng(seed)
    y = (random.uniform(size=n) < 0.5).astype(float)
    code = np.zeros((n, 6), np.int64)
    value = np.full((n, 6), np.nan, np.float32)
    code[:, 2:] = [1, 2, 1, 2]
    value[:, [2, 4]] = random.integers(60, 99, (n, 2))
    value[:, [3, 5]] = np.where(y[:, None] > 0, random.integers(5, 9, (n, 2)), random.integers(1, 4, (n, 2)))
    return Sequences(code, value, np.tile(np.arange(6, 0, -1, dtype=np.float32), (n, 1)), ("A", "B")), y


def test_numbers_fall_into_digits_with_their_places() -> None:
    ids, kinds, places = tokenise([("creatinine", 3), ("12.5", 3)])
    assert len(ids) == 5
    assert places == [0, 2, 1, 6, 7]
    assert set(kinds) == {3}
    assert tokenise([("2", 3)])[0] == [ids[2]]


def test_it_learns_from_two_hospitals_that_name_things_differently() -> None:
    part, y = records()
    half = np.arange(len(y)) < len(y) // 2
    texts = joined(write_texts(part.take(half), FIRST), write_texts(part.take(~half), SECOND))
    model = GenHPF({"mortality": Head("binary")}, width=32)
    losses = model.fit(texts, part.hours, {"mortality": y}, epochs=12, size=16)
    assert losses[-1] < losses[0]
    other, truth = records(80, seed=1)
    for naming in (FIRST, SECOND):
        right = (model.predict(write_texts(other, naming), other.hours, "mortality") > 0) == (truth > 0)
        assert right.mean() > 0.8


def test_an_unknown_label_adds_nothing_to_the_loss() -> None:
    heads = {"a": Head("binary"), "b": Head("classes", 3), "c": Head("labels", 2)}
    out = {"a": torch.randn(4, 1), "b": torch.randn(4, 3), "c": torch.randn(4, 2)}
    nan = float("nan")
    labels = {"a": torch.tensor([1.0, nan, 0.0, nan]), "b": torch.full((4,), nan), "c": torch.full((4, 2), nan)}
    masked = sum_of_losses(heads, out, labels)
    alone = torch.nn.functional.binary_cross_entropy_with_logits(out["a"][[0, 2]], torch.tensor([[1.0], [0.0]]))
    assert torch.allclose(masked, alone)


def test_the_mean_counts_the_mask_not_what_is_non_zero() -> None:
    x = torch.tensor([[[2.0, 0.0], [4.0, 0.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    assert masked_mean(x, mask).tolist() == [[3.0, 0.0]]


def test_padding_changes_no_prediction() -> None:
    part, y = records(60)
    model = GenHPF({"mortality": Head("binary")}, width=16)
    model.fit(write_texts(part, FIRST), part.hours, {"mortality": y}, epochs=1)
    wide = Sequences(
        np.pad(part.code, ((0, 0), (5, 0))), np.pad(part.value, ((0, 0), (5, 0)), constant_values=np.nan),
        np.pad(part.hours, ((0, 0), (5, 0))), part.vocabulary,
    )  # fmt: skip
    a = model.predict(write_texts(part, FIRST), part.hours, "mortality")
    b = model.predict(write_texts(wide, FIRST), wide.hours, "mortality")
    assert np.allclose(a, b, atol=1e-4)


def test_two_sets_can_be_pooled() -> None:
    part, _ = records(10)
    first, second = write_texts(part, FIRST), write_texts(part, SECOND)
    both = joined(first, second)
    assert both.index.shape == (20, 6)
    assert np.array_equal(both.tokens[both.index[10:]], second.tokens[second.index])


def test_the_papers_laboratory_classes() -> None:
    assert lab_class("creatinine", np.array([1.0, 1.2, 2.0, 4.0, 9.0])).tolist() == [0, 1, 2, 3, 4]
    assert lab_class("platelets", np.array([200.0, 120, 60, 30, 10])).tolist() == [0, 1, 2, 3, 4]
    assert lab_class("wbc", np.array([3.0, 4.0, 12.0, 13.0])).tolist() == [0, 1, 1, 2]
    assert len(HEADS) == 12


def test_a_sequence_holds_nothing_after_the_moment_and_the_last_value_of_a_step() -> None:
    hours = np.array([0, 1, 2, 50])
    events = build([7] * 4, ANCHOR + hours.astype("timedelta64[h]"), ["HR"] * 4, [80.0, 81.0, 82.0, 200.0])
    rows = make_rows(np.array([7]), np.array([ANCHOR + np.timedelta64(48, "h")]), {})
    out = sequences(events, rows, 5, step=2.0)
    there = out.code[0] > 0
    assert out.value[0][there].tolist() == [80.0, 82.0]
    assert out.hours[0][there].tolist() == pytest.approx([48.0, 46.0])
