"""A small whole file for every reader, and the readers by name: each says whether it made something of a file."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from core.store import SessionStore
from core.types import NewArtifact, Turn

Reader = Callable[[Path, Path], bool]
_FHIR = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "p", "name": [{"family": "Doe", "given": ["Jo"]}], "gender": "female", "birthDate": "1950-02-03"}},
        {"resource": {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"}, "code": {"text": "Fracture"}, "onsetDateTime": "2020-01-02"}},
        {"resource": {"resourceType": "Observation", "id": "o", "status": "final", "subject": {"reference": "Patient/p"}, "effectiveDateTime": "2021-05-06T07:08:09Z",
                      "code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]}, "valueQuantity": {"value": 1.1, "unit": "mg/dL"}}},
        {"resource": {"resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order", "subject": {"reference": "Patient/p"},
                      "medicationCodeableConcept": {"text": "Alendronate"}, "authoredOn": "2020-03-04"}},
    ],
}  # fmt: skip
_NOTE = "Patient: Jo Doe  MRN: 1234567  DOB: 02/03/1950\nSeen by Dr. Ada Byron on March 4, 2020 at St. Mary Hospital. Call 617-555-0101.\n"
_PUBMED = (
    '<?xml version="1.0"?><PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><Journal><JournalIssue><PubDate><Year>2020'
    "</Year></PubDate></JournalIssue><Title>J</Title></Journal><ArticleTitle>Fractures</ArticleTitle><Abstract><AbstractText>Bone breaks."
    "</AbstractText></Abstract><AuthorList><Author><LastName>Doe</LastName></Author></AuthorList></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"
)
_JATS = (
    '<article><front><article-meta><article-id pub-id-type="pmid">2</article-id><title-group><article-title>Bone</article-title></title-group>'
    "<abstract><p>Height is lost.</p></abstract></article-meta></front><body><sec><title>Methods</title><p>We measured.</p></sec></body></article>"
)
_RIS = "TY  - JOUR\nTI  - Bones\nAB  - They break.\nPY  - 2019\nAU  - Doe, J\nER  - \n"
_NBIB = "PMID- 3\nTI  - Bones\nAB  - They break\n      at night.\nDP  - 2018 Jan\nAU  - Doe J\n"
_BIB = "@article{a, title={Bones}, abstract={They break.}, year={2017}, author={Doe, J}}\n"
_HTML = "<html><head><title>Bones</title></head><body><h1>Bones</h1><p>They break.</p><script>x()</script></body></html>"
_PHYSIONET = "Time,Parameter,Value\n00:00,RecordID,1\n00:00,Age,70\n00:00,Gender,1\n00:00,ICUType,2\n01:10,HR,88\n02:00,Creatinine,1.2\n"


def make(folder: Path) -> list[tuple[str, Path]]:
    """Write the files; reader and file of each."""
    folder.mkdir(parents=True)
    texts = {
        "record.json": json.dumps(_FHIR), "record.ndjson": "\n".join(json.dumps(e["resource"]) for e in _FHIR["entry"]),  # type: ignore[index]
        "note.txt": _NOTE * 3, "p.xml": _PUBMED, "j.nxml": _JATS, "r.ris": _RIS, "n.nbib": _NBIB, "b.bib": _BIB, "h.html": _HTML,
        "d.jsonl": '{"id": "1", "title": "Bones", "text": "They break."}\n', "132539.txt": _PHYSIONET,
        "batch.jsonl": '{"id": 1, "sentence": "Bones break.", "evidence": ["Bones break at night."]}\n',
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "p.xml.gz").write_bytes(gzip.compress(_PUBMED.encode()))
    _pictures(folder)
    _volumes(folder)
    _dicoms(folder)
    _archives(folder)
    pairs = [
        *(("intake", name) for name in ("p.png", "p.jpg", "v.nii", "v.nii.gz", "m.nii", "film.dcm", "slices.zip", "record.json", "record.ndjson")),
        *(("literature", name) for name in ("p.xml", "p.xml.gz", "j.nxml", "r.ris", "n.nbib", "b.bib", "h.html", "d.jsonl", "d.pdf", "note.txt")),
        *(("deidentify", name) for name in ("note.txt", "record.json", "film.dcm")),
        ("physionet", "132539.txt"), ("check-answer", "batch.jsonl"), ("bundle", "bundle.zip"), ("fhir", "record.json"), ("mapping", "map.json"),
    ]  # fmt: skip
    return [(reader, folder / name) for reader, name in pairs]


def _pictures(folder: Path) -> None:
    grey = Image.fromarray((np.indices((48, 48)).sum(0) * 2).astype(np.uint8))
    grey.save(folder / "p.png")
    grey.save(folder / "p.jpg")
    grey.convert("RGB").save(folder / "d.pdf")


def _volumes(folder: Path) -> None:
    data = np.linspace(-1000, 1500, 12**3).reshape(12, 12, 12).astype(np.int16)
    nibabel.save(nibabel.nifti1.Nifti1Image(data, np.diag([1.0, 1.0, 2.0, 1.0])), folder / "v.nii")
    nibabel.save(nibabel.nifti1.Nifti1Image(data, np.diag([1.0, 1.0, 2.0, 1.0])), folder / "v.nii.gz")
    nibabel.save(nibabel.nifti1.Nifti1Image((data > 0).astype(np.uint8) * 20, np.eye(4)), folder / "m.nii")


def _dicoms(folder: Path) -> None:
    (folder / "film.dcm").write_bytes(_dicom("DX", 0))


def _dicom(modality: str, position: int) -> bytes:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
    meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = (
        generate_uid(entropy_srcs=[str(position)]),
        ExplicitVRLittleEndian,
    )
    file = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID, file.Modality = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
        modality,
    )
    file.PatientName, file.PatientID, file.StudyDate, file.BodyPartExamined = "Doe^Jo", "1234567", "20200304", "SPINE"
    file.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    file.ImagePositionPatient, file.ImageOrientationPatient, file.PixelSpacing = (
        [0, 0, 2 * position],
        [1, 0, 0, 0, 1, 0],
        [1, 1],
    )
    file.Rows, file.Columns, file.BitsAllocated, file.BitsStored, file.HighBit = 24, 24, 16, 16, 15
    file.SamplesPerPixel, file.PixelRepresentation, file.PhotometricInterpretation = 1, 1, "MONOCHROME2"
    file.RescaleSlope, file.RescaleIntercept = 1, -1024
    file.PixelData = (np.indices((24, 24)).sum(0) * 30).astype(np.int16).tobytes()
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _archives(folder: Path) -> None:
    from tools.text.deidentify.mapping import Mapping
    from ui.bundle import write_bundle

    with zipfile.ZipFile(folder / "slices.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for position in range(4):
            archive.writestr(f"s{position}.dcm", _dicom("CT", position))
    store = SessionStore(folder / "session")
    store.add(b"{}", NewArtifact(kind="document", title="A document", media_type="text/plain"), ".txt")
    write_bundle(folder / "bundle.zip", Turn(id="1", question="?", started=datetime(2026, 1, 1, tzinfo=UTC)), store)
    Mapping(shift_days=-70).save(folder / "map.json")


def _intake(file: Path, folder: Path) -> bool:
    from tools.intake import read_files

    return bool(read_files([file], SessionStore(folder / "session", 64, 128)).artifacts)


def _literature(file: Path, folder: Path) -> bool:
    from retrieval.readers.files import read_paths

    return bool(list(read_paths([file], [])))


def _deidentify(file: Path, folder: Path) -> bool:
    from tools.text.deidentify.files import deidentify_file
    from tools.text.deidentify.mapping import Mapping

    return bool(deidentify_file(file, Mapping(), b"k" * 32, folder / "out"))


def _physionet(file: Path, folder: Path) -> bool:
    from tools.ehr.risk.patient import from_text

    return bool(from_text(file))


def _check_answer(file: Path, folder: Path) -> bool:
    from ui.commands.text import _lines, _told

    return all("error" not in _told(line) for line in _lines(file))


def _bundle(file: Path, folder: Path) -> bool:
    from ui.bundle import read_bundle

    (folder / "unpacked").mkdir()
    return bool(read_bundle(file, folder / "unpacked"))


def _fhir(file: Path, folder: Path) -> bool:
    from tools.ehr.fhir import read_fhir

    return bool(read_fhir(file).patients)


def _mapping(file: Path, folder: Path) -> bool:
    from tools.text.deidentify.mapping import Mapping

    return bool(Mapping.load(file).restore("[NAME-1]"))


READERS: dict[str, Reader] = {
    "intake": _intake, "literature": _literature, "deidentify": _deidentify, "physionet": _physionet, "check-answer": _check_answer,
    "bundle": _bundle, "fhir": _fhir, "mapping": _mapping,
}  # fmt: skip
