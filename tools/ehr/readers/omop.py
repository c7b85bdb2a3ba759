"""OMOP common data model 5.3 and 5.4: tables as CSV or Parquet (https://ohdsi.github.io/CommonDataModel/).

With the vocabulary table CONCEPT a code is "LOINC//2160-0"; without it "OMOP//3016723", and nothing is converted. A stay in
intensive care is a visit whose concept is 32037 (Intensive Care) or 581379 (Inpatient Critical Care Facility).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from core.errors import FileError
from tools.ehr.readers.frame import Folder, events_from, number
from tools.ehr.readers.stays import cohort_of, in_hospital
from tools.ehr.risk.cohort import Cohort, Stay

if TYPE_CHECKING:
    import polars as pl

SYSTEMS = {"LOINC": "LOINC", "SNOMED": "SNOMED", "RxNorm": "RxNorm", "ICD10CM": "ICD10CM", "ICD9CM": "ICD9CM", "CVX": "CVX"}
ICU = ("32037", "581379")
_INPATIENT = ("9201", "262")
_SEX = {"8507": "GENDER//male", "8532": "GENDER//female"}
_TABLES = (
    ("condition_occurrence", "condition_concept_id", ("condition_start_datetime", "condition_start_date")),
    ("drug_exposure", "drug_concept_id", ("drug_exposure_start_datetime", "drug_exposure_start_date")),
    ("procedure_occurrence", "procedure_concept_id", ("procedure_datetime", "procedure_date")),
    ("measurement", "measurement_concept_id", ("measurement_datetime", "measurement_date")),
    ("observation", "observation_concept_id", ("observation_datetime", "observation_date")),
)


def is_omop(folder: Folder) -> bool:
    """Whether the folder holds a person table and a clinical one."""
    return folder.has("person") and any(folder.has(name) for name, _, _ in _TABLES)


def read_omop(folder: Folder) -> Cohort:
    """Events of every clinical table, and the stays in intensive care as rows.

    Raises:
        FileError: there is no person table, or a table lacks a column of the standard.
    """
    import polars as pl

    person = folder.table("person", ("person_id", "gender_concept_id", "year_of_birth"))
    if person is None:
        raise FileError("No OMOP set there: person.csv or person.parquet is missing.")
    names = _concepts(folder)
    frames = list(_people(person, folder))
    for table, concept, times in _TABLES:
        frame = folder.table(table, ("person_id", concept))
        if frame is not None:
            frames.append(_table(frame, folder, concept, times, names))
    deaths: dict[int, datetime] = {}
    death = folder.table("death", ("person_id",))
    if death is not None:
        when = _time(death, folder, ("death_datetime", "death_date")).alias("time")
        died = death.select(number("person_id").cast(pl.Int64).alias("subject_id"), when)
        deaths = {person: time for person, time in died.collect().iter_rows() if time is not None}
        nothing = (pl.lit("MEDS_DEATH").alias("code"), pl.lit(None, pl.Float64).alias("value"), pl.lit("").alias("unit"))
        frames.append(died.with_columns(*nothing))
    return cohort_of("omop", events_from(frames), _stays(folder, deaths))


def _time(frame: pl.LazyFrame, folder: Folder, columns: tuple[str, ...]) -> pl.Expr:
    have = [column for column in columns if column in frame.collect_schema().names()]
    if not have:
        raise FileError(f"An OMOP table has none of the time columns {', '.join(columns)}.")
    return folder.time(*have)


def _concepts(folder: Folder) -> pl.LazyFrame | None:
    import polars as pl

    concept = folder.table("concept", ("concept_id", "vocabulary_id", "concept_code"))
    if concept is None:
        return None
    system = pl.col("vocabulary_id").replace_strict(SYSTEMS, default=pl.col("vocabulary_id"))
    named = pl.concat_str([system, pl.lit("//"), pl.col("concept_code")])
    # UCUM names the units; its codes are what the units table reads.
    unit = pl.when(pl.col("vocabulary_id") == "UCUM").then(pl.col("concept_code")).alias("unit_code")
    return concept.select(pl.col("concept_id").cast(pl.String).alias("concept"), named.alias("named"), unit)


def _table(
    frame: pl.LazyFrame, folder: Folder, concept: str, times: tuple[str, ...], names: pl.LazyFrame | None
) -> pl.LazyFrame:
    import polars as pl

    have = frame.collect_schema().names()
    value = number("value_as_number") if "value_as_number" in have else pl.lit(None, pl.Float64)
    unit = pl.col("unit_source_value") if "unit_source_value" in have else pl.lit("")
    unit_concept = pl.col("unit_concept_id").cast(pl.String) if "unit_concept_id" in have else pl.lit(None, pl.String)
    out = frame.select(
        number("person_id").cast(pl.Int64).alias("subject_id"),
        _time(frame, folder, times).alias("time"),
        pl.col(concept).cast(pl.String).alias("concept"),
        value.alias("value"), unit.alias("unit"), unit_concept.alias("unit_concept"),
    )  # fmt: skip
    plain = pl.concat_str([pl.lit("OMOP//"), pl.col("concept")])
    if names is None:
        return out.with_columns(plain.alias("code"))
    units = names.filter(pl.col("unit_code").is_not_null()).select(unit_concept="concept", unit_code="unit_code")
    coded = out.join(names.select("concept", "named"), on="concept", how="left").join(units, on="unit_concept", how="left")
    return coded.with_columns(
        pl.coalesce([pl.col("named"), plain]).alias("code"), pl.coalesce([pl.col("unit_code"), pl.col("unit")]).alias("unit")
    )


def _people(person: pl.LazyFrame, folder: Folder) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    import polars as pl

    have = person.collect_schema().names()
    parts = [pl.col(name) if name in have else pl.lit("1") for name in ("month_of_birth", "day_of_birth")]
    pieces = [pl.col("year_of_birth"), *(pl.coalesce([part, pl.lit("1")]).str.zfill(2) for part in parts)]
    day = pl.concat_str(pieces, separator="-").str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    if "birth_datetime" in have:
        day = pl.coalesce([day, folder.time("birth_datetime").dt.truncate("1d")])
    who = number("person_id").cast(pl.Int64).alias("subject_id")
    nothing = (pl.lit(None, pl.Float64).alias("value"), pl.lit("").alias("unit"))
    born = person.select(who, day.alias("time"), pl.lit("MEDS_BIRTH").alias("code"), *nothing)
    sex = pl.col("gender_concept_id").cast(pl.String).replace_strict(_SEX, default=None, return_dtype=pl.String)
    return born, person.select(who, pl.lit(None, pl.Datetime("us")).alias("time"), sex.alias("code"), *nothing)


def _stays(folder: Folder, deaths: dict[int, datetime]) -> list[Stay]:
    visits = [visit for table in ("visit_occurrence", "visit_detail") for visit in _visits(folder, table)]
    stays = [Stay(person, start, end, None) for person, start, end, concept in visits if concept in ICU and start]
    hospital = [(person, start, end) for person, start, end, concept in visits if concept in _INPATIENT and start and end]
    return in_hospital(stays, hospital, deaths)


def _visits(folder: Folder, table: str) -> list[tuple[int, datetime, datetime | None, str]]:
    import polars as pl

    stem = "visit_detail" if table == "visit_detail" else "visit"
    concept = f"{stem}_concept_id"
    frame = folder.table(table, ("person_id", concept))
    if frame is None:
        return []
    rows: list[tuple[int, datetime, datetime | None, str]] = (
        frame.filter(pl.col(concept).cast(pl.String).is_in([*ICU, *_INPATIENT]))
        .select(
            number("person_id").cast(pl.Int64),
            _time(frame, folder, (f"{stem}_start_datetime", f"{stem}_start_date")).alias("start"),
            _time(frame, folder, (f"{stem}_end_datetime", f"{stem}_end_date")).alias("end"),
            pl.col(concept).cast(pl.String).alias("concept"),
        )
        .collect()
        .rows()
    )
    return rows
