"""`GenePathwayGraph` from hierarchies and sets."""

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models.gene_graphs import GenePathwayGraph
from axonlight.models.gene_graphs.structure import chunks
from axonlight.structures import DegreePreserving, Hierarchy

# "deep" stands below "left" and, one level up, below "root": on two levels in lock step, hence one pathway.
EDGES = [
    ("root", "left"),
    ("root", "right"),
    ("left", "deep"),
    ("root", "deep"),
    ("deep", "A"),
    ("left", "B"),
    ("right", "C"),
]
GENES = ["C", "other", "B", "A"]


def named(graph, pairs, low):
    return {(low[a], graph.pathways[b]) for a, b in pairs.T}


@pytest.mark.parametrize("fill", ["copy", "skip"])
@pytest.mark.parametrize("rule", ["lock_step", "longest"])
def test_hierarchy_becomes_a_graph_whatever_its_layers(fill, rule):
    hierarchy = Hierarchy.from_edges(EDGES, fill=fill, level_rule=rule, attach="every")
    graph = GenePathwayGraph.from_hierarchy(hierarchy, GENES)
    assert graph.genes == ("C", "B", "A")
    assert graph.columns.tolist() == [0, 2, 3]
    assert sorted(graph.pathways) == ["deep", "left", "right", "root"]
    beneath = {("A", "deep"), ("A", "left"), ("B", "left"), ("C", "right"), ("A", "root"), ("B", "root"), ("C", "root")}
    assert named(graph, graph.memberships, graph.genes) == beneath
    relations = {("left", "root"), ("right", "root"), ("deep", "left"), ("deep", "root")}
    assert named(graph, graph.relations, graph.pathways) == relations
    assert dict(zip(graph.pathways, graph.depths, strict=True)) == {"root": 1, "left": 2, "right": 2, "deep": 3}
    attached = GenePathwayGraph.from_hierarchy(hierarchy, GENES, membership="attached")
    assert named(attached, attached.memberships, attached.genes) == {("A", "deep"), ("B", "left"), ("C", "right")}


def test_unmeasured_genes_and_small_pathways_are_left_out():
    hierarchy = Hierarchy.from_edges(EDGES, attach="every")
    graph = GenePathwayGraph.from_hierarchy(hierarchy, ["B", "A"], min_genes=2)
    assert (graph.genes, sorted(graph.pathways)) == (("B", "A"), ["left", "root"])
    assert named(graph, graph.relations, graph.pathways) == {("left", "root")}
    with pytest.raises(InputError, match="no pathway has 1 or more of the 1 measured genes"):
        GenePathwayGraph.from_hierarchy(hierarchy, ["unknown"])
    with pytest.raises(InputError, match="the gene A stands twice"):
        GenePathwayGraph.from_hierarchy(hierarchy, ["A", "B", "A"])
    with pytest.raises(InputError, match="membership is 'below'"):
        GenePathwayGraph.from_hierarchy(hierarchy, membership="below")


def test_sets_become_a_graph():
    graph = GenePathwayGraph.from_gene_sets({"one": ["A", "B", "A"], "none": ["X"], "two": ["B"]}, ["B", "A"])
    assert (graph.pathways, graph.memberships.tolist()) == (("one", "two"), [[0, 1, 0], [0, 0, 1]])
    assert graph.relations.shape == (2, 0)
    with pytest.raises(InputError, match="can change no edge"):
        graph.shuffled(0)


def test_shuffled_graph_keeps_sets_and_depths(build_graph):
    graph = build_graph()
    draws = [graph.shuffled(seed) for seed in range(5)]
    assert any((draw.relations != graph.relations).any() for draw in draws)
    for draw in draws:
        assert np.array_equal(draw.memberships, graph.memberships)
        assert np.array_equal(draw.depths, graph.depths)
        assert np.array_equal(np.bincount(draw.relations[1]), np.bincount(graph.relations[1]))
    other = graph.shuffled(0, DegreePreserving())
    assert not np.array_equal(other.memberships, graph.memberships)
    assert np.array_equal(np.bincount(other.memberships[1]), np.bincount(graph.memberships[1]))
    assert len({item.digest for item in (graph, *draws, other)}) > 2


def test_graph_survives_its_hierarchy(build_graph):
    graph = build_graph()
    back = GenePathwayGraph.from_hierarchy(graph.to_hierarchy(), graph.genes, membership="attached")
    assert named(back, back.memberships, back.genes) == named(graph, graph.memberships, graph.genes)
    kept = {pair for pair in named(graph, graph.relations, graph.pathways) if set(pair) <= set(back.pathways)}
    assert named(back, back.relations, back.pathways) == kept


def test_cycles_are_refused(build_graph):
    with pytest.raises(InputError, match="cycle"):
        _ = build_graph(relations=((0, 1), (1, 0))).depths


def test_pieces_hold_whole_targets():
    assert chunks(torch.tensor([0, 0, 5, 5, 6, 7]), most=2) == [(0, 0, 0, 1), (0, 5, 1, 2), (5, 7, 2, 5)]
    assert chunks(torch.tensor([0, 3]), most=1) == [(0, 3, 0, 1)]


def test_real_reactome(data_root):
    folder = data_root / "reactome"
    hierarchy = Hierarchy.from_reactome(
        folder / "ReactomePathways.gmt", folder / "ReactomePathwaysRelation.txt", levels=None, attach="every"
    )
    graph = GenePathwayGraph.from_hierarchy(hierarchy, min_genes=3)
    members = {}
    for line in (folder / "ReactomePathways.gmt").read_text().splitlines():
        _, identifier, *genes = line.split("\t")
        members[identifier] = set(genes) - {"Reactome Pathway"}
    found = {}
    for gene, pathway in graph.memberships.T:
        found.setdefault(graph.pathways[pathway], set()).add(graph.genes[gene])
    # Reactome's own sets hold what lies beneath
    assert np.mean([found[name] == members[name] for name in found]) > 0.95
    lines = (folder / "ReactomePathwaysRelation.txt").read_text().splitlines()
    listed = {tuple(reversed(line.split("\t"))) for line in lines}
    assert named(graph, graph.relations, graph.pathways) <= listed
    assert len(graph.pathways) > 1500
