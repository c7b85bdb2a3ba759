from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from tools.ehr.models.survival import CoxFusion, breslow, concordance, cox_loss

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # lifelines warns about itself when imported
    from lifelines import CoxPHFitter
    from lifelines.utils import concordance_index


def cohort(n: int = 300, ties: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    x = random.normal(size=(n, 2))
    time = random.exponential(np.exp(-(0.8 * x[:, 0] - 0.5 * x[:, 1])))
    censored = random.exponential(1.5, n)
    event = (time <= censored).astype(float)
    time = np.minimum(time, censored) + 0.01
    return x, np.ceil(time * 4) / 4 if ties else time, event


def fitted(x: np.ndarray, time: np.ndarray, event: np.ndarray, steps: int = 60) -> np.ndarray:
    beta = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([beta], max_iter=steps)
    inputs = [torch.from_numpy(part) for part in (x, time, event)]

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = cox_loss(inputs[0] @ beta, inputs[1], inputs[2])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return beta.detach().numpy()


def test_minimising_the_loss_gives_the_coefficients_of_lifelines() -> None:
    x, time, event = cohort()
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "t": time, "e": event})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CoxPHFitter().fit(frame, "t", "e")
    assert fitted(x, time, event) == pytest.approx(model.params_.to_numpy(), abs=1e-3)
    likelihood = cox_loss(torch.from_numpy(x @ model.params_.to_numpy()), torch.from_numpy(time), torch.from_numpy(event))
    assert float(likelihood) * event.sum() == pytest.approx(-model.log_likelihood_, rel=1e-5)


def test_the_loss_is_that_of_the_definition_with_ties_and_weights() -> None:
    x, time, event = cohort(40, ties=True)
    risk, weight = x[:, 0], np.random.default_rng(0).uniform(0.5, 2, 40)
    expected = 0.0
    for i in np.flatnonzero(event):
        at_risk = time >= time[i]
        expected -= weight[i] * (risk[i] - np.log((weight[at_risk] * np.exp(risk[at_risk])).sum()))
    found = cox_loss(*(torch.from_numpy(part) for part in (risk, time, event, weight)))
    assert float(found) == pytest.approx(expected / (weight * event).sum())


def test_the_order_of_rows_does_not_matter() -> None:
    x, time, event = cohort(60, ties=True)
    mix = np.random.default_rng(2).permutation(60)
    a = cox_loss(*(torch.from_numpy(part) for part in (x[:, 0], time, event)))
    b = cox_loss(*(torch.from_numpy(part[mix]) for part in (x[:, 0], time, event)))
    assert float(a) == pytest.approx(float(b))


def test_concordance_is_that_of_lifelines() -> None:
    x, time, event = cohort(120)
    risk = np.round(x[:, 0], 1)
    assert concordance(time, event, risk) == pytest.approx(concordance_index(time, -risk, event))


def test_fusion_learns_and_its_survival_falls_with_time() -> None:
    x, time, event = cohort(400)
    first, second = x[:, :1].astype(np.float32), x[:, 1:].astype(np.float32)
    model = CoxFusion(width=8)
    model.fit(first, second, time, event, epochs=40)
    assert concordance(time, event, model.risk(first, second)) > 0.65
    early, late = model.survival(first, second, 0.2), model.survival(first, second, 2.0)
    assert np.all(late <= early)
    assert late.min() >= 0
    assert early.max() <= 1


def test_breslow_without_covariates_is_nelson_aalen() -> None:
    times, hazard = breslow(np.zeros(4), np.array([1.0, 2, 2, 3]), np.array([1.0, 1, 0, 1]))
    assert times.tolist() == [1, 2, 3]
    assert hazard.tolist() == pytest.approx([1 / 4, 1 / 4 + 1 / 3, 1 / 4 + 1 / 3 + 1])
