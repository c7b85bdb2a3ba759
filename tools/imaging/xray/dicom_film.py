r"""A computed film as DICOM: a Secondary Capture that says in five places that it is synthetic.

Secondary Capture Image (PS3.3 A.8.1) with Conversion Type SYN, Image Type DERIVED\SECONDARY, Synthetic Data (0008,001C) YES
and the mark burned into the pixels. It carries no name and no identifier of the patient, and is a study of its own.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tools.imaging.xray.geometry import edge_letters
from tools.imaging.xray.marking import STATEMENT, SYNTHETIC, burned_in
from tools.imaging.xray.radiograph import Radiograph

if TYPE_CHECKING:
    from pydicom import Dataset

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_BITS = 12


def dicom_film(film: Radiograph, body_part: str = "", mark: str = SYNTHETIC) -> bytes:
    """A DICOM file of a computed film, 12 bits, bone bright.

    Args:
        film: what was computed.
        body_part: DICOM Body Part Examined, where known.
        mark: burned in; begins with SYNTHETIC.
    """
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(_SECONDARY_CAPTURE), generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    _identity(ds, body_part)
    _origin(ds, film)
    _geometry(ds, film)
    _pixels(ds, film, mark)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _identity(ds: Dataset, body_part: str) -> None:
    now = datetime.now(UTC)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "SYNTHETIC^FILM", "SYNTHETIC", "", ""
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", "Computed from voxels alone; nothing was copied"
    ds.StudyDate, ds.StudyTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    ds.ContentDate, ds.ContentTime = ds.StudyDate, ds.StudyTime
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName, ds.Laterality = "1", "", "", ""
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "DX", 1, 1
    ds.Manufacturer, ds.ManufacturerModelName = "Consilium", "synthesize_xray"
    if body_part:
        ds.BodyPartExamined = body_part.upper()


def _origin(ds: Dataset, film: Radiograph) -> None:
    ds.ImageType = ["DERIVED", "SECONDARY", "", "SYNTHETIC"]
    ds.ConversionType = "SYN"
    ds.SyntheticData = "YES"
    ds.BurnedInAnnotation = "YES"
    ds.LossyImageCompression = "00"
    view = film.camera.view.name.replace("°", " deg")
    ds.StudyDescription, ds.SeriesDescription = "SYNTHETIC radiograph from CT", f"SYNTHETIC {view}"[:64]
    ds.ImageComments = STATEMENT
    ds.DerivationDescription = (
        f"{STATEMENT} Beer-Lambert projection of water and cortical bone, {film.beam.name}, "
        f"{'parallel' if film.camera.parallel else 'cone'} beam."
    )


def _geometry(ds: Dataset, film: Radiograph) -> None:
    from pydicom.valuerep import DSfloat

    camera = film.camera
    _, right, _, bottom = edge_letters(camera.view)
    ds.PatientOrientation = [right, bottom]
    if camera.view.dicom:
        ds.ViewPosition = camera.view.dicom
    ds.KVP = DSfloat(film.request.kvp, auto_format=True)
    imager, isocentre = DSfloat(camera.pixel_mm, auto_format=True), DSfloat(camera.mm_per_pixel, auto_format=True)
    ds.ImagerPixelSpacing, ds.PixelSpacing = [imager, imager], [isocentre, isocentre]
    ds.PixelSpacingCalibrationType = "GEOMETRY"
    ds.PixelSpacingCalibrationDescription = "At the middle of the patient"
    if not camera.parallel:
        ds.DistanceSourceToDetector = DSfloat(camera.source_to_detector_mm, auto_format=True)
        ds.DistanceSourceToPatient = DSfloat(camera.source_to_patient_mm, auto_format=True)
        ds.EstimatedRadiographicMagnificationFactor = DSfloat(camera.magnification, auto_format=True)


def _pixels(ds: Dataset, film: Radiograph, mark: str) -> None:
    top = (1 << _BITS) - 1
    levels = np.round(film.shade * top).astype(np.uint16)
    ds.Rows, ds.Columns = levels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, _BITS, _BITS - 1, 0
    ds.WindowCenter, ds.WindowWidth = (top + 1) / 2, top + 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.PixelData = burned_in(film, levels, mark).tobytes()
