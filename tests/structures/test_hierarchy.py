"""The object itself: names survive every round trip, nothing changes, wrong parts are refused."""

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.structures import EdgeBlock, Hierarchy

ROWS = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53"), ("repair", "TP53")]


@pytest.fixture
def hierarchy():
    return Hierarchy.from_edges(ROWS, features=["TP53", "BRCA1", "EGFR"])


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_files_hold_all_of_it(hierarchy, suffix, tmp_path):
    path = hierarchy.save(tmp_path / "new" / f"tiny{suffix}")
    again = Hierarchy.load(path)
    assert again == hierarchy
    for name in ("layers", "nodes", "titles", "sources", "policies", "report", "notes"):
        assert getattr(again, name) == getattr(hierarchy, name)
    for ours, theirs in zip(again.edges, hierarchy.edges, strict=True):
        assert ours[:2] == theirs[:2]
        np.testing.assert_array_equal(ours.pairs, theirs.pairs)


def test_plain_data_and_tables_hold_all_of_it(hierarchy):
    assert Hierarchy.from_dict(json.loads(json.dumps(hierarchy.to_dict()))) == hierarchy
    assert Hierarchy.from_table(hierarchy.to_table()) == hierarchy


def test_real_hierarchies_survive(data_root, tmp_path):
    folder = data_root / "proteomics"
    real = Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", attach="own")
    assert real.dead_ends
    assert Hierarchy.from_table(real.to_table()) == real
    real.to_table().to_csv(tmp_path / "edges.csv", index=False)
    assert Hierarchy.from_table(tmp_path / "edges.csv") == real
    assert Hierarchy.load(real.save(tmp_path / "real.npz")).report == real.report


def test_nothing_in_it_changes(hierarchy):
    for same in (hierarchy, copy.deepcopy(hierarchy), pickle.loads(pickle.dumps(hierarchy))):
        assert same == hierarchy
        assert hash(same) == hash(hierarchy)
        with pytest.raises(ValueError, match="read-only"):
            same.edges[0].pairs[0, 0] = 1
        with pytest.raises(FrozenInstanceError):
            same.layers = ()
    pairs = np.array([[0], [0]])
    made = Hierarchy(("a", "b"), (("x",), ("y",)), (EdgeBlock(0, 1, pairs),))
    pairs[:] = 7
    assert made.edges[0].pairs.max() == 0


def test_edges_become_tensors(hierarchy):
    edges = torch.tensor(hierarchy.edges[0].pairs)
    assert edges.dtype == torch.int64
    assert edges.shape == (2, 3)


def test_equality_is_of_names_and_edges(hierarchy):
    shuffled = Hierarchy.from_edges(ROWS[::-1], features=["TP53", "BRCA1"])
    assert shuffled == hierarchy
    assert hierarchy != Hierarchy.from_edges(ROWS[:-1], features=["TP53", "BRCA1"])
    assert hierarchy != Hierarchy.from_edges(ROWS, features=["BRCA1", "TP53"])


def test_numbers(hierarchy):
    assert hierarchy.sizes == (2, 2, 1)
    assert hierarchy.num_edges == 5
    assert hierarchy.densities == (3 / 4, 1.0)
    assert hierarchy.density == 5 / 6
    assert [degrees.tolist() for degrees in hierarchy.in_degrees] == [[0, 0], [1, 2], [2]]
    assert [degrees.tolist() for degrees in hierarchy.out_degrees] == [[2, 1], [1, 1], [0]]
    assert hierarchy.adjacency(0).toarray().tolist() == [[1, 1], [0, 1]]
    assert hierarchy.memberships("level_1").toarray().tolist() == [[True, True]]
    assert hierarchy.feature_positions(["x", "BRCA1", "TP53"]).tolist() == [2, 1]


def test_summary_names_both_ends(hierarchy):
    lines = str(hierarchy.summary()).splitlines()
    assert lines[1].startswith("level_1")
    assert lines[1].endswith("cell")
    assert lines[3].endswith("TP53, BRCA1")
    assert "3 given, 2 annotated, 2 in the hierarchy; not annotated: EGFR" in "\n".join(lines)
    assert any(line.startswith("policies: levels=None, level_rule=lock_step") for line in lines)


def test_dead_ends_are_found_from_both_sides():
    nodes = (("f1", "f2"), ("a", "b", "c"), ("r", "s"))
    edges = ((0, 1, [[0, 1], [0, 1]]), (1, 2, [[0, 2], [0, 1]]))
    made = Hierarchy(("features", "low", "high"), nodes, edges)
    assert made.dead_ends == {"features": ("f2",), "low": ("b", "c"), "high": ("s",)}


@pytest.mark.parametrize(
    ("layers", "nodes", "edges", "message"),
    [
        (("a", "b"), (("x",), ()), (), "layer b has no nodes"),
        (("a", "b"), (("x", "x"), ("y",)), (), "layer a names x more than once"),
        (("a", "a"), (("x",), ("y",)), (), "each with its own name"),
        (("a",), (("x",),), (), "two or more layers"),
        (("a", "b"), (("x",), ("y",)), ((1, 0, [[0], [0]]),), "they must go up"),
        (("a", "b"), (("x",), ("y",)), ((0, 1, [[1], [0]]),), "places outside the 1 and 1 nodes"),
        (("a", "b"), (("x",), ("y",)), ((0, 1, [[0, 0], [0, 0]]),), "repeat an edge"),
        (("a", "b"), (("x",), ("y",)), ((0, 1, [[0], [0]]), (0, 1, [[0], [0]])), "two blocks of edges"),
        (("a", "b"), (("x",), ("y",)), ((0, 1, [0, 0]),), "must be integers of the shape"),
        (("a", "b"), (("x",), ("y",)), ((0, 1, [[0.5], [0]]),), "must be integers of the shape"),
    ],
)
def test_wrong_parts(layers, nodes, edges, message):
    with pytest.raises(InputError, match=message):
        Hierarchy(layers, nodes, edges)


def test_wrong_questions(hierarchy, tmp_path):
    with pytest.raises(InputError, match="no node is named 'TP35'; did you mean TP53"):
        hierarchy.parents("TP35")
    with pytest.raises(InputError, match="TP53 does not stand on layer level_1; it stands on features"):
        hierarchy.parents("TP53", "level_1")
    with pytest.raises(InputError, match="no layer is named 'roots'; the layers are features, level_2, level_1"):
        hierarchy.memberships("roots")
    with pytest.raises(InputError, match=r"1 of the 2 features of the hierarchy \(BRCA1\)"):
        hierarchy.feature_positions(["TP53"])
    with pytest.raises(InputError, match=r"its suffix must be \.json or \.npz"):
        hierarchy.save(tmp_path / "tiny.pickle")
    with pytest.raises(InputError, match="there is no file"):
        Hierarchy.load(tmp_path / "none.npz")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="the data are of the format None"):
        Hierarchy.load(tmp_path / "other.json")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="holds no hierarchy"):
        Hierarchy.load(tmp_path / "broken.npz")


def test_no_torch_and_no_pandas_for_structures(tmp_path):
    code = "import axonlight.structures, sys; print([n for n in ('torch', 'pandas', 'lightning') if n in sys.modules])"
    child = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"
