"""Truth that is kept and found again: equivalent pathways, hits, wrong options, the data module of simulations."""

import logging
import math

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.cli import main
from axonlight.datamodules import SimulatedPathways, equivalent_pathways, random_hierarchy, simulate_pathways
from axonlight.errors import InputError
from axonlight.structures import Hierarchy, read_names
from scipy import stats
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.xdist_group("simulated_pathways")  # its fixtures are made once


def plain_sets(hierarchy, layer):
    """Feature names beneath each node of a layer, by the names of children alone."""

    def below(name, at):
        if at == 0:
            return frozenset([name])
        return frozenset().union(*(below(child, at - 1) for child in hierarchy.children(name, at)))

    place = hierarchy.layers.index(layer)
    return [below(name, place) for name in hierarchy.nodes[place]]


# When a pathway is found -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def twins():
    """Pathways a and b hold the same genes, a has an only parent x; c is apart."""
    edges = [("x", "a"), ("y", "b"), ("y", "c"), *((name, gene) for name in "ab" for gene in ("g1", "g2")), ("c", "g3")]
    return Hierarchy.from_edges(edges)


def test_equivalent_pathways_have_the_same_features_on_any_layer(twins):
    assert twins.sizes == (3, 3, 2)
    expected = {("level_2", "a"), ("level_2", "b"), ("level_1", "x")}
    assert set(equivalent_pathways(twins, "level_2", "a")) == expected
    assert set(equivalent_pathways(twins, "level_1", "x")) == expected
    # one feature alone is its own pathway
    assert set(equivalent_pathways(twins, "level_2", "c")) == {("features", "g3"), ("level_2", "c")}
    assert equivalent_pathways(twins, "level_1", "y") == (("level_1", "y"),)
    table = simulate_pathways(twins, causal=["b"])
    assert set(table.equivalent_pathways["b"]) == expected
    with pytest.raises(InputError, match="no node is named"):
        equivalent_pathways(twins, "level_1", "q")


def test_equivalents_on_the_real_hierarchy_are_those_of_plain_sets(data_root):
    folder = data_root / "proteomics"
    hierarchy = Hierarchy.from_reactome(
        folder / "translation.tsv", folder / "pathways.tsv", levels=4, features=read_names(folder / "test_qm.csv")
    )
    sets = {layer: plain_sets(hierarchy, layer) for layer in hierarchy.layers}
    truth = simulate_pathways(hierarchy, layer="level_3", num_causal=20, num_samples=10).truth
    distinct = {frozenset(members) for members in sets["level_3"]}
    assert len(truth.candidates) == len(distinct)
    for name in truth.names:
        wanted = sets["level_3"][hierarchy.nodes[hierarchy.layers.index("level_3")].index(name)]
        expected = {
            (layer, hierarchy.nodes[place][row])
            for place, layer in enumerate(hierarchy.layers)
            for row, members in enumerate(sets[layer])
            if members == wanted
        }
        assert set(truth.equivalent[name]) == expected


def test_a_twin_counts_as_the_causal_pathway_once(twins):
    truth = simulate_pathways(twins, causal=["b"]).truth
    places = {name: place for place, name in enumerate(twins.nodes[1])}
    later = "b" if places["a"] < places["b"] else "a"
    assert set(truth.candidates) == {"a", "b", "c"} - {later}

    def scores(**values):
        return [values[name] for name in twins.nodes[1]]

    assert truth.count_hits(scores(a=3, b=0, c=1)) == 1
    assert truth.count_hits(scores(a=0, b=3, c=1)) == 1
    assert truth.count_hits(scores(a=0, b=0.5, c=1)) == 0
    # a and b take one place, so c is second
    both = simulate_pathways(twins, causal=["b", "c"]).truth
    assert both.count_hits(scores(a=3, b=2, c=1)) == 2
    assert both.expected_hits() == 2


def test_blind_scores_hit_as_a_draw_without_replacement():
    hierarchy = random_hierarchy([60, 12, 3])
    generator = np.random.default_rng(0)
    hits = []
    for seed in range(400):
        truth = simulate_pathways(hierarchy, num_samples=4, num_causal=4, seed=seed).truth
        hits.append(truth.count_hits(generator.normal(size=12)))
        assert truth.count_hits([float(name in truth.names) for name in hierarchy.nodes[1]]) == 4
        assert truth.expected_hits() == 16 / 12
    expected = stats.hypergeom(12, 4, 4).pmf(range(5)) * 400
    observed = np.bincount(hits, minlength=5)
    # classes of fewer than five expected counts are joined
    pooled = [np.array([*part[:3], part[3:].sum()]) for part in (observed, expected)]
    assert stats.chisquare(*pooled).pvalue > 1e-3


def test_pathways_of_a_layer_are_drawn_alike():
    hierarchy = random_hierarchy([60, 12, 3], seed=1)
    drawn = [
        simulate_pathways(hierarchy, num_samples=2, num_causal=3, seed=seed).causal_pathways for seed in range(400)
    ]
    counts = [sum(name in names for names in drawn) for name in hierarchy.nodes[1]]
    # 100 expected each, with the variance of draws without replacement: 400 * 1/4 * 3/4 (and a factor 11/12 below it)
    assert ((np.array(counts) - 100) ** 2).sum() / (400 * 0.25 * 0.75) < stats.chi2(11).isf(1e-4)


def test_small_pathways_are_not_drawn():
    hierarchy = random_hierarchy([40, 12, 3], seed=2)
    sizes = hierarchy.in_degrees[1]
    for seed in range(10):
        truth = simulate_pathways(hierarchy, num_samples=4, min_features=4, num_causal=2, seed=seed).truth
        assert set(truth.candidates) == {
            name for name, size in zip(hierarchy.nodes[1], sizes, strict=True) if size >= 4
        }
        assert set(truth.names) <= set(truth.candidates)


# Wrong options ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signal": 1.1}, "signal is 1.1; it must be 0 to 1"),
        ({"correlation": -0.1}, "correlation is -0.1"),
        ({"prevalence": 0.0}, "makes 0 of 500 rows"),
        ({"prevalence": 0.9999}, "makes 500 of 500 rows"),
        ({"num_samples": 0}, "num_samples is 0"),
        ({"min_features": 0}, "min_features is 0"),
        ({"num_causal": 4}, "num_causal is 4; it must be 1 to 2"),
        ({"num_causal": 0}, "num_causal is 0"),
        ({"min_features": 2, "num_causal": 2}, "at least 2 features"),
        ({"layer": "level_7"}, "layer is 'level_7'; it must be one of level_2, level_1"),
        ({"layer": "features"}, "layer is 'features'"),
        ({"causal": ["aa"]}, "no node is named 'aa'"),
        ({"causal": ["a", "x"]}, "no layer of pathways holds all of a, x"),
        ({"causal": ["g1"]}, "no layer of pathways holds all of g1"),
        ({"causal": []}, "causal is empty"),
        ({"causal": ["a", "a"]}, "same features"),
        ({"causal": ["a", "b"]}, "same features"),
        ({"causal": ["x"], "layer": "level_2"}, "'x', which does not stand on layer level_2"),
        ({"causal": ["c"], "min_features": 2}, "'c', which has fewer than 2 features"),
        ({"effect": "interaction", "num_causal": 1}, "give an even number"),
        ({"effect": "cubic"}, "effect is 'cubic'; it must be one of linear, tanh, threshold, interaction"),
        ({"weights": "unit"}, "weights is 'unit'"),
        ({"task": "multiclass"}, "task is 'multiclass'"),
    ],
)
def test_wrong_options_are_refused(twins, options, message):
    with pytest.raises(InputError, match=message):
        simulate_pathways(twins, **{"num_causal": 1, **options})


def test_effects_that_cancel_are_refused():
    # a + b = c + d as sums of features, all of the same size: nothing is left where their signs are + + - -
    sets = {"a": (1, 2), "b": (3, 4), "c": (1, 3), "d": (2, 4)}
    hierarchy = Hierarchy.from_edges([(name, f"g{number}") for name, numbers in sets.items() for number in numbers])
    refused = 0
    for seed in range(40):
        try:
            signs = simulate_pathways(hierarchy, num_causal=4, num_samples=4, seed=seed).truth.coefficients
            assert signs.tolist() not in ([1, 1, -1, -1], [-1, -1, 1, 1])
        except InputError as error:
            assert "cancel each other" in str(error)  # noqa: PT017  (most seeds do not cancel)
            refused += 1
    assert 0 < refused < 20


def test_scores_of_other_shape_or_without_number_are_refused(twins):
    truth = simulate_pathways(twins, num_causal=1).truth
    with pytest.raises(InputError, match="each of the 3 pathways of layer level_2"):
        truth.count_hits([1.0, 2.0])
    with pytest.raises(InputError, match="1 that are no number"):
        truth.count_hits([1.0, 2.0, math.nan])


# The data module -------------------------------------------------------------------------------------------------


def test_data_module_serves_the_simulated_table():
    data = SimulatedPathways(layer_sizes=[40, 8, 2], num_causal=2, num_samples=300, scale="none", simulation_seed=4)
    table = simulate_pathways(random_hierarchy([40, 8, 2], seed=4), num_causal=2, num_samples=300, seed=4)
    assert (data.num_features, data.num_classes, data.class_names, data.task) == (40, 2, ["0", "1"], "binary")
    assert data.feature_names == list(data.hierarchy.features)
    assert data.causal_pathways == table.causal_pathways
    assert data.causal_features == table.causal_features
    x, y = (torch.cat(parts) for parts in zip(*data.predict_dataloader(), strict=True))
    np.testing.assert_array_equal(x, table.features.astype(np.float32))
    np.testing.assert_array_equal(y, table.target)
    test = data.rows.test
    assert data.optimal_auroc == roc_auc_score(table.target[test], table.score[test])


def test_ceiling_is_that_of_the_test_rows_also_with_limited_rows():
    options = {"layer_sizes": [40, 8, 2], "num_causal": 2, "num_samples": 300}
    data = SimulatedPathways(**options, limit_rows=150, limit_seed=1)
    whole = simulate_pathways(data.hierarchy, num_causal=2, num_samples=300)
    numbers = data.table().index.to_numpy()[data.rows.test]
    assert data.optimal_auroc == roc_auc_score(whole.target[numbers], whole.score[numbers])
    untested = SimulatedPathways(**options, test_fraction=0.0)
    assert untested.optimal_auroc == whole.optimal_auroc


def test_data_module_takes_a_hierarchy_or_files(tmp_path, twins):
    given = SimulatedPathways(hierarchy=twins, num_causal=1, num_samples=50)
    assert given.hierarchy is twins
    path = twins.save(tmp_path / "twins.npz")
    read = SimulatedPathways(hierarchy={"reader": "saved", "path": str(path)}, num_causal=1, num_samples=50)
    assert read.hierarchy == twins
    assert read.causal_pathways == given.causal_pathways
    assert read.table().equals(given.table())


def test_regression_by_the_data_module():
    data = SimulatedPathways(layer_sizes=[40, 8, 2], simulated_task="regression", num_samples=100)
    assert (data.task, data.num_classes) == ("regression", 0)
    y = torch.cat([target for _, target in data.predict_dataloader()])
    np.testing.assert_array_equal(y, data.simulated.liability.astype(np.float32))


def test_shipped_config_runs_without_files_and_reports_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ["--data.layer_sizes=[60,12,3]", "--data.num_samples=200", "--data.num_causal=2", "--trainer.max_epochs=2"]
    options = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.default_root_dir=runs"]
    assert main(["fit", "--config=pathways/simulation.yaml", *small, *options]) == 0
    (report,) = tmp_path.rglob("pathways.csv")
    table = pd.read_csv(report)
    hierarchy = random_hierarchy([60, 12, 3])
    for layer, names in zip(hierarchy.layers, hierarchy.nodes, strict=True):
        assert set(table.node[table.layer == layer]) == set(names)
    assert len(list(tmp_path.rglob("pathways.png"))) == 1
    assert main(["fit", "--config=pathways/simulation.yaml", *small, "--data.num_causal=13", *options]) == 2


def test_the_truth_is_said_at_the_start(caplog):
    with caplog.at_level(logging.INFO, "lightning.pytorch"):
        data = SimulatedPathways(layer_sizes=[40, 8, 2], causal=["pathway_2_3", "pathway_2_5"])
    causal = len(data.causal_features)
    expected = (
        f"2 of 8 pathways of layer level_2 are causal (pathway_2_3, pathway_2_5), through {causal} of 40 features"
    )
    assert expected in caplog.messages
