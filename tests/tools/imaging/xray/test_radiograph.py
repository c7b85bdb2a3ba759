from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import CallError, FileError, TooLarge
from tests.tools.imaging.xray.patients import BALL_MM, patient
from tools.imaging.volume import Volume
from tools.imaging.xray.attenuation import basis_of, linear_attenuation, single_energy, transmission, tube_beam
from tools.imaging.xray.film import Exposure
from tools.imaging.xray.geometry import Detector, edge_letters, parse_view, side_marker
from tools.imaging.xray.radiograph import Radiograph, Request, synthesize

CT = patient()
SMALL = Detector(96, 96)


def _film(view: str, ct: Volume = CT, detector: Detector = SMALL, **more: object) -> Radiograph:
    return synthesize(ct, replace(Request(parse_view(view), detector), **more))  # type: ignore[arg-type]


def _ball(film: Radiograph) -> tuple[float, float]:
    """Where the bone is, as shares of the film: 0 top and left, 1 bottom and right."""
    rows, columns = np.nonzero(film.paths[1] > 0.5 * film.paths[1].max())
    return rows.mean() / film.camera.rows, columns.mean() / film.camera.columns


@pytest.mark.parametrize("view", ["ap", "pa", "lateral", "right lateral", "rpo", "lao"])
def test_films_hang_by_radiological_convention(view: str) -> None:
    """The ball lies at the patient's right, in front, near the head: at the viewer's left on every one of these films."""
    row, column = _ball(_film(view))
    assert row < 0.45
    assert column < 0.45


def test_the_ball_lies_where_the_geometry_says() -> None:
    for view in ("ap", "pa", "lateral", "right lateral", "30,20", "200,-40"):
        film = _film(view)
        row, column = film.camera.project(BALL_MM[None])[0]
        found = _ball(film)
        assert found[0] * 96 == pytest.approx(row, abs=1.5)
        assert found[1] * 96 == pytest.approx(column, abs=1.5)


def test_what_lies_near_the_tube_is_larger() -> None:
    """The ball is in front: nearer the tube on AP films, nearer the detector on PA films."""
    near_tube, near_detector = _film("ap"), _film("pa")
    sizes = [(film.paths[1] > 1).sum() * film.camera.mm_per_pixel**2 for film in (near_tube, near_detector)]
    assert sizes[0] > 1.02 * sizes[1]


def test_letters_and_markers() -> None:
    assert edge_letters(parse_view("ap")) == ("R", "L", "H", "F")
    assert edge_letters(parse_view("pa")) == ("R", "L", "H", "F")
    assert edge_letters(parse_view("lateral")) == ("A", "P", "H", "F")
    assert [side_marker(parse_view(v)) for v in ("ap", "pa", "lateral", "right lateral")] == ["R", "R", "L", "R"]


@pytest.mark.parametrize("text", ["sideways", "", "10,95", "1,2,3"])
def test_a_view_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CallError, match=r"view"):
        parse_view(text)


def test_a_negative_azimuth_is_the_same_as_its_complement() -> None:
    assert parse_view("-90,0") == parse_view("left lateral")


def test_attenuation_is_that_of_the_tables() -> None:
    assert float(linear_attenuation("water", 60.0)) == pytest.approx(0.02059)
    assert float(linear_attenuation("bone", 60.0)) == pytest.approx(0.03148 * 1.92)
    water = transmission(torch.tensor([100.0, 0.0]).reshape(2, 1, 1), single_energy(60.0))
    assert float(water) == pytest.approx(np.exp(-2.059), rel=1e-5)


def test_the_basis_adds_up_to_the_ct_number_at_its_energy() -> None:
    hu = torch.tensor([-1000.0, -500.0, 0.0, 99.0, 400.0, 1500.0])[:, None]
    basis = basis_of(hu)
    water, bone = (float(linear_attenuation(name, 70.0)) for name in ("water", "bone"))
    got = (basis[:, 0] * water + basis[:, 1] * bone)[:, 0]
    assert torch.allclose(got, (hu[:, 0] / 1000 + 1) * water, atol=1e-6)


def test_lower_voltage_gives_more_bone_contrast_and_beams_harden() -> None:
    paths = torch.tensor([[100.0, 100.0, 200.0], [0.0, 10.0, 0.0]]).reshape(2, 1, 3)
    low, high = (-torch.log(transmission(paths, tube_beam(kvp)))[0] for kvp in (60.0, 120.0))
    assert (low[1] - low[0]) > 1.5 * (high[1] - high[0])
    assert low[2] < 2 * low[0]


@pytest.mark.parametrize("kvp", [20.0, 200.0])
def test_a_voltage_beyond_tubes_is_refused(kvp: float) -> None:
    with pytest.raises(CallError, match="40 and 150"):
        _film("ap", kvp=kvp)


def test_scatter_lowers_contrast_and_noise_is_repeatable() -> None:
    plain, foggy = _film("ap"), _film("ap", exposure=Exposure(scatter=2.0))
    middle = (slice(30, 60), slice(30, 60))
    assert np.ptp(foggy.dense[middle]) < 0.6 * np.ptp(plain.dense[middle])
    noisy = [_film("ap", exposure=Exposure(photons=1000, seed=seed)).dense for seed in (1, 1, 2)]
    assert np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], noisy[2])


def test_the_table_is_left_out_and_can_stay() -> None:
    ct = patient(table=True)
    without, whole = _film("lateral", ct), _film("lateral", ct, remove_table=False)
    assert without.paths.sum() == pytest.approx(_film("lateral").paths.sum(), rel=0.02)
    mass = [film.paths.sum() * film.camera.mm_per_pixel**2 for film in (without, whole)]
    assert mass[1] > 1.05 * mass[0]


def test_a_volume_that_is_not_in_hounsfield_units_is_refused() -> None:
    with pytest.raises(FileError, match="not calibrated in Hounsfield units: its values run from 0 to"):
        _film("ap", Volume(((np.asarray(CT.data) + 1000) // 20).astype(np.int16), CT.affine))


@pytest.mark.parametrize(
    ("detector", "words"),
    [
        (Detector(96, 96, source_to_detector_mm=120), "source would stand inside the patient.*must be at least"),
        (Detector(96, 96, source_to_detector_mm=400, source_to_patient_mm=390), "inside the patient. source_to_detector"),
        (Detector(5000, 96), "16 to 4096 rows, got 5000"),
        (Detector(96, 96, pixel_mm=0.001), "0.02 to 20 mm"),
    ],
)
def test_impossible_geometry_is_refused_with_the_number_that_would_do(detector: Detector, words: str) -> None:
    with pytest.raises(CallError, match=words):
        _film("ap", detector=detector)


def test_a_film_that_takes_too_much_memory_is_declined_with_the_number() -> None:
    with pytest.raises(TooLarge, match=r"takes \d+\.\d GB; at most 3 GB"):
        _film("ap", detector=Detector(4096, 4096))


def test_a_small_detector_warns_of_what_falls_beside_it() -> None:
    film = _film("ap", detector=Detector(64, 64, pixel_mm=1.0))
    assert any("smaller than the shadow" in text and "mm along" in text for text in film.warnings)


def test_a_body_cut_by_the_field_of_view_is_told() -> None:
    cut = Volume(np.ascontiguousarray(np.asarray(CT.data)[15:]), CT.affine)
    assert any("cuts the body off at the left" in text for text in _film("lateral", cut).warnings)
    assert not any("cuts the body" in text for text in _film("lateral").warnings)


def test_a_scan_that_ends_within_the_body_is_told_and_collimated() -> None:
    cut = Volume(np.ascontiguousarray(np.asarray(CT.data)[:, :, 10:40]), CT.affine)
    film = _film("lateral", cut, Detector(96, 96, source_to_detector_mm=600))
    assert any("rays leave it early" in text for text in film.warnings)
    assert film.complete.any()
    assert not film.complete.all()


def test_metal_is_clipped_and_told() -> None:
    assert any("(metal)" in text for text in _film("ap", patient(metal=True)).warnings)


def test_a_second_volume_has_the_geometry_and_the_grey_scale_of_the_first() -> None:
    first = _film("lateral")
    changed = Volume(np.where(np.asarray(CT.data) > 1000, 300, np.asarray(CT.data)).astype(np.int16), CT.affine)
    second = synthesize(changed, first.request, like=first)
    assert second.camera is first.camera
    assert (second.viewing.low, second.viewing.high) == (first.viewing.low, first.viewing.high)
    same = np.abs(first.dense - second.dense) < 1e-6
    assert same.mean() > 0.9
    assert not same.all()
