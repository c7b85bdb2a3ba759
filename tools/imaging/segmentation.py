"""Vertebra labels for a CT that came without: TotalSegmentator (extra `segment`), when its weights are in place.

TotalSegmentator's task `total` and its weights are Apache-2.0 (Wasserthal et al., Radiology: Artificial Intelligence
2023;5:e230024). It fetches missing weights by itself; here nothing is fetched without being asked for, so the weights must
be placed first.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Protocol, cast

import nibabel as nib
import numpy as np

from core.errors import FileError, MissingRequirement
from tools.imaging.labels import TOTALSEGMENTATOR
from tools.imaging.nifti import looks_like_ct, read_nifti
from tools.imaging.volume import Volume

_INSTALL = 'pip install "consilium[segment]"'
_WEIGHTS = "totalseg_download_weights -t total"
_WEIGHTS_FAST = "totalseg_download_weights -t total_fast"
_FOLDERS = {False: ("Dataset292_", "Dataset298_"), True: ("Dataset297_", "Dataset298_")}
"""Folders of nnU-Net weights that are needed: vertebrae at 1.5 mm, or all at 3 mm (`fast`); and the rough one that crops."""


class _Segmenter(Protocol):
    def __call__(
        self, input: nib.Nifti1Image, output: None, *, task: str, roi_subset: list[str], fast: bool, device: str, quiet: bool
    ) -> nib.Nifti1Image: ...


def weights_folder() -> Path:
    """Where TotalSegmentator looks for its weights: `TOTALSEG_WEIGHTS_PATH`, or `nnunet/results` under its home."""
    if path := os.environ.get("TOTALSEG_WEIGHTS_PATH"):
        return Path(path)
    home = Path(os.environ.get("TOTALSEG_HOME_DIR", Path.home() / ".totalsegmentator"))
    return home / "nnunet" / "results"


def have_weights(*, fast: bool = False) -> bool:
    """Whether the weights that the vertebrae need are in place."""
    folder = weights_folder()
    there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return all(any(name.startswith(wanted) for name in there) for wanted in _FOLDERS[fast])


def segment_vertebrae(ct: Volume, *, fast: bool = False, device: str = "cpu") -> Volume:
    """Vertebra labels in TotalSegmentator's numbering, on the CT's grid.

    Args:
        ct: HU, RAS.
        fast: the 3 mm model: quicker, heights are less sure.
        device: "cpu" or "gpu".

    Raises:
        FileError: the image is no CT in HU, or no vertebra was found.
        MissingRequirement: TotalSegmentator or its weights are missing; the message has the command.
    """
    if not looks_like_ct(np.asarray(ct.data)):
        raise FileError("Segmentation needs a CT in HU (air near -1000); this image is none.")
    run = _segmenter()
    if not have_weights(fast=fast):
        command = _WEIGHTS_FAST if fast else _WEIGHTS
        raise MissingRequirement(f"The weights of TotalSegmentator (looked for in {weights_folder()})", command)
    names = [f"vertebrae_{level}" for value, level in TOTALSEGMENTATOR.items() if value != 26]
    image = nib.Nifti1Image(np.asarray(ct.data), ct.affine, dtype=np.asarray(ct.data).dtype)
    try:
        found = run(image, None, task="total", roi_subset=names, fast=fast, device=device, quiet=True)
    except (ConnectionError, OSError) as error:  # it tries to fetch what it misses
        raise MissingRequirement(
            f"The weights of TotalSegmentator (it could not load them: {type(error).__name__})", _WEIGHTS
        ) from error
    return _on_grid(found, ct)


def _segmenter() -> _Segmenter:
    try:
        from totalsegmentator.python_api import totalsegmentator
    except ImportError as error:
        raise MissingRequirement("Segmentation of the vertebrae", _INSTALL) from error
    return cast(_Segmenter, totalsegmentator)


def _on_grid(found: nib.Nifti1Image, ct: Volume) -> Volume:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.nii"
        nib.save(found, path)
        labels = read_nifti(path, "TotalSegmentator's answer").volume
    data = np.asarray(labels.data)
    vertebrae = np.where(np.isin(data, list(TOTALSEGMENTATOR)), data, 0).astype(np.uint8)
    if not vertebrae.any():
        raise FileError("TotalSegmentator found no vertebra in this CT.")
    labels = Volume(vertebrae, labels.affine)
    if not labels.same_grid(ct):
        raise FileError("TotalSegmentator answered on another grid than the CT's.")
    return labels
