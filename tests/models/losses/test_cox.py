"""Cox's loss: equal to what is written down patient by patient, and to statsmodels; finite where others are not."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models.losses import cox_loss

spec = importlib.util.spec_from_file_location("references", Path(__file__).with_name("references.py"))
references = importlib.util.module_from_spec(spec)
spec.loader.exec_module(references)


def sample(seed, rows=24, times=6):
    """Return heavily tied survival data."""
    generator = np.random.default_rng(seed)
    eta = torch.tensor(generator.normal(0, 2, rows))
    time = torch.tensor(generator.integers(1, times + 1, rows).astype(float))
    event = torch.tensor(generator.integers(0, 2, rows))
    return eta, time, event


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("seed", range(8))
def test_equals_the_sum_over_risk_sets(ties, seed):
    eta, time, event = sample(seed)
    expected = references.cox(eta, time, event, ties)
    assert float(cox_loss(eta, time, event, ties)) == pytest.approx(expected, abs=1e-12)
    strata = torch.tensor(np.random.default_rng(seed + 100).integers(0, 3, len(eta)))
    expected = references.cox(eta, time, event, ties, strata.numpy())
    assert float(cox_loss(eta.unsqueeze(1), time, event, ties, strata)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_equals_statsmodels(ties):
    from statsmodels.duration.hazard_regression import PHReg

    eta, time, event = sample(3, rows=60)
    strata = np.arange(60) % 2
    for groups in (None, strata):
        model = PHReg(time.numpy(), eta.numpy()[:, None], status=event.numpy(), ties=ties, strata=groups)
        expected = -model.loglike(np.ones(1)) / int(event.sum())
        found = cox_loss(eta, time, event, ties, None if groups is None else torch.tensor(groups))
        assert float(found) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_gradient(ties):
    eta, time, event = sample(1, rows=12, times=4)
    strata = torch.arange(12) % 2
    assert torch.autograd.gradcheck(lambda x: cox_loss(x, time, event, ties), eta.requires_grad_())
    assert torch.autograd.gradcheck(lambda x: cox_loss(x, time, event, ties, strata), eta)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_constant_changes_nothing_and_extremes_are_finite(ties):
    eta, time, event = sample(2)
    base = cox_loss(eta, time, event, ties)
    assert torch.allclose(cox_loss(eta + 1_000, time, event, ties), base, atol=1e-9)
    shifted = eta.float() + 1_000
    assert float(cox_loss(shifted, time, event, ties)) == pytest.approx(float(base), rel=1e-3)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        extreme = (torch.sign(eta) * 1_000).to(dtype).requires_grad_()
        loss = cox_loss(extreme, time.float(), event, ties)
        loss.backward()
        expected = references.cox(extreme.detach().double(), time, event, ties)
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(expected, rel=1e-5)
        assert extreme.grad.isfinite().all()


def test_half_types_are_computed_in_float32():
    eta, time, event = sample(5)
    half = eta.bfloat16()
    assert torch.equal(cox_loss(half, time, event), cox_loss(half.float(), time, event))
    assert cox_loss(eta, time, event).dtype == torch.float64


@pytest.mark.parametrize("event", [[0], [1], [0, 0, 0]])
def test_nothing_to_compare_is_zero_with_a_gradient(event):
    eta = torch.full((len(event), 1), 1_000.0, requires_grad=True)
    loss = cox_loss(eta, torch.arange(1.0, len(event) + 1), torch.tensor(event))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(eta.grad, torch.zeros_like(eta))


def test_the_order_of_patients_does_not_matter():
    eta, time, event = sample(7)
    order = torch.randperm(len(eta), generator=torch.Generator().manual_seed(0))
    for ties in ("efron", "breslow"):
        again = cox_loss(eta[order], time[order], event[order], ties)
        assert torch.allclose(again, cox_loss(eta, time, event, ties), atol=1e-12)


def test_many_networks_at_once():
    eta, time, event = sample(9)
    stacked = torch.stack([eta, 2 * eta, eta - 3])
    found = torch.vmap(lambda x: cox_loss(x, time, event))(stacked)
    assert torch.allclose(found, torch.stack([cox_loss(x, time, event) for x in stacked]), atol=1e-12)


def test_refusals():
    eta, time, event = sample(0)
    with pytest.raises(InputError, match="ties is 'exact'; it must be 'efron' or 'breslow'"):
        cox_loss(eta, time, event, "exact")
    with pytest.raises(InputError, match=r"time has shape \(24, 2\); it must be \(24,\)"):
        cox_loss(eta, torch.stack([time, time], dim=1), event)
    with pytest.raises(InputError, match=r"strata has shape \(3,\)"):
        cox_loss(eta, time, event, strata=torch.zeros(3))
