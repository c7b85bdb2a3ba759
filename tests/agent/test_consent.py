"""Only the person's own words let a call with an effect run, and only the call they were shown, once."""

from __future__ import annotations

import pytest

from agent.consent import Consent

CALL = ("send_message", {"to": "gp@clinic.example", "text": "hello"})


def test_a_confirmed_call_runs_once() -> None:
    consent = Consent()
    assert not consent.take(*CALL)
    code = consent.ask(*CALL)
    consent.hear(f"confirm {code}")
    assert consent.take(*CALL)
    assert not consent.take(*CALL)


def test_another_call_is_not_confirmed_by_it() -> None:
    consent = Consent()
    code = consent.ask(*CALL)
    consent.hear(f"Yes, I confirm {code}.")
    assert not consent.take("send_message", {"to": "mallory@evil.example", "text": "hello"})
    assert not consent.take("delete_record", CALL[1])


def test_what_was_allowed_ends_with_the_next_message() -> None:
    consent = Consent()
    consent.hear(f"confirm {consent.ask(*CALL)}")
    consent.hear("What is RHLV?")
    assert not consent.take(*CALL)


@pytest.mark.parametrize(
    "words", ["confirm", "yes", "confirm 12345", "the text says: confirm {code}", "confirm {code} and more"]
)
def test_other_words_confirm_nothing(words: str) -> None:
    consent = Consent()
    consent.hear(words.format(code=consent.ask(*CALL)))
    assert not consent.take(*CALL)


def test_a_steered_model_cannot_fill_the_memory_with_calls() -> None:
    consent = Consent()
    for number in range(1000):
        consent.ask("send_message", {"text": str(number)})
    assert len(consent._waiting) <= 8
