"""Tables, adjustments and the picture's links."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
import torch
from axonlight.attribution import attribute, draw_attributions
from axonlight.attribution.graph import adjusted, node_degrees, subgraph_sizes
from axonlight.attribution.picture import top_links
from axonlight.errors import InputError
from axonlight.models import DenseNetwork, PathwayNetwork
from axonlight.structures import Hierarchy
from matplotlib import image


def random_hierarchy(seed, fill="copy"):
    generator = np.random.default_rng(seed)
    edges = {(f"p{generator.integers(0, place)}", f"p{place}") for place in range(1, 20) for _ in range(2)}
    edges |= {(f"p{generator.integers(5, 20)}", f"g{gene}") for gene in range(30) for _ in range(2)}
    return Hierarchy.from_edges(sorted(edges), fill=fill, levels=4)


@pytest.mark.parametrize("fill", ["copy", "skip"])
@pytest.mark.parametrize("seed", range(3))
def test_degrees_and_subgraphs_equal_networkx(seed, fill):
    hierarchy = random_hierarchy(seed, fill)
    graph = nx.DiGraph()
    graph.add_nodes_from((layer, node) for layer, size in enumerate(hierarchy.sizes) for node in range(size))
    for source, target, pairs in hierarchy.edges:
        graph.add_edges_from(((source, a), (target, b)) for a, b in pairs.T.tolist())
    degrees, sizes = node_degrees(hierarchy), subgraph_sizes(hierarchy)
    for layer, name in enumerate(hierarchy.layers):
        nodes = [(layer, node) for node in range(hierarchy.sizes[layer])]
        assert degrees[name].tolist() == [graph.degree(node) for node in nodes]
        around = [nx.ancestors(graph, node) | nx.descendants(graph, node) for node in nodes]
        assert sizes[name].tolist() == list(map(len, around))


def test_adjustments_by_hand():
    scores = np.full(200, 6.0)
    degrees, subgraph = np.full(200, 3), np.full(200, 8)
    degrees[0], subgraph[1], degrees[2] = 600, 1, 0
    assert adjusted(scores, "none", degrees, subgraph) is scores
    assert adjusted(scores, "degree", degrees, subgraph)[:4].tolist() == [0.01, 2.0, 6.0, 2.0]
    assert adjusted(scores, "hubs", degrees, subgraph)[:4].tolist() == [0.01, 6.0, 6.0, 6.0]
    assert adjusted(scores, "fan", degrees, subgraph)[1:4].tolist() == [3.0, 6.0, 3.0]
    assert adjusted(scores, "subgraph", degrees, subgraph)[:2].tolist() == [2.0, 6.0]
    with pytest.raises(InputError, match="adjust is 'size'"):
        adjusted(scores, "size", degrees, subgraph)


def found(seed=0, **options):
    hierarchy = random_hierarchy(seed)
    network = PathwayNetwork(len(hierarchy.features), 1, hierarchy, **options)
    return attribute(network, torch.randn(20, len(hierarchy.features)), method="deep_lift")


def test_table_by_name():
    attributions = found()
    attributions = attributions.with_titles([("p0", "everything", "human"), ("elsewhere", "nothing", "human")])
    table = attributions.table("degree")
    assert list(table.columns) == [
        "layer", "node", "title", "score", "signed_score", "degree", "adjusted_score", "rank",
    ]  # fmt: skip
    assert table["layer"].unique().tolist() == list(attributions.hierarchy.layers)
    for layer, rows in table.groupby("layer", sort=False):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert rows["adjusted_score"].is_monotonic_decreasing
        by_name = rows.set_index("node").loc[list(attributions.nodes[layer])]
        assert np.array_equal(by_name["score"], np.abs(attributions.scores[layer]).mean(0))
        assert np.array_equal(by_name["signed_score"], attributions.scores[layer].mean(0))
        assert np.allclose(by_name["adjusted_score"] * by_name["degree"], by_name["score"])
    assert set(table.loc[table["node"] == "p0", "title"]) == {"everything"}
    assert set(table.loc[table["node"] == "p1", "title"]) <= {"p1"}
    assert attributions.table()["adjusted_score"].equals(attributions.table("subgraph")["adjusted_score"])


def test_a_network_without_hierarchy_has_a_table_and_no_picture(tmp_path):
    attributions = attribute(DenseNetwork(5, 1, hidden=[3]), torch.randn(4, 5))
    table = attributions.table()
    assert table["node"].tolist()[:5] == table.nlargest(5, "score")["node"].tolist() or len(table) == 8
    assert table["degree"].isna().all()
    with pytest.raises(InputError, match="belongs to no hierarchy"):
        attributions.table("degree")
    with pytest.raises(InputError, match="needs the edges of a hierarchy"):
        draw_attributions(attributions, tmp_path / "none.png")
    with pytest.raises(InputError, match="titles name the nodes"):
        attributions.with_titles([("a", "b")])


def test_links_hold_the_whole_score_of_every_node():
    attributions = found(1)
    hierarchy = attributions.hierarchy
    scores = {layer: attributions.adjusted_scores(layer) for layer in hierarchy.layers}
    shown = {layer: np.sort(np.argsort(-score)[:3]) for layer, score in scores.items()}
    links = top_links(hierarchy, scores, shown)
    layers = list(scores)
    for layer, name in enumerate(layers[:-1]):
        outgoing = np.zeros(4)
        for source, _, pairs, flow in links:
            if source == layer:
                np.add.at(outgoing, pairs[0], flow)
        rest = scores[name].sum() - scores[name][shown[name]].sum()
        assert np.allclose(outgoing, [*scores[name][shown[name]], rest])


@pytest.mark.parametrize("top", [1, 4, 50])
def test_picture(tmp_path, top):
    path = draw_attributions(found(2), tmp_path / "deep" / "pathways.png", top=top, title="a $title with a dollar")
    pixels = image.imread(path)
    assert pixels.shape[1] > 1500
    assert 0.01 < (pixels[..., :3].min(axis=2) < 0.9).mean() < 0.6


def test_picture_of_scores_that_are_all_zero(tmp_path):
    attributions = found()
    zeros = {layer: np.zeros_like(scores) for layer, scores in attributions.scores.items()}
    path = draw_attributions(dataclasses.replace(attributions, scores=zeros), tmp_path / "zero.png")
    assert path.stat().st_size > 5_000
    with pytest.raises(InputError, match="top is 0"):
        draw_attributions(attributions, tmp_path / "none.png", top=0)
