"""CTs and masks from files as they come: DICOM, zips, other grids, other numberings."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from core.errors import FileError, SettingError
from tools.imaging.fractures.surface import repeated_axes, surface_field
from tools.imaging.numbering import resolve
from tools.imaging.phantom import Phantom, spine_phantom
from tools.imaging.reading import dicom_files, read_ct, read_mask, read_volume
from tools.imaging.volume import Volume, save_volume

LEVELS = ("T12", "L1", "L2", "L3")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    made = spine_phantom(LEVELS, spacing_mm=(2.0, 2.0, 2.0))
    hu = np.array(made.ct.data)
    hu[0] = -1000
    return Phantom(Volume(hu, made.ct.affine), made.mask, made.heights)


def base(modality: str = "CT") -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = pydicom.uid.CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.Modality, ds.SamplesPerPixel, ds.PhotometricInterpretation = modality, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    return ds


def write_slices(ct: Volume, folder: Path, shear: float = 0.0) -> Path:
    """Axial slices from foot to head; `shear` moves each further along the columns than the last (mm per slice)."""
    folder.mkdir()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ct.affine
    x, y, z = ct.spacing_mm
    series = generate_uid()
    for number in range(ct.data.shape[2]):
        ds = base()
        ds.SeriesInstanceUID, ds.Rows, ds.Columns = series, ct.data.shape[1], ct.data.shape[0]
        ds.ImageOrientationPatient = [*(affine[:3, 0] / x), *(affine[:3, 1] / y)]
        ds.ImagePositionPatient = [*(affine[:3, 3] + number * affine[:3, 2] + number * shear * affine[:3, 1] / y)]
        ds.PixelSpacing, ds.SliceThickness, ds.RescaleSlope, ds.RescaleIntercept = [y, x], z, 1, 0
        pixels = np.asarray(ct.data)[:, :, number].T
        moved = round(number * shear / y)
        ds.PixelData = np.roll(pixels, -moved, axis=0).astype(np.int16).tobytes()
        ds.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
    return folder


def test_a_dicom_folder_and_a_zip_of_it_are_the_nifti(phantom: Phantom, tmp_path: Path) -> None:
    folder = write_slices(phantom.ct, tmp_path / "series")
    read = read_volume(folder, "The CT")
    assert read.volume.same_grid(phantom.ct)
    assert np.array_equal(read.volume.data, phantom.ct.data)
    assert len(dicom_files(folder)) == phantom.ct.data.shape[2]
    with zipfile.ZipFile(tmp_path / "series.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    assert np.array_equal(read_volume(tmp_path / "series.zip", "The CT").volume.data, phantom.ct.data)


def test_a_tilted_gantry_is_set_upright_and_said(phantom: Phantom, tmp_path: Path) -> None:
    # One pixel per slice of 2 mm is a tilt of 45 degrees: too much. A quarter of it, in whole pixels every fourth slice.
    with pytest.raises(FileError, match="at most 30"):
        read_volume(write_slices(phantom.ct, tmp_path / "steep", shear=2.0), "The CT")
    read = read_volume(write_slices(phantom.ct, tmp_path / "tilted", shear=0.5), "The CT")
    assert "tilted by 14.0 degrees" in read.notes[0]
    inner = (slice(2, -2), slice(20, -20), slice(2, 20))
    off = np.abs(np.asarray(read.volume.data, dtype=float) - np.asarray(phantom.ct.data, dtype=float))[inner]
    assert np.median(off) < 20


def enhanced(ct: Volume) -> Dataset:
    ds = base()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ct.affine
    x, y, _ = ct.spacing_mm
    ds.NumberOfFrames, ds.Rows, ds.Columns = ct.data.shape[2], ct.data.shape[1], ct.data.shape[0]
    shared = Dataset()
    orientation, measures, scale = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [*(affine[:3, 0] / x), *(affine[:3, 1] / y)]
    measures.PixelSpacing = [y, x]
    scale.RescaleSlope, scale.RescaleIntercept = 1, -1024
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.PixelMeasuresSequence, shared.PixelValueTransformationSequence = Sequence([measures]), Sequence([scale])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for number in range(ct.data.shape[2]):
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [*(affine[:3, 3] + number * affine[:3, 2])]
        frame.PlanePositionSequence = Sequence([position])
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames[::-1])
    stored = np.asarray(ct.data).transpose(2, 1, 0)[::-1] + 1024
    ds.PixelData = stored.astype(np.int16).tobytes()
    return ds


def test_an_enhanced_multi_frame_file_is_the_nifti(phantom: Phantom, tmp_path: Path) -> None:
    ds = enhanced(phantom.ct)
    ds.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    read = read_volume(tmp_path / "enhanced.dcm", "The CT")
    assert read.volume.same_grid(phantom.ct)
    assert np.array_equal(read.volume.data, phantom.ct.data)
    del ds.PerFrameFunctionalGroupsSequence
    ds.save_as(tmp_path / "bare.dcm", enforce_file_format=True)
    with pytest.raises(FileError, match="where its frames lie"):
        read_volume(tmp_path / "bare.dcm", "The CT")


def test_a_ct_on_another_grid_is_resampled_by_position(phantom: Phantom, tmp_path: Path) -> None:
    affine = phantom.ct.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [3, 5, 2]
    save_volume(Volume(np.ascontiguousarray(np.asarray(phantom.ct.data)[3:, 5:, 2:]), affine), tmp_path / "cut.nii")
    read = read_ct(tmp_path / "cut.nii", phantom.mask)
    assert "another grid" in read.notes[0]
    assert read.volume.same_grid(phantom.mask)
    assert np.array_equal(np.asarray(read.volume.data)[4:, 6:, 3:], np.asarray(phantom.ct.data)[4:, 6:, 3:])


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda d: d - 50.0, "looks like an image"), (lambda d: d + 0.5, "fractions"), (lambda d: d * 37.0 % 613, None)],
)
def test_what_is_no_mask_is_told(
    phantom: Phantom, tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], message: str | None
) -> None:
    data = change(np.asarray(phantom.mask.data, dtype=np.float32))
    save_volume(Volume(data.astype(np.float32), phantom.mask.affine), tmp_path / "m.nii")
    if message:
        with pytest.raises(FileError, match=message):
            read_mask(tmp_path / "m.nii")
    else:
        assert np.issubdtype(read_mask(tmp_path / "m.nii").volume.data.dtype, np.integer)
    with pytest.raises(FileError, match="is not there"):
        read_mask(tmp_path / "none.nii")


def relabelled(phantom: Phantom, values: dict[int, int]) -> Volume:
    data = np.zeros_like(np.asarray(phantom.mask.data))
    for value, new in values.items():
        data[np.asarray(phantom.mask.data) == value] = new
    return Volume(data, phantom.mask.affine)


def test_numberings_are_told_or_asked_for(phantom: Phantom) -> None:
    assert resolve(phantom.mask).told == "verse, told from the values"
    total = relabelled(phantom, {19: 32, 20: 31, 21: 30, 22: 29})
    assert list(resolve(total).names.values()) == ["L3", "L2", "L1", "T12"]
    plain = relabelled(phantom, {19: 1, 20: 2, 21: 3, 22: 4})
    with pytest.raises(FileError, match="ml large"):
        resolve(plain)
    assert resolve(plain, "lumbar").names == {1: "L1", 2: "L2", 3: "L3", 4: "L4"}
    assert resolve(plain, "1=T12,2=L1, 3=l2,4=L3").names == {1: "T12", 2: "L1", 3: "L2", 4: "L3"}
    assert resolve(relabelled(phantom, {19: 12, 20: 13}), "thoracolumbar").names == {12: "T12", 13: "L1"}
    assert resolve(relabelled(phantom, {21: 2, 22: 1}), "lumbar-up").names == {1: "L5", 2: "L4"}
    with pytest.raises(FileError, match="L5 and L4 in TotalSegmentator"):
        resolve(relabelled(phantom, {21: 28, 22: 27}))
    with pytest.raises(FileError, match="one value only"):
        resolve(relabelled(phantom, {19: 1, 20: 1, 21: 1, 22: 1}))
    with pytest.raises(FileError, match="No value of the mask"):
        resolve(phantom.mask, "lumbar")
    with pytest.raises(SettingError, match="pairs such as"):
        resolve(phantom.mask, "20=X9")


def test_slices_repeated_by_resampling_count_once() -> None:
    rng = np.random.default_rng(5)
    blob = np.zeros((40, 40, 14), dtype=bool)
    for z in range(2, 12):
        x, y = np.indices((40, 40))
        blob[:, :, z] = (x - 20 - z + rng.integers(0, 2)) ** 2 + (y - 20) ** 2 < 100 + 4 * z
    fine = np.repeat(blob, 3, axis=2)
    assert repeated_axes([fine, fine]) == {2}
    assert repeated_axes([blob, blob]) == frozenset()
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    field = surface_field(fine, affine, frozenset({2}))
    assert field.step_along(np.array([0.0, 0.0, 1.0])) == pytest.approx(3.0)
    assert np.linalg.norm(field.affine[:3, 2]) == pytest.approx(1.0)
