"""`find_similar_images` over a real index with a toy encoder."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import CallError, FileError
from core.ports import Picture
from core.pseudonym import Pseudonyms
from core.store import SessionStore
from core.types import Finding, NewArtifact, Passage
from retrieval.images.index import ImageIndex
from retrieval.images.search import ImageSearch
from tests.retrieval.images.build import ShrinkEncoder, films, kind_of_film
from tools.base import ToolContext
from tools.imaging.pictures import FilmReader, is_coloured, volume_pictures
from tools.imaging.similar import FindSimilarImages, SimilarParams
from tools.imaging.volume import Volume, save_volume


@pytest.fixture
def tool(tmp_path: Path) -> FindSimilarImages:
    index = ImageIndex(tmp_path / "films", ShrinkEncoder())
    index.add(films(60))
    return FindSimilarImages(ImageSearch(index))


def attach(store: SessionStore, pixels: np.ndarray, **told: object) -> str:
    grey = np.round(255 * (pixels - pixels.min()) / np.ptp(pixels)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG")
    new = NewArtifact(kind="radiograph", title="A film", media_type="image/png", shape=grey.shape, **told)
    return store.add(buffer.getvalue(), new, ".png").handle


def run(tool: FindSimilarImages, store: SessionStore, **arguments: object):  # type: ignore[no-untyped-def]
    return tool.run(SimilarParams(**arguments), ToolContext(store=store, call_id="c1"))


def test_neighbours_are_stated_with_labels_reports_and_a_sheet(tool: FindSimilarImages, store: SessionStore) -> None:
    handle = attach(store, kind_of_film(1, 999))
    result = run(tool, store, image=handle, k=4)
    findings = [e for e in result.evidence if isinstance(e, Finding) and e.name == "similar image"]
    reports = [e for e in result.evidence if isinstance(e, Passage)]
    agreement = result.evidence[0]
    assert isinstance(agreement, Finding)
    assert agreement.value == 1.0
    assert "4 of the 4 labelled neighbours" in agreement.statement
    assert len(findings) == len(reports) == 4
    assert all(f"{f.value:.3f}" in f.statement and "'kind 1'" in f.statement for f in findings)
    assert reports[0].text == "Pattern 1 is seen."
    assert "other patient" in reports[0].flags
    sheet = result.artifacts[0]
    assert "other patients" in sheet.warnings[0]
    with Image.open(store.path(sheet.handle)) as picture:
        assert picture.size[0] > 100
    table = result.tables[0]
    assert [row.evidence[0] for row in table.rows] == [1, 2, 3, 4]
    assert any("other patients" in warning for warning in result.warnings)


def test_disagreement_is_said(tmp_path: Path, store: SessionStore) -> None:
    index = ImageIndex(tmp_path / "films", ShrinkEncoder())
    index.add([replace(film, label="odd" if number % 2 else "even") for number, film in enumerate(films(60))])
    result = run(FindSimilarImages(ImageSearch(index)), store, image=attach(store, kind_of_film(1, 999)), k=12)
    assert "the neighbours disagree (others: " in result.evidence[0].statement


def test_no_close_match_is_an_answer(tool: FindSimilarImages, store: SessionStore) -> None:
    strange = (np.indices((48, 48)).sum(axis=0) % 16 < 8).astype(np.float32)
    result = run(tool, store, image=attach(store, strange))
    assert result.evidence == ()
    assert "no close match" in result.summary
    assert "60 pictures in 'films'" in result.searched


def test_the_patient_of_the_artifact_is_left_out(tmp_path: Path, store: SessionStore) -> None:
    index = ImageIndex(tmp_path / "films", ShrinkEncoder())
    index.add(films(60))
    index.add([Picture(kind_of_film(1, 998), "own.png", patient="mine")])
    tool = FindSimilarImages(ImageSearch(index))
    result = run(tool, store, image=attach(store, kind_of_film(1, 999), patient="mine"), k=20)
    assert "own.png" not in result.model_dump_json()
    assert any("1 of the same patient or study" in warning for warning in result.warnings)


def test_an_empty_index_is_said(tmp_path: Path, store: SessionStore) -> None:
    index = ImageIndex(tmp_path / "films", ShrinkEncoder())
    index.create()
    result = run(FindSimilarImages(ImageSearch(index)), store, image=attach(store, kind_of_film(0, 1)))
    assert "the index is empty" in result.summary


def volume(seed: int = 0) -> Volume:
    generator = np.random.default_rng(seed)
    data = np.kron(generator.normal(300, 200, (5, 6, 4)), np.ones((8, 8, 8))).astype(np.int16)
    return Volume(data, np.diag([1.0, 1.0, 2.0, 1.0]))


def test_a_volume_is_compared_whole_or_by_a_slice(tmp_path: Path, store: SessionStore) -> None:
    index = ImageIndex(tmp_path / "cts", ShrinkEncoder())
    for seed in range(6):
        pictures = volume_pictures(volume(seed), f"ct{seed}.nii", is_ct=True)
        assert [p.key.split("#")[1].split("-")[0] for p in pictures] == ["sagittal"] * 3 + ["coronal"] * 3 + [
            "axial"
        ] * 3 + ["volume"]
        index.add([replace(p, patient=f"p{seed}") for p in pictures])
    path = tmp_path / "query.nii"
    save_volume(volume(3), path)
    new = NewArtifact(kind="volume", title="CT", media_type="application/x-nifti", modality="CT", shape=(40, 48, 32))
    handle = store.add(path, new, ".nii").handle
    tool = FindSimilarImages(ImageSearch(index))
    whole = run(tool, store, image=handle, k=5)
    assert "ct3.nii" not in whole.model_dump_json(), "a copy of the query is no neighbour"
    assert len({row.cells[5].split("#")[0] for row in whole.tables[0].rows}) == len(whole.tables[0].rows) == 5
    sliced = run(tool, store, image=handle, k=5, plane="sagittal", slice=20)
    assert sliced.evidence
    with pytest.raises(CallError, match="plane"):
        run(tool, store, image=handle, slice=3)


def test_slices_are_drawn_at_true_aspect() -> None:
    pictures = {p.key.split("#")[1].split("-")[0]: p.pixels.shape for p in volume_pictures(volume(), "ct.nii", is_ct=True)}
    assert pictures["sagittal"] == (64, 48)
    assert pictures["axial"] == (48, 40)


def test_films_of_dicom_keep_a_pseudonym_and_no_name(tmp_path: Path) -> None:
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    ds = pydicom.Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.SOPClassUID, ds.Modality, ds.PatientName, ds.PatientID = (
        ds.file_meta.MediaStorageSOPClassUID,
        "CR",
        "Doe^Jane",
        "MRN-4711",
    )
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 48, 48, 1, "MONOCHROME1"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    film = kind_of_film(0, 5)
    grey = np.round(4095 * (film - film.min()) / np.ptp(film)).astype(np.uint16)
    ds.PixelData = (4095 - grey).tobytes()  # inverted: MONOCHROME1
    path = tmp_path / "film.dcm"
    ds.save_as(path, enforce_file_format=True)
    pseudonyms = Pseudonyms(b"x" * 32)
    (picture,) = FilmReader(pseudonyms).read(path)
    assert picture.patient == pseudonyms.of("|mrn-4711 ")
    assert "Doe" not in repr(replace(picture, pixels=np.zeros(1)))
    assert "4711" not in repr(replace(picture, pixels=np.zeros(1)))
    (plain,) = ShrinkEncoder().encode([grey])
    assert float(ShrinkEncoder().encode([picture.pixels])[0] @ plain) > 0.99, "bright is dense, however it was stored"


def test_of_a_film_of_many_frames_the_middle_one_is_taken(tmp_path: Path) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    frames = np.stack([np.full((40, 32), 100), np.outer(np.arange(40), np.arange(32)), np.full((40, 32), 9)]).astype(
        np.uint16
    )
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = DigitalXRayImageStorageForPresentation, generate_uid()
    ds.SeriesInstanceUID, ds.Modality, ds.NumberOfFrames = generate_uid(), "DX", 3
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 40, 32, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = frames.tobytes()
    ds.save_as(tmp_path / "frames.dcm", enforce_file_format=True)
    (picture,) = FilmReader(Pseudonyms(b"k" * 32)).read(tmp_path / "frames.dcm")
    assert picture.pixels.shape == (40, 32)
    assert picture.pixels[39, 31] == 255


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.dcm", b"", "is empty"),
        ("film.gif", b"GIF89a" + bytes(60), "none of DICOM, NIfTI, PNG"),
        ("broken.png", b"\x89PNG\r\n\x1a\nnothing", r"damaged: cannot identify image file 'broken\.png'"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=words):
        FilmReader(Pseudonyms(b"k" * 32)).read(tmp_path / name)


def test_several_pictures_in_one_file_are_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.outer(np.arange(30), np.arange(30)).astype(np.uint8)) for _ in range(2)]
    pages[0].save(tmp_path / "one.tif")
    assert FilmReader(Pseudonyms(b"k" * 32)).read(tmp_path / "one.tif")[0].pixels.shape == (30, 30)
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(FileError, match="holds 2 pictures"):
        FilmReader(Pseudonyms(b"k" * 32)).read(tmp_path / "two.tif")


def test_colour_is_told_from_grey() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    assert not is_coloured(grey)
    red = grey.copy()
    red[..., 1:] = 0
    assert is_coloured(red)
