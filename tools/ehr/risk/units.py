"""Which LOINC codes mean which variable, and how its units are converted. What is not there is refused.

Molar factors: creatinine 88.42 umol/L per mg/dL, bilirubin 17.1, glucose 18.016 mg/dL per mmol/L, urea nitrogen 2.801,
magnesium 0.4114 mmol/L per mg/dL, lactate 9.008; 1 kPa is 7.5006 mmHg.
"""

from __future__ import annotations

from tools.ehr.risk.plausible import VARIABLES

LOINC: dict[str, str] = {
    "1751-7": "Albumin", "6768-6": "ALP", "1742-6": "ALT", "1920-8": "AST", "1975-2": "Bilirubin", "3094-0": "BUN",
    "2093-3": "Cholesterol", "2160-0": "Creatinine", "8462-4": "NIDiasABP", "8480-6": "NISysABP", "8478-0": "NIMAP",
    "76213-8": "DiasABP", "76215-3": "SysABP", "76214-6": "MAP", "3150-6": "FiO2", "19994-3": "FiO2", "9269-2": "GCS",
    "2345-7": "Glucose", "2339-0": "Glucose", "1963-8": "HCO3", "2028-9": "HCO3", "4544-3": "HCT", "20570-8": "HCT",
    "8867-4": "HR", "2823-3": "K", "6298-4": "K", "2524-7": "Lactate", "32693-4": "Lactate", "2601-3": "Mg",
    "2951-2": "Na", "2019-8": "PaCO2", "2703-7": "PaO2", "2744-1": "pH", "777-3": "Platelets", "9279-1": "RespRate",
    "2708-6": "SaO2", "59408-5": "SaO2", "8310-5": "Temp", "10839-9": "TroponinI", "6598-7": "TroponinT",
    "9187-6": "Urine", "6690-2": "WBC", "29463-7": "Weight", "8302-2": "Height",
}  # fmt: skip
SAME: dict[str, str] = {
    "mg/dl": "mg/dL", "g/dl": "g/dL", "mm[hg]": "mmHg", "mmhg": "mmHg", "mm hg": "mmHg",
    "meq/l": "mmol/L", "mmol/l": "mmol/L", "u/l": "U/L",
    "iu/l": "U/L", "%": "%", "/min": "/min", "{beats}/min": "/min", "bpm": "/min", "insp/min": "/min",
    "per minute": "/min", "breaths/min": "/min", "cel": "Cel",
    "°c": "Cel", "c": "Cel", "10*3/ul": "10*3/uL", "k/ul": "10*3/uL", "10*9/l": "10*3/uL", "x10e9/l": "10*3/uL", "kg": "kg",
    "cm": "cm", "ml": "mL", "ug/l": "ug/L", "ng/ml": "ug/L", "{score}": "", "1": "", "[ph]": "", "units": "",
    "beats/minute": "/min", "breaths/minute": "/min", "degc": "Cel", "a": "a", "°f": "[degF]", "f": "[degF]", "": "",
}  # fmt: skip
"""How a unit is written, in lower case, and the unit that it is."""
CONVERT: dict[tuple[str, str], tuple[float, float]] = {
    ("Creatinine", "umol/l"): (1 / 88.42, 0), ("Bilirubin", "umol/l"): (1 / 17.1, 0), ("Glucose", "mmol/l"): (18.016, 0),
    ("BUN", "mmol/l"): (2.801, 0), ("Albumin", "g/l"): (0.1, 0), ("Temp", "[degf]"): (5 / 9, -160 / 9),
    ("Temp", "°f"): (5 / 9, -160 / 9), ("Temp", "f"): (5 / 9, -160 / 9),
    ("Lactate", "mg/dl"): (1 / 9.008, 0), ("Mg", "mg/dl"): (0.4114, 0), ("FiO2", "%"): (0.01, 0),
    ("PaO2", "kpa"): (7.5006, 0),
    ("PaCO2", "kpa"): (7.5006, 0), ("Height", "m"): (100, 0), ("Weight", "[lb_av]"): (0.4536, 0), ("Urine", "l"): (1000, 0),
    ("TroponinI", "ng/l"): (0.001, 0), ("TroponinT", "ng/l"): (0.001, 0), ("HCT", "1"): (100, 0),
    ("Height", "[in_i]"): (2.54, 0),
}  # fmt: skip
"""(variable, unit in lower case): value x factor + offset gives the variable's own unit."""
LOOSE = ("pH", "GCS", "MechVent")
"""Quantities without a unit: whatever is written beside them (pH in "units") changes nothing."""


def conversion(name: str, unit: str) -> tuple[float, float] | None:
    """(factor, offset) to the variable's own unit, or None when the unit is not known for it."""
    word = unit.strip().lower()
    if (name, word) in CONVERT:
        return CONVERT[name, word]
    wanted = VARIABLES[name].unit
    if name in LOOSE or SAME.get(word) in (wanted, "" if wanted in ("", "1") else wanted):
        return 1.0, 0.0
    return None


def converted(name: str, value: float, unit: str) -> float | None:
    """The value in the variable's own unit, or None when the unit is not known for it."""
    found = conversion(name, unit)
    return None if found is None else value * found[0] + found[1]
