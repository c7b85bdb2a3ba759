"""The published defect cannot come back: edges and the mask's discriminator must reach the generator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tools.imaging.healthivert.spines import TINY, box_spine
from tools.imaging.healthivert.adversaries import Adversaries
from tools.imaging.healthivert.dataset import Batch, draw_batch
from tools.imaging.healthivert.edges import edge_loss, sobel
from tools.imaging.healthivert.losses import Terms, area_scaled_l1, generator_terms
from tools.imaging.healthivert.networks import Painted
from tools.imaging.healthivert.train import Run, start


@pytest.fixture(scope="module")
def run() -> Run:
    return start(TINY)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return draw_batch([box_spine([20, 21, 22, 23], {"L2": 2})], TINY, (1, 2))


def _painted(run: Run, batch: Batch) -> Painted:
    painted = run.generator(batch.ct, batch.band, batch.place, run.classifier.healthy_attention(batch.ct, batch.band))
    assert isinstance(painted, Painted)
    painted.target.retain_grad()
    return painted


def _reaches(term: Tensor, painted: Painted, run: Run) -> tuple[float, float]:
    """Largest gradient on the painted mask, and on the generator's last layer."""
    run.generator.zero_grad(set_to_none=True)
    painted.target.grad = None
    term.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    on_mask = painted.target.grad
    on_weights = run.generator.fine_decoder.out.weight.grad
    return tuple(0.0 if grad is None else float(grad.abs().max()) for grad in (on_mask, on_weights))  # type: ignore[return-value]


def test_the_edge_term_reaches_the_generator(run: Run, batch: Batch) -> None:
    painted = _painted(run, batch)
    terms = generator_terms(painted, batch, run.adversaries, TINY)
    on_mask, on_weights = _reaches(terms.edges, painted, run)
    assert on_mask > 0
    assert on_weights > 0


def test_the_discriminator_of_the_mask_reaches_the_generator(run: Run, batch: Batch) -> None:
    painted = _painted(run, batch)
    terms = generator_terms(painted, batch, run.adversaries, TINY)
    on_mask, on_weights = _reaches(terms.adversarial, painted, run)
    assert on_mask > 0
    assert on_weights > 0


def test_what_the_discriminator_of_the_mask_sees_is_soft(run: Run, batch: Batch) -> None:
    seen: list[Tensor] = []
    hook = run.adversaries.mask.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    try:
        generator_terms(_painted(run, batch), batch, run.adversaries, TINY)
    finally:
        hook.remove()
    between = (seen[0] > 0.01) & (seen[0] < 0.99)
    assert between.any()


def test_a_binarised_mask_would_give_no_gradient() -> None:
    """What the published code does, to show that the tests above would see it."""
    soft = torch.rand(1, 1, 8, 8, requires_grad=True)
    binarised = torch.where(soft > 0.5, 1.0, 0.0)
    assert not edge_loss(binarised, torch.zeros(1, 1, 8, 8)).requires_grad
    edge_loss(soft, torch.zeros(1, 1, 8, 8)).backward()  # type: ignore[no-untyped-call]
    assert soft.grad is not None
    assert float(soft.grad.abs().max()) > 0


def test_edges_of_equal_masks_cost_nothing_and_a_step_has_its_sobel_gradient() -> None:
    mask = torch.zeros(1, 1, 6, 6)
    mask[:, :, 3:] = 1
    assert float(edge_loss(mask, mask)) == 0
    rows, columns = sobel(mask)[0]
    assert float(rows[2, 3]) == pytest.approx(0.5)
    assert float(columns.abs().max()) == 0


def test_every_term_counts_in_the_total(run: Run, batch: Batch) -> None:
    terms = generator_terms(_painted(run, batch), batch, run.adversaries, TINY)
    parts = [terms.pixels, terms.target_dice, terms.neighbour_dice, terms.edges, terms.height, terms.adversarial]
    assert isinstance(terms, Terms)
    assert all(float(part.detach()) > 0 for part in parts)
    assert float(terms.total.detach()) == pytest.approx(sum(float(part.detach()) for part in parts), rel=1e-5)


def test_a_small_hole_counts_as_much_as_a_large_one() -> None:
    small, large = torch.zeros(1, 1, 10, 10), torch.zeros(1, 1, 10, 10)
    small[..., :2, :], large[..., :8, :] = 1, 1
    image, true = torch.full((1, 1, 10, 10), 0.25), torch.zeros(1, 1, 10, 10)
    assert float(area_scaled_l1(image, true, small)) == pytest.approx(0.25)
    assert float(area_scaled_l1(image, true, large)) == pytest.approx(0.25)


def test_discriminators_learn_from_detached_paintings(batch: Batch) -> None:
    adversaries = Adversaries(2)
    painted = batch.true_ct.clone().requires_grad_(True)
    loss = adversaries.catch((batch.true_ct, batch.true_target), (painted, batch.true_target))
    loss.backward()  # type: ignore[no-untyped-call]
    assert painted.grad is None
    assert all(parameter.grad is not None for parameter in adversaries.parameters())
