"""The graded vertebrae as DICOM Segmentation and Structured Report (TID 1500), by highdicom (extra `dicom`).

Where the CT came as a DICOM series, both refer to its slices. Where it came as NIfTI there are none: slices are described by
position only, under new identifiers, and the report says so in its content label.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import MissingRequirement
from tools.imaging.fractures.genant import METHOD, Graded
from tools.imaging.volume import Volume

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.sr.coding import Code
    from pydicom.uid import UID

_INSTALL = 'pip install "consilium[dicom]"'
_MAKER, _MODEL, _SERIAL, _VERSION = "Consilium", "fracture grade", "none", "1"
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_SCHEME = "99CONSILIUM"
_COLOUR = {0: (110, 200, 140), 1: (245, 214, 80), 2: (255, 150, 50), 3: (240, 70, 70)}


def write_dicom(labels: Volume, graded: Sequence[Graded], folder: Path, series: Sequence[Path] = ()) -> tuple[Path, Path]:
    """Write `segmentation.dcm` and `report.dcm`.

    Args:
        labels: the mask, RAS.
        graded: levels to export; at least one.
        folder: where to write.
        series: files of the CT series, when it was DICOM.

    Raises:
        MissingRequirement: highdicom is not installed.
    """
    try:
        import highdicom as hd
    except ImportError as error:
        raise MissingRequirement("DICOM SEG and SR export", _INSTALL) from error
    import pydicom

    sources: list[Dataset] = [pydicom.dcmread(path, stop_before_pixels=True) for path in series]
    sources = _sorted(sources) if sources else reference_slices(labels)
    segmentation = _segmentation(hd, labels, graded, sources)
    report = _report(hd, graded, sources, segmentation, made_up=not series)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "segmentation.dcm", folder / "report.dcm"
    for dataset, path in zip((segmentation, report), paths, strict=True):
        dataset.save_as(path)
    return paths


def reference_slices(volume: Volume) -> list[Dataset]:
    """Axial CT slices described by position, without pixels, for a volume that was no DICOM series."""
    from pydicom import Dataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    affine = _LPS @ volume.affine
    x, y, z = volume.spacing_mm
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    slices = []
    for number in range(volume.data.shape[2]):
        ds = Dataset()
        ds.file_meta = pydicom_meta(ExplicitVRLittleEndian)
        ds.SOPClassUID, ds.SOPInstanceUID = _CT_STORAGE, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.Modality, ds.PatientID, ds.PatientName, ds.PatientSex, ds.PatientBirthDate = "CT", "", "", "", ""
        ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName, ds.StudyDate, ds.StudyTime = "", "", "", "", ""
        ds.SeriesNumber, ds.InstanceNumber = 1, number + 1
        ds.Rows, ds.Columns = volume.data.shape[1], volume.data.shape[0]
        ds.ImageOrientationPatient = [float(v) for v in (*affine[:3, 0] / x, *affine[:3, 1] / y)]
        ds.ImagePositionPatient = [float(v) for v in affine[:3, 3] + number * affine[:3, 2]]
        ds.PixelSpacing, ds.SliceThickness = [y, x], z
        slices.append(ds)
    return slices


def pydicom_meta(syntax: UID) -> Any:
    """File meta that only names the transfer syntax."""
    from pydicom.dataset import FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    return meta


def _sorted(sources: list[Dataset]) -> list[Dataset]:
    def along(ds: Dataset) -> float:
        row, column = (np.array(ds.ImageOrientationPatient[i : i + 3], dtype=float) for i in (0, 3))
        return float(np.array(ds.ImagePositionPatient, dtype=float) @ np.cross(row, column))

    return sorted(sources, key=along)


def labels_on(ds: Dataset, labels: Volume) -> NDArray[np.integer]:
    """The mask sampled at the pixels of a slice, rows x columns; 0 outside it."""
    orientation = [float(v) for v in ds.ImageOrientationPatient]
    row_mm, column_mm = (float(v) for v in ds.PixelSpacing)
    rows, columns = np.indices((int(ds.Rows), int(ds.Columns)))
    world = (
        np.array(ds.ImagePositionPatient, dtype=float)
        + columns[..., None] * column_mm * np.array(orientation[:3])
        + rows[..., None] * row_mm * np.array(orientation[3:])
    )
    to_voxel = np.linalg.inv(_LPS @ labels.affine)
    voxels = np.round(world @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(int)
    inside = ((voxels >= 0) & (voxels < np.array(labels.data.shape))).all(axis=-1)
    out = np.zeros(rows.shape, dtype=np.int32)
    out[inside] = np.asarray(labels.data)[tuple(voxels[inside].T)]
    return out


def _segmentation(hd: Any, labels: Volume, graded: Sequence[Graded], sources: list[Dataset]) -> Any:
    from pydicom.sr.codedict import codes

    algorithm = hd.AlgorithmIdentificationSequence(
        name="vertebra labels as given", version=_VERSION, family=codes.DCM.ArtificialIntelligence
    )
    numbers = {item.measured.value: number + 1 for number, item in enumerate(graded)}
    stack = np.stack([labels_on(ds, labels) for ds in sources])
    pixels = np.zeros(stack.shape, dtype=np.uint8)
    for value, number in numbers.items():
        pixels[stack == value] = number
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number + 1,
            segment_label=f"{item.level} grade {item.grade}",
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=_site(item.level),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
            algorithm_identification=algorithm,
            display_color=hd.color.CIELabColor.from_rgb(*_COLOUR[item.grade]),
        )
        for number, item in enumerate(graded)
    ]
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=pixels,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=hd.UID(),
        series_number=900,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=_MAKER,
        manufacturer_model_name=_MODEL,
        software_versions=_VERSION,
        device_serial_number=_SERIAL,
    )


def _site(level: str) -> Code:
    from pydicom.sr.codedict import codes

    code: Code = getattr(codes.SCT, f"{level}Vertebra", None) or codes.SCT.Vertebra
    return code


def _report(hd: Any, graded: Sequence[Graded], sources: list[Dataset], seg: Any, *, made_up: bool) -> Any:
    from pydicom.sr.codedict import codes

    observer = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=hd.UID(), manufacturer_name=_MAKER, model_name=_MODEL, serial_number=_SERIAL
        ),
    )
    groups = [_group(hd, item, number + 1, seg, sources) for number, item in enumerate(graded)]
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = hd.sr.ComprehensiveSR(
        evidence=[*sources, seg],
        content=content[0],
        series_instance_uid=hd.UID(),
        series_number=901,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=_MAKER,
        manufacturer_model_name=_MODEL,
        is_complete=True,
        is_verified=False,
    )
    report.SeriesDescription = "Vertebral heights (no DICOM source series)" if made_up else "Vertebral heights"
    return report


def _group(hd: Any, item: Graded, number: int, seg: Any, sources: list[Dataset]) -> Any:
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    def measure(name: str, meaning: str, value: float, unit: Code) -> Any:
        return hd.sr.Measurement(name=Code(name, _SCHEME, meaning), value=round(value, 4), unit=unit)

    measurements = []
    for third, code in enumerate(("anterior", "middle", "posterior")):
        measurements += [
            measure(f"height-{code}", f"{code} height", item.measured.heights[third], codes.UCUM.Millimeter),
            measure(f"expected-{code}", f"expected {code} height", item.expected.heights[third], codes.UCUM.Millimeter),
            measure(f"rhlv-{code}", f"relative {code} height loss", 100 * item.loss[third], codes.UCUM.Percent),
        ]
    grade = hd.sr.QualitativeEvaluation(
        name=Code("genant", _SCHEME, "Genant grade"),
        value=Code(f"genant-{item.grade}", _SCHEME, f"Genant grade {item.grade}"),
    )
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(hd.UID(), item.level),
        referenced_segment=hd.sr.ReferencedSegment.from_segmentation(seg, segment_number=number),
        finding_type=codes.SCT.Vertebra,
        finding_sites=[hd.sr.FindingSite(_site(item.level))],
        measurements=measurements,
        qualitative_evaluations=[grade],
        algorithm_id=hd.sr.AlgorithmIdentification(name=METHOD, version=_VERSION),
    )
