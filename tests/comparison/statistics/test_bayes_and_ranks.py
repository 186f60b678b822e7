"""The Bayesian test against numerical integration of its model; rank tests against enumeration."""

import itertools
import math

import numpy as np
import pytest
from axonlight.comparison import compare_scores
from axonlight.comparison.statistics.rank_tests import sign_flip_p, wilcoxon_p
from scipy import integrate, stats

DIFFERENCES = np.array([0.012, -0.004, 0.021, 0.009, 0.015, -0.011])


def integrated_posterior(differences, correlation, edges):
    """Mass of the mean below, between and above the edges: likelihood of correlated normals, prior 1 / variance."""
    count = len(differences)
    matrix = np.full((count, count), correlation) + (1 - correlation) * np.eye(count)
    precision = np.linalg.inv(matrix)

    def density(mean):
        residual = differences - mean
        distance = residual @ precision @ residual

        def over_variance(log_variance):
            # d variance / variance: the prior 1/variance in terms of its logarithm
            return math.exp(-0.5 * count * log_variance - 0.5 * distance / math.exp(log_variance) - shift)

        return integrate.quad(over_variance, centre - 12, centre + 25, limit=400, epsabs=0, epsrel=1e-11)[0]

    centre = math.log(differences.var())
    shift = -0.5 * count * centre
    scale = 40 * differences.std()
    ends = [differences.mean() - scale, edges[0], edges[1], differences.mean() + scale]
    masses = [
        integrate.quad(density, low, high, points=[differences.mean()], limit=200, epsrel=1e-9)[0]
        if low < differences.mean() < high
        else integrate.quad(density, low, high, limit=200, epsrel=1e-9)[0]
        for low, high in itertools.pairwise(ends)
    ]
    return np.array(masses) / sum(masses)


@pytest.mark.parametrize(("share", "rope"), [(0.2, 0.01), (0.1, 0.005)])
def test_probabilities_are_those_of_the_model(share, rope):
    # the correlation of two splits is the test rows' share of all rows
    expected = integrated_posterior(DIFFERENCES, share, (-rope, rope))
    found = compare_scores(DIFFERENCES, np.zeros(6), test_fraction=share, rope=rope).probabilities
    assert found == pytest.approx(expected, abs=1e-5)
    assert sum(found) == pytest.approx(1, abs=1e-12)


def test_probabilities_are_the_one_sided_p_values_of_the_other_question():
    found = compare_scores(DIFFERENCES, np.zeros(6), test_fraction=0.2, rope=0.01)
    # a flat prior: the posterior mass outside the nearer edge is the p-value of the test against that edge
    assert max(found.probabilities.worse, found.probabilities.better) == pytest.approx(found.p_equivalence)


def test_random_signs_are_enumerated():
    sums = [abs(np.dot(signs, DIFFERENCES)) for signs in itertools.product((-1, 1), repeat=6)]
    expected = np.mean(np.array(sums) >= abs(DIFFERENCES.sum()) - 1e-12)
    assert sign_flip_p(DIFFERENCES) == pytest.approx(expected)


def test_drawn_signs_are_seeded_and_never_give_zero():
    generator = np.random.default_rng(0)
    differences = generator.normal(0.4, 1.0, 30)
    first = sign_flip_p(differences)
    assert first == sign_flip_p(differences)
    assert first == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
    assert sign_flip_p(np.abs(differences) + 1) == pytest.approx(2 / 10000)


def test_signed_ranks_are_enumerated():
    ranks = stats.rankdata(np.abs(DIFFERENCES))
    observed = ranks[DIFFERENCES > 0].sum()
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=6)])
    expected = 2 * min(np.mean(sums >= observed), np.mean(sums <= observed))
    assert wilcoxon_p(DIFFERENCES) == pytest.approx(expected)


@pytest.mark.parametrize(
    "differences",
    [[1, 1, 2, -2, 3, 3], [0, 0, 1, 2, 2], [1, 0, 0, 0], [1, 1], [-1, 2, 2, 4, 4, 4, 5, 0], [0, 1, -3, 2]],
)
def test_signed_ranks_with_ties_are_those_of_scipy(differences):
    expected = stats.wilcoxon(np.array(differences, dtype=float), method=stats.PermutationMethod()).pvalue
    assert wilcoxon_p(np.array(differences, dtype=float)) == pytest.approx(expected)


@pytest.mark.parametrize("test", [wilcoxon_p, sign_flip_p])
def test_limits_of_tests_without_t(test):
    assert test(np.zeros(6)) == 1.0
    assert math.isnan(test(np.array([0.1])))
