"""Averages of weights: the same wherever the callback stands, of copies that nothing stimulates."""

import pytest
import torch
from axonlight.callbacks import Optogenetics
from lab import PULSED, LabTask, assert_same, fitted, hooks_of, network_of, weights
from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging

PROTOCOL = [PULSED | {"phases": ["train", "validate"]}]


class Inspected:
    """Keep the averaged module beyond the run, and how it answers meanwhile."""

    def averaged(self):
        module = self._average_model
        return getattr(module, "module", module)

    def setup(self, trainer, pl_module, stage):
        super().setup(trainer, pl_module, stage)
        self.kept = self.averaged()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        x, untouched = batch[0], network_of()
        untouched.load_state_dict(self.kept.network.state_dict())
        assert torch.equal(self.kept.network(x), untouched(x)), "the averaged network is stimulated"


class InspectedEMA(Inspected, EMAWeightAveraging):
    pass


class InspectedSWA(Inspected, StochasticWeightAveraging):
    pass


AVERAGES = {"EMA": lambda: InspectedEMA(decay=0.7), "SWA": lambda: InspectedSWA(swa_lrs=0.01, swa_epoch_start=1)}


def averaged(folder, kind, first, protocol=PROTOCOL):
    average, callback = AVERAGES[kind](), Optogenetics(protocol) if protocol else None
    order = [each for each in ((average, callback) if first else (callback, average)) if each is not None]
    task = fitted(folder, *order, task=LabTask(network_of(), lr=0.02), max_epochs=3)
    return task, average


@pytest.mark.parametrize("kind", AVERAGES)
def test_order_of_callbacks_does_not_matter(tmp_path, kind):
    before, after = (averaged(tmp_path, kind, first) for first in (True, False))
    untouched, _ = averaged(tmp_path, kind, first=True, protocol=None)
    assert before[0].losses == after[0].losses
    assert_same(weights(before[0]), weights(after[0]))
    assert not torch.equal(before[0].network.readout.weight, untouched.network.readout.weight)
    for task, average in (before, after):
        assert not hooks_of(task)
        assert not [hook for hook in hooks_of(average.kept) if "forward" in hook[1]]


def test_average_is_that_of_the_stimulated_weights(tmp_path):
    """The average by hand over the weights after every step."""

    class Steps(EMAWeightAveraging):
        def on_train_batch_end(self, trainer, pl_module, *arguments):
            super().on_train_batch_end(trainer, pl_module, *arguments)
            seen.append(weights(pl_module))

    seen = []
    task = fitted(tmp_path, Steps(decay=0.7), protocol=PROTOCOL, max_epochs=1)
    expected = seen[0]
    for step in seen[1:]:
        expected = {name: 0.7 * expected[name] + 0.3 * step[name] for name in expected}
    assert_same(weights(task), expected, rtol=1e-5, atol=1e-6)
