"""Whatever ends a run, the network is as it was: our hooks are gone and other people's are where they were."""

import pytest
import torch
from axonlight.callbacks import Optogenetics
from lab import SILENCE, LabTask, assert_same, data_of, fitted, hooks_of, loader_of, network_of, trainer_of

PHASES = ["train", "validate", "test", "predict"]
PROTOCOL = [SILENCE | {"phases": PHASES}, {"target": "hidden:input", "opsin": {"kind": "drive", "amount": 1.0}}]


class Foreign:
    """Somebody else's hook, which counts."""

    def __init__(self):
        self.calls = 0

    def __call__(self, *_arguments):
        self.calls += 1


@pytest.fixture
def task():
    """A task whose sites carry hooks of somebody else."""
    task = LabTask(network_of())
    task.foreign = Foreign(), Foreign()
    task.network.mixed.register_forward_hook(task.foreign[0])
    task.network.hidden.register_forward_pre_hook(task.foreign[1])
    return task


def only_foreign(task):
    found = [hook for hooks in hooks_of(task).values() for hook in hooks]
    return sorted(map(id, found)) == sorted(map(id, task.foreign))


def test_after_fit(tmp_path, task):
    seen = []
    task.on_train_batch_start = lambda *_: seen.append(len([h for hooks in hooks_of(task).values() for h in hooks]))
    fitted(tmp_path, protocol=PROTOCOL, task=task, max_steps=3)
    assert min(seen) > len(task.foreign)  # or nothing was ever there
    assert only_foreign(task)
    assert [hook.calls for hook in task.foreign] == [3, 3]


@pytest.mark.parametrize("error", [RuntimeError("broken batch"), KeyboardInterrupt()], ids=lambda e: type(e).__name__)
def test_after_an_interruption(tmp_path, task, error):
    task.fail_at = 2, error
    with pytest.raises((RuntimeError, SystemExit)):
        fitted(tmp_path, protocol=PROTOCOL, task=task)
    assert len(task.losses) == 2
    assert only_foreign(task)
    x, _ = data_of()
    untouched = network_of()
    untouched.load_state_dict(task.network.state_dict())
    torch.testing.assert_close(task.network(x), untouched(x), rtol=0, atol=0)


def test_after_a_failure_at_the_start(tmp_path, task):
    def broken(*_arguments):
        raise RuntimeError("broken start")

    task.on_train_start = broken
    with pytest.raises(RuntimeError, match="broken start"):
        fitted(tmp_path, protocol=PROTOCOL, task=task)
    assert only_foreign(task)


@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
def test_after_an_evaluation(tmp_path, task, verb):
    trainer = trainer_of(tmp_path, protocol=PROTOCOL)
    getattr(trainer, verb)(task, loader_of(), **({} if verb == "predict" else {"verbose": False}))
    assert only_foreign(task)
    assert task.foreign[0].calls == 4


def test_one_callback_may_serve_runs_in_turn(tmp_path):
    callback = Optogenetics([SILENCE])
    first, second = (fitted(tmp_path, protocol=callback, task=LabTask(network_of()), max_steps=3) for _ in range(2))
    assert first.losses == second.losses
    assert_same(first.network.state_dict(), second.network.state_dict())
    assert not hooks_of(first)
    assert not hooks_of(second)


def test_a_foreign_hook_that_leaves_meanwhile_takes_only_itself(tmp_path, task):
    handle = task.network.mixed.register_forward_hook(Foreign())
    task.on_train_epoch_end = handle.remove
    fitted(tmp_path, protocol=PROTOCOL, task=task)
    assert only_foreign(task)
    silent = [not gradients["heads.0.weight"].any() for gradients in task.gradients]
    assert silent == [True] * 8
