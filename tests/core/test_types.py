from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from core.types import Answer, Evidence, Finding, Passage, Sentence
from tests.fakes import passage


def test_evidence_is_told_apart_by_kind() -> None:
    adapter: TypeAdapter[Evidence] = TypeAdapter(Evidence)
    finding = Finding(name="height", value=21.5, unit="mm", method="rule", statement="L1 is 21.5 mm high.")
    assert adapter.validate_json(finding.model_dump_json()) == finding
    assert isinstance(adapter.validate_json(passage("Some text.").model_dump_json()), Passage)


def test_a_typing_error_in_a_contract_is_an_error() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Finding(name="a", method="b", statement="c", vlaue=3)  # type: ignore[call-arg]


def test_quoted_text_is_the_quote_or_the_whole_passage() -> None:
    whole = passage("One. Two. Three.").model_copy(update={"span": (100, 116), "quote": (105, 109)})
    assert whole.quoted_text == "Two."
    assert whole.model_copy(update={"quote": None}).quoted_text == "One. Two. Three."


def test_an_answer_reads_as_its_sentences() -> None:
    said = [Sentence(text=text, verdict="supported") for text in ("One [1].", "Two [2].")]
    assert Answer(sentences=tuple(said)).text == "One [1]. Two [2]."
