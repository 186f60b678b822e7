"""Splits against scikit-learn, and what must hold for any of them."""

import numpy as np
import pytest
from axonlight.datamodules.splitting import SplitOptions, assign_groups, split_rows
from axonlight.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

LABELS = np.random.default_rng(0).choice(3, size=500, p=[0.6, 0.3, 0.1])


@pytest.mark.parametrize("seed", [42, 43, 44])
def test_published_split(seed):
    """`train_test_split(test_size=0.2, random_state=seed)` on the rows themselves, as published code calls it."""
    rows = np.arange(4601)
    train, test = train_test_split(rows, test_size=0.2, random_state=seed)
    split = split_rows(4601, SplitOptions(test_fraction=0.2, val_fraction=0, seed=seed))
    assert np.array_equal(split.train, train)
    assert np.array_equal(split.test, test)
    assert len(split.validation) == 0


def test_stratified_and_folds_are_scikit_learns():
    train, test = train_test_split(np.arange(500), test_size=0.25, random_state=7, stratify=LABELS)
    split = split_rows(500, SplitOptions(test_fraction=0.25, val_fraction=0, seed=7), LABELS)
    assert np.array_equal(split.train, train)
    assert np.array_equal(split.test, test)
    for strata, folds in (
        (None, KFold(5, shuffle=True, random_state=7)),
        (LABELS, StratifiedKFold(5, shuffle=True, random_state=7)),
    ):
        for fold, (train, test) in enumerate(folds.split(np.arange(500), strata)):
            split = split_rows(500, SplitOptions(fold=fold, num_folds=5, val_fraction=0, seed=7), strata)
            assert np.array_equal(split.train, train)
            assert np.array_equal(split.test, test)


def _assert_partition(split, num_rows):
    together = np.concatenate([split.train, split.validation, split.test])
    assert sorted(together.tolist()) == list(range(num_rows))


@settings(deadline=None, max_examples=60)
@given(
    num_rows=st.integers(40, 300),
    val_fraction=st.sampled_from([0.0, 0.1, 0.25]),
    fold=st.sampled_from([None, 0, 3]),
    stratify=st.booleans(),
    grouped=st.booleans(),
    seed=st.integers(0, 5),
)
def test_parts_are_disjoint_complete_and_of_the_right_size(num_rows, val_fraction, fold, stratify, grouped, seed):
    labels = np.arange(num_rows) % 2
    groups = np.arange(num_rows) // 2 if grouped else None
    folds = None if fold is None else 4
    options = SplitOptions(val_fraction=val_fraction, fold=fold, num_folds=folds, seed=seed)
    split = split_rows(num_rows, options, labels if stratify else None, groups)
    _assert_partition(split, num_rows)
    slack = 3 if grouped else 1
    assert abs(len(split.test) - num_rows * (0.2 if fold is None else 0.25)) <= slack
    assert abs(len(split.validation) - num_rows * val_fraction) <= slack
    if stratify:
        for part in (split.train, split.test):
            assert abs(labels[part].mean() - 0.5) <= slack / len(part) + 0.02
    if groups is not None:
        parts = [set(groups[part]) for part in (split.train, split.validation, split.test)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
    without = split_rows(
        num_rows,
        SplitOptions(val_fraction=0, fold=fold, num_folds=folds, seed=seed),
        labels if stratify else None,
        groups,
    )
    assert np.array_equal(without.test, split.test)


def test_every_group_is_tested_in_exactly_one_fold():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(23), rng.integers(1, 30, 23))
    labels = rng.integers(0, 2, len(groups))
    tested = []
    for fold in range(5):
        split = split_rows(len(groups), SplitOptions(fold=fold, num_folds=5, val_fraction=0), labels, groups)
        assert not set(groups[split.test]) & set(groups[split.train])
        assert abs(len(split.test) / len(groups) - 0.2) < 0.06
        tested += np.unique(groups[split.test]).tolist()
    assert sorted(tested) == list(range(23))


def test_as_many_folds_as_groups():
    groups = np.repeat(np.arange(6), [1, 50, 3, 3, 20, 2])
    bins = assign_groups(groups, np.full(6, 1 / 6), seed=0, strata=groups % 2, largest_first=True)
    assert len(set(bins)) == 6


def test_every_group_can_come_to_test():
    groups = np.repeat(np.arange(6), [40, 10, 10, 10, 15, 15])
    tested = set()
    for seed in range(40):
        split = split_rows(100, SplitOptions(test_fraction=0.3, val_fraction=0, seed=seed), None, groups)
        tested |= set(groups[split.test])
    assert tested == set(range(6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_fraction": 1.0}, "test_fraction is 1.0; it must be at least 0 and less than 1"),
        ({"val_fraction": -0.1}, "val_fraction is -0.1"),
        ({"test_fraction": 0.6, "val_fraction": 0.4}, "leave no training rows"),
        ({"fold": 1}, "fold is 1, but num_folds is not given"),
        ({"num_folds": 5}, "num_folds is 5, but fold"),
        ({"fold": 5, "num_folds": 5}, "fold is 5; with num_folds 5 it must be 0 to 4"),
        ({"fold": -1, "num_folds": 5}, "fold is -1"),
        ({"fold": 0, "num_folds": 1}, "num_folds is 1; it must be at least 2"),
        ({"fold": 0, "num_folds": 2, "val_fraction": 0.5}, "the share of one fold"),
        ({"seed": -1}, "split_seed is -1"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        SplitOptions(**options)


def test_rows_classes_and_groups_that_do_not_suffice():
    folds = SplitOptions(fold=0, num_folds=5, val_fraction=0)
    with pytest.raises(InputError, match="num_folds is 5, but there are only 4 rows"):
        split_rows(4, folds)
    with pytest.raises(InputError, match="num_folds is 5, but class 1 has only 4"):
        split_rows(20, folds, np.array([1] * 4 + [0] * 16))
    with pytest.raises(InputError, match="num_folds is 5, but there are only 4 groups"):
        split_rows(20, folds, None, np.arange(20) % 4)
    with pytest.raises(InputError, match="test_fraction leaves a part without a group: its 20 rows are only 1 groups"):
        split_rows(20, SplitOptions(), None, np.zeros(20))
    with pytest.raises(InputError, match="stratified split, but class 2 has only 1"):
        split_rows(20, SplitOptions(), np.array([2] + [0, 1] * 9 + [0]))
    with pytest.raises(InputError, match="test_fraction leaves no training rows: it takes 1 of 1 rows"):
        split_rows(1, SplitOptions())
    with pytest.raises(InputError, match="gives 1 rows to one part, fewer than the 2 classes"):
        split_rows(8, SplitOptions(test_fraction=0.1, val_fraction=0), np.arange(8) % 2)
