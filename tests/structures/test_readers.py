"""Every format: what is read from it, by hand-made files with known answers."""

import gzip

import pandas as pd
import pytest
from axonlight.errors import InputError
from axonlight.structures import Hierarchy, read_names

# cell > repair > break repair; cell > death. TP53 is annotated to death and repair, BRCA1 to break repair.
RELATIONS = [("R-HSA-1", "R-HSA-2"), ("R-HSA-1", "R-HSA-3"), ("R-HSA-2", "R-HSA-4")]
MAPPING = [("TP53", "R-HSA-3"), ("TP53", "R-HSA-2"), ("BRCA1", "R-HSA-4")]
EXPECTED = (("BRCA1", "TP53"), ("R-HSA-2", "R-HSA-3"), ("R-HSA-1",))


def write(path, rows, header=None, delimiter="\t"):
    lines = [delimiter.join(row) for row in ([header] if header else []) + list(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def relations(tmp_path):
    return write(tmp_path / "relations.txt", RELATIONS)


def numbered(rows):
    return [(str(number), *row) for number, row in enumerate(rows, 7)]


def six_columns(rows):
    return [(gene, pathway, f"https://x/{pathway}", "a name", "TAS", "Homo sapiens") for gene, pathway in rows]


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        (MAPPING, None),
        (MAPPING, ("gene", "pathway")),
        (numbered(MAPPING), ("", "input", "translation")),
        (six_columns(MAPPING), None),
        ([row[::-1] for row in MAPPING], ("pathway", "gene")),
    ],
    ids=["plain", "header", "unnamed index", "UniProt2Reactome", "pathway first"],
)
@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
def test_mapping_tables(rows, header, delimiter, tmp_path, relations):
    path = write(tmp_path / "mapping.txt", rows, header, delimiter)
    hierarchy = Hierarchy.from_reactome(path, relations, levels=2)
    assert hierarchy.nodes == EXPECTED
    # A node that is cut off hands its features to the node above it.
    assert hierarchy.children("R-HSA-2") == ("BRCA1", "TP53")
    assert hierarchy.children("R-HSA-3") == ("TP53",)


def test_tables_with_headers_frames_and_gzip_are_the_same(tmp_path, relations):
    packed = tmp_path / "mapping.tsv.gz"
    packed.write_bytes(gzip.compress("\n".join("\t".join(row) for row in MAPPING).encode()))
    with_header = write(tmp_path / "pathways.tsv", [row[::-1] for row in RELATIONS], ("child", "parent"))
    frame = pd.DataFrame(MAPPING, columns=["accession", "where"])
    first = Hierarchy.from_reactome(packed, relations, levels=2)
    assert first == Hierarchy.from_reactome(MAPPING, with_header, levels=2)
    assert first == Hierarchy.from_reactome(frame, RELATIONS, levels=2)
    index = pd.DataFrame(numbered(MAPPING), columns=["Unnamed: 0", "input", "translation"])
    assert first == Hierarchy.from_reactome(index, RELATIONS, levels=2)
    extra = pd.DataFrame([(g, "x", p, "y") for g, p in MAPPING], columns=["id", "a", "path", "b"])
    assert first == Hierarchy.from_reactome(extra, RELATIONS, levels=2, columns=("id", "path"))


@pytest.mark.parametrize("label", [[], ["Reactome Pathway"]], ids=["newer", "older"])
@pytest.mark.parametrize("name", ["sets.gmt", "sets.txt"])
def test_dialects_of_gmt(label, name, tmp_path, relations):
    rows = [("Death", "R-HSA-3", *label, "TP53"), ("Repair", "R-HSA-2", *label, "TP53", "BRCA1")]
    hierarchy = Hierarchy.from_reactome(write(tmp_path / name, rows), relations, levels=2)
    assert hierarchy.nodes == EXPECTED
    assert hierarchy.titles == {"R-HSA-3": "Death", "R-HSA-2": "Repair"}


def test_names_and_pathways_without_relations(tmp_path, relations):
    names = write(tmp_path / "names.txt", [(f"R-HSA-{n}", f"name {n}", "Homo sapiens") for n in range(1, 6)])
    hierarchy = Hierarchy.from_reactome([*MAPPING, ("EGFR", "R-HSA-5")], relations, names=names, levels=2)
    # A pathway that no relation names is a root; it is carried down as a copy.
    assert hierarchy.nodes[2] == ("R-HSA-1", "R-HSA-5")
    assert hierarchy.parents("EGFR") == ("R-HSA-5",)
    assert hierarchy.titles["R-HSA-5"] == "name 5"


def test_identifiers_of_ones_own():
    hierarchy = Hierarchy.from_reactome([("a", "x"), ("b", "y")], [("top", "x"), ("top", "y")], species=None, levels=2)
    assert hierarchy.nodes == (("a", "b"), ("x", "y"), ("top",))


OBO = """format-version: 1.2
default-namespace: process
! a comment

[Term]
id: GO:1
name: all ! of it

[Term]
id: GO:2
name: repair
alt_id: GO:22
is_a: GO:1 {source="x"} ! all

[Term]
id: GO:3
name: break repair
is_a: GO:2 ! repair
relationship: part_of GO:4 ! death
relationship: regulates GO:1 ! all

[Term]
id: GO:4
namespace: process
is_a: GO:1
relationship: part_of GO:1

[Term]
id: GO:5
is_obsolete: true

[Term]
id: GO:6
namespace: place
is_a: GO:1

[Term]
id: GO:7
namespace: place
is_a: GO:6

[Typedef]
id: part_of
"""


@pytest.fixture
def obo(tmp_path):
    path = tmp_path / "go.obo"
    path.write_text(OBO)
    return path


def test_obo(obo):
    hierarchy = Hierarchy.from_obo(obo, [("TP53", "GO:4"), ("BRCA1", "GO:3"), ("XRCC1", "GO:22")], attach="every")
    assert hierarchy.layers == ("features", "level_3", "level_2", "level_1")
    assert hierarchy.nodes[3] == ("GO:1",)
    assert hierarchy.nodes[2] == ("GO:2", "GO:4")
    assert set(hierarchy.parents("GO:3")) == {"GO:2", "GO:4"}
    assert hierarchy.parents("XRCC1") == ("GO:2",)
    assert hierarchy.titles["GO:3"] == "break repair"
    only_kinds = Hierarchy.from_obo(obo, [("BRCA1", "GO:3")], relationships=["is_a"])
    assert only_kinds.parents("GO:3") == ("GO:2",)


def test_obo_namespace(obo, tmp_path):
    table = write(tmp_path / "genes.tsv", [("TP53", "GO:4"), ("BRCA1", "GO:6")], ("gene", "term"))
    hierarchy = Hierarchy.from_obo(obo, table, namespace="process")
    assert hierarchy.features == ("TP53",)
    assert hierarchy.report.rows_elsewhere == 1
    with pytest.raises(InputError, match=r"no term of .* is of the namespace 'place'; give another"):
        Hierarchy.from_obo(obo, [("TP53", "GO:4")], namespace="place")
    assert Hierarchy.from_obo(obo, table, attach="every").features == ("BRCA1", "TP53")


def test_edge_lists(tmp_path):
    rows = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53"), ("cell", "TP53")]
    path = write(tmp_path / "edges.csv", rows, ("parent", "child"), ",")
    hierarchy = Hierarchy.from_edges(path, attach="every")
    assert hierarchy.nodes == (("BRCA1", "TP53"), ("death", "repair"), ("cell",))
    assert hierarchy.parents("TP53") == ("death",)
    assert Hierarchy.from_edges(rows, attach="every") == hierarchy
    assert Hierarchy.from_edges(rows, features=["TP53", "BRCA1"]).features == ("TP53", "BRCA1")
    frame = pd.DataFrame([(b, a) for a, b in rows], columns=["low", "high"])
    assert Hierarchy.from_edges(frame, columns=("high", "low"), attach="every") == hierarchy


def test_features_that_are_not_wanted_take_their_branch_with_them_and_are_counted():
    rows = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53")]
    hierarchy = Hierarchy.from_edges(rows, features=["TP53", "EGFR"])
    assert hierarchy.nodes == (("TP53",), ("death",), ("cell",))
    assert hierarchy.report.nodes_without_features == 1
    assert hierarchy.report.unannotated == ("EGFR",)


def test_term_tables(tmp_path):
    rows = [
        ("GO:1", "GO:2", "default"),
        ("GO:1", "GO:3", "default"),
        ("GO:2", "TP53", "gene"),
        ("GO:3", "TP53", "gene"),
    ]
    hierarchy = Hierarchy.from_term_table(write(tmp_path / "drugcell_ont.txt", rows))
    assert hierarchy.nodes == (("TP53",), ("GO:2", "GO:3"), ("GO:1",))
    assert hierarchy.num_edges == 4


def test_path_tables(tmp_path):
    header = ("layer0_node", "layer0_name", "layer1_node", "layer1_name", "layer2_node", "layer2_name")
    rows = [
        ("0", "rs1", "0", "TP53", "0", "all"),
        ("1", "rs2", "0", "TP53", "0", "all"),
        ("1", "rs2", "1", "MYC", "0", "all"),
    ]
    path = write(tmp_path / "topology.csv", rows, header, ",")
    hierarchy = Hierarchy.from_table(path)
    assert hierarchy.layers == ("layer0_name", "layer1_name", "layer2_name")
    assert hierarchy.nodes == (("rs1", "rs2"), ("MYC", "TP53"), ("all",))
    assert [pairs.tolist() for _, _, pairs in hierarchy.edges] == [[[0, 1, 1], [1, 0, 1]], [[0, 1], [0, 0]]]
    chosen = Hierarchy.from_table(path, features=iter(["rs9", "rs1"]))
    assert chosen.nodes == (("rs1",), ("TP53",), ("all",))
    assert chosen.report.unannotated == ("rs9",)


def test_names_from_a_list_or_a_table(tmp_path):
    assert read_names(write(tmp_path / "list.txt", [("TP53",), ("BRCA1",)])) == ["TP53", "BRCA1"]
    table = write(tmp_path / "table.csv", [("TP53", "1"), ("BRCA1", "2")], ("Gene", "s1"), ",")
    assert read_names(table) == ["TP53", "BRCA1"]


def test_windows_lines_marks_and_spaces(tmp_path):
    path = tmp_path / "relations.txt"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(f" {a}\t{b} ".encode() for a, b in RELATIONS) + b"\r\n\r\n")
    assert Hierarchy.from_reactome(MAPPING, path, levels=2).nodes == EXPECTED
