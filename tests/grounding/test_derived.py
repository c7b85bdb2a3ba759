"""Numbers that follow from a source's numbers are borne out; the same arithmetic with another result is not."""

from __future__ import annotations

import pytest

from grounding.batch import judge

TRIAL = (
    "Of 1,850 adults, 925 were cooled and 925 were not. At 6 months 465 patients in the hypothermia group (50 %) and 446 in "
    "the normothermia group (48 %) had died. Infections occurred in 24 % with hypothermia and in 12 % with normothermia."
)
RECORD = [
    "2024-02-11 Observation HbA1c 8.4 %",
    "2024-08-20 Observation HbA1c 7.1 %",
    "2024-02-11 metformin 500 mg twice daily",
]


@pytest.mark.parametrize(
    ("right", "wrong", "source"),
    [
        ("Altogether, 911 patients died.", "Altogether, 931 patients died.", [TRIAL]),
        ("Infections were 12 percentage points more frequent with hypothermia.",
         "Infections were 15 percentage points more frequent with hypothermia.", [TRIAL]),
        ("Infections were about twice as common with hypothermia.", "Infections were three times as common with hypothermia.", [TRIAL]),
        ("With normothermia, 52 % were alive at 6 months.", "With normothermia, 62 % were alive at 6 months.", [TRIAL]),
        ("HbA1c fell by 1.3 percentage points.", "HbA1c fell by 2.3 percentage points.", RECORD),
        ("Metformin comes to 1 g a day.", "Metformin comes to 2 g a day.", RECORD),
        ("Nearly half of the patients given normothermia had died.", "Nearly a third of the patients given normothermia had died.", [TRIAL]),
    ],
)  # fmt: skip
def test_arithmetic_is_followed_and_checked(right: str, wrong: str, source: list[str]) -> None:
    assert judge(right, source)[0] == "supported"
    assert judge(wrong, source)[0] in ("contradicted", "not_supported")


def test_a_dose_once_a_day_does_not_become_the_daily_total_of_twice() -> None:
    assert judge("Metformin 1000 mg is taken once daily.", RECORD)[0] != "supported"
