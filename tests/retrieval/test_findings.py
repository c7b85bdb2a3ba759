"""Questions about effects find what reports them."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.corpus import Document
from retrieval.encoders import MiniLM
from retrieval.findings import finding_weight
from retrieval.index import Index
from retrieval.scoring import Mode
from retrieval.search import HybridSearch

ANNOUNCED = (
    "We will compare alendronate with placebo in women with osteoporosis. Hip fracture within three years is the outcome "
    "of the trial; women will be allocated to alendronate or placebo at random, and hip fractures will be confirmed by "
    "radiographs."
)
REPORTED = (
    "Fractures of the hip occurred in 11 women on alendronate vs 22 on placebo (hazard ratio 0.49, 95% CI 0.23 to 0.99; "
    "p = 0.04). The groups did not differ significantly in fractures of the wrist."
)
OTHER = "Mice on the diet differed significantly from controls in weight (12 vs 17 g, 95% CI 3 to 7; p < 0.001)."
DRUGS = ("Risedronate", "Zoledronate", "Teriparatide", "Calcium", "Denosumab")
QUESTION = "effect of alendronate compared with placebo on hip fracture"
PLAN = "which women are allocated in the alendronate trial, and how are hip fractures confirmed"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, encoder: MiniLM) -> Index:
    made = Index(tmp_path_factory.mktemp("trials"), encoder)
    texts = {"announced": ANNOUNCED, "reported": REPORTED, "other": OTHER}
    texts |= {drug: f"{drug} was studied in earlier work." for drug in DRUGS}
    made.add(Document(id=name, text=text) for name, text in texts.items())
    return made


def ranked(index: Index, question: str, mode: Mode = "hybrid") -> list[str]:
    return [hit.document for hit in HybridSearch(index).rank_many([question], 8, mode)[0]]


def test_a_question_about_an_effect_prefers_the_passage_that_reports_it(index: Index) -> None:
    assert ranked(index, QUESTION)[0] == "reported"
    assert ranked(index, PLAN)[0] == "announced"
    # Neither words nor vectors would have chosen so.
    assert ranked(index, QUESTION, "bm25")[0] == "announced"
    assert ranked(index, QUESTION, "dense")[0] == "announced"


def test_the_words_of_a_finding_alone_do_not_make_a_passage_relevant(index: Index) -> None:
    assert ranked(index, QUESTION).index("other") > ranked(index, QUESTION).index("announced")


def test_the_best_passage_of_an_article_is_its_result(tmp_path: Path, encoder: MiniLM) -> None:
    between = [f"{drug} was considered in earlier work by other groups of authors. " * 12 for drug in DRUGS]
    text = "\n\n".join([ANNOUNCED * 3, *between, REPORTED * 4, *between])
    index = Index(tmp_path / "article", encoder)
    index.add([Document(id="article", text=text)])
    for question, part in ((QUESTION, REPORTED), (PLAN, ANNOUNCED)):
        ((hit,),) = HybridSearch(index).rank_many([question], 1)
        assert part in text[hit.span[0] : hit.span[1]]


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("effect of alendronate compared with placebo on hip fracture", "compared"),
        ("Is bisoprolol better tolerated than carvedilol?", "compared"),
        ("difference between open and endovascular repair", "compared"),
        ("Does vitamin D reduce falls?", "effect"),
        ("Smoking is associated with psoriasis.", "effect"),
        ("What is the mechanism of action of solriamfetol?", "nothing"),
        ("spinal fracture grading", "nothing"),
    ],
)
def test_what_a_question_asks_for_weighs_the_prior(question: str, asks: str) -> None:
    weight = finding_weight(question)
    assert ("nothing" if weight == 0 else "effect" if weight < finding_weight(QUESTION) else "compared") == asks
