"""Identifiers of every kind are found and replaced; what names nobody stays; the way back is exact."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from core.errors import FileError
from core.store import SessionStore
from core.types import NewArtifact
from evals.deidentify.family import clean_lines, notes_of
from evals.deidentify.measure import blanked_words, measure
from tools.base import ToolContext
from tools.text.deidentify.dates import find_dates, moved
from tools.text.deidentify.fhir import FhirDeidentifier
from tools.text.deidentify.files import deidentify_file
from tools.text.deidentify.find import find_identifiers
from tools.text.deidentify.mapping import Mapping, secret_key, shift_of
from tools.text.deidentify.text import deidentify_text
from tools.text.deidentify.tool import Deidentify, DeidentifyParams

WEEKS = -7 * 60


@pytest.mark.parametrize(
    ("text", "category", "words"),
    [
        ("Seen by Dr. Ngozi Achterberg today.", "NAME", "Ngozi Achterberg"),
        ("Lives at 12 Oak Street, apt 4B.", "LOCATION", "12 Oak Street, apt 4B"),
        ("Boston, MA 02115", "LOCATION", "02115"),
        ("Admitted on 03/04/2021 with pain.", "DATE", "03/04/2021"),
        ("This 93-year-old woman fell.", "AGE", "93"),
        ("Call (617) 555-0142 with questions.", "PHONE", "(617) 555-0142"),
        ("Fax: 617-555-0143", "FAX", "617-555-0143"),
        ("Write to jo.doe@example.org.", "EMAIL", "jo.doe@example.org"),
        ("SSN: 123-45-6789", "SSN", "123-45-6789"),
        ("MRN: 482-11-09", "MRN", "482-11-09"),
        ("Member ID: XYZ123456789", "HEALTH_PLAN", "XYZ123456789"),
        ("Account number: 8812345678", "ACCOUNT", "8812345678"),
        ("Driver's license S1234567", "LICENSE", "S1234567"),
        ("License plate 7ABC123", "VEHICLE", "7ABC123"),
        ("Pacemaker serial number PJN7283910", "DEVICE", "PJN7283910"),
        ("See https://portal.example.org/visit/12.", "URL", "https://portal.example.org/visit/12."),
        ("Login from 10.2.33.4 at noon.", "IP", "10.2.33.4"),
        ("Fingerprint ID FP-820416 on file.", "BIOMETRIC", "FP-820416"),
        ("Photograph saved as IMG_2044.jpg", "PHOTO", "IMG_2044.jpg"),
        ("Accession: S22-10482", "ID", "S22-10482"),
    ],
)
def test_every_kind_is_found_and_named(text: str, category: str, words: str) -> None:
    found = find_identifiers(text)
    assert (category, words) in [(span.category, span.text) for span in found]
    assert all(text[span.start : span.end] == span.text for span in found)


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson's disease and Hodgkin lymphoma; a Foley catheter was placed.",
        "Cobb angle 20 degrees, Genant grade 2 at T12, Gleason 3+4.",
        "BP 120/80, strength 5/5, pain 4/10, vision 20/40, temperature 98 F.",
        "Plavix 75 mg, Lasix 40 mg and Zosyn were given; glucose 145 mg/dl.",
        "A 62-year-old man seen in 2011 with stage IIIA disease.",
        "T11 lost 32 % of its height; L1-L5 are normal.",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert deidentify_text(text, Mapping()).text == text


def test_notes_of_another_family_lose_almost_every_identifier() -> None:
    done = measure(notes_of(dev=False, count=48, seed=77))
    for score in done.scores:
        assert score.recall >= (0.93 if score.category in ("NAME", "LOCATION") else 0.97), score
    assert done.precision > 0.85


def test_hardly_a_word_of_clean_text_is_blanked() -> None:
    lost, words, told = blanked_words(clean_lines())
    assert lost / words < 0.03, told


def test_the_way_back_is_exact_and_the_same_words_get_the_same_placeholder() -> None:
    text = "Seen by Dr. Ada Byron on 2021-04-05. MRN: 4471902. Dr. Ada Byron will call 617-555-0142. She is 93 years old."
    mapping = Mapping(WEEKS)
    hidden = deidentify_text(text, mapping).text
    assert hidden.count("[NAME-1]") == 2
    assert "2020-02-10" in hidden
    assert "90+ years old" in hidden
    assert mapping.restore(hidden) == text


def test_a_placeholder_that_a_model_wrote_a_little_differently_is_read() -> None:
    mapping = Mapping(WEEKS)
    deidentify_text("Dr. Ada Byron called.", mapping)
    assert mapping.restore("NAME-1 and [NAME 1] and [NAME_1]") == "Ada Byron and Ada Byron and Ada Byron"
    assert mapping.restore("[NAME-7] stays") == "[NAME-7] stays"


def test_weekdays_and_intervals_stay_whatever_the_form() -> None:
    pick = random.Random(5)  # noqa: S311
    for _ in range(60):
        day = date(1980, 1, 1) + timedelta(days=pick.randint(0, 16000))
        days = -7 * pick.randint(1, 300)
        want = day + timedelta(days=days)
        if day.month == 5:
            continue  # "May" is its own abbreviation
        (named,) = find_dates(f"{day:%B} {day.day}, {day.year}")
        assert moved(named, days) == f"{want:%B} {want.day}, {want.year}"
        for form in ("%Y-%m-%d", "%m/%d/%Y", "%d %b %Y", "%d-%b-%Y"):
            (found,) = find_dates(day.strftime(form))
            assert moved(found, days) == want.strftime(form)
        assert want.weekday() == day.weekday()


def test_an_ordinal_keeps_its_ending_right() -> None:
    (found,) = find_dates("March 22nd, 2021")
    assert moved(found, -7) == "March 15th, 2021"


def test_a_patient_moves_alike_everywhere_and_only_with_the_key(tmp_path: Path) -> None:
    key = secret_key(tmp_path)
    assert key == secret_key(tmp_path)
    assert shift_of(key, "p1") == shift_of(key, "p1") != shift_of(b"other" * 8, "p1")
    assert shift_of(key, "p1") % 7 == 0
    assert (tmp_path / "deidentify.key").stat().st_mode & 0o077 == 0


def test_the_mapping_is_kept_and_read_back(tmp_path: Path) -> None:
    mapping = Mapping(WEEKS)
    hidden = deidentify_text("Dr. Ada Byron, 2021-04-05", mapping).text
    mapping.save(tmp_path / "m.json")
    assert Mapping.load(tmp_path / "m.json").restore(hidden) == "Dr. Ada Byron, 2021-04-05"
    with pytest.raises(FileError):
        Mapping.load(tmp_path / "none.json")


def test_fhir_keeps_its_codes_and_joins_and_loses_its_people() -> None:
    patient: JsonValue = {
        "resourceType": "Patient", "id": "p-123", "name": [{"family": "Brzezinski", "given": ["Ada"]}], "birthDate": "1951-03-07",
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "http://x", "value": "4471902"}],
        "telecom": [{"system": "phone", "value": "617-555-0142"}], "address": [{"line": ["12 Larkspur Lane"], "city": "Lowell", "state": "MA"}],
        "extension": [{"url": "http://x/latitude", "valueDecimal": 42.1}], "photo": [{"contentType": "image/png", "data": "AAAA"}],
    }  # fmt: skip
    condition: JsonValue = {
        "resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p-123", "display": "Ada Brzezinski"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "207957008", "display": "Parkinson's disease"}], "text": "Parkinson's disease"},
        "note": [{"text": "Brzezinski was told on 2020-02-11 by Dr. Thandiwe Okonkwo."}], "onsetDateTime": "2020-02-11",
    }  # fmt: skip
    mapping = Mapping(WEEKS)
    out = FhirDeidentifier(mapping, b"k" * 32).document(
        {"resourceType": "Bundle", "entry": [{"resource": patient}, {"resource": condition}]}
    )
    told = json.dumps(out)
    for secret in (
        "Brzezinski",
        "4471902",
        "0142",
        "Larkspur",
        "Lowell",
        "p-123",
        "1951-03-07",
        "2020-02-11",
        "Okonkwo",
        "42.1",
        "AAAA",
    ):
        assert secret not in told, secret
    assert '"207957008"' in told
    assert told.count("Parkinson's disease") == 2
    assert '"state": "MA"' in told
    entries = out["entry"]  # type: ignore[index,call-overload]
    assert entries[1]["resource"]["subject"]["reference"] == f"Patient/{entries[0]['resource']['id']}"  # type: ignore[index,call-overload]


def test_the_tool_attaches_a_copy_without_identifiers(store: SessionStore) -> None:
    note = b"Dr. Ada Byron saw Jo Marchetti on 2021-04-05. Parkinson's disease."
    store.add(note, NewArtifact(kind="document", title="A letter", media_type="text/plain"), ".txt")
    result = Deidentify().run(DeidentifyParams(target="doc1"), ToolContext(store, "c1"))
    assert result.artifacts[0].of == "doc1"
    text = store.path(result.artifacts[0].handle).read_text()
    assert "Byron" not in text
    assert "Parkinson's disease" in text


def test_binary_rubbish_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"\x00\x01\x02" * 50)
    with pytest.raises(FileError, match="binary"):
        deidentify_file(tmp_path / "x.bin", Mapping(), b"k")
