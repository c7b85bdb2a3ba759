from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.errors import FileError, InputError
from retrieval.images.augment import augment, hidden_patches
from retrieval.images.losses import contrast_labels, contrast_reports, contrast_views, masked_error
from retrieval.images.network import FilmEncoder
from retrieval.images.pictures import as_squares
from retrieval.images.train import TrainConfig, train
from retrieval.images.trainingset import TrainingSet, read_training_set
from tests.fakes import WordEncoder
from tests.retrieval.images.build import kind_of_film

RECIPE = TrainConfig(masked_epochs=1, contrast_epochs=2, batch=8, half=False)


def toy_set(count: int = 16, reports: bool = False) -> TrainingSet:
    pictures = as_squares([kind_of_film(number % 2, number) for number in range(count)])
    told = tuple(f"pattern {number % 2} in film {number % 4}" if reports else "" for number in range(count))
    return TrainingSet(pictures, np.arange(count) % 2, told, ("a", "b"))


def quiet(line: str) -> None:
    return None


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    train(toy_set(), tmp_path / "whole", RECIPE, report=quiet)
    train(toy_set(), tmp_path / "parts", RECIPE, report=quiet, stop_after=1)
    assert (tmp_path / "parts" / "resume.safetensors").is_file()
    train(toy_set(), tmp_path / "parts", RECIPE, report=quiet)
    assert not (tmp_path / "parts" / "resume.safetensors").exists()
    whole, parts = (load_file(tmp_path / name / "encoder.safetensors") for name in ("whole", "parts"))
    for name, value in whole.items():
        torch.testing.assert_close(value, parts[name], rtol=0, atol=0)


def test_reports_train_too_and_another_recipe_is_refused(tmp_path: Path) -> None:
    train(toy_set(reports=True), tmp_path, RECIPE, WordEncoder(), report=quiet)
    other = RECIPE.model_copy(update={"seed": 1})
    with pytest.raises(InputError, match="another recipe"):
        train(toy_set(), tmp_path, other, report=quiet)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 48 pictures"):
        train(toy_set(4), tmp_path, TrainConfig(), report=quiet)


def test_training_brings_kinds_apart(tmp_path: Path) -> None:
    recipe = TrainConfig(masked_epochs=0, contrast_epochs=12, batch=32, half=False)
    encoder = train(toy_set(32), tmp_path, recipe, report=quiet)
    fresh = as_squares([kind_of_film(number % 2, 900 + number) for number in range(16)])
    with torch.inference_mode():
        unit = torch.nn.functional.normalize(encoder(torch.from_numpy(fresh)), dim=1).numpy()
    cosines = unit @ unit.T
    same = (np.arange(16)[:, None] - np.arange(16)[None]) % 2 == 0
    np.fill_diagonal(same, False)
    other = (np.arange(16)[:, None] - np.arange(16)[None]) % 2 == 1
    assert cosines[same].mean() > cosines[other].mean() + 0.1


def test_a_tenth_of_the_patches_is_shown() -> None:
    shown = hidden_patches(5, 32, torch.Generator().manual_seed(0))
    assert shown.shape == (5, 32, 32)
    assert set(shown.flatten().tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(shown.mean((1, 2)), 6 / 64, atol=1e-6)
    assert len({tuple(row.flatten().tolist()) for row in shown}) == 5


def test_augmentation_is_drawn_from_its_generator_and_mirrors_nothing() -> None:
    pictures = torch.from_numpy(as_squares([kind_of_film(0, 1)] * 40))
    one, two = (augment(pictures, torch.Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(one, two)
    assert augment(pictures, torch.Generator(), 0.0) is pictures
    half = torch.linspace(-1, 1, 32).repeat(32, 1)[None].repeat(60, 1, 1)  # dark left, bright right
    moved = augment(half, torch.Generator().manual_seed(5))
    assert bool((moved[:, :, 20:].mean((1, 2)) > moved[:, :, :12].mean((1, 2))).all())


def test_masked_error_counts_hidden_pixels_only() -> None:
    shown = torch.zeros(1, 4, 4)
    shown[:, :2] = 1
    painted = torch.zeros(1, 4, 4)
    painted[:, :2] = 99
    assert masked_error(painted, torch.ones(1, 4, 4), shown) == pytest.approx(1.0)


def test_contrasts_are_least_where_partners_agree() -> None:
    axes = torch.eye(6)
    assert contrast_views(axes, axes) < contrast_views(axes, axes.roll(1, 0))
    labels = torch.tensor([0, 0, 1, 1, -1, -1])
    grouped = torch.nn.functional.normalize(torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, 0], [-1, 0]]), dim=1)
    assert contrast_labels(grouped, labels) < contrast_labels(grouped[torch.tensor([0, 2, 1, 3, 4, 5])], labels)
    assert contrast_labels(grouped, torch.full((6,), -1)) == 0
    assert contrast_reports(axes, axes) < contrast_reports(axes, axes.roll(1, 0))


def test_supervised_contrast_equals_its_formula() -> None:
    """Khosla et al. 2020, equation 2, written out for four vectors."""
    unit = torch.nn.functional.normalize(torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    labels = [0, 0, 1, 0]
    terms = []
    for i in (0, 1, 3):
        others = [a for a in range(4) if a != i]
        total = sum(float(torch.exp(unit[i] @ unit[a] / 0.2)) for a in others)
        mates = [p for p in others if labels[p] == labels[i]]
        terms.append(-sum(float(unit[i] @ unit[p] / 0.2) - np.log(total) for p in mates) / len(mates))
    assert contrast_labels(unit, torch.tensor(labels)) == pytest.approx(float(np.mean(terms)), abs=1e-5)


def test_a_batch_equals_its_pictures_in_use() -> None:
    torch.manual_seed(0)
    network = FilmEncoder().eval()
    pictures = torch.randn(3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(pictures), torch.cat([network(p[None]) for p in pictures]), atol=1e-5, rtol=1e-4)


def test_a_table_gives_labels_reports_and_splits(tmp_path: Path) -> None:
    table = "file,label,report,split\na.png,x,Clear.,train\nb.png,,,\nc.png,y,,test\n"
    (tmp_path / "metadata.csv").write_text(table)
    data = read_training_set(tmp_path, lambda path: kind_of_film(0, len(path.stem)))
    assert (len(data), data.labels.tolist(), data.reports, data.classes) == (2, [0, -1], ("Clear.", ""), ("x",))


def test_arrays_are_read_without_pickle(tmp_path: Path) -> None:
    images = np.stack([kind_of_film(0, seed) for seed in range(3)])
    np.savez(tmp_path / "set.npz", train_images=images, train_labels=np.array([[1], [0], [1]]))
    assert read_training_set(tmp_path, lambda path: images[0]).labels.tolist() == [1, 0, 1]
    np.savez(tmp_path / "set.npz", train_images=images, train_labels=np.array([{}, {}, {}], dtype=object))
    with pytest.raises(FileError, match="train_labels"):
        read_training_set(tmp_path, lambda path: images[0])
    with pytest.raises(FileError, match=r"metadata\.csv"):
        read_training_set(tmp_path / "..", lambda path: images[0])
