"""`consilium synth xray`: the radiograph that a CT would give, as PNG, DICOM and a sidecar."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    from tools.imaging.xray.files import FilmOrder, film_files

    order = FilmOrder(
        view=arguments.view,
        rows=arguments.size[0],
        columns=arguments.size[-1],
        pixel_mm=arguments.pixel_mm,
        source_to_detector_mm=arguments.sdd,
        source_to_patient_mm=arguments.sod,
        parallel=arguments.beam == "parallel",
        kvp=arguments.kvp,
        scatter=arguments.scatter,
        photons=arguments.photons,
        seed=arguments.seed,
        keep_table=arguments.keep_table,
        plain=arguments.plain,
        style=arguments.style,
        style_seed=arguments.style_seed,
    )
    report = film_files(Path(arguments.ct), Path(arguments.out), order, dicom=not arguments.no_dicom)
    if arguments.json:
        print(json.dumps(report.model_dump()))
        return 0
    print(f"{report.view}, {report.beam}, {report.mm_per_pixel:.2f} mm per pixel in the middle of the patient (synthetic)")
    for warning in report.warnings:
        print(f"Note: {warning}")
    print(f"{Path(arguments.out).parent}: {', '.join(report.files)}")
    return 0
