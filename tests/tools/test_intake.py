"""DICOM series made by the test, archives, pictures."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from core.errors import TooLarge
from core.store import SessionStore
from tools.imaging import archive
from tools.imaging.slices import draw_slice, volume_of
from tools.intake import read_files


def write_series(folder: Path, positions: list[float], series: str = "1.2.3") -> Path:
    folder.mkdir(exist_ok=True)
    for number, z in enumerate(positions):
        ds = pydicom.Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
        ds.SOPClassUID, ds.Modality, ds.PatientName = ds.file_meta.MediaStorageSOPClassUID, "CT", "Doe^Jane"
        ds.SeriesInstanceUID, ds.Rows, ds.Columns = series, 8, 10
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, z]
        ds.PixelSpacing, ds.RescaleSlope, ds.RescaleIntercept = [0.5, 0.5], 1, -1024
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
        ds.PixelData = np.full((8, 10), 1024 + int(z), dtype=np.uint16).tobytes()
        ds.save_as(folder / f"{97 - number}.dcm", enforce_file_format=True)
    return folder


def test_a_series_is_sorted_by_position_and_in_hu(store: SessionStore, tmp_path: Path) -> None:
    taken = read_files([write_series(tmp_path / "Doe", [4.0, 0.0, 2.0, 6.0])], store)
    assert taken.problems == ()
    volume = volume_of(store, "ct1")
    assert volume.data.shape == (10, 8, 4)
    assert [int(v) for v in np.asarray(volume.data[0, 0])] == [0, 2, 4, 6]
    assert volume.spacing_mm == pytest.approx((0.5, 0.5, 2.0))
    assert "Doe" not in taken.artifacts[0].model_dump_json()
    assert draw_slice(store, "ct1", "axial", 1, "bone", None, 0.4)[:4] == b"\x89PNG"


def test_a_missing_slice_is_named(store: SessionStore, tmp_path: Path) -> None:
    taken = read_files([write_series(tmp_path / "gap", [0.0, 2.0, 4.0, 8.0, 10.0])], store)
    assert taken.artifacts == ()
    assert "between slices 3 and 4" in taken.problems[0]


def test_of_mixed_series_the_largest_is_used_and_said(store: SessionStore, tmp_path: Path) -> None:
    write_series(tmp_path / "a", [0.0, 2.0, 4.0])
    write_series(tmp_path / "b", [0.0, 2.0, 4.0, 6.0], "9.9")
    taken = read_files([tmp_path / "a", tmp_path / "b"], store)
    assert taken.artifacts[0].shape == (10, 8, 4)
    assert "2 series" in taken.artifacts[0].warnings[0]


def test_a_zip_gives_its_series_and_a_bomb_is_refused(
    store: SessionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = write_series(tmp_path / "s", [0.0, 2.0, 4.0])
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as made:
        for path in series.iterdir():
            made.write(path, f"../../{path.name}")
    assert [a.handle for a in read_files([tmp_path / "s.zip"], store).artifacts] == ["ct1"]
    monkeypatch.setattr(archive, "_GRACE", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros", bytes(5_000_000))
    (tmp_path / "out").mkdir()
    with pytest.raises(TooLarge, match="expands to more than"):
        archive.unpack(tmp_path / "bomb.zip", tmp_path / "out")


def test_a_picture_that_claims_to_be_a_volume_is_refused(store: SessionStore, tmp_path: Path) -> None:
    Image.new("L", (20, 10), 90).save(tmp_path / "a.png")
    (tmp_path / "ct.nii").write_bytes((tmp_path / "a.png").read_bytes())
    taken = read_files([tmp_path / "a.png", tmp_path / "ct.nii"], store)
    assert [a.shape for a in taken.artifacts] == [(10, 20)]
    assert "Its content is png, its name says nifti" in taken.problems[0]
