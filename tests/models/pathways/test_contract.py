"""What every module must survive: copies, files, compilers, export, half types, and real hierarchies at the start."""

import copy
import io
import pickle

import onnxruntime
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import PathwayNetwork, combined
from axonlight.models.pathways.layer import UnitBatchNorm
from torch import nn

pytestmark = pytest.mark.xdist_group("pathways")  # its fixtures are made once

COLUMNS = ["BRCA1", "TP53", "ATM", "TP53=copies", "age"]
DESIGNS = ["binn", "pnet", "kpnn", "visible"]


def build(small, design="binn", **options):
    options.setdefault("dropout", 0.0)
    return PathwayNetwork(5, 2, small, COLUMNS, design=design, covariates=["age"], **options)


def same(one, two):
    torch.testing.assert_close(
        tuple(one) if isinstance(one, tuple) else one, tuple(two) if isinstance(two, tuple) else two
    )


@pytest.mark.parametrize("design", DESIGNS)
def test_copies_and_states(small, design):
    network, x = build(small, design), torch.randn(6, 5)
    network(x)  # running statistics
    network.eval()
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    loaded = build(small, design).eval()
    loaded.load_state_dict(torch.load(file, weights_only=True))
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), loaded):
        same(other(x), network(x))
        assert other.hierarchy == network.hierarchy
        assert other.edge_table().equals(network.edge_table())


def test_a_state_of_another_hierarchy_is_refused(small):
    network = build(small)
    other = PathwayNetwork(5, 2, small, ["TP53", "BRCA1", "ATM", "TP53=copies", "age"], covariates=["age"])
    with pytest.raises(InputError, match=r"the state of layers\.\w+\.linear belongs to other edges"):
        other.load_state_dict(network.state_dict())


@pytest.mark.parametrize(("design", "options"), [("binn", {}), ("pnet", {"activation": "ash", "units": 2})])
def test_one_compiled_graph(small, design, options):
    network = build(small, design, **options)
    # the generated code of other backends costs half a minute and is torch's own
    compiled = torch.compile(copy.deepcopy(network), fullgraph=True, backend="aot_eager")
    x = torch.randn(6, 5)
    expected, found = network(x), compiled(x)
    torch.testing.assert_close(combined(found), combined(expected), rtol=1e-4, atol=1e-5)
    combined(expected).square().sum().backward()
    combined(found).square().sum().backward()
    for (name, one), other in zip(network.named_parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: name + text)


@pytest.mark.parametrize("options", [{"heads": "last"}, {"heads": "learned"}, {"heads": "exponential"}])
def test_onnx_gives_the_same_outputs(small, options, tmp_path):
    network, x = build(small, **options).eval(), torch.randn(6, 5)
    rows = torch.export.Dim("rows", min=2)
    torch.onnx.export(network, (x,), tmp_path / "network.onnx", dynamo=True, dynamic_shapes=({0: rows},), verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    for samples in (x, torch.randn(11, 5)):
        found = session.run(None, {session.get_inputs()[0].name: samples.numpy()})
        expected = network(samples)
        first = expected if isinstance(expected, torch.Tensor) else expected.outputs
        torch.testing.assert_close(torch.from_numpy(found[0]), first.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_to_half_types(small, design, dtype):
    network, x = build(small, design), torch.randn(16, 5)
    with torch.autocast("cpu", dtype=dtype):
        outputs = combined(network(x))
    exact = combined(copy.deepcopy(network)(x))
    torch.testing.assert_close(outputs.float(), exact, rtol=0.05, atol=0.05)
    outputs.float().square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_in_the_layout_of_sparse_layers(training):
    torch.manual_seed(0)
    ours, theirs = UnitBatchNorm(7).double().train(training), nn.BatchNorm1d(7).double().train(training)
    rows = torch.randn(9, 7, dtype=torch.float64) * 3 + 1
    samples = rows.t().contiguous().t()
    assert samples.stride() == (1, 9)
    for x in (rows, samples, rows.float().half().double()):
        one, two = x.detach().clone(memory_format=torch.preserve_format), x.detach().clone()
        one.requires_grad_()
        two.requires_grad_()
        y, expected = ours(one), theirs(two)
        torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
        assert y.stride() == one.stride()
        y.pow(3).sum().backward()
        expected.pow(3).sum().backward()
        torch.testing.assert_close(one.grad, two.grad, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=1e-12, atol=1e-12)


def test_batch_norm_of_one_sample_is_refused_as_by_torch():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        UnitBatchNorm(3)(torch.randn(3, 1).t())


def test_layers_of_reactome_keep_the_variance(reactome_hierarchy):
    """Identity activations, unit-variance input: over 20 draws every layer's pre-activations have variance near 1."""
    features = len(reactome_hierarchy.features)
    x = torch.randn(64, features)
    options = {"activation": "identity", "norm": "none", "dropout": 0.0}
    found = []
    for draw in range(20):
        torch.manual_seed(draw)
        network = PathwayNetwork(features, 1, reactome_hierarchy, **options)
        with torch.no_grad():
            found.append([y.var(0).mean() for y in network.node_activations(x).values()])
    mean = torch.tensor(found).mean(0)
    assert len(mean) == 5
    assert ((mean > 0.9) & (mean < 1.1)).all(), mean


def test_the_proteomics_network_is_as_wide_as_published(proteomics_hierarchy):
    network = PathwayNetwork(449, 1, proteomics_hierarchy)
    assert [layer.linear.out_features for layer in network.layers.values()] == [446, 285, 116, 28]
    assert [layer.linear.structure.num_edges for layer in network.layers.values()] == [2609, 448, 285, 117]
    assert sum(parameter.numel() for parameter in network.parameters()) == 2609 + 448 + 285 + 117 + 3 * 875 + 29
