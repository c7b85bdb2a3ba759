from __future__ import annotations

import numpy as np
import pytest
import torch

from tools.imaging.xray.geometry import Detector, View, place_camera
from tools.imaging.xray.phantoms import TEN_POSES, Solid, cylinder, path_error, sphere, voxelised, wedge
from tools.imaging.xray.projector import camera_rays, path_lengths

BOX = np.full(3, -32.0), np.full(3, 32.0)
SOLIDS = {"sphere": sphere(26.0), "cylinder": cylinder(17.0, 23.0), "wedge": wedge(20.0)}


@pytest.mark.parametrize("solid", SOLIDS.values(), ids=SOLIDS.keys())
def test_path_lengths_are_within_one_percent_of_theory_at_ten_poses(solid: Solid) -> None:
    volume, affine = voxelised(solid, (66, 66, 66), (1.0, 1.0, 1.0))
    for azimuth, elevation in TEN_POSES:
        camera = place_camera(View(azimuth, elevation), *BOX, Detector(64, 64))
        with torch.inference_mode():
            film = path_lengths(volume, affine, camera)[0].numpy()
        error = path_error(solid, camera_rays(camera), film, rim_pixels=2)
        assert error.most < 0.01, (azimuth, elevation)


def test_parallel_beams_need_no_magnification() -> None:
    solid = SOLIDS["sphere"]
    volume, affine = voxelised(solid, (64, 64, 64), (1.0, 1.0, 1.0))
    camera = place_camera(View(30, 10), *BOX, Detector(64, 64, parallel=True))
    film = path_lengths(volume, affine, camera)[0].numpy()
    assert film.max() == pytest.approx(52.0, rel=0.01)
    # Area times mean chord is the volume of the sphere.
    assert film.sum() * camera.pixel_mm**2 == pytest.approx(4 / 3 * np.pi * 26**3, rel=0.005)


def test_oblique_voxels_are_where_their_affine_puts_them() -> None:
    solid = SOLIDS["sphere"]
    turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    volume, affine = voxelised(solid, (64, 64, 64), (1.0, 1.0, 1.0))
    moved = affine.copy()
    moved[:3] = turn @ affine[:3]
    moved[:3, 3] += (6.0, 0.0, 4.0)
    camera = place_camera(View(0, 0), *BOX, Detector(64, 64))
    film = path_lengths(volume, moved, camera)[0].numpy()
    rows, columns = np.nonzero(film > 0.5 * film.max())
    row, column = camera.project(np.array([[6.0, 0.0, 4.0]]))[0]
    assert (rows.mean(), columns.mean()) == (pytest.approx(row, abs=0.3), pytest.approx(column, abs=0.3))


def test_gradients_reach_pose_and_voxels_and_agree_with_differences() -> None:
    volume, affine = voxelised(sphere(10.0), (24, 24, 24), (1.5, 1.5, 1.5))
    camera = place_camera(View(20, 5), np.full(3, -18.0), np.full(3, 18.0), Detector(24, 24))
    weight = torch.linspace(0, 1, 24)[None, :] * torch.linspace(1, 2, 24)[:, None]

    def score(pose: torch.Tensor, voxels: torch.Tensor) -> torch.Tensor:
        return (path_lengths(voxels, affine, camera, pose)[0] * weight).mean()

    pose = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    voxels = volume.clone().requires_grad_()
    torch.autograd.backward(score(pose, voxels))
    assert pose.grad is not None
    assert voxels.grad is not None
    for place, step in ((0, 1e-2), (3, 0.3), (5, 0.3)):
        ahead, behind = torch.zeros(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
        ahead[place], behind[place] = step, -step
        difference = float(score(ahead, volume) - score(behind, volume)) / (2 * step)
        assert float(pose.grad[place]) == pytest.approx(difference, rel=0.1, abs=1e-4)
    raised = volume.clone()
    raised[0, 12, 12, 12] += 1
    change = float(score(torch.zeros(6, dtype=torch.float64), raised) - score(torch.zeros(6, dtype=torch.float64), volume))
    assert float(voxels.grad[0, 12, 12, 12]) == pytest.approx(change, rel=1e-3)


def test_a_pose_turns_the_camera_about_its_isocentre() -> None:
    volume, affine = voxelised(wedge(12.0), (40, 40, 40), (1.0, 1.0, 1.0))
    box = np.full(3, -20.0), np.full(3, 20.0)
    detector = Detector(32, 32, pixel_mm=1.9, source_to_patient_mm=1400)
    first, second = (place_camera(View(a, 0), *box, detector) for a in (0.0, 30.0))
    pose = torch.zeros(6, dtype=torch.float64)
    pose[2] = np.deg2rad(30.0)  # azimuth grows from the front to the left: about the axis to the head
    turned = path_lengths(volume, affine, first, pose)
    assert torch.allclose(turned, path_lengths(volume, affine, second), atol=0.2)
