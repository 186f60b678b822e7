"""A hierarchy described by plain data equals the one that its reader makes; mistakes are one sentence."""

import inspect
from pathlib import Path

import pytest
from axonlight.errors import InputError
from axonlight.structures import Hierarchy, HierarchyFiles, PolicyOptions, entity_of, read_hierarchy
from axonlight.structures.files import _READERS

EDGES = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("repair", "TP53"), ("death", "TP53")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "edges.csv").write_text("parent,child\n" + "\n".join(map(",".join, EDGES)) + "\n")
    (tmp_path / "sets.gmt").write_text("DEATH\tR-HSA-3\tTP53\nREPAIR\tR-HSA-4\tTP53\tBRCA1\n")
    (tmp_path / "mapping.txt").write_text("gene,pathway,note\nTP53,R-HSA-3,a\nTP53,R-HSA-4,b\nBRCA1,R-HSA-4,b\n")
    (tmp_path / "relations.txt").write_text("R-HSA-1\tR-HSA-3\nR-HSA-1\tR-HSA-4\n")
    (tmp_path / "names.txt").write_text("R-HSA-1\tall\tHuman\nR-HSA-3\tdeath\tHuman\nR-HSA-4\trepair\tHuman\n")
    (tmp_path / "terms.txt").write_text("t\tu\tdefault\nu\tTP53\tgene\nt\tBRCA1\tgene\n")
    (tmp_path / "paths.csv").write_text("gene,low,high\nTP53,death,cell\nBRCA1,repair,cell\n")
    (tmp_path / "go.obo").write_text(
        "[Term]\nid: GO:1\nnamespace: here\n\n[Term]\nid: GO:2\nnamespace: here\nrelationship: part_of GO:1\n"
    )
    (tmp_path / "genes.txt").write_text("TP53\tGO:2\n")
    Hierarchy.from_edges(EDGES).save(tmp_path / "kept.npz")
    return tmp_path


def readers(folder: Path) -> dict[str, tuple[dict, Hierarchy]]:
    """Plain data, and the hierarchy made by hand."""
    reactome = Hierarchy.from_reactome(
        folder / "mapping.txt",
        folder / "relations.txt",
        names=folder / "names.txt",
        levels=1,
        columns=("gene", "pathway"),
        attach="every",
    )
    obo = Hierarchy.from_obo(
        folder / "go.obo", folder / "genes.txt", relationships=("part_of",), namespace="here", header=False
    )
    table = Hierarchy.from_table(folder / "paths.csv", columns=["gene", "high"])
    return {
        "reactome": (
            {
                "annotations": "mapping.txt",
                "relations": "relations.txt",
                "names": "names.txt",
                "levels": 1,
                "columns": ["gene", "pathway"],
                "attach": "every",
            },
            reactome,
        ),
        "gmt": ({"path": "sets.gmt", "min_size": 2}, Hierarchy.from_gmt(folder / "sets.gmt", min_size=2)),
        "obo": (
            {
                "path": "go.obo",
                "annotations": "genes.txt",
                "relationships": ["part_of"],
                "namespace": "here",
                "header": False,
            },
            obo,
        ),
        "edges": (
            {"path": "edges.csv", "fill": "skip", "columns": ["parent", "child"]},
            Hierarchy.from_edges(EDGES, fill="skip"),
        ),
        "terms": (
            {"path": "terms.txt", "level_rule": "longest", "attach": "every"},
            Hierarchy.from_term_table(folder / "terms.txt", level_rule="longest", attach="every"),
        ),
        "table": ({"path": "paths.csv", "columns": ["gene", "high"]}, table),
        "saved": ({"path": "kept.npz"}, Hierarchy.from_edges(EDGES)),
    }


@pytest.mark.parametrize("reader", ["reactome", "gmt", "obo", "edges", "terms", "table", "saved"])
def test_every_reader_makes_what_it_makes_by_hand(reader, folder):
    plain, by_hand = readers(folder)[reader]
    found = read_hierarchy({"reader": reader, **plain}, folders=[folder])
    assert found == by_hand
    assert found.titles == by_hand.titles
    assert found.policies == by_hand.policies


def test_every_key_belongs_to_a_reader_that_has_a_parameter_for_it():
    taken = {"reader"}
    for reader in _READERS.values():
        taken.update(reader.files, reader.options)
        parameters = inspect.signature(reader.read).parameters
        policies = PolicyOptions.__annotations__ if "policies" in parameters else ()
        assert set(reader.options) <= {*parameters, *policies}
    assert taken == set(HierarchyFiles.__annotations__)


def test_features_keep_their_order_and_choose(folder):
    files = HierarchyFiles(reader="edges", path="edges.csv")
    assert read_hierarchy(files, features=["TP53", "BRCA1"], folders=[folder]).features == ("TP53", "BRCA1")
    assert read_hierarchy(files, features=["TP53"], folders=[folder]).features == ("TP53",)


def test_words_that_stand_for_none(folder):
    files = {"reader": "reactome", "annotations": "sets.gmt", "relations": "relations.txt"}
    every = read_hierarchy({**files, "levels": "all", "species": "any"}, folders=[folder])
    assert every.policies is not None
    assert every.policies.levels is None
    assert every == read_hierarchy({**files, "levels": None, "species": None, "names": None}, folders=[folder])


def test_folders_come_before_the_working_directory(folder, tmp_path, monkeypatch):
    here, other = tmp_path / "here", tmp_path / "other"
    for place, gene in ((here, "TP53"), (other, "BRCA1")):
        place.mkdir()
        (place / "own.csv").write_text(f"parent,child\ncell,{gene}\n")
    monkeypatch.chdir(here)
    files = {"reader": "edges", "path": "own.csv"}
    assert read_hierarchy(files, folders=[tmp_path, other]).features == ("BRCA1",)
    assert read_hierarchy(files, folders=[tmp_path]).features == ("TP53",)
    assert read_hierarchy({**files, "path": str(here / "own.csv")}, folders=[other]).features == ("TP53",)


MISTAKES = {
    "no reader": ({"path": "sets.gmt"}, "hierarchy has no key 'reader'; it must be one of reactome, gmt"),
    "unknown reader": ({"reader": "edge"}, "hierarchy.reader is 'edge'; it must be one of .*; did you mean 'edges'?"),
    "strange reader": ({"reader": 3}, "hierarchy.reader is 3; it must be one of"),
    "missing key": ({"reader": "reactome", "annotations": "mapping.txt"}, "hierarchy has no key 'relations'"),
    "key without value": ({"reader": "gmt", "path": None}, "hierarchy has no key 'path'"),
    "misspelt key": ({"reader": "edges", "path": "edges.csv", "level": 3}, "the key 'level'.*did you mean 'levels'?"),
    "key of another reader": (
        {"reader": "gmt", "path": "sets.gmt", "relations": "relations.txt"},
        "the key 'relations', which the reader gmt does not take; it takes path, level_rule",
    ),
    "no such file": ({"reader": "gmt", "path": "none.gmt"}, "there is no file none.gmt in .*the working directory"),
    "no such companion": (
        {"reader": "reactome", "annotations": "mapping.txt", "relations": "none.txt"},
        "there is no file none.txt.*hierarchy.relations must name an existing one",
    ),
    "no such names": (
        {"reader": "reactome", "annotations": "mapping.txt", "relations": "relations.txt", "names": "none.txt"},
        "there is no file none.txt.*hierarchy.names",
    ),
    "not allowed": ({"reader": "gmt", "path": "sets.gmt", "fill": "jump"}, "fill is 'jump'; it must be one of copy"),
    "folder": ({"reader": "gmt", "path": "."}, "there is no file ."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_sentence(mistake, folder):
    plain, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message) as caught:
        read_hierarchy(plain, folders=[folder])
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_the_folders_that_were_searched(folder):
    with pytest.raises(InputError, match=f"no file none.csv in {folder}, the working directory;"):
        read_hierarchy({"reader": "edges", "path": "none.csv"}, folders=[folder])
    with pytest.raises(InputError, match=f"no file {folder / 'none.csv'};"):
        read_hierarchy({"reader": "edges", "path": str(folder / "none.csv")}, folders=[folder])


def test_measurements_of_one_entity():
    columns = ["TP53=mutation", "TP53=amplification", "P08603", "P08603=present", "a=b=c", ""]
    assert [entity_of(name) for name in columns] == ["TP53", "TP53", "P08603", "P08603", "a", ""]
