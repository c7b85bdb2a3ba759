"""eICU Collaborative Research Database 2.0 as CSV or Parquet (https://physionet.org/content/eicu-crd/).

A subject is a unit stay; times are minutes from its admission, so they are anchored and no zone matters. Only what the
tables patient, lab, vitalPeriodic, vitalAperiodic, nurseCharting (coma scale), intakeOutput and diagnosis hold is read.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.errors import FileError
from tools.ehr.readers.frame import Folder, events_from, number
from tools.ehr.readers.stays import cohort_of
from tools.ehr.risk.cohort import Cohort, Stay
from tools.ehr.risk.events import ANCHOR

if TYPE_CHECKING:
    import polars as pl

_ID = "patientunitstayid"
_START = datetime.fromisoformat(str(ANCHOR))
LABS: dict[str, tuple[str, str]] = {
    "albumin": ("Albumin", "g/dL"), "alkaline phos.": ("ALP", "U/L"), "ALT (SGPT)": ("ALT", "U/L"),
    "AST (SGOT)": ("AST", "U/L"), "total bilirubin": ("Bilirubin", "mg/dL"), "BUN": ("BUN", "mg/dL"),
    "total cholesterol": ("Cholesterol", "mg/dL"), "creatinine": ("Creatinine", "mg/dL"), "glucose": ("Glucose", "mg/dL"),
    "bedside glucose": ("Glucose", "mg/dL"), "HCO3": ("HCO3", "mmol/L"), "bicarbonate": ("HCO3", "mmol/L"),
    "Hct": ("HCT", "%"), "potassium": ("K", "mmol/L"), "lactate": ("Lactate", "mmol/L"), "magnesium": ("Mg", "mg/dL"),
    "sodium": ("Na", "mmol/L"), "paCO2": ("PaCO2", "mmHg"), "paO2": ("PaO2", "mmHg"), "pH": ("pH", ""),
    "platelets x 1000": ("Platelets", "10*3/uL"), "troponin - I": ("TroponinI", "ng/mL"),
    "troponin - T": ("TroponinT", "ng/mL"), "WBC x 1000": ("WBC", "10*3/uL"), "FiO2": ("FiO2", "%"),
}  # fmt: skip
"""By labname: the variable, and the unit in which eICU harmonised it."""
VITALS = {
    "temperature": ("Temp", "Cel"), "sao2": ("SaO2", "%"), "heartrate": ("HR", "/min"), "respiration": ("RespRate", "/min"),
    "systemicsystolic": ("SysABP", "mmHg"), "systemicdiastolic": ("DiasABP", "mmHg"), "systemicmean": ("MAP", "mmHg"),
    "noninvasivesystolic": ("NISysABP", "mmHg"), "noninvasivediastolic": ("NIDiasABP", "mmHg"),
    "noninvasivemean": ("NIMAP", "mmHg"),
}  # fmt: skip
_UNITS = (("cardiac icu", 1), ("ccu", 1), ("cticu", 2), ("csicu", 2), ("micu", 3), ("med-surg", 3), ("sicu", 4))


def is_eicu(folder: Folder) -> bool:
    """Whether the folder holds the patient table of eICU."""
    if not folder.has("patient"):
        return False
    frame = folder.table("patient", ())
    return frame is not None and _ID in frame.collect_schema().names()


def read_eicu(folder: Folder) -> Cohort:
    """Events per unit stay, and the stays.

    Raises:
        FileError: the patient table is missing, or a table lacks a column of the standard.
    """
    import polars as pl

    patient = folder.table("patient", (_ID, "age", "gender"))
    if patient is None:
        raise FileError("No eICU set there: patient.csv is missing.")
    frames = _people(patient)
    lab = folder.table("lab", (_ID, "labresultoffset", "labname", "labresult"))
    if lab is not None:
        name = pl.col("labname")
        plain = pl.concat_str([pl.lit("EICU//"), name])
        code = name.replace_strict({k: v[0] for k, v in LABS.items()}, default=None, return_dtype=pl.String)
        unit = name.replace_strict({k: v[1] for k, v in LABS.items()}, default="", return_dtype=pl.String)
        frames.append(_frame(lab, "labresultoffset", code.fill_null(plain), number("labresult"), unit))
    for table in ("vitalperiodic", "vitalaperiodic"):
        vitals = folder.table(table, (_ID, "observationoffset"))
        if vitals is not None:
            have = set(vitals.collect_schema().names()) & set(VITALS)
            for column in sorted(have):
                variable, unit_name = VITALS[column]
                frames.append(_frame(vitals, "observationoffset", pl.lit(variable), number(column), pl.lit(unit_name)))
    frames += _rest(folder)
    return cohort_of("eicu", events_from(frames), _stays(patient))


def _frame(frame: pl.LazyFrame, offset: str, code: pl.Expr, value: pl.Expr, unit: pl.Expr) -> pl.LazyFrame:
    import polars as pl

    time = pl.lit(_START) + pl.duration(minutes=number(offset).cast(pl.Int64))
    return frame.select(
        number(_ID).cast(pl.Int64).alias("subject_id"), time.alias("time"),
        code.alias("code"), value.alias("value"), unit.alias("unit"),
    ).filter(pl.col("time").is_not_null())  # fmt: skip


def _rest(folder: Folder) -> list[pl.LazyFrame]:
    import polars as pl

    out = []
    nurse = folder.table("nursecharting", (_ID, "nursingchartoffset", "nursingchartcelltypevalname", "nursingchartvalue"))
    if nurse is not None:
        total = nurse.filter(pl.col("nursingchartcelltypevalname") == "GCS Total")
        out.append(_frame(total, "nursingchartoffset", pl.lit("GCS"), number("nursingchartvalue"), pl.lit("")))
    output = folder.table("intakeoutput", (_ID, "intakeoutputoffset", "celllabel", "cellvaluenumeric"))
    if output is not None:
        urine = output.filter(pl.col("celllabel").str.to_lowercase().str.contains("urine", literal=True))
        out.append(_frame(urine, "intakeoutputoffset", pl.lit("Urine"), number("cellvaluenumeric"), pl.lit("mL")))
    diagnosis = folder.table("diagnosis", (_ID, "diagnosisoffset", "icd9code"))
    if diagnosis is not None:
        first = pl.col("icd9code").str.split(",").list.first().str.strip_chars()
        coded = diagnosis.filter(pl.col("icd9code").is_not_null() & (pl.col("icd9code") != ""))
        code = pl.concat_str([pl.lit("ICD9CM//"), first])
        out.append(_frame(coded, "diagnosisoffset", code, pl.lit(None, pl.Float64), pl.lit("")))
    return out


def _people(patient: pl.LazyFrame) -> list[pl.LazyFrame]:
    import polars as pl

    who = number(_ID).cast(pl.Int64).alias("subject_id")
    never = pl.lit(None, pl.Datetime("us")).alias("time")
    have = patient.collect_schema().names()
    sex = pl.col("gender").str.to_lowercase()
    static = [("Age", pl.col("age").str.replace("> 89", "90", literal=True).cast(pl.Float64, strict=False), "a")]
    static.append(("Gender", pl.when(sex.is_in(["male", "female"])).then((sex == "male").cast(pl.Float64)), ""))
    for name, column, unit in (("Height", "admissionheight", "cm"), ("Weight", "admissionweight", "kg")):
        if column in have:
            static.append((name, number(column), unit))
    at = pl.lit(_START).cast(pl.Datetime("us")).alias("time")
    return [
        patient.select(
            who,
            at if name == "Weight" else never,
            pl.lit(name).alias("code"),
            value.alias("value"),
            pl.lit(unit).alias("unit"),
        )
        for name, value, unit in static
    ]


def _stays(patient: pl.LazyFrame) -> list[Stay]:
    import polars as pl

    have = patient.collect_schema().names()

    def column(name: str) -> pl.Expr:
        return pl.col(name) if name in have else pl.lit(None, pl.String)

    rows = patient.select(
        number(_ID).cast(pl.Int64), column("unitdischargeoffset"), column("hospitaldischargestatus"), column("unittype"),
        column("hospitaladmitoffset"), column("hospitaldischargeoffset"),
    )  # fmt: skip
    stays = []
    for who, left, status, kind, came, home in rows.collect().iter_rows():
        end = _START + timedelta(minutes=float(left)) if left else None
        died = {"expired": True, "alive": False}.get(str(status).lower())
        unit = next((number for word, number in _UNITS if word in str(kind).lower()), None)
        stays.append(Stay(who, _START, end, died, unit, (float(home) - float(came)) / 1440 if home and came else None))
    return stays
