import numpy as np
import pytest
import torch
from axonlight.activations.quantile import sample_quantile
from axonlight.activations.statistics import graph_mean_and_std, reduced_dimensions, sample_statistics
from axonlight.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

SHAPES = [(4, 7), (3, 5, 6), (2, 3, 4, 5), (2, 3, 2, 3, 4)]


def reference(x: torch.Tensor, reduced: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    values = x.numpy()
    return values.mean(axis=reduced, keepdims=True), values.std(axis=reduced, keepdims=True)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(SHAPES),
    st.sampled_from(["sample", "channel", "last"]),
    st.floats(-1e3, 1e3),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**16),
)
def test_equals_numpys_population_statistics(shape, dims, shift, scale, seed):
    if dims == "channel" and len(shape) == 2:
        return
    x = shift + scale * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    mean, std = sample_statistics(x, dims)
    expected_mean, expected_std = reference(x, reduced_dimensions(x, dims))
    np.testing.assert_allclose(mean.numpy(), expected_mean, rtol=1e-10, atol=1e-10 * scale)
    np.testing.assert_allclose(std.numpy(), expected_std, rtol=1e-10)


def test_eps_is_added_to_the_variance():
    _, std = sample_statistics(torch.tensor([[1.0, 3.0]], dtype=torch.float64), eps=0.44)
    assert std.item() == pytest.approx(1.2, abs=1e-12)


@pytest.mark.parametrize(
    ("shape", "channel_dim", "expected"),
    [((2, 3, 4), None, (1,)), ((2, 3, 4), 1, (2,)), ((2, 3, 4, 5), None, (2, 3)), ((2, 3, 4, 5), -1, (1, 2))],
)
def test_units_lie_where_the_layout_or_channel_dim_says(shape, channel_dim, expected):
    assert reduced_dimensions(torch.zeros(shape), "channel", channel_dim) == expected


@pytest.mark.parametrize("dims", ["sample", "channel", "last"])
@pytest.mark.parametrize("seed", range(3))
def test_masked_elements_do_not_exist(dims, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 6, 4, dtype=torch.float64, generator=generator)
    lengths = [6, 2, 4]
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    x[~mask] = 1e6
    mean, std = sample_statistics(x, dims, mask=mask)
    for i, length in enumerate(lengths):
        own_mean, own_std = sample_statistics(x[i : i + 1, :length], dims)
        shown = slice(0, length) if dims == "last" else slice(None)
        torch.testing.assert_close(mean[i, shown], own_mean[0], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(std[i, shown], own_std[0], rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-3, 9), min_size=1, max_size=20), st.sampled_from(["sample", "channel", "last"]))
def test_graph_statistics_equal_one_call_per_graph(labels, dims):
    batch = torch.tensor(labels)
    x = torch.randn(len(labels), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(len(labels)))
    mean, std = (t.expand_as(x) for t in graph_mean_and_std(x, batch, dims, eps=1e-5))
    axis = {"sample": (0, 1), "channel": (0,), "last": (1,)}[dims]
    for label in set(labels):
        rows = (batch == label).numpy()
        own = x.numpy()[rows]
        np.testing.assert_allclose(mean.numpy()[rows], own.mean(axis=axis, keepdims=True) + 0 * own, atol=1e-10)
        expected = np.sqrt(own.var(axis=axis, keepdims=True) + 1e-5)
        np.testing.assert_allclose(std.numpy()[rows], expected + 0 * own, atol=1e-10)


def test_masked_nodes_do_not_count_for_their_graph():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [1e9, 1e9], [7.0, 9.0]], dtype=torch.float64)
    mask = torch.tensor([True, True, False, True])
    mean, _ = sample_statistics(x, batch=torch.tensor([0, 0, 0, 1]), mask=mask)
    assert mean.flatten().tolist() == pytest.approx([2.5, 2.5, 2.5, 8.0])


def test_half_types_are_averaged_in_float32():
    x = torch.full((1, 4096), 1.0, dtype=torch.bfloat16)
    mean, std = sample_statistics(x)
    assert mean.dtype == std.dtype == torch.float32
    assert (mean.item(), std.item()) == (1.0, 0.0)


@pytest.mark.parametrize("z", [-2.0, -0.3, 0.0, 1.1, 6.0])
@pytest.mark.parametrize("dims", ["sample", "channel", "last"])
def test_quantile_equals_numpy(z, dims):
    x = torch.randn(3, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    reduced = reduced_dimensions(x, dims)
    got = sample_quantile(x, torch.tensor([z], dtype=torch.float64), reduced)
    probability = torch.special.ndtr(torch.tensor(z, dtype=torch.float64)).item()
    expected = np.quantile(x.numpy(), probability, axis=reduced, keepdims=True)
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-12)


def test_quantile_with_mask_sees_only_what_counts():
    x = torch.tensor([[3.0, 1.0, 99.0, 2.0], [5.0, 5.0, 5.0, 5.0]], requires_grad=True)
    z = torch.zeros(1, requires_grad=True)
    mask = torch.tensor([[True, True, False, True], [False] * 4])
    value = sample_quantile(x, z, (1,), mask)
    assert value.flatten().tolist() == [2.0, 0.0]
    value.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert z.grad is not None
    assert z.grad.isfinite().all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: sample_statistics(x, "samples"), "dims is 'samples'"),
        (lambda x: sample_statistics(x, "channel"), "dims='channel' leaves nothing"),
        (lambda x: sample_statistics(x[0], "sample"), "dims='sample' leaves nothing"),
        (lambda x: sample_statistics(x, mask=torch.ones(2, 5)), "mask has type torch.float32"),
        (lambda x: sample_statistics(x, mask=torch.ones(3, dtype=torch.bool)), "mask has shape (3,)"),
        (lambda x: sample_statistics(x, mask=torch.ones(2, 5, 1, dtype=torch.bool)), "mask has shape (2, 5, 1)"),
        (lambda x: sample_statistics(x, batch=torch.zeros(3, dtype=torch.int64)), "batch has type torch.int64"),
        (lambda x: sample_statistics(x, batch=torch.zeros(2)), "batch has type torch.float32"),
        (lambda x: sample_statistics(x, "all", batch=torch.zeros(2, dtype=torch.int64)), "dims is 'all'"),
        (lambda x: sample_quantile(x, torch.zeros(5), (1,)), "takes one z"),
    ],
)
def test_misuse_is_refused_in_one_sentence(call, words):
    with pytest.raises(InputError) as error:
        call(torch.zeros(2, 5))
    assert words in str(error.value)
    assert "\n" not in str(error.value)
