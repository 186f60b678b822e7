"""The option `hierarchy` of table data modules: compiled for the features of the table, found beside it."""

import logging
from pathlib import Path

import pytest
from axonlight.datamodules import Proteomics, Spambase, TabularData
from axonlight.errors import InputError
from axonlight.structures import Hierarchy

GOLDEN = {"reader": "reactome", "annotations": "translation.tsv", "relations": "pathways.tsv", "levels": 4}
FILES = {"reader": "edges", "path": "edges.csv"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two measurements of TP53, one of BRCA1, one of a gene without annotation; 40 rows."""
    rows = "\n".join(f"{i},{i % 3},{i % 5},{i % 7},{i % 2}" for i in range(40))
    path = tmp_path / "genes.csv"
    path.write_text(f"TP53=mutation,BRCA1,TP53=amplification,NONE,label\n{rows}\n")
    edges = "cell,repair\ncell,death\nrepair,BRCA1\nrepair,TP53\ndeath,TP53\ndeath,CASP3\n"
    (tmp_path / "edges.csv").write_text(f"parent,child\n{edges}")
    return path


def tabular(path: Path, **options) -> TabularData:
    return TabularData(str(path), val_fraction=0.2, **options)


def test_the_real_set_gives_the_published_sizes(data_root):
    data = Proteomics(str(data_root / "proteomics"), hierarchy=GOLDEN)
    assert data.hierarchy.sizes == (449, 446, 285, 116, 28)
    assert [pairs.shape[1] for _, _, pairs in data.hierarchy.edges] == [2609, 448, 285, 117]
    # A protein's value and its mask are one entity.
    assert data.num_features == 1108
    assert data.hierarchy.report.num_features == 554


def test_features_of_the_hierarchy_are_the_entities_of_the_table(table):
    data = tabular(table, hierarchy=FILES)
    assert data.hierarchy.features == ("TP53", "BRCA1")
    assert data.hierarchy.report.unannotated == ("NONE",)
    assert data.hierarchy is data.hierarchy


def test_files_lie_beside_the_table_or_in_the_working_directory(table, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    assert tabular(table, hierarchy=FILES).hierarchy.sizes == (2, 2, 1)
    (tmp_path / "edges.csv").rename(other / "edges.csv")
    assert tabular(table, hierarchy=FILES).hierarchy.sizes == (2, 2, 1)


def test_named_sets_look_in_the_data_root(tmp_path):
    (tmp_path / "edges.csv").write_text("parent,child\nwords,word_freq_make\nwords,word_freq_all\n")
    data = Spambase(root=str(tmp_path), hierarchy=FILES)
    assert data.hierarchy.features == ("word_freq_make", "word_freq_all")


def test_no_hierarchy_is_none(table):
    data = tabular(table)
    assert data.hierarchy is None
    assert data.hparams["hierarchy"] is None


def test_nothing_of_it_depends_on_rows(table):
    before = tabular(table, hierarchy=FILES).hierarchy
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    assert tabular(table, hierarchy=FILES).hierarchy == before


def test_hyperparameters_hold_plain_data_alone(table, tmp_path):
    described = tabular(table, hierarchy={"reader": "edges", "path": tmp_path / "edges.csv"})
    assert described.hparams["hierarchy"] == {"reader": "edges", "path": str(tmp_path / "edges.csv")}
    assert described.hierarchy.sizes == (2, 2, 1)
    live = tabular(table, hierarchy=described.hierarchy)
    assert "hierarchy" not in {**live.hparams, **live.hparams_initial}
    assert live.hierarchy is described.hierarchy


@pytest.mark.parametrize("saved", [False, True])
def test_a_hierarchy_made_elsewhere_reports_what_matches(table, tmp_path, caplog, saved):
    whole = Hierarchy.from_edges(tmp_path / "edges.csv")
    whole.save(tmp_path / "whole.npz")
    caplog.clear()
    data = tabular(table, hierarchy={"reader": "saved", "path": "whole.npz"} if saved else whole)
    with caplog.at_level(logging.INFO):
        assert data.hierarchy == whole
    assert "2 of the 3 features of" in caplog.text
    assert "(not: NONE); it has 1 of 3 that the table lacks (CASP3)" in caplog.text


def test_a_compiled_hierarchy_is_reported_once(table, caplog):
    with caplog.at_level(logging.INFO):
        data = tabular(table, hierarchy=FILES)
        data.setup()
    reports = [record for record in caplog.records if "in the hierarchy" in record.getMessage()]
    assert len(reports) == 1
    assert "3 given, 2 annotated" in reports[0].getMessage()


MISTAKES = {
    "no such file": ({"reader": "edges", "path": "none.csv"}, "there is no file none.csv in .*; hierarchy.path must"),
    "text": ("edges.csv", "hierarchy is 'edges.csv'; it must be a mapping such as"),
    "cycle": ({"reader": "edges", "path": "cycle.csv"}, "cycle.csv.*cycle"),
    "self-edge": ({"reader": "edges", "path": "self.csv"}, "self.csv line 2"),
    "no feature matches": ({"reader": "edges", "path": "foreign.csv"}, "none of the 3 features"),
    "no feature matches the saved one": ({"reader": "saved", "path": "foreign.json"}, "none of the 3 features of"),
    "empty": ({"reader": "edges", "path": "empty.csv"}, "empty.csv is empty"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_sentence_before_anything_runs(mistake, table, tmp_path):
    (tmp_path / "cycle.csv").write_text("parent,child\na,b\nb,c\nc,a\nc,TP53\n")
    (tmp_path / "self.csv").write_text("parent,child\na,a\na,TP53\n")
    (tmp_path / "foreign.csv").write_text("parent,child\ncell,P08603\ncell,P02671\n")
    (tmp_path / "empty.csv").write_text("")
    Hierarchy.from_edges(tmp_path / "foreign.csv").save(tmp_path / "foreign.json")
    files, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message) as caught:
        tabular(table, hierarchy=files).setup()
    assert "\n" not in str(caught.value)
