from __future__ import annotations

import pytest

from tools.ehr.code_names import code_name
from tools.ehr.fhir_fields import label

ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"


@pytest.mark.parametrize(
    ("system", "code", "name"),
    [
        (ICD10, "I21.4", "Non-ST elevation (NSTEMI) myocardial infarction (ICD-10-CM I21.4)"),
        ("urn:oid:2.16.840.1.113883.6.90", "i214", "Non-ST elevation (NSTEMI) myocardial infarction (ICD-10-CM i214)"),
        ("ICD9CM", "4280", "Congestive heart failure, unspecified (ICD-9-CM 4280)"),
        ("http://hl7.org/fhir/sid/icd-9-cm", "428.0", "Congestive heart failure, unspecified (ICD-9-CM 428.0)"),
        (ICD10, "I21", ""),  # a heading: not billable, not in the list
        (ICD10, "", ""),
        ("http://hl7.org/fhir/sid/icd-10", "I21.4", ""),  # the WHO's own
        ("http://snomed.info/sct", "22298006", ""),
    ],
)
def test_a_code_is_named_from_its_own_list_alone(system: str, code: str, name: str) -> None:
    assert code_name(system, code) == name


def test_a_record_that_gives_the_code_alone_is_shown_with_its_name_and_its_own_words_come_first() -> None:
    coding = {"system": ICD10, "code": "M80.08XA"}
    assert label({"coding": [coding]}).endswith("vertebra(e), initial encounter for fracture (ICD-10-CM M80.08XA)")
    assert label({"coding": [coding], "text": "crushed back"}) == "crushed back"
    assert label({"coding": [{**coding, "display": "old break"}]}) == "old break"
    assert label({"coding": [{**coding, "code": "X"}]}) == "X"
