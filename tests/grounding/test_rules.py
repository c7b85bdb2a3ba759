"""One rule at a time: what is said of the wrong thing, the other way round, or of a stranger."""

from __future__ import annotations

import pytest

from grounding.batch import judge
from grounding.facts import facts_of

RECORD = "Patient 26: On 2019-03-14 creatinine was 1.6 mg/dL. On 2019-09-02 creatinine was 2.1 mg/dL."
TRIAL = (
    "In 420 adults, romosozumab slowed the decline of renal function by 12 % compared with placebo. Overall survival did not differ. "
    "Cough occurred in 24 % of patients on romosozumab and in 4 % of those on placebo. Ankle swelling has resolved."
)
SPINE = "In ct1, L2 has a Genant grade 2 wedge deformity with a loss of 28 %. T12 and L3 are not fractured."
ORDER = "P-1034 was prescribed 6 mg of prednisolone twice daily. Blood pressure was 142/80 mmHg. The cyst grew from 16 mm to 38 mm."


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("Creatinine rose between March and September 2019.", RECORD),
        ("On 14 March 2019 creatinine was 1.6 mg/dL.", RECORD),
        ("Cough was rarer with placebo (4 %) than with romosozumab (24 %).", TRIAL),
        ("Overall survival was similar.", TRIAL),
        ("There was no difference in overall survival.", TRIAL),
        ("Ankle swelling is no longer present.", TRIAL),
        ("L2 has a moderate wedge deformity, grade 2.", SPINE.replace("grade 2", "grade 2 (moderate)")),
        ("The daily dose of prednisolone was 12 mg.", ORDER),
        ("The systolic pressure was 142 mmHg.", ORDER),
        ("The cyst grew by 22 mm.", ORDER),
        ("The mean follow-up was one and a half years.", "The mean follow-up was 18 months."),
    ],
)
def test_faithful_wordings_pass(sentence: str, source: str) -> None:
    assert judge(sentence, [source])[0] == "supported", judge(sentence, [source])


@pytest.mark.parametrize(
    ("sentence", "source", "why"),
    [
        ("On 2019-03-14 creatinine was 2.1 mg/dL.", RECORD, "another date"),
        ("Creatinine fell between March and September 2019.", RECORD, "other way"),
        ("Cough was more frequent on placebo than on romosozumab.", TRIAL, "other side"),
        ("Romosozumab accelerated the decline of renal function by 12 %.", TRIAL, "direction"),
        ("Overall survival was significantly different.", TRIAL, "no difference"),
        ("Ankle swelling is still present.", TRIAL, "negation"),
        ("L3 has a wedge deformity with a loss of 28 %.", SPINE, "another level"),
        ("L2 is not fractured.", SPINE, "deformed"),
        ("Overall survival did not differ in people with Parkinson disease.", TRIAL, "not in the source"),
        ("Overall survival did not differ with escitalopram.", TRIAL, "not in the source"),
    ],
)
def test_faults_are_caught_for_the_right_reason(sentence: str, source: str, why: str) -> None:
    verdict, reason = judge(sentence, [source])
    assert verdict in ("contradicted", "not_supported")
    assert why in reason


def test_a_direction_that_acts_on_another_one_is_their_product() -> None:
    (clause,) = facts_of("The drug slowed the decline of function.").clauses
    assert [sign for sign, _ in clause.moves] == [1]
    assert [sign for sign, _ in facts_of("Pain fell.").clauses[0].moves] == [-1]


def test_a_greek_mu_and_a_micro_sign_are_one_unit() -> None:
    assert judge("The dose was 5 \u03bcg/kg.", ["The dose was 5 \u00b5g/kg."])[0] == "supported"
    assert facts_of("5 \u03bcg/kg").quantities[0].quantity.dimension == "dose"
