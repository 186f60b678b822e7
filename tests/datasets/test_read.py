"""Reading tables: headers, kinds, damage."""

import gzip

import pandas as pd
import pytest
from axonlight.datasets import check_table, column_names, find_column, read_table
from axonlight.errors import InputError


def _write(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b\n1,2\n", ["a", "b"]),
        ("a,b\nx,y\n", ["a", "b"]),
        ("1,2\n3,4\n", ["column_0", "column_1"]),
        ("5.1,setosa\n4.9,setosa\n", ["column_0", "column_1"]),
        ("id,101\n1,2\n", ["id", "101"]),
        (",a\n1,2\n", ["Unnamed: 0", "a"]),
        ("a;b\n1;2\n", ["a", "b"]),
        ("a\tb\n1\t2\n", ["a", "b"]),
        ('"a, b",c\n1,2\n', ["a, b", "c"]),
        ("\ufeffa,b\n1,2\n", ["a", "b"]),
        ("\n\na,b\n1,2\n", ["a", "b"]),
        (" a , b\n1, 2\n", ["a", "b"]),
    ],
)
@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_header_is_recognised(tmp_path, text, names, name):
    path = _write(tmp_path, text, name)
    assert column_names(path) == names
    frame = read_table(path)
    assert list(frame.columns) == names
    assert len(frame) == (2 if names[0] == "column_0" else 1)


def test_header_can_be_told(tmp_path):
    path = _write(tmp_path, "1,2\n3,4\n")
    assert read_table(path, header=True).columns.tolist() == ["1", "2"]
    path = _write(tmp_path, "a,b\nc,d\n")
    assert read_table(path, header=False).shape == (2, 2)


def test_kinds_agree(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": ["x", "y", "z"]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv.gz", index=False, sep="\t")
    frame.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.tsv.gz", "t.parquet"):
        pd.testing.assert_frame_equal(read_table(tmp_path / name), frame)
        pd.testing.assert_frame_equal(read_table(tmp_path / name, limit_rows=2), frame.iloc[:2])


@pytest.mark.parametrize("name", ["patient", None])
def test_a_parquet_index_is_a_column(tmp_path, name):
    frame = pd.DataFrame({"a": [1.5, 2.5]}, index=pd.Index(["p", "q"], name=name))
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").columns.tolist() == column_names(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").iloc[:, 1].tolist() == ["p", "q"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b"\n\n", "is empty"),
        ("header_only.csv", b"a,b\n", "has no rows"),
        ("twice.csv", b"a,b,a\n1,2,3\n", "more than one column 'a'"),
        ("wide.csv", b"a,b\n1,2,3\n", "2 columns in its first row and 3 in the second"),
        ("ragged.csv", b"a,b\n1,2\n3,4,5\n", "no well-formed table .*line 3"),
        ("truncated.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 50_000, mtime=0)[:200], "truncated or damaged gzip"),
        ("plain.csv.gz", b"a,b\n1,2\n", "truncated or damaged gzip"),
        ("latin.csv", "größe,b\n1,2\n".encode("latin1"), "no UTF-8 text"),
        ("broken.parquet", b"PAR1 but not really", "no readable Parquet"),
        ("table.xlsx", b"PK", "known endings: .csv"),
    ],
)
def test_damage_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_table(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damage_far_behind_the_header(tmp_path):
    import random

    noise = "".join(f"{random.Random(i).random()},1\n" for i in range(5_000))
    data = gzip.compress(("a,b\n" + noise).encode())
    path = tmp_path / "t.csv.gz"
    path.write_bytes(data[: len(data) // 2])
    assert column_names(path) == ["a", "b"]
    with pytest.raises(InputError, match="truncated or damaged gzip"):
        read_table(path)


def test_missing_file_suggests(tmp_path):
    _write(tmp_path, "a\n1\n", "cells.csv")
    with pytest.raises(InputError, match=r"there is no file .*cell\.csv; did you mean cells\.csv\?"):
        read_table(tmp_path / "cell.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path)


def test_find_column():
    assert find_column(["a", "b"], -2, "target", "t.csv") == "a"
    with pytest.raises(InputError, match=r"target is 'sise', which is no column of t.csv; did you mean size\?"):
        find_column(["size", "kind"], "sise", "target", "t.csv")
    with pytest.raises(InputError, match=r"target is 2, but t\.csv has 2 columns"):
        find_column(["size", "kind"], 2, "target", "t.csv")


def test_check_counts(data_root):
    report = check_table(data_root / "tabular" / "spambase.data.gz")
    assert (report.num_rows, report.num_columns, report.duplicate_rows) == (4601, 58, 391)
    assert report.counts == {"0": 2788, "1": 1813}
    assert report.missing_cells == {}
    assert len(report.sha256) == 64


def test_check_reports_holes_and_text(tmp_path):
    report = check_table(_write(tmp_path, "a,b,y\n1,x,0\n,x,1\n,z,1\n"))
    assert report.missing_cells == {"a": 2}
    assert report.text_columns == ("b",)
    assert report.counts == {"1": 2, "0": 1}
    assert "a: 2" in str(report)
