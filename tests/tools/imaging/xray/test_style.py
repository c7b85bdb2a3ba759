from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import CallError, FileError
from tests.tools.imaging.xray.patients import patient
from tools.imaging.xray.displacement import edge_displacement, landmark_displacement
from tools.imaging.xray.geometry import Detector, parse_view
from tools.imaging.xray.radiograph import Request, synthesize
from tools.imaging.xray.style.apply import Stylist, as_reference, shipped_stylist
from tools.imaging.xray.style.looks import draw_look, film_with
from tools.imaging.xray.style.network import CODE, KNOTS, StyleNet, apply_curves, pose_of, toned_by
from tools.imaging.xray.style.training import ABOUT, WEIGHTS, Recipe, dissimilarity, train

FILM = synthesize(patient(), Request(parse_view("ap"), Detector(128, 128)))


def test_curves_never_turn_the_order_of_greys_around() -> None:
    torch.manual_seed(0)
    increments = torch.rand(1, KNOTS, 1, 1).expand(1, KNOTS, 4, 4)
    ramp = torch.linspace(0, 1, 64).reshape(1, 1, 1, 64).expand(1, 1, 8, 64)
    assert (apply_curves(ramp, increments).diff(dim=3) >= 0).all()


def test_a_soft_edge_keeps_its_steepest_place_under_a_bent_curve() -> None:
    across = torch.arange(256, dtype=torch.float32)
    edge = (0.3 + 0.4 * torch.sigmoid((across - 128) / 4)).reshape(1, 1, 1, 256).expand(1, 1, 64, 256)
    bent = (torch.linspace(0, 1, KNOTS) ** 3 + 0.05).reshape(1, KNOTS, 1, 1).expand(1, KNOTS, 4, 4)
    bent = bent / bent.sum(dim=1, keepdim=True)

    def steepest(film: torch.Tensor) -> int:
        return int(film[0, 0, 32].diff().argmax())

    assert abs(steepest(toned_by(edge, bent)) - steepest(edge)) <= 1
    assert abs(steepest(apply_curves(edge, bent)) - steepest(edge)) >= 3, "the curve alone would have moved it"


def test_any_style_of_an_untrained_network_stays_on_the_grey_scale() -> None:
    torch.manual_seed(1)
    net = StyleNet()
    content = torch.rand(2, 1, 64, 48)
    film = net(content, torch.stack([pose_of(0, 0), pose_of(270, 0)]), 5 * torch.randn(2, CODE), torch.randn(2, 1, 64, 48))
    assert film.shape == content.shape
    assert ((film >= 0) & (film <= 1)).all()


def test_the_pose_changes_the_film() -> None:
    torch.manual_seed(2)
    net = StyleNet()
    content, code = torch.rand(1, 1, 48, 48), torch.randn(1, CODE)
    one, two = (net(content, pose_of(azimuth, 0)[None], code) for azimuth in (0, 270))
    assert not torch.allclose(one, two)


def test_a_style_moves_no_edge_by_more_than_a_pixel_at_the_95th_percentile() -> None:
    stylist = shipped_stylist()
    for seed in (1, 2):
        restyled = stylist.restyle(FILM, stylist.drawn_code(seed), grain=False)
        assert np.percentile(edge_displacement(FILM.shade, restyled), 95) <= 1.0


def test_styles_differ_grain_is_repeatable_and_the_open_field_stays_black() -> None:
    stylist = shipped_stylist()
    one, two = (stylist.restyle(FILM, stylist.drawn_code(seed), seed=4) for seed in (1, 2))
    assert np.abs(one - two).mean() > 0.005
    assert np.array_equal(one, stylist.restyle(FILM, stylist.drawn_code(1), seed=4))
    assert not one[FILM.shade == 0].any()


def test_the_style_of_a_darker_reference_is_darker() -> None:
    stylist = shipped_stylist()
    light = FILM.shade**0.4
    dark = FILM.shade**2.5
    shown = [stylist.restyle(FILM, stylist.code_of(film), grain=False)[FILM.shade > 0].mean() for film in (light, dark)]
    assert shown[0] > shown[1]


def test_displacement_finds_a_known_shift() -> None:
    moved = np.roll(FILM.shade, 2, axis=1)
    assert np.median(edge_displacement(FILM.shade, moved)) > 0.5
    mark = FILM.camera.project(np.array([[35.0, 25.0, 30.0]]))
    assert landmark_displacement(FILM.shade, moved, mark)[0] == pytest.approx(2.0, abs=0.2)
    assert landmark_displacement(FILM.shade, FILM.shade, mark)[0] == pytest.approx(0.0, abs=0.05)


def test_a_look_is_what_its_numbers_say() -> None:
    look = draw_look(np.random.default_rng(3))
    film = film_with(FILM.paths, 1.5, look)
    assert film.shape == FILM.shade.shape
    assert ((film >= 0) & (film <= 1)).all()
    assert np.array_equal(film, film_with(FILM.paths, 1.5, look))


def test_the_similarity_term_is_zero_for_a_brighter_copy_and_one_for_noise() -> None:
    film = torch.from_numpy(FILM.shade)[None, None]
    assert float(dissimilarity(0.5 * film + 0.2, film)) == pytest.approx(0, abs=1e-5)
    assert float(dissimilarity(torch.rand_like(film), film)) == pytest.approx(1, abs=0.1)


def test_training_writes_weights_and_is_repeatable(tmp_path: Path) -> None:
    recipe = Recipe(views=4, side=48, steps=6, batch=2)
    for name in ("a", "b"):
        train([patient()], [FILM.shade], tmp_path / name, recipe, {"cts": "a drawn patient"})
    assert (tmp_path / "a" / WEIGHTS).read_bytes() == (tmp_path / "b" / WEIGHTS).read_bytes()
    assert "a drawn patient" in (tmp_path / "a" / ABOUT).read_text()
    restyled = Stylist(tmp_path / "a" / WEIGHTS).restyle(FILM, torch.zeros(CODE))
    assert np.isfinite(restyled).all()


def test_other_weights_and_references_without_a_style_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(FileError, match="no weights of the style network"):
        Stylist(tmp_path / "w.safetensors")
    with pytest.raises(CallError, match="32 x 32 pixels, got 40 x 20"):
        as_reference(np.zeros((20, 40)))
    with pytest.raises(CallError, match="one grey"):
        as_reference(np.ones((64, 64)))
