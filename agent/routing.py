"""Which tool a clause of a question asks for: nearness to the tools' own examples, and cue words."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.ports import Encoder
from tools.registry import Registry

OUTSIDE = "outside"
_OUTSIDE_EXAMPLES = (
    "What is the weather tomorrow?", "Tell me a joke", "Who won the football match?", "Write a python function",
    "Book me a flight", "What is the capital of France?", "Recommend a good restaurant", "Translate this sentence",
    "What is the stock price today?", "Help me with my homework", "Write an email to my boss", "Sing me a song",
    "Who is the president?", "How do I cook pasta?", "What time is it?", "Plan my holiday", "Fix my car",
    "What film should I watch tonight?", "Calculate 17 times 23", "How do I reset my password?",
    "Play some music", "What's the best phone to buy?", "Write a poem about the sea",
)  # fmt: skip
_CUES: dict[str, tuple[tuple[str, float], ...]] = {
    "search_literature": (
        (r"\b(literature|papers?|publications?|published|stud(?:y|ies)|trials?|evidence (?:for|that|on|about)|research|"
         r"articles?|guidelines?|systematic review|meta-?analys|according to|cite|citations?|sources?)\b", 0.45),
        (r"^(?:so |and |please |can you )?(?:what(?:'s| is| are)|define|explain|describe|how (?:is|are|does|do)|why|who|"
         r"which (?:system|model|method|paper|stud))\b", 0.12),
        (r"\b(defin\w+|meaning of|mean by|stands? for|difference between|treatment|therapy|benchmark|dataset|auroc|gan)\b", 0.2),
        (r"\bfind (?:what|papers|something|evidence)\b|\bwhat helps\b|\bknown about\b", 0.3),
    ),
    "grade_fractures": (
        (r"\b(fractur\w*|compress(?:ed|ion)|collapsed?|wedg\w+|genant|height loss|crush\w*|biconcave|grad(?:e|ing) (?:it|this|"
         r"them|the|all|every|each|ct|l\d|t\d))\b", 0.2),
        (r"\bvertebra\w*|\bspine|\bspinal|\bvcf", 0.12),
        (r"\b(fractured|broken|collapsed|deformed)\b.*\?|\bhow (?:bad|badly|severe)", 0.12),
    ),
    "show_image": (
        (r"\b(show|display|draw|render|view|see|look at|picture|pull up|bring up|open|let me see|visuali[sz]e)\b", 0.25),
        (r"\b(slice|slices|montage|overlay|window|sagittal|coronal|axial|mid-?sagittal|projection|image of)\b", 0.25),
    ),
    "predict_outcome": (
        (r"\b(risk of (?:death|dying|mortality|a long)|(?:patient(?:'s)?|her|his|their) risk|risk for (?:this|the|her|him)|risk score|prognos\w+|surviv\w+|mortality|predict\w*|"
         r"probability|how likely|length of stay|stay (?:in hospital|longer|more))\b", 0.4),
        (r"\b(she|he|her|his|this patient|the patient(?:'s)?|patient)\b", 0.12),
        (r"\bhow long will\b", 0.3),
    ),
    "read_record": (
        (r"\b(medicines?|medications?|meds|allerg\w+|record|history|labs?|creatinine|egfr|ha?emoglobin|vaccin\w*|immuni\w+|"
         r"diagnos\w+|comorbid\w+|problem list|prescri\w+|blood pressure|admitted|admissions?|bone density|"
         r"t-score|dxa|timeline|chart|ehr|encounters?|procedures?|operations?|surger\w+|vitamin d|kidney function|smok\w+|bmi)\b", 0.3),
        (r"\b(she|he|her|his|patient(?:'s)?|patient)\b", 0.12),
        (r"\b(last|latest|most recent|current)\b", 0.1),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Route:
    """The best tool for a clause (or OUTSIDE) and how sure that is."""

    tool: str
    score: float
    scores: dict[str, float] = field(default_factory=dict)


class Router:
    """Encodes the examples once; a question then costs one encoder call."""

    def __init__(self, registry: Registry, encoder: Encoder) -> None:
        self._encoder = encoder
        self._examples = {tool.spec.name: tool.spec.examples for tool in registry}
        self._examples[OUTSIDE] = _OUTSIDE_EXAMPLES
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def route(self, clauses: list[str]) -> list[Route]:
        """One route per clause."""
        vectors = self._encoder.encode(clauses)
        known = self._known()
        return [self._best(clause, vector, known) for clause, vector in zip(clauses, vectors, strict=True)]

    def _known(self) -> dict[str, NDArray[np.float32]]:
        with self._lock:
            if not self._vectors:
                self._vectors = {name: self._encoder.encode(list(texts)) for name, texts in self._examples.items()}
            return self._vectors

    def _best(self, clause: str, vector: NDArray[np.float32], known: dict[str, NDArray[np.float32]]) -> Route:
        scores = {}
        for name, examples in known.items():
            near = np.sort(examples @ vector)[::-1]
            similarity = 0.7 * float(near[0]) + 0.3 * float(near[:3].mean())
            scores[name] = similarity + cue_score(name, clause)
        best = max(scores, key=lambda name: scores[name])
        return Route(best, scores[best], scores)


def cue_score(tool: str, clause: str) -> float:
    """Weight of the cue words of a tool in a clause."""
    lower = clause.lower()
    return sum(weight for pattern, weight in _CUES.get(tool, ()) if re.search(pattern, lower))


_JOINT = re.compile(
    r"(?:[,;]\s*|\s+)(?:and|then|also|plus)\s+(?=(?:also |then |please )?(?:what|which|show|find|search|tell|list|is|are|does|do|did|how|look|"
    r"grade|draw|display|give|who|why|any|check|measure|compare|summari[sz]e|pull|open|read)\b)|(?<=[?!.;])\s+(?=[A-Za-z])",
    re.IGNORECASE,
)


def clauses_of(question: str) -> list[str]:
    """Parts of a question that may ask for different tools."""
    parts = [part.strip(" ,;") for part in _JOINT.split(question.strip())]
    return [part for part in parts if len(part) > 1] or [question]
