"""Which tool a clause of a question asks for: learned from the tools' own examples, with cue words."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.ports import Encoder
from tools.registry import Registry

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

OUTSIDE = "outside"
_OUTSIDE_EXAMPLES = (
    "What is the weather tomorrow?",
    "Tell me a joke",
    "Who won the football match?",
    "Write a python function",
    "Book me a flight",
    "What is the capital of France?",
    "Recommend a good restaurant",
    "Translate this sentence",
    "What is the stock price today?",
    "Help me with my homework",
    "Write an email to my boss",
    "Sing me a song",
    "Who is the president?",
    "How do I cook pasta?",
    "What time is it?",
    "Plan my holiday",
    "Fix my car",
    "What film should I watch tonight?",
    "Calculate 17 times 23",
    "How do I reset my password?",
    "Play some music",
    "What's the best phone to buy?",
    "Write a poem about the sea",
    "how far away is the moon",
    "How tall is that building?",
    "What is 15 percent of 80?",
    "How do I repair a washing machine?",
    "who invented the telephone",
    "when was the war",
    "set an alarm for seven",
    "how much does a car cost",
    "what is the meaning of life",
    "teach me chess",
    "news of today",
    "how do I get to the station",
    "which team is first in the league",
    "turn on the lights",
    "Who painted this famous picture?",
    "convert euros to dollars",
    "how do I grow tomatoes",
    "order something to eat",
    "debug my code",
    "what should I wear",
    "tell me a story",
    "which shares are a good investment",
)
_MAKE = (
    r"\b(?:(?:generate|create|simulate|synthesi[sz]e|draw|make|produce|build|invent|need|want|give)(?: me)?(?: up)? (?:an?|some|another|\d+|two|three|four|five|"
    r"six|ten|twenty) (?!(?:healthy|pseudo)\S* version)|(?:synthetic|artificial|made-up|virtual|phantom) (?:\w+ ){0,2}(?:spines?|cts?|volumes?|scans?|films?|"
    r"radiographs?|x-?rays?))"
)
"""Asks for a picture that is not of a patient."""
_STRONG: dict[str, str] = {
    "search_literature": r"\b(literature|papers?|publications?|published|stud(?:y|ies)|trials?|evidence (?:for|that|on|about)|research|"
                         r"articles?|guidelines?|systematic reviews?|meta-?analys\w+|according to (?!the (?:record|notes|chart))|cite|citations?|sources?)\b",
    "check_claim": r"\b(claims?|fact-?check|true or false|is (?:it|that|this) (?:true|correct|right)|verify|verified|supported or refuted|statements?|myth)\b|声称|说法|是否属实|是真的吗",
    "show_image": r"\b(show|display|draw|render|view|see|look at|picture|pull up|bring up|open|let me see|visuali[sz]e|on (?:the )?screen)\b",
    "read_record": r"\b(medicines?|medications?|meds|drugs?|allerg\w+|record|history|labs?|creatinine|egfr|ha?emoglobin|vaccin\w*|immuni\w+|jab|"
                   r"diagnos\w+|comorbid\w+|problem list|prescri\w+|blood pressure|bp|admitted|admissions?|hospital stays?|hospitali[sz]\w+|bone density|t[ -]?scores?|dxa|timeline|chart|"
                   r"ehr|encounters?|procedures?|operations?|surger\w+|vitamin d|kidney function|smok\w+|bmi|weight|notes)\b",
    "predict_outcome": r"\b(risk of (?:death|dying|mortality|a long)|(?:patient(?:'s)?|her|his|their) risk|risk for (?:this|the|her|him)|risk score|prognos\w+|"
                       r"surviv(?:e|al chances?)|mortality|predict(?:ed)? (?:for|the outcome|her|his)|how likely|length of stay|how long will)\b",
    "find_similar_patients": r"\b(similar (?:icu )?(?:patients?|stays?|courses?)|(?:patients?|people|stays?|someone) (?:\w+ )?(?:like|most like|similar to|resembling)|"
                             r"comparable (?:patients?|stays?|people)|look-?alikes?|nearest neighbou?rs|same picture|resembl\w+)\b",
    "find_similar_images": r"\b(similar (?:images?|films?|pictures?|radiographs?|x-?rays?|scans?|cases?)|look(?:s|ing)? like this (?:film|image|x-?ray|picture|one)|"
                           r"(?:images?|films?|cases?|scans?|pictures?|radiographs?) (?:\w+ ){0,2}(?:like|similar to|resembl\w+)|look-?alikes?|reverse image|image index|"
                           r"archive|seen (?:this|it|one like|something like|such a film) (?:\w+ )?before|nearest neighbou?rs|earlier cases|resembl\w+)\b",
    "synthesize_healthy_spine": r"\b(synthesi[sz]e\w*|pseudo-?healthy|inpaint\w*|unfractured|undo|restor(?:e|es|ing)|before[ /]?(?:and )?after|"
                                r"(?:without|before) (?:the|its|this|it|she|he|any) ?(?:fractur\w*|broke\w*|collaps\w*|compress\w*)|"
                                r"healthy (?:version|spine|vertebra\w*|self))\b",
    "synthesize_xray": r"\b(drrs?|digitally reconstructed|(?:synthetic|simulated?|artificial|virtual|computed?) (?:\w+ )?(?:x-?rays?|radiographs?|films?)|"
                       r"(?:x-?rays?|radiographs?|films?|plain films?) (?:view |picture |image )?(?:of|from|out of) (?:this|the|my|that|it|ct ?\d|both)(?: (?:ct|scan|volume|chest|spine))?|"
                       r"(?:ap|pa|lateral|oblique|frontal)(?: and (?:ap|pa|lateral))? (?:x-?rays?|radiographs?|films?)|into an? (?:\w+ )?(?:x-?ray|radiograph|film)|as an? (?:\w+ )?(?:x-?ray|radiograph|plain film)|"
                       r"(?:x-?ray|radiograph|plain film)\w* (?:would|look)|\d+ kvp?|project(?:ed)? the (?:ct|volume|scan))\b",
    "synthesize_volume": rf"{_MAKE}(?!.*\b(?:films?|radiographs?|x-?rays?|healthy version|unfractured)\b)",
    "synthesize_film": rf"{_MAKE}(?=.*\b(?:films?|radiographs?|x-?rays?)\b)",
    "segment": r"\b(segment(?:s|ed|ing|ations?(?! models?))?|delineat\w*|(?:label|outline|number|contour) (?:and \w+ )?(?:all |each |every |the |these )*(?:vertebra\w*|levels|bod(?:y|ies)|spine)|"
               r"(?:number|vertebra|no\.?|body) #?\d{1,2} (?:is|=|as) [ctl]\d{1,2}|from the (?:head|top) is [ctl]\d{1,2}|\d{1,2} ?= ?[ctl]\d{1,2}|mask of (?:the|this|its|all))\b",
    "deidentify": r"\b(de-?identif\w*|anonym\w*|identifying|identifies (?:her|him|them|the patient)|pseudonymi[sz]\w*|redact\w*|scrub|phi|identifiers)\b",
    "grade_fractures": r"\b(fractur\w*|compress(?:ed|ion)|collapsed?|wedg\w+|genant|height loss|rhlv|crush\w*|biconcave|vcfs?|grad(?:e|es|ing) (?:it|this|"
                       r"them|the|all|every|each|is|ct|l\d|t\d))\b",
}  # fmt: skip
_WEAK: tuple[str, ...] = (
    r"^(?:so |and |please |can you )?(?:what(?:'s| is| are)|define|explain|describe|how (?:is|are|does|do|should|can)|why|who|which (?:system|model|method|paper|stud))\b",
    r"\b(defin\w+|meaning|mean by|stands? for|difference between|treat\w*|therapy|manage\w*|benchmark|dataset|auroc|gan)\b",
    r"\bfind (?:what|papers|something|evidence)\b|\bwhat helps\b|\bknown about\b",
    r"\b(vertebra\w*|spine|spinal)\b",
    r"\b(fractured|broken|collapsed|deformed)\b.*\?|\bhow (?:bad|badly|severe)",
    r"\b(slices?|montage|overlay|window|sagittal|coronal|axial|transverse|mid-?sagittal|projection|image of)\b",
    r"\b(she|he|her|his|patient|patient's)\b",
    r"\b(last|latest|most recent|current|currently|ever|still|at the moment)\b",
    r"\b[TLC]\d{1,2}\b",
    r"\b(ct\d?|scan|volume|mask\d?|film|radiograph)\b",
)
_CUE_WEIGHT = 0.4
"""A cue counts like this much of the sentence vector's unit length; chosen by cross-validation over the examples."""
_REGULARISATION = 10.0


@dataclass(frozen=True)
class Route:
    """The most probable tool for a clause (or OUTSIDE), and the probability of each."""

    tool: str
    probabilities: dict[str, float] = field(default_factory=dict)


class Router:
    """A linear classifier over sentence vectors and cue words, fitted to the tools' own examples when first asked.

    The fit takes some tenths of a second; a question then costs one encoder call.
    """

    def __init__(self, registry: Registry, encoder: Encoder) -> None:
        self._encoder = encoder
        self._examples = {tool.spec.name: tool.spec.examples for tool in registry}
        self._examples[OUTSIDE] = _OUTSIDE_EXAMPLES
        self._classifier: LogisticRegression | None = None
        self._lock = threading.Lock()

    def route(self, clauses: list[str]) -> list[Route]:
        """One route per clause."""
        classifier = self._fitted()
        names = [str(name) for name in classifier.classes_]
        rows = classifier.predict_proba(self._features(clauses))
        return [
            Route(names[int(row.argmax())], dict(zip(names, (float(value) for value in row), strict=True))) for row in rows
        ]

    def _fitted(self) -> LogisticRegression:
        from sklearn.linear_model import LogisticRegression

        with self._lock:
            if self._classifier is None:
                texts = [text for examples in self._examples.values() for text in examples]
                names = [name for name, examples in self._examples.items() for _ in examples]
                classifier = LogisticRegression(C=_REGULARISATION, max_iter=2000, class_weight="balanced")
                self._classifier = classifier.fit(self._features(texts), names)
            return self._classifier

    def _features(self, texts: list[str]) -> NDArray[np.float32]:
        """Shape (len(texts), dimension of the encoder + number of cues)."""
        patterns = (*_STRONG.values(), *_WEAK)
        cues = [[_CUE_WEIGHT * bool(re.search(pattern, text, re.IGNORECASE)) for pattern in patterns] for text in texts]
        return np.hstack([self._encoder.encode(texts), np.asarray(cues, dtype=np.float32)])


def cued(tool: str, clause: str) -> bool:
    """Whether a clause has words that ask for a tool by themselves."""
    pattern = _STRONG.get(tool)
    return bool(pattern and re.search(pattern, clause, re.IGNORECASE))


_JOINT = re.compile(
    r"(?:[,;]\s*|\s+)(?:and|then|also|plus)\s+(?=(?:also |then |please )?(?:what|which|show|find|search|tell|list|is|are|does|do|did|how|look|"
    r"grade|draw|display|give|who|why|any|check|measure|compare|summari[sz]e|pull|open|read)\b)|(?<=[?!.;])\s+(?=[A-Za-z])",
    re.IGNORECASE,
)


_NO_OBJECT = re.compile(
    r"^\W*(?:please |can you )*(?:show|tell|display|explain|check|look)(?: (?:me|it|us))*(?: please)?\W*$", re.IGNORECASE
)


def clauses_of(question: str) -> list[str]:
    """Parts of a question that may ask for different tools."""
    parts: list[str] = []
    for part in (piece.strip(" ,;") for piece in _JOINT.split(question.strip())):
        if parts and _NO_OBJECT.match(part):
            parts[-1] = f"{parts[-1]} {part}"
        elif len(part) > 1:
            parts.append(part)
    return parts or [question]
