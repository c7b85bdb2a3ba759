from __future__ import annotations

from pathlib import Path

from core.pseudonym import Pseudonyms


def test_the_key_is_made_once_and_is_the_owners(tmp_path: Path) -> None:
    one, two = Pseudonyms.kept_in(tmp_path), Pseudonyms.kept_in(tmp_path)
    assert one.of("MRN 17") == two.of("mrn 17 ")
    assert (tmp_path / "pseudonym.key").stat().st_mode & 0o777 == 0o600


def test_another_key_gives_other_pseudonyms_and_blank_gives_none(tmp_path: Path) -> None:
    assert Pseudonyms(b"a" * 32).of("MRN 17") != Pseudonyms(b"b" * 32).of("MRN 17")
    assert Pseudonyms(b"a" * 32).of("  ") == ""
    assert Pseudonyms(b"a" * 32).of("17")[:2] != "17"
    assert len(Pseudonyms(b"a" * 32).of("17")) == 24
