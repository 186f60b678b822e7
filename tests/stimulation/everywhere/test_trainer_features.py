"""Stimuli beside what trainers do: accumulation, clipping, checkpoints, several protocols, other processes."""

import copy
import pickle

import pytest
import torch
from axonlight.callbacks import Optogenetics
from lab import (
    CLOSE,
    PULSED,
    SILENCE,
    LabTask,
    assert_same,
    fitted,
    loader_of,
    network_of,
    weights,
)
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

DRIVE = {"target": {"site": "activation", "units": [0, 3]}, "opsin": {"kind": "drive", "amount": 1.5}, "name": "drive"}
INTERLEAVED = {**DRIVE, "light": {"probability": 0.5}}


def double_task():
    return LabTask(network_of(dtype=torch.float64))


@pytest.mark.parametrize("stimulus", [PULSED, INTERLEAVED], ids=["pulsed", "interleaved"])
def test_accumulated_batches_equal_large_ones(tmp_path, stimulus):
    """Light stands still over the parts of an update, and every sample keeps its own draw."""
    large = fitted(tmp_path, protocol=[stimulus], task=double_task(), loader=loader_of(torch.float64, 8))
    parts = loader_of(torch.float64, 4)
    small = fitted(tmp_path, protocol=[stimulus], task=double_task(), loader=parts, accumulate_grad_batches=2)
    assert len(small.losses) == 2 * len(large.losses)
    for left, right in zip(small.gradients, large.gradients, strict=True):
        assert_same(left, right, **CLOSE)


def test_clipping_acts_on_the_gradients_of_the_stimulated_network(tmp_path):
    free = fitted(tmp_path, protocol=[SILENCE, DRIVE], task=double_task(), max_steps=1)
    clipped = fitted(tmp_path, protocol=[SILENCE, DRIVE], task=double_task(), max_steps=1, gradient_clip_val=1e-3)
    norm = torch.cat([gradient.flatten() for gradient in free.gradients[0].values()]).norm()
    seen = {name: p.grad for name, p in clipped.network.named_parameters()}
    expected = {name: gradient * 1e-3 / (norm + 1e-6) for name, gradient in free.gradients[0].items()}
    assert_same(seen, expected, rtol=1e-8, atol=1e-14)


def test_two_protocols_each_keep_their_state(tmp_path):
    names = ["first", "second"]
    callbacks = [Optogenetics([stimulus], name=name) for stimulus, name in zip([PULSED, DRIVE], names, strict=True)]
    assert len({callback.state_key for callback in callbacks}) == 2
    saved = ModelCheckpoint(tmp_path, save_last=True)
    task = fitted(tmp_path, *callbacks, saved, task=double_task(), enable_checkpointing=True)
    assert_same(weights(task), weights(fitted(tmp_path, protocol=[PULSED, DRIVE], task=double_task())))
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    kept = [key for key in checkpoint["callbacks"] if key.startswith("Optogenetics")]
    assert sorted(kept) == sorted(callback.state_key for callback in callbacks)
    assert not [name for name in checkpoint["state_dict"] if not name.startswith("network.")]


def test_checkpoints_hold_the_network_alone(tmp_path):
    """The network's parameters are those of an unstimulated one: a checkpoint loads without any protocol."""
    saved = ModelCheckpoint(tmp_path, save_last=True)
    task = fitted(tmp_path, saved, protocol=[SILENCE], enable_checkpointing=True)
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    fresh = LabTask(network_of())
    fresh.load_state_dict(state)
    assert_same(weights(fresh), weights(task))


class Copies(Callback):
    """Copy and pickle the stimulated network in the middle of training."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        x, network = batch[0], pl_module.network
        untouched = network_of()
        untouched.load_state_dict(network.state_dict())
        self.answers = [copy.deepcopy(network)(x), pickle.loads(pickle.dumps(network))(x)]
        self.expected = untouched(x)


def test_copies_of_a_network_in_training_are_not_stimulated(tmp_path):
    copies = Copies()
    fitted(tmp_path, copies, protocol=[SILENCE], max_steps=1)
    for answer in copies.answers:
        torch.testing.assert_close(answer, copies.expected, rtol=0, atol=0)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after a run"])
def test_callback_travels_to_other_processes(tmp_path, after):
    """`ddp_spawn` pickles the trainer's callbacks."""
    callback = Optogenetics([PULSED])
    expected = fitted(tmp_path, protocol=Optogenetics([PULSED]))
    if after:
        fitted(tmp_path, protocol=callback)
    travelled = pickle.loads(pickle.dumps(callback))
    assert travelled.state_key == callback.state_key
    assert fitted(tmp_path, protocol=travelled).losses == expected.losses
