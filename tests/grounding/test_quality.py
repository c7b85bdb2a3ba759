"""Design, size and effect are read where they are stated, and only there."""

from __future__ import annotations

import pytest

from grounding.quality import design, effects, is_preprint, sizes


@pytest.mark.parametrize(
    ("types", "title", "text", "expected"),
    [
        (("Journal Article", "Randomized Controlled Trial"), "", "", "randomised trial"),
        (("Meta-Analysis", "Review"), "", "", "meta-analysis"),
        (("Journal Article",), "A cohort study of falls", "", "cohort study"),
        ((), "", "Patients were randomly assigned to drug or placebo.", "randomised trial"),
        ((), "", "We report a case of scurvy.", "case report"),
        (("Review",), "", "Much is known.", "review"),
        ((), "", "Bones are made of calcium.", ""),
    ],
)
def test_design(types: tuple[str, ...], title: str, text: str, expected: str) -> None:
    assert design(types, title, text) == expected


def test_sizes_and_effects_carry_their_spans() -> None:
    text = "In 1,204 older women, falls were fewer (hazard ratio 0.71, 95 % CI 0.58 to 0.88); the OR was 2.1. Follow-up: 24 months."
    (size,) = sizes(text)
    assert (size.value, text[slice(*size.span)]) == ("1204", "1,204")
    first, second = effects(text)
    assert first.value == "hazard ratio 0.71, 95 % CI 0.58 to 0.88"
    assert second.value == "OR was 2.1"
    assert text[slice(*first.span)] == first.value


def test_no_size_is_made_up() -> None:
    assert sizes("The dose was 20 mg for 12 weeks in stage 2 disease.") == ()
    assert effects("Treatment was effective or harmful in 12 %.") == ()


def test_preprints_are_told_by_type_venue_or_doi() -> None:
    assert is_preprint(("Preprint",), None, None)
    assert is_preprint((), "medRxiv", None)
    assert is_preprint((), None, "10.1101/2020.01.01")
    assert not is_preprint(("Journal Article",), "The Lancet", "10.1016/x")
