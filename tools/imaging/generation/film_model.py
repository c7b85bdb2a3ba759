"""A film of a description at a view: anatomy, its plain projection, and the learned look of a film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from core.errors import SettingError
from tools.imaging.generation.anatomy import FINE_MM, Anatomy, voxelise
from tools.imaging.generation.attributes import VIEWS, SpineAttributes, View
from tools.imaging.generation.dataset import body_grid, film_window, spine_column
from tools.imaging.generation.facts import facts_of
from tools.imaging.generation.models import DEFAULT_LOOK, STEPS, Array, Check, Look, checked_steps, paint, shipped
from tools.imaging.generation.networks import Weights
from tools.imaging.generation.patient import draw_patient
from tools.imaging.generation.projection import AZIMUTH, develop, project
from tools.imaging.generation.texture import textured

PIXEL_MM = FINE_MM
_GRAIN = 0.012


@dataclass(frozen=True)
class MadeFilm:
    """Grey values -1 (black) to 1 (white), rows x columns, head up, `PIXEL_MM` a pixel; `plain` is without any look."""

    film: Array
    plain: Array
    view: View
    look: Look
    weights_sha256: str


def make_body(attributes: SpineAttributes, seed: int) -> Anatomy:
    """The whole torso at the height of the shown levels: several views are taken of one."""
    patient = draw_patient(attributes, seed)
    return voxelise(patient, body_grid(patient, attributes.shown_levels))


def make_film(
    body: Anatomy,
    attributes: SpineAttributes,
    view: View,
    seed: int,
    *,
    look: Look = DEFAULT_LOOK["film"],
    steps: int = STEPS,
    model: Weights | None = None,
    check: Check = lambda share: None,
) -> MadeFilm:
    """Project a body and give the film its look.

    Args:
        body: of `make_body`, for the same attributes and seed.
        attributes: what was drawn.
        view: projection; PA equals AP, as the beam is parallel and both are shown with the right side on the left.
        seed: of the look.
        look: "learned" by codec and flow, or "procedural": the projection of the procedural CT.
        steps: of the sampler.
        model: weights instead of the shipped ones.
        check: told the share done; what it raises stops the work.

    Raises:
        SettingError: the view or the steps are not allowed.
    """
    if view not in VIEWS:
        raise SettingError(f"view must be one of {', '.join(VIEWS)}, got {view!r}.")
    checked_steps(steps)
    azimuth = AZIMUTH[view]
    column = spine_column(body.grid, body.patient, attributes.shown_levels, azimuth)
    plain = film_window(develop(project(body.plain, PIXEL_MM, azimuth), PIXEL_MM), column)
    if look == "procedural":
        ct = textured(body.plain, body.tissue, seed)
        film = film_window(develop(project(ct, PIXEL_MM, azimuth), PIXEL_MM), column)
        return MadeFilm(_detected(film, seed), plain, view, look, "")
    check(0.1)
    model = model or shipped("film")
    made = paint(model, plain, facts_of(attributes, azimuth), steps, seed, lambda share: check(0.1 + 0.8 * share))
    return MadeFilm(_detected(made, seed), plain, view, look, model.sha256)


def _detected(film: Array, seed: int) -> Array:
    """A detector's blur of about 0.7 mm, and its grain."""
    grain = np.random.default_rng([seed, 18]).normal(0, _GRAIN, film.shape)
    return np.asarray(np.clip(ndimage.gaussian_filter(film, 0.45) + grain, -1, 1), dtype=np.float32)
