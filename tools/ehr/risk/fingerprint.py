"""Whether a record was in a training set: a hash of its events, whatever number the patient has.

A patient's number says nothing across sets (two sets both count from 1), so what is kept of a training record is 32 bits of
a hash of its content. It does not depend on the order of events, and a renumbered copy of a record has the same one.
"""

from __future__ import annotations

import base64
import hashlib

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.events import Events

Marks = NDArray[np.uint32]
_HISTORY = "PRIOR//"
_STEPS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def marks_of(events: Events, subjects: NDArray[np.int64]) -> Marks:
    """One mark per entry of `subjects`, shape (m,); a subject without events has the mark of nothing.

    History that a reader derives from other rows of the set ("PRIOR//") is left out: it depends on which rows are there.
    """
    names = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in events.vocabulary]
    codes = np.array([int.from_bytes(name, "little") for name in names], dtype=np.uint64)
    own = np.array([not name.startswith(_HISTORY) for name in events.vocabulary], dtype=bool)
    keep = own[events.code] if len(own) else np.zeros(len(events), bool)
    value = np.nan_to_num(np.round(events.value[keep] * 1000), nan=-(2.0**40)).astype(np.int64).view(np.uint64)
    seconds = events.time[keep].astype(np.int64).view(np.uint64)
    with np.errstate(over="ignore"):
        each = _mixed(codes[events.code[keep]] ^ _mixed(seconds + _mixed(value)))
        people, index = np.unique(events.subject[keep], return_inverse=True)
        total = np.zeros(len(people) + 1, np.uint64)
        np.add.at(total, index, each)
    place = np.searchsorted(people, subjects)
    people = np.append(people, np.iinfo(np.int64).min)
    found = people[np.minimum(place, len(people) - 1)] == subjects
    chosen = total[np.where(found, place, len(total) - 1)]
    return np.asarray(chosen >> np.uint64(32), dtype=np.uint32)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    out = (values ^ (values >> np.uint64(30))) * _STEPS[0]
    out = (out ^ (out >> np.uint64(27))) * _STEPS[1]
    return np.asarray(out ^ (out >> np.uint64(31)))


def packed(marks: Marks) -> str:
    """As text for a model file."""
    return base64.b64encode(np.unique(marks).astype("<u4").tobytes()).decode()


def unpacked(text: str) -> Marks:
    """The marks that `packed` wrote, ascending."""
    return np.frombuffer(base64.b64decode(text), dtype="<u4").astype(np.uint32)
