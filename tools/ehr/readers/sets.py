"""Which layout a folder has, among the sets that are not of stays alone: OMOP, MIMIC, eICU, FHIR, MEDS."""

from __future__ import annotations

from pathlib import Path

from tools.ehr.readers.duckdb_file import as_folder, duckdb_of
from tools.ehr.readers.eicu import is_eicu, read_eicu
from tools.ehr.readers.fhir_set import is_fhir, read_fhir_set
from tools.ehr.readers.frame import Folder, check_zone
from tools.ehr.readers.meds import is_meds, read_meds
from tools.ehr.readers.mimic import is_mimic, read_mimic
from tools.ehr.readers.omop import is_omop, read_omop
from tools.ehr.risk.cohort import Cohort


def read_set(path: Path, zone: str = "UTC") -> Cohort | None:
    """The set as a cohort, or None when it is none of these. `zone` is that of times that name none.

    Raises:
        InputError: there is no such time zone.
        FileError: it is one of these, and broken.
    """
    folder = Folder(path, check_zone(zone))
    database = duckdb_of(path)
    if database is not None:
        with as_folder(database, zone) as tables:
            return read_omop(tables)
    if path.is_dir():
        for fits, read in ((is_omop, read_omop), (is_mimic, read_mimic), (is_eicu, read_eicu)):
            if fits(folder):
                return read(folder)
    if is_meds(path):
        return read_meds(path, zone)
    return read_fhir_set(path) if is_fhir(path) else None
