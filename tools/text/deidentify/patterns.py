"""Identifiers that have a form or a label: found by rules. Each rule is its kind, its pattern, and the group that is the identifier."""

from __future__ import annotations

import re
from typing import NamedTuple

from tools.text.deidentify.spans import Category, Span, made

_CODE = r"(?P<v>(?=[\w/.-]*\d)[A-Za-z0-9][\w/.-]*[A-Za-z0-9](?:[ \t]\d{2,}(?![\w/:.-])){0,4}|\d+)"
"""A code: letters, digits and joints with at least one digit; groups of digits may stand apart."""
_SEP = r"[ \t]*(?:[:#=|]|no\.?|number|num\.?|is|was|are|id|of)?[ \t]*(?:[:#=|][ \t]*)*(?:\n[ \t]*)?"
_NO = r"(?:[ \t]*(?:no\.?|number|num(?:ber)?\.?|nbr|#|id(?:entifier)?|code))"


def _labelled(label: str, value: str = _CODE) -> str:
    return rf"(?<![A-Za-z/])(?:{label})(?![a-z]){_SEP}{value}(?!\w)"


_PHONE = (
    r"(?P<v>(?:\+?\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?|\d{3}[ .-]{1,3})\d{3}[ .-]{1,2}\d{4}(?:[ ,]*(?:x|ext\.?|extension)[ .:]*\d{1,6})?"
    r"|\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}|(?:\(?0\d{2,4}\)?[ -]\d{3,4}[ -]?\d{3,4}))"
)
_LABEL_PHONE = r"(?P<v>\(?\+?\d[\d ()./-]{2,18}\d(?:[ ,]*(?:x|ext\.?)[ .:]*\d{1,6})?|\d{4,6})"


class _Rule(NamedTuple):
    """What is found, by which pattern, and whether case matters."""

    category: Category
    pattern: str
    exact: bool = False


_STATE_CODES = (
    r"A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]|PR"
)
_STATES = (
    r"alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|florida|georgia|hawaii|idaho|illinois|indiana|iowa|"
    r"kansas|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota|mississippi|missouri|montana|nebraska|nevada|"
    r"new (?:hampshire|jersey|mexico|york)|(?:north|south) (?:carolina|dakota)|ohio|oklahoma|oregon|pennsylvania|rhode island|"
    r"tennessee|texas|utah|vermont|(?:west )?virginia|washington|wisconsin|wyoming"
)
_STREET = r"Street|Avenue|Road|Boulevard|Lane|Drive|Court|Place|Terrace|Parkway|Circle|Square|Highway|Trail|Crescent|Close|Mews|Grove|Gardens|Row|Walk|Turnpike|Alley|Plaza|Quay|Blvd|Ave|Rd|Pkwy|Hwy"
_UNIT = r"(?:,?[ \t]*(?:apt|apartment|suite|ste|unit|#|floor|fl|room)\.?[ \t]*#?[\w-]+)?"
_PLATE = r"(?P<v>[A-Z]{1,4}[ -]?\d{1,4}[ -]?[A-Z]{0,3}|\d{1,4}[ -]?[A-Z]{1,4}[ -]?\d{0,4})"
_JOINT = rf"(?:{_NO}|[ \t]*[:#])"
_RULES: tuple[_Rule, ...] = (
    _Rule("EMAIL", r"(?P<v>[\w.+'-]+[ \t]?@[ \t]?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)"),
    _Rule("URL", r"(?P<v>(?:https?|ftp|sftp)://[^\s<>\"')\]]+|(?<![\w@.])www\.[\w-]+(?:\.[\w-]+)+(?:/[^\s<>\"')\]]*)?)"),
    _Rule("URL", r"(?<![\w@.])(?P<v>[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|edu|gov|health|co\.uk|nhs\.uk|io)(?:/[^\s<>\"')\]]*)?)(?![\w@])"),
    _Rule("IP", r"(?<![\d.])(?P<v>(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d))(?!\.?\d)"),
    _Rule("IP", r"(?<![\w:])(?P<v>(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6})(?![\w:])"),
    _Rule("IP", r"(?<![\w:-])(?P<v>(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2})(?![\w:-])"),
    _Rule("SSN", r"(?<![\w-])(?P<v>(?!000|666)\d{3}-\d{2}-\d{4})(?![\w-])"),
    _Rule("SSN", _labelled(r"ssn|ss#|ss[ \t]?no\.?|soc(?:ial)?\.?[ \t]+sec(?:urity)?\.?", r"(?P<v>(?:\d{3}|[x*]{3})[ -]?(?:\d\d|[x*]{2})[ -]?\d{4}|\d{9}|\d{4})")),
    _Rule("SSN", r"last[ \t]+(?:4|four)(?:[ \t]+digits)?(?:[ \t]+of)?[ \t]+(?:ssn|social)[ \t:]*(?:is[ \t]*)?(?P<v>\d{4})"),
    _Rule("FAX", rf"(?<![A-Za-z])(?:fax(?:ed)?|facsimile|telefax)(?:{_NO}|[ \t]+to)?[ \t]*[:#|]?[ \t]*(?:at[ \t]*)?{_LABEL_PHONE}(?!\w)"),
    _Rule("PHONE", rf"(?<![A-Za-z])(?:phone|tel(?:ephone)?\.?|ph\.?|cell(?:[ \t]?phone)|beeper|bpr|pager|pgr|pg|voicemail|hotline|callback)(?:{_NO})?[ \t]*[:#|]?[ \t]*{_LABEL_PHONE}(?![\w%/])"),
    _Rule("PHONE", r"(?<![A-Za-z])(?:ext(?:ension|\.)?|x)[ \t.:#]*(?P<v>\d{4,6}|\d-\d{4})(?!\w)"),
    _Rule("PHONE", rf"(?<![\w.(/-]){_PHONE}(?![\w-])"),
    _Rule("PHONE", r"(?<![\w./-])(?P<v>[2-9]\d{2}-\d{4})(?![\w/-])"),
    _Rule("MRN", _labelled(rf"mrn|m\.r\.n\.?|mr[ \t]?(?:#|no\.?|num(?:ber)?)|(?:med(?:ical)?\.?[ \t]*)?rec(?:ord)?s?\.?{_NO}|medical[ \t]+records?|unit{_NO}|hosp(?:ital)?\.?{_NO}|patient{_NO}|pt\.?{_NO}|pat[ \t]?id|chart{_NO}|nhs{_NO}?|chi{_NO}|empi|subject[ \t]id")),
    _Rule("HEALTH_PLAN", _labelled(rf"(?:(?:health|medical|dental)[ \t]*)?(?:plan|insurance|ins\.?|policy|member(?:ship)?|subscriber|beneficiary|group|grp|medicare|medicaid|hicn?|mbi|payer|blue[ \t]cross|bcbs|aetna|cigna)(?:[ \t]+(?:beneficiary|plan|policy|member|health[ \t]card))?{_NO}|hicn|mbi|(?:health|medicare)[ \t]card|(?:member|policy|group)[ \t]*[:#]")),
    _Rule("ACCOUNT", _labelled(rf"(?:(?:bank|billing|patient|hospital|guarantor|checking)[ \t]*)?(?:account|acct\.?){_NO}?|(?:csn|fin|har){_JOINT}|csn|(?:encounter|visit|invoice|claim|billing|receipt|routing|guarantor|authorization|auth|referral|order){_NO}|(?:routing|encounter|visit|invoice|claim)[ \t]*[:#]|routing|credit[ \t]card(?:{_NO}|[ \t]+ending(?:[ \t]+in)?)?|iban")),
    _Rule("ACCOUNT", r"(?<!\w)(?P<v>[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){3,7}(?:[ ]?[A-Z0-9]{1,3})?)(?!\w)", exact=True),
    _Rule("LICENSE", r"(?<![A-Za-z])(?:passport|id[ ]card|identity[ ]card|residence[ ]permit)[ \t:#]*(?:n[o°º]?[.°º]*[ \t]*)?(?P<v>(?=[\w-]*\d[\w-]*\d)[A-Za-z0-9][\w-]{4,})(?!\w)"),
    _Rule("LICENSE", _labelled(rf"(?:driver'?s?'?|driving|medical|nursing|state|professional|pharmacy|rn|md|pilot)?[ \t]*(?:licen[cs]e|lic\.|lic(?=[ \t]*(?:#|no|num)))(?:{_NO})?|dl{_JOINT}[ \t]*(?:[a-z]{{2}}(?=[ \t]+\w*\d))?|d\.l\.|dea(?:{_NO})?|npi(?:{_NO})?|upin(?:{_NO})?|(?:(?:birth|death|board)[ \t]*)?certificate{_NO}|passport(?:{_NO})?|gmc(?:{_NO})?|nmc[ \t]pin|credential{_NO}|registration{_NO}")),
    _Rule("VEHICLE", _labelled(rf"vin(?:{_NO})?|vehicle(?:[ \t]+id(?:entification)?)?{_NO}")),
    _Rule("VEHICLE", rf"(?<![A-Za-z])(?:(?:licen[cs]e|registration|number)[ \t]*(?:plates?|tag)|plates?(?=[ \t]*(?:no\.?|number|#|:))|(?<=, )plate|vehicle[ \t]reg(?:istration)?)(?:[ \t]*(?:no\.?|number|#))?[ \t]*[:#]?[ \t]*(?:is[ \t]*)?{_PLATE}(?!\w)"),
    _Rule("VEHICLE", r"(?<![A-Za-z])(?:car|vehicle|motorbike|motorcycle|truck|van|taxi)[ \t]+(?:registration|reg\.?|plates?|tag)(?:[ \t]*(?:no\.?|number|#))?[ \t]*[:#]?[ \t]*(?:is[ \t]*)?(?P<v>(?=[A-Z0-9 -]*\d)[A-Z0-9]{1,4}(?:[ -][A-Z0-9]{1,5}){0,2})(?!\w)"),
    _Rule("VEHICLE", r"(?<!\w)(?P<v>[A-Z]{2}\d{2}[ ]?[A-HJ-PR-Y][A-Z]{2}|[A-ZÄÖÜ]{1,3}-[A-Z]{1,2}[ -]\d{2,4}[EH]?)(?!\w)", exact=True),
    _Rule("VEHICLE", r"(?<!\w)(?P<v>(?=[A-HJ-NPR-Z]*\d)(?=\d*[A-HJ-NPR-Z])[A-HJ-NPR-Z0-9]{17})(?!\w)", exact=True),
    _Rule("DEVICE", _labelled(rf"serial(?:{_NO})?|s/n|sn{_JOINT}|device{_NO}|udi|(?:implant|device|lot|model|ref|catalog|batch){_JOINT}|(?:implant[ \t]+)?lot|imei|pacemaker{_NO}|icd[ \t]serial", r"(?P<v>(?=[\w/().-]*\d)[(A-Za-z0-9][\w/().-]*[A-Za-z0-9]|\d+)")),
    _Rule("BIOMETRIC", _labelled(rf"(?:finger|thumb|palm|hand)[ -]?prints?(?:[ \t]+(?:template|scan|record|file|card|hash|ref(?:erence)?))?{_NO}?|voice[ -]?(?:print|id)(?:[ \t]+(?:file|sample|template))?{_NO}?|(?:retina(?:l)?|iris|facial|face|biometric)(?:[ \t]+(?:scan|template|recognition|record|hash|signature|ref(?:erence)?|voice))+{_NO}?|biometric{_NO}|dna[ \t]+(?:profile|sample){_NO}")),
    _Rule("PHOTO", r"(?<![\w/])(?P<v>[\w-]+\.(?:jpe?g|png|gif|tiff?|heic|bmp|webp))(?!\w)"),
    _Rule("PHOTO", _labelled(rf"(?:full[ -]face[ \t]+)?(?:photo(?:graph)?s?|mug[ -]?shot|portrait|headshot|selfie)(?:[ \t]+(?:id|file|image|ref(?:erence)?|record))*{_NO}?")),
    _Rule("ID", _labelled(rf"acc(?:ession)?{_JOINT}|accession|(?:specimen|case|path(?:ology)?|study|protocol|trial|job|doc(?:ument)?|dictation|transcription|confirmation|slide|sample|barcode|requisition|employee|badge|user|login|student|reference|ticket|token|file|prescription|rx|incident|report|exam|locator|record|series|tracking|permit|inmate|booking|military|service|tax|ein|tin|itin|national|docket|warrant|locker|key[ \t]?card){_NO}|escription[ \t]document|(?:job|document|doc|our[ \t]ref|your[ \t]ref|ref|case|specimen|badge)[ \t]*[:#]|badge")),
    _Rule("HEALTH_PLAN", r"(?<![A-Za-z])(?:medicare|medicaid|blue[ \t]cross|bcbs|aetna|cigna|humana|tricare)[ \t,:#-]+(?P<v>(?=[\w-]*\d[\w-]*\d[\w-]*\d)[A-Za-z0-9][\w-]{5,})(?!\w)"),
    _Rule("ID", r"(?<![A-Za-z])(?:badge|ticket|incident|docket|permit|reference|case|claim|referral|confirmation|barcode|locker)\b[^:#\n\d]{0,32}[:# ][ \t]*(?P<v>(?=[\w/-]*\d[\w/-]*\d[\w/-]*\d)[A-Za-z0-9][\w/-]{2,}[A-Za-z0-9])(?!\w)"),
    _Rule("BIOMETRIC", r"(?<![A-Za-z])(?:finger|thumb|palm|voice|retina|iris|face|dna)[ -]?(?:print|scan|id)?s?\b[^:#\n\d]{0,24}[:# ][ \t]*(?P<v>(?=[\w/-]*\d[\w/-]*\d[\w/-]*\d[\w/-]*\d)[A-Za-z0-9][\w/-]{3,}[A-Za-z0-9])(?!\w)"),
    _Rule("ID", r"(?<![A-Za-z])(?:username|user[ \t]?name|login|user|handle|screen[ \t]name)[ \t]*[:=#][ \t]*(?P<v>@?[\w.-]{3,})"),
    _Rule("ID", r"(?P<v>(?<!\w)(?:nct\d{8}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}))(?!\w)"),
    _Rule("ID", r"(?<![\w.(/$-])(?P<v>\d{7,}(?:-\d+)*|\d{3}-\d{2}-\d{2,3}(?:-\d)?|[A-Z]{1,4}[- ]?\d{6,}[A-Z]?|[A-Z]{1,3}\d{2}-\d{3,7}|\d{2}-[A-Z]{1,3}-?\d{3,7}|[A-Z]{3}-\d{3,7}(?:-\w+)?)(?!\.\d|\w|%)", exact=True),
    _Rule("LOCATION", r"(?<![A-Za-z])p\.?[ \t]?o\.?[ \t]*box[ \t]*(?P<v>\d+)"),
    _Rule("LOCATION", rf"\b(?:{_STATE_CODES})\b\.?[ ,\t]+(?P<v>\d{{5}}(?:-\d{{4}})?)(?![\w-])", exact=True),
    _Rule("LOCATION", rf"\b(?:{_STATES})[ ,\t]+(?P<v>\d{{5}}(?:-\d{{4}})?)(?![\w-])"),
    _Rule("LOCATION", r"(?<![A-Za-z])zip(?:[ \t]?code)?[ \t:#|]*(?P<v>\d{5}(?:-\d{4})?)"),
    _Rule("LOCATION", r"(?<!\w)(?P<v>[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d)(?!\w)", exact=True),
    _Rule("LOCATION", rf"(?<![\w/.])(?P<v>\d{{1,5}}[A-Z]?[ \t]+(?:[NSEW]\.?[ \t]+|North[ \t]+|South[ \t]+|East[ \t]+|West[ \t]+)?(?:[A-Za-z'.-]+[ \t]+|\d{{1,3}}(?:st|nd|rd|th)[ \t]+){{1,3}}(?:{_STREET})\b\.?{_UNIT})"),
    _Rule("LOCATION", rf"(?<![\w/.])(?P<v>\d{{1,5}}[A-Z]?[ \t]+(?:[NSEW]\.?[ \t]+)?(?:[A-Z][A-Za-z'.-]+[ \t]+|\d{{1,3}}(?:st|nd|rd|th)[ \t]+){{1,3}}(?:St|Ln|Dr|Ct|Pl|Way|Sq|Ter|Cir)\b\.?(?i:{_UNIT}))", exact=True),
    _Rule("LOCATION", r"(?<!\w)(?P<v>[A-ZÀ-Þ][\wÀ-ɏ'’.-]*(?:[ -][A-ZÀ-Þ][\wÀ-ɏ'’.-]*){0,3}?(?i:[ -]?(?:straße|strasse|str\.|gasse|allee|platz|damm|ufer|graben|weg))[ ]+\d{1,4}[ ]?[a-zA-Z]?)(?!\w)", exact=True),
    _Rule("LOCATION", r"(?<!\w)(?P<v>(?:(?:Am|An der|Im|Zum|Zur|Auf dem)[ ]+[A-ZÀ-Þ][\wÀ-ɏ-]+[ ]+\d{1,4}[a-z]?|\d{0,4},?[ ]?(?:Calle|C/|Avda\.?|Avenida|Plaza|Paseo|Rue|Via|Viale|Piazza|Corso|Rua|Travessa|Ulica|ul\.|Rúa)[ ]+(?:(?:de|del|della|la|las|los|dos|du|des|do)[ ]+)*[A-ZÀ-Þ][\wÀ-ɏ'’.-]+(?:[ ]+(?:(?:de|del|la|y)[ ]+)*[A-ZÀ-Þ][\wÀ-ɏ'’-]+){0,3}(?:,?[ ]+(?:n[º°.]?[ ]*)?\d{1,4}[a-zA-Z]?)?))(?!\w)", exact=True),
    _Rule("LOCATION", r"(?:(?<=, )|(?<=\n))(?P<v>(?:D-|A-|CH-|F-|E-|I-)?\d{5}[ ]+[A-ZÄÖÜ][a-zäöüß]+(?:[ -](?:am|an|der|im|ob|bei)?[ ]?[A-ZÄÖÜ][a-zäöüß]+){0,2})(?=[ ]*(?:[,.]|\n|$))", exact=True),
    _Rule("AGE", r"(?<![\w.,/])(?P<v>9\d|1[0-2]\d)(?=[ \t-]*(?:years?|yrs?|y)\.?[ \t-]*(?:old|o\b|/o\b|\.o\b|of[ \t]age)|[ \t-]*(?:y/?o|y\.o\.?|yo[mf]?)\b|[ \t]*-?year-?old)"),
    _Rule("AGE", r"(?<![A-Za-z])(?:aged?|aged?[ \t]+of|turned|age[ \t]*[:|=])[ \t:|=]*(?P<v>9\d|1[0-2]\d)(?![\w.%]|/\d)"),
    _Rule("AGE", r"(?<![\w.,/-])(?P<v>9\d|1[01]\d)(?=[ \t]*/?[ \t]*(?:M|male|female|woman|man|lady|gentleman)\b)"),
    _Rule("AGE", r"(?:mother|father|parent|wife|husband|sister|brother|aunt|uncle|spouse|woman|man|lady|gentleman|patient|pt)[ \t]*\([ \t]*(?:age[d]?[ \t]*)?(?P<v>9\d|1[01]\d)[ \t]*\)"),
    _Rule("AGE", r"(?<!\w)(?P<v>(?:ninety|one hundred(?: and)?)(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?)(?=[ -]*(?:years?|yrs?|y\.?o))"),
)  # fmt: skip
_COMPILED = tuple((rule.category, re.compile(rule.pattern, re.NOFLAG if rule.exact else re.IGNORECASE)) for rule in _RULES)
_HARMLESS = re.compile(
    r"^(?:\d{1,2}|\d{1,3}[./]\d{1,3}|[a-z]\d{1,2}|q\d+h?|\d+(?:\.\d+)?(?:mg|ml|mcg|g|kg|cm|mm|hrs?|h|x|st|nd|rd|th|am|pm))$",
    re.IGNORECASE,
)


def find_patterns(text: str) -> list[Span]:
    """All identifiers that the rules see; they may overlap."""
    found = []
    for category, pattern in _COMPILED:
        for match in pattern.finditer(text):
            value = match.group("v")
            if category not in ("AGE", "LOCATION", "PHONE", "SSN", "FAX") and _HARMLESS.match(value):
                continue
            found.append(made(text, match.start("v"), match.end("v"), category))
    return found
