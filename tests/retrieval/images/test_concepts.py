from __future__ import annotations

import numpy as np
import pytest

from core.errors import InputError
from retrieval.images.concepts import CONCEPTS, ground, propose
from tests.fakes import passage


def test_concepts_come_from_what_passages_name_with_their_source() -> None:
    found = propose([passage("The heart was large."), passage("Patchy infiltrates in both lungs.", title="Films")])
    names = {proposal.concept.name: proposal.source.document_id for proposal in found}
    assert names["width of the heart shadow"] == "a-source"
    assert names["patchiness of the lungs"] == "films"
    assert "density around the hila" not in names
    with pytest.raises(InputError, match="names a concept"):
        propose([passage("Gardening in spring.")])


def test_measures_follow_what_they_are_called() -> None:
    measure = {concept.name: concept.measure for concept in CONCEPTS}
    film = np.zeros((32, 32), dtype=np.float32)
    right_low = film.copy()
    right_low[16:26, 4:13] = 1  # the patient's right is at the viewer's left
    assert measure["density of the right lower zone"](right_low) == 1
    assert measure["density of the left lower zone"](right_low) == 0
    assert measure["difference between the sides"](right_low) > 0.4
    assert measure["difference between the sides"](film) == 0
    assert measure["share of air"](film - 1) == 1
    noisy = film + np.random.default_rng(0).normal(0, 1, film.shape).astype(np.float32)
    assert measure["patchiness of the lungs"](noisy) > measure["patchiness of the lungs"](right_low)


def test_grounding_reads_measures_from_vectors_and_ignores_what_was_changed_at_random() -> None:
    generator = np.random.default_rng(0)
    films = generator.normal(size=(400, 32, 32)).astype(np.float32)
    films += generator.normal(size=(400, 1, 1)).astype(np.float32)
    concept = CONCEPTS[0]
    truth = np.array([concept.measure(film) for film in films])
    bystander = generator.normal(size=400)
    vectors = np.stack([truth + 0.5 * bystander, 0.5 * bystander, generator.normal(size=400)], axis=1)
    grounding = ground([concept], list(films), vectors)
    assert grounding.fit[0] > 0.95
    base = grounding.scores(vectors)
    shifted = grounding.scores(vectors + np.array([0.5, 0.5, 0.0]))
    assert np.abs(shifted - base).mean() < 0.1
    with pytest.raises(InputError, match="one vector per film"):
        ground([concept], list(films[:3]), vectors)
