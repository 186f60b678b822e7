"""ASH as a module: its parameters, what it refuses, and the tools that modules pass through."""

import copy
import io
import pickle

import pytest
import torch
from axonlight.activations import ASH, ash, percentile_to_z
from axonlight.errors import InputError


def normal(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


# --- parameters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trainable", "expected"), [(True, {"z", "raw_alpha"}), (False, set()), ("z", {"z"}), ("alpha", {"raw_alpha"})]
)
def test_fixed_values_are_buffers_and_stay_in_the_checkpoint(trainable, expected):
    module = ASH(z=0.7, alpha=2.0, trainable=trainable)
    assert {name for name, _ in module.named_parameters()} == expected
    assert set(module.state_dict()) == {"z", "raw_alpha"}
    x = normal(3, 5, dtype=torch.float32)
    module(x.requires_grad_()).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in module.parameters())
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("alpha", [1e-6, 0.5, 1.0, 19.0, 21.0, 1e6])
def test_alpha_starts_where_it_was_put_and_stays_positive(alpha):
    module = ASH(alpha=alpha)
    assert module.alpha.item() == pytest.approx(alpha, rel=1e-5)
    with torch.no_grad():
        module.raw_alpha.fill_(-50.0)
    assert module.alpha.item() > 0


def test_named_groups_share_a_threshold():
    names = ["signal", "cycle", "signal", "cycle"]
    grouped = ASH(dims="last", groups=names).double()
    single = ASH(dims="last", num_parameters=4).double()
    with torch.no_grad():
        grouped.z.copy_(torch.tensor([0.1, 0.9]))
        single.z.copy_(torch.tensor([0.1, 0.9, 0.1, 0.9]))
    x = normal(5, 4)
    assert grouped.group_names == ("signal", "cycle")
    torch.testing.assert_close(grouped(x), single(x), atol=0, rtol=0)
    grouped(x).square().sum().backward()
    single(x).square().sum().backward()
    torch.testing.assert_close(grouped.z.grad, single.z.grad.view(2, 2).sum(0), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dims": "all"}, "dims is 'all'; it must be one of 'sample', 'channel', 'last'"),
        ({"mode": "soft"}, "mode is 'soft'"),
        ({"threshold": "median"}, "threshold is 'median'"),
        ({"trainable": "eps"}, "trainable is 'eps'"),
        ({"alpha": 0.0}, "alpha is 0.0; it must be positive"),
        ({"alpha": float("inf")}, "alpha is inf"),
        ({"z": float("nan")}, "z is nan"),
        ({"eps": 0.0}, "eps is 0.0"),
        ({"negative_slope": 1.0}, "negative_slope is 1.0"),
        ({"num_parameters": 0}, "num_parameters is 0"),
    ],
)
def test_misuse_is_refused_in_one_sentence(options, words):
    with pytest.raises(InputError) as error:
        ASH(**options)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: ASH(dims="channel")(x), "dims='channel' leaves nothing"),
        (lambda x: ash(x, mode="soft"), "mode is 'soft'"),
        (lambda x: ash(x, threshold="exact"), "threshold is 'exact'"),
        (lambda x: ash(x, threshold="quantile", batch=torch.zeros(2, dtype=torch.int64)), "takes no batch"),
        (lambda x: percentile_to_z(100), "percent is 100"),
    ],
)
def test_misuse_in_a_call_is_refused(call, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        call(torch.zeros(2, 5))


# --- tools that modules pass through --------------------------------------------------------------------------


def test_copies_and_pickles_compute_the_same():
    module, x = ASH(z=0.4, num_parameters=5, trainable="z"), normal(3, 5, dtype=torch.float32)
    expected = module(x)
    assert torch.equal(copy.deepcopy(module)(x), expected)
    assert torch.equal(pickle.loads(pickle.dumps(module))(x), expected)
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    buffer.seek(0)
    other = ASH(num_parameters=5)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other(x), expected)


@pytest.mark.parametrize("layout", ["transposed", "channels_last", "sliced", "expanded"])
def test_memory_layout_does_not_matter(layout):
    x = normal(2, 4, 6, 6)
    x = {
        "transposed": x.transpose(1, 3),
        "channels_last": x.to(memory_format=torch.channels_last),
        "sliced": x[:, ::2, :, 1:],
        "expanded": x[:, :1].expand(2, 4, 6, 6),
    }[layout]
    copied = x.contiguous().requires_grad_()
    x = x.detach().requires_grad_()
    for tensor in (x, copied):
        ash(tensor, 0.2, 0.9).square().sum().backward()
    torch.testing.assert_close(ash(x, 0.2, 0.9), ash(copied, 0.2, 0.9), atol=1e-12, rtol=0)
    torch.testing.assert_close(x.grad, copied.grad, atol=1e-12, rtol=0)


def test_empty_batch_passes():
    x = torch.zeros(0, 5, requires_grad=True)
    ash(x).sum().backward()
    assert x.grad.shape == (0, 5)


@pytest.mark.parametrize(("rows", "kept"), [(8, 2), (20, 1)])
def test_a_large_input_and_its_statistics_alone_are_kept_for_backward(rows, kept):
    # of a small input (2^18 elements) the gate is kept too
    x, sizes = normal(rows, 128, 128).requires_grad_(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
        ASH().double()(x)
    assert sum(sizes) <= kept * x.numel() + 2 * rows + 8


def test_small_and_large_inputs_take_paths_that_agree():
    small = normal(4, 200).requires_grad_()
    module = ASH(z=0.3, alpha=0.8).double()
    large = torch.cat([small.detach(), normal(2000, 200)]).requires_grad_()
    weight = normal(4, 200).flip(0)
    (module(small) * weight).sum().backward()
    expected = [small.grad, *(parameter.grad.clone() for parameter in module.parameters())]
    module.zero_grad()
    (module(large)[:4] * weight).sum().backward()
    got = [large.grad[:4], *(parameter.grad for parameter in module.parameters())]
    torch.testing.assert_close(got, expected, atol=1e-12, rtol=1e-12)
