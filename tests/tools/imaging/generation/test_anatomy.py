from __future__ import annotations

import numpy as np
import pytest

from tools.imaging.fractures.report import grade_mask
from tools.imaging.generation.anatomy import Anatomy, Grid, build, voxelise
from tools.imaging.generation.attributes import SpineAttributes, Wish
from tools.imaging.generation.patient import draw_patient
from tools.imaging.generation.projection import attenuation, develop, project
from tools.imaging.generation.texture import textured
from tools.imaging.generation.tissue import Tissue
from tools.imaging.labels import VERSE

ASKED = SpineAttributes(
    levels=("T11", "T12", "L1", "L2", "L3"), fractures=(Wish(level="L1", kind="wedge", percent=40),), density="osteopenia"
)


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return build(ASKED, seed=4, across=48)


def test_the_grader_finds_what_was_asked(anatomy: Anatomy) -> None:
    graded = {item.level: item for item in grade_mask(anatomy.mask).graded}
    assert max(graded, key=lambda level: max(graded[level].rim_loss)) == "L1"
    assert max(graded["L1"].rim_loss) == pytest.approx(0.40, abs=0.08)
    assert graded["L1"].shape == "wedge"
    assert all(item.grade == 0 for level, item in graded.items() if level in ASKED.shown_levels and level != "L1")


def test_the_truth_is_exact(anatomy: Anatomy) -> None:
    a, m, p = anatomy.truth["L1"].rhlv
    assert a > m > p > 0
    assert anatomy.truth["L2"].rhlv == (0, 0, 0)


def test_the_same_seed_is_the_same_patient_and_another_is_not(anatomy: Anatomy) -> None:
    assert (build(ASKED, seed=4, across=48).labels == anatomy.labels).all()
    assert draw_patient(ASKED, 5).vertebrae[0].shape != draw_patient(ASKED, 4).vertebrae[0].shape


def test_labels_run_from_head_to_foot_and_lie_in_bone(anatomy: Anatomy) -> None:
    names = {int(value): VERSE[int(value)] for value in np.unique(anatomy.labels) if value}
    heights = [float(np.argwhere(anatomy.labels == value)[:, 2].mean()) for value in sorted(names)]
    assert heights == sorted(heights, reverse=True)
    assert set(ASKED.shown_levels) <= set(names.values())
    assert (anatomy.tissue[anatomy.labels > 0] == Tissue.VERTEBRA).all()


def test_bone_density_is_what_the_words_mean() -> None:
    marrow = [draw_patient(SpineAttributes(density=d), 3).marrow_hu for d in ("normal", "osteopenia", "osteoporosis")]
    assert marrow[0] > 160 > marrow[1] > 110 > marrow[2]


def test_a_scoliosis_has_the_angle_that_was_asked() -> None:
    for seed in range(4):
        patient = draw_patient(SpineAttributes(region="thoracolumbar", cobb_deg=30), seed)
        tilt = [np.degrees(np.arcsin(v.axes[2, 0])) for v in patient.vertebrae]
        assert max(tilt) - min(tilt) == pytest.approx(30, abs=5)


def test_kyphosis_grows_and_a_fracture_bends_the_spine() -> None:
    def bend(attributes: SpineAttributes) -> float:
        up = [item.axes[2] for item in draw_patient(attributes, 3).vertebrae]
        return float(np.degrees(np.arccos(up[0] @ up[11])))

    assert bend(SpineAttributes(kyphosis="increased")) > bend(SpineAttributes()) > bend(SpineAttributes(kyphosis="reduced"))
    wedge = SpineAttributes(region="thoracic", fractures=(Wish(level="T8", percent=50),))
    assert bend(wedge) > bend(SpineAttributes(region="thoracic")) + 3


def test_the_texture_keeps_means_and_marks_no_geometry(anatomy: Anatomy) -> None:
    ct = textured(anatomy.plain, anatomy.tissue, seed=1)
    for kind in (Tissue.MUSCLE, Tissue.SOFT):
        where = anatomy.tissue == kind
        if where.sum() > 5000:
            assert ct[where].mean() == pytest.approx(anatomy.plain[where].mean(), abs=15)


def test_films_have_the_front_and_the_right_at_the_left_and_the_head_up() -> None:
    hu = np.full((20, 30, 40), -1000, dtype=np.float32)
    hu[17, 4, 35] = 3000  # to the right, behind, near the head
    frontal, lateral = project(hu, 1.0, 0), project(hu, 1.0, 90)
    assert frontal[4, 2] == frontal.max() > 0
    assert lateral[4, 25] == lateral.max() > 0


def test_an_oblique_film_keeps_the_attenuation_of_a_block() -> None:
    hu = np.full((40, 40, 8), -1000, dtype=np.float32)
    hu[10:30, 10:30] = 0
    straight, oblique = project(hu, 1.5, 0), project(hu, 1.5, 45)
    assert oblique.sum() == pytest.approx(straight.sum(), rel=0.02)
    assert oblique.max() == pytest.approx(straight.max() * 2**0.5, rel=0.06)
    assert attenuation(np.array([-1000.0, 0.0], dtype=np.float32)) == pytest.approx([0, 0.0193])


def test_a_developed_film_does_not_depend_on_the_pixel() -> None:
    path = np.zeros((80, 80), dtype=np.float32)
    path[20:60, 20:60] = 3
    fine, coarse = develop(path, 1.5), develop(path[::2, ::2], 3.0)
    assert np.abs(fine[::2, ::2] - coarse).max() < 0.12


def test_a_grid_beside_the_patient_holds_no_vertebra() -> None:
    patient = draw_patient(SpineAttributes(), 1)
    away = voxelise(patient, Grid((16, 16, 16), 3.0, (150, 0, 0)))
    assert not away.labels.any()
