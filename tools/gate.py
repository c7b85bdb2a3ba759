"""The artifact gate: refuses a call whose artifacts do not fit, before anything runs."""

from __future__ import annotations

from pydantic import BaseModel

from core.errors import GateRefusal
from core.ports import ArtifactStore
from core.types import Artifact
from tools.base import Accepts, ToolSpec


def check_artifacts(spec: ToolSpec, params: BaseModel, store: ArtifactStore) -> dict[str, str]:
    """Check every artifact a call names; returns handle to sha256 of what will be read.

    Raises:
        UnknownHandle: a handle is not in this session.
        GateRefusal: an artifact is of the wrong kind, modality, body part or size, or synthetic where the
            question is about a patient; the message is written for the model to act on.
    """
    inputs = {}
    for rule in spec.accepts:
        handle = getattr(params, rule.parameter)
        if handle is None:
            continue
        artifact = store.get(handle)
        _check(spec.name, rule, artifact)
        inputs[artifact.handle] = artifact.sha256
    return inputs


def _check(tool: str, rule: Accepts, artifact: Artifact) -> None:
    needs = f"{tool} needs {rule.described_as} as {rule.parameter}"
    if artifact.synthetic and not rule.allow_synthetic:
        raise GateRefusal(
            f"{artifact.handle} is synthetic: it was generated and is not evidence about a patient. "
            f"{needs} of a real patient."
        )
    if rule.kinds and artifact.kind not in rule.kinds:
        raise GateRefusal(f"{needs}; {artifact.handle} is a {artifact.kind}.")
    if rule.modalities and artifact.modality not in rule.modalities:
        raise GateRefusal(f"{needs}; {artifact.handle} has modality {artifact.modality or 'unknown'}.")
    if rule.body_parts and artifact.body_part and artifact.body_part.upper() not in rule.body_parts:
        raise GateRefusal(f"{needs}; {artifact.handle} shows {artifact.body_part}.")
    small = [n for n, least in zip(artifact.shape, rule.min_shape, strict=False) if n < least]
    if small:
        raise GateRefusal(f"{needs} of at least {rule.min_shape} voxels; {artifact.handle} has {artifact.shape}.")
