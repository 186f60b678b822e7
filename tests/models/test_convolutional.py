"""The convolutional network: sizes, layers, both layouts of its input, sites, refusals."""

import numpy as np
import pytest
import torch
from axonlight.cli import main
from axonlight.errors import InputError
from axonlight.models import ConvolutionalNetwork, sites_of
from torch import nn


@pytest.mark.parametrize(
    ("norm", "parameters"),
    [
        # 9 * 16 + 16 * 9 * 32 weights, two values per channel of a norm or one of a bias, 330 of the end
        ("batch", 144 + 4608 + 2 * 48 + 330),
        ("layer", 144 + 4608 + 2 * 48 + 330),
        ("none", 144 + 4608 + 48 + 330),
    ],
)
def test_parameter_counts(norm, parameters):
    network = ConvolutionalNetwork(64, 10, channels=[16, 32], norm=norm)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_rows_and_images_are_the_same():
    network = ConvolutionalNetwork(3 * 4 * 4, 2, channels=[5], activation="silu", norm="layer")
    images = torch.randn(6, 3, 4, 4)
    assert torch.equal(network(images), network(images.flatten(1)))


def test_equals_the_same_layers_in_numpy():
    """One block without norm on 2 x 2 pixels: each output pixel written out, the largest kept."""
    network = ConvolutionalNetwork(4, 1, channels=[1], activation="tanh", norm="none").double()
    x = torch.randn(3, 4, dtype=torch.float64)
    convolution = network.blocks[0][0]
    kernel, bias = convolution.weight[0, 0].detach().numpy(), convolution.bias.item()
    expected = []
    for image in np.pad(x.numpy().reshape(3, 2, 2), ((0, 0), (1, 1), (1, 1))):
        around = [image[i : i + 3, j : j + 3] for i in (0, 1) for j in (0, 1)]
        pooled = max(np.tanh((kernel * patch).sum() + bias) for patch in around)
        expected.append(pooled * network.output.weight.item() + network.output.bias.item())
    np.testing.assert_allclose(network(x)[:, 0].detach().numpy(), expected, rtol=1e-12)


def test_pooling_ends_at_a_side_of_one():
    network = ConvolutionalNetwork(16, 2, channels=[2, 2, 2, 2], pool="average")
    assert [type(block[3]) for block in network.blocks] == [nn.AvgPool2d] * 2 + [nn.Identity] * 2
    assert network(torch.randn(2, 1, 4, 4)).shape == (2, 2)


@pytest.mark.parametrize(("per", "values"), [("layer", [1, 1]), ("unit", [3, 5])])
def test_activation_parameters_per_block_or_channel(per, values):
    network = ConvolutionalNetwork(64, 2, channels=[3, 5], activation="ash(z=0.5)", activation_parameters=per)
    assert [block[2].z.numel() for block in network.blocks] == values
    network(torch.randn(4, 64)).sum().backward()
    assert all(block[2].z.grad.abs().sum() > 0 for block in network.blocks)


def test_one_spec_per_block():
    network = ConvolutionalNetwork(64, 2, channels=[3, 5], activation=["relu", "formula(x*cos(x))"])
    assert isinstance(network.blocks[0][2], nn.ReLU)
    assert network.blocks[1][2].spec == "formula(x*cos(x))"


def test_a_sample_takes_no_notice_of_its_batch_mates_but_in_batch_norm():
    x = torch.randn(4, 1, 8, 8)
    for norm, expected in (("layer", True), ("none", True), ("batch", False)):
        network = ConvolutionalNetwork(64, 3, activation="ash", norm=norm).double().train()
        alone = network(torch.cat([x[:1], x[:1]]).double())[0]
        assert torch.allclose(network(x.double())[0], alone, atol=1e-12) is expected


def test_sites_are_around_the_activations():
    sites = sites_of(ConvolutionalNetwork(64, 2, channels=[3, 5]))
    assert list(sites) == ["block_0.pre", "block_0.post", "block_1.pre", "block_1.post"]
    assert (sites["block_1.post"].path, sites["block_1.post"].side) == ("blocks.1.2", "output")
    assert sites["block_1.pre"].size("unit") == 5
    assert sites["block_1.pre"].axes == ("batch", "unit", "height", "width")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"in_features": 0}, "in_features is 0"),
        ({"in_features": 50}, "50 pixels are no square"),
        ({"channels": []}, "channels is []"),
        ({"channels": [3, 0]}, "channels is [3, 0]"),
        ({"kernel_size": 2}, "kernel_size is 2"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"norm": "bacth"}, "norm is 'bacth'; it must be 'batch', 'layer' or 'none'"),
        ({"activation": ["relu"]}, "1 specs for 2 blocks"),
        ({"image_shape": [1, 8, 9]}, "image_shape is [1, 8, 9]"),
        ({"image_shape": [8, 8]}, "image_shape is [8, 8]"),
    ],
)
def test_refusals_name_key_and_value(arguments, words):
    with pytest.raises(InputError) as caught:
        ConvolutionalNetwork(**{"in_features": 64, "out_features": 2, **arguments})
    assert words in str(caught.value)


def test_the_command_line_fits_and_tests_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--model.network.activation", "ash(z=0.5)", "--model.network.norm", "layer", "--trainer.max_epochs", "2"]
    assert main(["fit", "--config", "images/digits.yaml", *options, "--trainer.enable_progress_bar", "false"]) == 0
    assert main(["test", "--ckpt_path", "last", "--trainer.enable_progress_bar", "false"]) == 0
    assert "test/accuracy" in capsys.readouterr().out
