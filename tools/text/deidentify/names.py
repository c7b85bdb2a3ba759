"""Names by the words round them, and what looks like a name and is none: eponyms of diseases, signs, instruments and methods."""

from __future__ import annotations

import re

from tools.text.deidentify.lexicon import CLINICAL_ENDINGS, Lexicon
from tools.text.deidentify.spans import Span, made

EPONYMS = frozenset(
    "abrikosoff achilles addison adson albright allen allis alport alzheimer apgar arnold asperger austin babinski baker balfour bankart "
    "barlow barrett barthel bartholin bartter beck becker behcet bell bence berger bernard billroth binet bland blalock boerhaave bonferroni "
    "bouchard bovie bowman braden braxton breslow broca brodie brodmann brudzinski brugada bruce budd buerger burkitt cajal carnett "
    "castleman charcot chagas chiari child chvostek clark cobb colles conn cooley coombs cooper cope courvoisier cox coxsackie creutzfeldt "
    "crohn cullen cushing dandy debakey dix doppler douglas down dubin duchenne duke dupuytren duroziez ebstein edwards ehlers eisenmenger "
    "epley epstein erb ewing fallot fanconi felty fick finkelstein fisher fitz foley fontan forrester fowler frank frankel friedreich "
    "galeazzi gardner gaucher geiger genant gerota giemsa gilbert glasgow gleason goodpasture gottron gowers graham gram graves grey "
    "guillain guyon hallpike hamilton hampton hansen hartmann hashimoto heberden heimlich heinz henle henoch hickman hill hirschsprung "
    "hodgkin hoffmann holter homan homans horner hounsfield howell hunter huntington hurler hutchinson ivor jackson jacksonian jacob jakob "
    "janeway jefferson jeghers jehovah jolly jones kaplan kaposi karnofsky kartagener kawasaki kayser kegel keller kelly kerley kernig "
    "killip kirschner klebsiella klinefelter kocher koch koebner koplik korsakoff krukenberg kupffer kussmaul lachman lambert langerhans "
    "langhans larrey leopold lewis lewy leydig lhermitte lichtenstein lisfranc listeria lynch mallampati mallory mann marfan marjolin mayo "
    "mcburney mcmurray meckel meier meniere metzenbaum mobitz mohs monteggia montgomery morison morse murphy nissen noonan norton ober oddi "
    "ollier osgood osler paget pancoast papanicolaou parkinson patrick pearson penrose perthes peutz peyer peyronie pfannenstiel phalen "
    "pick plummer poiseuille popeye potts pott prader prinzmetal pringle purkinje queckenstedt quincke quinton ramsay ranson rathke raynaud "
    "recklinghausen reed reiter richter riedel ringer rinne romberg rorschach roth rovsing roux salmonella salter schatzki scheuermann "
    "schilling schlatter schlemm schmorl schoenlein schonlein schwann seldinger sertoli sheehan shigella sipple sjogren skene smith snellen "
    "spearman spurling starling steinmann stensen sternberg stokes sturge swan sydenham takayasu takotsubo tay thomas tinel tourette "
    "trendelenburg trousseau turner valsalva vater virchow waldenstrom wallenberg warthin weber wegener wells wenckebach werdnig wernicke "
    "wharton whipple willebrand willis wilms wilson wolff wood yankauer zenker pugh simpson barr lennox gastaut harris kuhn bishop rankin schober bristol zollinger ziehl neelsen fleischner nottingham oncotype bosniak lugano schirmer weil felson ellison barre strauss churg stevens "
    "johnson danlos weiss parkinsonian sachs marie tooth meyer addisonian cushingoid hippocrates likert student wilcoxon kruskal shapiro "
    "bland altman cohen cronbach hosmer lemeshow bayes bayesian markov poisson gauss gaussian fourier framingham mantel haenszel tukey "
    "nelson whitney mcnemar cochran kolmogorov smirnov charlson elixhauser".split()
)
_THINGS = (
    r"disease|disorder|syndrome|sign|signs|test|tests|scale|score|scores|angle|grade|graded|catheter|cath|tube|drain|drains|forceps|clamp|"
    r"clamps|scissors|retractor|retractors|lymphoma|sarcoma|tumou?rs?|carcinoma|cell|cells|body|bodies|dementia|palsy|phenomenon|fracture|"
    r"fractures|lesion|lesions|procedure|operation|repair|technique|manoeuvre|maneuver|position|reflex|stain|solution|lactate|monitor|chart|"
    r"units?|lines?|hump|point|node|nodes|cyst|cysts|diverticulum|diverticula|contracture|esophagus|oesophagus|thyroiditis|ophthalmopathy|"
    r"granulomatosis|arteritis|cardiomyopathy|angina|pattern|anomaly|malformation|purpura|macroglobulinemia|coma|criteria|class|classification|"
    r"index|inventory|status|system|regression|model|curve|curves|plot|method|analysis|distribution|correlation|exact|law|forces|fibers|glands?|"
    r"tendon|ligament|fascia|pouch|capsule|loop|canal|duct|virus|procedure|smear|wire|pin|pins|needle|cannula|bag|bandage|dressing|splint|brace|"
    r"collar|boot|frame|bed|lamp|light|shunt|graft|valve|stent|filter|pump|port|line|device|study|trial|trials|cohort|protocol|regimen|diet|"
    r"exercises?|stage|staging|thickness|level|foot|joint|tear|arthropathy|ulcers?|neuralgia|psychosis|encephalopathy|chorea|ataxia|anemia|"
    r"anaemia|nephropathy|retinopathy|area|aphasia|murmur|rub|respirations?|breathing|pulse|rings?|spots?|nodules?|papules?|plaques?|"
    r"hernia|abscess|gangrene|infarct|infection|fever|rash|chancre|esophagectomy|fundoplication|gastrectomy|resection|incision|sphincter"
)
_BEFORE_THING = re.compile(rf"^(?:['’]s?)?(?:[\s-]+[\w'’]+){{0,2}}?[\s-]+(?:{_THINGS})\b", re.IGNORECASE)
_TITLE_BEFORE = re.compile(
    r"(?:\b(?:dr|drs|mr|mrs|ms|miss|prof|doctor|nurse|sister|professor)\b\.?|\bby|\bfrom|\bpatient:?|\bname:?|\bpcp:?|\bdear)[\s:]*$",
    re.IGNORECASE,
)
_PART = r"[A-Z][A-Za-zÀ-ɏ'’]*(?:-[A-Z][A-Za-zÀ-ɏ'’]*)?\.?"
_LINK = r"(?:(?:van|von|de|der|den|del|della|di|da|dos|la|le|bin|ibn|al|el|St)[ \t-]+)"
_FULL = rf"(?P<v>{_LINK}{{0,2}}{_PART}(?:[ \t]+{_LINK}{{0,2}}{_PART}){{0,3}})"
_SURE = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?i:dr|drs|mr|mrs|ms|miss|mister|prof|professor|doctor|sir|madam|rev|fr|sr|sgt|capt|lt|col)\b\.?[ \t]+{_FULL}",
        rf"\b(?:Dr|Mr|Mrs|Ms)\.{_FULL}",
        rf"{_FULL}[ \t]*,[ \t]*(?:M\.?D|D\.?O|R\.?N|N\.?P|P\.?A(?:-?C)?|Ph\.?D|LPN|CRNA|MSW|LICSW|LCSW|DDS|DPM|RPh|PharmD|MBBS|FRCS|FACS|FACC|CNM|RRT|RD|PT|OT|SLP|DNP|APRN|CNP)\b",
        rf"(?i:patient(?:'s)?[ \t]*name|pt[ \t]*name|name|patient|pt|attending(?:[ \t]physician)?|surgeon|assistant|anesthesiologist|"
        rf"provider|ordering(?:[ \t]physician)?|referring(?:[ \t](?:physician|provider|md))?|pcp|primary[ \t]care[ \t](?:physician|provider)|"
        rf"physician|consultant|resident|dictated[ \t]by|signed[ \t]by|electronically[ \t]signed[ \t]by|author|reviewed[ \t]by|transcribed[ \t]by|"
        rf"verified[ \t]by|read[ \t]by|cosigned[ \t]by|prepared[ \t]by|entered[ \t]by|nok|next[ \t]of[ \t]kin|emergency[ \t]contact|guardian|"
        rf"mother|father|spouse|guarantor|subscriber|witness|interpreter|pathologist|radiologist|technologist|sonographer|pharmacist|re|cc|attn|"
        rf"last[ \t]name|first[ \t]name|surname|forename|given[ \t]name|middle[ \t]name|maiden[ \t]name)[ \t]*[:|][ \t]*"
        rf"(?P<v>{_PART}(?:[ \t]*,)?(?:[ \t]+{_LINK}{{0,2}}{_PART}){{0,3}})",
        rf"\b(?i:(?:called|paged|phoned|notified|seen|signed|reviewed|verified|performed|evaluated|examined|discussed|spoken?|spoke|met|given|"
        rf"handed[ \t]over|report|updated|referred|dictated|ordered|accompanied|followed|covered|texted|booked)[ \t]+(?:by|to|with|from|for)|d/w|c/o[ \t]dr|"
        rf"coordinator|sonographer|technologist|technician|anaesthetist|anesthesiologist|interpreter|requesting|crew|officer|colleague|teacher|"
        rf"cousin|grandmother|grandfather|stepfather|stepmother|mum|mom|dad|proxy|hcp|attn|attention|participant|subject|client)[ \t]*[,:]?[ \t]+{_FULL}",
        rf"{_FULL}[ \t]+(?:R\.?N|M\.?D|D\.?O|N\.?P|PA-?C|LPN|EMT(?:-[PB])?|PGY-?\d|LICSW|MSW|CRNA|PharmD)\b",
        rf"--?[ \t]?(?P<v>{_PART}(?:[ \t]+{_PART})?)[ \t]*,?[ \t]*(?i:pgy|md|rn|pager|np\b|pa\b|do\b)",
        r"(?<![\w.])(?P<v>(?:[A-Z]\.[ \t]?){1,2}[A-Z][A-Za-zÀ-ɏ'’]{2,}(?:-[A-Z][A-Za-zÀ-ɏ'’]+)?)(?![\w])",
        rf"(?P<v>{_PART})[ \t]+\((?i:bed|room|rm)\b",
        rf"(?i:dear|\bhi|\bhello|\bregards,|\bsincerely,|\bthanks,|\bbest,)\s+{_FULL}",
        rf"(?i:wife|husband|daughter|son|mother|father|sister|brother|partner|niece|nephew|spouse|fianc[eé]e?|friend|neighbou?r|girlfriend|boyfriend|aunt|uncle|"
        rf"grandson|granddaughter|roommate|caregiver|named?|called|known as|a\.k\.a\.|aka)[ \t]*[,(]?[ \t]+{_FULL}",
    )
)
_UNCASED = re.compile(
    r"\b(?:drs?|mrs?|ms|miss|prof|doctor|nurse|(?:called|paged|phoned|seen|signed|reviewed|verified|performed|evaluated|examined|read|dictated|ordered|"
    r"requested|accompanied|covered)[ \t]+by|(?:d/w|discussed[ \t]+with|spoke[ \t]+(?:with|to)|requesting|per|coordinator|sonographer|technologist|"
    r"attending|surgeon|assistant|resident|fellow|interpreter|family|wife|husband|daughter|son|mother|father|sister|brother|cousin|friend|"
    r"roommate|partner|neighbou?r|grandson|granddaughter|niece|nephew|aunt|uncle|spouse|pt|patient|participant|named|dear|hi))(?![^\W\d_])"
    r"[ \t]*[.:,(]{0,2}[ \t]*(?P<v>[^\W\d_]{3,}(?:['’-][^\W\d_]+)?(?:[ \t]+(?:[^\W\d_]\.?[ \t]+)?[^\W\d_]{3,}(?:['’-][^\W\d_]+)?)?)",
    re.IGNORECASE,
)
"""The same without help from capitals; then every word must be unknown to English and to medicine."""
_NOT_NAMES = frozenset(
    "the and or of to in on at for with is was are has had he she they his her their this that no not none unknown male female patient "
    "date dob mrn age sex name dr mr mrs ms md rn np pa pcp admitting attending physician nurse hospital clinic medical center department "
    "service emergency room unit phone fax address history exam impression findings plan assessment diagnosis please call see seen per "
    "aware notified will would should can may today tomorrow yesterday denies reports states plan left right bilateral who deceased "
    "monday tuesday wednesday thursday friday saturday sunday none na n/a tbd pending self doctor team family staff rounds note time "
    "id ids no i we you it as be by from but if so yes do does did also all any both each other than then there these those when where which while "
    "consultant oncologist cardiologist surgeon neurologist psychiatrist radiologist pathologist specialist therapist manager supervisor "
    "teacher lawyer officer senior junior chief registrar".split()
)
_CUT = re.compile(r"\s+(?:[A-Z][A-Za-z.]*:|MRN|DOB|SSN|Date|Age|Sex|Phone|M\.?D\b).*$", re.DOTALL)


_ROLE = (
    r"(?:[a-z/&]+[ \t]+)?(?:fellow|resident|attending|intern|consultant|registrar|pgy[ -]?\d|rn|md|np|lpn|pa-c|crna|do)\b"
)
_BY_PLACE = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"\b(?:d/w|discussed[ \t]+with|phoned[ \t]+to|called[ \t]+to|per|paged|spoke[ \t]+(?:with|to)|signed[ \t]+out[ \t]+to)[ \t]+(?P<v>[^\W\d_][\w'’-]{{2,}})[ \t]*[(,]?[ \t]*{_ROLE}",
        rf"--?[ \t]?(?P<v>[^\W\d_][\w'’-]{{2,}})[ \t]*,[ \t]*{_ROLE}",
        r"(?:^|[.!?][ \t]+)(?P<v>[^\W\d_][\w'’-]{2,})[ \t]+(?:was|is)[ \t]+\d{1,3}[ \t]+years[ \t]+old\b",
        r"(?P<v>[^\W\d_][\w'’-]{2,})[ \t]+\((?:bed|room|rm)[ \t]*\d",
        r"^[ \t]*(?P<v>[^\W\d_][\w'’-]+,[ \t]+[^\W\d_][\w'’-]+(?:[ \t]+[^\W\d_]\.?)?)[ \t]{2,}[mf][ \t]+",
        r"\b(?:sonographer|technologist|technician|surgeon|assistant|interpreter|pathologist|radiologist)[ \t:]+(?P<v>[^\W\d_]\.[ \t]*[^\W\d_][\w'’-]{2,})",
        r"\((?P<v>[^\W\d_][\w'’-]+(?:[ \t]+[^\W\d_]\.?)?(?:[ \t]+[^\W\d_][\w'’-]+)?[ \t]+and[ \t]+[^\W\d_][\w'’-]+)\)[ \t]+(?:at|present|by)",
    )
)
"""Where nothing but a name can stand, be it a word, an eponym or in small letters."""


_SERVICES = frozenset(
    "cards cardiology renal nephrology surgery surgical neuro neurology gi medicine medical ortho orthopedics icu micu sicu heme onc oncology "
    "hematology pulm pulmonary psych psychiatry vascular trauma plastics transplant palliative pain anesthesia radiology ir pharmacy team "
    "call covering night day primary charge senior thoracic neurosurgery urology gyn ob obstetrics pediatrics infectious wound consult "
    "house swing float chief outside transferring accepting".split()
)
"""Whom one talks to by what they do."""


def find_names(text: str, lexicon: Lexicon) -> list[Span]:
    """Names that their surroundings tell."""
    found = []
    for pattern in _BY_PLACE:
        for match in pattern.finditer(text):
            if match.group("v").lower().split(",")[0] not in _NOT_NAMES | _SERVICES:
                found.append(made(text, match.start("v"), match.end("v"), "NAME", 0.9))
    for pattern in _SURE:
        for match in pattern.finditer(text):
            start, end = match.span("v")
            value = _CUT.sub("", match.group("v"))
            words = value.split()
            titled = _titled(text, start)
            while words and (
                (
                    words[-1].lower().strip(".,'") in _NOT_NAMES
                    if titled and words[-1][:1].isupper() and len(words) < 4 and not words[-1].isupper()
                    else _no_name(words[-1], lexicon)
                )
                and (len(words) > 1 or words[-1].lower().strip(".,'") in _NOT_NAMES)
            ):
                value = value[: value.rfind(words[-1])].rstrip(" ,\t")
                words.pop()
            if words and words[0].lower().strip(".,") not in _NOT_NAMES and not is_eponym(text, start, start + len(value)):
                end = start + len(value.rstrip("., "))
                if end > start + 1 and not (len(words) == 1 and _no_name(words[0], lexicon) and not _titled(text, start)):
                    found.append(made(text, start, end, "NAME", 0.9))
    return [*found, *_uncased(text, lexicon)]


def _uncased(text: str, lexicon: Lexicon) -> list[Span]:
    found = []
    for match in _UNCASED.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.end() + 40].split("\n")[0]
        if not (line.islower() or line.isupper()):
            continue
        start, end = match.span("v")
        words = match.group("v").split()
        if _ordinary(words[0], lexicon):
            continue
        if len(words) > 1 and _ordinary(words[-1], lexicon):
            end = start + len(words[0])
        if not is_eponym(text, start, end):
            found.append(made(text, start, end, "NAME", 0.75))
    return found


def _ordinary(word: str, lexicon: Lexicon) -> bool:
    """English, clinical, an abbreviation without vowels, or a drug by its ending."""
    low = word.lower().strip(".'’")
    if low in _NOT_NAMES or lexicon.has("clinical", low):
        return True
    if lexicon.has("given_common", low) and low not in _ALSO_WORDS:
        return False
    if lexicon.ordinary(low):
        return True
    known = lexicon.has("given", low) or lexicon.has("family", low)
    return not known and (low.endswith(CLINICAL_ENDINGS) or not re.search("[aeiouyáéíóúäöüæøå]", low))


_ALSO_WORDS = frozenset(
    "will may mark grant hope art bill faith grace joy rose june april august dawn amber pearl ruby crystal iris violet daisy lily ivy "
    "olive ginger sandy stormy sunny summer autumn misty angel chance chase clay cliff dale dean drew earl frank gene glen guy heath jack "
    "jean lance lane lee max miles nick norm pat penny ray rich rob rod roman rusty sky skip stone storm tad tiffany trace victor wade "
    "ward wiley young long price said see an my sol in do so un ha ma".split()
)
"""Given names that are words: in small letters they count as words."""
_PLACE_WORD = (
    r"Hospital|Medical[ \t]+Cent(?:er|re)|Cent(?:er|re)|Clinic|Infirmary|Health(?:[ \t]*care)?(?:[ \t]+System)?|Manor|Nursing[ \t]+Home|Rehab(?:ilitation)?|"
    r"Hospice|Hospital[ \t]+for[ \t]+\w+|School|College|University|Academy|Institute|Church|Parish|Logistics|Paving|Trucking|Industries|Construction|Motors|"
    r"Inc|LLC|Ltd|Corp|Brothers|Bros|Sons|Associates|Group|Bank|Library|Prison|Shelter|House|Home|Gardens|Village|Estates|Commons|Terrace|"
    r"Airport|Mall|Hotel|Restaurant|Farm|Police|Fire[ \t]+Department|Water[ \t]+Department|County|Township|Pharmacy|Orthopedics|Pediatrics|Practice"
)
_PLACES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<v>(?:(?:The|St\.?|Saint|Mount|Mt\.?|Royal|New)[ \t]+)?(?:[A-Z][A-Za-zÀ-ɏ'’.-]+[ \t]+(?:(?:&|and|of)[ \t]+)?){{1,4}}(?:{_PLACE_WORD})\b)",
        rf"(?P<v>(?:[A-Z][a-zA-Z'’.-]+[ \t]+){{1,3}}(?:of|at)[ \t]+(?:[A-Z][A-Za-zÀ-ɏ'’-]+)(?:[ \t]+(?:{_PLACE_WORD}))?)",
        r"(?P<v>(?:St\.?|Saint)[ \t]+[A-Z][a-z]+(?:'s)?(?:[ \t]+(?:Hospital|Medical|School|Church|Parish|Home|Clinic)(?:[ \t]+Cent(?:er|re))?)?)",
    )
)


_KINDS_OF_PLACE = frozenset(
    "the a an our this that their his her her our local nearby outside pain eye ear heart cancer wound surgery surgical emergency primary urgent care "
    "family community general outpatient inpatient memory diabetes dental fracture stroke breast skin sleep travel weight methadone "
    "day night group nursing home rehabilitation rehab cardiac medical center centre clinic hospital hospice school high middle "
    "elementary primary secondary nursery public private free teaching county university college tertiary referral academic regional "
    "mental health behavioral house row police fire department bank farm hotel restaurant airport mall church practice pharmacy "
    "police halfway sober guest support focus working ethnic age study control treatment placebo blood food data tissue".split()
)
"""Words that tell what sort of place it is, not which."""


def find_places(text: str, lexicon: Lexicon) -> list[Span]:
    """Institutions by the word that ends their name, when a word of it is a place's or a person's, not only English.

    In a line all in small or all in capital letters they are looked for as if it were written in mixed ones.
    """
    found = _places(text, text, lexicon)
    cased = _recased(text)
    if cased != text:
        found += [
            span
            for span in _places(text, cased, lexicon)
            if _STRONG_PLACE.search(span.text) or _named_after(span.text, lexicon)
        ]
    for match in _WHERE.finditer(text):
        words = match.group("v").split()
        kept = words if len(words) == 2 and lexicon.has("place", " ".join(words)) else words[:1]
        word = kept[0]
        plainly = not lexicon.ordinary(word) or word[0].isupper()
        if (
            lexicon.has("place", " ".join(kept))
            and plainly
            and word.lower() not in _NOT_NAMES
            and not lexicon.has("clinical", word)
        ):
            found.append(made(text, match.start("v"), match.start("v") + len(" ".join(kept)), "LOCATION", 0.7))
    return found


_STRONG_PLACE = re.compile(
    r"(?:hospital|clinic|infirmary|school|pharmacy|university|college|medical cent(?:er|re)|medical group|family practice|hospice|manor|paving|trucking|logistics|construction|motors|industries|bros\.?|brothers|"
    r"rehab\w*|nursing home|academy|llc|inc|church|regional health|general)$",
    re.IGNORECASE,
)
"""What ends the name of a place even where capitals tell nothing."""
_WHERE = re.compile(
    r"\b(?:home|house|lives?|lived|living|born|raised|resid(?:es?|ing|ent)|grew[ \t]+up|moved|stays|staying|works?|worked|working|apartment|"
    r"farm|church|priest|transferred|flown|retired|travel(?:led|ed)|visiting|family)[ \t]+(?:in|to|at|near|from)[ \t]+"
    r"(?P<v>[^\W\d_]{3,}(?:[ \t][^\W\d_]{3,})?)",
    re.IGNORECASE,
)


def _named_after(name: str, lexicon: Lexicon) -> bool:
    """Such as "the willows at lowell": ends in a place that is no English word."""
    words = re.split(r"\s+(?:of|at)\s+", name.lower())
    return len(words) > 1 and lexicon.has("place", words[-1]) and not lexicon.ordinary(words[-1])


def _recased(text: str) -> str:
    """The same text with capitals at the words of lines that have no mixed case; of the same length."""
    lines = []
    for line in text.split("\n"):
        mixed = not (line.islower() or line.isupper())
        cased = line if mixed else re.sub(r"[^\W\d_]+", _capitalised, line)
        lines.append(cased if len(cased) == len(line) else line)
    return "\n".join(lines)


def _capitalised(match: re.Match[str]) -> str:
    word = match.group()
    return word.lower() if word.lower() in ("of", "and", "the", "at", "in", "for") else word[0].upper() + word[1:].lower()


def _places(text: str, cased: str, lexicon: Lexicon) -> list[Span]:
    found = []
    for number, pattern in enumerate(_PLACES):
        for match in pattern.finditer(cased):
            words = re.findall(r"[^\W\d_]{3,}", match.group("v"))
            own = [w for w in words if lexicon.has("place", w) or lexicon.has("family_common", w) or not lexicon.ordinary(w)]
            at_a_place = number == 1 and bool(words) and lexicon.has("place", words[-1])
            of_a_place = cased != text and any(
                lexicon.has("place", w) and w.lower() not in _KINDS_OF_PLACE for w in words[:-1]
            )
            named = at_a_place or of_a_place or any(not lexicon.ordinary(w) and not lexicon.has("clinical", w) for w in own)
            if cased == text and not named:  # "Golden Gate Paving": English words, capitals, and no sort of place
                telling = [w for w in words[:-1] if w.lower() not in _KINDS_OF_PLACE and not lexicon.has("clinical", w)]
                named = len(telling) > 1 and telling[0][0].isupper() and not _begins(text, match.start("v"))
            if named and not is_eponym(text, *match.span("v")):
                found.append(made(text, match.start("v"), match.end("v"), "LOCATION", 0.7))
    return found


def _begins(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \t")
    return not before or before[-1] in ".!?\n"


def _no_name(word: str, lexicon: Lexicon) -> bool:
    bare = word.strip(".,'’-")
    if bare.lower() in _NOT_NAMES:
        return True
    known = any(lexicon.has(kind, bare) for kind in ("given_common", "family_common", "given", "family"))
    return len(bare) > 2 and not known and lexicon.ordinary(bare)


def _titled(text: str, start: int) -> bool:
    return bool(_TITLE_BEFORE.search(text[max(0, start - 16) : start]))


def is_eponym(text: str, start: int, end: int, *, alone: bool = True) -> bool:
    """Whether a name here names a disease, a sign, an instrument or a method, not a person.

    `alone`: whether the commonest ("Foley") count without the thing they name behind them.
    """
    words = [
        word.strip(".,'’").removesuffix("'s").removesuffix("’s").lower() for word in re.split(r"[\s-]+", text[start:end])
    ]
    graded = len(words) > 1 and bool(re.fullmatch(r"[ivx]{1,4}|[abc]|\d", words[-1]))
    words = words[:-1] if graded else words
    words = [word for word in words if len(word) > 1 and word not in ("von", "le", "non", "de", "la")]
    if not words or not all(word in EPONYMS or word in _WITH_EPONYM for word in words) or _titled(text, start):
        return False
    after = text[end : end + 60]
    if graded or _BEFORE_THING.match(after) or re.match(r"\s*(?:[IVXABC]{1,4}\b|\d)", after):
        return True
    if alone and len(words) == 1 and words[0] in _ALWAYS:
        return True
    return len(words) > 1 and "-" in text[start:end]


_WITH_EPONYM = frozenset(
    "non pre post anti test sign disease syndrome lou gehrig swan ganz jackson pratt port a cath hepatitis x y".split()
)
_ALWAYS = frozenset(
    "foley parkinson parkinsonian alzheimer hodgkin crohn cushing addison hashimoto valsalva trendelenburg babinski romberg doppler holter "
    "glasgow gleason genant cobb swan hickman dobhoff yankauer bovie kirschner steinmann whipple billroth nissen seldinger ringer gram "
    "papanicolaou coombs hounsfield kerley raynaud sjogren marfan kaposi burkitt wernicke korsakoff tourette asperger brugada prinzmetal "
    "takotsubo goodpasture kawasaki tinel phalen lachman mcmurray spurling chvostek trousseau brudzinski kernig apgar mallampati braden "
    "karnofsky colles lisfranc lichtenstein mohs snellen fontan fallot meckel zenker boerhaave kegel pfannenstiel klebsiella salmonella "
    "framingham bonferroni bayesian gaussian poisson charlson".split()
)
