"""Spurious edges: how many, where, which."""

import numpy as np
import pytest
from axonlight.errors import InputError
from axonlight.structures import Hierarchy, with_spurious_edges

EDGES = [("cell", "repair"), ("cell", "death"), ("repair", "A"), ("repair", "B"), ("death", "C"), ("death", "D")]


def pairs_of(block):
    return set(map(tuple, block.pairs.T.tolist()))


@pytest.mark.parametrize("fraction", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_real_edges_stay_and_the_mask_names_the_others(fraction, seed):
    real = Hierarchy.from_edges(EDGES)
    wider, added = with_spurious_edges(real, fraction, seed)
    assert (wider.layers, wider.nodes) == (real.layers, real.nodes)
    for old, new, mask in zip(real.edges, wider.edges, added, strict=True):
        assert set(map(tuple, new.pairs[:, ~mask].T.tolist())) == pairs_of(old)
        assert not set(map(tuple, new.pairs[:, mask].T.tolist())) & pairs_of(old)
    # the two children of the root are all that there are
    assert [int(mask.sum()) for mask in added] == [round(4 * fraction), 0]
    assert wider == with_spurious_edges(real, fraction, seed).hierarchy
    assert wider.notes[-1] == f"random edges added: fraction {fraction}, seed {seed}"


def test_every_absent_pair_is_added_equally_often():
    real = Hierarchy.from_edges(EDGES)
    drawn = [with_spurious_edges(real, 0.25, seed) for seed in range(800)]
    codes = [tuple(wider.edges[0].pairs[:, added[0]].ravel().tolist()) for wider, added in drawn]
    counts = np.unique(codes, axis=0, return_counts=True)[1]
    assert len(counts) == 4
    assert np.abs(counts / 800 - 0.25).max() < 0.06  # 4 standard errors


@pytest.mark.parametrize(
    ("fraction", "message"),
    [(0.0, "fraction is 0.0; it must be positive"), (1.5, "take at most 1.00"), (0.01, "adds no edge to 6")],
)
def test_unusable_fractions_are_refused(fraction, message):
    with pytest.raises(InputError, match=message):
        with_spurious_edges(Hierarchy.from_edges(EDGES), fraction, 0)
