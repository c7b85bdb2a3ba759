"""What `fracture grade --out` writes can be read by others and says the same."""

from __future__ import annotations

import json
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pypdfium2
import pytest

from tools.imaging.fractures.dicom_export import labels_on, reference_slices, write_dicom
from tools.imaging.fractures.exports import grade_files
from tools.imaging.fractures.report import grade_mask
from tools.imaging.phantom import Phantom, spine_phantom
from tools.imaging.volume import save_volume

LEVELS = ("T11", "T12", "L1", "L2")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return spine_phantom(LEVELS, spacing_mm=(2.0, 2.0, 2.0), loss={"L1": (0.5, 0.3, 0.0)})


def test_everything_is_written(phantom: Phantom, tmp_path: Path) -> None:
    save_volume(phantom.ct, tmp_path / "ct.nii")
    save_volume(phantom.mask, tmp_path / "seg.nii")
    report = grade_files(tmp_path / "ct.nii", tmp_path / "seg.nii", tmp_path / "out", "auto")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "report.json", "report.pdf", "figure.png", "L1_map.png", "L1_before_after.png", "segmentation.dcm", "report.dcm",
    }  # fmt: skip
    assert len(pypdfium2.PdfDocument(tmp_path / "out" / "report.pdf")) == 1
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == json.loads(report.model_dump_json())


def test_the_segmentation_lies_where_the_mask_does(phantom: Phantom, tmp_path: Path) -> None:
    graded = grade_mask(phantom.mask).graded
    path, _ = write_dicom(phantom.mask, graded, tmp_path)
    volume = hd.seg.segread(path).get_volume(combine_segments=True)
    labels = np.asarray(phantom.mask.data)
    for number, item in enumerate(graded):
        voxels = np.argwhere(np.asarray(volume.array) == number + 1)
        world = (volume.affine[:3, :3] @ voxels.T).T + volume.affine[:3, 3]
        theirs = np.argwhere(labels == item.measured.value) @ phantom.mask.affine[:3, :3].T + phantom.mask.affine[:3, 3]
        assert len(world) == len(theirs)
        assert world.mean(axis=0) * [-1, -1, 1] == pytest.approx(theirs.mean(axis=0), abs=0.01)


def test_the_report_has_the_measurements(phantom: Phantom, tmp_path: Path) -> None:
    graded = grade_mask(phantom.mask).graded
    _, path = write_dicom(phantom.mask, graded, tmp_path)
    groups = hd.sr.srread(path).content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == list(LEVELS)
    for group, item in zip(groups, graded, strict=True):
        heights = [m.value for m in group.get_measurements() if m.name.value.startswith("height-")]
        assert heights == pytest.approx(item.measured.heights, abs=1e-3)
        (grade,) = group.get_qualitative_evaluations()
        assert grade.value.meaning == f"Genant grade {item.grade}"
    assert pydicom.dcmread(path).PatientName == ""


def test_the_mask_is_sampled_on_slices_of_any_orientation(phantom: Phantom) -> None:
    (first, *_, last) = reference_slices(phantom.mask)
    data = np.asarray(phantom.mask.data)
    assert np.array_equal(labels_on(first, phantom.mask), data[:, :, 0].T)
    last.ImageOrientationPatient = [-v for v in last.ImageOrientationPatient[:3]] + list(last.ImageOrientationPatient[3:])
    assert labels_on(last, phantom.mask).max() == 0
