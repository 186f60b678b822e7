"""Published splits: files that list by name who trains, validates and tests."""

import logging

import numpy as np
import pandas as pd
import pytest
from axonlight.datamodules import ExpressionData
from axonlight.errors import InputError

SAMPLES = [f"s{number:02}" for number in range(40)]


@pytest.fixture
def folder(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 3))
    frame = pd.DataFrame(values, index=pd.Index(SAMPLES, name="sample"), columns=["G0", "G1", "G2"])
    frame.to_csv(tmp_path / "expression.csv")
    number = np.arange(40)
    labels = pd.DataFrame({"relapse": np.where(number % 3, "no", "yes"), "patient": number // 2}, index=frame.index)
    labels.to_csv(tmp_path / "labels.csv")
    return tmp_path


def made(folder, **options):
    return ExpressionData(str(folder / "expression.csv"), "relapse", str(folder / "labels.csv"), **options)


def write_split(path, **parts):
    path.parent.mkdir(exist_ok=True)
    pd.DataFrame({key: pd.Series(names, dtype=object) for key, names in parts.items()}).to_csv(path)


def names_of(data, rows):
    return [data.sample_names[row] for row in rows]


def test_published_splits_of_two_parts(folder, caplog):
    write_split(folder / "splits" / "splits_0.csv", train=[*SAMPLES[39:9:-1], "gone"], val=SAMPLES[:8])
    write_split(folder / "splits" / "splits_1.csv", train=SAMPLES[:30], val=SAMPLES[30:])
    with caplog.at_level(logging.INFO, "axonlight"):
        data = made(folder, splits=str(folder / "splits"), fold=0, val_fraction=0.2)
        data.setup()
    assert names_of(data, data.rows.test) == SAMPLES[:8]
    both = np.sort(np.concatenate([data.rows.train, data.rows.validation]))
    assert names_of(data, both) == SAMPLES[10:]
    assert len(data.rows.validation) == 8  # a fifth of the 38 samples that the file divides
    assert "22 samples train, 8 validate, 8 test (those it lists as val); of its 39 samples" in caplog.text
    assert "are not in use: 1 unknown (gone); 2 samples that it does not name are in no part (s08, s09)" in caplog.text
    again = made(folder, splits=str(folder / "splits"), fold=1, val_fraction=0)
    assert names_of(again, again.rows.test) == SAMPLES[30:]
    assert len(again.rows.train) == 30
    assert len(again.rows.validation) == 0
    assert ExpressionData(**again.hparams).state_dict() == again.state_dict()


def test_published_splits_of_three_parts(folder):
    path = folder / "splits_7.csv"
    write_split(path, train=SAMPLES[:20], val=SAMPLES[20:28], test=SAMPLES[28:])
    data = made(folder, splits=str(path), limit_rows=36)
    assert names_of(data, data.rows.validation) == SAMPLES[20:28]
    assert names_of(data, data.rows.test) == SAMPLES[28:36]
    write_split(path, train=SAMPLES[:20], val=[], test=SAMPLES[28:])
    data = made(folder, splits=str(path), val_fraction=0.25)
    assert len(data.rows.validation) == 8
    assert set(names_of(data, data.rows.validation)) < set(SAMPLES[:20])


def test_validation_rows_do_not_depend_on_the_order_of_a_list(folder):
    for number, train in enumerate([SAMPLES[10:], SAMPLES[:9:-1]]):
        write_split(folder / "splits" / f"splits_{number}.csv", train=train, val=SAMPLES[:10])
    first, second = (made(folder, splits=str(folder / "splits"), fold=fold).state_dict() for fold in (0, 1))
    assert first == second


def test_a_group_on_both_sides(folder):
    write_split(folder / "splits_0.csv", train=SAMPLES[11:], val=SAMPLES[:11])
    with pytest.raises(InputError, match="puts 1 groups of samples"):
        made(folder, group="patient", splits=str(folder / "splits_0.csv")).setup()


BAD_SPLITS = {
    "both sides": ({"train": SAMPLES[:30], "val": SAMPLES[29:]}, {}, "lists 's29' in train and in val"),
    "twice": ({"train": [*SAMPLES[:30], "s01"], "val": SAMPLES[30:]}, {}, "lists 's01' twice in train"),
    "columns": ({"train": SAMPLES[:30], "valid": SAMPLES[30:]}, {}, "has train, and val or test, or both"),
    "empty": ({"train": [], "val": SAMPLES}, {}, "column 'train' of .* is empty"),
    "others": ({"train": ["x"], "val": SAMPLES}, {}, "none of the 40 samples in use .such as s00, s01. is among"),
    "no fold": ({"train": SAMPLES[:30], "val": SAMPLES[30:]}, {"fold": None}, "fold is not given, but .* the folds 0"),
    "other fold": ({"train": SAMPLES[:30], "val": SAMPLES[30:]}, {"fold": 3}, "fold is 3, but .* holds the folds 0"),
    "folds of two kinds": ({"train": SAMPLES[:30], "val": SAMPLES[30:]}, {"num_folds": 5}, "num_folds is 5, but"),
}


@pytest.mark.parametrize("name", BAD_SPLITS)
def test_bad_splits(folder, name):
    parts, options, message = BAD_SPLITS[name]
    write_split(folder / "splits" / "splits_0.csv", **parts)
    with pytest.raises(InputError, match=message):
        made(folder, **{"splits": str(folder / "splits"), "fold": 0, **options}).setup()


def test_places_without_splits(folder):
    with pytest.raises(InputError, match=r"holds no file named splits_0.csv"):
        made(folder, splits=str(folder), fold=0)
    with pytest.raises(InputError, match="which is neither a file nor a folder"):
        made(folder, splits=str(folder / "nowhere"), fold=0)
    write_split(folder / "splits_0.csv", train=SAMPLES[:30], val=SAMPLES[30:])
    with pytest.raises(InputError, match="fold is 0, but splits is one file"):
        made(folder, splits=str(folder / "splits_0.csv"), fold=0)
