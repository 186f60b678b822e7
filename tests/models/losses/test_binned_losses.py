"""Losses over time bins and pairs: equal to what is written down patient by patient, and safe at the extremes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models.losses import deephit_loss, discrete_time_nll, mtlr_loss, ranking_loss, survival_curve

spec = importlib.util.spec_from_file_location("references", Path(__file__).with_name("references.py"))
references = importlib.util.module_from_spec(spec)
spec.loader.exec_module(references)

LOSSES = {"discrete": discrete_time_nll, "mtlr": mtlr_loss, "deephit": deephit_loss}


def sample(seed, rows=12, bins=4):
    generator = np.random.default_rng(seed)
    logits = torch.tensor(generator.normal(0, 1.5, (rows, bins)))
    return logits, torch.tensor(generator.integers(0, bins, rows)), torch.tensor(generator.integers(0, 2, rows))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_discrete_time_equals_the_published_form(alpha):
    for seed in range(5):
        logits, bins, event = sample(seed)
        expected = references.discrete_time(logits.tolist(), bins.tolist(), event.tolist(), alpha)
        found = discrete_time_nll(logits, bins, event, alpha, "none")
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        for reduction in ("mean", "sum"):
            total = getattr(np, reduction)(expected)
            assert float(discrete_time_nll(logits, bins, event, alpha, reduction)) == pytest.approx(total, rel=1e-12)


def test_one_patient_by_hand():
    """Hazards 1/2: an event in bin 1 is 1/4, to be free of it after bin 1 is 1/4."""
    zero = torch.zeros(1, 4, dtype=torch.float64)
    one = torch.tensor([1])
    assert float(discrete_time_nll(zero, one, torch.tensor([1]))) == pytest.approx(np.log(4))
    assert float(discrete_time_nll(zero, one, torch.tensor([0]))) == pytest.approx(0.5 * np.log(4))


def test_mtlr_deephit_and_ranking_equal_their_references():
    for seed in range(5):
        logits, bins, event = sample(seed)
        plain = logits.tolist(), bins.tolist(), event.tolist()
        assert float(mtlr_loss(logits, bins, event)) == pytest.approx(references.mtlr(*plain), rel=1e-12)
        for alpha, sigma in [(1.0, 0.1), (0.0, 0.1), (0.3, 0.5)]:
            expected = references.deephit(*plain, alpha, sigma)
            assert float(deephit_loss(logits, bins, event, alpha, sigma)) == pytest.approx(expected, rel=1e-10)
        risk = logits[:, 0]
        expected = references.ranking(risk.tolist(), bins.tolist(), event.tolist(), 0.7)
        assert float(ranking_loss(risk, bins, event, 0.7)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name):
    logits, bins, event = sample(3, rows=6)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, bins, event), logits.requires_grad_())
    assert torch.autograd.gradcheck(lambda x: ranking_loss(x.sum(-1), bins, event), logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", LOSSES)
def test_extremes_are_finite(name, dtype):
    logits, bins, event = sample(4)
    extreme = (logits.sign() * 1_000).to(dtype).requires_grad_()
    loss = LOSSES[name](extreme, bins, event)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert extreme.grad.isfinite().all()
    risk = (logits[:, 0].sign() * 1_000).to(dtype).requires_grad_()
    ranking_loss(risk, bins, event).backward()
    assert risk.grad.isfinite().all()
    assert risk.grad.abs().sum() > 0


def test_the_likelihood_at_the_extremes_is_exact():
    """The clamp of 1e-7 in published code ends at 16.1 and has no gradient there."""
    logits = torch.tensor([[-1_000.0, 0.0]], requires_grad=True)
    loss = discrete_time_nll(logits, torch.tensor([0]), torch.tensor([1]))
    loss.backward()
    assert loss.item() == 1_000
    assert logits.grad.tolist() == [[-1.0, 0.0]]


@pytest.mark.parametrize("name", LOSSES)
def test_one_patient_and_no_events(name):
    logits = torch.zeros(1, 3, requires_grad=True)
    LOSSES[name](logits, torch.tensor([2]), torch.tensor([0])).backward()
    assert logits.grad.isfinite().all()
    assert logits.grad.abs().sum() > 0  # to be censored in the last bin says something
    risk = torch.zeros(2, requires_grad=True)
    nothing = ranking_loss(risk, torch.tensor([1.0, 2.0]), torch.tensor([0, 0]))
    nothing.backward()
    assert nothing.item() == 0
    assert risk.grad.tolist() == [0, 0]


def test_survival_curves():
    logits, _, _ = sample(6)
    curves = {form: survival_curve(logits, form).numpy() for form in ("discrete", "deephit", "mtlr")}
    expected = {
        "discrete": np.cumprod(1 - 1 / (1 + np.exp(-logits.numpy())), axis=1),
        "deephit": [1 - np.cumsum(references.mass_of_scores(row))[:-1] for row in logits.tolist()],
        "mtlr": [1 - np.cumsum(references.mtlr_mass(row))[:-1] for row in logits.tolist()],
    }
    for form, curve in curves.items():
        np.testing.assert_allclose(curve, expected[form], atol=1e-12)
        assert (np.diff(curve, axis=1) <= 0).all()
    assert survival_curve(logits.bfloat16()).dtype == torch.float32
    with pytest.raises(InputError, match="form is 'cox'"):
        survival_curve(logits, "cox")


def test_many_networks_at_once():
    logits, bins, event = sample(7)
    stacked = torch.stack([logits, 2 * logits])
    for loss in LOSSES.values():
        found = torch.vmap(lambda x, loss=loss: loss(x, bins, event))(stacked)
        assert torch.allclose(found, torch.stack([loss(x, bins, event) for x in stacked]), atol=1e-12)


def test_refusals():
    logits, bins, event = sample(0)
    for call, message in [
        (lambda: discrete_time_nll(logits, bins, event, 1.5), "alpha is 1.5; it must be from 0 to 1"),
        (lambda: discrete_time_nll(logits, bins, event, reduction="max"), "reduction is 'max'"),
        (lambda: discrete_time_nll(logits, bins.double(), event), "time_bin is of type torch.float64"),
        (lambda: discrete_time_nll(logits[0], bins, event), r"logits have shape \(4,\)"),
        (lambda: mtlr_loss(logits, bins[:3], event), r"time_bin has shape \(3,\); it must be \(12,\)"),
        (lambda: deephit_loss(logits, bins, event, sigma=0), "sigma is 0; it must be positive"),
        (lambda: deephit_loss(logits, bins, event, alpha=-1), "alpha is -1"),
        (lambda: ranking_loss(logits, bins, event), r"risk has shape \(12, 4\)"),
        (lambda: ranking_loss(logits[:, 0], bins, event, sigma=float("nan")), "sigma is nan"),
    ]:
        with pytest.raises(InputError, match=message):
            call()
