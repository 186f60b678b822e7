"""Tables with a set of genes per column."""

import re

import pandas as pd
import pytest
from axonlight.errors import InputError
from axonlight.structures import Hierarchy, read_hierarchy


@pytest.mark.parametrize(("name", "number"), [("xena", 281), ("hallmarks", 50), ("combine", 331)])
def test_published_signatures(data_root, name, number):
    path = data_root / "tcga" / f"{name}_signatures.csv"
    genes = pd.read_csv(data_root / "tcga" / "blca_rna.csv.gz", index_col=0, nrows=0).columns.tolist()
    table = pd.read_csv(path)
    assert table.shape[1] == number
    expected = {title: set(table[title].dropna().str.strip()) for title in table.columns}
    hierarchy = read_hierarchy({"reader": "signatures", "path": path.name}, folders=[path.parent])
    assert {title: set(hierarchy.children(title)) for title in hierarchy.nodes[1]} == expected
    assert hierarchy.report.rows == table.notna().to_numpy().sum()
    measured = Hierarchy.from_signatures(path, features=genes)
    found = {title: set(measured.children(title)) for title in measured.nodes[1]}
    assert found == {title: members & set(genes) for title, members in expected.items() if members & set(genes)}


def test_all_members_of_the_xena_sets_are_measured(data_root):
    genes = pd.read_csv(data_root / "tcga" / "stad_rna.csv.gz", index_col=0, nrows=0).columns.tolist()
    hierarchy = Hierarchy.from_signatures(data_root / "tcga" / "xena_signatures.csv", features=genes)
    assert (hierarchy.sizes[1], hierarchy.num_edges) == (281, 2635)


BAD = {
    "no name": ("A,\nTP53,EGFR\n", "column 2 has no name"),
    "no genes": ("A,B\nTP53,\nEGFR,\n", "column 2 has no genes"),
    "twice": ("A,B,A\nTP53,EGFR,KRAS\n", "column 3 repeats the set A of column 1"),
    "cell too many": ("A,B\nTP53,EGFR,KRAS\n", "line 2 has 3 cells where line 1 has 2"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    text, message = BAD[name]
    path = tmp_path / "signatures.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)):
        Hierarchy.from_signatures(path)
