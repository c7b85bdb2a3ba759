"""From words to attributes: a prompt is read by rules, and what it asks for beyond the model's world is declined.

Nothing is guessed silently: what was assumed and which words were passed over are returned beside the attributes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pydantic import ValidationError

from core.errors import InputError
from tools.imaging.generation.attributes import (
    MOST_COBB,
    MOST_COUNT,
    REGION_LEVELS,
    WHOLE,
    Curve,
    Density,
    Region,
    Sex,
    Size,
    SpineAttributes,
    View,
    levels_between,
)
from tools.imaging.generation.prompt_fractures import LEVEL, RANGE, fractures_of, level_name
from tools.imaging.generation.prompt_words import (
    ABLE,
    DENSITY,
    KNOWN,
    LARGE,
    MEDICAL_ENDING,
    NO_FRACTURE,
    OUTSIDE,
    SMALL,
    SPINE,
    STOP,
    VIEW_WORDS,
)


@dataclass(frozen=True)
class Request:
    """A prompt as understood.

    `views` are the projections named (empty: none), `assumed` what was filled in, `passed_over` words without a meaning here.
    """

    prompt: str
    attributes: SpineAttributes
    views: tuple[View, ...] = ()
    count: int = 1
    assumed: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = field(default=())


def read_prompt(prompt: str) -> Request:
    """Read a prompt.

    Raises:
        InputError: it asks for something outside the model's world, contradicts itself, or names an impossible level or
            amount; the message says what can be asked for.
    """
    text = _plain(prompt)
    _refuse_outside(text)
    assumed: list[str] = []
    shown, region = _where(text, assumed)
    density = _density(text)
    wishes = fractures_of(text, shown or levels_between(*REGION_LEVELS[region]), assumed)
    if wishes and re.search(NO_FRACTURE, text):
        raise InputError("The prompt asks for a deformed vertebra and for none. Please leave one of the two out.")
    if density is None and wishes and re.search(r"\bosteoporotic\b", text):
        density = "osteoporosis"
    try:
        attributes = SpineAttributes(
            region=region,
            levels=shown,
            fractures=wishes,
            density=density or "normal",
            kyphosis=_curve(text, "kypho"),
            lordosis=_curve(text, "lordo"),
            cobb_deg=_cobb(text, assumed),
            size=_size(text),
            sex=_sex(text),
            age=_age(text),
        )
    except ValidationError as error:
        raise InputError(f"This cannot be drawn: {_reason(error)}. {ABLE}") from error
    return Request(prompt, attributes, _views(text), _count(text), tuple(assumed), _passed_over(text))


def _plain(prompt: str) -> str:
    text = " ".join(prompt.lower().replace("per cent", "%").replace("percent", "%").split())
    if len(text) > 2000:
        raise InputError(f"A prompt has at most 2000 characters, got {len(text)}.")
    if not text:
        raise InputError(f"The prompt is empty. {ABLE}")
    return text


def _refuse_outside(text: str) -> None:
    for pattern, what in OUTSIDE:
        if found := re.search(pattern, text):
            raise InputError(f"{what} ({found.group(0).strip()!r}) is outside what this model can draw. {ABLE}")
    if not (re.search(SPINE, text) or LEVEL.search(text)):
        raise InputError(f"The prompt names no part of the spine. {ABLE}")
    strange = [word for word in _passed_over(text) if re.search(MEDICAL_ENDING, word)]
    if strange:
        raise InputError(f"{', '.join(strange)} is not something this model can draw. {ABLE}")


_REGION_WORDS: dict[Region, str] = {
    "thoracolumbar": r"\bthoraco-?\s?lumbar\b|\bwhole (?:thoracic and lumbar )?spine\b",
    "thoracic": r"\b(?:thoracic|dorsal)\b(?! and lumbar)",
    "lumbar": r"(?<!thoraco-)(?<!thoraco)(?<!thoracic and )\blumbar\b",
}


def _where(text: str, assumed: list[str]) -> tuple[tuple[str, ...], Region]:
    """The levels that are named as a range (or none), and the region."""
    named = [name for name, pattern in _REGION_WORDS.items() if re.search(pattern, text)]
    if re.search(r"\bthoracic and lumbar\b", text):
        named = ["thoracolumbar"]
    if "thoracic" in named and "lumbar" in named:
        named = ["thoracolumbar"]
    if found := RANGE.search(text):
        first, last = level_name(found.group(1)), level_name(found.group(2))
        shown = levels_between(first, last)
        return shown, _region_of(shown)
    if named:
        return (), named[0]
    mentioned = [level_name(found) for found in LEVEL.findall(text)]
    if not mentioned:
        assumed.append("no region was named: lumbar")
        return (), "lumbar"
    region = _region_around(mentioned)
    assumed.append(f"no region was named: {region}, which holds {', '.join(mentioned)}")
    return (), region


def _region_of(shown: tuple[str, ...]) -> Region:
    if shown[-1].startswith("T"):
        return "thoracic"
    return "lumbar" if WHOLE.index(shown[0]) >= WHOLE.index("T11") else "thoracolumbar"


def _region_around(mentioned: list[str]) -> Region:
    order: tuple[Region, ...] = ("lumbar", "thoracolumbar", "thoracic")
    for region in order:
        shown = levels_between(*REGION_LEVELS[region])
        if set(mentioned) <= set(shown[1:] if shown[-1] == "L5" else shown):
            return region
    raise InputError(
        f"{', '.join(mentioned)} do not fit on one picture of a region; please name the levels to draw, such as 'T4 to L4'."
    )


def _density(text: str) -> Density | None:
    found = [name for name, pattern in DENSITY.items() if re.search(pattern, text)]
    if len(found) > 1:
        raise InputError(f"The prompt asks for two bone densities ({', '.join(found)}). Please name one.")
    return found[0] if found else None


def _curve(text: str, stem: str) -> Curve:
    if re.search(rf"\b(?:no|without|normal) (?:increased |hyper-?)?(?:thoracic |lumbar )?{stem}", text):
        return "normal"
    more = re.search(
        rf"\bhyper-?{stem}|\b(?:increased|marked|pronounced|severe|exaggerated) (?:thoracic |lumbar )?{stem}", text
    )
    less = re.search(
        rf"\b(?:reduced|loss of|lost|flat(?:tened)?|straightened) (?:the )?(?:thoracic |lumbar )?{stem}|\bhypo-?{stem}", text
    )
    if more and less:
        raise InputError(f"The prompt asks for more and for less {stem}sis. Please name one.")
    if less:
        return "reduced"
    return "increased" if more or re.search(rf"\b{stem}tic\b|\bwith (?:a )?{stem}sis\b", text) else "normal"


_COBB_WORDS = {"mild": 15.0, "slight": 15.0, "moderate": 28.0, "severe": 42.0, "marked": 42.0}


def _cobb(text: str, assumed: list[str]) -> float:
    if not re.search(r"scolio", text) or re.search(r"\b(?:no|without) scolio", text):
        return 0.0
    near = re.search(r"(\d{1,3})[\s-]*(?:°|degrees?|deg)", text)
    if near:
        angle = float(near.group(1))
        if not 5 <= angle <= MOST_COBB:
            raise InputError(f"The angle of a scoliosis can be 5 to {MOST_COBB:.0f} degrees (Cobb), got {angle:.0f}.")
        return angle
    word = re.search(r"\b(mild|slight|moderate|severe|marked)\s+(?:\w+\s+)?scolio", text)
    angle = _COBB_WORDS[word.group(1) if word else "mild"]
    assumed.append(f"scoliosis with a Cobb angle of {angle:.0f} degrees")
    return angle


def _sex(text: str) -> Sex:
    female = re.search(r"\b(?:female|woman|lady|she|her)\b", text)
    male = re.search(r"\b(?:male|man|gentleman|he|his)\b", text)
    if female and male:
        raise InputError("The prompt asks for a woman and for a man. Please name one; --count draws several of one kind.")
    return "female" if female else "male" if male else "unspecified"


def _size(text: str) -> Size:
    small, large = re.search(SMALL, text), re.search(LARGE, text)
    if small and large:
        raise InputError("The prompt asks for a small and for a large patient. Please name one.")
    return "small" if small else "large" if large else "average"


def _age(text: str) -> int | None:
    found = re.search(r"\b(\d{1,3})[- ]?(?:years?|yrs?|yo|y/o|y)\b(?:[- ]?old)?|\baged? (\d{1,3})\b", text)
    if found is None:
        return None
    age = int(found.group(1) or found.group(2))
    if not 18 <= age <= 105:
        raise InputError(f"Only adults of 18 to 105 years can be drawn, got {age}.")
    return age


def _views(text: str) -> tuple[View, ...]:
    found = [(match.start(), view) for view, pattern in VIEW_WORDS.items() for match in [re.search(pattern, text)] if match]
    return tuple(view for _, view in sorted(found))


_NUMBERS = {word: number for number, word in enumerate(("one two three four five six seven eight nine ten "
            "eleven twelve").split(), 1)} | {"twenty": 20, "fifty": 50, "hundred": 100}  # fmt: skip


def _count(text: str) -> int:
    things = r"(?:\w+[- ]){0,3}?(?:volumes?|spines?|cts?|scans?|films?|radiographs?|x-?rays?|patients?|cases?|images?|examples?)\b"
    found = re.search(
        rf"\b(\d{{1,4}}|{'|'.join(_NUMBERS)})\s+(?!%|mm|years?|degrees?|yo\b)(?:different |synthetic )?{things}", text
    )
    found = found or re.search(r"\bcohort of (\d{1,4})\b", text)
    if found is None:
        return 1
    word = found.group(1)
    number = int(word) if word.isdigit() else _NUMBERS[word]
    if not 1 <= number <= MOST_COUNT:
        raise InputError(f"Between 1 and {MOST_COUNT} can be drawn at a time, got {number}.")
    return number


def _passed_over(text: str) -> tuple[str, ...]:
    left = text
    for pattern in KNOWN:
        left = re.sub(pattern, " ", left)
    words = re.findall(r"[a-z][a-z-]{2,}", left)
    return tuple(dict.fromkeys(word for word in words if word not in STOP))


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}".removeprefix(": ").replace("Value error, ", "")
