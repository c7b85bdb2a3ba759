from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import CallError, GateRefusal
from core.store import SessionStore
from core.types import Finding, NewArtifact, ToolResult
from tools.base import ToolContext
from tools.imaging.phantom import spine_phantom
from tools.imaging.show_image import ShowImage, ShowParams
from tools.imaging.volume import Volume, save_volume
from tools.intake import read_files

PHANTOM = spine_phantom(spacing_mm=(2.0, 2.0, 2.0), levels=("T11", "T12", "L1"))


@pytest.fixture
def spine(store: SessionStore, tmp_path: Path) -> SessionStore:
    """ct1 and mask1 on one grid, mask2 on another, image1 flat."""
    PHANTOM.ct.data[0, 0, 0] = -1000
    save_volume(PHANTOM.ct, tmp_path / "ct.nii")
    save_volume(PHANTOM.mask, tmp_path / "seg.nii")
    save_volume(Volume(PHANTOM.mask.data[:, :, :-1], PHANTOM.mask.affine), tmp_path / "other.nii")
    Image.new("L", (40, 20), 90).save(tmp_path / "film.png")
    taken = read_files(sorted(tmp_path.glob("*.*")), store)
    assert taken.problems == ()
    return store


def _show(store: SessionStore, **params: object) -> ToolResult:
    return ShowImage().run(ShowParams.model_validate(params), ToolContext(store))


def _mask(store: SessionStore, of: str | None) -> str:
    return next(artifact.handle for artifact in store.list() if artifact.kind == "mask" and artifact.of == of)


def test_the_middle_slice_of_the_asked_plane_is_shown(spine: SessionStore) -> None:
    result = _show(spine, image="ct1", plane="coronal")
    (finding,) = result.evidence
    assert isinstance(finding, Finding)
    assert finding.location is not None
    assert (finding.location.plane, finding.location.index) == ("coronal", PHANTOM.ct.data.shape[1] // 2)
    with Image.open(spine.path(result.artifacts[0].handle)) as picture:
        assert picture.width > 200


def test_a_level_is_found_through_the_mask(spine: SessionStore) -> None:
    (finding,) = _show(spine, image="ct1", plane="axial", level="t12").evidence
    assert isinstance(finding, Finding)
    assert finding.location is not None
    labels = np.asarray(PHANTOM.mask.data)[:, :, finding.location.index]
    assert 19 in labels
    assert "T12" in finding.statement


def test_every_number_of_the_statement_is_in_the_evidence(spine: SessionStore) -> None:
    (finding,) = _show(spine, image="ct1", slice=3).evidence
    assert isinstance(finding, Finding)
    assert finding.value == 3
    assert "slice 3" in finding.statement


def test_a_level_outside_the_image_names_those_there_are(spine: SessionStore) -> None:
    with pytest.raises(CallError, match=r"L5 is not in the image ct1\. The levels there are: T11, T12, L1"):
        _show(spine, image="ct1", level="L5")


def test_a_slice_outside_the_volume_names_the_range(spine: SessionStore) -> None:
    last = PHANTOM.ct.data.shape[2] - 1
    with pytest.raises(CallError, match=rf"slices 0 to {last}, got 999"):
        _show(spine, image="ct1", plane="axial", slice=999)


def test_a_mask_on_another_grid_is_refused_with_both_grids(spine: SessionStore) -> None:
    with pytest.raises(GateRefusal, match=r"another grid than ct1.*must share"):
        _show(spine, image="ct1", overlay=_mask(spine, None))


def test_a_montage_and_a_flat_image(spine: SessionStore) -> None:
    assert "9 axial slices" in _show(spine, image="ct1", plane="axial", montage=True).summary
    flat = _show(spine, image="image1", level="L1")
    assert "40 x 20 pixels" in flat.summary
    assert "level does not apply" in flat.warnings[0]


def test_what_is_drawn_of_a_simulated_image_is_simulated(spine: SessionStore, tmp_path: Path) -> None:
    ct = spine.get("ct1")
    new = NewArtifact(kind="volume", title="twin", media_type="application/x-nifti", modality="CT", shape=ct.shape,
                      spacing_mm=ct.spacing_mm, simulated=True)  # fmt: skip
    spine.add(spine.path("ct1"), new, ".nii")
    result = _show(spine, image="ct2")
    assert result.artifacts[0].simulated
    assert "(simulated)" in result.summary
