"""The interface's words in English, Arabic and Chinese, from one catalogue.

The page is written in English; `languages.js` shows it in another language by this catalogue and sets the direction.
Words of an answer, a source or a record are never touched. What is written here on the server in another language (the
exports) goes through `Words`. Keys are the English words; `{0}`, `{1}` stand for what is put in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LANGUAGES: Mapping[str, str] = {"en": "English", "ar": "العربية", "zh": "中文"}
_RTL = frozenset({"ar"})
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Words:
    """Words of one language. Calling it translates; English words that the catalogue lacks stay English."""

    language: str = "en"

    def __call__(self, english: str, *values: object) -> str:
        """The words in this language, with values put in."""
        told = english if self.language == "en" else catalogue().get(english, {}).get(self.language, english)
        for place, value in enumerate(values):
            told = told.replace(f"{{{place}}}", str(value))
        return told


def words_of(language: str) -> Words:
    """The words of a language; English for one that is not here."""
    return Words(language if language in LANGUAGES else "en")


def is_rtl(language: str) -> bool:
    """Whether it is written from right to left."""
    return language in _RTL


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """English words to language to words."""
    read: dict[str, dict[str, str]] = json.loads((_HERE / "catalogue.json").read_text(encoding="utf-8"))
    return read


def script() -> str:
    """The script for the page's head, with its catalogue."""
    code = (_HERE.parent / "languages.js").read_text(encoding="utf-8")
    data = json.dumps(catalogue(), ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return code.replace("/*CATALOGUE*/{}", data)


def switch_html() -> str:
    """The switch: each language by its own name."""
    options = "".join(f'<option value="{code}" lang="{code}">{name}</option>' for code, name in LANGUAGES.items())
    return f'<label class="switch"><span>Language</span><select data-language>{options}</select></label>'
