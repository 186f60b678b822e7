"""The encoder: published size, bags as sets in any batch, empty bags, pieces, precision, penalties, refusals."""

import copy

import pytest
import torch
from axonlight.activations import replace_activations
from axonlight.errors import InputError
from axonlight.models import PrototypeEncoder, auxiliary_losses, find_sites, pack
from axonlight.models.prototypes import CosineAssignment, SinkhornAssignment
from jsonargparse import ArgumentParser
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

RULES = ["cosine", "sinkhorn", "gaussian_mixture(iterations=2)", "slot", "student_t"]
SIZES = [7, 1, 0, 40, 3]
PRECISIONS = {torch.float32: 1e-6, torch.float64: 1e-12}


def encoder_of(rule="cosine", dtype=torch.float64, **options):
    torch.manual_seed(3)
    return PrototypeEncoder(6, width=5, num_prototypes=4, assignment=rule, **options).to(dtype)


def bags_of(sizes=SIZES, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(size, 6, generator=generator, dtype=torch.float64).to(dtype) for size in sizes]


def gradients(encoder, bags, loss=lambda tokens: tokens.square().sum()):
    encoder.zero_grad()
    loss(encoder(pack(bags))).backward()
    return {name: parameter.grad.clone() for name, parameter in encoder.named_parameters()}


def assert_close(found, expected, tolerance):
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=tolerance, atol=tolerance * (1 + value.abs().max().item()))


def test_published_size():
    encoder = PrototypeEncoder(1536)
    sizes = {name: parameter.numel() for name, parameter in encoder.named_parameters()}
    assert sizes == {"prototypes": 24_576, "projection.weight": 196_608, "projection.bias": 128}


def test_published_formula():
    encoder = encoder_of()
    bag = bags_of([9])[0]
    with torch.no_grad():
        patches, prototypes = encoder.projection(bag), encoder.projection(encoder.prototypes)
        shares = (torch.cosine_similarity(patches[:, None], prototypes[None], dim=-1) / 0.1).softmax(1)
        expected = torch.stack([(column[:, None] * patches).sum(0) / column.sum() for column in shares.T])
        torch.testing.assert_close(encoder(pack([bag]))[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("rule", RULES)
def test_a_patient_alone_and_in_a_batch(rule, dtype):
    encoder, bags = encoder_of(rule, dtype), bags_of(dtype=dtype)
    together = encoder.read(pack(bags), with_weights=True)
    alone = [encoder.read(pack([bag]), with_weights=True) for bag in bags]
    tolerance = PRECISIONS[dtype]
    for field in ("tokens", "mass", "weights"):
        parts = torch.cat([getattr(reading, field) for reading in alone])
        torch.testing.assert_close(getattr(together, field), parts, rtol=tolerance, atol=tolerance)
    sums = [gradients(encoder, [bag]) for bag in bags]
    added = {name: sum(item[name] for item in sums) for name in sums[0]}
    assert_close(gradients(encoder, bags), added, 10 * tolerance)


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_patches_changes_nothing_but_the_order_of_shares(rule):
    encoder, bags = encoder_of(rule), bags_of([40, 11])
    orders = [torch.randperm(len(bag)) for bag in bags]
    before = encoder.read(pack(bags), with_weights=True)
    after = encoder.read(pack([bag[order] for bag, order in zip(bags, orders, strict=True)]), with_weights=True)
    torch.testing.assert_close(after.tokens, before.tokens, rtol=0, atol=1e-12)
    shuffled = torch.cat([before.weights[:40][orders[0]], before.weights[40:][orders[1]]])
    torch.testing.assert_close(after.weights, shuffled, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_prototypes_changes_the_order_of_tokens_alone(rule):
    encoder, bags, order = encoder_of(rule), pack(bags_of()), torch.tensor([2, 0, 3, 1])
    before = encoder(bags)
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.shape[0] == 4 and "projection" not in str(parameter.shape):
                parameter.copy_(parameter[order])
    torch.testing.assert_close(encoder(bags), before[:, order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("sizes", [[0], [0, 0], [5, 0]])
@pytest.mark.parametrize("rule", RULES)
def test_an_empty_bag_gives_zeros_and_finite_gradients(rule, sizes):
    encoder = encoder_of(rule, usage=0.1, sharpening=0.1, diversity=0.1)
    tokens = encoder(pack(bags_of(sizes)))
    assert not tokens[-1].any()
    (tokens.square().sum() + sum(encoder.auxiliary_losses().values())).backward()
    for parameter in encoder.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize("rule", RULES)
def test_every_parameter_learns(rule):
    assert all(gradient.any() for gradient in gradients(encoder_of(rule), bags_of()).values())


@pytest.mark.parametrize("activation", ["identity", "tanh"])
@pytest.mark.parametrize("rule", RULES)
def test_pieces_change_nothing(rule, activation):
    options = {"activation": activation, "sharpening": 0.3, "usage": 0.2}
    whole, pieces = (encoder_of(rule, checkpoint_patches=most, **options) for most in (0, 8))
    both = [
        gradients(item, bags_of(), lambda x, e=item: x.square().sum() + sum(e.auxiliary_losses().values()))
        for item in (whole, pieces)
    ]
    assert_close(both[1], both[0], 1e-12)
    whole.eval(), pieces.eval()
    reading, same = (item.read(pack(bags_of()), with_weights=True) for item in (whole, pieces))
    torch.testing.assert_close(same, reading, rtol=0, atol=1e-12)


def kept_bytes(encoder, bags):
    """Return the bytes that autograd keeps of a forward pass, less parameters and the features themselves."""
    seen = {tensor.untyped_storage().data_ptr(): 0 for tensor in (bags.features, *encoder.parameters())}

    def pack_hook(tensor):
        storage = tensor.untyped_storage()
        seen.setdefault(storage.data_ptr(), storage.nbytes())
        held.append(tensor)  # so that no later tensor takes its place in memory
        return tensor

    held = []
    with saved_tensors_hooks(pack_hook, lambda tensor: tensor):
        tokens = encoder(bags)
    assert tokens.requires_grad
    return sum(seen.values())


@pytest.mark.parametrize(("rule", "share"), [("cosine", 0.2), ("slot", 0.15), ("gaussian_mixture(iterations=4)", 0.15)])
def test_pieces_keep_little_between_forward_and_backward(rule, share):
    bags = pack([torch.randn(size, 64, dtype=torch.float16) for size in (1900, 100)])  # as a cache holds them
    most, least = (
        kept_bytes(PrototypeEncoder(64, 16, 4, rule, activation="tanh", checkpoint_patches=limit), bags)
        for limit in (0, 200)
    )
    assert least < share * most


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types(rule, dtype):
    reference, bags = encoder_of(rule, torch.float32).eval(), bags_of(dtype=torch.float32)
    expected = reference(pack(bags))
    exact = reference(pack([bag.to(dtype) for bag in bags]))
    with torch.autocast("cpu", dtype=dtype):
        under_autocast = reference(pack(bags))
    whole = copy.deepcopy(reference).to(dtype)(pack([bag.to(dtype) for bag in bags]))
    assert (exact.dtype, under_autocast.dtype, whole.dtype) == (torch.float32, torch.float32, dtype)
    for found in (exact, under_autocast, whole.float()):
        # shares of near ties may tip over; most of a token may not
        assert (found - expected).abs().median() < 0.03
        assert torch.isfinite(found).all()


def test_activation_and_sites():
    encoder = encoder_of(activation="ash(z=0.5)", rule="slot(activation=swish)")
    assert encoder.activation.built_from_spec
    assert [site.name for site in find_sites(encoder, ["projection.post", "tokens"])] == ["projection.post", "tokens"]
    assert len(replace_activations(encoder, "gelu").replaced) == 2
    assert isinstance(encoder.assignment.activation, nn.GELU)


def test_rules_by_class_and_factory():
    assert isinstance(encoder_of(SinkhornAssignment).assignment, SinkhornAssignment)
    rule = encoder_of(lambda width, count: CosineAssignment(width, count, temperature=0.7)).assignment
    assert (rule.temperature, rule.width, rule.num_prototypes) == (0.7, 5, 4)
    assert encoder_of("cosine", temperature=0.4).assignment.temperature == 0.4
    assert encoder_of("sinkhorn(temperature=0.2)", temperature=0.4).assignment.temperature == 0.2


def test_penalties_are_weighted_named_and_handed_over_once():
    network = nn.Sequential(nn.Identity(), encoder_of(diversity=2.0, usage=3.0, sharpening=5.0))
    network(pack(bags_of()))
    copy.deepcopy(network)  # though a graph hangs on what is pending
    assert list(auxiliary_losses(network)) == ["1.diversity", "1.usage", "1.sharpening"]
    assert auxiliary_losses(network) == {}
    network.eval()(pack(bags_of()))
    assert auxiliary_losses(network) == {}
    assert auxiliary_losses(encoder_of()) == {}


def test_usage_counts_patients_alike_and_training_alone():
    encoder, bags = encoder_of(), bags_of([40, 2, 0])
    masses = [encoder.read(pack([bag])).mass[0] / max(len(bag), 1) for bag in bags]
    torch.testing.assert_close(encoder.take_usage(), sum(masses).detach())
    encoder.eval()(pack(bags))
    assert not encoder.take_usage().any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"in_features": 0}, "in_features is 0"),
        ({"num_prototypes": 0}, "num_prototypes is 0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"usage": -1.0}, "usage is -1.0"),
        ({"checkpoint_patches": -1}, "checkpoint_patches is -1"),
        ({"assignment": "cosin"}, "did you mean 'cosine'"),
        ({"assignment": "slot(rounds=3)"}, "slot takes iterations, hidden, activation, noise"),
        ({"assignment": "sinkhorn(3)"}, "each written as option=value"),
        ({"assignment": "slot("}, "write a name or name"),
        ({"assignment": "sinkhorn(balance=2)"}, "balance is 2"),
        ({"assignment": "sinkhorn(iterations=0)"}, "iterations is 0"),
        ({"assignment": "gaussian_mixture(prior=0)"}, "prior is 0"),
        ({"assignment": "student_t(freedom=-1)"}, "freedom is -1"),
        ({"assignment": "slot(noise=-1)"}, "noise is -1"),
        ({"assignment": "student_t(freedom=many)"}, "cannot be built"),
        ({"assignment": lambda width, count: nn.Identity()}, "makes a Identity"),
    ],
)
def test_refusals_name_key_and_value(options, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        PrototypeEncoder(**({"in_features": 6, "width": 5} | options))


def test_patches_of_another_width_are_refused():
    with pytest.raises(InputError, match=r"shape \(3, 7\); this encoder was built for \(N, 6\)"):
        encoder_of()(pack([torch.zeros(3, 7)]))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--assignment", "slot"], ("SlotAssignment", "iterations", 3)),
        (["--assignment", "sinkhorn(iterations=3)"], ("SinkhornAssignment", "iterations", 3)),
        (["--assignment", "StudentTAssignment", "--assignment.freedom", "4"], ("StudentTAssignment", "freedom", 4)),
    ],
)
def test_rules_from_the_command_line(given, expected):
    parser = ArgumentParser()
    parser.add_class_arguments(PrototypeEncoder, "encoder")
    arguments = ["--encoder.in_features", "6", *(item.replace("--", "--encoder.") for item in given)]
    rule = parser.instantiate(parser.parse_args(arguments)).encoder.assignment
    name, option, value = expected
    assert (type(rule).__name__, getattr(rule, option)) == (name, value)
