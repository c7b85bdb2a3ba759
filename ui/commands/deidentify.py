"""`consilium text deidentify`: a text, a FHIR file or a DICOM file without what identifies the patient."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from core.errors import InputError
from core.settings import load_settings
from tools.text.deidentify.files import FileDeidentified, deidentify_file
from tools.text.deidentify.mapping import Mapping, secret_key, shift_of


def run(arguments: argparse.Namespace) -> int:
    """Write or print the result; the mapping back goes only where it is asked to."""
    path = Path(arguments.file)
    out = Path(arguments.out) if arguments.out else None
    if out is not None and out.exists() and out.samefile(path):
        raise InputError(f"--out {arguments.out!r} is the file itself; give another name.")
    key = secret_key(load_settings().home)
    mapping = Mapping.load(Path(arguments.map)) if arguments.map and Path(arguments.map).exists() else Mapping()
    if arguments.patient:
        mapping.shift_days = shift_of(key, arguments.patient)
    done = deidentify_file(path, mapping, key, out)
    if arguments.map:
        mapping.save(Path(arguments.map))
    _tell(done, arguments, out)
    return 0


def _tell(done: FileDeidentified, arguments: argparse.Namespace, out: Path | None) -> None:
    if arguments.json:
        spans = [span.model_dump(include={"start", "end", "category", "text"}) for span in done.spans]
        told = {"kind": done.kind, "text": done.text, "spans": spans, "changed": done.changed, "regions": done.regions}
        print(json.dumps(told, ensure_ascii=False))
    elif out is None:
        print(done.text, end="" if done.text.endswith("\n") else "\n")
    else:
        blanked = f", {len(done.regions)} regions of the picture blanked" if done.kind == "dicom" else ""
        print(f"{done.changed} identifiers replaced{blanked}; written to {out}. Read it before it is shared.")
