"""What the embedded model says without evidence: about itself, what is missing, and emergencies."""

from __future__ import annotations

import re

WHO = (
    "I am Consilium's embedded responder: I quote evidence and generate nothing; connect a vLLM endpoint for free-form "
    "reasoning. I can grade vertebral heights on a CT with a vertebra mask, show slices of an image, search the local "
    "literature index, and read a FHIR record."
)
OUTSIDE = (
    "I can only answer from images, records and literature: nothing I searched or measured would support an answer to "
    "this. I can grade vertebral heights on a CT, show slices, search the local literature index and read a FHIR record."
)
EMERGENCY = (
    "If this is an emergency, call your local emergency number now; I am a research tool and cannot help in an emergency."
)
OTHER_SCRIPT = (
    "I understand questions in English only; please ask in English, or connect a served model that reads this language."
)
NO_DOSE = "I do not give a dose of my own: what follows is what the record or a source says."
_DOSE = re.compile(
    r"\b(what|which|how much|how many)\b.{0,40}\b(dose|dosage|mg|tablets?)\b|\bdose\b.{0,40}\bshould\b|\bhow much \w+ should\b",
    re.IGNORECASE,
)
NO_DECISION = "I do not decide on a treatment: what follows is what the record or a source says, and no recommendation."
_TREATING = (
    r"start|stop|begin|take|give|continue|switch|prescrib|operat|treat|have surgery|receive|add|increase|reduce|lower|raise|be (?:given|"
    r"treated|started|operated|put on)|try|hold|pause|change|get (?:surgery|vertebroplasty|a)|undergo|admit|discharge|send (?:her|him) home"
)
_DECISION = re.compile(
    rf"\b(?:should|shall|must|can|could|may|ought) (?:i|we|she|he|they|(?:the|this|my) patient)\b(?: not)?(?: safely)? (?:{_TREATING})|"
    r"\bwhat (?:should|must|can) (?:i|we) (?:do|give|prescribe)\b|\bwhat (?:should|must|has to) be done\b|\bwhat (?:is|are) the next steps?\b|"
    r"\bdo you (?:recommend|advise|suggest)\b|\bwhat would you (?:do|give|prescribe|recommend)\b|\bwould you (?:start|stop|give|treat|operate)\b|"
    r"\b(?:indicated|contraindicated|safe|recommended|advisable|appropriate|right) (?:for|in|with) (?:her|him|this patient|the patient|my patient)\b|"
    r"\b(?:best|right|which) (?:treatment|therapy|drug|medicine|option) (?:for|in) (?:her|him|this patient|the patient|my patient)\b",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\W*(hi|hello|hey|good (morning|afternoon|evening)|thanks?|thank you|thx|ok(ay)?|great|bye|goodbye|cheers)\b[\w\s,!.]{0,25}$",
    re.IGNORECASE,
)
_ABOUT_ME = re.compile(
    r"\b(who|what) are you\b|\bwhat can you (do|help)|\bhow do(es)? (you|this|it) work\b|\bare you (an? )?(ai|human|bot|doctor|real|llm|model)\b|"
    r"\bwhat (tools|can i ask)|\bhelp\s*[?!.]*$|\bwhat is consilium\b|\bwhich model\b|\bare you (medically )?(certified|approved)\b|\byour name\b",
    re.IGNORECASE,
)
_EMERGENCY = re.compile(
    r"\b(can'?t|cannot|unable to) breathe\b|\bsuicid|\bkill (myself|himself|herself)\b|\boverdos(e|ed) (just|now|today)|"
    r"\b(crushing|severe) chest pain\b|\bchest pain (right )?now\b|\bunconscious\b|\bnot breathing\b|\bbleeding (heavily|out)\b|"
    r"\bno pulse\b|\bstopped breathing\b|\bturn(?:ing|ed) blue\b|\bbleeding (?:won'?t|will not|doesn'?t|does not) stop\b|"
    r"\b(?:face|mouth) is (?:drooping|hanging)\b|\b(?:can'?t|cannot) (?:speak|move (?:his|her|my) (?:arm|leg)\w*) suddenly\b|\bsuddenly (?:can'?t|cannot) (?:speak|see|move)\b|"
    r"\b(?:swallowed|drank) (?:bleach|poison|acid|pills|detergent|a battery)\b|\b(?:throat|tongue) is swelling\b|\b(?:crushing|severe) pain in (?:my|his|her) chest\b|"
    r"\b(?:end|ending|take|taking) my (?:own )?life\b|\bhurt(?:ing)? myself\b|\bcollapsed and\b|\bchok(?:ing|es)\b|\bseizure (?:right )?now\b|\bmy chest hurts\b|"
    r"\bhaving a (stroke|heart attack)\b|\banaphyla\w+ (now|right now)|\bwant to die\b|\bcollapsed (just )?now\b",
    re.IGNORECASE,
)


def is_small_talk(text: str) -> bool:
    """Greetings and thanks."""
    return bool(_GREETING.match(text.strip()))


def is_about_me(text: str) -> bool:
    """Questions about the program."""
    return bool(_ABOUT_ME.search(text))


def is_emergency(text: str) -> bool:
    """Words of someone who needs help now."""
    return bool(_EMERGENCY.search(text))


def asks_for_dose(text: str) -> bool:
    """A question that wants a dose as advice."""
    return bool(_DOSE.search(text))


def asks_for_decision(text: str) -> bool:
    """A question that wants to be told what to do with a patient, other than a dose."""
    return bool(_DECISION.search(text)) and not asks_for_dose(text)


def is_latin(text: str) -> bool:
    """Whether most letters are of the Latin script: the encoder of the embedded model knows no other."""
    letters = [character for character in text if character.isalpha()]
    return not letters or sum(character < "\u0250" for character in letters) > len(letters) / 2
