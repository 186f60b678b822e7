"""Damaged files, most of them copies of the real ones: one sentence that names file and line."""

import gzip

import pytest
from axonlight.errors import InputError
from axonlight.structures import Hierarchy

RELATIONS = "R-HSA-1\tR-HSA-2\nR-HSA-1\tR-HSA-3\nR-HSA-2\tR-HSA-4\n"
MAPPING = "TP53\tR-HSA-3\nTP53\tR-HSA-2\nBRCA1\tR-HSA-4\n"


@pytest.fixture
def compiled(tmp_path):
    def from_text(mapping=MAPPING, relations=RELATIONS, **options):
        for name, text in (("mapping.tsv", mapping), ("relations.txt", relations)):
            (tmp_path / name).write_text(text)
        options.setdefault("levels", None)
        return Hierarchy.from_reactome(tmp_path / "mapping.tsv", tmp_path / "relations.txt", **options)

    return from_text


@pytest.fixture
def real(data_root, tmp_path):
    """The real files, with one line of one of them changed."""
    folder = data_root / "reactome"

    def damaged(change, which="relations", **options):
        files = {"relations": folder / "ReactomePathwaysRelation.txt", "gmt": folder / "ReactomePathways.gmt"}
        lines = files[which].read_text().splitlines()
        change(lines)
        files[which] = tmp_path / files[which].name
        files[which].write_text("\n".join(lines) + "\n")
        return Hierarchy.from_reactome(files["gmt"], files["relations"], **options)

    return damaged


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


def first_human(lines):
    return next(place for place, line in enumerate(lines) if line.startswith("R-HSA"))


def test_cycle_is_named(real):
    def close(lines):
        parent, child = lines[first_human(lines)].split("\t")
        lines.append(f"{child}\t{parent}")

    with pytest.raises(InputError, match=r"ReactomePathwaysRelation.txt line \d+ is part of the cycle R-HSA-") as error:
        real(close)
    names = one_sentence(error).partition("cycle ")[2].partition(";")[0].split(" -> ")
    assert names[0] == names[-1]
    assert len(names) == 3


def test_longer_cycle(compiled):
    with pytest.raises(InputError, match=r"relations.txt line 4 is part of|relations.txt line \d is part of the cycle"):
        compiled(relations=RELATIONS + "R-HSA-4\tR-HSA-1\n")


def test_self_edge(real):
    with pytest.raises(InputError, match="line 20669 makes R-HSA-109581 its own parent"):
        real(lambda lines: lines.append("R-HSA-109581\tR-HSA-109581"))


def test_duplicate_edge(real):
    def repeat(lines):
        lines.append(lines[first_human(lines)])

    with pytest.raises(InputError, match=r"line 20669 repeats line \d+ \(R-HSA-\d+, R-HSA-\d+\)"):
        real(repeat)


def test_row_with_a_cell_too_many(real):
    def widen(lines):
        lines[100] += "\tmore"

    with pytest.raises(InputError, match=r"ReactomePathwaysRelation\.txt line 101 has 3 cells where line 1 has 2"):
        real(widen)


def test_pathway_that_the_names_do_not_know(real, data_root):
    names = data_root / "reactome" / "ReactomePathways.txt"
    with pytest.raises(InputError, match=r"line 20669 names R-HSA-1, which ReactomePathways\.txt does not know"):
        real(lambda lines: lines.append("R-HSA-1\tR-HSA-109581"), names=names)


def test_releases_that_do_not_match(data_root):
    # The proteomics set's relations are of a later release than the names at hand.
    folder, names = data_root / "proteomics", data_root / "reactome" / "ReactomePathways.txt"
    with pytest.raises(InputError, match=r"pathways\.tsv line 740 names R-HSA-201556"):
        Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", names=names)


def test_headerless_file_read_with_a_header(data_root):
    folder = data_root / "reactome"
    files = folder / "ReactomePathways.gmt", folder / "ReactomePathwaysRelation.txt"
    with pytest.raises(InputError, match=r"line 1 holds data \(R-BTA-109581, R-BTA-109606\).*header=False"):
        Hierarchy.from_reactome(*files, header=True)


def test_file_with_a_header_read_without(data_root):
    folder = data_root / "proteomics"
    with pytest.raises(InputError, match=r"pathways.tsv line 1 holds names of columns \(parent, child\)"):
        Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", header=False)


def test_mapping_of_anrows_elsewhere(data_root):
    mapping = [("G1", "R-MMU-73843"), ("G2", "R-MMU-1971475")]
    relations = data_root / "reactome" / "ReactomePathwaysRelation.txt"
    with pytest.raises(InputError, match="another species than Homo sapiens, most of Mus musculus"):
        Hierarchy.from_reactome(mapping, relations)


def test_relations_of_another_species(compiled):
    with pytest.raises(InputError, match=r"relations\.txt line 1 and all other lines are of another species"):
        compiled(relations="R-MMU-1\tR-MMU-2\n")


def test_unknown_species(compiled):
    with pytest.raises(InputError, match=r"species is 'human'; it must be one of .*Homo sapiens \(HSA\)"):
        compiled(species="human")


def test_features_that_match_nothing(data_root):
    folder = data_root / "proteomics"
    with pytest.raises(InputError, match=r"none of the 2 features \(ENSG1, ENSG2\) is in translation.tsv") as error:
        Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", features=["ENSG1", "ENSG2"])
    assert "A0A075B6P5" in one_sentence(error)


def test_features_given_twice_or_as_text(compiled):
    with pytest.raises(InputError, match="features names TP53 more than once"):
        compiled(features=["TP53", "BRCA1", "TP53"])
    with pytest.raises(InputError, match="features is the text 'TP53'"):
        compiled(features="TP53")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines.append("A\tR-HSA-1"), "line 2485 has no genes"),
        (lambda lines: lines.append(lines[0]), "line 2485 repeats the set R-HSA-164843 of line 1"),
        (lambda lines: lines.append("A\tsome text\tTP53"), "line 2485 is written otherwise than line 1"),
        (
            lambda lines: lines.append("A\tR-HSA-1\tReactome Pathway\tTP53"),
            "line 2485 is written otherwise than line 1",
        ),
    ],
)
def test_damaged_gene_sets(change, message, real):
    with pytest.raises(InputError, match=f"ReactomePathways.gmt {message}") as error:
        real(change, which="gmt")
    one_sentence(error)


@pytest.mark.parametrize(
    ("mapping", "relations", "message"),
    [
        ("TP53\tR-HSA-3\nBRCA1\tRepair\n", RELATIONS, "mapping.tsv line 2 names 'Repair', which is no Reactome id"),
        (MAPPING, RELATIONS + "R-HSA-5\tROOT\n", "relations.txt line 4 names 'ROOT', which is no Reactome id"),
        ("TP53\tR-HSA-3\n\tR-HSA-2\n", RELATIONS, "mapping.tsv line 2 has an empty cell"),
        ("TP53\tR-HSA-3\nTP53\n", RELATIONS, "mapping.tsv line 2 has 1 cells where line 1 has 2"),
        ("TP53\tR-HSA-33\n", RELATIONS, r"no pathway of mapping.tsv \(R-HSA-33, ...\) is in relations.txt"),
        ("gene,id,pathway\nTP53,1,R-HSA-3\n", RELATIONS, r"mapping.tsv does not say which columns"),
        (
            "accession\tset\nTP53\tR-HSA-3\nBRCA1\tR-HSA-4\n",
            RELATIONS,
            r"line 1 \(accession, set\) looks like no other",
        ),
        (MAPPING, "R-HSA-1\nR-HSA-2\n", "relations.txt line 1 has 1 cells; this table needs 2"),
        (MAPPING, "R-HSA-1\tR-HSA-2\tR-HSA-3\n", "relations.txt line 1 has 3 cells; a table of relations has two"),
        (MAPPING, " \n", "relations.txt is empty"),
    ],
)
def test_damaged_tables(mapping, relations, message, compiled):
    with pytest.raises(InputError, match=message) as error:
        compiled(mapping, relations)
    one_sentence(error)


def test_unreadable_files(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*none\.gmt"):
        Hierarchy.from_gmt(tmp_path / "none.gmt")
    (tmp_path / "cut.gmt.gz").write_bytes(gzip.compress(b"A\tdescription\tTP53\n" * 100)[:-12])
    with pytest.raises(InputError, match="is damaged or no text file"):
        Hierarchy.from_gmt(tmp_path / "cut.gmt.gz")
    (tmp_path / "picture.gmt").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match="is damaged or no text file"):
        Hierarchy.from_gmt(tmp_path / "picture.gmt")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([("a", "b"), ("b", "a")], {}, "is part of the cycle"),
        ([("a", "b"), ("a", "b")], {}, r"line 2 repeats line 1 \(a, b\)"),
        ([("a", "b"), ("b", "b")], {}, "line 2 makes b its own parent"),
        ([("a", "b"), ("b", "c")], {"features": ["b"]}, "line 2 makes the feature b a parent"),
        ([("a", "b"), ("a", "")], {}, "line 2 has an empty cell"),
        ([("a", "b", "c")], {}, "line 1 has 3 cells; an edge list has two"),
        ([("a", "b")], {"columns": ("high", "low")}, "has no column 'high'; it has no header"),
        ([], {}, "has no rows"),
    ],
)
def test_wrong_edge_lists(rows, options, message):
    with pytest.raises(InputError, match=message):
        Hierarchy.from_edges(rows, **options)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("t", "u", "default"), ("u", "g", "genes")], "line 2 has the type 'genes'; it must be 'default'"),
        ([("t", "u", "default"), ("v", "g", "gene")], "line 2 gives the gene g to v, which no 'default' line names"),
        ([("t", "u", "default"), ("u", "t", "gene")], "line 2 calls t a gene, and other lines call it a term"),
        ([("t", "u", "default")], "has no line of the type 'gene'"),
    ],
)
def test_wrong_term_tables(rows, message):
    with pytest.raises(InputError, match=message):
        Hierarchy.from_term_table(rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer0_name,layer1_name\ng,\n", "line 2 has an empty cell"),
        ("layer0_name,layer2_name\ng,p\n", "has the columns layer0_name, layer2_name; a table of paths has"),
        (
            "source_layer,source,target_layer,target\na,x,b,\n",
            "line 2 has an empty cell; only both cells of the target",
        ),
        ("g1,p1\ng1,p2\n", "line 1 holds data"),
    ],
)
def test_wrong_path_tables(text, message, tmp_path):
    (tmp_path / "paths.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        Hierarchy.from_table(tmp_path / "paths.csv")


TERM = "[Term]\nid: GO:1\n\n[Term]\nid: GO:2\nis_a: GO:1\n"


@pytest.mark.parametrize(
    ("text", "genes", "message"),
    [
        (TERM + "is_a: GO:9\n", [("g", "GO:2")], "go.obo line 7 makes GO:9 a parent of GO:2, but no term has that id"),
        (TERM + "is_a: GO:1\n", [("g", "GO:2")], r"go.obo line 7 repeats line 6 \(is_a GO:1\)"),
        (TERM + "is_a: GO:2\n", [("g", "GO:2")], "go.obo line 7 makes GO:2 its own parent"),
        (TERM + "\n[Term]\nid: GO:2\n", [("g", "GO:2")], "go.obo line 9 repeats the term GO:2 of line 5"),
        (TERM + "\n[Term]\nname: x\n", [("g", "GO:2")], "go.obo line 9 stands in a term before its id"),
        (TERM + "nonsense\n", [("g", "GO:2")], "go.obo line 7 is neither a tag with a value nor a stanza"),
        (TERM, [("g", "GO:2"), ("g", "GO:7")], "line 2 names GO:7, which is no term of the ontology; did you mean"),
        (TERM + "\n[Term]\nid: GO:3\nis_obsolete: true\n", [("g", "GO:3")], "line 1 names GO:3, which is obsolete"),
        (TERM, [("g", "h")], r"line 1 \(g, h\) holds no gene beside one term"),
        ("format-version: 1.2\n", [("g", "h")], r"go.obo holds no \[Term\]"),
    ],
)
def test_wrong_ontologies(text, genes, message, tmp_path):
    (tmp_path / "go.obo").write_text(text)
    with pytest.raises(InputError, match=message):
        Hierarchy.from_obo(tmp_path / "go.obo", genes)


def test_unknown_namespace(tmp_path):
    (tmp_path / "go.obo").write_text("default-namespace: process\n" + TERM)
    with pytest.raises(InputError, match="no term of the namespace 'place'; it has process"):
        Hierarchy.from_obo(tmp_path / "go.obo", [("g", "GO:2")], namespace="place")
