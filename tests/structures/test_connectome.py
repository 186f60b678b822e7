"""The two real wiring lists, symmetry of gap junctions, and wrong lists."""

import copy
import csv
import gzip
import pickle

import numpy as np
import pytest
from axonlight.errors import InputError
from axonlight.structures import Connectome, TypedEdges

ROWS = [("a", "b", "chemical", 3), ("b", "a", "chemical", 1), ("b", "c", "electrical", 2), ("c", "c", "electrical", 4)]


@pytest.mark.parametrize(
    ("name", "nodes", "loops", "counts"),
    [
        ("white_1986_whole.csv", 309, 6, {"chemical": 2386, "electrical": 575}),
        ("hermaphrodite_full_edgelist.csv.gz", 448, 48, {"chemical": 4681, "electrical": 2698}),
    ],
)
def test_real_lists(name, nodes, loops, counts, data_root):
    wiring = Connectome.from_edges(data_root / "connectome" / name)
    assert len(wiring.nodes) == nodes
    assert wiring.num_self_edges == loops
    assert {typed.type: typed.pairs.shape[1] for typed in wiring.edges} == counts
    assert all(node == node.strip() for node in wiring.nodes)
    assert f"{nodes:,} nodes" in str(wiring.summary())
    assert Connectome.from_edges(wiring.to_table()) == wiring


def test_adjacency_is_that_of_the_file(data_root):
    path = data_root / "connectome" / "hermaphrodite_full_edgelist.csv.gz"
    wiring = Connectome.from_edges(path)
    expected = {kind: np.zeros((448, 448)) for kind in wiring.types}
    with gzip.open(path, "rt") as file:
        for row in list(csv.reader(file))[1:]:
            pre, post, weight, kind = (cell.strip() for cell in row)
            expected[kind][wiring.position(pre), wiring.position(post)] = float(weight)
    for kind, matrix in expected.items():
        np.testing.assert_array_equal(wiring.adjacency(kind).toarray(), matrix)


def test_gap_junctions_are_mirrored_on_request(data_root):
    path = data_root / "connectome" / "white_1986_whole.csv"
    once, both = Connectome.from_edges(path), Connectome.from_edges(path, symmetrize="electrical")
    before, after = (wiring.adjacency("electrical").toarray() for wiring in (once, both))
    np.testing.assert_array_equal(after, np.maximum(before, before.T))
    np.testing.assert_array_equal(both.adjacency("chemical").toarray(), once.adjacency("chemical").toarray())
    assert both.of_type("electrical").pairs.shape[1] == 1144
    assert both.notes == ("electrical edges mirrored: 569 added to 575",)
    # Mirroring moves no self-edge and does not double it.
    assert both.num_self_edges == once.num_self_edges == 6


def test_orders_of_columns_without_a_header(tmp_path):
    expected = Connectome.from_edges(ROWS)
    assert Connectome.from_edges([(a, b, weight, kind) for a, b, kind, weight in ROWS]) == expected
    path = tmp_path / "list.csv"
    path.write_text("x,Weight,Type,Source,Target\n" + "".join(f"0,{w},{k}, {a} , {b}\n" for a, b, k, w in ROWS))
    assert Connectome.from_edges(path) == expected
    assert Connectome.from_edges(path, columns=("source", "target", "type", "weight")) == expected


def test_nothing_in_it_changes():
    wiring = Connectome.from_edges(ROWS)
    for same in (wiring, copy.deepcopy(wiring), pickle.loads(pickle.dumps(wiring))):
        assert same == wiring
        assert hash(same) == hash(wiring)
        with pytest.raises(ValueError, match="read-only"):
            same.edges[0].weights[0] = 9
    assert wiring != Connectome.from_edges([*ROWS[:3], ("c", "c", "electrical", 5)])


def test_summary_counts():
    text = str(Connectome.from_edges(ROWS).summary())
    assert "3 nodes, 4 edges, 1 self-edges" in text
    assert "chemical: 2 edges, 0 self-edges, 100.0% mirrored, weights 4 in all, 3 at most" in text
    assert "electrical: 2 edges, 1 self-edges, 0.0% mirrored" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pre,post,type,synapses\na,b,chemical,1\na,b,chemical,2\n", "list.csv line 3 repeats line 2"),
        ("pre,post,type,synapses\na,,chemical,1\n", "line 2 has an empty cell"),
        ("pre,post,type,synapses\na,b,chemical,many\n", "line 2 has the weight 'many'; it must be a positive number"),
        ("pre,post,type,synapses\na,b,chemical,nan\n", "line 2 has the weight 'nan'"),
        ("pre,post,type,synapses\na,b,chemical,-1\n", "line 2 has the weight '-1'"),
        (
            "pre,post,type,synapses\na,b,chemical,1\nb,a,Chemical,1\n",
            "line 3 has the type 'Chemical' where other lines",
        ),
        ("pre,post,type,synapses\na,b,chemical\n", "line 2 has 3 cells where line 1 has 4"),
        ("pre,post,kind,synapses\na,b,chemical,1\n", "has no column type; it has pre, post, kind, synapses"),
        ("pre,post,type,synapses\n", "has a header and no edges"),
        ("a,b,chemical\nb,a,chemical\n", "line 1 has 3 cells; this table needs 4 or more"),
        ("", "is empty"),
    ],
)
def test_wrong_lists(text, message, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        Connectome.from_edges(path)


def test_wrong_requests():
    with pytest.raises(InputError, match="no edge is of the type 'electric'; the types are chemical, electrical"):
        Connectome.from_edges(ROWS, symmetrize="electric")
    with pytest.raises(InputError, match="no node is named 'aa'; did you mean a"):
        Connectome.from_edges(ROWS).position("aa")
    with pytest.raises(InputError, match="named twice"):
        Connectome(("a", "a"), ())
    with pytest.raises(InputError, match="places below 1"):
        Connectome(("a",), (TypedEdges("chemical", np.array([[0], [1]]), np.array([1.0])),))
