"""Only the person's own words let a call with an effect run, and only the call they were shown, once."""

from __future__ import annotations

import pytest

from agent.assemble import build_assistant
from agent.consent import Consent
from core.settings import load_settings

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


def test_a_code_is_of_one_conversation_and_ends_with_the_process() -> None:
    before, after = Consent(), Consent()
    code = before.ask(*CALL)
    after.hear(f"confirm {code}")  # nothing waits there
    assert not after.take(*CALL)
    while (other := after.ask(*CALL)) == code:  # one in a million
        after = Consent()
    after.hear(f"confirm {code}")
    assert not after.take(*CALL)
    after.hear(f"confirm {other}")
    assert after.take(*CALL)


@pytest.mark.usefixtures("home_with_index")
def test_what_waited_for_a_confirmation_is_forgotten_when_the_program_starts_anew() -> None:
    with build_assistant(load_settings()) as assistant:
        conversation = assistant.new_conversation("me")
        code = assistant._session("me", conversation).consent.ask(*CALL)
    with build_assistant(load_settings()) as assistant:
        consent = assistant._session("me", conversation).consent
        consent.hear(f"confirm {code}")
        assert not consent.take(*CALL)
