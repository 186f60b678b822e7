"""Packed bags: every operation against a loop over patients in float64, empty bags, refusals, moves."""

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models.bags import (
    MultimodalInputs,
    PackedBags,
    pack,
    packed_slides,
    segment_expand,
    segment_mean,
    segment_softmax,
    segment_sum,
    segment_weighted_sum,
    split_bags,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.fabric.utilities import move_data_to_device
from scipy.special import softmax

SIZES = st.lists(st.integers(0, 7), min_size=1, max_size=6)
WITH_AN_EMPTY_BAG = torch.tensor([0, 3, 3, 5])


def values_of(sizes, *shape, scale=1.0):
    generator = torch.Generator().manual_seed(sum(sizes) + len(sizes))
    return scale * torch.randn(sum(sizes), *shape, generator=generator, dtype=torch.float64)


def bounds_of(sizes):
    return torch.tensor([0, *sizes]).cumsum(0)


def patients(values, sizes):
    """Return one NumPy array per bag, cut without the code under test."""
    starts = np.cumsum([0, *sizes])
    return [values.numpy()[start : start + size] for start, size in zip(starts, sizes, strict=False)]


@given(SIZES)
@settings(max_examples=40)
def test_operations_equal_a_loop_over_patients(sizes):
    values, bounds = values_of(sizes, 2, 3), bounds_of(sizes)
    bags = patients(values, sizes)
    sums = np.stack([sum(bag, np.zeros((2, 3))) for bag in bags])
    means = np.stack([sum(bag, np.zeros((2, 3))) / max(len(bag), 1) for bag in bags])
    shares = np.concatenate([softmax(bag, axis=0) if len(bag) else bag for bag in bags])
    np.testing.assert_allclose(segment_sum(values, bounds), sums, atol=1e-12)
    np.testing.assert_allclose(segment_mean(values, bounds), means, atol=1e-12)
    np.testing.assert_allclose(segment_softmax(values, bounds), shares, atol=1e-12)


@given(SIZES)
@settings(max_examples=40)
def test_weighted_sums_and_expansion_equal_a_loop_over_patients(sizes):
    values, weights, bounds = values_of(sizes, 3), values_of(sizes, 4), bounds_of(sizes)
    expected = np.zeros((len(sizes), 4, 3))
    for b, (rows, shares) in enumerate(zip(patients(values, sizes), patients(weights, sizes), strict=True)):
        for row, share in zip(rows, shares, strict=True):
            expected[b] += np.outer(share, row)
    np.testing.assert_allclose(segment_weighted_sum(weights, values, bounds), expected, atol=1e-12)
    per_bag = torch.randn(len(sizes), 2)
    np.testing.assert_array_equal(segment_expand(per_bag, bounds), np.repeat(per_bag.numpy(), sizes, axis=0))


@given(SIZES)
@settings(max_examples=20)
def test_packing_and_splitting_are_inverse(sizes):
    bags = [torch.randn(size, 3) for size in sizes]
    packed = pack(bags)
    assert packed.num_bags == len(sizes)
    assert packed.sizes.tolist() == sizes
    for part, bag in zip(split_bags(*packed), bags, strict=True):
        torch.testing.assert_close(part, bag, rtol=0, atol=0)


@pytest.mark.parametrize("operation", [segment_sum, segment_mean, segment_softmax])
def test_derivatives_with_an_empty_bag(operation):
    values = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: operation(x, WITH_AN_EMPTY_BAG), values)


def test_derivatives_of_weighted_sums_and_expansion():
    weights, values = (torch.randn(5, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda w, x: segment_weighted_sum(w, x, WITH_AN_EMPTY_BAG), (weights, values))
    per_bag = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: segment_expand(x, WITH_AN_EMPTY_BAG), per_bag)


def test_an_empty_bag_gives_zeros():
    values = torch.randn(5, 2)
    for result in (
        segment_sum(values, WITH_AN_EMPTY_BAG),
        segment_mean(values, WITH_AN_EMPTY_BAG),
        segment_weighted_sum(values, values, WITH_AN_EMPTY_BAG),
    ):
        assert not result[1].any()
        assert result[[0, 2]].all()


def test_what_is_not_finite_stays_in_its_bag():
    values = torch.randn(5, 2)
    values[0, 0], values[1, 1] = float("nan"), float("inf")
    for operation in (segment_sum, segment_mean):
        assert torch.isfinite(operation(values, WITH_AN_EMPTY_BAG)[1:]).all()
    assert torch.isfinite(segment_weighted_sum(values, values, WITH_AN_EMPTY_BAG)[1:]).all()
    assert torch.isfinite(segment_softmax(values, WITH_AN_EMPTY_BAG)[3:]).all()


def test_softmax_of_large_values():
    shares = segment_softmax(torch.tensor([1e4, 1e4, -1e4, 3e38, -3e38]), torch.tensor([0, 3, 5]))
    assert shares.tolist() == [0.5, 0.5, 0.0, 1.0, 0.0]


def test_long_bags_are_summed_accurately_in_half_precision():
    values = torch.full((40_000, 1), 0.1, dtype=torch.bfloat16)
    expected = 40_000 * values[0].double()
    torch.testing.assert_close(segment_sum(values, [0, 40_000])[0].double(), expected, rtol=1e-2, atol=0)


def test_lists_of_bounds_do_as_well():
    values = torch.randn(5, 2)
    torch.testing.assert_close(segment_sum(values, [0, 3, 3, 5]), segment_sum(values, WITH_AN_EMPTY_BAG))


@pytest.mark.parametrize("bounds", [[0, 3], [1, 5], [0, 4, 3, 5], [0], []])
def test_bounds_that_are_none_are_refused(bounds):
    with pytest.raises(InputError, match="must run from 0 to the 5 rows"):
        segment_sum(torch.zeros(5, 2), torch.tensor(bounds, dtype=torch.int64))


def test_bags_of_another_width_are_refused_by_name():
    with pytest.raises(InputError, match=r"bag TCGA-2 has shape \(4, 5\)"):
        pack([torch.zeros(2, 3), torch.zeros(4, 5)], names=["TCGA-1", "TCGA-2"])
    with pytest.raises(InputError, match=r"bag 0 has shape \(4,\)"):
        pack([torch.zeros(4)])
    with pytest.raises(InputError, match="bags is empty"):
        pack([])


def test_lightning_moves_batches_as_they_stand():
    bags = pack([torch.ones(2, 3), torch.ones(0, 3)])
    inputs = MultimodalInputs(torch.ones(2, 5), *bags, torch.ones(2, 0), torch.ones(2, 3, dtype=torch.bool))
    moved, moved_bags = move_data_to_device((inputs, bags), torch.device("meta"))
    assert isinstance(moved, MultimodalInputs)
    assert isinstance(moved_bags, PackedBags)
    assert {tensor.device.type for tensor in (*moved, *moved_bags)} == {"meta"}
    assert packed_slides(inputs).sizes.tolist() == [2, 0]
