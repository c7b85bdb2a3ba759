"""Units and plausible ranges of the variables that the shipped readers know.

The ranges are wide on purpose: they hold what a living adult can have, and keep out unit mix-ups (potassium 40, pH 735, a
temperature in Fahrenheit) and sensor artefacts (a mean pressure of 0). A value outside is counted and not used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Variable:
    """A measured quantity: its unit and the closed interval of values that are used."""

    text: str
    unit: str
    low: float
    high: float
    actionable: bool = False


VARIABLES: dict[str, Variable] = {
    "Age": Variable("age", "a", 0, 120),
    "Gender": Variable("sex (1 male, 0 female)", "", 0, 1),
    "Height": Variable("height", "cm", 100, 250),
    "Weight": Variable("weight", "kg", 20, 400),
    "ICUType": Variable("ICU type", "", 1, 4),
    "Albumin": Variable("albumin", "g/dL", 0.5, 7),
    "ALP": Variable("alkaline phosphatase", "U/L", 1, 5000),
    "ALT": Variable("ALT", "U/L", 1, 30000),
    "AST": Variable("AST", "U/L", 1, 40000),
    "Bilirubin": Variable("bilirubin", "mg/dL", 0, 80),
    "BUN": Variable("urea nitrogen", "mg/dL", 0.5, 250),
    "Cholesterol": Variable("cholesterol", "mg/dL", 20, 1000),
    "Creatinine": Variable("creatinine", "mg/dL", 0.05, 30),
    "DiasABP": Variable("diastolic pressure, arterial line", "mmHg", 10, 200),
    "FiO2": Variable("inspired oxygen fraction", "1", 0.2, 1),
    "GCS": Variable("Glasgow Coma Scale", "", 3, 15),
    "Glucose": Variable("glucose", "mg/dL", 5, 2500),
    "HCO3": Variable("bicarbonate", "mmol/L", 2, 65),
    "HCT": Variable("haematocrit", "%", 5, 75),
    "HR": Variable("heart rate", "/min", 10, 300),
    "K": Variable("potassium", "mmol/L", 1, 12),
    "Lactate": Variable("lactate", "mmol/L", 0.1, 40),
    "MAP": Variable("mean pressure, arterial line", "mmHg", 15, 250),
    "MechVent": Variable("mechanical ventilation", "", 0, 1),
    "Mg": Variable("magnesium", "mmol/L", 0.1, 12),
    "Na": Variable("sodium", "mmol/L", 90, 190),
    "NIDiasABP": Variable("diastolic pressure, cuff", "mmHg", 10, 200),
    "NIMAP": Variable("mean pressure, cuff", "mmHg", 15, 250),
    "NISysABP": Variable("systolic pressure, cuff", "mmHg", 30, 320),
    "PaCO2": Variable("PaCO2", "mmHg", 5, 200),
    "PaO2": Variable("PaO2", "mmHg", 15, 750),
    "pH": Variable("arterial pH", "", 6.5, 8.0),
    "Platelets": Variable("platelets", "10*3/uL", 1, 3000),
    "RespRate": Variable("respiratory rate", "/min", 1, 100),
    "SaO2": Variable("oxygen saturation", "%", 20, 100),
    "SysABP": Variable("systolic pressure, arterial line", "mmHg", 30, 320),
    "Temp": Variable("temperature", "Cel", 25, 45),
    "TroponinI": Variable("troponin I", "ug/L", 0, 500),
    "TroponinT": Variable("troponin T", "ug/L", 0, 100),
    "Urine": Variable("urine output", "mL", 0, 12000),
    "WBC": Variable("white cells", "10*3/uL", 0, 500),
}
"""By code as in PhysioNet 2012, the vocabulary of the shipped ICU models."""


def refuse(
    code: NDArray[np.int32], value: NDArray[np.float64], vocabulary: tuple[str, ...]
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Which of n events to keep, shape (n,), and how many were refused, by reason in words."""
    low = np.full(len(vocabulary) or 1, -np.inf)
    high = np.full(len(vocabulary) or 1, np.inf)
    for index, name in enumerate(vocabulary):
        if name in VARIABLES:
            low[index], high[index] = VARIABLES[name].low, VARIABLES[name].high
    bad = ~np.isnan(value) & ((value < low[code]) | (value > high[code])) if len(code) else np.zeros(0, bool)
    reasons: dict[str, int] = {}
    for index in np.unique(code[bad]):
        known = VARIABLES[vocabulary[index]]
        reason = f"{known.text} outside {known.low:g} to {known.high:g} {known.unit}".strip()
        reasons[reason] = int((bad & (code == index)).sum())
    return ~bad, reasons
