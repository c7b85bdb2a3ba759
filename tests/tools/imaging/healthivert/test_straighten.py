"""A spine of known curvature comes out straight, and every point finds its way back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import FileError
from tools.imaging.healthivert.depedicle import depedicle
from tools.imaging.healthivert.spine import load_spine, prepare_spine, save_spine, to_bytes, to_hu
from tools.imaging.healthivert.straighten import PLANE, centroids, fit_curve, straighten
from tools.imaging.labels import LEVELS
from tools.imaging.volume import Volume

_RADIUS = 150.0
_ANGLES = np.radians(np.arange(-20, 21, 10.0))
_HEIGHT, _DEPTH = 16.0, 30.0


def _arc(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of a kyphotic arc in the sagittal plane, head first at the largest angle."""
    return np.stack([0 * angle, _RADIUS * np.cos(angle) - _RADIUS, _RADIUS * np.sin(angle)], axis=1)


def _curved(spacing: tuple[float, float, float]) -> tuple[Volume, Volume]:
    """Five bodies across an arc: each a block of 16 x 30 x 28 mm in its own tilted frame."""
    low, size = np.array([-34.0, -60.0, -80.0]), np.array([68.0, 100.0, 160.0])
    shape = tuple(int(n) for n in size / spacing)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1) * spacing + low
    labels = np.zeros(shape, dtype=np.int16)
    for number, angle in enumerate(_ANGLES[::-1]):
        up = np.array([0, -np.sin(angle), np.cos(angle)])
        front = np.array([0, np.cos(angle), np.sin(angle)])
        local = grid - _arc(np.array([angle]))[0]
        inside = (np.abs(local @ up) < _HEIGHT / 2) & (np.abs(local @ front) < _DEPTH / 2) & (np.abs(local[..., 0]) < 14)
        labels[inside] = 18 + number
    return Volume(np.where(labels > 0, 400, 0).astype(np.int16), affine), Volume(labels, affine)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.8, 0.8), (0.9, 0.9, 2.5)])
def test_tilted_bodies_stand_upright_with_their_heights(spacing: tuple[float, float, float]) -> None:
    ct, mask = _curved(spacing)
    spine = prepare_spine(ct, mask)
    assert spine.levels == ("T11", "T12", "L1", "L2", "L3")
    offset = np.arange(-10, 11)
    # Planes across a curve fan out: away from the centre of curvature (here: in front) a parallel block takes fewer rows.
    expected = 2 * _RADIUS * np.arctan(_HEIGHT / 2 / (_RADIUS - offset))
    for level in spine.levels:
        columns = spine.body(level).sum(axis=0)
        found = columns[PLANE[0] // 2 - 10 : PLANE[0] // 2 + 11, PLANE[1] // 2 - 8 : PLANE[1] // 2 + 9].mean(axis=1)
        # A row for the grid, the slight smoothing, and half of the largest voxel: how well the source knows a tilted face.
        assert np.abs(found - expected).max() <= 1.25 + max(spacing) / 2


def test_rows_are_millimetres_along_the_curve() -> None:
    curve = fit_curve(_arc(_ANGLES[::-1]))
    arc = _RADIUS * (_ANGLES[-1] - _ANGLES[0])
    assert len(curve.points) == pytest.approx(arc + 40, abs=1.5)
    inner = curve.points[22:-22]
    assert np.abs(np.hypot(inner[:, 1] + _RADIUS, inner[:, 2]) - _RADIUS).max() < 0.25
    np.testing.assert_allclose(np.linalg.norm(np.diff(curve.points, axis=0), axis=1), 1, atol=0.01)


def test_the_frame_is_orthonormal_and_does_not_twist() -> None:
    curve = fit_curve(_arc(_ANGLES[::-1]))
    np.testing.assert_allclose(
        curve.axes @ curve.axes.transpose(0, 2, 1), np.eye(3)[None].repeat(len(curve.axes), 0), atol=1e-9
    )
    np.testing.assert_allclose(curve.axes[:, 2], [[-1.0, 0.0, 0.0]] * len(curve.axes), atol=1e-9)  # L is left: -R
    assert (curve.axes[:, 0, 2] < 0).all()  # I is down
    assert (curve.axes[:, 1, 1] < 0).all()  # P is back


def test_left_is_left() -> None:
    """A dense spot at the patient's right lies at low lateral indices."""
    ct, mask = _curved((1.0, 1.0, 1.0))
    data = np.array(ct.data)
    data[60:, :, :] = 700  # RAS: high first index is the patient's right
    values, points = centroids(mask, {18 + n: LEVELS[17 + n] for n in range(5)}, LEVELS)
    done = straighten(Volume(data, ct.affine), mask, values, fit_curve(points))
    middle = len(done.hu) // 2
    assert (done.hu[middle, 60:68, :4] == 700).all()
    assert (done.hu[middle, 60:68, 8:] < 700).all()


def test_grid_and_single_points_agree() -> None:
    curve = fit_curve(_arc(_ANGLES[::-1]))
    row, column, lateral = np.array([3.0, 40.0]), np.array([10.0, 90.0]), np.array([0.0, 50.0])
    found = curve.to_world(row, column, lateral)
    grid = curve.grid()
    np.testing.assert_allclose(found, [grid[3, 10, 0], grid[40, 90, 50]], atol=1e-3)
    beyond = curve.to_world(np.array([-5.0]), np.array([64.0]), np.array([32.0]))[0]
    assert np.linalg.norm(beyond - curve.points[0]) == pytest.approx(5)


def test_one_vertebra_is_no_curve() -> None:
    with pytest.raises(FileError, match="fewer than two vertebrae"):
        fit_curve(np.zeros((1, 3)))


def test_two_vertebrae_give_a_straight_line() -> None:
    curve = fit_curve(np.array([[0.0, 0, 30], [0, 0, 0]]))
    assert len(curve.points) == pytest.approx(70, abs=1)
    np.testing.assert_allclose(curve.axes[:, 0], [[0, 0, -1]] * len(curve.axes), atol=1e-9)


def test_the_body_ends_where_the_canal_begins() -> None:
    label = np.zeros((40, 90, 50), dtype=bool)
    label[10:30, 10:40, 5:45] = True
    label[12:20, 40:56, 8:14] = label[12:20, 40:56, 36:42] = True  # pedicles beside the canal
    label[12:24, 56:75, 20:30] = True  # lamina and spinous process behind it
    body = depedicle(label)
    assert body[:, :40].sum() == 20 * 30 * 40
    assert not body[:, 40:].any()


def test_a_body_alone_stays_as_it_is() -> None:
    label = np.zeros((40, 60, 50), dtype=bool)
    label[10:30, 10:40, 5:45] = True
    np.testing.assert_array_equal(depedicle(label), label)
    assert not depedicle(np.zeros_like(label)).any()


def test_a_spine_is_read_back_as_it_was_written(tmp_path: object) -> None:
    from pathlib import Path

    ct, mask = _curved((2.0, 1.0, 1.0))
    spine = prepare_spine(ct, mask, grades={"L1": 2})
    path = Path(str(tmp_path)) / "s.npz"
    save_spine(spine, path)
    again = load_spine(path)
    np.testing.assert_array_equal(again.bodies, spine.bodies)
    assert (again.levels, again.values, again.grades) == (spine.levels, spine.values, {"L1": 2})
    assert again.curve is None
    path.write_bytes(b"x")
    with pytest.raises(FileError, match="no prepared spine"):
        load_spine(path)


def test_hu_survive_the_window_to_its_step() -> None:
    hu = np.array([-300, 0, 250, 800, 2000, -1000], dtype=np.float32)
    np.testing.assert_allclose(to_hu(to_bytes(hu)), [-300, 0, 250, 800, 800, -300], atol=1100 / 255 / 2 + 1e-3)
