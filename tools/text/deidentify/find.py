"""Every identifier of a text: rules and the tagger together, with what is known of the patient."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tools.text.deidentify.dates import COMPLETE, find_dates
from tools.text.deidentify.lexicon import CLINICAL_ENDINGS, lexicon
from tools.text.deidentify.names import find_names, find_places, is_eponym
from tools.text.deidentify.patterns import find_patterns
from tools.text.deidentify.spans import Category, Span, made, merged
from tools.text.deidentify.tagger import Tagged, tagger

LEAST = 0.15
"""A token that is an identifier with this probability is taken for one: missing one costs more than blanking a word."""
_SURE = 0.93
"""So sure the tagger must be that a Foley without its catheter is a person."""
_KIND_BEFORE: tuple[tuple[Category, str], ...] = (
    ("FAX", r"fax"),
    ("SSN", r"ssn|social|ss#"),
    ("MRN", r"mrn|m\.?r\.?\s?#|med(?:ical)?\.?\s+rec|unit n|record n|hospital n|patient id|pt id|chart|nhs"),
    ("HEALTH_PLAN", r"member|policy|insurance|medicare|medicaid|subscriber|beneficiary|hicn|group|blue cross|plan"),
    ("ACCOUNT", r"acc(?:oun)?t|billing|encounter|visit|csn|\bfin\b|invoice|claim|card|routing"),
    ("LICENSE", r"licen[cs]e|\bdl\b|\bdea\b|\bnpi\b|certificate|passport|lic\."),
    ("VEHICLE", r"\bvin\b|plate|vehicle"),
    ("DEVICE", r"serial|s/n|\bsn\b|device|udi|implant|lot\b|model"),
    ("BIOMETRIC", r"print|retina|iris|biometric|voice"),
    ("PHOTO", r"photo"),
)
_LABELS: dict[str, Category] = {
    "NAME": "NAME",
    "LOCATION": "LOCATION",
    "DATE": "DATE",
    "AGE": "AGE",
    "PHONE": "PHONE",
    "ID": "ID",
    "WEB": "URL",
}
_DAY_CONTEXT = re.compile(
    r"(?:\b(?:on|since|until|till|thru|through|from|to|by|of|dated?|seen|visit|appt|appointment|f/u|admitted|d/c|s/p|started|last|next|"
    r"begin(?:ning)?|between|and|before|after|around|circa|am|pm|cxr|ct|mri|ekg|echo|labs?|cx|cultures?)\b[\s:]*|^|\n\s*|\(\s*)$",
    re.IGNORECASE,
)
_NO_DAY_AFTER = re.compile(
    r"\s*(?:/|%|strength|pain|systolic|diastolic|murmur|on the|reflex|motor|bilat|throughout|in (?:all|bilateral|upper|lower)|scale|"
    r"gcs|ciwa|fio2|mmhg|sem\b|hsm\b|m\.\b|out of|pounds|mg|tabs?|bottles?|vision|apgar|doses?|of (?:the )?(?:lung|chest)|points?|LE\b|UE\b)",
    re.IGNORECASE,
)
_NO_DAY_BEFORE = re.compile(
    r"(?:apgars?|reflexes|abg [\d.]*|pulses|strength|motor|pain|reflexes|dtrs?|score|rating|grade|ratio|bp|vision|murmur|a\s|percocet|vicodin|rated|is|was|at)\s*(?:is|of|:|was)?\s*$",
    re.IGNORECASE,
)


def find_identifiers(text: str, known: Mapping[str, Category] | None = None) -> list[Span]:
    """Disjoint spans in order.

    Args:
        text: any text; nothing is kept of it.
        known: identifiers of this patient from elsewhere (a record), found wherever they stand.
    """
    rules = find_patterns(text)
    names = find_names(text, lexicon())
    dates = _dates(text)
    spans = [*rules, *names, *find_places(text, lexicon()), *dates, *_known(text, known or {})]
    spans += _tagged(text)
    spans += _listed(text)
    spans = merged(text, [span for span in spans if span.end > span.start])
    spans = _grown(text, spans)
    return merged(text, [*spans, *_again(text, spans)])


def _dates(text: str) -> list[Span]:
    found = []
    for item in find_dates(text):
        if item.kind == "slashday":
            before, after = text[max(0, item.start - 24) : item.start], text[item.end : item.end + 24]
            if not _DAY_CONTEXT.search(before) or _NO_DAY_AFTER.match(after) or _NO_DAY_BEFORE.search(before):
                continue
            found.append(made(text, item.start, item.end, "DATE", 0.6))
        elif (
            item.kind == "monthday"
            and text[item.start].islower()
            and text[item.start : item.start + 3].lower() in ("may", "mar")
        ):
            continue
        else:
            found.append(made(text, item.start, item.end, "DATE", 1.0 if item.kind in COMPLETE else 0.8))
    return found


def _known(text: str, known: Mapping[str, Category]) -> list[Span]:
    spans = []
    for value, category in known.items():
        if len(value) < 2:
            continue
        pattern = rf"(?<!\w){re.escape(value)}(?!\w)"
        flags = re.NOFLAG if lexicon().ordinary(value) else re.IGNORECASE
        spans += [made(text, m.start(), m.end(), category) for m in re.finditer(pattern, text, flags)]
    return spans


def _tagged(text: str) -> list[Span]:
    spans = []
    for tagged in tagger().tag(text, LEAST):
        category = _LABELS[tagged.label]
        if not _plausible(text, tagged):
            continue
        if category in ("ID", "PHONE"):
            category = _kind_by_label(text, tagged.start, category)
        elif category == "URL":
            category = "EMAIL" if "@" in text[tagged.start : tagged.end] else category
        spans.append(made(text, tagged.start, tagged.end, category, min(tagged.sure, 0.95)))
    return spans


_NEVER = re.compile(
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|[a-z]/[a-z]|dept|unit|status|id|page|visit|room|floor|ward|clinic|hospital|"
    r"pt|pts|today|tonight|am|pm|er|ed|or|icu|ccu|micu|sicu|nicu|pacu|md|rn|np|pa|do|dr|mr|mrs|ms|miss|attending|resident",
    re.IGNORECASE,
)
"""Words of the ward that name nobody, whatever stands round them."""


def _plausible(text: str, tagged: Tagged) -> bool:
    """Whether a stretch of the tagger can be what it says: ages over 89, months up to 12, names that are no eponyms."""
    words = text[tagged.start : tagged.end]
    if _NEVER.fullmatch(words.strip(" .,;:()")) or (tagged.start and text[tagged.start - 1] == "." and words[:1].isdigit()):
        return False
    if tagged.label == "AGE":
        return bool(re.fullmatch(r"\s*(?:9\d|1[0-2]\d)\D*", words)) or bool(
            re.match(r"ninet|one hundred", words, re.IGNORECASE)
        )
    if tagged.label == "NAME":
        eponym = is_eponym(text, tagged.start, tagged.end, alone=tagged.sure < _SURE)
        return any(c.isalpha() for c in words) and not eponym and not _clinical(words, tagged.sure)
    if tagged.label == "LOCATION":
        return not is_eponym(text, tagged.start, tagged.end) and not _clinical(words, tagged.sure)
    if tagged.label == "DATE":
        return _date_like(text, tagged)
    if tagged.label in ("ID", "PHONE"):
        return any(c.isdigit() for c in words) and (len(re.findall(r"\d", words)) > 3 or tagged.sure > 0.6)
    return bool(re.search(r"[a-z\d]\.[a-z]{2,}|@|(?:\d{1,3}\.){3}|://", words, re.IGNORECASE))


_CAPITALISED = re.compile(r"(?<![\w'’-])[A-Z][^\W\d_]*[a-z][^\W\d_]*(?:['’-][A-Z][^\W\d_]+)?(?![\w-])")
_INITIAL = re.compile(r"(?<![\w.])([A-Za-z])\.[ \t]?([^\W\d_]{3,}(?:['’-][^\W\d_]+)?)(?!\w)")
_LISTED_ENDINGS = (*CLINICAL_ENDINGS, "am", "ene", "ase")
"""Of a capitalised word by itself, more of chemistry is kept out."""


def _listed(text: str) -> list[Span]:
    """Names known from the lists, wherever they stand: capitalised within mixed text, or behind an initial."""
    lists = lexicon()
    found = []
    for match in _INITIAL.finditer(text):
        word = match.group(2)
        if _in_lists(word) and not lists.ordinary(word) and not lists.has("clinical", word):
            found.append(made(text, match.start(), match.end(), "NAME", 0.7))
    for match in _CAPITALISED.finditer(text):
        word = match.group()
        if len(word) < 3 or lists.ordinary(word) or lists.has("clinical", word) or word.lower().endswith(_LISTED_ENDINGS):
            continue
        if not _in_lists(word) or is_eponym(text, match.start(), match.end()):
            continue
        kind: Category = "LOCATION" if lists.has("place", word) and not lists.has("family_common", word) else "NAME"
        found.append(made(text, match.start(), match.end(), kind, 0.5))
    return found


def _in_lists(word: str) -> bool:
    lists = lexicon()
    return any(lists.has(kind, part) for part in re.split("[-’']", word) for kind in ("given", "family"))


def _clinical(words: str, sure: float) -> bool:
    """Ordinary or clinical words in small letters need a surer tagger."""
    lists = lexicon()
    parts = re.findall(r"[^\W\d_]+", words)
    if not parts or re.fullmatch(r"\W*\w{1,4}\s+\d{1,3}\W*|\W*\w\W*", words):
        return sure < 0.8
    ordinary = all(lists.ordinary(part) for part in parts)
    named = any(lists.has(kind, part) for part in parts for kind in ("given_common", "family_common", "place"))
    if ordinary and not named:
        return sure < (0.93 if words.islower() else 0.75)
    return ordinary and words.islower() and sure < 0.6


def _date_like(text: str, tagged: Tagged) -> bool:
    words = text[tagged.start : tagged.end]
    match = re.fullmatch(r"\s*(\d{1,2})\s*[/-]\s*(\d{1,2})\s*", words)
    if match:
        one, two = int(match.group(1)), int(match.group(2))
        fits = (1 <= one <= 12 and 1 <= two <= 31) or (1 <= two <= 12 and 1 <= one <= 31)
        before = text[max(0, tagged.start - 24) : tagged.start]
        return fits and not _NO_DAY_AFTER.match(text[tagged.end : tagged.end + 24]) and not _NO_DAY_BEFORE.search(before)
    if re.fullmatch(r"\s*(?:(?:18|19|20|21)\d\d|\d{1,2}\D{0,2})\s*", words):
        return False  # a year by itself identifies nobody
    written = re.search(
        r"\d\s*[/.-]\s*\d|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|[l1]an|0ct|n0v)|\d{6,}", words, re.IGNORECASE
    )
    return (bool(written) and tagged.sure > 0.3) or tagged.sure > 0.9


def _kind_by_label(text: str, start: int, otherwise: Category) -> Category:
    line = text[max(text.rfind("\n", 0, start) + 1, start - 34) : start].lower()
    best, place = otherwise, -1
    for category, pattern in _KIND_BEFORE:
        if otherwise == "PHONE" and category != "FAX":
            continue
        for match in re.finditer(pattern, line):
            if match.start() > place:
                best, place = category, match.start()
    return best


def _grown(text: str, spans: list[Span]) -> list[Span]:
    """Parts of one name or place that stand together become one; initials and particles between them are taken in."""
    out: list[Span] = []
    for span in spans:
        last = out[-1] if out else None
        if last and last.category == span.category and span.category in ("NAME", "LOCATION", "DATE"):
            between = text[last.end : span.start]
            fits = {
                "NAME": r"(?:[ \t]*\n?[ \t]*|[ \t]*[A-Za-z]\.?[ \t]+|['’-]|[ \t]*\.[ \t]*|[ \t]+(?:de|van|von|der|la|del|bin|al|el)[ \t]+)",
                "LOCATION": r"(?:[ \t]*|[ \t]*[-'’.&][ \t]*|[ \t]+(?:of|and|the)[ \t]+)",
                "DATE": r"(?:[ \t]*[,/-]?[ \t]*)" if len(between) < 2 and not between.strip() else r"(?!)",
            }[span.category]
            if re.fullmatch(fits, between):
                out[-1] = made(text, last.start, span.end, span.category, max(last.sure, span.sure))
                continue
        out.append(span)
    return [_with_neighbours(text, _whole_words(text, span)) for span in out]


def _with_neighbours(text: str, span: Span) -> Span:
    """A known name that stands beside a name, or is joined to it by "and", is part of it."""
    if span.category != "NAME" or span.sure < 0.6:
        return span
    start, end = span.start, span.end
    before = re.search(r"([^\W\d_]{2,}(?:['’-][^\W\d_]+)?)[ \t]+$", text[max(0, start - 30) : start])
    if before and _surely_name(before.group(1)):
        start = start - len(before.group(0))
    after = re.match(r"[ \t]+(?:(?:and|&)[ \t]+)?([^\W\d_]{2,}(?:['’-][^\W\d_]+)?)(?!\w)", text[end : end + 40])
    if after and _surely_name(after.group(1)):
        end += after.end()
    return made(text, start, end, "NAME", span.sure)


def _surely_name(word: str) -> bool:
    lists = lexicon()
    return (
        len(word) > 2
        and _in_lists(word)
        and not lists.ordinary(word)
        and not lists.has("clinical", word)
        and not word.isupper()
    )


def _whole_words(text: str, span: Span) -> Span:
    """No half of a word is left standing."""
    start, end = span.start, span.end
    if span.category in ("NAME", "LOCATION", "ID", "MRN", "ACCOUNT"):
        while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
            start -= 1
        while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
            end += 1
    return made(text, start, end, span.category, span.sure)


def _begins_sentence(text: str, start: int, end: int) -> bool:
    """An English word with its capital only because a sentence begins: "Brown fluid was drained"."""
    before = text[:start].rstrip(" \t")
    return (not before or before[-1] in ".!?\n:-") and bool(re.match(r"[ \t]+[a-z]", text[end:]))


def _again(text: str, spans: Sequence[Span]) -> list[Span]:
    """What was once seen to be a name or an identifier is one wherever it stands."""
    lists = lexicon()
    found: list[Span] = []
    seen: set[str] = set()
    for span in spans:
        if span.category == "NAME":
            words = re.findall(r"[^\W\d_]{3,}(?:['’-][^\W\d_]+)*", span.text) if span.sure >= 0.7 else []
        elif span.category == "LOCATION":
            words = [span.text] if len(span.text) > 4 and span.sure >= 0.7 and re.search(r"[A-Za-z]{3}", span.text) else []
        elif span.category in ("DATE", "AGE"):
            words = []
        else:
            words = [span.text] if len(span.text) > 4 else []
        for word in words:
            if word in seen:
                continue
            seen.add(word)
            ordinary = lists.ordinary(word) and span.category in ("NAME", "LOCATION")
            flags = re.NOFLAG if ordinary else re.IGNORECASE
            if ordinary and word.islower():
                continue
            for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags):
                if not is_eponym(text, match.start(), match.end()) and not (
                    ordinary and _begins_sentence(text, match.start(), match.end())
                ):
                    found.append(made(text, match.start(), match.end(), span.category, 0.6))
    return found
