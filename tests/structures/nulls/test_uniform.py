"""Draws are uniform over what they may be: against lists of all possibilities, by chi-square."""

from collections import Counter
from itertools import combinations, permutations, product

import numpy as np
import pytest
from axonlight.structures import EdgeBlock
from axonlight.structures.nulls.curveball import Wires, is_nested, trade
from axonlight.structures.nulls.label_bins import quantile_bins
from axonlight.structures.nulls.random_stream import RandomStream, distinct_places
from scipy.stats import chisquare

COPIES = 3000


def matrices_of(rows, columns):
    """Every matrix of zeros and ones with these sums."""
    choices = [list(combinations(range(len(columns)), degree)) for degree in rows]
    wanted = {column: degree for column, degree in enumerate(columns) if degree}
    return [
        frozenset((row, place) for row, places in enumerate(chosen) for place in places)
        for chosen in product(*choices)
        if Counter(place for places in chosen for place in places) == wanted
    ]


def traded(start, fixed, seed, rounds):
    """COPIES draws at once: each copy of the matrix is a block of its own."""
    edges = sorted(start)
    pairs = np.array(edges).T
    wires = Wires.of([EdgeBlock(0, 1, pairs)] * COPIES)
    stays = np.tile([edge in fixed for edge in edges], COPIES)
    draws = wires.pairs(*trade(wires, stays, rounds, RandomStream(seed)))
    return Counter(frozenset(map(tuple, draw.T.tolist())) for draw in draws)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [((2, 1, 1), (2, 1, 1)), ((2, 2, 1), (1, 2, 1, 1)), ((1, 1, 1, 1), (1, 1, 1, 1)), ((3, 2, 1, 1), (2, 2, 2, 1))],
)
@pytest.mark.parametrize("place", [0, -1])
def test_trades_are_uniform_over_all_matrices_with_these_sums(rows, columns, place):
    possible = matrices_of(rows, columns)
    counts = traded(possible[place], set(), seed=1, rounds=20)
    assert set(counts) == set(possible)
    assert chisquare([counts[matrix] for matrix in possible]).pvalue > 1e-3


def test_a_few_rounds_are_not_enough():
    # The test above can fail: after one round the start is still seen.
    possible = matrices_of((3, 2, 1, 1), (2, 2, 2, 1))
    counts = traded(possible[0], set(), seed=1, rounds=1)
    assert chisquare([counts[matrix] for matrix in possible]).pvalue < 1e-3


def test_trades_around_fixed_edges_are_uniform_over_what_is_left():
    possible = matrices_of((2, 2, 1, 1), (2, 2, 1, 1))
    start = possible[0]
    fixed = set(sorted(start)[:2])
    left = [matrix for matrix in possible if fixed <= matrix]
    counts = traded(start, fixed, seed=2, rounds=20)
    assert len(left) > 3
    assert set(counts) == set(left)
    assert chisquare([counts[matrix] for matrix in left]).pvalue > 1e-3


def test_nested_matrices_are_those_without_another_of_their_sums():
    sums = [(rows, columns) for rows in product(range(4), repeat=3) for columns in product(range(4), repeat=3)]
    some = 0
    for rows, columns in sums:
        possible = matrices_of(rows, columns) if sum(rows) == sum(columns) else []
        if possible:
            some += 1
            assert is_nested(np.array(rows), np.array(columns)) == (len(possible) == 1)
    assert some > 100


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_sets_of_places_are_uniform(count):
    rows, places = distinct_places(np.full(6000, count), 5, RandomStream(3))
    assert np.array_equal(rows, np.repeat(np.arange(6000), count))
    found = Counter(map(tuple, places.reshape(6000, count).tolist()))
    possible = list(combinations(range(5), count))
    assert set(found) == set(possible)
    assert chisquare([found[places] for places in possible]).pvalue > 1e-3


@pytest.mark.parametrize("counts", [[0, 3, 1], [0, 0, 0], [7, 0, 7], [7, 4, 3]])
def test_every_row_gets_as_many_places_as_it_wants(counts):
    rows, places = distinct_places(np.array(counts), 7, RandomStream(4))
    assert np.bincount(rows, minlength=3).tolist() == counts
    assert len(set(zip(rows.tolist(), places.tolist(), strict=True))) == sum(counts)


def test_permutations_are_uniform():
    stream = RandomStream(5)
    found = Counter(tuple(stream.permutation(4).tolist()) for _ in range(6000))
    assert chisquare([found[order] for order in permutations(range(4))]).pvalue > 1e-3


def test_streams_differ_by_purpose_and_their_words_are_known():
    assert RandomStream(1, "a").words(2).tolist() != RandomStream(1, "b").words(2).tolist()
    assert RandomStream(1, "a").words(2).tolist() == [8403051725444198284, 5159807062136593476]


@pytest.mark.parametrize(("size", "bins"), [(100, 4), (101, 25), (7, 10)])
def test_bins_hold_equally_many(size, bins):
    values = np.random.default_rng(0).permutation(size).astype(float)
    found = quantile_bins(values, bins)
    sizes = np.bincount(found)[np.unique(found)]
    assert len(sizes) == min(size, bins)
    assert np.ptp(sizes) <= 1
    assert np.array_equal(found[np.argsort(values)], np.sort(found))


def test_equal_values_share_a_bin_and_missing_ones_have_their_own():
    found = quantile_bins(np.array([1, 1, 1, 1, 1, 2, np.nan, 3, np.nan]), 3)
    assert len(set(found[:5])) == 1
    assert found[6] == found[8]
    assert found[6] not in found[[0, 5, 7]]
