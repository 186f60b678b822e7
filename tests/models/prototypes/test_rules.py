"""Every rule of assignment against a NumPy loop over patients in float64, and the properties that all share."""

import numpy as np
import pytest
import torch
from axonlight.models.bags import pack
from axonlight.models.prototypes import PrototypeEncoder, build_assignment
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

WIDTH, COUNT = 5, 3


def shares_of(scores):
    raised = np.exp(scores - scores.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def cosines(h, p):
    return np.array([[x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in p] for x in h])


def means_by(weights, h):
    return np.array([(w[:, None] * h).sum(0) / max(w.sum(), 1e-6) for w in weights.T])


def naive_cosine(h, p, rule):
    weights = shares_of(cosines(h, p) / 0.1)
    return means_by(weights, h), weights


def naive_student_t(h, p, rule):
    kernel = np.array([[(1 + ((x - y) ** 2).sum() / 2.5) ** (-3.5 / 2) for y in p] for x in h])
    weights = kernel / kernel.sum(1, keepdims=True)
    return means_by(weights, h), weights


def naive_sinkhorn(h, p, rule):
    """Scale rows and columns in turn, without logarithms, and the rows once more at the end."""
    kernel = np.exp(cosines(h, p) / 0.1)
    columns = np.ones(len(p))
    for _ in range(4):
        rows = 1 / (kernel @ columns)
        columns = len(h) / len(p) / (kernel.T @ rows)
    weights = kernel * columns / (kernel @ columns)[:, None]
    return means_by(weights, h), weights


def naive_gaussian_mixture(h, p, rule):
    prior, spread = 2.0, np.exp(rule["log_variances"]) + 1e-6
    start = shares_of(rule["log_proportions"][None])[0]
    means, variances, proportions = p, spread, start
    for _ in range(3):
        logs = [norm.logpdf(h, m, np.sqrt(v)).sum(1) for m, v in zip(means, variances, strict=True)]
        weights = shares_of((np.log(proportions) + np.stack(logs, 1)) / 1.5)
        total = weights.sum(0)[:, None] + prior
        means = np.stack([(w[:, None] * h).sum(0) for w in weights.T]) / total + prior * p / total
        around = np.stack([(w[:, None] * (h - m) ** 2).sum(0) for w, m in zip(weights.T, means, strict=True)])
        variances = (around + prior * (spread + (p - means) ** 2)) / total + 1e-6
        proportions = (weights.sum(0) + prior * start) / (len(h) + prior)
    return means, weights


def normalized(x, rule, name):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5)
    return scaled * rule[f"{name}.weight"] + rule[f"{name}.bias"]


def recurrent(x, state, rule):
    inside = x @ rule["update.weight_ih"].T + rule["update.bias_ih"]
    past = state @ rule["update.weight_hh"].T + rule["update.bias_hh"]
    (reset, keep, new), (past_reset, past_keep, past_new) = np.split(inside, 3, -1), np.split(past, 3, -1)
    keep = expit(keep + past_keep)
    return (1 - keep) * np.tanh(new + expit(reset + past_reset) * past_new) + keep * state


def naive_slot(h, p, rule):
    x, slots = normalized(h, rule, "norm_patches"), p
    for _ in range(3):
        queries = normalized(slots, rule, "norm_slots") @ rule["query.weight"].T
        weights = shares_of(x @ rule["key.weight"].T @ queries.T / np.sqrt(WIDTH))
        slots = recurrent(means_by(weights, x @ rule["value.weight"].T), slots, rule)
        hidden = np.tanh(normalized(slots, rule, "norm_hidden") @ rule["widen.weight"].T + rule["widen.bias"])
        slots = slots + hidden @ rule["narrow.weight"].T + rule["narrow.bias"]
    return slots, weights


RULES = {
    "cosine": naive_cosine,
    "student_t(freedom=2.5)": naive_student_t,
    "sinkhorn(iterations=4)": naive_sinkhorn,
    "gaussian_mixture(iterations=3, prior=2, tempering=1.5)": naive_gaussian_mixture,
    "slot(activation=tanh)": naive_slot,
}


def scattered(module):
    """Move parameters away from zeros and ones, behind which errors could hide."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def rule_of(text):
    return scattered(build_assignment(text, WIDTH, COUNT, temperature=0.1).double())


@pytest.mark.parametrize("text", RULES)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=4), seed=st.integers(0, 1000))
@settings(max_examples=12)
def test_equals_a_loop_over_patients(text, sizes, seed):
    torch.manual_seed(seed)
    rule = rule_of(text)
    bags, prototypes = [torch.randn(size, WIDTH, dtype=torch.float64) for size in sizes], torch.randn(COUNT, WIDTH)
    prototypes = prototypes.double()
    with torch.no_grad():
        found = rule(*(pack(bags).features, prototypes, pack(bags).pointers.tolist()))
    parameters = {name: value.numpy() for name, value in rule.state_dict().items()}
    start = 0
    for b, bag in enumerate(bags):
        if not len(bag):
            continue  # the encoder gives zeros
        tokens, weights = RULES[text](bag.numpy(), prototypes.numpy(), parameters)
        np.testing.assert_allclose(found.tokens[b], tokens, atol=1e-10)
        np.testing.assert_allclose(found.weights[start : start + len(bag)], weights, atol=1e-10)
        np.testing.assert_allclose(found.mass[b], weights.sum(0), atol=1e-10)
        start += len(bag)


@pytest.mark.parametrize("text", RULES)
def test_derivatives(text):
    rule = rule_of(text)
    values, prototypes = (torch.randn(n, WIDTH, dtype=torch.float64, requires_grad=True) for n in (6, COUNT))
    assert torch.autograd.gradcheck(lambda x, p: rule(x, p, [0, 4, 4, 6])[:2], (values, prototypes))


def test_gaussian_mixture_without_prior_equals_scikit_learn():
    rule = build_assignment("gaussian_mixture(iterations=7, prior=1e-9)", WIDTH, COUNT).double()
    values, means = np.random.default_rng(0).normal(size=(80, WIDTH)), np.random.default_rng(1).normal(size=(3, WIDTH))
    theirs = GaussianMixture(
        COUNT, covariance_type="diag", tol=0, max_iter=7, reg_covar=1e-6, means_init=means,
        weights_init=np.full(COUNT, 1 / COUNT), precisions_init=np.ones((COUNT, WIDTH)) / (1 + 1e-6),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="did not converge"):
        theirs.fit(values)
    found = rule(torch.from_numpy(values), torch.from_numpy(means), [0, 80])
    np.testing.assert_allclose(found.tokens[0].detach(), theirs.means_, atol=1e-6)
    np.testing.assert_allclose(found.variances[0].detach(), theirs.covariances_, atol=1e-6)


def test_sinkhorn_uses_every_prototype_alike_within_a_bag():
    rule = build_assignment("sinkhorn(iterations=500)", WIDTH, COUNT)
    found = rule(torch.randn(30, WIDTH).double(), torch.randn(COUNT, WIDTH).double(), [0, 9, 30])
    np.testing.assert_allclose(found.mass, [[3] * 3, [7] * 3], atol=1e-6)


def test_balance_goes_from_the_cosine_softmax_to_even_use():
    values, prototypes = torch.randn(30, WIDTH).double() + 1, torch.randn(COUNT, WIDTH).double()
    mass = [
        build_assignment(f"sinkhorn(iterations=300, balance={balance})", WIDTH, COUNT)(values, prototypes, [0, 30]).mass
        for balance in (0, 0.5, 0.9, 1)
    ]
    softmax = build_assignment("cosine", WIDTH, COUNT)(values, prototypes, [0, 30]).mass
    torch.testing.assert_close(mass[0], softmax)
    spreads = [(item.max() - item.min()).item() for item in mass]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] > 5 > 1e-3 > spreads[-1]


def test_slots_are_noisy_in_training_alone():
    rule = build_assignment("slot(noise=0.5)", WIDTH, COUNT)
    values, prototypes = torch.randn(6, WIDTH), torch.randn(COUNT, WIDTH)
    once, twice = (rule(values, prototypes, [0, 6]).tokens for _ in range(2))
    assert not torch.allclose(once, twice)
    rule.eval()
    once, twice = (rule(values, prototypes, [0, 6]).tokens for _ in range(2))
    torch.testing.assert_close(once, twice, rtol=0, atol=0)


@pytest.mark.parametrize("text", RULES)
@given(scale=st.sampled_from([0.0, 1e-4, 1.0, 100.0, 1e4]))
@settings(max_examples=5)
def test_shares_are_shares_whatever_the_scale(text, scale):
    encoder = PrototypeEncoder(4, WIDTH, COUNT, text)
    bags = pack([scale * torch.randn(size, 4) for size in (7, 0, 1)])
    reading = encoder.read(bags, with_weights=True)
    assert (reading.weights >= 0).all()
    torch.testing.assert_close(reading.weights.sum(1), torch.ones(8))
    torch.testing.assert_close(reading.mass.sum(1), torch.tensor([7.0, 0.0, 1.0]))
    reading.tokens.square().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())
