"""Every null model on random hierarchies with skipping edges: invariants against naive counts, purity, checks."""

from collections import Counter

import numpy as np
import pytest
from axonlight.structures import (
    INVARIANTS,
    NULL_MODELS,
    DegreePreserving,
    Hierarchy,
    NullModel,
    PermuteInputs,
    Rewire,
    broken_invariants,
    build_null,
    check_invariants,
    draw_null,
    null_seed,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.xdist_group("null_models")  # its fixtures are made once

SETTINGS = settings(max_examples=25, deadline=None)
ARGUMENTS = {"Rewire": {"fraction": 0.5}, "Coexpression": {"min_rows": 3}}
# What each promises, written down here by itself.
BOTH = {"source_degrees", "target_degrees", "degree_multisets", "set_sizes"}
PROMISES = {
    "PermuteInputs": {"target_degrees", "degree_multisets", "set_sizes", "pathway_edges", "isomorphic"},
    "PermuteInputsWithinBins": {"target_degrees", "degree_multisets", "set_sizes", "pathway_edges", "isomorphic"},
    "DegreePreserving": BOTH,
    "Rewire": BOTH,
    "RowShuffle": {"source_degrees"},
    "ColumnShuffle": {"target_degrees", "set_sizes"},
    "ErdosRenyi": set(),
    "RandomGeneSets": {"target_degrees", "set_sizes", "pathway_edges"},
    "Coexpression": {"target_degrees", "set_sizes", "pathway_edges"},
    "ShuffleHierarchy": {"target_degrees", "degree_multisets", "set_sizes", "feature_edges"},
    "RelabelNodes": {"degree_multisets", "relabelled"},
}


@st.composite
def hierarchies(draw):
    """Layers of one to seven nodes, with edges between any two of them."""
    sizes = draw(st.lists(st.integers(1, 7), min_size=2, max_size=4))
    places = [(a, b) for b in range(len(sizes)) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(places), min_size=1, max_size=4, unique=True))
    blocks = []
    for source, target in chosen:
        cells = st.integers(0, sizes[source] * sizes[target] - 1)
        codes = np.array(draw(st.lists(cells, max_size=20, unique=True)), dtype=np.int64)
        blocks.append((source, target, np.stack(np.divmod(codes, sizes[target]))))
    layers = [f"layer_{number}" for number in range(len(sizes))]
    nodes = [[f"{layer}.{node}" for node in range(size)] for layer, size in enumerate(sizes)]
    return Hierarchy(layers, nodes, blocks, titles={"0.0": "the first"}, notes=["made up"])


def made(name, hierarchy):
    null = build_null({"class_path": name, "init_args": ARGUMENTS.get(name, {})})
    rows = (np.arange(6 * hierarchy.sizes[0]) ** 2 * 7919 % 101).reshape(6, -1)
    return null.fit(rows, hierarchy.features)


def drawn(null, hierarchy, seed):
    """A draw, or None where the null model can change nothing here."""
    try:
        return null(hierarchy, seed)
    except ValueError as error:
        if "can change no edge of this hierarchy; it needs" not in str(error):
            raise
        return None


def edge_sets(hierarchy):
    return {(source, target): {tuple(pair) for pair in pairs.T.tolist()} for source, target, pairs in hierarchy.edges}


def counts(edges, end):
    return Counter(edge[end] for edge in edges)


def parents_of(hierarchy):
    """Who has which parents, over all blocks that leave the features."""
    found = {place: set() for place in range(hierarchy.sizes[0])}
    for (source, target), edges in edge_sets(hierarchy).items():
        if source == 0:
            for low, high in edges:
                found[low].add((target, high))
    return Counter(map(frozenset, found.values()))


def unfolded(hierarchy):
    """What lies beneath each node, down to the features, per layer without the nodes' own names."""
    forms = [list(range(hierarchy.sizes[0])), *([()] * size for size in hierarchy.sizes[1:])]
    for source, target, pairs in sorted(hierarchy.edges, key=lambda block: block.source):
        for low, high in pairs.T.tolist():
            forms[target][high] = (*forms[target][high], (source, forms[source][low]))
            forms[target][high] = tuple(sorted(forms[target][high], key=repr))
    return [Counter(map(repr, layer)) for layer in forms]


def held(real, draw):
    """Names of the invariants that hold, by counting."""
    ours, theirs = edge_sets(real), edge_sets(draw)
    blocks = ours.keys()
    same = {
        "edge_counts": [len(ours[b]) == len(theirs[b]) for b in blocks],
        "source_degrees": [counts(ours[b], 0) == counts(theirs[b], 0) for b in blocks],
        "target_degrees": [counts(ours[b], 1) == counts(theirs[b], 1) for b in blocks],
        "degree_multisets": [
            sorted(counts(ours[b], end).values()) == sorted(counts(theirs[b], end).values())
            for b in blocks
            for end in (0, 1)
        ],
        "set_sizes": [counts(ours[b], 1) == counts(theirs[b], 1) for b in blocks if b[0] == 0],
        "feature_edges": [ours[b] == theirs[b] for b in blocks if b[0] == 0],
        "pathway_edges": [ours[b] == theirs[b] for b in blocks if b[0] > 0],
    }
    same["relabelled"] = [unfolded(real) == unfolded(draw)]
    same["isomorphic"] = [*same["pathway_edges"], parents_of(real) == parents_of(draw)]
    return {"layer_sizes"} | {name for name, values in same.items() if all(values)}


@pytest.mark.parametrize("name", NULL_MODELS)
def test_a_null_model_states_what_it_keeps(name, two_levels):
    assert made(name, two_levels).keeps == {"layer_sizes", "edge_counts"} | PROMISES[name]


@pytest.mark.parametrize("name", NULL_MODELS)
@SETTINGS
@given(hierarchies(), st.integers(0, 2**63))
def test_draws_keep_what_is_stated(name, hierarchy, seed):
    null = made(name, hierarchy)
    draw = drawn(null, hierarchy, seed)
    assume(draw is not None)
    assert draw.nodes == hierarchy.nodes
    assert draw.layers == hierarchy.layers
    assert draw.titles == hierarchy.titles
    assert [block[:2] for block in draw.edges] == [block[:2] for block in hierarchy.edges]
    assert all(len(set(map(tuple, block.pairs.T.tolist()))) == block.pairs.shape[1] for block in draw.edges)
    assert null.keeps <= held(hierarchy, draw)
    assert draw.notes[0] == "made up"
    assert draw.notes[1].startswith(f"null model {null.name}, seed {seed}")
    assert len(draw.notes) == 2


@pytest.mark.parametrize("name", NULL_MODELS)
@SETTINGS
@given(hierarchies(), st.integers(0, 100), st.randoms(use_true_random=False))
def test_draws_depend_on_edges_and_seed_alone(name, hierarchy, seed, shuffler):
    draw = drawn(made(name, hierarchy), hierarchy, seed)
    assume(draw is not None)
    blocks = []
    for source, target, pairs in hierarchy.edges:
        order = list(range(pairs.shape[1]))
        shuffler.shuffle(order)
        blocks.append((source, target, pairs[:, order]))
    shuffler.shuffle(blocks)
    again = Hierarchy(hierarchy.layers, hierarchy.nodes, blocks)
    assert drawn(made(name, again), again, seed) == draw
    assert hierarchy == again


@SETTINGS
@given(hierarchies(), hierarchies(), st.integers(0, 100), st.sampled_from(list(NULL_MODELS)))
def test_invariants_are_judged_as_by_counting(hierarchy, other, seed, name):
    draw = drawn(made(name, hierarchy), hierarchy, seed)
    assume(draw is not None)
    assert set(INVARIANTS) - set(broken_invariants(hierarchy, draw)) == held(hierarchy, draw)
    if other.sizes != hierarchy.sizes:
        assert "layer_sizes" in broken_invariants(hierarchy, other)


@pytest.mark.parametrize("name", NULL_MODELS)
@SETTINGS
@given(hierarchies())
def test_a_null_model_refuses_only_what_it_never_changes(name, hierarchy):
    null = made(name, hierarchy)
    draws = [drawn(null, hierarchy, seed) for seed in range(12)]
    if draws[0] is None:
        # What it would have drawn is the hierarchy itself, always.
        assert draws == [None] * 12
        again = [null.redraw(hierarchy, seed) for seed in range(12 if hierarchy.num_edges else 0)]
        pairs = [{tuple(pair) for pair in block.pairs.T.tolist()} for block in hierarchy.edges]
        assert all([{tuple(pair) for pair in block.T.tolist()} for block in draw] == pairs for draw in again)
    elif name != "Rewire":  # half of few edges may have nowhere to go
        stuck = {place for place, free in null.changeable(hierarchy).items() if not free}
        ours = edge_sets(hierarchy)
        changed = {place for place, b in enumerate(ours) if any(edge_sets(draw)[b] != ours[b] for draw in draws)}
        assert not changed & stuck


@pytest.fixture(scope="module")
def two_levels():
    low = np.stack(np.divmod(np.arange(60) ** 2 % 271 % 270, 9))
    high = np.stack(np.divmod(np.arange(12) * 7 % 36, 4))
    skip = np.stack(np.divmod((np.arange(15) * 77 + 3) % 120, 4))
    nodes = [[f"g{i}" for i in range(30)], [f"p{i}" for i in range(9)], [f"r{i}" for i in range(4)]]
    return Hierarchy(("features", "level_2", "level_1"), nodes, [(0, 1, low), (1, 2, high), (0, 2, skip)])


@pytest.mark.parametrize("name", NULL_MODELS)
def test_seeds_give_different_draws_and_every_block_changes(name, two_levels):
    null = made(name, two_levels)
    draws = [null(two_levels, seed) for seed in range(10)]
    assert len(set(draws)) == 10
    untouched = {"pathway_edges": {(1, 2)}, "feature_edges": {(0, 1), (0, 2)}}
    kept = set().union(*(untouched.get(promise, set()) for promise in PROMISES[name]))
    ours = edge_sets(two_levels)
    for block, edges in ours.items():
        assert any(edge_sets(draw)[block] != edges for draw in draws) == (block not in kept)


# Of axonlight 0.1: the draws of a study must not change with the machine, NumPy or a release.
PINNED = {
    "PermuteInputs": "c167d7219a283998",
    "PermuteInputsWithinBins": "4df08f2e9eab78ea",
    "DegreePreserving": "061f8f8fccf31af7",
    "RowShuffle": "363edfe60b215fcd",
    "ColumnShuffle": "b04f562f32e26496",
    "ErdosRenyi": "2a37f120ad65c04e",
    "RandomGeneSets": "3da6647bea2fd835",
    "Coexpression": "65a33b447cd5e869",
    "ShuffleHierarchy": "da4a42ab79c81881",
    "Rewire": "85842a3c7f7b8f52",
    "RelabelNodes": "2b754dd63441931a",
}


@pytest.mark.parametrize("name", NULL_MODELS)
def test_draws_are_those_of_every_machine(name, two_levels):
    assert made(name, two_levels)(two_levels, 2024).fingerprint[:16] == PINNED[name]


def test_a_broken_promise_is_found(two_levels):
    class Careless(NullModel):
        keeps = frozenset({"layer_sizes", "target_degrees"})

        def redraw(self, hierarchy, seed):
            return [pairs[:, :-1] for _, _, pairs in hierarchy.edges]

    with pytest.raises(ValueError, match=r"a draw of Careless does not keep target_degrees, which it states to keep"):
        Careless()(two_levels, 0)


def test_an_unknown_promise_is_named(two_levels):
    class Vague(PermuteInputs):
        keeps = frozenset({"everything"})

    with pytest.raises(ValueError, match=r"Vague keeps everything; known are layer_sizes, "):
        check_invariants(Vague(), two_levels, two_levels)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, None])
def test_seeds_that_are_none(seed, two_levels):
    with pytest.raises(ValueError, match="the seed of a draw is"):
        PermuteInputs()(two_levels, seed)


def test_a_null_model_of_your_own_goes_by_its_path(two_levels):
    class Twice(PermuteInputs):
        def __init__(self, times: int = 2):
            self.times = times

    null = Twice(times=3)
    path = f"{Twice.__module__}.{Twice.__qualname__}"
    assert null.describe() == {"class_path": path, "init_args": {"times": 3}}
    assert type(build_null(null.describe())) is Twice
    assert null.name == "Twice(times=3)"


@pytest.mark.parametrize("prefix", ["", "axonlight.structures.", "axonlight.structures.nulls."])
def test_ours_go_by_short_and_long_names(prefix, two_levels):
    null = build_null({"class_path": f"{prefix}Rewire", "init_args": {"fraction": 0.25}})
    assert null.describe() == {"class_path": "Rewire", "init_args": {"fraction": 0.25, "trades_per_node": 20}}
    assert draw_null(null.describe(), two_levels, 1) == Rewire(0.25)(two_levels, 1)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "DegreePreservng",
            r"no null model is named 'DegreePreservng' \(did you mean 'DegreePreserving'\?\); there are",
        ),
        ("erdosrenyi", r"did you mean 'ErdosRenyi'"),
        ({"class_path": "os.system"}, r"no null model is named 'os.system'"),
        ({"name": "Rewire"}, r"must be a name or a mapping of class_path and init_args"),
        ({"class_path": "Rewire", "fraction": 0.5}, r"must be a name or a mapping of class_path and init_args"),
        (7, r"must be a name or a mapping"),
        ("Rewire", r"Rewire cannot be made of \{\}: .*fraction"),
        ({"class_path": "Rewire", "init_args": [0.5]}, r"init_args of Rewire are \[0.5\]; they must be a mapping"),
        (
            {"class_path": "Rewire", "init_args": {"fracton": 0.5}},
            r"no argument 'fracton' \(did you mean 'fraction'\?\)",
        ),
        ({"class_path": "ErdosRenyi", "init_args": {"p": 1}}, r"ErdosRenyi has no argument 'p'; it takes none"),
        ({"class_path": "Rewire", "init_args": {"fraction": 1.5}}, r"fraction is 1.5; it must be a number from 0 to 1"),
        ({"class_path": "Rewire", "init_args": {"fraction": True}}, r"fraction is True"),
        ({"class_path": "Rewire", "init_args": {"fraction": float("nan")}}, r"fraction is nan"),
        ({"class_path": "DegreePreserving", "init_args": {"trades_per_node": 0}}, r"it must be a positive integer"),
        (
            {"class_path": "PermuteInputsWithinBins", "init_args": {"by": "size"}},
            r"one of degree, mean, variance, miss",
        ),
        ({"class_path": "PermuteInputsWithinBins", "init_args": {"bins": 0}}, r"bins is 0"),
        ({"class_path": "Coexpression", "init_args": {"min_rows": 2}}, r"min_rows is 2; it must be an integer of 3"),
    ],
)
def test_wrong_specs_are_refused_in_a_sentence(spec, message):
    with pytest.raises(ValueError, match=message):
        build_null(spec)


def test_seeds_of_draws_are_their_own():
    nulls = [PermuteInputs(), DegreePreserving(), DegreePreserving(5), Rewire(0.25), Rewire(0.5)]
    seeds = {null_seed(seed, null, draw) for seed in range(3) for null in nulls for draw in range(20)}
    assert len(seeds) == 3 * len(nulls) * 20
    assert null_seed(4, Rewire(0.25), 7) == null_seed(4, build_null(Rewire(0.25).describe()), 7)


def test_a_block_that_cannot_change_is_noted_and_no_edge_to_change_is_an_error():
    full = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    diagonal = np.array([[0, 1], [0, 1]])
    nodes = [["x", "y"], ["a", "b"], ["r", "s"]]
    layers = ("features", "level_2", "level_1")
    draw = DegreePreserving()(Hierarchy(layers, nodes, [(0, 1, full), (1, 2, diagonal)]), 5)
    assert draw.notes == ("null model DegreePreserving, seed 5; nothing else is possible from features to level_2",)
    complete = Hierarchy(layers, nodes, [(0, 1, full), (1, 2, full)])
    for name in set(NULL_MODELS) - {"Rewire"}:
        with pytest.raises(ValueError, match=f"{name}.* can change no edge of this hierarchy; it needs "):
            made(name, complete)(complete, 0)
    assert Rewire(0.0)(complete, 0) == complete


def test_rewiring_is_a_dose(two_levels):
    ours = edge_sets(two_levels)
    for seed in range(5):
        assert Rewire(1.0)(two_levels, seed) == DegreePreserving()(two_levels, seed)
        assert edge_sets(Rewire(0.0)(two_levels, seed)) == ours
        for block, edges in ours.items():
            moved = [len(edges - edge_sets(Rewire(dose)(two_levels, seed))[block]) for dose in (0.0, 0.2, 0.5, 1.0)]
            assert moved[0] == 0
            assert all(number <= round(dose * len(edges)) for number, dose in zip(moved, (0, 0.2, 0.5, 1), strict=True))
            assert moved[3] > 0


def test_smaller_doses_rewire_some_of_the_edges_of_larger_ones():
    rng = np.random.default_rng(0)
    pairs = np.stack(np.divmod(rng.choice(200 * 100, 2000, replace=False), 100))
    nodes = [list(map(str, range(200))), list(map(str, range(100)))]
    real = Hierarchy(("features", "level_1"), nodes, [(0, 1, pairs)])
    stays = {
        dose: set.intersection(*(edge_sets(d)[0, 1] for d in [real, Rewire(dose)(real, 1)])) for dose in (0.3, 0.6)
    }
    moved_early = edge_sets(real)[0, 1] - stays[0.3]
    # An edge that left at the smaller dose is free at the larger: there, it is back with a small probability only.
    assert len(moved_early & stays[0.6]) < 0.15 * len(moved_early)
    assert 0.27 * 2000 < len(moved_early) <= 0.3 * 2000
