"""Simulated tables: closed forms of every share and correlation; seeds and permutations."""

import itertools
import math

import numpy as np
import pytest
from axonlight.datamodules import expected_auroc, random_hierarchy, simulate_pathways
from axonlight.errors import InputError
from axonlight.structures import Hierarchy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.xdist_group("simulation")  # its fixtures are made once

ROWS = 40_000
EFFECTS = ("linear", "tanh", "threshold", "interaction")


@pytest.fixture(scope="module")
def overlapping():
    return random_hierarchy([40, 8, 2], overlap=0.4, seed=5)


def members_of(hierarchy, layer):
    """Feature positions beneath each node, by walking down by name: no sparse algebra."""

    def below(name, at):
        if at == 0:
            return {hierarchy.features.index(name)}
        found = set()
        for source, target, pairs in hierarchy.edges:
            if target == at:
                here = pairs[0, pairs[1] == hierarchy.nodes[at].index(name)]
                for child in here:
                    found |= below(hierarchy.nodes[source][child], source)
        return found

    place = hierarchy.layers.index(layer)
    return [below(name, place) for name in hierarchy.nodes[place]]


# The random tree -------------------------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=4).map(lambda sizes: sorted(sizes, reverse=True)),
    seed=st.integers(0, 99),
)
@settings(max_examples=40)
def test_tree_has_the_sizes_one_parent_each_and_no_dead_end(sizes, seed):
    tree = random_hierarchy(sizes, seed=seed)
    assert tree.sizes == tuple(sizes)
    assert tree.dead_ends == {}
    for below in range(len(sizes) - 1):
        assert (tree.out_degrees[below] == 1).all()
        assert (tree.in_degrees[below + 1] >= 1).all()
    assert tree == random_hierarchy(sizes, seed=seed)


def test_tree_differs_between_seeds_and_overlap_adds_second_parents():
    assert random_hierarchy([40, 8], seed=1) != random_hierarchy([40, 8], seed=2)
    tree = random_hierarchy([40, 8, 2], overlap=0.25, seed=1)
    assert sorted(tree.out_degrees[0]) == [1] * 30 + [2] * 10
    assert (tree.out_degrees[1] == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer_sizes": [10]}, "two or more"),
        ({"layer_sizes": [10, 20]}, "none larger"),
        ({"layer_sizes": [10, 0]}, "positive"),
        ({"layer_sizes": [10, 1], "overlap": 0.5}, "overlap is 0.5"),
        ({"layer_sizes": [10, 2], "overlap": 1.5}, "overlap is 1.5"),
    ],
)
def test_impossible_trees_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        random_hierarchy(**options)


# Features --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_features_have_the_stated_correlations(overlapping, correlation):
    table = simulate_pathways(overlapping, num_samples=ROWS, correlation=correlation, seed=3)
    sets = members_of(overlapping, "level_2")
    held = [{node for node, features in enumerate(sets) if feature in features} for feature in range(40)]
    expected = np.eye(40)
    for a, b in itertools.permutations(range(40), 2):
        expected[a, b] = correlation * len(held[a] & held[b]) / math.sqrt(len(held[a]) * len(held[b]))
    # the standard error of a correlation is at most 1 / sqrt(N) = 0.005
    np.testing.assert_allclose(np.corrcoef(table.features.T), expected, atol=0.025)
    np.testing.assert_allclose(table.features.mean(axis=0), 0, atol=0.025)
    np.testing.assert_allclose(table.features.var(axis=0), 1, atol=0.04)


def test_features_of_no_pathway_keep_unit_variance_and_are_on_their_own():
    hierarchy = Hierarchy.from_edges(
        [("top", "low"), ("low", "a"), ("low", "b"), ("top", "c")], fill="skip", attach="every"
    )
    assert hierarchy.layers[1:] == ("level_2", "level_1")
    table = simulate_pathways(hierarchy, num_samples=ROWS, layer="level_2", num_causal=1, correlation=0.6)
    assert table.causal_features == ("a", "b")
    expected = np.eye(3)
    places = [hierarchy.features.index(name) for name in "ab"]
    expected[np.ix_(places, places)] = [[1, 0.6], [0.6, 1]]
    np.testing.assert_allclose(np.cov(table.features.T), expected, atol=0.03)


def test_causal_features_are_uncorrelated_with_others_without_correlation(overlapping):
    table = simulate_pathways(overlapping, num_samples=ROWS, num_causal=2, seed=1)
    causal = np.isin(overlapping.features, table.causal_features)
    assert 0 < causal.sum() < 40
    across = np.corrcoef(np.column_stack([table.score, table.features]).T)[0, 1:][~causal]
    assert np.abs(across).max() < 5 / math.sqrt(ROWS)


# Truth -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["level_2", "level_1"])
def test_causal_features_are_what_lies_beneath(overlapping, layer):
    table = simulate_pathways(overlapping, layer=layer, num_causal=2, seed=2)
    sets = dict(zip(overlapping.nodes[overlapping.layers.index(layer)], members_of(overlapping, layer), strict=True))
    beneath = set().union(*(sets[name] for name in table.causal_pathways))
    assert set(table.causal_features) == {overlapping.features[place] for place in beneath}
    for name, weights in zip(table.causal_pathways, table.truth.weights, strict=True):
        assert set(np.flatnonzero(weights)) == sets[name]


@pytest.mark.parametrize("kind", ["equal", "random", "signed"])
def test_weights_are_of_their_kind(overlapping, kind):
    weights = simulate_pathways(overlapping, weights=kind, layer="level_1", num_causal=2, seed=4).truth.weights
    for row in weights:
        inside = row[row != 0]
        ratio = np.abs(inside).max() / np.abs(inside).min()
        assert ratio == pytest.approx(1) if kind == "equal" else 1.5 < ratio < 3
        assert (np.sign(inside).min() < 0) == (kind == "signed")


@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.parametrize("effect", EFFECTS)
def test_activities_score_and_liability_have_the_stated_moments(overlapping, effect, correlation):
    options = {"effect": effect, "correlation": correlation, "weights": "random", "num_causal": 4}
    table = simulate_pathways(overlapping, num_samples=ROWS, signal=0.6, seed=7, **options)
    activities = table.truth.activities(table.features)
    np.testing.assert_allclose(np.cov(activities.T), table.truth.correlations, atol=0.04)
    np.testing.assert_allclose(np.diag(table.truth.correlations), 1, rtol=1e-12)
    sure = 5 * table.score.std() / math.sqrt(ROWS)
    assert table.score.mean() == pytest.approx(0, abs=sure)
    assert table.score.var() == pytest.approx(1, abs=0.05)
    assert table.liability.var() == pytest.approx(1, abs=0.05)
    explained = np.corrcoef(table.score, table.liability)[0, 1] ** 2
    assert explained == pytest.approx(0.6, abs=0.03)
    np.testing.assert_array_equal(table.truth.score(table.features), table.score)


def test_linear_score_is_the_signed_sum_of_pathway_means(overlapping):
    table = simulate_pathways(overlapping, num_causal=3, seed=9)
    sets = dict(zip(overlapping.nodes[1], members_of(overlapping, "level_2"), strict=True))
    means = [table.features[:, sorted(sets[name])].mean(axis=1) for name in table.causal_pathways]
    # without correlation the variance of a mean of n is 1 / n, and two means share |A and B| / (|A| |B|)
    sizes = [len(sets[name]) for name in table.causal_pathways]
    activities = [mean * math.sqrt(size) for mean, size in zip(means, sizes, strict=True)]
    signs = table.truth.coefficients
    variance = sum(
        signs[i] * signs[j] * len(sets[a] & sets[b]) / math.sqrt(sizes[i] * sizes[j])
        for (i, a), (j, b) in itertools.product(enumerate(table.causal_pathways), repeat=2)
    )
    expected = sum(sign * activity for sign, activity in zip(signs, activities, strict=True)) / math.sqrt(variance)
    np.testing.assert_allclose(table.score, expected, rtol=1e-10, atol=1e-12)


def test_product_shows_in_no_single_pathway(overlapping):
    table = simulate_pathways(overlapping, num_samples=ROWS, effect="interaction", num_causal=2, seed=1)
    a, b = table.truth.activities(table.features).T
    assert np.abs(np.corrcoef(table.score, a)[0, 1]) < 0.05
    np.testing.assert_allclose(np.abs(np.corrcoef(table.score, a * b)[0, 1]), 1)


# Target and ceiling ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prevalence", [0.5, 0.137])
def test_class_1_are_the_rows_of_highest_liability(overlapping, prevalence):
    table = simulate_pathways(overlapping, num_samples=1000, prevalence=prevalence, seed=2)
    assert table.target.sum() == round(1000 * prevalence)
    assert table.liability[table.target == 1].min() > table.liability[table.target == 0].max()
    # the liability is standard normal here, so its quantile is known: +- 5 standard errors of a quantile
    cut, error = stats.norm.isf(prevalence), math.sqrt(prevalence * (1 - prevalence) / 1000)
    error /= stats.norm.pdf(cut)
    assert abs(table.liability[table.target == 1].min() - cut) < 5 * error


@pytest.mark.parametrize("effect", EFFECTS)
def test_without_noise_the_ceiling_is_one_and_without_signal_a_half(overlapping, effect):
    options = {"effect": effect, "num_causal": 2, "num_samples": 4000}
    table = simulate_pathways(overlapping, signal=1.0, **options)
    # Sums of signs have ties, through which the prevalence cuts; all other scores have none.
    tied = len(np.unique(table.score)) < 4000
    assert tied == (effect == "threshold")
    assert (table.optimal_auroc == 1) != tied
    none = simulate_pathways(overlapping, signal=0.0, **options).optimal_auroc
    assert none == pytest.approx(0.5, abs=5 * math.sqrt(1 / (12 * 1000)))


@pytest.mark.parametrize(("signal", "prevalence"), [(0.2, 0.5), (0.6, 0.3), (0.9, 0.1)])
def test_ceiling_is_that_of_the_liability_model(overlapping, signal, prevalence):
    table = simulate_pathways(overlapping, num_samples=ROWS, signal=signal, prevalence=prevalence, seed=6)
    closed = expected_auroc(signal, prevalence)
    assert table.optimal_auroc == pytest.approx(roc_auc_score(table.target, table.score), abs=1e-12)
    assert table.optimal_auroc == pytest.approx(closed, abs=0.015)
    # P(s0 - s1 < 0, -L1 < -t, L0 < t) over P(L1 > t) P(L0 < t), as a probability of three normal variables
    cut, root = stats.norm.isf(prevalence), math.sqrt(signal)
    three = stats.multivariate_normal([0, 0, 0], np.array([[2, root, root], [root, 1, 0], [root, 0, 1]]))
    joint = three.cdf(np.array([0, -cut, cut]))
    assert closed == pytest.approx(joint / (prevalence * (1 - prevalence)), abs=1e-4)


def test_ceiling_of_expected_auroc_grows_from_a_half_to_one():
    values = [expected_auroc(signal, 0.2) for signal in (0, 0.25, 0.5, 0.75, 0.999, 1)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(0.5, abs=1e-9)
    assert values[-1] == 1


def test_regression_target_is_the_liability(overlapping):
    table = simulate_pathways(overlapping, task="regression", seed=2)
    assert table.task == "regression"
    np.testing.assert_array_equal(table.target, table.liability)
    assert math.isnan(table.optimal_auroc)


# Seeds -----------------------------------------------------------------------------------------------------------


def test_same_seed_same_table_other_seed_other_table(overlapping):
    first, again, other = (simulate_pathways(overlapping, seed=seed, correlation=0.3) for seed in (1, 1, 2))
    assert first.frame().equals(again.frame())
    assert first.causal_pathways == again.causal_pathways
    assert not np.allclose(first.features, other.features)
    drawn = {simulate_pathways(overlapping, seed=seed, num_samples=10).causal_pathways for seed in range(8)}
    assert len(drawn) > 1


def test_streams_are_apart(overlapping):
    base = simulate_pathways(overlapping, num_samples=100, correlation=0.3, signal=0.5, seed=1)
    quiet = simulate_pathways(overlapping, num_samples=100, correlation=0.3, signal=0.9, seed=1)
    np.testing.assert_array_equal(base.score, quiet.score)
    noise = [
        (table.liability - math.sqrt(share) * table.score) / math.sqrt(1 - share)
        for table, share in [(base, 0.5), (quiet, 0.9)]
    ]
    np.testing.assert_allclose(*noise, atol=1e-12)
    longer = simulate_pathways(overlapping, num_samples=150, correlation=0.3, signal=0.5, seed=1)
    np.testing.assert_array_equal(longer.features[:100], base.features)
    np.testing.assert_allclose(longer.liability[:100], base.liability, rtol=1e-12)


@pytest.mark.parametrize("effect", EFFECTS)
def test_permuted_rows_have_permuted_scores(overlapping, effect):
    table = simulate_pathways(overlapping, effect=effect, num_causal=2, seed=3)
    order = np.random.default_rng(0).permutation(500)
    np.testing.assert_allclose(table.truth.score(table.features[order]), table.score[order], rtol=1e-10, atol=1e-12)
