"""`consilium synth xray` and `synth train-style`: files in, files and a sidecar out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import CallError, FileError, SettingError
from core.types import Frozen
from tools.imaging.dicom import DicomFilm, is_dicom, read_dicom
from tools.imaging.reading import read_volume
from tools.imaging.xray.dicom_film import dicom_film
from tools.imaging.xray.film import Exposure
from tools.imaging.xray.geometry import Detector, parse_view
from tools.imaging.xray.marking import STATEMENT, film_picture, marked_png
from tools.imaging.xray.radiograph import Radiograph, Request, synthesize
from tools.imaging.xray.style.training import Recipe, train

_PNG = (".png",)
_MOST_REFERENCE_PIXELS = 100_000_000


class FilmOrder(Frozen):
    """What is asked for. `style` is "none", "drawn" (by `style_seed`) or the path of a reference film."""

    view: str = "lateral"
    rows: int = 512
    columns: int = 512
    pixel_mm: float | None = None
    source_to_detector_mm: float = 1500.0
    source_to_patient_mm: float | None = None
    parallel: bool = False
    kvp: float = 90.0
    scatter: float = 0.0
    photons: float | None = None
    seed: int = 0
    keep_table: bool = False
    plain: bool = False
    style: str = "none"
    style_seed: int = 0


class FilmReport(Frozen):
    """The sidecar: what was made from what, and how."""

    synthetic: bool = True
    statement: str = STATEMENT
    method: str = "Beer-Lambert projection of water and cortical bone (Joseph's method)"
    view: str
    azimuth: float
    elevation: float
    beam: str
    order: FilmOrder
    rows: int
    columns: int
    pixel_mm: float
    mm_per_pixel: float
    magnification: float
    source_mm: tuple[float, float, float]
    isocentre_mm: tuple[float, float, float]
    input_sha256: dict[str, str]
    style_weights_sha256: str = ""
    seconds: dict[str, float]
    warnings: tuple[str, ...]
    files: tuple[str, ...]


def film_files(ct: Path, out: Path, order: FilmOrder, *, dicom: bool = True) -> FilmReport:
    """Compute a film and write X.png, X.dcm and X.json beside each other.

    Raises:
        FileError: the CT cannot be read or is not in HU.
        SettingError: `out` does not end with .png, or view or geometry are impossible.
    """
    try:
        return _film_files(ct, out, order, dicom=dicom)
    except CallError as error:
        raise SettingError(str(error)) from error


def _film_files(ct: Path, out: Path, order: FilmOrder, *, dicom: bool) -> FilmReport:
    if out.suffix.lower() not in _PNG:
        raise SettingError(
            f"--out names the picture and ends with .png, got {out.name!r}; .dcm and .json are put beside it."
        )
    read = read_volume(ct, f"The CT {ct.name!r}")
    detector = Detector(order.rows, order.columns, order.pixel_mm, order.source_to_detector_mm, order.source_to_patient_mm,
                        order.parallel)  # fmt: skip
    exposure = Exposure(order.scatter, order.photons, order.seed)
    request = Request(
        parse_view(order.view), detector, order.kvp, exposure, remove_table=not order.keep_table, compress=not order.plain
    )
    film = synthesize(read.volume, request, f"The CT {ct.name!r}")
    film, weights = _styled(film, order)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(marked_png(film_picture(film)))
    files = [out.name]
    if dicom:
        out.with_suffix(".dcm").write_bytes(dicom_film(film))
        files.append(out.with_suffix(".dcm").name)
    sidecar = out.with_suffix(".json")
    report = _report(film, order, ct, weights, read.notes, (*files, sidecar.name))
    sidecar.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return report


def _styled(film: Radiograph, order: FilmOrder) -> tuple[Radiograph, str]:
    if order.style == "none":
        return film, ""
    from tools.imaging.xray.style.apply import as_reference, shipped_stylist

    stylist = shipped_stylist()
    drawn = order.style == "drawn"
    code = stylist.drawn_code(order.style_seed) if drawn else stylist.code_of(as_reference(read_film(Path(order.style))))
    return film.with_shade(stylist.restyle(film, code, order.seed)), stylist.sha256


def _report(
    film: Radiograph, order: FilmOrder, ct: Path, weights: str, notes: tuple[str, ...], files: tuple[str, ...]
) -> FilmReport:
    camera = film.camera
    source, centre = ((float(v[0]), float(v[1]), float(v[2])) for v in (camera.source, camera.isocentre))
    return FilmReport(
        view=camera.view.name, azimuth=camera.view.azimuth, elevation=camera.view.elevation, beam=film.beam.name,
        order=order.model_copy(update={"style": Path(order.style).name}), rows=camera.rows, columns=camera.columns,
        pixel_mm=camera.pixel_mm, mm_per_pixel=camera.mm_per_pixel, magnification=camera.magnification, source_mm=source,
        isocentre_mm=centre, input_sha256=_hashes(ct), style_weights_sha256=weights,
        seconds={name: round(value, 3) for name, value in film.seconds.items()}, warnings=(*notes, *film.warnings),
        files=files,
    )  # fmt: skip


def _hashes(path: Path) -> dict[str, str]:
    """A folder by all of its files, in the order of their names."""
    digest = hashlib.sha256()
    for part in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        digest.update(part.read_bytes())
    return {path.name: digest.hexdigest()}


def read_film(path: Path) -> NDArray[np.float32]:
    """A film of a file (DICOM, PNG, JPEG) as 0 to 1, bone bright.

    Raises:
        FileError: it is no film.
    """
    if not path.is_file():
        raise FileError(f"There is no film {path.name!r}.")
    if is_dicom(path):
        read = read_dicom([path])
        if not isinstance(read, DicomFilm):
            raise FileError(f"{path.name!r} is a slice or a series, not a film.")
        return np.asarray(read.pixels, dtype=np.float32) / np.float32(255)
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MOST_REFERENCE_PIXELS:
                raise FileError(f"{path.name!r} has {image.width} x {image.height} pixels: too many for a reference.")
            return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)
    except (OSError, SyntaxError, ValueError) as error:
        raise FileError(f"{path.name!r} cannot be read as a picture: {str(error)[:100]}.") from error


def train_style(cts: Sequence[Path], references: Sequence[Path], out: Path, recipe: Recipe) -> dict[str, float]:
    """Train the style network on files and write its weights; returns the last losses.

    Raises:
        FileError: a file cannot be read.
    """
    volumes = [read_volume(path, f"The CT {path.name!r}").volume for path in cts]
    films = [read_film(path) for path in references]
    about = {
        "cts": ", ".join(f"{path.name} {digest[:12]}" for path in cts for digest in _hashes(path).values()),
        "references": ", ".join(f"{path.name} {digest[:12]}" for path in references for digest in _hashes(path).values()),
    }
    return train(volumes, films, out, recipe, about)
