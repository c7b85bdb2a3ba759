"""DICOM headers lose the patient, pixels lose burned-in text, and the image stays an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from core.errors import FileError
from tools.imaging.phantom import spine_phantom
from tools.text.deidentify.burned_in import text_regions
from tools.text.deidentify.dicom import deidentify_dicom
from tools.text.deidentify.mapping import Mapping

BURNED = "SMITH, JOHN A 04/12/1956"


def _film(size: int = 512) -> NDArray[np.uint8]:
    """A soft picture with noise and nothing written on it."""
    rows, columns = np.mgrid[:size, :size] / size
    soft = 80 + 60 * np.exp(-((columns - 0.5) ** 2 + (rows - 0.5) ** 2) * 6)
    grey: NDArray[np.uint8] = (soft + np.random.default_rng(0).normal(0, 4, (size, size))).clip(0, 255).astype(np.uint8)
    return grey


def _written(at: tuple[int, int], size: int, grey: int) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    picture = Image.fromarray(_film())
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    draw.text(at, BURNED, fill=grey, font=font)
    left, top, right, bottom = draw.textbbox(at, BURNED, font=font)
    return np.array(picture), (int(left), int(top), min(int(right), 512), int(bottom))


def _file(folder: Path, pixels: NDArray[np.uint8]) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = generate_uid(), ExplicitVRLittleEndian
    file = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID, file.Modality = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
        "DX",
    )
    file.PatientName, file.PatientID, file.PatientBirthDate, file.PatientAge = "Smith^John", "4471902", "19300412", "094Y"
    file.StudyDate, file.StudyInstanceUID, file.BodyPartExamined = "20210405", generate_uid(), "SPINE"
    file.InstitutionName, file.ReferringPhysicianName, file.AccessionNumber = "Lowell General", "Byron^Ada", "S22-10482"
    file.StudyDescription, file.DeviceSerialNumber = "Spine lateral, Dr. Ngozi Achterberg", "PJN728"
    file.PixelSpacing = [0.2, 0.2]
    item = Dataset()
    item.ReferencedSOPInstanceUID, item.PatientName = file.SOPInstanceUID, "Smith^John"
    file.ReferencedImageSequence = [item]
    file.private_block(0x0011, "SECRET", create=True).add_new(1, "LO", "Smith John")
    file.Rows, file.Columns = pixels.shape
    file.BitsAllocated, file.BitsStored, file.HighBit, file.SamplesPerPixel = 8, 8, 7, 1
    file.PixelRepresentation, file.PhotometricInterpretation, file.PixelData = 0, "MONOCHROME2", pixels.tobytes()
    file.save_as(folder / "film.dcm", enforce_file_format=True)
    return folder / "film.dcm"


def test_the_header_loses_the_patient_and_keeps_the_image(tmp_path: Path) -> None:
    source = _file(tmp_path, _film())
    done = deidentify_dicom(source, tmp_path / "out.dcm", Mapping(-70), b"k" * 32)
    raw = (tmp_path / "out.dcm").read_bytes()
    for secret in (
        b"Smith",
        b"4471902",
        b"Lowell",
        b"Byron",
        b"S22-10482",
        b"Achterberg",
        b"PJN728",
        b"19300412",
        b"20210405",
        b"SECRET",
    ):
        assert secret not in raw, secret
    out, was = pydicom.dcmread(tmp_path / "out.dcm"), pydicom.dcmread(source)
    assert str(was.SOPInstanceUID).encode() not in raw
    assert (
        out.ReferencedImageSequence[0].ReferencedSOPInstanceUID
        == out.SOPInstanceUID
        == out.file_meta.MediaStorageSOPInstanceUID
    )
    assert (out.Modality, out.BodyPartExamined, list(out.PixelSpacing)) == ("DX", "SPINE", [0.2, 0.2])
    assert (out.StudyDate, out.PatientAge, out.PatientIdentityRemoved) == ("20210125", "090Y", "YES")
    assert {item.CodeValue for item in out.DeidentificationMethodCodeSequence} >= {"113100", "113101", "113107"}
    assert np.array_equal(out.pixel_array, was.pixel_array)
    assert done.regions == ()


@pytest.mark.parametrize(
    ("at", "size", "grey"), [((8, 8), 12, 255), ((100, 20), 18, 250), ((10, 460), 30, 255), ((40, 250), 18, 0)]
)
def test_burned_in_text_is_found_and_blanked(tmp_path: Path, at: tuple[int, int], size: int, grey: int) -> None:
    pixels, (left, top, right, bottom) = _written(at, size, grey)
    deidentify_dicom(_file(tmp_path, pixels), tmp_path / "out.dcm", Mapping(), b"k")
    after = pydicom.dcmread(tmp_path / "out.dcm").pixel_array
    extreme = (after > 220) if grey else (after < 30)
    assert extreme[top:bottom, left:right].sum() == 0
    assert (after != pixels).mean() < 0.15


def test_pictures_without_text_are_left_alone() -> None:
    assert text_regions(_film().astype(np.float32)) == []
    volume = np.asarray(spine_phantom(spacing_mm=(2.0, 2.0, 2.0)).ct.data)
    slices = [volume[volume.shape[0] // 2], volume[:, volume.shape[1] // 2]]
    covered = sum(r.height * r.width for s in slices for r in text_regions(np.clip(s.astype(np.float32), -200, 800)))
    assert covered < 0.05 * sum(s.size for s in slices)


def test_pixels_that_cannot_be_searched_are_not_passed_on(tmp_path: Path) -> None:
    source = _file(tmp_path, _film())
    dataset = pydicom.dcmread(source)
    dataset.PixelData = b"\0" * 10
    dataset.save_as(tmp_path / "short.dcm")
    with pytest.raises(FileError, match="cannot be decoded"):
        deidentify_dicom(tmp_path / "short.dcm", tmp_path / "out.dcm", Mapping(), b"k")
    assert not (tmp_path / "out.dcm").exists()
