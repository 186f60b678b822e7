"""The attention-only transformer: against a second implementation, in all its forms, and as a set of sites."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import AttentionOnlyTransformer, attention_patterns, find_sites, head_accuracies, sites_of
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

SPEC = importlib.util.spec_from_file_location("attention_reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reference)

SITES_OF_ATTENTION = ("q", "k", "v", "scores", "pattern", "head_output", "output")


def build(seed=0, dtype=torch.float32, **options):
    torch.manual_seed(seed)
    torch.set_default_dtype(dtype)
    network = AttentionOnlyTransformer(**{"in_features": 12, "out_features": 5, **options})
    for parameter in network.parameters():  # no bias may stay 0, no gain 1
        parameter.data += 0.1 * torch.randn_like(parameter)
    torch.set_default_dtype(torch.float32)
    return network


def batch(rows=6, dtype=torch.float32, pairs=2):
    generator = torch.Generator().manual_seed(1)
    numbers = torch.randint(0, 7, (rows, pairs + 1), generator=generator)
    labels = torch.randint(0, 5, (rows, pairs), generator=generator)
    return numbers, labels, torch.randn(7, 12, generator=generator, dtype=torch.float64).to(dtype)


def captured(network, numbers, labels, features):
    found, handles = {}, []
    for name, site in sites_of(network).items():

        def keep(_module, _inputs, output, name=name):
            found[name] = output.detach()

        handles.append(network.get_submodule(site.path).register_forward_hook(keep))
    network(numbers, labels, features)
    for handle in handles:
        handle.remove()
    return found


def test_published_size():
    network = AttentionOnlyTransformer(512, 5)
    assert sum(parameter.numel() for parameter in network.parameters()) == 66_629
    assert {name.split(".")[0] for name, _ in network.named_buffers()} == {"blocks"}
    assert not [name for name in network.state_dict() if "rotary" in name or "mask" in name]


@pytest.mark.parametrize(("pairs", "head_width"), [(2, 8), (4, 6), (12, 8)])
def test_every_site_equals_the_second_implementation(pairs, head_width):
    network = build(dtype=torch.float64, num_layers=3, num_heads=4, head_width=head_width)
    numbers, labels, features = batch(3, torch.float64, pairs)
    found = captured(network, numbers, labels, features)
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    compared = 0
    for row in range(3):
        expected = reference.reference_forward(weights, features[numbers[row]].numpy(), labels[row].numpy(), heads=4)
        for name, value in expected.items():
            ours = found[name][row].numpy()
            if name.endswith("scores"):  # above the diagonal they are computed, and masked afterwards
                ours, value = np.tril(ours), np.tril(value)
            np.testing.assert_allclose(ours, value, rtol=0, atol=1e-12, err_msg=name)
            compared += 1
    assert compared == 3 * (2 + 3 * 8)


def test_initial_values():
    network = AttentionOnlyTransformer(512, 500)
    assert network.blocks[1].attention.qkv.weight.std().item() == pytest.approx(1 / 8, rel=0.02)
    assert network.exemplar_embedding.weight.std().item() == pytest.approx(512**-0.5, rel=0.02)
    labels = network.label_embedding.weight
    assert labels.abs().max() <= 0.04
    # a normal of deviation 0.02 cut off at two deviations
    assert labels.std().item() == pytest.approx(0.02 * math.sqrt(0.7737), rel=0.02)
    assert not network.readout.bias.any()


@pytest.mark.parametrize("kind", ["explicit", "fused"])
def test_class_numbers_equal_features(kind):
    network = build(attention=kind)
    numbers, labels, features = batch()
    torch.testing.assert_close(network(numbers, labels, features), network(features[numbers], labels))


def test_explicit_equals_fused():
    explicit, fused = build(attention="explicit"), build(attention="fused")
    numbers, labels, features = batch()
    difference = explicit(numbers, labels, features) - fused(numbers, labels, features)
    assert difference.abs().max() < 1e-6


@pytest.mark.parametrize("site", ["pattern", "q", "scores", "head_output", "output", "query_input"])
def test_the_last_layer_computes_other_queries_only_where_they_are_read(site):
    network = build(dtype=torch.float64)
    numbers, labels, features = batch(dtype=torch.float64)
    network.zero_grad()
    short = network(numbers, labels, features)
    short.sum().backward()
    gradients = [parameter.grad.clone() for parameter in network.parameters()]
    shapes = []
    module = network.get_submodule(f"blocks.1.attention.{site}")
    handle = module.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape))
    network.zero_grad()
    whole = network(numbers, labels, features)
    whole.sum().backward()
    handle.remove()
    assert 5 in shapes[0][1:3]  # all five positions, along "position" or "query"
    torch.testing.assert_close(short, whole, rtol=0, atol=1e-12)
    for ours, parameter in zip(gradients, network.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad, rtol=0, atol=1e-11)
    lengths = []
    residual = network.blocks[1].residual
    original, residual.forward = residual.forward, lambda x: (lengths.append(x.shape[1]), original(x))[1]
    network(numbers, labels, features)
    assert lengths == [1]


@pytest.mark.parametrize("written", ["query_input", "key_input", "value_input"])
def test_three_inputs_equal_one(written):
    network = build(dtype=torch.float64)
    numbers, labels, features = batch(dtype=torch.float64)
    expected = network(numbers, labels, features)
    for layer in (0, 1):
        module = network.get_submodule(f"blocks.{layer}.attention.{written}")
        module.register_forward_hook(lambda module, inputs, output: output.clone())
    torch.testing.assert_close(network(numbers, labels, features), expected, rtol=0, atol=1e-12)


def test_keys_that_see_the_token_before():
    """The ideal first layer: keys shifted by one, queries and values raw, all by sites before the layer norm."""
    network = build(dtype=torch.float64)
    numbers, labels, features = batch(dtype=torch.float64)
    seen = {}
    network.embedding.register_forward_hook(lambda module, inputs, output: seen.update(raw=output))
    network.blocks[0].residual.register_forward_hook(lambda module, inputs, output: seen["raw"])
    network.blocks[1].attention.key_input.register_forward_hook(
        lambda module, inputs, output: torch.cat([seen["raw"][:, :1], seen["raw"][:, :-1]], dim=1)
    )
    found = captured(network, numbers, labels, features)
    attention, raw = network.blocks[1].attention, seen["raw"]
    normed = attention.norm(raw)
    shifted = attention.norm(torch.cat([raw[:, :1], raw[:, :-1]], dim=1))
    query, key, value = attention.qkv.weight.detach().split(64)
    split = lambda x: x.unflatten(-1, (8, 8)).transpose(1, 2)  # noqa: E731
    for name, expected in [
        ("q", attention.rotary(split(normed @ query.T))),
        ("k", attention.rotary(split(shifted @ key.T))),
        ("v", split(normed @ value.T)),
    ]:
        torch.testing.assert_close(found[f"blocks.1.attention.{name}"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("site", ["scores", "pattern"])
def test_what_is_written_above_the_diagonal_has_no_effect(site):
    network = build(dtype=torch.float64)
    numbers, labels, features = batch(dtype=torch.float64)
    expected = network(numbers, labels, features)
    above = torch.ones(5, 5, dtype=torch.bool).triu(1)
    for block in network.blocks:
        module = block.attention.get_submodule(site)
        module.register_forward_hook(lambda module, inputs, output: output.masked_fill(above, 3.0))
    torch.testing.assert_close(network(numbers, labels, features), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("hooked", [False, True])
def test_one_graph(hooked):
    torch.compiler.reset()
    network = build()
    if hooked:
        network.blocks[1].attention.v.register_forward_hook(lambda module, inputs, output: output * 0.5)
    numbers, labels, features = batch()
    expected = network(numbers, labels, features)
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(network, backend=count, fullgraph=True)
    for _ in range(3):
        torch.testing.assert_close(compiled(numbers, labels, features), expected)
    assert len(graphs) == 1


@pytest.mark.parametrize("kind", ["explicit", "fused"])
def test_stacked_networks_equal_each_alone(kind):
    networks = [build(seed, torch.float64, attention=kind) for seed in range(3)]
    numbers, labels, features = batch(dtype=torch.float64)
    target = labels[:, 0]
    parameters, buffers = stack_module_state(networks)
    skeleton = build(7, torch.float64, attention=kind).to("meta")

    def loss(parameters, buffers, numbers):
        return F.cross_entropy(functional_call(skeleton, (parameters, buffers), (numbers, labels, features)), target)

    rolled = torch.stack([numbers.roll(shift, 0) for shift in range(3)])
    gradients = vmap(grad(loss))(parameters, buffers, rolled)
    for place, network in enumerate(networks):
        F.cross_entropy(network(rolled[place], labels, features), target).backward()
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(gradients[name][place], parameter.grad, rtol=0, atol=1e-12)


def test_bf16_stays_close():
    network = build()
    numbers, labels, features = batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = network(numbers, labels, features)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), network(numbers, labels, features), atol=0.1, rtol=0.1)


def test_sites_are_named_in_the_order_of_the_computation():
    names = list(sites_of(build()))
    one = [f"attention.{name}" for name in ("query_input", "key_input", "value_input", *SITES_OF_ATTENTION)]
    assert names == [
        "embedding",
        *(f"blocks.{layer}.{name}" for layer in (0, 1) for name in [*one, "residual"]),
        "logits",
    ]
    found = captured(build(), *batch())
    for name, site in sites_of(build()).items():
        axes = site.axes_of(found[name])
        assert all(site.size(axis) in (None, found[name].shape[place]) for place, axis in enumerate(axes)), name


@pytest.mark.parametrize("pattern", ["blocks.1.attention.pattern", "*.scores"])
def test_fused_attention_says_why_it_has_no_pattern(pattern):
    assert find_sites(build(), pattern)
    with pytest.raises(InputError, match="attention 'fused' never computes it"):
        find_sites(build(attention="fused"), pattern)


def test_patterns_and_single_heads():
    network = build()
    numbers, labels, features = batch(40)
    patterns = attention_patterns(network, numbers, labels, features)
    assert [tuple(pattern.shape) for pattern in patterns] == [(40, 8, 5, 5)] * 2
    torch.testing.assert_close(patterns[1].sum(-1), torch.ones(40, 8, 5))
    target = labels[:, 1]
    ours = head_accuracies(network, numbers, labels, target, features)
    # by weights instead of values: a head whose columns of the projection are 0 says nothing
    weight = network.blocks[1].attention.projection.weight
    kept = weight.detach().clone()
    for head in range(8):
        with torch.no_grad():
            weight.zero_()
            weight[:, head * 8 : head * 8 + 8] = kept[:, head * 8 : head * 8 + 8]
        alone = (network(numbers, labels, features).argmax(-1) == target).float().mean()
        assert ours[head] == alone
    assert len(set(ours.tolist())) > 1
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"in_features": 0}, "in_features is 0"),
        ({"num_layers": 0}, "num_layers is 0"),
        ({"num_heads": 0}, "num_heads is 0"),
        ({"head_width": 7}, "head_width is 7"),
        ({"attention": "flash"}, "attention is 'flash'"),
    ],
)
def test_refusals_name_key_and_value(options, words):
    with pytest.raises(InputError) as caught:
        AttentionOnlyTransformer(**{"in_features": 12, "out_features": 5, **options})
    assert words in str(caught.value)


def test_refuses_what_is_no_sequence():
    network, (numbers, labels, features) = build(max_positions=5), batch()
    with pytest.raises(InputError, match="3 exemplars and 3 labels"):
        network(numbers, numbers, features)
    with pytest.raises(InputError, match="features of the classes were not given"):
        network(numbers, labels)
    with pytest.raises(InputError, match="a sequence has 9 tokens; max_positions is 5"):
        network(*batch(pairs=4))
    with pytest.raises(InputError, match="layer is 2, but the network has 2 layers"):
        head_accuracies(network, numbers, labels, labels[:, 0], features, layer=2)
    with pytest.raises(InputError, match="attention is 'fused'"):
        attention_patterns(build(attention="fused"), numbers, labels, features)
