"""Conversations' attachments without the files: what a plan is made from."""

from __future__ import annotations

from agent.planning import PlannedCall, Situation
from core.types import Artifact, ArtifactKind


def _artifact(
    handle: str, kind: ArtifactKind, *, of: str | None = None, modality: str | None = None, simulated: bool = False
) -> Artifact:
    return Artifact(
        handle=handle, sha256="0" * 64, bytes=1, kind=kind, title=handle, media_type="application/octet-stream",
        of=of, modality=modality, simulated=simulated,
        labels=("T11", "T12", "L1", "L2") if kind == "mask" else (),
    )  # fmt: skip


CT = _artifact("ct1", "volume", modality="CT")
MASK = _artifact("mask1", "mask", of="ct1")
TWIN = _artifact("ct2", "volume", modality="CT", simulated=True)
TWIN_MASK = _artifact("mask2", "mask", of="ct2", simulated=True)
RECORD = _artifact("record1", "record")
FILM = _artifact("xray1", "radiograph", modality="DX")

ATTACHED: dict[str, tuple[Artifact, ...]] = {
    "sample": (CT, MASK, TWIN, TWIN_MASK, RECORD),
    "ct": (CT, MASK),
    "film": (FILM,),
    "record": (RECORD,),
    "nothing": (),
}


def situation(question: str, attached: str = "sample", earlier: tuple[PlannedCall, ...] = ()) -> Situation:
    """A question in a conversation with these attachments and earlier calls."""
    return Situation(question, ATTACHED[attached], earlier)
