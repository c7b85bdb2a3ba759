from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.errors import FileError, TooLarge
from tools.imaging.nifti import is_mask, looks_like_ct, read_nifti

RNG = np.random.default_rng(3)


def _write(path: Path, data: np.ndarray, affine: np.ndarray | None = None, second: bool = False) -> Path:
    kind = nib.Nifti2Image if second else nib.Nifti1Image
    nib.save(kind(data, np.eye(4) if affine is None else affine), path)
    return path


def _ct(shape: tuple[int, ...] = (12, 10, 8)) -> np.ndarray:
    return RNG.integers(-1000, 1000, shape).astype(np.int16)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("keeps_suffix", [True, False])
def test_both_formats_plain_and_gzipped_with_and_without_suffix(
    name: str, second: bool, keeps_suffix: bool, tmp_path: Path
) -> None:
    data = _ct()
    path = _write(tmp_path / name, data, second=second)
    if not keeps_suffix:
        path = path.rename(tmp_path / "upload")
    np.testing.assert_array_equal(read_nifti(path).volume.data, data)


def test_axes_are_brought_into_ras_without_resampling(tmp_path: Path) -> None:
    data = _ct()
    lps = np.diag([-2.0, -1.0, 3.0, 1.0])
    image = read_nifti(_write(tmp_path / "a.nii", data, lps))
    assert image.codes == "LPS"
    np.testing.assert_array_equal(image.volume.data, data[::-1, ::-1])
    assert image.volume.spacing_mm == (2.0, 1.0, 3.0)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused_wherever_it_was_cut(name: str, share: float, tmp_path: Path) -> None:
    content = _write(tmp_path / name, _ct((30, 30, 30))).read_bytes()
    cut = tmp_path / "patient-doe.nii"
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FileError, match=r"truncated|cannot be read as NIfTI") as raised:
        read_nifti(cut)
    assert "doe" not in str(raised.value)


def test_four_dimensions_are_refused_with_their_shape(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"one 3-D volume.*got shape \(4, 4, 4, 3\)"):
        read_nifti(_write(tmp_path / "a.nii", _ct((4, 4, 4, 3))))


def test_a_forged_header_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float64)
    header.set_data_shape((1200, 1200, 1000))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with gzip.open(tmp_path / "bomb.nii.gz", "wb") as file:
        file.write(header.binaryblock + bytes(4) + bytes(1_000_000))
    with pytest.raises(TooLarge, match=r"10\.7 GB of voxels; at most 4 GB"):
        read_nifti(tmp_path / "bomb.nii.gz")


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    data = _ct().astype(np.float32)
    data[0, 0, 0] = np.nan
    with pytest.raises(FileError, match="not numbers"):
        read_nifti(_write(tmp_path / "a.nii", data))


def test_a_volume_without_geometry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no usable geometry.*allowed 0\.05 to 50"):
        read_nifti(_write(tmp_path / "a.nii", _ct(), np.diag([0.001, 1.0, 1.0, 1.0])))


def test_a_mask_is_told_from_an_image() -> None:
    labels = np.zeros((20, 20, 20))
    labels[5:10, 5:10, 5:10] = 20
    assert is_mask(labels)
    assert not is_mask(labels + 0.5)
    assert not is_mask(labels - 1)
    assert not is_mask(_ct((20, 20, 20)))
    assert not is_mask(RNG.integers(0, 255, (20, 20, 20)))


def test_hounsfield_units_are_recognised() -> None:
    assert looks_like_ct(_ct((20, 20, 20)))
    assert not looks_like_ct(np.zeros((4, 4, 4)))
    assert not looks_like_ct(RNG.integers(0, 255, (20, 20, 20)))
