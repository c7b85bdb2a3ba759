"""Notes from templates: text and where in it the identifiers are."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from tools.text.deidentify.training.people import Person, Supply

_HERE = Path(__file__).parent
_SLOT = re.compile(r"\{([^{}]+)\}")
_MONTHS = "January February March April May June July August September October November December".split()
_CONFUSED = {
    "0": "O",
    "O": "0",
    "1": "l",
    "l": "1",
    "5": "S",
    "S": "5",
    "B": "8",
    "8": "B",
    "e": "c",
    "n": "r",
    "i": "l",
    "a": "o",
}

Segment = tuple[str, str]
"""Text and its label, "" for text that identifies nobody."""


@dataclass(frozen=True)
class Note:
    """A generated note; `spans` are (start, end, label)."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


@cache
def vocabulary() -> dict[str, list[str]]:
    """Words that identify nobody, by kind."""
    kinds: dict[str, list[str]] = {}
    for line in (_HERE / "vocabulary.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = kinds.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("# "):
            kind.append(line)
    return kinds


@cache
def _lines(name: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in (_HERE / name).read_text(encoding="utf-8").splitlines() if line]


@cache
def families() -> dict[str, str]:
    """Layouts of notes by name."""
    text = (_HERE / "notes.txt").read_text(encoding="utf-8")
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1].rstrip("\n") for part in text.split("=== ")[1:]}


def generate(count: int, seed: int) -> list[Note]:
    """So many notes, the layouts in turn."""
    pick = random.Random(seed)  # noqa: S311 - makes training data
    names = sorted(families())
    weights = [
        4 if name.startswith(("mixed", "clean")) else 2 if name in ("admin", "i2b2", "recorddate") else 1 for name in names
    ]
    return [Writer(pick).note(families()[name]) for name in pick.choices(names, weights, k=count)]


@dataclass
class Writer:
    """Writes one note. People and the patient's sex stay the same through it."""

    pick: random.Random
    supply: Supply = field(init=False)

    def __post_init__(self) -> None:
        self.supply = Supply(self.pick)
        self.people: dict[str, Person] = {}
        self.female = self.pick.random() < 0.5
        self.day = date(self.pick.randint(1960, 2026), 1, 1) + timedelta(days=self.pick.randint(0, 364))
        self.style = self.pick.randrange(len(_DATES))

    def note(self, layout: str) -> Note:
        """Fill a layout, then spoil it as transcription does."""
        return _joined(_spoil(self.fill(layout), self.pick), self.pick)

    def fill(self, template: str) -> list[Segment]:
        """Segments of a template with its slots filled."""
        segments: list[Segment] = []
        end = 0
        for match in _SLOT.finditer(template):
            segments.append((template[end : match.start()], ""))
            segments += self._slot(match.group(1))
            end = match.end()
        segments.append((template[end:], ""))
        return segments

    def _slot(self, slot: str) -> list[Segment]:
        name, _, rest = slot.partition(" ")
        if name in ("say", "phi"):
            source = "clinical.txt" if name == "say" else "sentences.txt"
            made: list[Segment] = []
            for _ in range(int(rest)):
                made += [*self.fill(self.pick.choice(_lines(source))), (self.pick.choice([" ", " ", " ", "\n"]), "")]
            return made[:-1]
        who, _, part = name.partition(".")
        if who in ("pt", "dr", "dr2", "dr3", "rel", "rel2", "m", "f"):
            return self._name(who, part)
        if name in _PLAIN:
            return [(_PLAIN[name](self), "")]
        if name in _MARKED:
            label, make = _MARKED[name]
            return [(make(self), label)]
        return [(self.pick.choice(vocabulary()[name]), "")]

    def _name(self, who: str, part: str) -> list[Segment]:
        person = self.people.setdefault(who, self.supply.person())
        if part == "mr":
            return [(self.pick.choice(["Ms.", "Mrs.", "Ms", "Miss"] if self.female else ["Mr.", "Mr", "Mister"]), "")]
        if who.startswith("rel") and not part:
            part = "first"
        return [(_forms(person, part, self.pick), "NAME")]


def _forms(person: Person, part: str, pick: random.Random) -> str:
    first, last, middle = person.first, person.last, person.middle[0]
    if part == "lastfirst":
        form = pick.choice(
            ["{l}, {f}", "{l}, {f} {m}", "{l}, {f} {m}.", "{l},{f}", "{l} , {f} {m}", "{L}, {F}", "{L}, {F} {m}", "{l} {f}"]
        )
    elif part == "initials":
        form = pick.choice(["{i}{j}", "{i}{m}{j}", "{x}{y}"])
    elif part == "initial":
        form = "{j}"
    elif part == "il":
        form = pick.choice(["{i}. {l}", "{i} {l}", "{i}.{l}", "{i}.{m}. {l}", "{l} {i}", "{l}, {i}."])
    elif part:
        form = {"first": "{f}", "last": "{l}", "LAST": "{L}", "FIRST": "{F}", "mi": "{m}", "full": "{f} {l}"}[part]
    else:
        form = pick.choice(
            ["{f} {l}"] * 5
            + ["{f} {m}. {l}"] * 2
            + ["{f} {m} {l}", "{i}. {l}", "{i}.{m}. {l}", "{F} {L}", "{F} {m} {L}", "{f} {M} {l}"]
        )
    return form.format(
        f=first, l=last, m=middle, M=person.middle, F=first.upper(), L=last.upper(), i=first[0], j=last[0],
        x=first[0].lower(), y=last[0].lower(),
    )  # fmt: skip


_DATES: tuple[Callable[[date, random.Random], str], ...] = (
    lambda d, r: f"{d.month:02d}/{d.day:02d}/{d.year}",
    lambda d, r: f"{d.month}/{d.day}/{d.year % 100:02d}",
    lambda d, r: f"{d.month:02d}/{d.day:02d}/{d.year % 100:02d}",
    lambda d, r: d.isoformat(),
    lambda d, r: f"{_MONTHS[d.month - 1]} {d.day}, {d.year}",
    lambda d, r: f"{_MONTHS[d.month - 1][:3]} {d.day}, {d.year}",
    lambda d, r: f"{d.day} {_MONTHS[d.month - 1]} {d.year}",
    lambda d, r: f"{d.day:02d}-{_MONTHS[d.month - 1][:3]}-{d.year}",
    lambda d, r: f"{d.day:02d}{_MONTHS[d.month - 1][:3].upper()}{d.year}",
    lambda d, r: f"{d.month}-{d.day}-{d.year % 100:02d}",
    lambda d, r: f"{_MONTHS[d.month - 1]} {_ordinal(d.day)}, {d.year}",
    lambda d, r: f"the {_ordinal(d.day)} of {_MONTHS[d.month - 1]} {d.year}",
    lambda d, r: f"{d.day:02d}.{d.month:02d}.{d.year}",
    lambda d, r: f"{d.month}/{d.day}",
    lambda d, r: f"{_MONTHS[d.month - 1]} {d.day}",
    lambda d, r: f"{_MONTHS[d.month - 1][:3]}. {_ordinal(d.day)}",
    lambda d, r: f"{_MONTHS[d.month - 1]} {d.year}",
    lambda d, r: f"{d.month:02d}/{d.year}",
    lambda d, r: f"{d.month}/{d.day}/{d.year}",
    lambda d, r: f"{d.year}/{d.month:02d}/{d.day:02d}",
    lambda d, r: f"{d.isoformat()}T{r.randint(0, 23):02d}:{r.randint(0, 59):02d}:00",
)


def _ordinal(n: int) -> str:
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _day(w: Writer) -> str:
    style = w.style if w.pick.random() < 0.6 else w.pick.randrange(len(_DATES))
    return _DATES[style](w.day + timedelta(days=w.pick.randint(-400, 40)), w.pick)


def _phone(w: Writer) -> str:
    return w.supply.any_code(
        "(###) ###-####", "###-###-####", "###.###.####", "### ### ####", "(###)###-####", "1-###-###-####", "+1 ### ### ####",
        "###-####", "+44 20 #### ####", "07### ######", "0## #### ####", "##########", "+49 ## #######", "###-###-#### x###",
    ).replace("(0", "(6").replace("(1", "(7")  # fmt: skip


def _email(w: Writer) -> str:
    person = w.supply.person()
    user = f"{person.first}.{person.last}".lower().replace(" ", "").replace("'", "")
    return f"{user}{w.pick.choice(['', '7', '84'])}@{w.pick.choice(['gmail.com', 'yahoo.com', 'hospital.org', 'mail.example.edu', 'nhs.net'])}"


_PLAIN: dict[str, Callable[[Writer], str]] = {
    "age": lambda w: str(w.pick.randint(1, 89)),
    "sex": lambda w: w.pick.choice(["woman", "female", "lady"] if w.female else ["man", "male", "gentleman"]),
    "sx": lambda w: "F" if w.female else "M",
    "Pron": lambda w: "She" if w.female else "He",
    "pron": lambda w: "she" if w.female else "he",
    "poss": lambda w: "her" if w.female else "his",
    "Poss": lambda w: "Her" if w.female else "His",
    "n": lambda w: str(w.pick.randint(1, 9)),
    "num": lambda w: str(w.pick.randint(10, 400)),
    "time": lambda w: w.pick.choice(["{:02d}:{:02d}", "{}:{:02d} PM", "{:02d}{:02d}", "{}:{:02d}am"]).format(
        w.pick.randint(1, 12), w.pick.randint(0, 59)
    ),
    "dow": lambda w: w.pick.choice(["Monday", "Tuesday", "Wed", "Thursday", "Fri", "Saturday", "Sunday"]),
    "year": lambda w: str(w.pick.randint(1950, 2026)),
    "state": lambda w: w.supply.state()[1],
    "st": lambda w: w.supply.state()[0],
    "icd": lambda w: w.supply.any_code("@##.#", "@##.##", "###.##"),
    "cpt": lambda w: w.supply.digits(5),
    "loinc": lambda w: w.supply.code("####-#"),
    "relation": lambda w: w.pick.choice(["wife", "husband", "daughter", "son", "sister", "brother", "mother"]),
    "insurer": lambda w: w.pick.choice(["Medicare", "Medicaid", "Aetna", "Blue Cross", "Cigna", "United"]),
}

_ID: dict[str, tuple[str, ...]] = {
    "mrn": ("#######", "########", "###-##-##", "### ## ##", "##-##-##-#", "@#######", "######", "#########", "@@######", "0######"),
    "mrn_bare": ("#######", "###-##-##", "########"),
    "accn": ("########", "S##-#####", "@@-##-######", "##-@@-####", "@##-####", "@@@#########", "A#######"),
    "acct": ("##########", "########", "@@########", "####-####-####", "V###########", "#########-##"),
    "ssn": ("###-##-####", "###-##-####", "#########", "### ## ####"),
    "hp": ("@@@#########", "#@@#-@@#-@@##", "#########A", "##########", "@########", "@@@@#####", "###-##-####-A"),
    "grp": ("#####", "@####", "#####-###"),
    "lic": ("@#######", "@########", "###-###-###", "@@######", "########", "@###-####-####"),
    "dea": ("@@#######",),
    "npi": ("1#########",),
    "plate": ("@@@-####", "#@@@###", "@@## @@@", "@@@ ###", "###-@@@", "@@@####"),
    "vin": ("*****************",),
    "dev": ("@@#######", "########", "SN-####-@@", "@#@-######", "@@@######@", "#####-##-####"),
    "dev2": ("@@###", "####-##"),
    "udi": ("(01)##############(21)@####",),
    "bio": ("FP-######", "BIO####-@", "@@@-#####-##", "########"),
    "photo": ("IMG_####.jpg", "photo_######.png", "DSC#####.JPG", "PT-####-FACE.jpg"),
    "study": ("@@@-###", "##-####", "@@####-##", "NCT########", "###-@@-###"),
    "docid": ("#-#######", "########", "@@@@####", "######", "##########", "#######/######", "@####/#####", "BM###/########"),
    "docid2": ("########", "#####"),
    "num9": ("#########", "########"),
    "card": ("####",),
    "hcode": ("@@@@", "@@@"),
    "nhs": ("### ### ####", "##########"),
    "room": ("###@", "####", "@##", "##-@"),
    "user": ("@@###", "@@@@@##"),
    "box": ("####", "###"),
    "route": ("##", "###"),
}  # fmt: skip


def _coded(name: str) -> Callable[[Writer], str]:
    return lambda w: w.supply.any_code(*_ID[name])


_MARKED: dict[str, tuple[str, Callable[[Writer], str]]] = {
    **{name: ("ID", _coded(name)) for name in _ID if name not in ("room", "box", "route", "hcode")},
    "room": ("", _coded("room")),
    "route": ("", _coded("route")),
    "box": ("LOCATION", _coded("box")),
    "hcode": ("LOCATION", _coded("hcode")),
    "inits": ("NAME", lambda w: w.supply.any_code("@@", "@@@", "@@")),
    "inits2": ("NAME", lambda w: w.supply.any_code("@@", "@@@").lower()),
    "hospital": ("LOCATION", lambda w: w.supply.named("hospital")),
    "hospital2": ("LOCATION", lambda w: w.supply.named("hospital")),
    "HOSPITAL": ("LOCATION", lambda w: w.supply.named("hospital").upper()),
    "facility": ("LOCATION", lambda w: w.supply.named("facility")),
    "employer": ("LOCATION", lambda w: w.supply.named("employer")),
    "school": ("LOCATION", lambda w: w.supply.named("school")),
    "city": ("LOCATION", lambda w: w.supply.city()),
    "city2": ("LOCATION", lambda w: w.supply.city()),
    "county": ("LOCATION", lambda w: _county(w)),
    "countyname": ("LOCATION", lambda w: _county(w).removesuffix(" County")),
    "street": ("LOCATION", lambda w: w.supply.street()),
    "zip": ("LOCATION", lambda w: w.supply.any_code("#####", "#####", "#####-####")),
    "ukzip": ("LOCATION", lambda w: w.supply.any_code("@@# #@@", "@## #@@", "@@## #@@")),
    "date": ("DATE", _day),
    "date2": ("DATE", _day),
    "ymd": ("DATE", lambda w: f"{w.day:%Y%m%d}"),
    "md": ("DATE", lambda w: f"{w.pick.randint(1, 12)}/{w.pick.randint(1, 28)}"),
    "md2": ("DATE", lambda w: f"{w.pick.randint(1, 12):02d}/{w.pick.randint(1, 28):02d}"),
    "monyear": (
        "DATE",
        lambda w: (
            f"{w.pick.choice(_MONTHS)[: w.pick.choice((3, 9))]}{w.pick.choice([' ', ' of ', ', '])}{w.pick.randint(1960, 2026)}"
        ),
    ),
    "age90": ("AGE", lambda w: str(w.pick.randint(90, 108))),
    "phone": ("PHONE", _phone),
    "phone2": ("PHONE", _phone),
    "fax": ("PHONE", _phone),
    "pager": ("PHONE", lambda w: w.supply.any_code("#####", "####", "###-####", "#-####")),
    "ext": ("PHONE", lambda w: w.supply.any_code("#####", "####", "#-####")),
    "email": ("WEB", _email),
    "url": (
        "WEB",
        lambda w: (
            w.pick.choice(["https://portal.", "www.", "http://my."])
            + w.supply.invented().lower()
            + w.pick.choice([".org", ".com/mychart", ".net/p?id=4"])
        ),
    ),
    "ip": ("WEB", lambda w: ".".join(str(w.pick.randint(1, 254)) for _ in range(4))),
}


def _county(w: Writer) -> str:
    from tools.text.deidentify.training.people import pools

    return w.pick.choice(pools().counties)


def _spoil(segments: list[Segment], pick: random.Random) -> list[Segment]:
    roll = pick.random()
    if roll < 0.18:
        return [(text.lower(), label) for text, label in segments]
    if roll < 0.28:
        return [(text.upper(), label) for text, label in segments]
    if roll < 0.36:
        return [(_misread(text, pick), label) for text, label in segments]
    if roll < 0.42:  # accents lost, as old systems lose them
        return [(text.encode("ascii", "ignore").decode() or text, label) for text, label in segments]
    return segments


def _misread(text: str, pick: random.Random) -> str:
    """Characters confused as character recognition confuses them, about one in sixty."""
    return "".join(_CONFUSED.get(c, c) if pick.random() < 0.016 else c for c in text)


def _joined(segments: list[Segment], pick: random.Random) -> Note:
    width = pick.choice([0, 0, 0, 60, 72, 80])
    text, spans = "", []
    for piece, label in segments:
        if label and piece:
            spans.append((len(text), len(text) + len(piece), label))
        text += piece
    if width:
        text = _wrapped(text, width)
    return Note(text, tuple(spans))


def _wrapped(text: str, width: int) -> str:
    """Lines broken at spaces; no offset moves."""
    letters, start, space = list(text), 0, -1
    for i, c in enumerate(letters):
        if c == "\n":
            start, space = i + 1, -1
        elif c == " ":
            space = i
        if i - start >= width and space > start:
            letters[space] = "\n"
            start, space = space + 1, -1
    return "".join(letters)
