"""What the tests of arms share: small data, small networks, and one run trained alone."""

import torch
from axonlight.datamodules import FewShotSequences
from axonlight.models import AttentionOnlyTransformer
from axonlight.stimulation import Clock, Conductor
from axonlight.stimulation.arms import ArmData
from axonlight.stimulation.freezing import Freezer
from torch.nn import functional as F

BATCH = 16
RATE = 3e-3
PHASES = ["train", "validate"]
ONLY_HEAD_1 = {"target": {"site": "blocks.1.attention.v", "heads": [0]}, "opsin": "silence", "phases": PHASES}
# The arms of the clamping study on a network of two heads per layer, and one of each other kind.
CLAMPS = {
    "none": [ONLY_HEAD_1],
    "attention": [
        ONLY_HEAD_1,
        {"target": {"site": "blocks.0.attention.pattern", "heads": [1]}, "opsin": "previous_token"},
    ],
    "match": [ONLY_HEAD_1, {"target": {"site": "blocks.1.attention.pattern", "heads": [1]}, "opsin": "induction"}],
    "layer 1": [
        ONLY_HEAD_1,
        {"target": "blocks.0.residual", "opsin": {"kind": "copy", "site": "embedding"}},
        {"target": "blocks.1.attention.key_input", "opsin": {"kind": "copy", "site": "embedding", "shift": 1}},
    ],
    "copy": [
        ONLY_HEAD_1,
        {"target": "logits", "opsin": {"kind": "copy_scores", "site": "blocks.1.attention.scores", "head": 1}},
    ],
    "free": None,
}


def small_transformer():
    return AttentionOnlyTransformer(12, 5, num_heads=2, head_width=4).double()


def sequences_data():
    """Few-shot sequences with 12 features in float64."""
    module = FewShotSequences(
        train_classes=10, new_classes=6, batch_size=BATCH, epoch_sequences=64, evaluation_sequences=40
    )
    data = ArmData.build(module)
    train, all_of_them = (features[:, :12].double() for features in (module.train_features, module.features))
    return ArmData(data.read, data.inputs, data.evaluators, {"features": train}, {"features": all_of_them}, 4)


def table_data():
    """Rows with three features and two classes, in float64."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(64, 3, generator=generator, dtype=torch.float64)
    return ArmData.from_rows(x, (x[:, 0] * x[:, 1] > 0).long(), batch_size=BATCH)


def alone(factory, protocol, seed, data, updates, rate=RATE):
    """Train one run with the ordinary hooks and torch's own Adam; return the network and its losses."""
    torch.manual_seed(seed)
    network = factory().train()
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    conductor = None if protocol is None else Conductor(protocol, network, seed)
    losses = []
    if conductor is not None:
        conductor.install()
    for update in range(updates):
        batch = {name: value[0] for name, value in data.read(seed, update, update + 1).items()}
        freezer = Freezer()
        if conductor is not None:
            tokens = 5 * BATCH if "labels" in batch else BATCH
            conductor.freezes = False
            loss = losses[-1] if losses else None
            conductor.begin(Clock(update, update // 4, update * BATCH, update * tokens, loss), batch)
        loss = F.cross_entropy(network(*data.arguments(batch, training=True)), batch["target"])
        optimizer.zero_grad()
        loss.backward()
        if conductor is not None and conductor.freezes:
            freezer.hold(optimizer)
        optimizer.step()
        freezer.release(optimizer)
        if conductor is not None:
            conductor.end()
        losses.append(loss.item())
    if conductor is not None:
        conductor.remove()
    return network, losses


def difference(first, second):
    """Return the largest difference between the tensors of two networks."""
    one, other = first.state_dict(), second.state_dict()
    assert list(one) == list(other)
    return max((value.double() - other[name].double()).abs().max().item() for name, value in one.items())
