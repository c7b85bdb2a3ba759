"""What people ask for and how records write it: a small table of concepts by code and by word, and the matcher.

Codes are LOINC, SNOMED CT and ICD-10 (ICD-10 by prefix; ICD-10-CM and WHO alike). The table covers common asks; any
other name is matched by its words against display names, so the table is a help and never a limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tools.ehr.concept_table import CONCEPTS, SITES, Concept
from tools.ehr.record import Code, Entry

_WORD = re.compile(r"[^\W_]+(?:[-.'][^\W_]+)*")
_EMPTY_WORDS = """
a about active all allergic allergies allergy an and any at blood by case cases check checked condition
conditions count current currently diagnosed diagnosis discontinued disease do documented does drug drugs
earliest ever evidence find first for former from get give had has have he her his history i in inactive info
information is it know known lab laboratory labs last latest level levels list me measurement measurements
medical medication medications medicine medicines mention mentioned most my new newest of old on ongoing or our
past patient patient's patients present previous prior problem problems reading readings recent record recorded
records resolved result results said say score serum she show status stopped takes taking tell test tests that
the their them there these they this to trend trends value values was were what when which with
meds pill pills tablets
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
"""Words of a question that name nothing to look for."""
_SYSTEMS = {"loinc": "loinc", "snomed": "snomed", "icd10": "icd-10", "rxnorm": "rxnorm"}


@dataclass(frozen=True)
class Ask:
    """A name taken apart: known concepts, the words that are left, and a code when the name is one."""

    said: str
    concepts: tuple[Concept, ...] = ()
    words: tuple[str, ...] = ()
    code: str = ""

    @property
    def empty(self) -> bool:
        """Nothing to look for was named."""
        return not (self.concepts or self.words or self.code)


def understand(name: str) -> Ask:
    """Take a name apart. Longest known phrases first: "blood pressure" before "pressure"."""
    said = " ".join(name.split())
    if re.fullmatch(r"[A-Za-z]?\d[\dA-Za-z.-]{2,}", said) and any(char.isdigit() for char in said[1:]):
        return Ask(said, code=said.upper())
    left = f" {' '.join(_tokens(said))} "
    found: list[Concept] = []
    for phrase, concept in _PHRASES:
        if f" {phrase} " in left:
            left = left.replace(f" {phrase} ", " ")
            found.append(concept)
    words = tuple(word for word in left.split() if word not in _EMPTY)
    return Ask(said, tuple(dict.fromkeys(found)), words)


def _tokens(text: str) -> list[str]:
    return [token.lower() for token in _WORD.findall(text)]


_PHRASES = sorted(
    ((" ".join(_tokens(ask)), concept) for concept in CONCEPTS for ask in concept.asks),
    key=lambda pair: -len(pair[0]),
)
_BY_NAME = {concept.name: concept for concept in CONCEPTS}


def members(concept: Concept) -> tuple[Concept, ...]:
    """The concept itself, or those it is made of: kidney function is creatinine, eGFR and urea."""
    return tuple(_BY_NAME[name] for name in concept.members) or (concept,)


def is_a(entry: Entry, concept: Concept) -> bool:
    """Whether an entry is about the concept: by one of its codes, else by its words."""
    if concept.members:
        return any(is_a(entry, part) for part in members(concept))
    if concept.categories and entry.category not in concept.categories:
        return False
    if any(_has_code(code, concept.codes) for code in all_codes(entry)):
        return True
    text = main_text(entry)
    if concept.pattern.search(text) is None:
        return False
    return concept.excluded is None or concept.excluded.search(text) is None


def _has_code(code: Code, wanted: Iterable[str]) -> bool:
    system = code.system.lower()
    for item in wanted:
        scheme, _, value = item.partition(":")
        if _SYSTEMS[scheme] in system and (code.code == value or (scheme == "icd10" and code.code.startswith(value))):
            return True
    return False


def fits(entry: Entry, ask: Ask, text: str) -> bool:
    """Whether an entry fits everything that was asked, its words sought in `text`."""
    if ask.code:
        return any(code.code.upper() == ask.code for code in all_codes(entry))
    return all(is_a(entry, concept) for concept in ask.concepts) and words_fit(ask.words, text)


def words_fit(words: Iterable[str], text: str) -> bool:
    """Every word, or another name of the same place, begins a word of the text."""
    lowered = text.lower()
    return all(any(_begins(form, lowered) for form in (word, *SITES.get(_stem(word), ()))) for word in words)


def _begins(word: str, text: str) -> bool:
    stem = _stem(word)
    if len(stem) <= 3:  # CT, pH, PSA: the word as it is
        return re.search(rf"\b{re.escape(word)}\b", text) is not None
    return re.search(rf"\b{re.escape(stem)}", text) is not None


def _stem(word: str) -> str:
    for ending in ("ies", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith(("ss", "is", "us")):
            return word[: -len(ending)]
    return word


def all_codes(entry: Entry) -> tuple[Code, ...]:
    """Codes of the entry and of its components."""
    return (*entry.codes, *(code for part in entry.parts for code in part.codes)) if entry.parts else entry.codes


def main_text(entry: Entry) -> str:
    """What an entry is: its name, display names, components, site, kind of imaging, and text of a report."""
    said = [entry.text, *(code.display for code in entry.codes), *(part.text for part in entry.parts)]
    if entry.category == "family history":
        said.append("family history")
    said += [entry.detail("site"), entry.detail("modality"), entry.detail("relation")]
    if entry.category in ("report", "document", "observation") and isinstance(entry.value, str):
        said.append(entry.value)
    return " | ".join(filter(None, said))


def side_text(entry: Entry) -> str:
    """What an entry mentions: main text, reasons, notes, activities, results."""
    return " | ".join((main_text(entry), *(text for _, text in entry.details)))
