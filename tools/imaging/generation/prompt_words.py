"""The words that a prompt may use, and those that name something this model cannot draw."""

from __future__ import annotations

from tools.imaging.generation.attributes import Density, View

ABLE = (
    "It draws the thoracic and lumbar spine of an adult, T1 to L5, as a CT volume or as a film (AP, PA, lateral, oblique), with wedge, "
    "biconcave or crush deformities of 10 to 60 %, osteopenia or osteoporosis, scoliosis, more or less kyphosis or lordosis."
)
SPINE = r"\b(spines?|spinal|vertebra\w*|backbone|lumbar|thora\w*|dorsal)\b"
NO_FRACTURE = r"\b(?:no|without(?: any| a)?|free of|absent) (?:vertebral |compression )?(?:fracture|deformit|wedg|collapse)\w*|\b(?:healthy|unfractured|intact)\b"

OUTSIDE: tuple[tuple[str, str], ...] = (
    (r"\b(?:mri?s?|mr imag\w+|t1-?w\w*|t2-?w\w*|stir|flair|magnetic)\b", "Magnetic resonance"),
    (r"\b(?:ultraso\w+|sonogra\w+|pet|spect|scintigra\w+|bone scan|mammogra\w+|dxa|dexa|fluorosc\w+|angiogra\w+)\b", "This modality"),
    (r"\b(?:brain|head|skull|knees?|hips?|shoulders?|hands?|wrists?|ankles?|foot|feet|elbows?|teeth|dental|femur|pelvi[sc]\w*|sacr\w+|coccy\w+|"
     r"liver|kidneys?|heart|breast|abdom\w+)\b", "This body part"),
    (r"\b(?:cervical|neck|atlas|axis|odontoid)\b|\bc[1-7]\b", "The cervical spine"),
    (r"\b(?:pneumon\w+|pneumothora\w+|effusions?|consolidations?|atelecta\w+|emphysema\w*|nodules?|cardiomegal\w+|covid\w*|tuberculo\w+|edema|oedema)\b",
     "A finding of the chest"),
    (r"\b(?:tumou?rs?|cancer\w*|metasta\w+|myelom\w*|lytic|blastic|lesions?|h(?:a)?emangiom\w*|infect\w*|discitis|abscess\w*|osteomyel\w+)\b",
     "A tumour or an infection"),
    (r"\b(?:burst|chance fracture|dislocat\w+|fracture-dislocation|retropuls\w+|spondylol\w+|listhesis|slip(?:ped)?|pars defect|herniat\w+|stenosis|"
     r"schmorl\w*|hemivertebra\w*|transitional|spina bifida|lumbosacral|sacraliz\w+|ankylos\w+|dish)\b", "This finding of the spine"),
    (r"\b(?:screws?|rods?|cages?|implants?|hardware|instrument\w+|fusion|cement\w*|vertebroplast\w+|kyphoplast\w+|stents?|pacemakers?|metal\w*|prosthe\w+)\b",
     "Metal or an operation"),
    (r"\bwith (?:iv |intravenous )?contrast\b|\bcontrast[- ]enhanced\b", "Contrast medium"),
    (r"\b(?:child\w*|infants?|neonat\w+|newborns?|bab(?:y|ies)|pa?ediatric\w*|teenage\w*|adolescen\w+|boys?|girls?|fetal|foetal)\b", "A child"),
    (r"\b(?:dogs?|cats?|horses?|mouse|mice|rats?|animals?)\b", "An animal"),
)  # fmt: skip

DENSITY: dict[Density, str] = {
    "osteoporosis": r"(?<!no )(?<!without )\b(?:osteoporosis|osteoporotic(?! fracture| wedge| crush| biconcave| compression)|porotic)\b|\bvery low bone density\b",
    "osteopenia": r"(?<!no )(?<!without )\b(?:osteopenia|osteopenic)\b|(?<!very )\b(?:low|reduced) bone (?:mineral )?density\b|\bdemineralis\w+|\bdemineraliz\w+",
    "normal": r"\b(?:normal|good) bone (?:mineral )?(?:density|quality)\b|\b(?:no|without) (?:osteoporosis|osteopenia)\b",
}
SMALL = r"\b(?:small|short|petite|slender)\b(?! (?:loss|wedge|deform))"
LARGE = r"\b(?:large|tall|big)\b(?! (?:loss|wedge|deform))"
VIEW_WORDS: dict[View, str] = {
    "ap": r"\bap\b|\ba\.?p\.|antero-?posterior|\bfrontal\b",
    "pa": r"\bpa\b|\bp\.a\.|postero-?anterior",
    "lateral": r"\blateral\b|\bfrom the side\b|\bside view\b|\bprofile\b",
    "left_oblique": r"\bleft[- ](?:posterior[- ])?oblique\b|\blpo\b|(?<!right )(?<!right-)(?<!posterior )\boblique\b",
    "right_oblique": r"\bright[- ](?:posterior[- ])?oblique\b|\brpo\b",
}

MEDICAL_ENDING = r"(?:itis|oma|omas|osis|pathy|plasty|ectomy|emia|aemia|algia|trophy|plegia|sclerosis|uria)$"
KNOWN: tuple[str, ...] = (
    r"\b(?:osteo\w+|porotic|demineral\w+|scolio\w+|(?:hyper|hypo)?-?kypho\w+|(?:hyper|hypo)?-?lordo\w+)\b",
    r"\b[tld]\s?-?\d{1,2}\b",
    r"\b(?:wedg\w+|biconcave|concave|crush\w*|compress\w+|collaps\w+|fractur\w*|deform\w+|genant|grade|height|loss|lost|vcfs?)\b",
    r"\b(?:mild|moderate|severe|slight|marked|pronounced|increased|reduced|flattened|straightened|exaggerated)\b",
    SPINE,
    *VIEW_WORDS.values(),
    r"\b(?:very low|low|left|right|bone|density|mineral|normal|healthy|intact|unfractured)\b",
    r"\b(?:female|male|woman|man|lady|gentleman|years?|old|aged?|small|large|tall|short|petite|slender|big|elderly|adult)\b",
)
"""What the reader understands; the rest is passed over and said."""
STOP = frozenset(
    """a an the and or of in at on to by for with without from no not any please make me draw generate create give synthesize synthesise produce show
    render simulate synthetic artificial volume volumes film films radiograph radiographs radiography xray x-ray xrays x-rays x ray rays ct cts scan scans image
    images picture view projection cohort patient patients case cases example examples that this which has have having who she he her his is are be there
    level levels region body bodies vertebra adjacent neighbouring neighboring next two three four five six seven eight nine ten eleven twelve twenty fifty hundred
    one upper lower mid middle showing shown some each every only very all degree degrees deg cobb angle convex whole single both plus also would could can you like want
    need i we few different random new about around approximately roughly percent quality size average sized curve sides side thoracolumbar junction
    anterior posterior middle endplate superior inferior front back about volume through between see seen""".split()
)
