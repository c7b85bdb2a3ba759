from __future__ import annotations

import pytest

from core.errors import GateRefusal, UnknownHandle
from core.store import SessionStore
from core.types import NewArtifact
from tests.fakes import ToyParams, ToyTool
from tools.base import Accepts
from tools.gate import check_artifacts

SPINE_CT = Accepts(
    "target", ("volume",), modalities=("CT",), body_parts=("SPINE", "CHEST"), min_shape=(8, 8, 8),
    described_as="a CT volume of the spine",
)  # fmt: skip
CT = NewArtifact(kind="volume", title="CT", media_type="x", modality="CT", shape=(64, 64, 32))


def check(store: SessionStore, new: NewArtifact) -> dict[str, str]:
    handle = store.add(b"content", new, ".nii").handle
    return check_artifacts(ToyTool(accepts=(SPINE_CT,)).spec, ToyParams(target=handle), store)


def test_what_fits_passes_with_its_hash(store: SessionStore) -> None:
    inputs = check(store, CT)
    assert inputs == {"ct1": store.get("ct1").sha256}


def test_an_unset_parameter_is_not_checked(store: SessionStore) -> None:
    assert check_artifacts(ToyTool(accepts=(SPINE_CT,)).spec, ToyParams(), store) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "radiograph", "modality": "DX"}, "needs a CT volume of the spine as target; xray1 is a radiograph"),
        ({"modality": "MR"}, "mr1 has modality MR"),
        ({"modality": None}, "volume1 has modality unknown"),
        ({"body_part": "KNEE"}, "ct1 shows KNEE"),
        ({"synthetic": True}, "ct1 is synthetic: it was generated and is not evidence about a patient"),
        ({"shape": (64, 64, 4)}, r"at least \(8, 8, 8\) voxels; ct1 has \(64, 64, 4\)"),
    ],
)
def test_a_mismatch_says_what_is_needed_and_what_was_got(
    store: SessionStore, change: dict[str, object], message: str
) -> None:
    with pytest.raises(GateRefusal, match=message):
        check(store, CT.model_copy(update=change))


def test_an_unknown_handle_is_refused(store: SessionStore) -> None:
    with pytest.raises(UnknownHandle, match="ct9"):
        check_artifacts(ToyTool(accepts=(SPINE_CT,)).spec, ToyParams(target="ct9"), store)
