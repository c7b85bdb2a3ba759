"""MIMIC, eICU and OMOP stays reach the ICU models as the same variables, and what lies outside 48 h stays out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import FileError
from tools.ehr.readers.stays import icu_stays
from tools.ehr.risk.cohort import Cohort
from tools.ehr.risk.datasets import read_folder, sample
from tools.ehr.risk.tasks import load_task


def write(folder: Path, tables: dict[str, str]) -> Path:
    for name, text in tables.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def values(cohort: Cohort, name: str) -> list[float]:
    events = cohort.events
    return [float(value) for value in events.value[events.code == events.vocabulary.index(name)]]


MIMIC4 = {
    "hosp/patients.csv": "subject_id,gender,anchor_age,anchor_year,dod\n7,F,61,2150,\n",
    "hosp/admissions.csv": "subject_id,hadm_id,admittime,dischtime,hospital_expire_flag\n"
    "7,70,2150-03-01 08:00:00,2150-03-09 08:00:00,1\n",
    "hosp/diagnoses_icd.csv": "subject_id,hadm_id,icd_code,icd_version\n7,70,N179,10\n",
    "hosp/labevents.csv": "subject_id,itemid,charttime,valuenum,valueuom\n7,50912,2150-03-01 12:00:00,2.4,mg/dL\n"
    "7,50912,2150-03-05 12:00:00,9.9,mg/dL\n7,50971,2150-03-01 12:00:00,40,mEq/L\n",
    "icu/icustays.csv": "subject_id,hadm_id,stay_id,first_careunit,intime,outtime\n"
    "7,70,700,Surgical Intensive Care Unit (SICU),2150-03-01 10:00:00,2150-03-06 10:00:00\n",
    "icu/chartevents.csv": "subject_id,itemid,charttime,valuenum,valueuom\n7,220045,2150-03-01 11:00:00,99,bpm\n"
    "7,220739,2150-03-01 11:00:00,4,\n7,223900,2150-03-01 11:00:00,5,\n7,223901,2150-03-01 11:00:00,6,\n"
    "7,223761,2150-03-01 11:00:00,98.6,°F\n7,220739,2150-03-01 15:00:00,4,\n7,223835,2150-03-01 11:00:00,50,\n",
    "icu/outputevents.csv": "subject_id,itemid,charttime,value,valueuom\n7,226559,2150-03-01 13:00:00,120,mL\n",
}


def test_a_mimic_iv_stay_becomes_the_models_variables(tmp_path: Path) -> None:
    whole = read_folder(write(tmp_path, MIMIC4))
    assert whole.source == "mimic"
    assert whole.events.rejected["potassium outside 1 to 12 mmol/L"] == 1
    assert any(name == "ICD10CM//N179" for name in whole.events.vocabulary)
    stays = icu_stays(whole)
    assert values(stays, "GCS") == [15]
    assert values(stays, "Creatinine") == [2.4]
    assert values(stays, "Temp") == pytest.approx([37.0])
    assert values(stays, "FiO2") == [0.5]
    assert values(stays, "Urine") == [120]
    assert (values(stays, "Age"), values(stays, "Gender"), values(stays, "ICUType")) == ([61], [0], [4])
    assert stays.rows.outcomes["In-hospital_death"].tolist() == [1]
    assert stays.rows.outcomes["Length_of_stay"].tolist() == [8]
    names = {stays.events.vocabulary[index] for index in stays.events.code}
    assert not any(name.startswith(("ICD", "MEDS_")) for name in names)


def test_a_mimic_iii_set_in_capitals_is_read(tmp_path: Path) -> None:
    cohort = read_folder(write(tmp_path, {
        "PATIENTS.csv": "SUBJECT_ID,GENDER,DOB,DOD\n3,M,2090-01-01 00:00:00,\n",
        "ADMISSIONS.csv": "SUBJECT_ID,HADM_ID,ADMITTIME,DISCHTIME,HOSPITAL_EXPIRE_FLAG\n"
        "3,30,2150-01-02 00:00:00,2150-01-20 00:00:00,0\n",
        "ICUSTAYS.csv": "SUBJECT_ID,HADM_ID,FIRST_CAREUNIT,INTIME,OUTTIME\n"
        "3,30,CCU,2150-01-02 01:00:00,2150-01-09 01:00:00\n",
        "CHARTEVENTS.csv": "SUBJECT_ID,ITEMID,CHARTTIME,VALUENUM,VALUEUOM,ERROR\n3,211,2150-01-02 02:00:00,77,BPM,0\n"
        "3,211,2150-01-02 03:00:00,300,BPM,1\n",
        "DIAGNOSES_ICD.csv": "SUBJECT_ID,HADM_ID,ICD9_CODE\n3,30,4280\n",
    }))  # fmt: skip
    stays = icu_stays(cohort)
    assert values(stays, "HR") == [77]
    assert values(stays, "Age") == [60]
    assert "ICD9CM//4280" in cohort.events.vocabulary


def test_an_eicu_stay_is_anchored_at_its_admission(tmp_path: Path) -> None:
    cohort = read_folder(write(tmp_path, {
        "patient.csv": "patientunitstayid,age,gender,unittype,unitdischargeoffset,hospitaldischargestatus,"
        "hospitaladmitoffset,hospitaldischargeoffset,admissionheight,admissionweight\n"
        "9,> 89,Male,MICU,5000,Expired,-60,7140,170,80\n8,40,Female,SICU,600,Alive,-60,7140,,\n",
        "lab.csv": "patientunitstayid,labresultoffset,labname,labresult\n9,30,creatinine,1.1\n9,4000,creatinine,5\n"
        "9,40,magnesium,2.0\n9,50,unheard of,7\n",
        "vitalPeriodic.csv": "patientunitstayid,observationoffset,heartrate,sao2\n9,5,88,97\n",
    }))  # fmt: skip
    stays = icu_stays(cohort)
    assert len(stays.rows) == 1  # the other stay lasted 10 h
    assert values(stays, "Creatinine") == [1.1]
    assert values(stays, "Mg") == pytest.approx([0.8228])
    assert (values(stays, "Age"), values(stays, "Gender"), values(stays, "ICUType")) == ([90], [1], [3])
    assert stays.rows.outcomes["Length_of_stay"].tolist() == [5]
    hr = stays.events.time[stays.events.code == stays.events.vocabulary.index("HR")]
    assert str(hr[0]) == "2000-01-01T00:05:00"


def test_the_task_asks_about_stays_of_such_a_set(tmp_path: Path) -> None:
    part = sample(load_task("icu_death"), read_folder(write(tmp_path, MIMIC4)))
    assert part.y.tolist() == [1]
    assert part.age.tolist() == [61]
    assert part.rows.patient.tolist() == [7]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    broken = {**MIMIC4, "hosp/labevents.csv": "subject_id,itemid,valuenum\n7,50912,2\n"}
    with pytest.raises(FileError, match=r"labevents\.csv lacks the columns charttime"):
        read_folder(write(tmp_path, broken))


def test_unknown_units_are_counted_and_not_used(tmp_path: Path) -> None:
    odd = {**MIMIC4, "hosp/labevents.csv": "subject_id,itemid,charttime,valuenum,valueuom\n"
           "7,50912,2150-03-01 12:00:00,2.4,furlong\n"}  # fmt: skip
    events = read_folder(write(tmp_path, odd)).events
    assert events.rejected["creatinine: the unit 'furlong' is not known here"] == 1
    assert "Creatinine" not in events.vocabulary


def test_a_record_of_200_000_events_is_read(tmp_path: Path) -> None:
    lines = ["subject_id,itemid,charttime,valuenum,valueuom"]
    start = np.datetime64("2150-03-01T10:00:00")
    lines += [f"7,220045,{str(start + i).replace('T', ' ')},{60 + i % 60},bpm" for i in range(200_000)]
    big = {**MIMIC4, "icu/chartevents.csv": "\n".join(lines) + "\n"}
    whole = read_folder(write(tmp_path, big))
    assert len(values(whole, "HR")) == 200_000
    stays = icu_stays(whole)
    assert len(values(stays, "HR")) == 48 * 3600 + 1
