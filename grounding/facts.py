"""What a text asserts, as far as rules can tell, clause by clause."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod

from grounding.lexicon import (
    BETTER,
    DOWN,
    EXCLUSIVE,
    NEGATION,
    STOP,
    UP,
    WORSE,
    entity_kind,
    plain_words,
    stem,
)
from grounding.quantities import Quantity, prepare, quantities_of

_LEVEL = re.compile(r"\b([CTLS])(\d{1,2})(?:\s?[-–/]\s?([CTLS]?)(\d{1,2}))?\b")
_LEVEL_WORDS = re.compile(r"\b(cervical|thoracic|lumbar|sacral) vertebra (\d{1,2})\b|\b(first|second|third|fourth|fifth) (cervical|thoracic|lumbar)\b", re.I)  # fmt: skip
_ORDER = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_MONTH = r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_DATES = (
    (re.compile(rf"\b{_MONTH}\s+(?:and|to|until|-)\s+{_MONTH}\s+(\d{{4}})\b", re.I), "mmy"),
    (re.compile(r"\b(\d{4})-(\d{2})(?:-(\d{2}))?(?!\d)"), "ymd"),
    (re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+{_MONTH}\s+(\d{{4}})\b", re.I), "dmy"),
    (re.compile(rf"\b{_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b", re.I), "mdy"),
    (re.compile(rf"\b{_MONTH}\s+(\d{{4}})\b", re.I), "my"),
    (re.compile(r"\b(\d{1,2})[/.](\d{1,2})[/.](\d{4})\b"), "either"),
    (re.compile(r"(?:\b(?:in|since|until|by|of|during|from|year|between|to|and|through)\s|\()((?:19|20)\d{2})\b(?!\s*(?:%|mg|patients|adults|women|men|people|children))", re.I), "y"),
)  # fmt: skip
_BARE_MONTH = re.compile(
    r"(?<=\bin |\bto |of )(?:January|February|March|April|May|June|July|August|September|October|November|December)\b(?!\s+(?:\d|(?:and|to)\s+[A-Z]))"
)
"""A month without its year, which the rest of the sentence tells."""
_QUOTED = re.compile(r"“([^”]{3,})”|\"([^\"]{3,})\"")
_ID = re.compile(r"\b[Pp]atient\s(?:no\.?\s|#|ID:?\s)?(?=[\w-]*\d)[\w-]+\b(?!\s*%)|\b(?=[A-Za-z-]*\d)(?:[A-Z]{1,4}-?\d{3,}[A-Z\d-]*|MRN[:#\s]*\d+|[Pp]atient\s(?:no\.?\s|#|ID:?\s)?\w*\d\w*|(?:ct|mr|xray|record|mask)\d+)\b")  # fmt: skip
_NAME = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.?\s+([A-Z][\w'’-]+)|\b[Pp]atient\s+([A-Z][a-z]+(?:\s[A-Z][a-z]+)?)\b|\b([A-Z][a-z]+\s[A-Z][a-z]+)['’]s\b")  # fmt: skip
_REFERENCE = re.compile(r"\bPMID:?\s?\d+|\b10\.\d{4,}/\S+|\bNCT\d{8}|\b[A-Z][\w'’-]+ et al\.?,?\s*\(?\d{4}\)?|https?://\S+|\bPMC\d+|\(?\b[A-Z][a-z]+ (?:and|&) [A-Z][a-z]+,? \(?(?:19|20)\d\d\)")  # fmt: skip
_SENTENCE = re.compile(r"(?<=[.;!?])\s+(?=[A-Z\d“\"(])|\n+")
_SPLIT = re.compile(
    r";\s|,\s+(?=(?:no|not|without)\b)|\bbut\b|\bhowever\b|\balthough\b|\bwhereas\b|\bwhile\b|\bthough\b|\byet\b|(?=\band (?:no|not)\b)",
    re.I,
)
_VERB = re.compile(
    r"\b(?:was|were|is|are|did|had|has|have|does|do|can|should|remained|fell|rose|lay|\w{3,}ed|raises?|lowers?)\b", re.I
)
_JOIN = re.compile(r",\s+and\s+|,\s+|\s+and\s+")
_NO_DIFFERENCE = re.compile(
    r"\bno(?:t|r)? (?:\w+ ){0,3}?(?:differ\w*|chang(?:e|ed|es)\b|affect\w*|alter\w*|influenc\w*|effect\b)|\bremain(?:ed|s) (?:the same|stable|constant)\b",
    re.I,
)
"""Says that two things are alike or that one does nothing to the other: neither a negation nor a direction."""
_COVERT = re.compile(
    r"(?<![-\w])(?:resolved|disappeared|vanished|gone|passed|subsided|abated|ceased|stopped|paused|suspended|interrupted|discontinued|withdrawn|held|withheld|absent|absence|lack(?:s|ed|ing)?|rare|"
    r"rarely|seldom|infrequent(?:ly)?|hardly|scarcely|(?<!a )few|resistant|sterile|independent|spar(?:e|es|ed|ing)|refused|unknown|unclear)\b",
    re.I,
)
"""Words that deny without a "not"."""
_WITHOUT = re.compile(
    r"(?<!those )(?<!patients )(?<!people )(?<!subjects )\bwithout\s+((?:(?!and\b|but\b|was\b|were\b)[\w-]+[ ]?){1,3})", re.I
)
_CHUNK = re.compile(
    r"\bversus\b|\bvs\b\.?|\band\b|\bcompared (?:with|to)\b|\bwhile\b|\bwhereas\b|\bagainst\b|\binstead of\b|\brather than\b|\bthan\b|,\s|;\s|\(",
    re.I,
)
_FRONTED = re.compile(r"(?:among|in|with|after|on|at|for|under|when|of)\b", re.I)
"""Begins a phrase before the comma that the rest of the sentence is about ("Among women, ...")."""
_PAIRED = re.compile(
    r"\([^()]*\d[^()]*\b(?:versus|vs|against|and|compared with|instead of|rather than)\b[^()]*\d[^()]*\)", re.I
)
"""Two numbers in brackets after a comparison belong to its sides in turn; which is whose is not read."""
_TOKEN = re.compile(r"[^\W\d_][\w'’]*", re.UNICODE)


@dataclass(frozen=True)
class Clause:
    """A clause: its words (stems), what it inherits from the clause before, polarity, direction, comparison."""

    text: str
    words: frozenset[str]
    inherited: frozenset[str]
    negated: bool
    without: frozenset[str]
    up: bool
    down: bool
    better: bool
    worse: bool
    left_of_than: frozenset[str]
    right_of_than: frozenset[str]
    no_difference: bool = False
    comparative: int = 0
    """Sign of the last direction word before "than" and the like."""
    parity: int = 0
    """Product of its direction words, +1 for "more", -1 for "less"; 0 without any."""
    moves: tuple[tuple[int, frozenset[str]], ...] = ()
    """Each direction with the words that stand with it."""


@dataclass(frozen=True)
class Bound:
    """A quantity and the words of the chunk it stands in."""

    quantity: Quantity
    words: frozenset[str]
    chunk: int
    text: str = ""
    free: bool = False
    """Stands in brackets with another number, each for one side of a comparison."""


@dataclass(frozen=True)
class Facts:
    """What rules find in a sentence."""

    text: str
    clauses: tuple[Clause, ...]
    quantities: tuple[Bound, ...]
    levels: frozenset[str]
    dates: frozenset[str]
    ids: frozenset[str]
    references: frozenset[str]
    quotes: tuple[str, ...]
    entities: tuple[tuple[str, str], ...]
    groups: tuple[tuple[str, frozenset[str]], ...]
    words: frozenset[str]
    prepared: str = ""
    """The sentence as read: phrases brought to one form, number words as figures."""


def normalise(text: str) -> str:
    """Unicode compatibility form, soft hyphens and line-break hyphens out, quotes and spaces made plain, lower case."""
    text = unicodedata.normalize("NFKC", text).replace("\u00ad", "")
    text = re.sub(r"(?<=\w)-\s*\n\s*(?=\w)", "", text)
    text = text.translate(str.maketrans("“”„‘’‚‐‑–—−", "\"\"\"'''-----"))
    return " ".join(text.split()).lower()


def sentences(text: str) -> list[str]:
    """A source cut into sentences."""
    parts: list[str] = []
    for part in _SENTENCE.split(text):
        if parts and parts[-1].count("(") > parts[-1].count(")"):  # "(HR 0.7; 95 % CI 0.6 to 0.8)" is one
            parts[-1] += " " + part.strip()
        elif part.strip():
            parts.append(part.strip())
    return parts


@lru_cache(maxsize=4096)
def facts_of(text: str) -> Facts:
    """Read the facts of one sentence."""
    plain = unicodedata.normalize("NFKC", text.replace("µ", "\u0001").replace("²", "2")).replace("\u0001", "µ")
    references = frozenset(_reference(match.group()) for match in _REFERENCE.finditer(plain))
    rest = _REFERENCE.sub(" ", plain)
    ids = _ids(rest)
    dates, rest = _dates(_ID.sub(" ", rest))
    levels = _levels(rest)
    rest = _LEVEL.sub(" ", rest)
    rest = plain_words(re.sub(r"\b[A-Za-z]+-?\d\w*\b(?<!\dmm)(?<!\dmg)", _kept, rest))
    prepared = prepare(rest)
    tokens = _tokens(prepared)
    return Facts(
        text=plain,
        clauses=_clauses(prepared),
        quantities=_bound(prepared),
        levels=levels,
        dates=dates,
        ids=ids,
        references=references,
        quotes=tuple(first or second for first, second in _QUOTED.findall(plain)),
        entities=tuple((stem(word), kind) for word in tokens if len(word) > 1 and (kind := entity_kind(word))),
        groups=tuple((name, found) for name, _, table in EXCLUSIVE if (found := _members(tokens, table))),
        words=words_of(prepared),
        prepared=prepared,
    )


def _kept(match: re.Match[str]) -> str:
    """Names with figures in them (HbA1c, FEV1) become words without figures, so that no number is read in them."""
    digits = "zyxwvutsrq"
    return re.sub(r"\d", lambda m: digits[int(m.group())], match.group().replace("-", ""))


def _reference(text: str) -> str:
    return re.sub(r"[\s().,:;]", "", text).lower().removeprefix("pmid")


def _ids(text: str) -> frozenset[str]:
    found = {
        re.sub(r"(?i)^patient\s(?:no\.?\s|#|id:?\s)?|[\s:#]", "", match.group()).lower() for match in _ID.finditer(text)
    }
    names = (next(part for part in match.groups() if part).lower() for match in _NAME.finditer(text))
    found |= {re.sub(r"['’]s?$", "", name) for name in names}
    return frozenset(found)


def _dates(text: str) -> tuple[frozenset[str], str]:
    found: set[str] = set()
    years = set(re.findall(r"\b(?:19|20)\d{2}\b", text))
    if len(years) == 1:
        (year,) = years
        text = _BARE_MONTH.sub(lambda m: f"{m.group()} {year}", text)
    for pattern, order in _DATES:
        for match in pattern.finditer(text):
            found |= _date(order, [part or "" for part in match.groups()])
        text = pattern.sub(lambda m: " " * len(m.group()), text)
    return frozenset(found), text


def _date(order: str, parts: list[str]) -> set[str]:
    if order in ("ymd", "y"):
        return {"-".join(part for part in parts if part)}
    if order == "mmy":
        return {date for month in parts[:2] for date in _date("my", [month, parts[2]])}
    if order == "either":
        first, second, year = parts
        return {f"{year}-{int(m):02d}-{int(d):02d}" for m, d in ((first, second), (second, first)) if int(m) <= 12}
    month = next(
        i for i, name in enumerate(_MONTHS, 1) for part in parts if part[:1].isalpha() and name.startswith(part.lower()[:3])
    )
    numbers = [part for part in parts if part.isdigit()]
    year = numbers[-1]
    return {f"{year}-{month:02d}" + (f"-{int(numbers[0]):02d}" if len(numbers) == 2 else "")}


def _levels(text: str) -> frozenset[str]:
    found = set()
    for letter, number, other, second in _LEVEL.findall(text):
        found.add(f"{letter}{int(number)}" + (f"-{other or letter}{int(second)}" if second else ""))
    for region, number, order, region2 in _LEVEL_WORDS.findall(text):
        found.add(f"{(region or region2)[0].upper()}{number or _ORDER[order.lower()]}")
    return frozenset(found)


def _tokens(text: str) -> list[str]:
    return [word.replace("’", "'").removesuffix("'s") for word in _TOKEN.findall(text)]


def _members(tokens: list[str], table: dict[str, str]) -> frozenset[str]:
    return frozenset(table[word.lower()] for word in tokens if word.lower() in table)


def words_of(text: str) -> frozenset[str]:
    """Stems of the content words of a text, without words that say more or less."""
    return frozenset(
        stem(w) for w in _tokens(text) if len(w) > 1 and w.lower() not in STOP and not _is(w, UP) and not _is(w, DOWN)
    )


@lru_cache(maxsize=20000)
def _is(word: str, stems: tuple[str, ...]) -> bool:
    lower = word.lower()
    return any(lower == s or (len(s) > 4 and lower.startswith(s)) or lower in (s + "s", s + "er", s + "ed") for s in stems)


def _clauses(sentence: str) -> tuple[Clause, ...]:
    found: list[Clause] = []
    for part in _parts(sentence):
        without = frozenset(w for m in _WITHOUT.finditer(part) for w in words_of(m.group(1)))
        rest = _WITHOUT.sub(" ", part)
        if without and not words_of(rest):
            rest = part
            without = frozenset()
        found.append(_clause(rest, without, found[-1] if found else None))
    return tuple(found)


def _parts(sentence: str) -> list[str]:
    parts = []
    for piece in _SPLIT.split(sentence):
        start = 0
        for joint in _JOIN.finditer(piece):
            head, tail = piece[start : joint.start()], piece[joint.end() :]
            tail = _JOIN.split(tail)[0]
            if _VERB.search(head) and _VERB.search(tail) and not re.match(r"(?:or|nor|which|who)\b", tail):
                parts.append(head)
                start = joint.end()
        parts.append(piece[start:])
    return [part for part in parts if part.strip(" .,:")]


def _clause(text: str, without: frozenset[str], before: Clause | None) -> Clause:
    words = words_of(text)
    directed = _ATTRIBUTE.sub(" ", _LIMIT.sub(" ", text))
    if len(_DEGREE.split(directed)) > 1 and any(
        _is(word, UP) or _is(word, DOWN) for word in _tokens(_DEGREE.split(directed)[0])
    ):
        directed = _DEGREE.sub(lambda m: " " if m.group().lower() in ("more", "further") else m.group(), directed)
    tokens = _tokens(directed)
    plain = re.sub(
        r"\b(?:those|patients|people|persons|subjects|participants|controls|ones) without\b",
        " ",
        _NO_DIFFERENCE.sub(" ", text),
    )
    signs = [1 if _is(word, UP) else -1 for word in tokens if _is(word, UP) or _is(word, DOWN)]
    same = bool(_NO_DIFFERENCE.search(text))
    short = len(words) < 3 or bool(re.search(r"\b(?:did|was|were|is|are|had) not\s*[.,]?\s*$", text))
    left, _, right = _than(text)
    return Clause(
        text=text.strip(),
        words=words,
        inherited=before.words - words if before and short else frozenset(),
        negated=bool(NEGATION.search(plain))
        != bool(not same and _COVERT.search(re.sub(r"\b(?:absent|absence|lack(?:s|ed)?)\b", " ", plain))),
        without=without,
        up=any(_is(word, UP) for word in tokens),
        down=any(_is(word, DOWN) for word in tokens),
        better=any(_is(word, BETTER) for word in tokens),
        worse=any(_is(word, WORSE) for word in tokens),
        left_of_than=left,
        right_of_than=right,
        no_difference=same,
        comparative=_comparative(text) if right else 0,
        parity=prod(signs) if signs else 0,
        moves=_moves(directed),
    )


_LIMIT = re.compile(
    r"\b(?:over|above|below|under|less than|more than|fewer than|lower than|or higher|or lower|or more|or less|higher than)(?=\s+\d|\s*[)]|\s+(?:\w+\s)?$)|\b(?:grade \d+|\d+) or (?:higher|more|lower|less)"
)  # fmt: skip
"""Words of more and less that bound a number say nothing of direction."""
_ATTRIBUTE = re.compile(
    r"(?<!was )(?<!were )(?<!is )(?<!are )(?<!too )(?<!very )\b(?:high|low|long|short)\b(?=\s[a-z])|\b(?:inhibit|activat|block|induc|stimulat|boost|suppress|promot|depress)[eo]rs?\b",
    re.I,
)
"""Adjectives that name a thing ("high risk", "long bones") rather than tell where it went."""
_DEGREE = re.compile(
    r"\b(?:more|further|less|decreased frequent)\b(?=\s(?:with|in|on|after|among|than|under|for)\b|\s*[.,;]|$)", re.I
)
"""Tells how far something moved that an earlier word says moved ("fell more with A")."""
_MOVED = re.compile(
    r"(?:declines?|loss(?:es)?|falls?|rises?|increases?|decreases?|reductions?|drops?|gains?|growth|elevations?)", re.I
)
"""Direction words that may be what another one acts on: "slowed decline" is a gain."""


def _moves(text: str) -> tuple[tuple[int, frozenset[str]], ...]:
    found: list[tuple[int, list[str]]] = []
    before: list[str] = []
    since = 9
    for word in _tokens(text):
        sign = 1 if _is(word, UP) else -1 if _is(word, DOWN) else 0
        content = [] if sign or len(word) < 2 or word.lower() in STOP else [stem(word)]
        since += 1
        if sign and found and (not found[-1][1] or (since <= 4 and _MOVED.fullmatch(word))):
            found[-1] = (found[-1][0] * sign, found[-1][1])
        elif sign:
            found.append((sign, []))
            since = 0
        elif found:
            found[-1][1].extend(content)
        else:
            before.extend(content)
    if found and not found[0][1]:  # "creatinine fell"
        found[0] = (found[0][0], before)
    return tuple((sign, frozenset(words)) for sign, words in found)


def _comparative(text: str) -> int:
    before = re.split(r"\bthan\b|\bversus\b|\bcompared (?:with|to)\b|\brelative to\b", text)[0]
    signs = [1 if _is(word, UP) else -1 for word in _tokens(before) if _is(word, UP) or _is(word, DOWN)]
    return signs[-1] if signs else 0


def _than(text: str) -> tuple[frozenset[str], bool, frozenset[str]]:
    match = re.search(r"\b(?:than(?! \d)|versus|vs\.?|compared (?:with|to)|relative to|rather than)\b", text, re.I)
    if match is None or (re.search(r"\d\s*%?\s*$", text[: match.start()]) and match.group().lower() != "compared with"):
        return frozenset(), False, frozenset()
    left, right = words_of(text[: match.start()]), words_of(re.split(r"[,(;]", text[match.end() :])[0])
    if not left - right:  # "Compared with B, A ..."
        left = words_of(" ".join(re.split(r"[,;]", text[match.end() :])[1:]))
    return left - right, True, right - left


def _bound(prepared: str) -> tuple[Bound, ...]:
    edges = [0, *(m.start() for m in _CHUNK.finditer(prepared)), len(prepared)]
    chunks = [prepared[a:b] for a, b in pairwise(edges)]
    words = [words_of(chunk) for chunk in chunks]
    for place in range(1, len(chunks)):  # a number in brackets belongs to what stands before it
        if (chunks[place].startswith("(") and len(words[place]) < 2) or (
            _FRONTED.match(chunks[place - 1].lstrip(", "))
            and chunks[place].startswith(", ")
            and not re.search(r"\d", chunks[place - 1])
        ):
            words[place] |= words[place - 1]
    paired = [match.span() for match in _PAIRED.finditer(prepared)]
    found = []
    for quantity in quantities_of(prepared):
        index = next(i for i in range(len(chunks)) if edges[i] <= quantity.at < edges[i + 1] or i == len(chunks) - 1)
        inside = any(start <= quantity.at < end for start, end in paired)
        found.append(Bound(quantity, frozenset() if inside else words[index], index, chunks[index], inside))
    return tuple(found)
