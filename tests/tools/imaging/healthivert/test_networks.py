"""Shapes, attention and grades."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import FileError
from tools.imaging.healthivert.attention import ContextualAttention
from tools.imaging.healthivert.config import load_config
from tools.imaging.healthivert.grade_svm import GradeSvm, fit_grades, load_grades
from tools.imaging.healthivert.health_attention import FractureClassifier
from tools.imaging.healthivert.height import height_loss, rejoin, restored_height
from tools.imaging.healthivert.networks import Generator, bake


def test_both_stages_paint_in_size_and_leave_what_is_seen() -> None:
    torch.manual_seed(0)
    generator = Generator(2, 40)
    ct, band = torch.rand(3, 1, 96, 48) * 2 - 1, torch.zeros(3, 1, 96, 48)
    band[:, :, 28:68] = 1
    out = generator(ct, band, torch.zeros_like(ct), torch.ones(3, 1, 24, 12))
    for image in (out.coarse_ct, out.neighbours, out.ct, out.target):
        assert image.shape == (3, 1, 96, 48)
    torch.testing.assert_close(out.ct[band == 0], ct[band == 0])
    assert ((out.target > 0) & (out.target < 1)).all()
    assert out.height.shape == out.coarse_height.shape == (3,)
    assert ((out.height > 0) & (out.height < 40)).all()


def test_baked_norms_change_no_result() -> None:
    torch.manual_seed(0)
    generator = Generator(2, 40).eval()
    inputs = (torch.rand(1, 1, 80, 32), torch.zeros(1, 1, 80, 32), torch.zeros(1, 1, 80, 32), torch.ones(1, 1, 20, 8))
    before = generator(*inputs)
    bake(generator)
    torch.testing.assert_close(generator(*inputs).ct, before.ct)
    assert not any("parametrizations" in key for key in generator.state_dict())


def test_hidden_places_are_built_from_what_is_seen() -> None:
    """Left half 1, right half hidden and 5: what is rebuilt anywhere holds nothing of the hidden value."""
    features = torch.ones(1, 2, 16, 16)
    features[..., 8:] = 5
    hidden = torch.zeros(1, 1, 16, 16)
    hidden[..., 8:] = 1
    rebuilt = ContextualAttention()(features, hidden)
    assert rebuilt.shape == features.shape
    assert float(rebuilt[..., 2:14, 2:14].max()) < 3.5
    blocked_all = ContextualAttention()(features, torch.ones_like(hidden))
    assert torch.isfinite(blocked_all).all()


def test_the_closed_form_is_grad_cam_plus_plus() -> None:
    """Against the definition: alpha from powers of the gradient of exp(logit), by autograd."""
    torch.manual_seed(1)
    classifier = FractureClassifier(2)
    ct, band = torch.rand(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    features = classifier.features(ct, band).detach().requires_grad_(True)
    logit = classifier.last(features.mean(dim=(2, 3)))[0, 0]
    slope = torch.autograd.grad(logit, features)[0]
    spread = 2 * slope**2 + (features * slope**3).sum(dim=(2, 3), keepdim=True)
    alpha = slope**2 / torch.where(spread != 0, spread, torch.ones_like(spread))
    weights = (alpha * torch.relu(slope)).sum(dim=(2, 3), keepdim=True)
    heat = torch.relu((weights * features).sum(dim=1, keepdim=True))
    expected = 1 - torch.sigmoid(logit) * heat / heat.max().clamp_min(1e-8)
    torch.testing.assert_close(classifier.healthy_attention(ct, band), expected.detach(), rtol=1e-4, atol=1e-5)


def test_a_restored_height_is_rounded_up_never_below_and_within_the_band() -> None:
    assert restored_height(20.2, 15, 40) == 21
    assert restored_height(20.2, 30, 40) == 30
    assert restored_height(39.9, 10, 40) == 40
    assert float(height_loss(torch.tensor([18.0, 22.0]), torch.tensor([20.0, 20.0]))) == pytest.approx(0.1)


def test_rejoining_moves_the_neighbours_to_the_painted_rows() -> None:
    image = torch.arange(20.0)[None, None, :, None].expand(1, 1, 20, 2)
    joined = rejoin(image, [4], 10, -1.0)[0, 0, :, 0].tolist()
    assert joined == [-1, -1, -1, 0, 1, 2, 3, 4, 8, 9, 10, 11, 15, 16, 17, 18, 19, -1, -1, -1]


@pytest.mark.parametrize("kinds", [2, 4])
def test_written_planes_vote_as_scikit_learn_does(kinds: int) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    rng = np.random.default_rng(0)
    grades = rng.integers(0, kinds, 200)
    losses = rng.normal(0, 0.08, (200, 3)) + 0.15 * grades[:, None]
    written = fit_grades(losses, grades.tolist())
    machine = make_pipeline(StandardScaler(), SVC(kernel="linear", class_weight="balanced", decision_function_shape="ovo"))
    said = machine.fit(losses, grades).predict(losses)
    ours = [written.grade((float(a), float(m), float(p))) for a, m, p in losses]
    assert np.mean(np.array(ours) == said) > 0.99
    assert GradeSvm.model_validate_json(written.model_dump_json()) == written


def test_one_grade_cannot_be_fitted() -> None:
    with pytest.raises(FileError, match="two or more"):
        fit_grades(np.zeros((3, 3)), [0, 0, 0])


def test_presets_and_files_are_read_and_wrong_ones_named(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    assert load_config("gpu").rows == 256
    assert load_config("cpu").edge_weight == 800
    values = "rows: 80, columns: 32, band: 41, ngf: 2, batch: 1, steps: 1, classifier_steps: 0, phantoms: 1, seed: 1"
    (folder / "mine.yaml").write_text(f"mine: {{{values}}}")
    with pytest.raises(FileError, match="band must be even"):
        load_config(str(folder / "mine.yaml"))
    with pytest.raises(FileError, match="no preset 'huge'"):
        load_config("huge")
    with pytest.raises(FileError, match="not there"):
        load_config(str(folder / "none.yaml"))
    with pytest.raises(FileError, match="cannot be read"):
        load_grades(folder / "none.json")
