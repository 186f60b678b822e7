"""ProtoPathway: the published numbers, a naive reference, sites, readings, options."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import ProtoPathway, pack, sites_of
from axonlight.models.fusion import CrossAttention
from axonlight.models.prototypes import kmeans_prototypes
from axonlight.structures import Hierarchy

HERE = Path(__file__).parent


def load(name):
    specification = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


naive, small = load("naive_protopathway"), load("conftest")
ALL = ((1, 1, 1),) * 4


def published(**options):
    options = {"width": 8, "num_prototypes": 3, "clinical_features": 0, "missing": "zeros", **options}
    return small.network_of("attention", **options)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


# Published ---------------------------------------------------------------------------------------------------------


def test_published_configuration_has_479687_parameters():
    hierarchy = Hierarchy.from_edges(small.EDGES)
    network = ProtoPathway(6, 4, hierarchy, patch_features=1536)
    parts = {
        "projection": count(network.slides.projection),
        "prototypes": network.slides.prototypes.numel(),
        "sage": count(network.genes.layers.first) + count(network.genes.layers.second),
        "gat": count(network.genes.layers.attention),
        "attention": count(network.interaction.attention),
        "head": count(network.head.first) + count(network.head.last),
    }
    assert parts == {
        "projection": 196_736, "prototypes": 24_576, "sage": 33_280, "gat": 132_736, "attention": 66_048,
        "head": 24_900,
    }  # fmt: skip
    assert count(network) == 479_687


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_equals_a_naive_reference(dtype, tolerance):
    network = published(fusion_width=6).to(dtype).eval()
    inputs = small.inputs_of((7, 1, 3, 12), ALL, dtype=dtype)
    outputs, attention = naive.forward(network.state_dict(), network.graph, inputs, 4, 2)
    reading = network.read(inputs)
    np.testing.assert_allclose(reading.outputs.detach().numpy(), outputs, rtol=0, atol=tolerance)
    np.testing.assert_allclose(reading.attention.detach().numpy(), attention, rtol=0, atol=tolerance)


def test_cross_attention_equals_that_of_torch():
    ours, theirs = CrossAttention(8, 2).double(), torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    torch.nn.init.normal_(theirs.in_proj_bias)
    torch.nn.init.normal_(theirs.out_proj.bias)
    layers = zip(
        (ours.query, ours.key, ours.value), theirs.in_proj_weight.split(8), theirs.in_proj_bias.split(8), strict=True
    )
    with torch.no_grad():
        for layer, weight, bias in layers:
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        ours.projection.load_state_dict(theirs.out_proj.state_dict())
    queries, keys = (torch.randn(3, size, 8, dtype=torch.float64, requires_grad=True) for size in (4, 10))
    expected = theirs(queries, keys, keys)
    found = ours(queries, keys)
    torch.testing.assert_close(found[0], expected[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(found[1].mean(1), expected[1], rtol=0, atol=1e-12)
    weights = torch.randn_like(found[0])
    gradients = [torch.autograd.grad(out, (queries, keys), weights) for out in (found[0], expected[0])]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-12)


def test_starts_like_the_attention_of_torch():
    torch.manual_seed(0)
    ours, theirs = CrossAttention(128, 2), torch.nn.MultiheadAttention(128, 2)
    assert ours.key.weight.std().item() == pytest.approx(theirs.in_proj_weight.std().item(), rel=0.02)
    assert ours.key.weight.abs().max().item() == pytest.approx(theirs.in_proj_weight.abs().max().item(), rel=0.01)


def test_dropped_shares_take_the_bias_of_the_values_with_them():
    attention = CrossAttention(4, 1, dropout=0.5).double()
    with torch.no_grad():
        for layer in (attention.value, attention.projection):
            layer.weight.copy_(torch.eye(4))
        attention.value.bias.fill_(1.0)
    queries, keys = torch.randn(1, 2, 4, dtype=torch.float64), torch.zeros(1, 64, 4, dtype=torch.float64)
    torch.manual_seed(3)
    out, pattern = attention(queries, keys)
    torch.manual_seed(3)
    shares = torch.nn.functional.dropout(pattern, 0.5)[0, 0].sum(1)
    torch.testing.assert_close(out[0], shares.unsqueeze(1).expand(2, 4))
    assert not torch.allclose(shares, torch.ones_like(shares))


# Prototypes and readings -------------------------------------------------------------------------------------------


def test_permuted_prototypes_permute_rows_of_the_attention_alone():
    network, inputs = published().eval(), small.inputs_of((7, 1, 3, 12), ALL)
    before = network.read(inputs, with_assignments=True)
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        network.slides.prototypes.copy_(network.slides.prototypes[order])
    after = network.read(inputs, with_assignments=True)
    torch.testing.assert_close(after.outputs, before.outputs, rtol=0, atol=1e-6)
    torch.testing.assert_close(after.attention, before.attention[:, order], rtol=0, atol=1e-6)
    torch.testing.assert_close(after.assignments, before.assignments[:, order], rtol=0, atol=1e-6)
    torch.testing.assert_close(after.prototype_gates, before.prototype_gates[:, order], rtol=0, atol=1e-6)


def test_reading_adds_up_and_is_nan_where_a_patient_has_no_such_modality():
    network, inputs = small.network_of("attention").eval(), small.inputs_of()
    reading = network.read(inputs, with_assignments=True)
    rna, slides, _ = inputs.present.unbind(1)
    for values, there in [
        (reading.pathway_gates, rna), (reading.slide_gates, slides), (reading.prototype_gates, rna & slides),
        (reading.attention[:, 1], rna & slides),
    ]:  # fmt: skip
        assert torch.allclose(values[there].sum(1), torch.ones(int(there.sum())))
        assert values[~there].isnan().all()
    genes = torch.zeros(4, 4).index_add(1, torch.from_numpy(network.graph.memberships[1]), reading.gene_weights)
    assert torch.allclose(genes[rna], torch.ones_like(genes[rna]))
    assert reading.mass.sum(1).tolist() == pytest.approx([7, 0, 3, 12], abs=1e-4)
    assert torch.allclose(reading.assignments.sum(1), torch.ones(22))
    assert network.read(inputs).assignments is None
    torch.testing.assert_close(reading.outputs, network(inputs), rtol=0, atol=0)


@pytest.mark.parametrize("fusion", ["concat", "bilinear", "gated"])
def test_readings_of_other_fusions(fusion):
    reading = small.network_of(fusion).eval().read(small.inputs_of())
    assert reading.attention is None
    assert reading.prototype_gates is None
    assert (reading.modality_gates is not None) == (fusion == "gated")


def test_expression_alone_needs_no_slides():
    network = small.network_of("attention", patch_features=0, clinical_features=0).eval()
    rna = torch.randn(3, 6)
    reading = network.read(rna)
    assert reading.outputs.shape == (3, 4)
    assert reading.attention is None
    everything = small.inputs_of(sizes=(2, 2, 2), present=ALL[:3])._replace(rna=rna)
    torch.testing.assert_close(network(everything), reading.outputs)
    assert not [name for name in network.state_dict() if name.startswith(("slides", "interaction"))]


# Sites -------------------------------------------------------------------------------------------------------------


def written(network, site, change):
    def hook(module, arguments, output):
        return change(output.clone())

    return network.get_submodule(sites_of(network)[site].path).register_forward_hook(hook)


def zero(column):
    def change(x):
        x[:, column] = 0
        return x

    return change


def test_pathway_knocked_out_is_as_if_it_were_not_there():
    network, inputs = published().eval(), small.inputs_of((7, 1, 3, 12), ALL)
    place = network.graph.pathways.index("death")
    handle = written(network, "pathways.kept", zero(place))
    found = network.read(inputs)
    handle.remove()
    assert found.attention[:, :, place].abs().max() < 1e-30
    assert found.pathway_gates[:, place].abs().max() == 0
    # the network without that token, put together by hand
    tokens, gates = network.genes(inputs.rna)
    rest = [number for number in range(len(network.graph.pathways)) if number != place]
    slide = network.slides(pack(list(torch.split(inputs.bags, [7, 1, 3, 12]))))
    gate = gates[:, rest] / gates[:, rest].sum(1, keepdim=True)
    attended, _ = network.interaction.attention(slide, tokens[:, rest])
    streams = {
        "pathway": (gate.unsqueeze(2) * tokens[:, rest]).sum(1),
        "attended": (network.interaction.gate(attended).unsqueeze(2) * attended).sum(1),
        "slide": (network.slide_gate(slide).unsqueeze(2) * slide).sum(1),
    }
    torch.testing.assert_close(found.outputs, network.head(streams), rtol=0, atol=1e-6)
    assert not torch.allclose(found.outputs, network(inputs))


def test_prototype_knocked_out_is_as_if_it_were_not_there():
    network, inputs = published().eval(), small.inputs_of((7, 1, 3, 12), ALL)
    handle = written(network, "prototypes.kept", zero(1))
    found = network.read(inputs)
    handle.remove()
    assert found.slide_gates[:, 1].abs().max() == 0
    assert found.prototype_gates[:, 1].abs().max() == 0
    assert torch.allclose(found.prototype_gates.sum(1), torch.ones(4))
    # patches are shared out as before: those of a prototype that is taken out go nowhere else
    torch.testing.assert_close(found.mass, network.read(inputs).mass)
    tokens, rest = network.slides(pack(list(torch.split(inputs.bags, [7, 1, 3, 12])))), [0, 2]
    pathways, gates = network.genes(inputs.rna)
    attended, _ = network.interaction.attention(tokens[:, rest], pathways)
    streams = {
        "pathway": (gates.unsqueeze(2) * pathways).sum(1),
        "attended": (network.interaction.gate(attended).unsqueeze(2) * attended).sum(1),
        "slide": (network.slide_gate(tokens[:, rest]).unsqueeze(2) * tokens[:, rest]).sum(1),
    }
    torch.testing.assert_close(found.outputs, network.head(streams), rtol=0, atol=1e-6)


def test_sites_bear_the_names_of_pathways_and_prototypes():
    network = published()
    sites = sites_of(network)
    assert sites["pathways.gates"].units == network.graph.pathways
    assert sites["prototypes.kept"].units == ("prototype_0", "prototype_1", "prototype_2")
    seen = {}
    inputs = small.inputs_of((7, 1, 3, 12), ALL)
    for name, site in sites.items():
        module = network.get_submodule(site.path)

        def hook(module, arguments, output, name=name, site=site):
            value = arguments[0] if site.side == "input" else output
            seen[name] = site.axes_of(value)
            assert all(site.size(axis) in (None, size) for axis, size in zip(seen[name], value.shape, strict=True))

        module.register_forward_hook(hook)
    network(inputs)
    assert set(seen) == set(sites)


# Options -----------------------------------------------------------------------------------------------------------


def test_one_activation_for_all_places_or_one_per_place():
    network = published(activation="tanh")
    assert [type(item) for item in network.genes.layers.activations] == [torch.nn.Tanh] * 3
    assert isinstance(network.head.activation, torch.nn.Tanh)
    assert network.places == ("first", "second", "attended", "head")
    network = published(activation=["relu", "tanh", "silu", "ash"])
    assert isinstance(network.genes.layers.activations[1], torch.nn.Tanh)
    assert type(network.head.activation).__name__ == "ASH"
    assert isinstance(published(patch_activation="gelu").slides.activation, torch.nn.GELU)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hierarchy": None}, "hierarchy is missing"),
        ({"fusion": "sum"}, "fusion is 'sum'; it must be one of attention, concat, bilinear, gated"),
        ({"missing": "mean"}, "missing is 'mean'"),
        ({"modality_dropout": 1.0}, "modality_dropout is 1.0"),
        ({"attention_heads": 3}, "attention_heads is 3, which does not divide the width 8"),
        ({"feature_names": ["A", "B"]}, "in_features is 6, but feature_names has 2"),
        ({"fusion_width": 0}, "fusion_width is 0"),
        ({"activation": ["relu"]}, "activation lists 1 specs"),
    ],
)
def test_unusable_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        published(**options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rna": torch.zeros(4, 7)}, r"rna has shape \(4, 7\); this network was built for \(patients, 6\)"),
        ({"bags": torch.zeros(22, 4)}, r"bags has shape \(22, 4\)"),
        ({"clinical": torch.zeros(4, 1)}, r"clinical has shape \(4, 1\)"),
        ({"rna": torch.zeros(3, 6)}, "rna has 3 patients, present has 4"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        small.network_of("attention")(small.inputs_of()._replace(**change))


def test_k_means_start_takes_training_patches():
    network = published()
    bags = [torch.randn(20, 5) for _ in range(3)]
    network.slides.initialize(bags)
    expected = kmeans_prototypes(bags, 3).prototypes
    torch.testing.assert_close(network.slides.prototypes.detach(), expected)
