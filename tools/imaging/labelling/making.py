"""A mask for a CT that came without one: by TotalSegmentator where it is in place, else by the built-in labeller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.errors import FileError, MissingRequirement
from tools.imaging.labelling.labeller import Labelled, label_vertebrae
from tools.imaging.segmentation import segment_vertebrae
from tools.imaging.volume import Volume

_SEGMENTED = "The mask was made by TotalSegmentator, not given: look at the figure before you trust a grade."
_BODIES_ONLY = (
    "The mask was made by the built-in labeller, not given, without any learned model: bodies only, mean confidence "
    "{sure:.2f} of 1; levels were named {told}. Look at the figure before you trust a level or a grade."
)


@dataclass(frozen=True)
class MadeMask:
    """Labels on the CT's grid, their numbering (of `tools.imaging.numbering`), what must be said with every result."""

    labels: Volume
    numbering: str
    note: str


class LevelToConfirm(MissingRequirement):
    """Vertebrae were found, but which levels they are cannot be told: a person must say one. `found` is what there is."""

    def __init__(self, found: Labelled) -> None:
        self.found = found
        count = len(found.vertebrae)
        super().__init__(
            f"{count} vertebral bodies were found, numbered 1 to {count} from the head, but the name of a level ("
            f"{found.levels.told}). Look at the numbered picture and confirm one. A confirmed level",
            "--confirm NUMBER=LEVEL, for example --confirm 3=L1; `consilium fracture label CT --out DIR` draws the numbers",
        )


def make_mask(ct: Volume, confirmed: str = "", progress: Callable[[float, str], None] | None = None) -> MadeMask:
    """Label the vertebrae of a CT.

    Args:
        ct: HU, RAS.
        confirmed: a level that a person confirmed, such as "3=L1"; then the built-in labeller is used.
        progress: told before each step.

    Raises:
        LevelToConfirm: the built-in labeller found vertebrae and cannot name them.
        MissingRequirement: it found no spine it is sure of, and TotalSegmentator is not in place.
        SettingError: `confirmed` names nothing that was found.
    """
    absent: MissingRequirement | None = None
    if not confirmed:
        try:
            return MadeMask(segment_vertebrae(ct), "totalsegmentator", _SEGMENTED)
        except MissingRequirement as missing:
            absent = missing
    try:
        found = label_vertebrae(ct, confirmed, progress)
    except FileError as refused:
        if absent is None:
            raise
        raise MissingRequirement(f"{refused} {absent.what}", absent.command) from refused
    if not found.levels.settled:
        raise LevelToConfirm(found)
    return MadeMask(found.mask, "verse", note_of(found))


def note_of(found: Labelled) -> str:
    """What is said with everything that rests on these labels."""
    sure = sum(item.confidence for item in found.vertebrae) / max(len(found.vertebrae), 1)
    return _BODIES_ONLY.format(sure=sure, told=found.levels.told)
