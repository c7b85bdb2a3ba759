"""Led back into the patient's space, and the tool and command around it; an untrained network paints."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from core.errors import FileError, GateRefusal
from core.store import SessionStore
from core.types import Artifact, NewArtifact
from tests.tools.imaging.healthivert.spines import TINY, box_spine
from tools.base import ToolContext
from tools.gate import check_artifacts
from tools.imaging.fractures.tool import GradeFractures, GradeParams
from tools.imaging.healthivert.config import WEIGHTS_NAME
from tools.imaging.healthivert.files import synthesize_files
from tools.imaging.healthivert.inference import HealthyPainter
from tools.imaging.healthivert.spine import PreparedSpine, prepare_spine
from tools.imaging.healthivert.tool import HealthyParams, SynthesizeHealthySpine
from tools.imaging.healthivert.train import export, start
from tools.imaging.healthivert.volume import HealthySpine, healthy_spine
from tools.imaging.phantom import Phantom, spine_phantom
from tools.imaging.volume import Volume, load_volume, save_volume

_LOSS = {"L1": (0.5, 0.4, 0.1)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("weights") / WEIGHTS_NAME
    export(start(TINY), path, {"trained_on": "nothing"})
    return path


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return spine_phantom(("T11", "T12", "L1", "L2", "L3"), spacing_mm=(1.5, 1.5, 1.5), loss=_LOSS)


@pytest.fixture(scope="module")
def made(weights: Path, phantom: Phantom) -> tuple[PreparedSpine, HealthySpine]:
    spine = prepare_spine(phantom.ct, phantom.mask)
    return spine, healthy_spine(HealthyPainter(weights), phantom.ct, phantom.mask, spine, ["L1"])


def test_what_lies_below_stays_and_what_lies_above_rises_by_the_gain(
    phantom: Phantom, made: tuple[PreparedSpine, HealthySpine]
) -> None:
    _, done = made
    (restored,) = done.restored
    assert restored.level == "L1"
    assert restored.gain >= 0
    names = {18: "T11", 19: "T12", 21: "L2", 22: "L3"}
    for value in names:
        before, after = (_centre(mask, value, body) for mask, body in ((phantom.mask, False), (done.mask, True)))
        rise = restored.gain if value < 20 else 0
        assert after[2] - before[2] == pytest.approx(rise, abs=1.0), names[value]


def _centre(mask: Volume, value: int, already_body: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Centre of the body: of a whole vertebra the part that a body alone would keep (the front)."""
    found = np.argwhere(np.asarray(mask.data) == value).astype(float)
    if not already_body:
        front = found[:, 1].max()
        found = found[found[:, 1] > front - 20 / mask.spacing_mm[1]]
    else:
        front = found[:, 1].max()
        found = found[found[:, 1] > front - 20 / mask.spacing_mm[1]]
    centre: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = found.mean(axis=0) * mask.spacing_mm
    return centre


def test_the_grid_is_the_patients_and_far_voxels_are_untouched(
    phantom: Phantom, made: tuple[PreparedSpine, HealthySpine]
) -> None:
    _, done = made
    assert done.ct.same_grid(phantom.ct)
    assert done.mask.same_grid(phantom.mask)
    changed = np.asarray(done.ct.data) != np.asarray(phantom.ct.data)
    assert changed.any()
    tube = ndimage.binary_dilation(np.asarray(phantom.mask.data) > 0, iterations=50)
    assert not (changed & ~tube).any()


def test_nothing_to_paint_leaves_the_image_as_it_is(weights: Path, phantom: Phantom) -> None:
    spine = prepare_spine(phantom.ct, phantom.mask)
    done = healthy_spine(HealthyPainter(weights), phantom.ct, phantom.mask, spine, [])
    assert done.restored == ()
    np.testing.assert_array_equal(np.asarray(done.ct.data), np.asarray(phantom.ct.data))


def test_a_spine_from_a_file_has_no_way_back(weights: Path, phantom: Phantom) -> None:
    with pytest.raises(FileError, match="lost its place"):
        healthy_spine(HealthyPainter(weights), phantom.ct, phantom.mask, box_spine([20, 20]), ["L1"])


def _attached(store: SessionStore, phantom: Phantom, tmp_path: Path) -> tuple[Artifact, Artifact]:
    for name, volume in (("ct", phantom.ct), ("mask", phantom.mask)):
        save_volume(volume, tmp_path / f"{name}.nii")
    about = {"media_type": "application/x-nifti", "shape": phantom.ct.data.shape, "spacing_mm": phantom.ct.spacing_mm}
    ct = store.add(tmp_path / "ct.nii", NewArtifact(kind="volume", title="CT", modality="CT", **about), ".nii")
    mask = store.add(tmp_path / "mask.nii", NewArtifact(kind="mask", title="labels", of=ct.handle, **about), ".nii")
    return ct, mask


def test_the_tool_returns_marked_pictures_that_the_gate_refuses_as_evidence(
    store: SessionStore, phantom: Phantom, weights: Path, tmp_path: Path
) -> None:
    ct, _ = _attached(store, phantom, tmp_path)
    result = SynthesizeHealthySpine(weights).run(HealthyParams(image=ct.handle), ToolContext(store))
    assert [artifact.kind for artifact in result.artifacts] == ["image", "volume", "mask"]
    assert all(artifact.synthetic for artifact in result.artifacts)
    assert "L1" in result.summary
    assert result.provenance.weights["healthivert.safetensors"]
    volume, mask = result.artifacts[1], result.artifacts[2]
    assert mask.of == volume.handle
    assert load_volume(store.path(volume.handle)).same_grid(phantom.ct)
    with pytest.raises(GateRefusal, match="synthetic: it was generated and is not evidence"):
        check_artifacts(GradeFractures().spec, GradeParams(image=volume.handle), store)
    assert all(str(item.value) in item.statement for item in result.evidence if item.kind == "finding")


def test_a_sound_spine_has_nothing_to_restore(store: SessionStore, weights: Path, tmp_path: Path) -> None:
    sound = spine_phantom(("T11", "T12", "L1", "L2"), spacing_mm=(2.0, 2.0, 2.0))
    ct, _ = _attached(store, sound, tmp_path)
    result = SynthesizeHealthySpine(weights).run(HealthyParams(image=ct.handle), ToolContext(store))
    assert "nothing to restore" in result.summary
    assert not result.artifacts


def test_a_scan_without_a_mask_is_refused_with_what_is_needed(store: SessionStore, phantom: Phantom, tmp_path: Path) -> None:
    save_volume(phantom.ct, tmp_path / "ct.nii")
    new = NewArtifact(kind="volume", title="CT", modality="CT", media_type="x", shape=phantom.ct.data.shape)
    ct = store.add(tmp_path / "ct.nii", new, ".nii")
    with pytest.raises(GateRefusal, match="needs a vertebra mask of"):
        SynthesizeHealthySpine().run(HealthyParams(image=ct.handle), ToolContext(store))


def test_files_come_with_a_sidecar(phantom: Phantom, weights: Path, tmp_path: Path) -> None:
    for name, volume in (("ct", phantom.ct), ("mask", phantom.mask)):
        save_volume(volume, tmp_path / f"{name}.nii")
    report = synthesize_files(
        tmp_path / "ct.nii", tmp_path / "mask.nii", tmp_path / "out", "auto", weights=weights.parent, levels=["l1"]
    )
    sidecar = json.loads((tmp_path / "out" / "synthetic.json").read_text())
    assert sidecar["synthetic"] is True
    assert b"SYNTHETIC" in bytes(nib.load(tmp_path / "out" / "synthetic_ct.nii.gz").header["descrip"])
    assert sidecar["weights_sha256"] == report.weights_sha256
    assert [item["level"] for item in sidecar["painted"]] == ["L1"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(report.files)
    with pytest.raises(FileError, match="C3 is not in the mask"):
        synthesize_files(
            tmp_path / "ct.nii", tmp_path / "mask.nii", tmp_path / "o", "auto", levels=["C3"], weights=weights.parent
        )
