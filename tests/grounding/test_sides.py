"""What a source says of one side is not said of the other: by its words, by its numbers, by reference ranges."""

from __future__ import annotations

import pytest

from grounding.batch import judge

FLUIDS = (
    "In 1,563 adults with sepsis, the restrictive group received less fluid than the liberal group. Vasopressors were started "
    "earlier and used more often in the restrictive group. Death by day 90 occurred in 14.0 % of the restrictive group and in "
    "19.9 % of the liberal group."
)
DRUGS = "Median survival was 21.6 months with folfirinox and 12.8 months with gemcitabine. Nausea was more frequent with folfirinox."
COHORT = "In a cohort, coffee was associated with a lower risk of death. The association was weaker for sweetened coffee."
LAB = "Ferritin 6 ng/mL (reference 15-150)"


@pytest.mark.parametrize(
    ("right", "wrong", "source"),
    [
        ("Vasopressors were used more often in the restrictive group.", "Vasopressors were used more often in the liberal group.", FLUIDS),
        ("Vasopressors were started earlier in the restrictive group.", "Vasopressors were started later in the restrictive group.", FLUIDS),
        ("Fewer patients died in the restrictive group.", "Fewer patients died in the liberal group.", FLUIDS),
        ("Survival was longer with folfirinox than with gemcitabine.", "Survival was longer with gemcitabine than with folfirinox.", DRUGS),
        ("Survival was 12.8 months with gemcitabine.", "Survival was 12.8 months with folfirinox.", DRUGS),
        ("The association was weaker for sweetened coffee.", "The association was stronger for sweetened coffee.", COHORT),
        ("Coffee was linked to a lower risk of death.", "Coffee prevents death.", COHORT),
        ("Ferritin was below the lower limit.", "Ferritin was within the reference range.", LAB),
    ],
)  # fmt: skip
def test_each_side_keeps_its_own(right: str, wrong: str, source: str) -> None:
    assert judge(right, [source])[0] == "supported"
    assert judge(wrong, [source])[0] in ("contradicted", "not_supported")


def test_only_the_patient_that_is_named_speaks() -> None:
    sources = ["Patient A-1021: moderate mitral regurgitation.", "Patient A-1077: no valve disease."]
    assert judge("Patient A-1077 has no valve disease.", sources)[0] == "supported"
    assert judge("Patient A-1021 has no valve disease.", sources)[0] != "supported"


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("Haemorrhage was rare.", "Bleeding was rare."),
        ("The steroid was given before surgery.", "Dexamethasone was given before surgery."),
        ("Candida infections were seldom seen.", "Candida infections were uncommon."),
    ],
)
def test_words_that_stand_for_one_another_are_known(sentence: str, source: str) -> None:
    assert judge(sentence, [source])[0] == "supported"


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("The drug was given to patients with asthma.", "The drug was given to patients with eczema."),
        ("Pneumonia was cured in all patients.", "Pneumonia resolved in 84 % of patients."),
        ("The patient will be readmitted.", "The estimated probability of readmission is 27 %."),
    ],
)
def test_other_people_and_certainties_are_not_borne_out(sentence: str, source: str) -> None:
    assert judge(sentence, [source])[0] in ("contradicted", "not_supported")
