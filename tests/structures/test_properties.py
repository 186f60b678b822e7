"""Random ontologies against networkx: levels, copies, ways from features to roots, filters."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from axonlight.structures import Hierarchy
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=60, deadline=None)


@st.composite
def ontologies(draw):
    """A random graph whose edges go from lower to higher numbers, and annotations of features to its nodes."""
    number = draw(st.integers(2, 8))
    possible = [(a, b) for b in range(number) for a in range(b)]
    edges = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=14, unique=True))
    pairs = st.tuples(st.integers(0, 4), st.sampled_from(sorted({node for edge in edges for node in edge})))
    annotations = draw(st.lists(pairs, min_size=1, max_size=12, unique=True))
    graph = nx.DiGraph((f"n{a}", f"n{b}") for a, b in edges)
    nx.set_node_attributes(graph, {node: set() for node in graph}, "own")
    for feature, node in annotations:
        graph.nodes[f"n{node}"]["own"].add(f"f{feature}")
    return graph


def compiled(graph, **options):
    mapping = [(feature, node) for node, own in graph.nodes(data="own") for feature in sorted(own)]
    options.setdefault("levels", None)
    return Hierarchy.from_reactome(mapping, list(graph.edges), species=None, header=False, **options)


def beneath(graph, node):
    return set().union(*(graph.nodes[other]["own"] for other in {node, *nx.descendants(graph, node)}))


def pruned(graph):
    """What remains when nodes without features beneath them are left out."""
    return graph.subgraph([node for node in graph if beneath(graph, node)])


def roots_of(graph):
    return [node for node in graph if graph.in_degree(node) == 0]


def ways_down(graph):
    """Every way from a root to a node without children."""
    ends = [node for node in graph if graph.out_degree(node) == 0]
    singles = [[root] for root in roots_of(graph) if root in ends]
    return singles + [way for root in roots_of(graph) for end in ends for way in nx.all_simple_paths(graph, root, end)]


def drawn(hierarchy):
    """The hierarchy as a graph of (layer, name), edges going down."""
    graph = nx.DiGraph()
    for source, target, pairs in hierarchy.edges:
        low, high = hierarchy.nodes[source], hierarchy.nodes[target]
        graph.add_edges_from(((target, high[b]), (source, low[a])) for a, b in pairs.T)
    return graph


def named_ways(hierarchy):
    """Every way from a root to a feature by name, with copies of a node said once."""
    graph, top = drawn(hierarchy), len(hierarchy.layers) - 1
    starts = [node for node in graph if graph.in_degree(node) == 0]
    assert {layer for layer, _ in starts} == {top}
    ways = set()
    for start in starts:
        for feature in hierarchy.features:
            for way in nx.all_simple_paths(graph, start, (0, feature)):
                names = [name for _, name in way]
                ways.add(tuple(names[:1] + [b for a, b in pairwise(names) if a != b]))
    return ways


def expected_ways(graph):
    """Every way from a root over relations to a feature of its last node that no child of that node brings."""
    ways = set()
    for node in graph:
        brought = set().union(*(beneath(graph, child) for child in graph.successors(node)))
        for feature in graph.nodes[node]["own"] - brought:
            for root in roots_of(graph):
                found = [[root]] if root == node else nx.all_simple_paths(graph, root, node)
                ways.update((*way, feature) for way in found)
    return ways


@SETTINGS
@given(ontologies(), st.integers(1, 4))
def test_lock_step_levels_are_those_of_the_ways_from_the_roots(graph, levels):
    ways = ways_down(pruned(graph))
    levels = min(levels, max(map(len, ways)))
    hierarchy = compiled(graph, levels=levels)
    at = [[way[min(level, len(way) - 1)] for way in ways] for level in range(levels)]
    assert [set(names) for names in hierarchy.nodes[:0:-1]] == [set(names) for names in at]
    edges = set(drawn(hierarchy).edges)
    for level in range(levels - 1):
        upper, lower = levels - level, levels - level - 1
        expected = {((upper, a), (lower, b)) for a, b in zip(at[level], at[level + 1], strict=True)}
        assert {edge for edge in edges if edge[0][0] == upper} == expected
    expected = {((1, node), (0, feature)) for node in at[-1] for feature in beneath(graph, node)}
    assert {edge for edge in edges if edge[0][0] == 1} == expected
    assert hierarchy.num_edges == len(edges)
    expected = {((1, node), (0, feature)) for node in at[-1] for feature in graph.nodes[node]["own"]}
    if not expected:
        with pytest.raises(ValueError, match="leaves no feature"):
            compiled(graph, levels=levels, attach="own")
        return
    assert {edge for edge in drawn(compiled(graph, levels=levels, attach="own")).edges if edge[0][0] == 1} == expected


@SETTINGS
@given(ontologies(), st.sampled_from(["lock_step", "longest", "shortest"]), st.integers(1, 4))
def test_copies_join_neighbouring_layers_only(graph, rule, levels):
    hierarchy = compiled_or_shallower(graph, rule, levels, fill="copy")
    assert all(target == source + 1 for source, target, _ in hierarchy.edges)
    assert len(hierarchy.edges) == len(hierarchy.layers) - 1
    assert hierarchy.dead_ends == {}


def compiled_or_shallower(graph, rule, levels, **options):
    deepest = len(compiled(graph, level_rule=rule).layers) - 1
    return compiled(graph, level_rule=rule, levels=min(levels, deepest), **options)


@SETTINGS
@given(ontologies(), st.sampled_from(["lock_step", "longest"]), st.sampled_from(["copy", "skip"]))
def test_every_way_from_a_feature_to_a_root_survives(graph, rule, fill):
    hierarchy = compiled(graph, level_rule=rule, fill=fill, attach="every")
    assert named_ways(hierarchy) == expected_ways(pruned(graph))


@SETTINGS
@given(
    ontologies(),
    st.sampled_from(["lock_step", "longest", "shortest"]),
    st.sampled_from(["copy", "skip"]),
    st.integers(1, 4),
)
def test_roots_keep_their_features_however_deep_the_cut(graph, rule, fill, levels):
    hierarchy = compiled_or_shallower(graph, rule, levels, fill=fill, attach="every")
    roots = roots_of(pruned(graph))
    assert set(hierarchy.nodes[-1]) == set(roots)
    sets = hierarchy.memberships(len(hierarchy.layers) - 1).toarray()
    for row, root in zip(sets, hierarchy.nodes[-1], strict=True):
        assert set(np.array(hierarchy.features)[row]) == beneath(graph, root)


@SETTINGS
@given(ontologies())
def test_longest_puts_every_node_on_one_level(graph):
    hierarchy = compiled(graph, level_rule="longest", fill="skip", attach="every")
    kept = pruned(graph)
    depth = {}
    for node in nx.topological_sort(kept):
        depth[node] = max((depth[parent] + 1 for parent in kept.predecessors(node)), default=1)
    assert {
        name: hierarchy.layers[layer] for layer in range(1, len(hierarchy.layers)) for name in hierarchy.nodes[layer]
    } == {node: f"level_{level}" for node, level in depth.items()}


@SETTINGS
@given(ontologies())
def test_shortest_puts_every_node_on_one_level_and_counts_what_it_cannot_draw(graph):
    hierarchy = compiled(graph, level_rule="shortest", fill="skip", attach="every")
    kept = pruned(graph)
    depth = nx.multi_source_dijkstra_path_length(kept, roots_of(kept))
    for layer in range(1, len(hierarchy.layers)):
        assert {f"level_{depth[name] + 1}" for name in hierarchy.nodes[layer]} == {hierarchy.layers[layer]}
    lost = sum(depth[b] != depth[a] + 1 for a, b in kept.edges)
    assert hierarchy.report.relations_not_drawn == lost


@SETTINGS
@given(ontologies(), st.integers(1, 3), st.integers(1, 5))
def test_sizes_filter_and_what_stays_keeps_its_features(graph, smallest, spread):
    largest = smallest + spread
    sizes = {node: len(beneath(graph, node)) for node in graph}
    kept = {node for node, size in sizes.items() if smallest <= size <= largest}
    options = {"min_size": smallest, "max_size": largest, "level_rule": "longest", "attach": "every", "fill": "skip"}
    if not kept:
        with pytest.raises(ValueError, match="leave no node"):
            compiled(graph, **options)
        return
    hierarchy = compiled(graph, **options)
    assert {name for names in hierarchy.nodes[1:] for name in names} == kept
    for layer in range(1, len(hierarchy.layers)):
        sets = hierarchy.memberships(layer).toarray()
        for row, node in zip(sets, hierarchy.nodes[layer], strict=True):
            assert set(np.array(hierarchy.features)[row]) == beneath(graph, node)


@SETTINGS
@given(ontologies(), st.sampled_from([0.3, 0.5, 0.75, 1.0]))
def test_redundancy_takes_out_what_resembles_a_node_nearer_to_the_roots(graph, threshold):
    kept = pruned(graph)
    depth = nx.multi_source_dijkstra_path_length(kept, roots_of(kept))
    chosen = []
    for node in sorted(kept, key=lambda node: (depth[node], node)):
        sets = [(beneath(kept, node), beneath(kept, other)) for other in chosen]
        if not any(len(a & b) >= threshold * len(a | b) - 1e-9 for a, b in sets):
            chosen.append(node)
    hierarchy = compiled(graph, redundancy=threshold, level_rule="longest", fill="skip", attach="every")
    assert {name for names in hierarchy.nodes[1:] for name in names} == set(chosen)
    assert hierarchy.report.trimmed["redundancy"] == len(kept) - len(chosen)


@SETTINGS
@given(ontologies())
def test_degrees_and_neighbours_are_those_of_the_graph(graph):
    hierarchy = compiled(graph, attach="every", fill="skip", level_rule="longest")
    reference = drawn(hierarchy)
    for layer, names in enumerate(hierarchy.nodes):
        for place, name in enumerate(names):
            node = (layer, name)
            assert hierarchy.in_degrees[layer][place] == reference.out_degree(node)
            assert hierarchy.out_degrees[layer][place] == reference.in_degree(node)
            assert set(hierarchy.parents(name, layer)) == {other for _, other in reference.predecessors(node)}
            assert set(hierarchy.children(name, layer)) == {other for _, other in reference.successors(node)}


@SETTINGS
@given(ontologies())
def test_collapsed_chains_leave_no_only_child_of_an_only_parent(graph):
    hierarchy = compiled(graph, collapse_chains=True, level_rule="longest", fill="skip", attach="every")
    reference = drawn(hierarchy)
    features = {node for node in reference if node[0] == 0}
    inner = reference.subgraph(set(reference) - features)
    for parent, child in inner.edges:
        assert inner.out_degree(parent) > 1 or inner.in_degree(child) > 1
    sets = hierarchy.memberships(len(hierarchy.layers) - 1).toarray()
    for row, root in zip(sets, hierarchy.nodes[-1], strict=True):
        assert set(np.array(hierarchy.features)[row]) == beneath(graph, root)
