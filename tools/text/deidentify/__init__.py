"""De-identification: HIPAA's eighteen kinds of identifiers found in text, FHIR and DICOM, and replaced so that it can be undone."""
