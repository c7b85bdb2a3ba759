"""Tolerant access to FHIR data types. A field of the wrong type reads as absent; it never raises.

Text is data: control characters, line breaks, direction overrides and lone surrogates are removed and its length is
limited, so that a field cannot forge lines, reorder what is shown, or break an encoder.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from tools.ehr.code_names import code_name
from tools.ehr.record import UNDATED, Code, When
from tools.ehr.times import read_time

Json = Mapping[str, object]

TEXT_LIMIT = 400
_REPEATED = 80
_NOTHING: Json = {}
_SPACES = re.compile(r"\s+")
_HIDDEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_UNITS = {
    "mm[Hg]": "mmHg",
    "Cel": "°C",
    "[degF]": "°F",
    "mL/min/{1.73_m2}": "mL/min/1.73 m2",
    "mL/min/1.73m2": "mL/min/1.73 m2",
    "/min": "per minute",
    "1": "",
    "[in_i]": "in",
    "[lb_av]": "lb",
}


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """One line of visible text, at most `limit` characters, cut with an ellipsis."""
    return _clean_short(text, limit) if len(text) <= _REPEATED else _clean(text, limit)


def _clean(text: str, limit: int) -> str:
    if text.isascii() and text.isprintable() and len(text) <= limit and "  " not in text:
        return text.strip()
    text = _SURROGATES.sub("\ufffd", _HIDDEN.sub("", _SPACES.sub(" ", text))).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


_clean_short = lru_cache(maxsize=8192)(_clean)
"""Display names and codes repeat a thousandfold; free text does not and is not kept."""


def obj(value: object) -> Json:
    """The object, or an empty one; the first of a list of objects."""
    if isinstance(value, dict):
        return value
    return next(objects(value), _NOTHING)


def objects(value: object) -> Iterator[Json]:
    """The objects of a list; a single object counts as a list of one."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def word(value: object, limit: int = TEXT_LIMIT) -> str:
    """A string, cleaned; empty when it is none."""
    return clean(value, limit) if value and isinstance(value, str) else ""


def number(value: object) -> float | None:
    """A finite number; None for booleans, text, and what overflows."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        plain = float(value)
    except OverflowError:
        return None
    return plain if math.isfinite(plain) else None


def show(value: float) -> str:
    """A number as the source wrote it; more than four decimals (machine noise) are rounded to four digits.

    Four significant digits follow the precision of routine laboratory and vital-sign reporting.
    """
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    text = repr(value)
    if "e" in text or len(text.partition(".")[2]) <= 4:
        return text
    return f"{value:.2f}" if abs(value) >= 1000 else f"{value:.4g}"


def codes(value: object) -> tuple[Code, ...]:
    """The codings of a CodeableConcept, of a Coding, or of a plain code (as in older versions of FHIR)."""
    if isinstance(value, str):
        return (Code("", word(value, 64)),)
    found = []
    for concept in objects(value):
        for coding in objects(concept.get("coding")) if "coding" in concept else (concept,):
            code = word(coding.get("code"), 64)
            if code:
                found.append(Code(word(coding.get("system"), 128), code, word(coding.get("display"))))
    return tuple(found)


def label(value: object) -> str:
    """What a CodeableConcept is called: its text, else a display, else the listed name of an ICD code, else a code."""
    if isinstance(value, str):
        return word(value)
    concept = obj(value)
    text = word(concept.get("text")) or word(concept.get("display"))
    if text:
        return text
    found = codes(concept)
    named = (name for item in found if (name := item.display or code_name(item.system, item.code)))
    return next(named, found[0].code if found else "")


def labels(value: object) -> str:
    """Names of several concepts, joined with commas."""
    return ", ".join(dict.fromkeys(filter(None, (label(item) for item in objects(value)))))


def code_of(value: object) -> str:
    """The first code of a concept, lower case: for status words."""
    if isinstance(value, str):
        return word(value, 64).lower()
    found = codes(value)
    return found[0].code.lower() if found else word(obj(value).get("text"), 64).lower()


def unit_of(quantity: Json) -> str:
    """The unit for reading: UCUM's brackets and annotations are written as people write them."""
    unit = word(quantity.get("unit"), 40) or word(quantity.get("code"), 40)
    if unit in _UNITS:
        return _UNITS[unit]
    return re.sub(r"\{[^}]*\}", "", unit).strip() if "{" in unit else unit


def quantity(value: object) -> tuple[float | str | None, str]:
    """Value and unit of a Quantity. A comparator makes the value a text: "<5"."""
    item = obj(value)
    amount = number(item.get("value"))
    if amount is None:
        return None, ""
    comparator = word(item.get("comparator"), 4)
    return (f"{comparator}{show(amount)}" if comparator else amount), unit_of(item)


def quantity_text(value: object) -> str:
    """A Quantity as text, for example "70 mg"."""
    amount, unit = quantity(value)
    if amount is None:
        return ""
    shown = amount if isinstance(amount, str) else show(amount)
    return f"{shown} {unit}".strip()


def range_text(value: object) -> str:
    """A Range or reference range as text: "0.5 to 1.1 mg/dL", "up to 5 mg/L", or its own text."""
    item = obj(value)
    low, high = quantity_text(item.get("low")), quantity_text(item.get("high"))
    if low and high:
        unit = unit_of(obj(item.get("high")))
        return f"{low.removesuffix(' ' + unit) if unit else low} to {high}"
    if low or high:
        return f"from {low}" if low else f"up to {high}"
    return word(item.get("text"))


def when(value: object) -> When:
    """A date or time."""
    return read_time(value) if isinstance(value, str) else UNDATED


def period(value: object) -> tuple[When, When]:
    """Start and end of a Period."""
    item = obj(value)
    return when(item.get("start")), when(item.get("end"))


def timed(resource: Json, stem: str) -> tuple[When, When]:
    """The choice element `stem[x]` as DateTime, Instant, Date or Period."""
    for kind in ("DateTime", "Instant", "Date"):
        moment = when(resource.get(stem + kind))
        if moment:
            return moment, UNDATED
    return period(resource.get(stem + "Period"))
