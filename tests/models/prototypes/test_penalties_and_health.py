"""Penalties and health: closed forms, loops in NumPy, derivatives, undefined cases."""

import math

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models.prototypes import diversity_penalty, prototype_health, sharpening_penalty, usage_penalty
from scipy.stats import entropy


def test_diversity_equals_a_loop_over_pairs():
    prototypes = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    cosines = [torch.cosine_similarity(prototypes[i], prototypes[j], dim=0) for i, j in pairs]
    torch.testing.assert_close(diversity_penalty(prototypes), torch.stack(cosines).square().mean())
    assert torch.autograd.gradcheck(diversity_penalty, prototypes)
    assert diversity_penalty(torch.ones(1, 3)) == 0


def test_usage_is_the_divergence_of_the_mean_patient_from_even_use():
    mass = torch.tensor([[6.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    mean = np.mean([[6 / 8, 2 / 8, 0], [1 / 4, 1 / 4, 2 / 4]], axis=0)
    np.testing.assert_allclose(usage_penalty(mass).item(), entropy(mean, np.full(3, 1 / 3)), atol=1e-12)
    usage_penalty(mass).backward()
    assert torch.isfinite(mass.grad).all()
    assert usage_penalty(torch.zeros(2, 3)) == 0


def test_sharpening_equals_a_loop_over_patients():
    weights = torch.rand(7, 3, dtype=torch.float64).softmax(1)
    expected = []
    for rows in (weights[:4].numpy(), weights[4:].numpy()):
        sharp = rows**2 / rows.sum(0)
        sharp /= sharp.sum(1, keepdims=True)
        expected.append(np.mean([entropy(p, q) for p, q in zip(sharp, rows, strict=True)]))
    found = sharpening_penalty(weights, [0, 4, 4, 7])
    np.testing.assert_allclose(found, [expected[0], 0, expected[1]], atol=1e-12)


def test_sharpening_makes_shares_more_decided():
    logits = torch.randn(50, 4, requires_grad=True)
    before = torch.special.entr(logits.softmax(1)).sum(1).mean()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(sharpening_penalty(logits.softmax(1), [0, 50]).sum(), logits)
        logits = (logits - 20 * gradient).detach().requires_grad_()
    assert torch.special.entr(logits.softmax(1)).sum(1).mean() < 0.9 * before


def test_health_in_closed_form():
    now, start = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0], [2.0, 2.0]])
    health = prototype_health(now, start, now, torch.tensor([30.0, 1.0, 69.0]))
    assert health.usage == pytest.approx([0.3, 0.01, 0.69])
    assert health.usage_entropy == pytest.approx(entropy([0.3, 0.01, 0.69]) / math.log(3))
    assert health.dead == 1
    assert health.drift == pytest.approx(1 / 3)  # only the second turned, by 90 degrees
    assert health.max_cosine == pytest.approx(math.sqrt(0.5))


def test_health_without_patches_is_undefined():
    health = prototype_health(torch.eye(2), torch.eye(2), torch.eye(2), torch.zeros(2))
    assert math.isnan(health.usage_entropy)
    assert (health.dead, health.drift) == (0, 0)


def test_one_prototype_is_healthy():
    health = prototype_health(torch.ones(1, 2), torch.ones(1, 2), torch.ones(1, 2), torch.ones(1))
    assert health.figures() == pytest.approx({"usage_entropy": 1, "dead": 0, "drift": 0, "max_cosine": 0})


def test_health_refuses_shapes_that_do_not_belong_together():
    with pytest.raises(InputError, match="with one K"):
        prototype_health(torch.eye(2), torch.eye(2), torch.eye(3), torch.ones(2))
