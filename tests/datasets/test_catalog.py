"""The catalogue agrees with the published files and with scikit-learn."""

import subprocess
import sys
from pathlib import Path

import pytest
from axonlight.datasets import NAMED_SETS, data_root, find_local, find_set, load_set
from axonlight.errors import InputError


def test_import_is_instant():
    heavy = "torch", "lightning", "pandas", "numpy", "sklearn", "pyarrow"
    code = f"import sys, axonlight.datasets; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "features", "full_rows"), [("covertype", 54, 581_012), ("higgs", 28, 98_049), ("spambase", 57, 4_601)]
)
def test_published_sizes(name, features, full_rows):
    named = find_set(name)
    assert (named.num_features, named.num_rows) == (features, full_rows)
    assert len(set(named.feature_names)) == features
    assert len(named.class_names) == len(named.labels)


def test_breast_cancer_is_that_of_scikit_learn():
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    named = find_set("breast_cancer")
    assert list(named.feature_names) == list(bunch.feature_names)
    assert list(named.class_names) == list(bunch.target_names)
    frame = load_set(named)
    assert (frame.to_numpy()[:, :-1] == bunch.data).all()
    assert (frame[named.target] == bunch.target).all()


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    bunch = load_digits()
    named = find_set("digits")
    assert list(named.feature_names) == list(bunch.feature_names)
    frame = load_set(named, limit_rows=100)
    assert (frame.to_numpy()[:, :-1] == bunch.data[:100]).all()
    assert (frame[named.target] == bunch.target[:100]).all()


@pytest.mark.parametrize(("name", "file"), [("covertype", "forest_cover.csv.gz"), ("higgs", "higgs.csv.gz")])
def test_names_are_those_of_the_files(data_root, name, file):
    import gzip

    with gzip.open(data_root / "tabular" / file, "rt") as stream:
        header = stream.readline().strip().split(",")
    assert header == [*find_set(name).feature_names, find_set(name).target]


@pytest.mark.parametrize(
    ("name", "shape", "first_class_share"),
    [("covertype", (15_000, 55), 5487), ("higgs", (10_984, 29), 5163), ("spambase", (4_601, 58), 2788)],
)
def test_local_files(data_root, name, shape, first_class_share):
    named = find_set(name)
    for root in (data_root, data_root / "tabular"):
        frame = load_set(named, root)
        assert frame.shape == shape
        assert int((frame[named.target].astype(str) == named.labels[0]).sum()) == first_class_share


def test_unknown_name_suggests():
    with pytest.raises(InputError, match=r"no data set 'spambas'; did you mean spambase\?"):
        find_set("spambas")
    assert find_set("Breast-Cancer") is NAMED_SETS["breast_cancer"]


def test_root_must_exist(monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"data\.root is '/nowhere'"):
        data_root("/nowhere")
    monkeypatch.setenv("AXONLIGHT_DATA", "/nowhere")
    with pytest.raises(InputError, match="AXONLIGHT_DATA is '/nowhere'"):
        data_root()
    monkeypatch.delenv("AXONLIGHT_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_root() == tmp_path / "axonlight"
    assert not (tmp_path / "axonlight").exists()


def test_local_file_goes_before_fetched_one(tmp_path):
    named = find_set("spambase")
    (tmp_path / "spambase.parquet").touch()
    assert find_local(named, tmp_path) == tmp_path / "spambase.parquet"
    (tmp_path / "tabular").mkdir()
    (tmp_path / "tabular" / "spambase.data.gz").touch()
    assert find_local(named, tmp_path) == Path(tmp_path / "tabular" / "spambase.data.gz")


def test_file_of_another_set_is_refused(tmp_path):
    (tmp_path / "spambase.data").write_text("1,2,3\n4,5,6\n")
    with pytest.raises(InputError, match="has 3 columns; spambase has 57 features and one target"):
        load_set(find_set("spambase"), tmp_path)
    names = [*find_set("higgs").feature_names[::-1], "energy"]
    (tmp_path / "higgs.csv").write_text(",".join(names) + "\n" + ",".join("1" * 29) + "\n")
    with pytest.raises(InputError, match=r"last column of .* is 'energy'; for higgs it is 'label'"):
        load_set(find_set("higgs"), tmp_path)
