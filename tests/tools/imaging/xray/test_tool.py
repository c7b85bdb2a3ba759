from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from core.errors import CallError, GateRefusal
from core.store import SessionStore
from core.types import Finding, NewArtifact, ToolResult
from tests.fakes import FixedRetriever, NoImages
from tests.tools.imaging.xray.patients import patient
from tools.base import ToolContext
from tools.imaging.phantom import spine_phantom
from tools.imaging.volume import Volume, save_volume
from tools.imaging.xray.tool import SynthesizeXray, XrayParams
from tools.intake import read_files
from tools.registry import standard_tools
from tools.runtime import CallRequest, ToolRuntime


@pytest.fixture
def patients(store: SessionStore, tmp_path: Path) -> SessionStore:
    """ct1 a patient, ct2 the same with the bone made soft, ct3 on another grid."""
    whole = patient()
    soft = Volume(np.where(np.asarray(whole.data) > 1000, 150, np.asarray(whole.data)).astype(np.int16), whole.affine)
    save_volume(whole, tmp_path / "a.nii")
    save_volume(soft, tmp_path / "b.nii")
    save_volume(Volume(np.asarray(whole.data)[:, :, 2:], whole.affine), tmp_path / "c.nii")
    assert read_files(sorted(tmp_path.glob("*.nii")), store).problems == ()
    return store


def _film(store: SessionStore, **params: object) -> ToolResult:
    given = {"rows": 128, "columns": 128, **params}
    return SynthesizeXray().run(XrayParams.model_validate(given), ToolContext(store, "c1"))


def test_a_film_is_a_marked_synthetic_radiograph_with_its_view_and_scale(patients: SessionStore) -> None:
    result = _film(patients, image="ct1", views=["ap", "lateral"])
    sheet, *films = result.artifacts
    assert [film.view for film in films] == ["AP", "LL"]
    assert all(item.synthetic and item.made_by == "c1" and item.of == "ct1" for item in result.artifacts)
    assert all(film.kind == "radiograph" and film.shape == (128, 128) for film in films)
    with Image.open(patients.path(films[0].handle)) as picture:
        assert picture.info["Synthetic"] == "true"
        orange = np.asarray(picture)[:24, 60:].astype(int)
        assert (orange[..., 0] - orange[..., 2]).max() > 100
    with Image.open(patients.path(sheet.handle)) as picture:
        assert picture.width > 2 * 128
    assert any("not evidence" in text for text in result.warnings)
    finding = result.evidence[0]
    assert isinstance(finding, Finding)
    assert "ct1 in the AP view: 90 kVp" in finding.statement


def test_two_cts_side_by_side_also_show_where_they_differ(patients: SessionStore) -> None:
    result = _film(patients, image="ct1", beside="ct2", views=["lateral"])
    told = [item.statement for item in result.evidence if isinstance(item, Finding)]
    assert [text.split(" shows ")[1][:3] for text in told] == ["ct1", "ct2", "ct1", "ct2"]
    assert "detail of where the two differ" in told[2]
    with Image.open(patients.path(result.artifacts[0].handle)) as sheet:
        assert sheet.size == (2 * 136, 2 * 136)


def test_a_second_ct_on_another_grid_is_refused(patients: SessionStore) -> None:
    with pytest.raises(GateRefusal, match="another grid"):
        _film(patients, image="ct1", beside="ct3")


def test_a_level_needs_a_mask_and_is_coned_down_to(patients: SessionStore, store: SessionStore, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="needs a vertebra mask"):
        _film(patients, image="ct1", level="L1")
    phantom = spine_phantom(spacing_mm=(2.0, 2.0, 2.0), levels=("T11", "T12", "L1"))
    ct = np.asarray(phantom.ct.data).copy()
    ct[0] = ct[:, 0] = -1000
    (tmp_path / "more").mkdir()
    save_volume(Volume(ct, phantom.ct.affine), tmp_path / "more" / "ct.nii")
    save_volume(phantom.mask, tmp_path / "more" / "seg.nii")
    read_files(sorted((tmp_path / "more").glob("*.nii")), store)
    spine = next(item.of for item in store.list() if item.kind == "mask")
    result = _film(store, image=spine, level="t12", views=["lateral"])
    finding = result.evidence[0]
    assert isinstance(finding, Finding)
    assert finding.where == "T12"
    with pytest.raises(CallError, match="The levels there are: T11, T12, L1"):
        _film(store, image=spine, level="L4")


def test_a_dicom_file_reads_back_says_synthetic_and_is_known_again(patients: SessionStore, tmp_path: Path) -> None:
    result = _film(patients, image="ct1", views=["pa"], dicom=True)
    handle = next(item.handle for item in result.artifacts if item.media_type == "application/dicom")
    ds = pydicom.dcmread(patients.path(handle))
    assert (ds.SyntheticData, ds.ConversionType, ds.BurnedInAnnotation) == ("YES", "SYN", "YES")
    assert list(ds.ImageType)[:2] == ["DERIVED", "SECONDARY"]
    assert "SYNTHETIC" in list(ds.ImageType)
    assert (ds.ViewPosition, list(ds.PatientOrientation)) == ("PA", ["L", "F"])
    assert ds.pixel_array.shape == (128, 128)
    assert ds.pixel_array.max() == 4095
    assert float(ds.ImagerPixelSpacing[0]) > float(ds.PixelSpacing[0])
    copy = tmp_path / "again" / "film.dcm"
    copy.parent.mkdir()
    copy.write_bytes(patients.path(handle).read_bytes())
    (known,) = read_files([copy], patients).artifacts
    assert known.synthetic
    assert known.kind == "radiograph"


def test_a_synthetic_picture_that_comes_back_is_refused_as_evidence_with_the_reason(
    patients: SessionStore, tmp_path: Path
) -> None:
    film = _film(patients, image="ct1", views=["ap"]).artifacts[1]
    copy = tmp_path / "back" / "holiday.png"
    copy.parent.mkdir()
    copy.write_bytes(patients.path(film.handle).read_bytes())
    (known,) = read_files([copy], patients).artifacts
    assert known.synthetic
    runtime = ToolRuntime(standard_tools(FixedRetriever(), NoImages()))
    for handle in (film.handle, known.handle):
        outcome = runtime.call(CallRequest("grade_fractures", {"image": handle}, "c2", patients))
        assert outcome.result.status == "refused"
        assert f"{handle} is synthetic: it was generated and is not evidence about a patient" in outcome.result.summary


def test_a_nifti_file_that_says_synthetic_is_known(store: SessionStore, tmp_path: Path) -> None:
    import nibabel as nib

    whole = patient()
    image = nib.Nifti1Image(np.asarray(whole.data), whole.affine)
    image.header["descrip"] = b"SYNTHETIC: not a picture of a patient"
    nib.save(image, tmp_path / "x.nii.gz")
    (known,) = read_files([tmp_path / "x.nii.gz"], store).artifacts
    assert known.synthetic


def test_an_mr_is_refused_by_the_gate(store: SessionStore) -> None:
    store.add(b"x", NewArtifact(kind="volume", title="MR", media_type="application/x-nifti", modality="MR"), ".nii")
    runtime = ToolRuntime(standard_tools(FixedRetriever(), NoImages()))
    handle = store.list()[0].handle
    outcome = runtime.call(CallRequest("synthesize_xray", {"image": handle}, "c1", store))
    assert outcome.result.status == "refused"
    assert "a CT volume in HU" in outcome.result.summary
