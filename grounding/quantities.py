"""Numbers of a text with their units: words, ranges, fractions, percentages, frequencies, bounds, conversion."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Bound = Literal["", "least", "most"]

_SCALE: dict[str, tuple[str, float]] = {
    "mm": ("length", 1), "cm": ("length", 10), "m": ("length", 1000), "µm": ("length", 0.001), "um": ("length", 0.001),
    "inches": ("length", 25.4), "inch": ("length", 25.4), "millimetres": ("length", 1), "millimeters": ("length", 1),
    "centimetres": ("length", 10), "centimeters": ("length", 10),
    "mg": ("mass", 1), "g": ("mass", 1000), "kg": ("mass", 1e6), "µg": ("mass", 0.001), "mcg": ("mass", 0.001),
    "ug": ("mass", 0.001), "ng": ("mass", 1e-6), "grams": ("mass", 1000), "gram": ("mass", 1000), "lb": ("mass", 453592.37),
    "milligrams": ("mass", 1), "micrograms": ("mass", 0.001), "kilograms": ("mass", 1e6), "kilogram": ("mass", 1e6),
    "ml": ("volume", 1), "l": ("volume", 1000), "dl": ("volume", 100), "litres": ("volume", 1000), "liters": ("volume", 1000),
    "cc": ("volume", 1), "millilitres": ("volume", 1), "milliliters": ("volume", 1),
    "s": ("time", 1), "seconds": ("time", 1), "ms": ("time", 0.001), "min": ("time", 60), "minutes": ("time", 60),
    "minute": ("time", 60), "h": ("time", 3600), "hr": ("time", 3600), "hrs": ("time", 3600), "hours": ("time", 3600),
    "hour": ("time", 3600), "days": ("time", 86400), "day": ("time", 86400), "weeks": ("time", 604800),
    "week": ("time", 604800), "months": ("time", 2629800), "month": ("time", 2629800), "years": ("time", 31557600),
    "year": ("time", 31557600), "yr": ("time", 31557600),
    "mg/dl": ("mass/volume", 10), "g/dl": ("mass/volume", 1e4), "g/l": ("mass/volume", 1e3), "mg/l": ("mass/volume", 1),
    "mg/ml": ("mass/volume", 1e3), "ng/ml": ("mass/volume", 0.001), "µg/l": ("mass/volume", 0.001),
    "ug/l": ("mass/volume", 0.001), "pg/ml": ("mass/volume", 1e-6), "ng/dl": ("mass/volume", 1e-5), "ng/l": ("mass/volume", 1e-6),
    "µg/ml": ("mass/volume", 1), "mcg/ml": ("mass/volume", 1), "µg/dl": ("mass/volume", 0.01),
    "mmol/l": ("moles/volume", 1), "µmol/l": ("moles/volume", 0.001), "umol/l": ("moles/volume", 0.001),
    "nmol/l": ("moles/volume", 1e-6), "meq/l": ("moles/volume", 1), "mmol/mol": ("mmol/mol", 1),
    "%": ("share", 0.01), "percent": ("share", 0.01), "per cent": ("share", 0.01), "percentage points": ("share", 0.01),
    "percentage point": ("share", 0.01), "hu": ("hu", 1), "mmhg": ("pressure", 1), "mm hg": ("pressure", 1), "cmhg": ("pressure", 10), "cm hg": ("pressure", 10),
    "kpa": ("pressure", 7.50062), "cmh2o": ("pressure", 0.735559), "ml/min": ("clearance", 1), "kg/m2": ("bmi", 1),
    "kg/m²": ("bmi", 1), "mg/kg": ("dose", 1), "µg/kg": ("dose", 0.001), "g/kg": ("dose", 1000), "bpm": ("rate", 1), "per minute": ("rate", 1), "/min": ("rate", 1), "/minute": ("rate", 1),
    "beats per minute": ("rate", 1), "beats/min": ("rate", 1), "breaths per minute": ("rate", 1), "°c": ("celsius", 1),
    "°f": ("fahrenheit", 1), "°": ("angle", 1), "degrees": ("angle", 1), "degree": ("angle", 1), "gy": ("dose Gy", 1),
    "cgy": ("dose Gy", 0.01), "msv": ("dose Sv", 1), "iu": ("units", 1), "units": ("units", 1), "fold": ("fold", 1),
    "times": ("fold", 1), "u/l": ("activity", 1), "iu/l": ("activity", 1),
}  # fmt: skip
_MOLAR = {  # g/mol, as the laboratory reports them (urea nitrogen and phosphate by their element)
    "creatinine": 113.12, "glucose": 180.16, "cholesterol": 386.65, "ldl": 386.65, "hdl": 386.65, "triglycerid": 885.7,
    "bilirubin": 584.66, "calcium": 40.08, "uric": 168.11, "urate": 168.11, "phosph": 30.97, "magnesium": 24.305,
    "lactate": 90.08, "urea": 28.01, "bun": 28.01, "h(?:a)?emoglobin": 16114.0, "digoxin": 780.9, "vitamin d": 400.6,
}  # fmt: skip
_UNITS = "|".join(sorted((re.escape(unit) for unit in _SCALE), key=len, reverse=True))
_NUMBER = r"\d{1,3}(?:[,\u202f]\d{3})+(?:\.\d+)?|\d*\.?\d+"
_QUANTITY = re.compile(
    rf"(?<![\w.])([-+−]?)({_NUMBER})(?:\s?-?\s?({_UNITS})(?:/1\.73\s?m[2²])?(?![\w/]))?(?![\w]|\.\d)", re.IGNORECASE
)
_LABELLED = re.compile(
    r"\b(grade|stage|class|type|phase|category|zone|tier)s?\s+(iv|iii|ii|i|v|\d+)(?=[\sabc.,;):]|$)", re.I
)
_SCORE = re.compile(
    r"\b([A-Z][A-Z-]{2,})\s(\d{1,3})\b(?![\d.,]*\d|\s?(?:%|[a-zA-Zµ]+/|mg|mm|cm|ml|points?|patients|days|weeks|months|years))"
)
"""A score whose number is part of its name, as in "PASI 75"."""
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}
_ABOUT = re.compile(
    r"(?:about|approximately|approx\.?|around|roughly|nearly|almost|circa|some|~|≈|close to|estimated|just over|just under)\s*[≈~]?$",
    re.I,
)
_LEAST = re.compile(
    r"(?:≥|>|>=|at least|over|above|more than|greater than|older than|exceed\w*|no less than|not less than|minimum of|higher than|upwards of)\s*(?:age\s)?≈?$",
    re.I,
)
_MOST = re.compile(
    r"(?:≤|<|<=|under|below|less than|fewer than|at most|up to|no more than|not more than|younger than|lower than|maximum of|not exceed\w*)\s*(?:age\s)?≈?$",
    re.I,
)
_LEAST_AFTER = re.compile(r"\s*(?:\+|or (?:more|higher|older|above|greater|over|longer)|and (?:above|over|older))", re.I)
_MOST_AFTER = re.compile(r"\s*(?:or (?:less|lower|fewer|younger|below|under)|and (?:below|under|younger))", re.I)
_ONES = {
    word: n
    for n, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS = {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)}  # noqa: SIM905
_WORD = "|".join([*_TENS, *sorted(_ONES, key=len, reverse=True)])
_WORDS = re.compile(
    rf"\b({'|'.join(_TENS)})(?:[\s-]({'|'.join(list(_ONES)[1:10])}))?\b|\b({'|'.join(list(_ONES)[2:])})\b", re.I
)
_PER_DAY: tuple[tuple[str, float], ...] = (
    (r"\b(?:once|one time|1 times?) (?:a |per |every )?(?:day|daily)\b|\bonce[- ]daily\b|\bevery day\b|\bq\.?d\b|\bevery 24 h(?:ours)?\b|\bevery morning\b", 1),
    (r"\b(?:twice|two times|2 times) (?:a |per |every )?(?:day|daily)\b|\btwice[- ]daily\b|\bb\.?i\.?d\b|\bevery 12 h(?:ours)?\b|\bq12h\b", 2),
    (r"\b(?:thrice|three times|3 times) (?:a |per |every )?(?:day|daily)\b|\bt\.?i\.?d\b|\bevery 8 h(?:ours)?\b|\bq8h\b", 3),
    (r"\b(?:four times|4 times) (?:a |per |every )?(?:day|daily)\b|\bq\.?i\.?d\b|\bevery 6 h(?:ours)?\b|\bq6h\b", 4),
    (r"\b(?:twice|two times) (?:a |per )?week(?:ly)?\b", 2 / 7),
    (r"\b(?:once|one time) (?:a |per |every )?week(?:ly)?\b|\bonce[- ]weekly\b|\b(?:every|each|per) week\b|\bweekly\b", 1 / 7),
    (r"\b(?:once|one time) (?:a |per |every )?month(?:ly)?\b|\bmonthly\b|\b(?:every|each|per) month\b", 1 / 30),
    (r"\bdaily\b(?! (?:dos|total|amount|intake|life|living|activit|practice))", 1),
)  # fmt: skip
_SHARES: tuple[tuple[str, str], ...] = (
    (r"\b(?:an?|one) (hour|day|week|month|year) and a half\b", r"1.5 \1s"), (r"\b(?:the )?(other|same|first|last|next) (?=(?:two|three|four)\b)", r"\1 "),
    (r"\b(?:the|these|those|its|their|between) (?:two|three|four)(?= (?!hours|days|weeks|months|years|of|in|out|thirds|quarters|points)[a-z])", " "),
    (r"(?<!\d )(?<!\d-)(?<!per )(?<!a )(?<!each )\b(day|week|month|year|hour|minute) (\d+)\b(?![.,]?\d|\s?(?:%|mg|ml|mm|days?|weeks?|months?|years?))", r"\2 \1s"),
    (r"\bhalf a year\b", "6 months"), (r"(?<!times )(?<!once )(?<!twice )(?<!thrice )(?<!fold )(?<! g )(?<!mg )(?<!units )\ba (?=(?:year|month|week|day|hour)\b)", "1 "), (r"\bone (?=(?:year|month|week|day|hour)s?\b)", "1 "),
    (r"\bthree[- ]quarters?\b", "≈75 %"), (r"\btwo[- ]thirds\b", "≈66.7 %"), (r"\b(?:a|one)[- ]third\b", "≈33.3 %"),
    (r"\b(?:a|one)[- ]quarter\b", "≈25 %"), (r"\b(?:a|one)[- ]fifth\b", "≈20 %"), (r"\b(?:a|one)[- ]tenth\b", "≈10 %"), (r"\btwo[- ]fifths\b", "≈40 %"), (r"\bthree[- ]fifths\b", "≈60 %"),
    (r"\bhalf as (?=often|many|much|common|frequent|likely|high|long)", "≈0.5 fold "),
    (r"\b(?:more|less) than (?:halving|halved|halves)\b", "less than 0.5 fold"), (r"\bhalving\b|\bhalved\b|\bhalves\b|\bby half\b", "halved ≈0.5 fold"),
    (r"\b(first|last|next) (?=(?:hour|day|week|month|year)\b)", r"\1 1 "), (r"\b(?:a )?fortnight\b", "2 weeks"), (r"\b(?:one[- ])?half\b(?![- ](?:a\b|an\b|life|hour|dose|yearly|time))", r"≈50 %"),
    (r"\bmore than doubl(?:ed|es|ing)\b", "more than 2 fold"), (r"\bmore than tripl(?:ed|es|ing)\b", "more than 3 fold"),
    (r"\bdoubl(?:ed?|es|ing)\b(?![- ]blind)|\btwice (?=as|the)|\btwo[- ]?fold\b", "doubled ≈2 fold "),
    (r"\btripl(?:ed?|es|ing)\b|\bthree[- ]?fold\b|\bthree times (?=as|the)", "tripled ≈3 fold "),
)  # fmt: skip


@dataclass(frozen=True)
class Quantity:
    """A number as written, its dimension ("" for a bare number) and the factor to the dimension's base unit.

    `at` is where it stands in the prepared text; `derived` marks what was computed (a share of a count).
    """

    number: float
    dimension: str
    factor: float
    text: str
    decimals: int
    at: int = 0
    bound: Bound = ""
    about: bool = False
    derived: bool = False

    @property
    def value(self) -> float:
        """The number in the base unit."""
        return self.number * self.factor


def prepare(text: str) -> str:
    """Number words, fractions and ranges as figures; the text that positions refer to."""
    text = re.sub(rf"\b({_WORD}|\d+) and a half\b", lambda m: f"{_value(m[1]) + 0.5:g}", text, flags=re.I)
    text = re.sub(
        r"\b(\d{2,3})\s?/\s?(\d{2,3})\s?mm\s?Hg\b", r"systolic pressure \1 mmHg and diastolic pressure \2 mmHg", text
    )
    text = re.sub(rf"(?<=\d)(\s?(?:{_UNITS}))\s(?:a|an|per|each) (?:day|year|month|week|hour)\b", r"\1", text, flags=re.I)
    text = re.sub(r"\b(?:no one|one another|one of)\b", " ", text, flags=re.I)
    text = re.sub(r"\bper (10{2,5}|1,000|10,000|100,000)\b", lambda m: "per" + "ten" * m[1].count("0"), text)
    for pattern, figure in _SHARES:
        text = re.sub(pattern, figure, text, flags=re.I)
    text = re.sub(rf"(?<![\d.])\b(one|{_WORD}|\d+) (?:in|out of) (?:every )?({_WORD}|\d+)\b", _one_in, text, flags=re.I)
    text = _WORDS.sub(_digits, text)
    text = re.sub(r"(?<=\d)\s*hundred\b", "00", text)
    text = re.sub(r"(?<=\d)\s*thousand\b", "000", text)
    text = re.sub(r"(?<=\d)\s*±\s*(?=\d)", " plus or minus ", text)
    return re.sub(r"(?<=\d)\s?(%?)\s*[-‐‑–—]\s*(?=\d)", r"\1 to ", text)


def _value(word: str) -> int:
    return _ONES.get(word.lower(), _TENS.get(word.lower(), 0)) or int(word) if not word.isdigit() else int(word)


def _digits(match: re.Match[str]) -> str:
    tens, one, small = match.groups()
    if small:
        return str(_ONES[small.lower()])
    return str(_TENS[tens.lower()] + (_ONES[one.lower()] if one else 0))


def _one_in(match: re.Match[str]) -> str:
    part, whole = (_ONES.get(word.lower(), _TENS.get(word.lower(), 0)) or int(word) for word in match.groups())
    return f"≈{100 * part / whole:.3g} %" if 0 < part < whole else match.group()


def quantities_of(prepared: str) -> tuple[Quantity, ...]:
    """Every quantity of a prepared text, with shares of counts ("17 of 200") computed beside."""
    found: list[Quantity] = []
    text = prepared
    for pattern, per_day in _PER_DAY:
        for match in re.finditer(pattern, text, re.I):
            found.append(Quantity(per_day, "per day", 1, match.group(), 2, match.start()))
        text = re.sub(pattern, lambda m: " " * len(m.group()), text, flags=re.I)
    for match in _LABELLED.finditer(text):
        number = _ROMAN.get(match[2].lower()) or int(match[2])
        found.append(Quantity(number, match[1].lower(), 1, match.group(), 0, match.start(2)))
    text = _LABELLED.sub(lambda m: " " * len(m.group()), text)
    for match in _SCORE.finditer(text):
        found.append(Quantity(int(match[2]), match[1].lower().replace("-", ""), 1, match.group(), 0, match.start(2)))
    text = _SCORE.sub(lambda m: " " * len(m.group()), text)
    matches = list(_QUANTITY.finditer(text))
    for index, match in enumerate(matches):
        after = matches[index + 1] if index + 1 < len(matches) else None
        found.append(_quantity(text, match, after))
    for match in re.finditer(rf"({_NUMBER})(?:\s\w+)?\s(?:of|/|out of)\s(?:the |all )?({_NUMBER})(?!\s?(?:mm|mg|%))", text):
        part, whole = (float(value.replace(",", "")) for value in match.groups())
        if 0 < part < whole:
            found.append(Quantity(100 * part / whole, "share", 0.01, match.group(), 6, match.start(), derived=True))
    return tuple(found)


def _quantity(text: str, match: re.Match[str], after: re.Match[str] | None) -> Quantity:
    sign, number, unit = match.groups()
    if not unit and after is not None and after[3]:
        between = text[match.end() : after.start()]
        joined = between.strip() in ("to", "or", "plus or minus") or (
            between.strip() == "and" and re.search(r"\bbetween\s$", text[: match.start()])
        )
        unit = after[3] if joined else unit
    dimension, factor = _SCALE[unit.lower().replace("\u03bc", "\u00b5")] if unit else ("", 1.0)
    plain = re.sub(r"[,\u202f]", "", number)
    before, behind = text[: match.start()][-24:], text[match.end() :][:24]
    bound: Bound = ""
    if _MOST.search(before) or _MOST_AFTER.match(behind):
        bound = "most"
    elif _LEAST.search(before) or _LEAST_AFTER.match(behind):
        bound = "least"
    return Quantity(
        number=float(plain) * (-1 if sign in ("-", "−") else 1),
        dimension=dimension,
        factor=factor,
        text=match.group().strip(),
        decimals=len(plain.partition(".")[2]),
        at=match.start(),
        bound=bound,
        about=bool(_ABOUT.search(before)),
    )


def agrees(mine: Quantity, theirs: Quantity, context: str) -> bool:
    """Whether a source's quantity carries the claimed one: same dimension or convertible, equal as far as written."""
    if {mine.bound, theirs.bound} == {"least", "most"}:
        return False
    converted = _in_unit_of(mine, theirs, context)
    if converted is None:
        return False
    same_unit = (mine.dimension == theirs.dimension and mine.factor == theirs.factor) or "" in (
        mine.dimension,
        theirs.dimension,
    )
    return _equal(mine, converted, 1e-9 if same_unit else _tolerance(mine, theirs))


def _tolerance(mine: Quantity, theirs: Quantity) -> float:
    """Months and years are not a whole number of days or weeks."""
    months = mine.dimension == "time" and (mine.factor < _MONTH <= theirs.factor or theirs.factor < _MONTH <= mine.factor)
    return 0.09 if months else 0.015


_MONTH = 2629800


def _in_unit_of(mine: Quantity, theirs: Quantity, context: str) -> float | None:
    if mine.dimension == theirs.dimension:
        return theirs.value / mine.factor
    pair = {mine.dimension, theirs.dimension}
    if "" in pair:
        if "share" in pair:
            shares = (mine.number, theirs.number, theirs.value / mine.factor)
            return next((value for value in shares[1:] if _equal(mine, value, 1e-9)), theirs.number)
        return None if pair & {"per day", "fold"} else theirs.number
    if pair == {"mass/volume", "moles/volume"}:
        molar = next((m for name, m in _MOLAR.items() if re.search(name, context, re.I)), None)
        if molar is None:
            return None
        base = theirs.value / molar if mine.dimension == "moles/volume" else theirs.value * molar
        return base / mine.factor
    if pair == {"fold", "share"}:  # halved is a fall by 50 %
        return 100 - 100 * theirs.number if mine.dimension == "share" else 1 - theirs.number / 100
    if pair == {"celsius", "fahrenheit"}:
        return theirs.number * 9 / 5 + 32 if mine.dimension == "fahrenheit" else (theirs.number - 32) * 5 / 9
    if pair == {"share", "mmol/mol"}:  # HbA1c, NGSP to IFCC
        return 10.93 * theirs.number - 23.5 if mine.dimension == "mmol/mol" else (theirs.number + 23.5) / 10.93
    return None


def near(mine: Quantity, value: float) -> bool:
    """Whether a computed value is what is claimed, as far as the claim is written out."""
    if mine.bound:
        return (
            mine.number < value <= 1.25 * mine.number if mine.bound == "least" else 0.75 * mine.number <= value < mine.number
        )
    return _equal(mine, value, 1e-6) or abs(mine.number - value) <= 0.51 * 10.0**-mine.decimals * (
        1 if mine.number >= 10 or mine.decimals else 0
    )


def _equal(mine: Quantity, theirs: float, tolerance: float) -> bool:
    size = max(abs(theirs), 1e-9)
    if abs(mine.number - theirs) <= 1e-9 + tolerance * size:
        return True
    if mine.about and abs(mine.number - theirs) <= 0.08 * size:
        return True
    half_a_digit = 0.5 * 10.0**-mine.decimals + 1e-9
    return abs(mine.number - theirs) <= half_a_digit and abs(mine.number - theirs) <= (0.13 if mine.about else 0.07) * size
