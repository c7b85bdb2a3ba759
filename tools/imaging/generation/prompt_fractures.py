"""Deformed levels in a prompt: "30 % wedge at L1 and a severe crush fracture of T12"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import InputError
from tools.imaging.compression import Kind
from tools.imaging.generation.attributes import LEAST_LOSS, MOST_FRACTURES, MOST_LOSS, WHOLE, Wish

LEVEL = re.compile(r"\b([tld]\s?-?\d{1,2})\b(?!\s*(?:%|mm|cm))")
RANGE = re.compile(r"\b([tld]\s?-?\d{1,2})\s*(?:to|through|until|–|-|\.\.)\s*([tld]\s?-?\d{1,2})\b")
SEVERITY = {"mild": 22.5, "slight": 22.5, "moderate": 32.5, "severe": 48.0, "marked": 48.0}
"""Per cent of height for a word: the middle of Genant's mild (20-25), moderate (25-40), and a clear severe (above 40)."""
_GRADES = {"1": "mild", "2": "moderate", "3": "severe"}
_WORD = re.compile(r"\b(mild|slight|moderate|severe|marked)\b(?!\s+(?:\w+\s+)?(?:scolio|kypho|lordo|osteo))")
_GRADE = re.compile(r"\bgrade\s*([123])\b")
_PERCENT = re.compile(r"(-?\d{1,3}(?:\.\d+)?)\s*%")
_KINDS: dict[Kind, str] = {
    "wedge": r"\bwedg\w+",
    "biconcave": r"\b(?:bi-?)?concave\b",
    "crush": r"\bcrush\w*|\bcollaps\w+|\bvertebra plana\b",
}
_FRACTURE = re.compile(r"\bfractur\w*|\bcompress\w+|\bdeform\w+|\bvcfs?\b|\bheight loss\b|\bloss of height\b|\blost\b")
_NEGATED = re.compile(r"\b(?:no|without(?: any| a)?|free of)\s+(?:\w+\s+){0,2}?(?:fracture|deformit|wedg|collapse)\w*")
_SPLIT = re.compile(r"\s*(?:,|;|\band\b|\bplus\b|\bwith\b|\bbut\b|/|&)\s*")


def level_name(text: str) -> str:
    """The level that "l 1" or "D12" names: "L1", "T12".

    Raises:
        InputError: there is no such level.
    """
    name = re.sub(r"[\s-]", "", text).upper().replace("D", "T")
    if name not in WHOLE:
        raise InputError(f"{name} is not a level that can be drawn: T1 to T12 and L1 to L5 are.")
    return name


@dataclass
class _Group:
    """Levels that share a description, while it is being read."""

    levels: list[str] = field(default_factory=list)
    kind: Kind | None = None
    percent: float | None = None
    said: bool = False


def fractures_of(text: str, shown: Sequence[str], assumed: list[str]) -> tuple[Wish, ...]:
    """Deformed levels, from head to foot; what was filled in is added to `assumed`.

    Raises:
        InputError: a level has two shapes or severities, is not shown, or its loss cannot be drawn.
    """
    groups = [group for group in _groups(_NEGATED.sub(" ", RANGE.sub(" ", text))) if group.said]
    wishes: dict[str, Wish] = {}
    for group in groups:
        for level in group.levels or [_default_level(shown, assumed)]:
            wish = _wish(level, group, assumed)
            if level in wishes:
                raise InputError(f"The prompt describes {level} twice. Please give each level one shape and one severity.")
            if level not in shown:
                raise InputError(
                    f"{level} lies outside what is to be drawn ({shown[0]} to {shown[-1]}). Name another region, or levels "
                    f"such as '{_around(level)}'."
                )
            wishes[level] = wish
    if len(wishes) > MOST_FRACTURES:
        raise InputError(f"At most {MOST_FRACTURES} vertebrae can be deformed at a time, got {len(wishes)}.")
    return tuple(wishes[level] for level in WHOLE if level in wishes)


def _groups(text: str) -> list[_Group]:
    groups: list[_Group] = []
    for part in (piece for piece in _SPLIT.split(text) if piece.strip()):
        new = _described(part)
        last = groups[-1] if groups else None
        if last is None:
            groups.append(new)
        elif new.levels and not new.said and last.said and last.levels:
            last.levels += new.levels  # "crush fractures of T12 and L1"
        elif new.said and not last.said and last.levels:
            new.levels = list(dict.fromkeys(last.levels + new.levels))  # "L1 and L2 with wedges", "T12 and L1 fractures"
            groups[-1] = new
        elif new.levels and not new.said and not last.said:
            last.levels += new.levels
        elif new.said and not new.levels and last.said:
            _complete(last, new)
        elif new.said or new.levels:
            groups.append(new)
    return groups


def _complete(last: _Group, new: _Group) -> None:
    """Add what a later phrase says of the same levels: "L2 biconcave, moderate"."""
    for name, told in (("kind", new.kind), ("percent", new.percent)):
        if told is None:
            continue
        if getattr(last, name) not in (None, told):
            where = ", ".join(last.levels) or "the deformed vertebra"
            raise InputError(f"The prompt gives {where} two of one kind: {getattr(last, name)} and {told}. Please give one.")
        setattr(last, name, told)


def _described(part: str) -> _Group:
    kinds: list[Kind] = [kind for kind, pattern in _KINDS.items() if re.search(pattern, part)]
    if len(kinds) > 1 and kinds != ["wedge", "crush"]:
        raise InputError(f"A deformity has one shape, got {' and '.join(kinds)} in {part.strip()!r}.")
    amounts = _amounts(part)
    if len(amounts) > 1:
        raise InputError(f"A level has one severity, got several in {part.strip()!r}.")
    said = bool(kinds or _FRACTURE.search(part) or (amounts and (LEVEL.search(part) or _PERCENT.search(part))) or
                (amounts and re.fullmatch(r"\W*(?:genant )?(?:grade )?\w+\W*", part)))  # fmt: skip
    return _Group(
        levels=list(dict.fromkeys(level_name(found) for found in LEVEL.findall(part))),
        kind=kinds[0] if kinds else None,
        percent=amounts[0] if amounts else None,
        said=said,
    )


def _amounts(part: str) -> list[float]:
    """Losses in per cent that a phrase names; a number and a word that agree with it count once."""
    numbers = [float(found) for found in _PERCENT.findall(part)]
    for number in numbers:
        if not LEAST_LOSS <= number <= MOST_LOSS:
            raise InputError(f"A loss of height can be {LEAST_LOSS:.0f} to {MOST_LOSS:.0f} %, got {number:g} %.")
    words = list(dict.fromkeys([*_WORD.findall(part), *(_GRADES[found] for found in _GRADE.findall(part))]))
    spoken = list(dict.fromkeys(SEVERITY[word] for word in words))
    if numbers and spoken:
        if any(_word_of(numbers[0]) != _word_of(amount) for amount in spoken):
            raise InputError(f"{part.strip()!r} contradicts itself: {numbers[0]:g} % is not {words[0]} (Genant).")
        return numbers
    return numbers or spoken


def _word_of(percent: float) -> str:
    return "severe" if percent >= 40 else "moderate" if percent >= 25 else "mild"


def _wish(level: str, group: _Group, assumed: list[str]) -> Wish:
    if group.kind is None:
        assumed.append(f"{level}: no shape was named: wedge")
    if group.percent is None:
        assumed.append(f"{level}: no severity was named: moderate, {SEVERITY['moderate']:g} %")
    return Wish(level=level, kind=group.kind or "wedge", percent=group.percent or SEVERITY["moderate"])


def _default_level(shown: Sequence[str], assumed: list[str]) -> str:
    level = "L1" if "L1" in shown[:-1] else "T8" if "T8" in shown else shown[len(shown) // 2]
    assumed.append(f"no level was named for the deformity: {level}")
    return level


def _around(level: str) -> str:
    place = WHOLE.index(level)
    return f"{WHOLE[max(place - 3, 0)]} to {WHOLE[min(place + 3, len(WHOLE) - 1)]}"
