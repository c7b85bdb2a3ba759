"""A stopped and resumed run ends with the weights of one that was not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.errors import FileError
from tests.tools.imaging.healthivert.spines import TINY, box_spine
from tools.imaging.healthivert.dataset import draw_batch
from tools.imaging.healthivert.inference import HealthyPainter
from tools.imaging.healthivert.train import Run, export, rate_at, resume, start, train

_SPINES = [box_spine([20, 21, 22, 23], {"L2": 2})]


def _weights(run: Run) -> dict[str, torch.Tensor]:
    return {f"{name}/{key}": value for name, network in run.networks.items() for key, value in network.state_dict().items()}


def test_resuming_changes_nothing(tmp_path: Path) -> None:
    torch.use_deterministic_algorithms(True)
    try:
        through, stopped = start(TINY), start(TINY)
        assert train(through, _SPINES)
        assert not train(stopped, _SPINES, tmp_path / "c.safetensors", seconds=0)
        again = resume(tmp_path / "c.safetensors")
        assert again.step == 0
        again = _one_step(again, tmp_path / "c.safetensors")
        assert again.step == 1
        assert train(again, _SPINES)
    finally:
        torch.use_deterministic_algorithms(False)
    for key, value in _weights(through).items():
        torch.testing.assert_close(_weights(again)[key], value, rtol=0, atol=0, msg=key)


def _one_step(run: Run, checkpoint: Path) -> Run:
    """A run stopped after one step, read back from its checkpoint."""
    from tools.imaging.healthivert.train import save_checkpoint, update

    update(run, draw_batch(_SPINES, TINY, (TINY.seed, 2, 0)))
    run.step = 1
    save_checkpoint(run, checkpoint)
    return resume(checkpoint)


def test_a_batch_depends_on_its_key_alone() -> None:
    one, same, other = (draw_batch(_SPINES, TINY, key) for key in ((1, 1), (1, 1), (1, 2)))
    assert torch.equal(one.ct, same.ct)
    assert not torch.equal(one.ct, other.ct)


def test_only_healthy_vertebrae_are_painted_and_fractured_neighbours_are_no_model() -> None:
    for key in range(6):
        batch = draw_batch([box_spine([20, 9, 22], {"L2": 3})], TINY, (key,))
        assert 9 not in batch.heights
        assert batch.fractured.tolist() == [1.0, 1.0]
        assert float(batch.true_target.sum()) == sum(height * 20 for height in batch.heights)
        # L2 is the only neighbour within reach of the crop, or one of two: its rows never count as healthy.
        assert float(batch.healthy.sum(dim=(1, 2, 3)).max()) <= 22 * 20


def test_data_without_a_healthy_vertebra_is_refused() -> None:
    spine = box_spine([20, 20], {"L1": 2, "L2": 3})
    with pytest.raises(FileError, match="No vertebra of grade 0 or 1"):
        draw_batch([spine], TINY, (1,))


def test_the_rate_falls_over_the_last_third() -> None:
    config = TINY.model_copy(update={"steps": 30, "learning_rate": 1.0})
    assert [rate_at(step, config) for step in (0, 19, 25, 30)] == pytest.approx([1.0, 1.0, 0.5, 0.0])


def test_exported_weights_paint_as_the_trained_network_does(tmp_path: Path) -> None:
    run = start(TINY)
    train(run, _SPINES)
    export(run, tmp_path / "w.safetensors", {"trained_on": "boxes"})
    painter = HealthyPainter(tmp_path / "w.safetensors")
    assert painter.about["trained_on"] == "boxes"
    over = painter.paint_over(_SPINES[0], "L3", 32)
    assert over is not None
    assert over.ct.shape == (TINY.rows, TINY.columns)
    assert 0 < over.height < TINY.band
    assert over.span[1] - over.span[0] == 22


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(FileError, match="no checkpoint"):
        resume(tmp_path / "x.safetensors")
    with pytest.raises(FileError, match="no weights"):
        HealthyPainter(tmp_path / "x.safetensors")
