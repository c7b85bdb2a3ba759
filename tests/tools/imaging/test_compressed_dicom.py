"""Compressed DICOM: every transfer syntax that scanners and archives send CT in, on files that the test itself makes."""

from __future__ import annotations

from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from core.errors import FileError
from tests.tools.imaging.test_reading import enhanced, write_slices
from tools.imaging.phantom import Phantom, spine_phantom
from tools.imaging.reading import read_volume
from tools.imaging.volume import Volume

_GDCM = {
    JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    JPEGLossless: gdcm.TransferSyntax.JPEGLosslessProcess14,
    JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
    JPEG2000Lossless: gdcm.TransferSyntax.JPEG2000Lossless,
    RLELossless: gdcm.TransferSyntax.RLELossless,
    DeflatedExplicitVRLittleEndian: gdcm.TransferSyntax.DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian: gdcm.TransferSyntax.ExplicitVRBigEndian,
}


@pytest.fixture(scope="module")
def ct() -> Volume:
    made: Phantom = spine_phantom(("L1", "L2"), spacing_mm=(2.5, 2.5, 5.0))
    hu = np.array(made.ct.data)
    hu[0] = -1000
    return Volume(hu[..., :12], made.ct.affine)


def recoded(source: Path, target: Path, syntax: pydicom.uid.UID) -> None:
    """The same file in another transfer syntax, written by GDCM's encoders."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(_GDCM[syntax]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert pydicom.dcmread(target, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax


@pytest.mark.parametrize("syntax", list(_GDCM), ids=[uid.name for uid in _GDCM])
def test_a_compressed_series_is_the_plain_one(ct: Volume, tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    plain = write_slices(ct, tmp_path / "plain")
    packed = tmp_path / "packed"
    packed.mkdir()
    for path in plain.iterdir():
        recoded(path, packed / path.name, syntax)
    read = read_volume(packed, "The CT")
    assert read.volume.same_grid(ct)
    assert np.array_equal(read.volume.data, ct.data)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLosslessSV1, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_a_compressed_multi_frame_file_is_the_plain_one(ct: Volume, tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    ds, plain, packed = enhanced(ct), tmp_path / "plain.dcm", tmp_path / "packed.dcm"
    ds.save_as(plain, enforce_file_format=True)
    recoded(plain, packed, syntax)
    ds.PixelData = pydicom.dcmread(packed).PixelData  # GDCM writes its own functional groups: only its frames are taken
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = EnhancedCTImageStorage
    ds.save_as(packed, enforce_file_format=True)
    read = read_volume(packed, "The CT")
    assert read.volume.same_grid(ct)
    assert np.array_equal(read.volume.data, ct.data)


def test_a_damaged_code_stream_is_refused_in_words(ct: Volume, tmp_path: Path) -> None:
    ds = enhanced(ct)
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    ds.PixelData = encapsulate([b"\xff\x4f\xff\x51 not a code stream"] * int(ds.NumberOfFrames))
    ds["PixelData"].is_undefined_length = True
    ds.save_as(tmp_path / "bad.dcm", enforce_file_format=True)
    with pytest.raises(FileError, match="cannot be decoded"):
        read_volume(tmp_path / "bad.dcm", "The CT")
