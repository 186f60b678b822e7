"""Tables of one's own: roles of columns, encodings, what is fitted on which rows."""

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.datamodules import TabularData
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

ROWS = 60


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.normal(5, 3, ROWS),
            "kind": rng.choice(["a", "b", "c"], ROWS),
            "patient": np.repeat([f"p{i}" for i in range(ROWS // 3)], 3),
            "constant": 2.0,
            "dose": rng.normal(0, 1e6, ROWS),
            "y": rng.permutation(np.arange(ROWS) % 2),
        }
    )


@pytest.fixture
def table(frame, tmp_path):
    def make(**columns):
        path = tmp_path / "table.csv"
        frame.assign(**columns).to_csv(path, index=False)
        return str(path)

    return make


def test_sizes_and_names_are_known_at_construction(table):
    data = TabularData(table(), categorical=["kind"], group="patient")
    assert data.feature_names == ["size", "constant", "dose", "kind=a", "kind=b", "kind=c", "kind=unknown"]
    assert data.num_features == 7
    assert (data.num_classes, data.class_names) == (2, ["0", "1"])
    assert data.encoder.fitted == {}


@pytest.mark.parametrize("missing", ["error", "median"])
def test_numbers_are_those_of_scikit_learn_in_float64(table, frame, missing):
    size = frame["size"].copy()
    if missing == "median":
        size.iloc[::7] = np.nan
    data = TabularData(table(size=size), numeric=["size", "constant", "dose"], missing=missing)
    x = torch.cat([x for x, _ in data.predict_dataloader()])
    frame = frame.assign(size=size)
    values = frame[["size", "constant", "dose"]].to_numpy()
    imputer = SimpleImputer(strategy="median").fit(values[data.rows.train])
    scaler = StandardScaler().fit(imputer.transform(values[data.rows.train]))
    expected = scaler.transform(imputer.transform(values))
    assert x.dtype == torch.float32
    np.testing.assert_array_equal(x.numpy(), expected.astype(np.float32))
    np.testing.assert_allclose(data.fitted_state()["mean"], scaler.mean_, rtol=1e-12)


def test_nothing_fitted_depends_on_validation_and_test_rows(table, frame):
    options = {"categorical": ["kind"], "group": "patient", "missing": "median", "scale": "standard"}
    before = TabularData(table(), **options)
    state, rows = before.fitted_state(), before.rows
    held_out = np.concatenate([rows.validation, rows.test])
    changed = frame.copy()
    changed.loc[held_out, ["size", "dose", "constant"]] = 1e9
    changed.loc[held_out[:5], "size"] = np.nan
    changed.loc[held_out, "kind"] = "c"
    after = TabularData(table(**{name: changed[name] for name in changed}), **options)
    assert np.array_equal(after.rows.train, rows.train)
    assert after.fitted_state() == state
    # and the test can fail: training rows do matter
    changed.loc[rows.train[0], "size"] = 1e9
    assert TabularData(table(size=changed["size"]), **options).fitted_state() != state


def test_a_level_without_training_rows_is_unknown(table, frame):
    plain = TabularData(table(), categorical=["kind"], group="patient", numeric=["size"])
    kind = frame["kind"].copy()
    kind.iloc[plain.rows.test[:2]] = "rare"
    data = TabularData(table(kind=kind), categorical=["kind"], group="patient", numeric=["size"])
    names = data.feature_names
    assert "kind=rare" in names
    assert "rare" not in data.fitted_state()["levels"]["kind"]
    x = torch.cat([x for x, _ in data.predict_dataloader()])
    assert x[:, names.index("kind=rare")].sum() == 0
    unknown = x[:, names.index("kind=unknown")].nonzero().flatten().tolist()
    assert sorted(unknown) == sorted(plain.rows.test[:2].tolist())
    one_hot = x[:, [names.index(name) for name in names if name.startswith("kind=")]]
    assert torch.equal(one_hot.sum(dim=1), torch.ones(ROWS))


def test_levels_that_are_numbers(table, frame):
    code = pd.Series([1.0, 10.0, 2.0] * 20)
    data = TabularData(table(code=code), target="y", categorical=["code"], numeric=["size"])
    assert data.feature_names == ["size", "code=1", "code=2", "code=10", "code=unknown"]


def test_auto_takes_text_columns(table):
    data = TabularData(table(), categorical="auto", group="patient")
    assert data.feature_names == ["size", "constant", "dose", "kind=a", "kind=b", "kind=c", "kind=unknown"]
    only = TabularData(table(), numeric=["dose"], categorical="auto", group="patient")
    assert only.feature_names == ["dose", "kind=a", "kind=b", "kind=c", "kind=unknown"]


def test_columns_by_index_and_without_header(frame, tmp_path):
    path = tmp_path / "t.data"
    frame[["y", "size", "dose"]].to_csv(path, index=False, header=False)
    data = TabularData(str(path), target=0)
    assert data.feature_names == ["column_1", "column_2"]
    assert TabularData(str(path), target=-3, numeric=[-1]).feature_names == ["column_2"]
    x, y = next(iter(data.predict_dataloader()))
    assert y.tolist() == frame["y"].tolist()
    assert x.shape == (ROWS, 2)


def test_targets(table, frame):
    labels = pd.Series(["low", "mid", "high"] * 20)
    path = table(label=labels)
    options = {"target": "label", "numeric": ["size"]}
    three = TabularData(path, task="multiclass", **options)
    assert (three.num_classes, three.class_names) == (3, ["high", "low", "mid"])
    y = torch.cat([y for _, y in three.predict_dataloader()])
    assert y.dtype == torch.int64
    assert y.tolist() == [["high", "low", "mid"].index(label) for label in labels]
    rest = TabularData(path, positive=["mid", "high"], **options)
    assert (rest.num_classes, rest.class_names) == (2, ["other", "mid or high"])
    y = torch.cat([y for _, y in rest.predict_dataloader()])
    assert y.tolist() == [int(label != "low") for label in labels]
    regression = TabularData(path, target="dose", task="regression", numeric=["size"])
    assert (regression.num_classes, regression.class_names) == (0, [])
    y = torch.cat([y for _, y in regression.predict_dataloader()])
    assert y.dtype == torch.float32
    np.testing.assert_array_equal(y.numpy(), frame["dose"].to_numpy(np.float32))


def test_integer_label_positive(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,cover\n" + "".join(f"{i},{i % 3 + 1}\n" for i in range(30)))
    data = TabularData(str(path), positive=2)
    assert data.class_names == ["other", "2"]
    assert torch.cat([y for _, y in data.predict_dataloader()]).sum() == 10


def test_groups_stay_together(table, frame):
    for fold in range(3):
        data = TabularData(table(), numeric=["size"], group="patient", fold=fold, num_folds=3, val_fraction=0.2)
        parts = [set(frame["patient"].iloc[rows]) for rows in (data.rows.train, data.rows.validation, data.rows.test)]
        assert not parts[0] & parts[1]
        assert not (parts[0] | parts[1]) & parts[2]
        assert sum(map(len, parts)) == ROWS // 3


def test_duplicates_are_counted_or_kept_together(table, frame):
    path = table(size=np.arange(ROWS) // 2 * 1.0, y=np.arange(ROWS) // 2 % 2)
    apart = TabularData(path, numeric=["size"], stratify=False)
    held_out = np.concatenate([apart.rows.validation, apart.rows.test])
    twins = set(apart.rows.train.tolist())
    assert apart.duplicates_across_split == sum((row ^ 1) in twins for row in held_out.tolist()) > 0
    together = TabularData(path, numeric=["size"], keep_duplicates_together=True)
    assert together.duplicates_across_split == 0
    # a chain: rows 1 and 2 of four are of one patient, and copies of rows 0 and 3
    patient = pd.Series([f"{row // 4}{'abbc'[row % 4]}" for row in range(ROWS)])
    chain = TabularData(
        table(size=np.arange(ROWS) // 2 * 1.0, y=np.arange(ROWS) // 2 % 2, patient=patient),
        numeric=["size"],
        group="patient",
        keep_duplicates_together=True,
    )
    assert chain.duplicates_across_split == 0
    assert len(chain.rows.test) % 4 == 0
    assert not set(chain.rows.train // 4) & set(chain.rows.test // 4)


def test_limits(table, frame):
    first = TabularData(table(), numeric=["size"], limit_rows=30)
    assert first.table()["size"].tolist() == pytest.approx(frame["size"][:30].tolist())
    drawn = TabularData(table(), numeric=["size"], limit_rows=30, limit_seed=1)
    index = drawn.table().index
    assert len(index) == 30
    assert index.is_monotonic_increasing
    assert index.max() >= 30
    assert not index.equals(TabularData(table(), numeric=["size"], limit_rows=30, limit_seed=2).table().index)
    assert sum(map(len, (drawn.rows.train, drawn.rows.validation, drawn.rows.test))) == 30


def test_loaders(table, monkeypatch):
    data = TabularData(table(), numeric=["size"], batch_size=16, val_fraction=0)
    assert data.val_dataloader() == []
    assert data.train_dataloader().batch_sizes == [16, 16, 16]
    assert data.test_dataloader().batch_sizes == [12]
    assert [len(x) for x, _ in data.predict_dataloader()] == [16, 16, 16, 12]
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    assert data.train_dataloader().seed == 7
    assert TabularData(table(), numeric=["size"], shuffle_seed=3).train_dataloader().seed == 3
    assert np.array_equal(TabularData(table(), numeric=["size"], val_fraction=0).rows.test, data.rows.test)


def test_setup_reads_once(table, monkeypatch):
    data = TabularData(table(), categorical=["kind"], group="patient")
    reads = []
    original = TabularData.read
    monkeypatch.setattr(TabularData, "read", lambda self, limit=None: reads.append(1) or original(self, limit))
    assert data.num_features == 7
    for stage in ("fit", "validate", "test", "predict"):
        data.setup(stage)
        data.train_dataloader()
    assert len(reads) == 1
    assert data.rows is data.rows


def test_hyperparameters_are_plain(table):
    data = TabularData(table(), categorical=["kind"], group="patient", batch_size=8)
    again = TabularData(**data.hparams)
    assert np.array_equal(again.rows.train, data.rows.train)
    plain = (bool, int, float, str, list, type(None))
    assert all(isinstance(value, plain) for value in data.hparams.values())
