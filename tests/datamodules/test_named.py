"""The named sets on the published files."""

import numpy as np
import pytest
import torch
from axonlight.datamodules import BreastCancer, Covertype, Higgs, Spambase
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def test_sizes_need_no_file(tmp_path):
    for module, features, classes in (
        (Covertype(str(tmp_path)), 54, 2),
        (Covertype(str(tmp_path), classes="all"), 54, 7),
        (Higgs(str(tmp_path)), 28, 2),
        (Spambase(str(tmp_path)), 57, 2),
        (BreastCancer(), 30, 2),
    ):
        assert (module.num_features, module.num_classes) == (features, classes)
        assert len(module.feature_names) == features
        assert len(module.class_names) == classes


def test_breast_cancer_offline(monkeypatch):
    monkeypatch.delenv("AXONLIGHT_DATA", raising=False)
    data = BreastCancer(split_seed=3)
    data.prepare_data()
    data.setup()
    bunch = load_breast_cancer()
    y = torch.cat([y for _, y in data.predict_dataloader()])
    assert y.tolist() == bunch.target.tolist()
    assert data.duplicates_across_split == 0


@pytest.mark.parametrize("seed", [42, 43, 44])
def test_published_protocol_on_spambase(data_root, seed):
    """Unstratified 80/20, scaler on training rows: rows and numbers of the published code."""
    import pandas as pd

    values = pd.read_csv(data_root / "tabular" / "spambase.data.gz", header=None).to_numpy()
    x_train, x_test, y_train, y_test = train_test_split(values[:, :-1], values[:, -1], test_size=0.2, random_state=seed)
    scaler = StandardScaler().fit(x_train)
    data = Spambase(str(data_root), split_seed=seed, stratify=False, val_fraction=0, batch_size=10_000)
    x, y = next(iter(data.test_dataloader()))
    np.testing.assert_array_equal(x.numpy(), scaler.transform(x_test).astype(np.float32))
    assert y.tolist() == y_test.tolist()
    x, y = next(iter(data.train_dataloader()))
    assert len(y) == len(y_train) == 3680
    order = np.lexsort(x.numpy().T)
    expected = scaler.transform(x_train).astype(np.float32)
    np.testing.assert_array_equal(x.numpy()[order], expected[np.lexsort(expected.T)])


def test_spambase_duplicates(data_root, caplog):
    import pandas as pd

    frame = pd.read_csv(data_root / "tabular" / "spambase.data.gz", header=None)
    assert frame.duplicated().sum() == 391
    data = Spambase(str(data_root), split_seed=42, stratify=False, val_fraction=0)
    with caplog.at_level("INFO"):
        data.setup()
        data.setup()
    training = set(map(tuple, frame.iloc[data.rows.train].to_numpy().tolist()))
    expected = sum(tuple(row) in training for row in frame.iloc[data.rows.test].to_numpy().tolist())
    assert data.duplicates_across_split == expected > 0
    reports = [record for record in caplog.messages if "repeat a training row" in record]
    assert len(reports) == 1
    assert f"{expected} of 921 validation and test rows" in reports[0]
    together = Spambase(str(data_root), keep_duplicates_together=True)
    assert together.duplicates_across_split == 0
    assert abs(len(together.rows.test) - 920) <= 5


def test_covertype_targets(data_root):
    binary, seven = Covertype(str(data_root)), Covertype(str(data_root), classes="all")
    assert binary.class_names == ["other", "Lodgepole Pine"]
    y_binary = torch.cat([y for _, y in binary.predict_dataloader()])
    y_seven = torch.cat([y for _, y in seven.predict_dataloader()])
    assert y_binary.dtype == torch.int64
    assert int(y_binary.sum()) == 7292
    assert torch.equal(y_binary, (y_seven == 1).long())
    assert torch.bincount(y_seven).tolist() == [5487, 7292, 931, 67, 238, 466, 519]


def test_constant_columns_stay_finite(data_root):
    """Two soil types never occur in the sample: their standard deviation is 0."""
    data = Covertype(str(data_root))
    x = torch.cat([x for x, _ in data.predict_dataloader()])
    constant = x.std(dim=0) == 0
    assert constant.any()
    assert torch.isfinite(x).all()
    assert (x[:, constant] == 0).all()


def test_stratified_folds_cover_higgs(data_root):
    tested = [Higgs(str(data_root), fold=fold, num_folds=5).rows.test for fold in range(5)]
    assert sorted(np.concatenate(tested).tolist()) == list(range(10_984))
