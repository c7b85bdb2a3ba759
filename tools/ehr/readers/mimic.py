"""MIMIC-IV (folders hosp and icu) and MIMIC-III (tables in capitals) as CSV or Parquet.

https://physionet.org/content/mimiciv/ and https://physionet.org/content/mimiciii/. Item ids of the variables of the ICU
models become those variables; every other item keeps its id ("MIMIC//50912"). Times are local and shifted per person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.ehr.readers.frame import Folder, events_from, number
from tools.ehr.readers.stays import cohort_of
from tools.ehr.risk.cohort import Cohort, Stay

if TYPE_CHECKING:
    import polars as pl

ITEMS: dict[str, str] = {
    "50862": "Albumin", "50863": "ALP", "50861": "ALT", "50878": "AST", "50885": "Bilirubin", "51006": "BUN",
    "50907": "Cholesterol", "50912": "Creatinine", "50931": "Glucose", "50882": "HCO3", "51221": "HCT", "50971": "K",
    "50813": "Lactate", "50983": "Na", "50818": "PaCO2", "50821": "PaO2", "50820": "pH", "51265": "Platelets",
    "51003": "TroponinT", "51002": "TroponinI", "51301": "WBC", "51300": "WBC", "50960": "Mg",
    "220045": "HR", "211": "HR", "220210": "RespRate", "618": "RespRate", "220277": "SaO2", "646": "SaO2",
    "220050": "SysABP", "220051": "DiasABP", "220052": "MAP", "220179": "NISysABP", "220180": "NIDiasABP",
    "220181": "NIMAP", "51": "SysABP", "8368": "DiasABP", "52": "MAP", "455": "NISysABP", "8441": "NIDiasABP",
    "456": "NIMAP", "223762": "Temp", "223761": "Temp", "676": "Temp", "678": "Temp", "226512": "Weight",
    "224639": "Weight", "226730": "Height", "223835": "FiO2", "198": "GCS",
    "226559": "Urine", "226560": "Urine", "226561": "Urine", "226563": "Urine", "226627": "Urine", "40055": "Urine",
    "43175": "Urine", "40069": "Urine",
}  # fmt: skip
UNITS = {"223761": "[degF]", "678": "[degF]", "223762": "Cel", "676": "Cel", "223835": "%", "50960": "mg/dL"}
"""Items whose unit is told by the item: MIMIC writes it in more ways than the table knows. Magnesium is in mg/dL there."""
_GCS = ("220739", "223900", "223901")
"""Eyes, verbal, motor: the score is their sum where all three stand at one time."""
_CARE = (("coronary", 1), ("cvicu", 2), ("cardiac vascular", 2), ("csru", 2), ("ccu", 1), ("micu", 3), ("medical int", 3),
          ("sicu", 4), ("tsicu", 4), ("surgical", 4), ("trauma", 4))  # fmt: skip
_MEASURED = (
    ("labevents", ("charttime",), "valuenum", ("valueuom",)),
    ("chartevents", ("charttime",), "valuenum", ("valueuom",)),
    ("outputevents", ("charttime",), "value", ("valueuom",)),
)


def is_mimic(folder: Folder) -> bool:
    """Whether the folder holds admissions and patients of MIMIC."""
    return folder.has("admissions") and folder.has("patients")


def read_mimic(folder: Folder) -> Cohort:
    """Events of the measured tables, diagnoses and prescriptions, and the stays in intensive care.

    Raises:
        FileError: a table lacks a column of the standard.
    """
    frames: list[pl.LazyFrame] = []
    for name, times, value, units in _MEASURED:
        frame = folder.table(name, ("subject_id", "itemid", *times, value))
        if frame is not None:
            frames.append(_measured(frame, folder, times, value, units))
            if name == "chartevents":
                frames.append(_coma_scale(frame, folder))
    frames += _coded(folder)
    patients = folder.table("patients", ("subject_id", "gender"))
    if patients is not None:
        frames += _people(patients, folder)
    return cohort_of("mimic", events_from(frames), _stays(folder))


def _who() -> pl.Expr:
    import polars as pl

    return number("subject_id").cast(pl.Int64).alias("subject_id")


def _measured(
    frame: pl.LazyFrame, folder: Folder, times: tuple[str, ...], value: str, units: tuple[str, ...]
) -> pl.LazyFrame:
    import polars as pl

    have = frame.collect_schema().names()
    item = pl.col("itemid").cast(pl.String)
    told = pl.col(units[0]) if units[0] in have else pl.lit("")
    plain = pl.concat_str([pl.lit("MIMIC//"), item])
    kept = frame.filter(~item.is_in(list(_GCS)))
    if "error" in have:
        kept = kept.filter(pl.col("error").fill_null("0").cast(pl.String) != "1")
    return kept.select(
        _who(),
        folder.time(*times).alias("time"),
        item.replace_strict(ITEMS, default=None, return_dtype=pl.String).fill_null(plain).alias("code"),
        number(value).alias("value"),
        item.replace_strict(UNITS, default=None, return_dtype=pl.String).fill_null(told).alias("unit"),
    )


def _coma_scale(frame: pl.LazyFrame, folder: Folder) -> pl.LazyFrame:
    import polars as pl

    parts = frame.filter(pl.col("itemid").cast(pl.String).is_in(list(_GCS))).select(
        _who(), folder.time("charttime").alias("time"), pl.col("itemid"), number("valuenum").alias("value")
    )
    whole = parts.unique(["subject_id", "time", "itemid"]).group_by("subject_id", "time").agg(
        pl.col("value").sum(), pl.len().alias("parts")
    )  # fmt: skip
    return whole.filter(pl.col("parts") == 3).select(
        "subject_id", "time", pl.lit("GCS").alias("code"), "value", pl.lit("").alias("unit")
    )


def _coded(folder: Folder) -> list[pl.LazyFrame]:
    """Diagnoses stand at discharge, when MIMIC codes them, never earlier; prescriptions at their start."""
    import polars as pl

    out = []
    nothing = (pl.lit(None, pl.Float64).alias("value"), pl.lit("").alias("unit"))
    diagnoses = folder.table("diagnoses_icd", ("subject_id", "hadm_id"))
    admissions = folder.table("admissions", ("hadm_id", "dischtime"))
    if diagnoses is not None and admissions is not None:
        have = diagnoses.collect_schema().names()
        if "icd_code" in have:
            code = pl.concat_str([pl.lit("ICD"), pl.col("icd_version").cast(pl.String), pl.lit("CM//"), pl.col("icd_code")])
        else:
            code = pl.concat_str([pl.lit("ICD9CM//"), pl.col("icd9_code")])
        ends = admissions.select("hadm_id", folder.time("dischtime").alias("time"))
        out.append(diagnoses.join(ends, on="hadm_id").select(_who(), "time", code.alias("code"), *nothing))
    drugs = folder.table("prescriptions", ("subject_id", "drug"))
    if drugs is not None:
        start = "starttime" if "starttime" in drugs.collect_schema().names() else "startdate"
        name = pl.concat_str([pl.lit("DRUG//"), pl.col("drug").str.to_lowercase()])
        out.append(drugs.select(_who(), folder.time(start).alias("time"), name.alias("code"), *nothing))
    return out


def _people(patients: pl.LazyFrame, folder: Folder) -> list[pl.LazyFrame]:
    import polars as pl

    nothing = (pl.lit(None, pl.Float64).alias("value"), pl.lit("").alias("unit"))
    have = patients.collect_schema().names()
    sex = pl.col("gender").replace_strict({"M": "GENDER//male", "F": "GENDER//female"}, default=None, return_dtype=pl.String)
    out = [patients.select(_who(), pl.lit(None, pl.Datetime("us")).alias("time"), sex.alias("code"), *nothing)]
    if "dob" in have:
        born = folder.time("dob")
    else:  # MIMIC-IV gives the age in a year; the year of birth is known, its day is not
        year = pl.col("anchor_year").cast(pl.Int32) - pl.col("anchor_age").cast(pl.Int32)
        born = pl.datetime(year, 1, 1).cast(pl.Datetime("us"))
    out.append(patients.select(_who(), born.alias("time"), pl.lit("MEDS_BIRTH").alias("code"), *nothing))
    if "dod" in have:
        died = patients.select(_who(), folder.time("dod").alias("time"), pl.lit("MEDS_DEATH").alias("code"), *nothing)
        out.append(died.filter(pl.col("time").is_not_null()))
    return out


def _stays(folder: Folder) -> list[Stay]:
    import polars as pl

    stays = folder.table("icustays", ("subject_id", "hadm_id", "intime", "outtime"))
    admissions = folder.table("admissions", ("hadm_id", "admittime", "dischtime", "hospital_expire_flag"))
    if stays is None or admissions is None:
        return []
    about = admissions.select(
        "hadm_id", folder.time("admittime").alias("in"), folder.time("dischtime").alias("out"),
        number("hospital_expire_flag").alias("died"),
    )  # fmt: skip
    unit = "first_careunit" if "first_careunit" in stays.collect_schema().names() else "hadm_id"
    rows = stays.join(about, on="hadm_id").select(
        _who(), folder.time("intime").alias("start"), folder.time("outtime").alias("end"), "died", pl.col(unit), "in", "out"
    )
    return [
        Stay(who, start, end, bool(died), _unit(care), (left - came).total_seconds() / 86400 if left and came else None)
        for who, start, end, died, care, came, left in rows.collect().iter_rows()
        if start is not None
    ]


def _unit(name: str) -> int | None:
    low = str(name).lower()
    return next((number for word, number in _CARE if word in low), None)
