"""Turning a real sentence around: one fault at a time, by kind. Each operator gives None where it does not apply."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Operator = Callable[[str, random.Random], str | None]

_ANTONYMS = (
    "increased/decreased|increases/decreases|increase/decrease|increasing/decreasing|higher/lower|rose/fell|raised/lowered|"
    "improved/worsened|improves/worsens|improvement/deterioration|reduced/increased|reduces/increases|reduction/increase|"
    "reduce/increase|longer/shorter|greater/smaller|larger/smaller|more/less|better/worse|positive/negative|"
    "positively/negatively|activation/inhibition|activates/inhibits|inhibits/promotes|inhibited/activated|inhibitor/activator|"
    "upregulated/downregulated|up-regulated/down-regulated|overexpression/underexpression|gain/loss|"
    "faster/slower|earlier/later|before/after|prolonged/shortened|enhanced/reduced|enhances/reduces|decline/increase|"
    "effective/ineffective|safe/unsafe|benefit/harm|beneficial/harmful|protective/harmful|high/low|early/late|acute/chronic|"
    "common/rare|frequent/rare|severe/mild|strong/weak|stronger/weaker|present/absent|proximal/distal|left/right|"
    "upper/lower|anterior/posterior|superior/inferior|benign/malignant|sensitive/resistant|recommended/discouraged|"
    "dominant/recessive|systolic/diastolic|maternal/paternal|hypertension/hypotension|hyperglycemia/hypoglycemia|most/few|"
    "similar/different|same/different|all/none of the|stimulates/suppresses|induces/blocks|suppresses/stimulates|"
    "primary/secondary|accelerated/delayed|elevated/reduced|exceeded/fell short of|more often/less often|succeeded/failed"
)
_TABLE: dict[str, str] = {}
for _pair in _ANTONYMS.split("|"):
    _one, _other = _pair.split("/")
    _TABLE.setdefault(_one, _other)
    _TABLE.setdefault(_other, _one)
_WORDS = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _TABLE), key=len, reverse=True)) + r")\b", re.I)
_AUXILIARY = re.compile(r"\b(is|are|was|were|can|could|may|should|has been|have been|does|did|will|would)\b(?! not| no\b)")
_NEGATED = re.compile(r"\b(is|are|was|were|can|could|may|should|does|did|do|has|have|will|would)( been)? not\b|\bcannot\b")
_VERB = re.compile(
    r"\b(reduced|increased|improved|decreased|lowered|caused|prevented|affected|showed|enhanced|inhibited|induced|predicted|"
    r"differed|changed|led|influenced|altered|correlated|decreases|increases|reduces|causes|improves|predicts|plays|encodes|"
    r"regulates|inhibits|activates|binds|affects|prevents|influences|promotes)\b"
)
_BASE = {"led": "lead", "showed": "show", "differed": "differ", "affected": "affect", "predicted": "predict",
         "altered": "alter", "correlated": "correlate", "lowered": "lower", "prevented": "prevent", "inhibited": "inhibit"}  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.,-])(\d+(?:\.\d+)?)(?![\w]|[.,]\d)")
_UNITS = "days/weeks|weeks/months|months/years|hours/days|minutes/hours|years/months|mg/g|g/mg|mm/cm|cm/mm|kg/g|mg\\/dL/mmol\\/L|%/points"
_UNIT_TABLE = dict(pair.split("/", 1) for pair in _UNITS.replace("mg\\/dL/mmol\\/L|", "").split("|"))
_UNIT = re.compile(r"(?<=\d)(\s?-?)(" + "|".join(map(re.escape, _UNIT_TABLE)) + r")(?!\w)")
_PEOPLE = ["children", "adults", "women", "men", "infants", "adolescents", "elderly patients", "pregnant women", "healthy volunteers", "mice", "rats", "outpatients", "inpatients", "postmenopausal women", "smokers", "neonates", "boys", "girls"]  # fmt: skip
_PEOPLE_WORD = re.compile(r"\b(" + "|".join(sorted(_PEOPLE, key=len, reverse=True)) + r")\b", re.I)


def direction(text: str, rng: random.Random) -> str | None:
    """One word for its opposite."""
    found = list(_WORDS.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    other = _TABLE[match.group().lower()]
    return text[: match.start()] + (other.capitalize() if match.group()[0].isupper() else other) + text[match.end() :]


def negation(text: str, rng: random.Random) -> str | None:
    """A "not" put in or taken out."""
    out = _NEGATED.search(text)
    if out:
        kept = out.group().replace(" not", "").replace("cannot", "can")
        text = text[: out.start()] + kept + text[out.end() :]
        return re.sub(r"\bdid (\w+)", r"did \1", text)
    no = re.search(r"\b(no|No) (?=[a-z])", text)
    if no and rng.random() < 0.8:
        return text[: no.start()] + ("A " if no[1] == "No" else rng.choice(["a ", "some "])) + text[no.end() :]
    choices = [m for m in (_AUXILIARY.search(text), _VERB.search(text)) if m]
    if not choices:
        return None
    match = rng.choice(choices)
    word = match.group()
    if word in ("does", "did") or match.re is _AUXILIARY:
        head, _, tail = word.partition(" ")
        new = f"{head} not{' ' + tail if tail else ''}"
    else:
        base = _BASE.get(word) or (
            word[:-1] if word.endswith("s") else word.removesuffix("d") if word.endswith("ed") else word
        )
        new = f"{'does' if word.endswith('s') else 'did'} not {base}"
    return text[: match.start()] + new + text[match.end() :]


def number(text: str, rng: random.Random) -> str | None:
    """One number for another."""
    found = [m for m in _NUMBER.finditer(text) if float(m[1]) > 0]
    if not found:
        return None
    match = rng.choice(found)
    places = len(match[1].partition(".")[2])
    value = float(match[1])
    new = value * rng.choice([0.4, 0.6, 0.75, 1.3, 1.6, 2, 10]) if value > 3 or places else value + rng.choice([1, 2, 3])
    return text[: match.start()] + f"{new:.{places}f}" + text[match.end() :]


def unit(text: str, rng: random.Random) -> str | None:
    """A unit for another."""
    found = list(_UNIT.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    return text[: match.start()] + match[1] + _UNIT_TABLE[match[2]] + text[match.end() :]


def exchange(text: str, rng: random.Random) -> str | None:
    """The two sides of a comparison, or of "A verb B", exchanged."""
    match = re.search(
        r"^((?:The |In )?[\w-]+(?: [\w-]+){0,3}) ((?:was|were|is|are|had|showed|did|has) .{3,60}?)(?: than| compared (?:with|to)) (?:that of |in |with |for )?([\w-]+(?: [\w-]+){0,3})([.,;]|$)",
        text,
    )
    if match:
        other = match[3][0].upper() + match[3][1:]
        return f"{other} {match[2]} than {match[1][0].lower()}{match[1][1:]}{match[4]}{text[match.end() :]}"
    match = re.search(r"^((?:The )?[A-Z][\w-]*(?: [\w-]+){0,2}) (causes|inhibits|activates|induces|reduces|increases|regulates|binds|phosphorylates|prevents) ([\w-]+(?: [\w-]+){0,2})([.,;]|$)", text)  # fmt: skip
    if match:
        return f"{match[3][0].upper()}{match[3][1:]} {match[2]} {match[1]}{match[4]}{text[match.end() :]}"
    match = re.search(r"\b(\w[\w-]*) (?:versus|vs\.?) (\w[\w-]*)", text)
    return (
        text[: match.start()] + f"{match[2]} versus {match[1]}" + text[match.end() :]
        if match and match[1] != match[2]
        else None
    )


def population(text: str, rng: random.Random) -> str | None:
    """One group of people (or animals) for another."""
    match = _PEOPLE_WORD.search(text)
    if match is None:
        return None
    other = rng.choice([p for p in _PEOPLE if p not in match.group().lower() and match.group().lower() not in p])
    return text[: match.start()] + other + text[match.end() :]


FAULTS: dict[str, Operator] = {
    "direction": direction, "negation": negation, "number": number, "unit": unit, "exchange": exchange,
    "population": population,
}  # fmt: skip
_SYNONYMS = (
    "increased=rose,went up|decreased=fell,declined,dropped|reduced=lowered,cut|showed=demonstrated,revealed|patients=subjects,people,individuals|"
    "associated with=linked to,related to|significantly=markedly,clearly|compared with=versus,relative to|compared to=relative to,versus|"
    "mortality=death,deaths|treatment=therapy|improved=got better,enhanced|found=seen,observed,detected|is caused by=is due to,results from|"
    "higher than=above,greater than|lower than=below,less than|effective=beneficial,useful|evaluate=assess,examine|children=paediatric patients|"
    "use=utilisation|main=major,principal|before=prior to|after=following|about=approximately,around|frequent=common|"
    "adverse events=side effects|disease=disorder,illness|plays a role in=is involved in,contributes to|leads to=results in,causes|"
    "elderly=older|kidney=renal|heart=cardiac|lung=pulmonary|risk=likelihood|did not differ=were similar|no significant=no clear|"
    "in addition=moreover|studies=investigations|therapy=treatment|such as=like|several=a number of|most common=most frequent"
)
_SYNONYM = {one: others.split(",") for one, _, others in (pair.partition("=") for pair in _SYNONYMS.split("|"))}
_SYNONYM_WORD = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _SYNONYM), key=len, reverse=True)) + r")\b")


def reword(text: str, rng: random.Random) -> str:
    """Some words for synonyms, asides and lead-ins left out: the meaning stays."""
    text = _SYNONYM_WORD.sub(lambda m: rng.choice(_SYNONYM[m.group()]) if rng.random() < 0.6 else m.group(), text)
    if rng.random() < 0.6:
        text = re.sub(r"\s\([^()]{2,60}\)", "", text)
    if rng.random() < 0.7:
        text = re.sub(r"^(?:In conclusion|Overall|However|Moreover|Furthermore|In addition|Thus|Therefore|These (?:results|findings|data) (?:suggest|show|indicate) that),?\s+", "", text)  # fmt: skip
    passive = re.match(
        r"^([\w -]{3,40}?) (reduced|increased|improved|inhibited|prevented|lowered) ([\w -]{3,50})([.,])", text
    )
    if passive and rng.random() < 0.6:
        text = f"{passive[3]} was {passive[2]} by {passive[1]}{passive[4]}{text[passive.end() :]}"
    half = re.split(r", (?:and|but|whereas|while|although) |; ", text)
    if len(half) > 1 and len(half[0]) > 40 and rng.random() < 0.4:
        text = half[0] + "."
    return text[:1].upper() + text[1:]
