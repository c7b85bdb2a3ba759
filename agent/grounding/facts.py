"""What a sentence asserts, as far as rules can tell: quantities, levels, sides, direction, negation, quotes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_SCALE: dict[str, tuple[str, float]] = {
    "mm": ("length", 1), "cm": ("length", 10), "m": ("length", 1000), "µm": ("length", 0.001), "um": ("length", 0.001),
    "mg": ("mass", 1), "g": ("mass", 1000), "kg": ("mass", 1e6), "µg": ("mass", 0.001), "mcg": ("mass", 0.001),
    "ug": ("mass", 0.001), "ml": ("volume", 1), "l": ("volume", 1000), "dl": ("volume", 100),
    "s": ("time", 1), "ms": ("time", 0.001), "min": ("time", 60), "h": ("time", 3600), "hours": ("time", 3600),
    "hour": ("time", 3600), "days": ("time", 86400), "day": ("time", 86400), "weeks": ("time", 604800),
    "week": ("time", 604800), "months": ("months", 1), "month": ("months", 1), "years": ("months", 12),
    "year": ("months", 12), "mg/dl": ("mass/volume", 10), "g/dl": ("mass/volume", 1e4), "g/l": ("mass/volume", 1e3),
    "mg/l": ("mass/volume", 1), "ng/ml": ("mass/volume", 0.001), "µg/l": ("mass/volume", 0.001),
    "mmol/l": ("moles/volume", 1), "µmol/l": ("moles/volume", 0.001), "umol/l": ("moles/volume", 0.001),
    "%": ("share", 0.01), "percent": ("share", 0.01), "hu": ("hu", 1), "mmhg": ("pressure", 1),
    "ml/min": ("clearance", 1), "kg/m2": ("bmi", 1),
}  # fmt: skip
_UNITS = "|".join(sorted((re.escape(unit) for unit in _SCALE), key=len, reverse=True))
_QUANTITY = re.compile(
    rf"(?<![\w.])([-+−]?\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|[-+−]?\d*\.?\d+)\s?({_UNITS})?(?![\w])", re.IGNORECASE
)
_LEVEL = re.compile(r"\b([CTL])(\d{1,2})\b")
_DATE = re.compile(r"\b(\d{4})-(\d{2})(?:-(\d{2}))?\b")
_QUOTED = re.compile(r"“([^”]{3,})”|\"([^\"]{3,})\"")
_SIDES = {"left": "left", "right": "right", "bilateral": "both"}
_UP = re.compile(r"\b(increas\w*|rais\w*|ris(?:e|es|ing|en)|rose|higher|greater|more than|above|improv\w*|elevat\w*|gain\w*|better|longer|outperform\w*|exceed\w*)\b")  # fmt: skip
_DOWN = re.compile(r"\b(decreas\w*|reduc\w*|lower\w*|fall\w*|fell|less than|fewer|below|worse\w*|declin\w*|drop\w*|smaller|shorter|los[st]\w*)\b")  # fmt: skip
_NEGATION = re.compile(r"\b(no|not|never|none|without|cannot|neither|nor|absent|denies|refuted|ruled out|n't)\b|n't\b")


@dataclass(frozen=True)
class Quantity:
    """A number in the base unit of its dimension; `dimension` is empty for a bare number."""

    value: float
    dimension: str
    text: str

    def agrees(self, other: Quantity) -> bool:
        """Equal to the written precision of the coarser one; a bare number meets any dimension as written."""
        if self.dimension and other.dimension and self.dimension != other.dimension:
            return False
        mine, theirs = self.value, other.value
        if bool(self.dimension) != bool(other.dimension):
            # 0.25 and 25 % are the same share; otherwise a unit was left out and the written number must match.
            written = [float(re.sub(r"[^\d.\-]", "", q.text.replace("−", "-")) or "nan") for q in (self, other)]
            if "share" in (self.dimension, other.dimension) and abs(mine - theirs) <= 1e-9 + 0.005 * abs(theirs):
                return True
            return abs(written[0] - written[1]) < 1e-9
        return abs(mine - theirs) <= 1e-9 + 0.004 * abs(theirs)


@dataclass(frozen=True)
class Facts:
    """What rules find in a text."""

    quantities: tuple[Quantity, ...]
    levels: frozenset[str]
    sides: frozenset[str]
    dates: frozenset[str]
    quotes: tuple[str, ...]
    up: bool
    down: bool
    negated: bool
    words: frozenset[str]


def normalise(text: str) -> str:
    """Unicode compatibility form, soft hyphens and line-break hyphens out, quotes and spaces made plain, lower case."""
    text = unicodedata.normalize("NFKC", text).replace("\u00ad", "")
    text = re.sub(r"(?<=\w)-\s*\n\s*(?=\w)", "", text)
    text = text.translate(str.maketrans("“”„‘’‚‐‑–—−", "\"\"\"'''-----"))
    return " ".join(text.split()).lower()


def facts_of(text: str) -> Facts:
    """Read the facts of a sentence or a source."""
    plain = unicodedata.normalize("NFKC", text)
    lower = plain.lower()
    dates = frozenset("-".join(part for part in match if part) for match in _DATE.findall(plain))
    without = _LEVEL.sub(" ", _DATE.sub(" ", plain))
    return Facts(
        quantities=tuple(_quantities(without)),
        levels=frozenset(letter + number for letter, number in _LEVEL.findall(plain)),
        sides=frozenset(side for word, side in _SIDES.items() if re.search(rf"\b{word}\b", lower)),
        dates=dates,
        quotes=tuple(first or second for first, second in _QUOTED.findall(plain)),
        up=bool(_UP.search(lower)),
        down=bool(_DOWN.search(lower)),
        negated=bool(_NEGATION.search(lower)),
        words=content_words(lower),
    )


def _quantities(text: str) -> list[Quantity]:
    found = []
    for number, unit in _QUANTITY.findall(text):
        value = float(number.replace(",", "").replace("−", "-"))
        dimension, scale = _SCALE.get(unit.lower(), ("", 1.0)) if unit else ("", 1.0)
        found.append(Quantity(value * scale, dimension, f"{number}{' ' + unit if unit else ''}"))
    return found


_STOP = frozenset(
    """a an the of in on at to for with and or is are was were be been has have had it its this that these those by as
    from than then which who whose into over under their there against about""".split()  # noqa: SIM905
)


def content_words(text: str) -> frozenset[str]:
    """Words that carry meaning, by a rough stem of up to six letters."""
    return frozenset(word[:6] for word in re.findall(r"[^\W\d_]{2,}", text.lower()) if word not in _STOP)
