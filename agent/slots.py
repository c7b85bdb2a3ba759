"""What a question names: levels, planes, windows, slices, handles, years, and what it asks of a record."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import JsonValue

from core.types import Artifact

_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12,
}  # fmt: skip
_REGIONS = {"cervical": "C", "thoracic": "T", "dorsal": "T", "lumbar": "L"}
_LEVEL = re.compile(r"\b(?:vertebra\s+)?([CTLDctld])\s?-?(1[0-3]|[1-9])\b(?!\s*(?:mm|cm|mg|%))")
_RANGE = re.compile(r"\b([CTL])(1[0-2]|[1-9])\s*(?:-|–|to|through)\s*([CTL])?(1[0-2]|[1-9])\b", re.IGNORECASE)
_LARGEST = {"C": 7, "T": 12, "L": 6}
_ORDER = [f"{region}{n}" for region, count in (("C", 7), ("T", 12), ("L", 6)) for n in range(1, count + 1)]
_HANDLE = re.compile(r"\b(ct|mr|volume|mask|xray|image|cine|record|doc|signal|table)\s?(\d+)\b", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:(since|from|after|before|until|up to|in))\s+((?:19|20)\d{2})\b", re.IGNORECASE)
_SLICE = re.compile(r"\bslice\s*(?:number|no\.?|#)?\s*(\d+)\b", re.IGNORECASE)


def levels(text: str) -> list[str]:
    """Vertebral levels named, in order, each once: L1, "first lumbar vertebra", "T11 to L1"."""
    found: list[str] = []
    for region, low, region2, high in _RANGE.findall(text):
        start = f"{region.upper()}{low}"
        end = f"{(region2 or region).upper()}{high}"
        if start in _ORDER and end in _ORDER:
            one, two = sorted((_ORDER.index(start), _ORDER.index(end)))
            found += _ORDER[one : two + 1]
    for letter, number in _LEVEL.findall(text):
        region = "T" if letter.upper() == "D" else letter.upper()
        if int(number) <= _LARGEST[region]:
            found.append(f"{region}{number}")
    for word, number in _ORDINALS.items():
        for name, region in _REGIONS.items():
            if re.search(rf"\b{word}\s+{name}\b", text, re.IGNORECASE) and number <= _LARGEST[region]:
                found.append(f"{region}{number}")
    return list(dict.fromkeys(found))


def plane(text: str) -> str | None:
    """The plane asked for."""
    words = {"sagittal": "sagittal", "lateral": "sagittal", "coronal": "coronal", "frontal": "coronal",
             "axial": "axial", "transverse": "axial", "transaxial": "axial"}  # fmt: skip
    return next((value for word, value in words.items() if re.search(rf"\b{word}\b", text, re.IGNORECASE)), None)


_VIEWS = (
    ("ap", r"\b(?:ap|a-?p|antero-?posterior|frontal|front)\b"),
    ("pa", r"\b(?:pa|postero-?anterior|(?:from )?behind|from the back)\b"),
    ("right lateral", r"\bright[ -]lateral\b|\bfrom the left(?: side)?\b"),
    ("lateral", r"\b(?:left[ -])?lateral\b|\bprofile\b|\bfrom the (?:right(?: side)?|side)\b|\bside view\b"),
    ("lpo", r"\b(?:lpo|left posterior oblique)\b"),
    ("rpo", r"\b(?:rpo|right posterior oblique)\b"),
    ("lao", r"\b(?:lao|left anterior oblique)\b"),
    ("rao", r"\b(?:rao|right anterior oblique)\b"),
    ("oblique", r"\boblique\b"),
)
_AIMED = re.compile(
    r"\b(\d{1,3})\s*(?:°|degrees?|deg)\s*(?:to(?:wards?)? the |from the front to the )?(left|right|up|down|cranial|caudal|head|feet)\w*",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"\b(?:azimuth|angles?|view|from|at)\s*(?:of\s*)?(-?\d{1,3})\s*(?:°|degrees?)?\s*[,/]\s*(?:elevation\s*)?(-?\d{1,2})\b"
)
_KVP = re.compile(r"\b(\d{2,3})\s*kv(?:p)?\b", re.IGNORECASE)


def film(text: str) -> dict[str, JsonValue]:
    """What a question says of a film to be computed: views, tube voltage, beam, scatter, noise, DICOM."""
    found: dict[str, JsonValue] = {}
    if seen := _views(text):
        found["views"] = list(seen)
    if match := _KVP.search(text):
        found["kvp"] = float(match.group(1))
    for name, pattern, value in (
        ("parallel", r"\bparallel\b", True), ("scatter", r"\bscatter\w*\b", 0.5), ("photons", r"\b(?:noise|noisy|grainy)\b", 5000.0),
        ("dicom", r"\bdicom\b", True), ("style", r"\b(?:realistic\w*|real[- ]look\w*|like a real|style of a (?:real )?(?:radiograph|x-?ray|film))", "drawn"), ("keep_table", r"\b(?:with|keep) the table\b", True),
    ):  # fmt: skip
        if re.search(pattern, text, re.IGNORECASE) and not re.search(
            rf"\b(?:no|without) {pattern[2:]}", text, re.IGNORECASE
        ):
            found[name] = value
    return found


def _views(text: str) -> list[str]:
    if match := _PAIR.search(text):
        return [f"{match.group(1)},{match.group(2)}"]
    if match := _AIMED.search(text):
        degrees, way = int(match.group(1)), match.group(2).lower()
        if way in ("left", "right"):
            return [f"{degrees if way == 'left' else -degrees},0"]
        return [f"0,{degrees if way in ('up', 'cranial', 'head') else -degrees}"]
    rest, places = text, []
    for name, pattern in _VIEWS:
        if match := re.search(pattern, rest, re.IGNORECASE):
            places.append((match.start(), name))
            # Blanked out, so that "left posterior oblique" is not an oblique as well.
            rest = re.sub(pattern, lambda m: " " * len(m.group()), rest, flags=re.IGNORECASE)
    return [name for _, name in sorted(places)][:4]


def window(text: str) -> str | None:
    """The window preset asked for."""
    words = {"bone": "bone", "bony": "bone", "soft": "soft", "mediastin": "soft", "lung": "lung", "brain": "brain",
             "full window": "full"}  # fmt: skip
    return next((value for word, value in words.items() if re.search(rf"\b{word}", text, re.IGNORECASE)), None)


def slice_number(text: str) -> int | None:
    """The slice number asked for."""
    match = _SLICE.search(text)
    return int(match.group(1)) if match else None


def years(text: str) -> dict[str, int]:
    """Year limits: "since 2015" and the like."""
    limits: dict[str, int] = {}
    for word, year in _YEAR.findall(text):
        if word.lower() in ("since", "from", "after", "in"):
            limits["year_from"] = int(year)
        if word.lower() in ("before", "until", "up to", "in"):
            limits["year_to"] = int(year)
    return limits


_COUNTS = {
    word: number
    for number, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1)
}
_HOW_MANY = re.compile(
    r"\b(\d{1,2}|" + "|".join(_COUNTS) + r")\s+(?:most |closest |nearest |similar |other |best |top )*"
    r"(?:similar|closest|nearest|neighbou?rs?|images?|films?|pictures?|radiographs?|cases?)\b|\btop (\d{1,2})\b",
    re.IGNORECASE,
)


def count(text: str) -> dict[str, int]:
    """How many neighbours are asked for, as `k`, where it is said: "the five closest films"."""
    found = _HOW_MANY.search(text)
    if found is None:
        return {}
    word = (found.group(1) or found.group(2)).lower()
    number = int(word) if word.isdigit() else _COUNTS[word]
    return {"k": min(max(number, 1), 20)}


def named(text: str, artifacts: Sequence[Artifact]) -> list[Artifact]:
    """Artifacts that the words single out: "ct2", "the second scan", "the simulated one", "the other scan"."""
    by_handle = {artifact.handle: artifact for artifact in artifacts}
    handles = [f"{stem.lower()}{number}" for stem, number in _HANDLE.findall(text)]
    found = [by_handle[handle] for handle in handles if handle in by_handle]
    if found:
        return found
    lower = text.lower()
    volumes = [artifact for artifact in artifacts if artifact.kind == "volume"]
    if re.search(r"\b(simulated|compressed|twin|altered|changed) (one|ct|scan|case|image|spine|twin)\b|\btwin\b", lower):
        return [artifact for artifact in volumes if artifact.simulated]
    if re.search(r"\b(original|real|unaltered|unchanged)\b", lower):
        return [artifact for artifact in volumes if not (artifact.simulated or artifact.synthetic)][:1]
    for word, number in (("first", 1), ("second", 2), ("third", 3)):
        if re.search(rf"\b{word} (ct|scan|volume|image|one|study)\b", lower) and number <= len(volumes):
            return [volumes[number - 1]]
    return []


_CLAIM = re.compile(
    r"^(?:.*?\b(?:claim|statement|fact-?check|verify|true or false|refuted|check)\b(?:\s+(?:this|the)\s+(?:claim|statement))?\s*(?::|that|whether it is (?:true|correct) that)|"
    r".*?\bis (?:it|that) (?:true|correct|right) that|can you verify that|(?:i read|someone (?:says|said|told me)|\w+ \w+ says?|they say|i heard) that)\s*",
    re.IGNORECASE,
)
_AFTER_CLAIM = re.compile(
    r"[.;,!?]\s*(?:is|do|does|are) (?:that|this|the|it|studies)\b[^.?!]*\?*\s*$|\bis this claim\b.*$", re.IGNORECASE
)


def claim(text: str) -> str:
    """What a question asks to have checked: the words after "is it true that", "claim:" and the like."""
    bare = _AFTER_CLAIM.sub("", text.strip())
    match = _CLAIM.match(bare)
    rest = bare[match.end() :].strip(' ?"“”') if match else bare.strip(" ?")
    return rest if len(rest) > 3 else text.strip()


def unknown_handles(text: str, artifacts: Sequence[Artifact]) -> list[str]:
    """Handles that are written in the question but not attached."""
    there = {artifact.handle for artifact in artifacts}
    handles = [f"{stem.lower()}{number}" for stem, number in _HANDLE.findall(text)]
    return [handle for handle in handles if handle not in there]


_ABOUT = (
    ("allergies", r"allerg|intoleran|adverse react"),
    ("immunizations", r"vaccin|immuni[sz]|jab"),
    ("medications", r"medic(?:ine|ation|al therapy)|\bmeds\b|drugs?\b|prescri|tablets?|\bpills?\b|\btaking\b|treated with|is (?:she|he) on|\btreat(?:ed|ment)\b|\btherapy\b"),
    ("procedures", r"procedure|operation|surger|operated"),
    ("encounters", r"encounter|admission|admitted|visits?\b|appointments?|hospitali[sz]|seen in"),
    ("conditions", r"condition|diagnos|problem|comorbid|histor|disease|suffer|fractur|\bbroken?\b|\bbreak\b|diabet|hypertens|osteopor"),
    ("observations", r"creatinine|egfr|labs?\b|blood|hemoglobin|haemoglobin|calcium|vitamin d|bmi|weight|height of the patient|"
                     r"t[ -]?score|dxa|bone density|pressure|smok|result|value|measured|level of|potassium|sodium|glucose|hba1c|cholesterol|kidney|renal|pulse|heart rate"),
    ("timeline", r"timeline|chronolog|everything that happened|over time"),
)  # fmt: skip


def record_question(text: str) -> dict[str, str]:
    """Arguments of `read_record` but for the record: about, name, when, patient."""
    lower = text.lower()
    # "fractures in the history" asks about conditions named fracture, "last creatinine" about one observation.
    about = next((about for about, pattern in _ABOUT if re.search(pattern, lower)), "summary")
    arguments = {"about": about}
    if name := _record_name(lower, about):
        arguments["name"] = name
    if re.search(r"\b(last|latest|most recent|current|newest|now)\b", lower) and about == "observations":
        arguments["when"] = "latest"
    elif re.search(r"\b(first|earliest|oldest)\b", lower) and about == "observations":
        arguments["when"] = "first"
    # In brackets, as `ask --patient` writes it, any word is an id; in running text only one with a digit.
    if patient := re.search(r"\(patient ([^\s()]+)\)|\bpatient\s+([\w.-]*\d[\w.-]*)", text):
        arguments["patient"] = patient.group(1) or patient.group(2)
    return arguments


_NAMES = (
    "creatinine", "egfr", "haemoglobin", "hemoglobin", "calcium", "vitamin d", "bmi", "weight", "blood pressure",
    "smoking", "bone density", "t-score", "t score", "dxa", "potassium", "sodium", "glucose", "hba1c", "cholesterol",
    "kidney function", "renal function", "heart rate", "fracture", "diabetes", "hypertension", "osteoporosis", "asthma",
    "cancer", "stroke", "heart failure", "myocardial infarction", "copd", "epilepsy", "dementia", "penicillin",
    "warfarin", "metformin", "aspirin", "insulin", "alendronate", "bisphosphonate", "statin", "anticoagulant",
)  # fmt: skip


def _record_name(lower: str, about: str) -> str | None:
    name = next((name for name in _NAMES if re.search(rf"\b{re.escape(name)}(?:s|es)?\b", lower)), None)
    if name is None and re.search(r"\bbroken?\b|\bbreak\b", lower):
        return "fracture"
    if name or about not in (
        "observations",
        "medications",
        "allergies",
        "conditions",
        "immunizations",
        "procedures",
        "summary",
    ):
        return name
    return _asked_for(lower)


_GENERIC = re.compile(
    r"(?:the |an? |any |other )*(?:\w+ )?(?:medic\w*|meds|drugs?|labs?|results?|allerg\w*|conditions?|problems?|diagnos\w*|blood(?: tests?)?|values?|"
    r"measure\w*|record|patient|tests?|them|it|fractur\w*|age|sex|name|summary|overview|history|timeline|notes|vaccin\w*|immuni\w*|jabs?|"
    r"visits?|admissions?|stays?|operations?|surger\w*|procedures?|intoleranc\w*|pills?|chart|therapy|treatment|appointments?)\b"
)
_ASKED_FOR = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:allergic to|vaccinated against|immuni[sz]ed against|vaccine (?:for|against)|diagnosed with|history of|treated with|taking|level of|result of (?:the|her|his)(?: last| latest)?)\s+"
        r"(?:any |an? |the )?([a-z][a-z0-9 -]{2,40})",
        r"\b(?:does|has|did|is|was|have|had) (?:she|he|the patient|this patient) (?:ever |last |recently |already )?(?:been )?(?:have|had|has|take|took|on|undergone?|need|receive|received|suffer(?:ed)? from|get|got)\s+"
        r"(?:any |an? |the )?([a-z][a-z0-9 -]{2,40})",
        r"\b(?:can|could|may|should|must|shall) (?:i|we|she|he|they|the patient|this patient|my patient) (?:safely )?"
        r"(?:start|stop|take|give|continue|switch to|prescribe|use|try|hold|pause|receive|get|have|add)(?: (?:her|him|them))?(?: (?:on|off|with))? "
        r"(?:any |an? |the |on )*([a-z][a-z0-9 -]{2,40})",
        r"\b(?:is|are|would) (?:an? |the )?([a-z][a-z0-9-]{3,}(?: [a-z]{4,})?) (?:be )?(?:safe|indicated|contraindicated|recommended|advisable|appropriate|right) (?:for|in|with)\b",
        r"\b(?:what|how high|how low) (?:is|was|are|were) (?:her|his|the patient's|the)(?: last| latest| most recent| current)? ([a-z][a-z0-9 -]{2,40})",
        r"\b(?:tested|screened|checked|treated|scanned|operated|seen) (?:positive |negative )?(?:for|on) (?:any |an? |the |her |his )?([a-z][a-z0-9 -]{2,40})",
        r"\b(?:last|latest|most recent) (?!have\b|had\b|has\b|get\b|got\b|see\b|seen\b|do\b|take\b|took\b|visit\b)([a-z][a-z0-9-]{2,}(?: [a-z]+)?)",
        r"\bis there an? ([a-z][a-z0-9-]{2,}(?: [a-z]+)?) (?:on record|recorded|documented|in the)",
        r"\b(?:have|had) an? ([a-z][a-z0-9 -]{2,40})",
    )
)  # fmt: skip
_TAIL = re.compile(
    r"\s+(?:in (?:19|20)\d\d|(?:in|for|to|with) (?:her|him|them|this|the|my|these)\b|levels?|values?|results?|on record|recorded|documented|at the moment|now|currently|before|yet|ever|today|according)\b.*$"
)


def _asked_for(lower: str) -> str | None:
    """The thing within a record that a question names, in its own words."""
    for pattern in _ASKED_FOR:
        match = pattern.search(lower.strip(" ?.!"))
        if match:
            asked = _TAIL.sub("", match.group(1)).strip()
            return None if _GENERIC.fullmatch(asked) else asked
    return None
