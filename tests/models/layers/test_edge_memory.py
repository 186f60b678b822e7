"""What a training step of EdgeLinear allocates, counted by torch's profiler."""

import itertools

import numpy as np
import pytest
import torch
from axonlight.models import EdgeLinear
from torch import nn
from torch.profiler import profile

INPUTS, OUTPUTS, BATCH = 9229, 1387, 10
DENSE_BYTES = 4 * INPUTS * OUTPUTS


def layer_of(count, backend):
    chosen = np.random.default_rng(0).choice(INPUTS * OUTPUTS, count, replace=False)
    return EdgeLinear(torch.tensor(np.stack([chosen % INPUTS, chosen // INPUTS])), INPUTS, OUTPUTS, backend=backend)


def peak_bytes(network):
    """Return the most that a forward and backward pass holds at once on top of what exists before it."""
    x = torch.randn(BATCH, INPUTS, requires_grad=True)
    network(x).sum().backward()
    with profile(profile_memory=True) as record:
        network(x).sum().backward()
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    sizes = (event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))
    return max(itertools.accumulate(sizes, initial=0))


@pytest.mark.parametrize("backend", ["auto", "bag", "csr"])
def test_a_step_holds_what_edges_and_features_need(backend):
    # Input and output, each with its gradient in two orders, and a few vectors of one number per edge.
    features = 4 * 5 * BATCH * (INPUTS + OUTPUTS)
    for count in (5_000, 20_000, 80_000):
        assert peak_bytes(layer_of(count, backend)) < features + 4 * 8 * count < DENSE_BYTES / 5


@pytest.mark.parametrize("backend", ["bag", "csr"])
def test_memory_grows_by_the_edges_added(backend):
    few, many = (peak_bytes(layer_of(count, backend)) for count in (40_000, 80_000))
    assert 4 * 40_000 < many - few < 4 * 8 * 40_000


def test_a_dense_layer_is_seen_to_need_more():
    assert peak_bytes(nn.Linear(INPUTS, OUTPUTS)) > DENSE_BYTES
    assert peak_bytes(layer_of(20_000, "dense")) > DENSE_BYTES


def test_state_and_optimizer_hold_numbers_for_edges_alone():
    layer = layer_of(20_000, "auto")
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.randn(BATCH, INPUTS)).sum().backward()
    optimizer.step()
    moments = [value for state in optimizer.state.values() for value in state.values() if value.ndim]
    assert sum(value.numel() for value in moments) == 2 * (20_000 + OUTPUTS)
    assert sum(value.numel() for value in layer.state_dict().values()) == 20_000 + OUTPUTS + 1
    structure = sum(field.numel() * field.element_size() for field in layer.structure)
    assert structure <= 4 * (7 * 20_000 + INPUTS + OUTPUTS + 2)
