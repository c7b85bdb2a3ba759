"""Readers of whole sets: OMOP, MIMIC, eICU, MEDS and FHIR become the same events, with the same codes, units and times."""
