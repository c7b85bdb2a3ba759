"""The table of concepts: names people use, words records use, codes, and what only sounds alike.

LOINC, SNOMED CT and ICD-10 codes stand where they are common; the words catch the rest. `unless` guards against
neighbours: urine creatinine is no serum creatinine, HbA1c is no haemoglobin, prediabetes is no diabetes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from tools.ehr.record import Category


@dataclass(frozen=True)
class Concept:
    """Something asked for.

    `each`: the concept gathers several quantities that are told apart by name (bone density at spine and hip).
    `members`: the concept is others taken together. `categories`: empty means any.
    """

    name: str
    asks: tuple[str, ...]
    words: str = ""
    codes: tuple[str, ...] = ()
    unless: str = ""
    categories: tuple[Category, ...] = ()
    members: tuple[str, ...] = ()
    each: bool = False

    def __hash__(self) -> int:
        return hash(self.name)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """`words` as an expression."""
        return re.compile(self.words, re.IGNORECASE)

    @cached_property
    def excluded(self) -> re.Pattern[str] | None:
        """`unless` as an expression."""
        return re.compile(self.unless, re.IGNORECASE) if self.unless else None


def _of(prefix: str, codes: str) -> tuple[str, ...]:
    return tuple(f"{prefix}:{code}" for code in codes.split())


_MEASURED: tuple[Category, ...] = ("observation",)
_URINE = r"urin|ratio|clearance|24.?h"

_LABS = (
    Concept(
        "creatinine",
        ("creatinine", "serum creatinine", "creat"),
        r"\bcreatinine?\b|\bkreatinin\b",
        _of("loinc", "2160-0 38483-4 14682-9 59826-8 77140-2"),
        rf"{_URINE}|kinase|albumin|\bgfr\b|filtration|cystatin",
        _MEASURED,
    ),
    Concept(
        "eGFR",
        ("egfr", "gfr", "glomerular filtration rate", "estimated gfr", "glomerular filtration"),
        r"\be?gfr\b|glomerular filtration",
        _of("loinc", "33914-3 48642-3 48643-1 62238-1 69405-9 88293-6 88294-4 98979-8 50044-7 77147-7"),
        "",
        _MEASURED,
    ),
    Concept(
        "urea",
        ("urea", "bun", "urea nitrogen"),
        r"\burea\b",
        _of("loinc", "3094-0 6299-2 22664-7"),
        _URINE + "|breath",
        _MEASURED,
    ),
    Concept(
        "kidney function",
        ("kidney function", "renal function", "kidney values", "kidneys", "kidney tests"),
        members=("creatinine", "eGFR", "urea"),
    ),
    Concept(
        "haemoglobin",
        ("haemoglobin", "hemoglobin", "hb", "hgb"),
        r"\bha?emoglobin\b|\bhgb\b",
        _of("loinc", "718-7 20509-6 30313-1 30350-3 59260-0"),
        r"a1c|glyc|\bmch|mean corpuscular|urin|electrophor|reticul|\bh(?:b)?[sfc]\b",
        _MEASURED,
    ),
    Concept(
        "HbA1c",
        ("hba1c", "a1c", "glycated haemoglobin", "glycated hemoglobin", "hemoglobin a1c", "haemoglobin a1c"),
        r"a1c|glyc(?:at|osylat)ed ha?emoglobin",
        _of("loinc", "4548-4 17856-6 59261-8 41995-2"),
        "",
        _MEASURED,
    ),
    Concept(
        "glucose",
        ("glucose", "blood sugar", "blood glucose", "sugar"),
        r"\bglucose\b",
        _of("loinc", "2339-0 2345-7 1558-6 14749-6 41653-7 15074-8"),
        r"urin|6-phosphate|tolerance",
        _MEASURED,
    ),
    Concept(
        "vitamin D",
        ("vitamin d", "25-oh vitamin d", "25-hydroxyvitamin d", "25 oh d", "vit d"),
        r"vitamin.?d|hydroxyvitamin|cholecalciferol|colecalciferol|calcidiol|ergocalciferol",
        _of("loinc", "1989-3 62292-8 14635-7 49054-0 35365-6"),
    ),
    Concept(
        "calcium",
        ("calcium", "serum calcium"),
        r"\bcalcium\b",
        _of("loinc", "17861-6 49765-1 2000-8 29265-6"),
        r"urin|coronary|score|ioni[sz]ed|channel",
        ("observation", "medication"),
    ),
    Concept(
        "potassium",
        ("potassium",),
        r"\bpotassium\b",
        _of("loinc", "2823-3 6298-4"),
        "urin",
        ("observation", "medication"),
    ),
    Concept("sodium", ("sodium",), r"\bsodium\b", _of("loinc", "2951-2 2947-0"), "urin", _MEASURED),
    Concept(
        "LDL cholesterol",
        ("ldl", "ldl cholesterol"),
        r"\bldl\b|low density lipo",
        _of("loinc", "13457-7 18262-6 2089-1"),
        "ratio",
        _MEASURED,
    ),
    Concept(
        "HDL cholesterol",
        ("hdl", "hdl cholesterol"),
        r"\bhdl\b|high density lipo",
        _of("loinc", "2085-9"),
        "ratio|non-hdl",
        _MEASURED,
    ),
    Concept(
        "total cholesterol",
        ("total cholesterol",),
        r"total cholesterol|cholesterol \[|^cholesterol\b",
        _of("loinc", "2093-3"),
        "ratio|ldl|hdl|density",
        _MEASURED,
    ),
    Concept("triglycerides", ("triglycerides", "triglyceride"), r"triglycerid", _of("loinc", "2571-8"), "", _MEASURED),
    Concept(
        "lipids",
        ("cholesterol", "lipids", "lipid panel", "lipid profile"),
        members=("total cholesterol", "LDL cholesterol", "HDL cholesterol", "triglycerides"),
    ),
    Concept(
        "white cells",
        ("white cells", "white blood cells", "wbc", "leukocytes", "leucocytes", "white cell count"),
        r"leu[kc]ocytes|white (?:blood )?cell",
        _of("loinc", "6690-2 26464-8"),
        "urin|esterase",
        _MEASURED,
    ),
    Concept(
        "platelets",
        ("platelets", "platelet count", "thrombocytes"),
        r"\bplatelets?\b|thrombocytes",
        _of("loinc", "777-3 26515-7"),
        "volume \\[|mean volume|distribution",
        _MEASURED,
    ),
    Concept(
        "TSH",
        ("tsh", "thyrotropin", "thyroid stimulating hormone"),
        r"\btsh\b|thyrotropin",
        _of("loinc", "3016-3 11580-8"),
        "",
        _MEASURED,
    ),
    Concept(
        "parathyroid hormone",
        ("parathyroid hormone", "pth"),
        r"parathyr(?:oid hormone|in)|\bpth\b",
        _of("loinc", "2731-8"),
        "",
        _MEASURED,
    ),
    Concept(
        "CRP",
        ("crp", "c-reactive protein", "c reactive protein"),
        r"c.?reactive protein|\bcrp\b",
        _of("loinc", "1988-5 30522-7"),
        "",
        _MEASURED,
    ),
)
_VITALS = (
    Concept(
        "blood pressure",
        ("blood pressure", "bp", "systolic", "diastolic", "systolic blood pressure", "diastolic blood pressure"),
        r"blood pressure|systolic|diastolic",
        _of("loinc", "85354-9 55284-4 8480-6 8462-4 35094-2"),
        "",
        _MEASURED,
    ),
    Concept("BMI", ("bmi", "body mass index"), r"body mass index|\bbmi\b", _of("loinc", "39156-5"), "percentile", ()),
    Concept(
        "weight",
        ("weight", "body weight"),
        r"\bbody weight\b|^weight\b|\bweight (?:measured|patient)",
        _of("loinc", "29463-7 3141-9"),
        "birth|percentile",
        _MEASURED,
    ),
    Concept(
        "height",
        ("height", "body height", "stature"),
        r"\bbody height\b|^height\b",
        _of("loinc", "8302-2 3137-7"),
        "percentile",
        _MEASURED,
    ),
    Concept("heart rate", ("heart rate", "pulse"), r"heart rate|\bpulse\b", _of("loinc", "8867-4"), "oximetry", _MEASURED),
    Concept(
        "temperature", ("temperature", "body temperature"), r"temperature", _of("loinc", "8310-5 8331-1"), "", _MEASURED
    ),
    Concept(
        "oxygen saturation",
        ("oxygen saturation", "spo2", "sats"),
        r"oxygen saturation|spo2",
        _of("loinc", "2708-6 59408-5"),
        "",
        _MEASURED,
    ),
    Concept(
        "vital signs",
        ("vital signs", "vitals"),
        members=("blood pressure", "heart rate", "temperature", "oxygen saturation", "weight", "height", "BMI"),
    ),
    Concept(
        "smoking",
        ("smoking", "smoker", "smoke", "smoked", "smokes", "tobacco", "smoking status", "cigarettes"),
        r"smok|tobacco|cigarette",
        _of("loinc", "72166-2 11367-0") + _of("icd10", "F17 Z72.0 Z87.891"),
        "smoke (?:inhal|detector|alarm)",
    ),
    Concept("alcohol", ("alcohol", "drinking", "drinks"), r"alcohol|ethanol", _of("icd10", "F10"), "swab|wipe"),
    Concept(
        "bone density",
        ("bone density", "bone mineral density", "dxa", "dexa", "t-score", "t score", "bmd", "bone densitometry"),
        r"\bdx?a\b.*(?:bone|t.score)|\bdxa\b|\bdexa\b|t.score|bone (?:mineral )?densi|absorptiometry",
        _of("loinc", "38267-1 38263-0 24966-4 24701-5 38269-7"),
        "",
        (),
        each=True,
    ),
)
_CONDITIONS = (
    Concept(
        "fracture",
        ("fracture", "fractures", "fractured", "broken bone", "broken bones", "broke", "broken", "bone fracture"),
        r"fractur|broken (?:bone|hip|wrist|rib|arm|leg|ankle)|\bcolles\b"
        r"|collapsed? vertebra|vertebral collapse|compression deformit",
        _of("snomed", "125605004 263102004 65966004 33737001 16114001 58150001 359817006 15724005 1734006 443165006")
        + _of(
            "icd10",
            "S02 S12 S22 S32 S42 S52 S62 S72 S82 S92 T02 T08 T10 T12 T14.2 M80 M84.3 M84.4 M84.5 M84.6 M48.4 M48.5 Z87.31",
        ),
        r"fracture risk|risk of (?:\w+ ){0,3}fracture|\bfrax\b|probability of",
    ),
    Concept(
        "diabetes",
        ("diabetes", "diabetic", "diabetes mellitus", "sugar disease"),
        r"diabet",
        _of("snomed", "73211009 44054006 46635009") + _of("icd10", "E08 E09 E10 E11 E13 E14"),
        r"pre-?diabet|insipidus|screen|risk of",
    ),
    Concept(
        "hypertension",
        ("hypertension", "high blood pressure", "hypertensive", "raised blood pressure"),
        r"hypertens|high blood pressure",
        _of("snomed", "38341003 59621000") + _of("icd10", "I10 I11 I12 I13 I15"),
        r"pulmonary|portal|ocular|intracranial|white.coat",
    ),
    Concept(
        "chronic kidney disease",
        ("chronic kidney disease", "ckd", "kidney disease", "renal failure", "kidney failure", "renal disease"),
        r"chronic (?:kidney|renal)|\bckd\b(?!-epi)|(?:kidney|renal) (?:disease|failure|insufficiency)",
        _of("snomed", "709044004 433144002 700378005 700379002 431857002 433146000 431855005 431856006")
        + _of("icd10", "N18 N19"),
    ),
    Concept(
        "osteoporosis",
        ("osteoporosis", "osteoporotic", "porous bones"),
        r"osteopor",
        _of("snomed", "64859006") + _of("icd10", "M80 M81"),
        r"screen|risk of osteopor",
    ),
    Concept(
        "cancer",
        ("cancer", "malignancy", "tumour", "tumor", "neoplasm", "carcinoma"),
        r"cancer|malignan|carcinoma|neoplasm|sarcoma|lymphoma|leuk[ae]+mia|melanoma|myeloma",
        _of("icd10", "C"),
        r"screen|risk of",
    ),
    Concept(
        "heart attack",
        ("heart attack", "myocardial infarction"),
        r"myocardial infarct|heart attack",
        _of("snomed", "22298006") + _of("icd10", "I21 I22 I25.2"),
    ),
    Concept(
        "stroke",
        ("stroke", "cerebrovascular accident", "cva"),
        r"\bstroke\b|cerebral infarct|cerebrovascular accident",
        _of("snomed", "230690007") + _of("icd10", "I61 I63 I64 Z86.73"),
        "heat|volume",
    ),
    Concept(
        "falls",
        ("fall", "falls", "fallen", "fell"),
        r"\bfalls?\b|\bfell\b",
        _of("icd10", "W0 W1 R29.6 Z91.81"),
        r"fall asleep",
    ),
    Concept(
        "back pain",
        ("back pain", "backache", "lumbago", "spinal pain"),
        r"back ?(?:pain|ache)|lumbago|dorsalgia|backache",
        _of("snomed", "161891005 279039007") + _of("icd10", "M54"),
    ),
    Concept("covid-19", ("covid", "covid-19", "sars-cov-2", "corona"), r"covid|sars.cov.2|coronavirus"),
    Concept("influenza", ("flu", "flu shot", "influenza", "flu vaccine"), r"influenza|\bflu\b"),
)
_DRUG: tuple[Category, ...] = ("medication",)
_MEDICINES = (
    Concept(
        "bisphosphonates",
        ("bisphosphonate", "bisphosphonates"),
        r"alendron|risedron|zoledron|ibandron|pamidron|bisphosphonate",
        (),
        "",
        _DRUG,
        each=True,
    ),
    Concept(
        "osteoporosis medicines",
        (
            "osteoporosis medication",
            "osteoporosis medicine",
            "osteoporosis treatment",
            "bone medicine",
            "anti-osteoporotic",
        ),
        r"alendron|risedron|zoledron|ibandron|denosumab|teriparatid|romosozumab|raloxifen|bisphosphonate",
        (),
        "",
        _DRUG,
        each=True,
    ),
    Concept("statins", ("statin", "statins"), r"\w+vastatin\b|\bstatins?\b", (), "nystatin", _DRUG),
    Concept(
        "anticoagulants",
        ("anticoagulant", "anticoagulants", "blood thinner", "blood thinners", "anticoagulation"),
        r"warfarin|phenprocoumon|apixaban|rivaroxaban|edoxaban|dabigatran|heparin|enoxaparin|dalteparin|fondaparinux|anticoagul",
        (),
        "",
        _DRUG,
    ),
    Concept(
        "antiplatelets",
        ("antiplatelet", "antiplatelets"),
        r"aspirin|acetylsalicylic|clopidogrel|ticagrelor|prasugrel",
        (),
        "",
        _DRUG,
    ),
    Concept(
        "steroids",
        ("steroid", "steroids", "glucocorticoid", "corticosteroid", "corticosteroids", "cortisone"),
        r"predniso(?:lo)?ne?|dexamethason|hydrocortison|cortisone|methylpredn|budesonid|beclomet|fluticason|corticosteroid",
        (),
        "",
        _DRUG,
    ),
    Concept(
        "painkillers",
        ("painkiller", "painkillers", "analgesic", "analgesics", "pain medication", "pain relief", "pain medicine"),
        r"paracetamol|acetaminophen|ibuprofen|naproxen|diclofenac|tramadol|morphin|oxycod|codein|hydrocod|fentanyl|metamizol|aspirin|celecoxib",
        (),
        "",
        _DRUG,
    ),
    Concept(
        "blood pressure medicines",
        (
            "blood pressure medication",
            "blood pressure medicine",
            "blood pressure tablets",
            "blood pressure medications",
            "blood pressure medicines",
            "blood pressure pills",
            "blood pressure meds",
            "bp meds",
            "bp medication",
            "bp medications",
            "antihypertensive",
            "antihypertensives",
        ),
        r"\w+dipine\b|\w+[aeio]pril\b|\w+sartan\b|thiazide|chlort(?:h)?alidone|indapamide|\w+[ao]lol\b|spironolactone|doxazosin|furosemide",
        (),
        "",
        _DRUG,
    ),
)
_IMAGING = (
    Concept(
        "CT",
        ("ct", "ct scan", "cat scan", "computed tomography"),
        r"\bct\b|computed tomograph|computerized.*tomograph|\bcat scan",
        (),
        "oct",
    ),
    Concept("MRI", ("mri", "mr", "magnetic resonance", "mri scan"), r"\bmri?\b|magnetic resonance"),
    Concept(
        "X-ray",
        ("x-ray", "xray", "x ray", "radiograph", "radiography"),
        r"x.?ray|radiograph|\b[cd]x\b|\bcr\b",
        (),
        "absorptiometry",
    ),
    Concept("cataract", ("cataract", "cataracts", "cataract surgery"), r"cataract|phacoemulsif"),
)
CONCEPTS: tuple[Concept, ...] = (*_LABS, *_VITALS, *_CONDITIONS, *_MEDICINES, *_IMAGING)

SITES: dict[str, tuple[str, ...]] = {
    "wrist": ("radius", "colles", "carpal", "scaphoid"),
    "forearm": ("radius", "ulna"),
    "arm": ("humer", "radius", "ulna", "forearm"),
    "shoulder": ("humer", "clavic", "scapul"),
    "hip": ("femoral neck", "neck of femur", "femur", "trochanter", "acetabul"),
    "thigh": ("femur", "femoral"),
    "leg": ("femur", "tibia", "fibul"),
    "spine": ("vertebra", "spinal", "lumbar", "thoracic", "compression"),
    "spinal": ("vertebra", "spine", "lumbar", "thoracic", "compression"),
    "vertebral": ("vertebra", "spine", "spinal", "compression"),
    "vertebra": ("spine", "spinal", "compression"),
    "vertebrae": ("vertebra", "spine", "spinal", "compression"),
    "back": ("vertebra", "spine", "spinal", "lumbar", "thoracic"),
    "kidney": ("renal", "nephro"),
    "renal": ("kidney", "nephro"),
    "heart": ("cardiac", "myocard", "coronary"),
    "lung": ("pulmonary", "pneumo"),
    "eye": ("ocular", "cataract", "retin"),
}
"""Other names of the same place, by stem; for "wrist fracture" written as "fracture of distal radius"."""
