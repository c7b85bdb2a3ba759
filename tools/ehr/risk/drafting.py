"""A question in words becomes a task: words are matched to a set's outcomes, numbers to days; the cohort is counted.

Nothing is guessed: what the words do not say is listed as assumed, a word that no outcome answers is refused with what
the set has, and a task with fewer positives (or negatives) than `MIN_POSITIVES` is refused with the count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import yaml

from core.errors import InputError
from tools.ehr.risk.cohort import Cohort
from tools.ehr.risk.tasks import MIN_POSITIVES, Rule, Task, labelled

_NUMBER = r"(\d+(?:\.\d+)?)"
_WORDS = {"half a": "0.5", "a": "1", "one": "1", "two": "2", "three": "3", "seven": "7", "thirty": "30"}
_UNIT = r"\s*-?\s*(days?|weeks?|months?|years?|d\b)"
_DAYS = {"d": 1.0, "w": 7.0, "m": 30.0, "y": 365.0}


@dataclass(frozen=True)
class Draft:
    """A task, what was assumed beyond the words, and how many rows it has."""

    task: Task
    assumed: tuple[str, ...]
    rows: int
    positives: int
    patients: int

    def as_yaml(self) -> str:
        """As a file that `--task` reads."""
        found = self.task.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"recipe"})
        return str(yaml.safe_dump(found, sort_keys=False, allow_unicode=True))


@dataclass(frozen=True)
class _Pattern:
    """Words that ask for a label, the outcome columns it needs, and how the label is made from the days named."""

    words: str
    columns: tuple[str, ...]
    title: str
    label: Callable[[float | None], Rule]
    needs_days: bool = False
    exclude: Callable[[float | None], tuple[Rule, ...]] = lambda days: ()


def _died_within(days: float | None) -> Rule:
    return Rule(column="death", at_least=1, also=Rule(column="days", at_most=days))


def _lost(days: float | None) -> tuple[Rule, ...]:
    return (Rule(column="death", below=1, also=Rule(column="days", below=days)),)


def _survived_at_most(days: float | None) -> Rule:
    return Rule(column="Survival", at_least=0, also=Rule(column="Survival", at_most=days))


_DEATH = r"\b(die[sd]?|dying|death|mortality|deaths|pass(?:es|ed)? away)\b"
_PATTERNS = (
    _Pattern(_DEATH, ("death", "days"), "death within {days:g} days", _died_within, True, _lost),
    _Pattern(_DEATH, ("Survival",), "death within {days:g} days of admission", _survived_at_most, True),
    _Pattern(_DEATH, ("In-hospital_death",), "death in hospital", lambda _: Rule(column="In-hospital_death", at_least=1)),
    _Pattern(_DEATH, ("hospdead",), "death in hospital", lambda _: Rule(column="hospdead", at_least=1)),
    _Pattern(
        r"\b(stay\w*|length of stay|los|hospitali[sz]ed for|discharg\w+)\b", ("Length_of_stay",),
        "a stay in hospital of more than {days:g} days", lambda days: Rule(column="Length_of_stay", above=days), True,
        lambda days: (Rule(column="Length_of_stay", below=0),),
    ),
    _Pattern(
        r"\b(readmi\w+|re-admi\w+|come back|return(?:s|ed)? to (?:the )?hospital|rehospitali[sz]\w+)\b", ("readmitted_30d",),
        "readmission within 30 days of discharge", lambda _: Rule(column="readmitted_30d", at_least=1), False,
        lambda days: (Rule(column="disposition", equals=(11, 13, 14, 19, 20, 21)),),
    ),
    _Pattern(r"\b(sepsis|septic|sepsis onset)\b", ("SepsisLabel",), "sepsis, every hour",
             lambda _: Rule(column="SepsisLabel", at_least=1)),
)  # fmt: skip
_FROM = {
    "physionet2012": ("adults in intensive care for at least 48 h", "48 h after admission to intensive care", 48.0),
    "physionet2019": ("every hour of a stay in intensive care", "every hour", 6.0),
    "support2": ("seriously ill adults, day 3 of the study stay", "day 3", 48.0),
    "diabetes130": ("inpatients with diabetes, discharged alive", "at discharge", 48.0),
}


def draft(words: str, cohort: Cohort, name: str = "drafted") -> Draft:
    """The task that the words ask of a set.

    Raises:
        InputError: no outcome of the set answers the words, a number of days is missing or cannot be told, or the task has
            too few of one class.
    """
    outcomes = tuple(cohort.rows.outcomes)
    days = days_of(words)
    asked = [pattern for pattern in _PATTERNS if re.search(pattern.words, words, re.IGNORECASE)]
    if not asked:
        raise InputError(
            f"The words name no outcome that is known here. This set tells: {', '.join(outcomes) or 'none'}; "
            "ask for death, a long stay, readmission or sepsis."
        )
    able = [pattern for pattern in asked if set(pattern.columns) <= set(outcomes)]
    if not able:
        raise InputError(f"This set cannot tell that: it has the outcomes {', '.join(outcomes) or 'none'}.")
    in_hospital = re.search(r"\bin[ -](?:the )?(?:hospital|icu|intensive)", words, re.IGNORECASE)
    chosen = next((p for p in able if p.needs_days == (days is not None and not in_hospital)), able[0])
    if chosen.needs_days and days is None:
        raise InputError(f"{chosen.title.split(' {')[0]}: of how many days? For example: more than 7 days.")
    if "readmitted_30d" in chosen.columns and days is not None and days != 30:
        raise InputError(f"This set tells readmission within 30 days only; asked were {days:g}.")
    return _counted(words, cohort, name, chosen, days)


def _counted(words: str, cohort: Cohort, name: str, chosen: _Pattern, days: float | None) -> Draft:
    group, moment, window = _FROM.get(cohort.source, (f"every record of {cohort.source}", "the last event", 48.0))
    hours = re.search(_NUMBER + r"\s*-?\s*(?:h|hours?)\b", words, re.IGNORECASE)
    assumed = [f"cohort: {group}", f"moment of prediction: {moment}"]
    if hours and 0 < float(hours.group(1)) <= window:
        window = float(hours.group(1))
    else:
        assumed.append(f"what is read: the last {window:g} h before it")
    hourly = cohort.source == "physionet2019"
    task = Task(
        name=name, title=chosen.title.format(days=days or 0), source=cohort.source, cohort=group, prediction=moment,
        horizon=f"{days:g} days" if days else "as the set's outcome says", window_hours=window, hourly=hourly,
        label=chosen.label(days), exclude=chosen.exclude(days),
    )  # fmt: skip
    part = labelled(task, cohort)
    positives = int(part.y.sum())
    least = min(positives, len(part.y) - positives)
    if least < MIN_POSITIVES:
        raise InputError(
            f"{task.title}: {len(part.y)} rows with {positives} positives; at least {MIN_POSITIVES} of each class are "
            "needed."
        )
    return Draft(task, tuple(assumed), len(part.y), positives, len(np.unique(part.rows.patient)))


def days_of(words: str) -> float | None:
    """The number of days that the words name, or None. "two weeks" is 14, "6-month" 180, "a year" 365."""
    text = words.lower()
    for word, number in _WORDS.items():
        text = re.sub(rf"\b{word}(?=\s*-?\s*(?:days?|weeks?|months?|years?)\b)", number, text)
    found = re.search(_NUMBER + _UNIT, text)
    return float(found.group(1)) * _DAYS[found.group(2)[0]] if found else None
